"""Runs side by side: figures, paired differences, options, and runs that cannot be compared."""

import io
import json

import numpy as np
import pytest
from rich.console import Console
from scipy.stats import binomtest

import seqtasks
from seqtasks.cli.main import main
from seqtasks.engine.run import Run
from seqtasks.metrics import accuracy, paired_bootstrap
from seqtasks.report import comparison
from tests.reviews import SMALL, write_reviews


@pytest.fixture(scope="module")
def other(small_run, reviews, tmp_path_factory):
    """A run on the same data that has learnt less."""
    folder = tmp_path_factory.mktemp("compare") / "other"
    return seqtasks.train("sentiment", data=reviews, run=folder, **SMALL | {"epochs": 1, "units": 2})


def test_two_runs_are_compared_on_their_test_data(small_run, other, tmp_path, capsys):
    page = tmp_path / "page.html"
    assert main(["compare", str(small_run.directory), str(other.directory), "--html", str(page)]) == 0
    told = json.loads(capsys.readouterr().out)
    first, second = told["runs"]
    for row, run in ((first, Run(small_run.directory)), (second, other)):
        assert row["accuracy"] == run.metrics["test"]["accuracy"]
        assert row["accuracy_interval"] == run.metrics["test"]["accuracy_interval"]
    (difference,) = told["differences"]
    assert (difference["run"], difference["against"]) == ("other", "run")
    assert difference["difference"] == pytest.approx(second["accuracy"] - first["accuracy"])
    low, high = difference["difference_interval"]
    assert low <= difference["difference"] <= high and 0 < difference["p_value"] <= 1
    assert told["options"]["units"] == [4, 2] and told["options"]["epochs"] == [2, 1] and "seed" not in told["options"]
    html = page.read_text("utf-8")
    assert "<svg" in html and "<bdi>other</bdi>" in html and told["test"]["sha256"] in html and "<script" not in html
    shown = io.StringIO()
    Console(file=shown, width=120).print(comparison.table(told))
    assert "difference to run" in shown.getvalue() and "units" in shown.getvalue()


def test_runs_with_other_test_data_are_refused(small_run, other, tmp_path, capsys):
    folder = tmp_path / "copy"
    folder.mkdir()
    for name in ("config.yaml", "metrics.json", "environment.json"):
        (folder / name).write_bytes((other.directory / name).read_bytes())
    known = json.loads((folder / "environment.json").read_text())
    known["data"]["test"]["sha256"] = "0" * 64
    (folder / "environment.json").write_text(json.dumps(known))
    assert main(["compare", str(small_run.directory), str(folder)]) == 2
    assert "copy: was measured on other test data than" in capsys.readouterr().err
    assert main(["compare", str(small_run.directory)]) == 2
    assert "compare: takes two runs or more; seqtasks compare RUN RUN ..." in capsys.readouterr().err
    assert main(["compare", str(small_run.directory), str(folder), "--htm", "x"]) == 2
    assert "compare: unknown option --htm; it takes --html FILE" in capsys.readouterr().err


def test_test_data_that_has_changed_is_told(tmp_path, small_run, other, capsys, monkeypatch):
    changed = write_reviews(tmp_path / "reviews.csv", 60)
    monkeypatch.setattr(Run, "readable_paths", lambda run: {"data": str(changed)})
    assert main(["compare", str(small_run.directory), str(other.directory)]) == 2
    assert "the test data has changed since the run was trained; put it back" in capsys.readouterr().err


def test_the_paired_test_agrees_with_that_of_mcnemar(rng):
    targets = rng.integers(0, 2, 400)
    right = np.eye(2)[targets]
    first = np.where((np.arange(400) < 30)[:, None], 1 - right, right)  # 30 wrong
    second = np.where((np.arange(400) >= 350)[:, None], 1 - right, right)  # 50 wrong, others
    bounds, chance = paired_bootstrap(accuracy, (targets, first), (targets, second))
    exact = binomtest(30, 80).pvalue
    assert 0.5 * exact < chance < 2 * exact and bounds[0] < 0.05 < bounds[1]
