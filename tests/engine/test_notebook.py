"""A run in a notebook: the training is watched, and the run shows itself with the figures it has."""

import csv
import json
import re
import sys
import xml.etree.ElementTree as ElementTree

import pytest

from seqtasks.engine.run import Run
from seqtasks.report.formatting import number

TRAIN = """
import seqtasks
films = [(f"a {word} film number {n}", label) for n in range(40) for word, label in (("fine", "good"), ("dull", "bad"))]
run = seqtasks.train("sentiment", data=films, run="run", epochs=2, units=8, affixes=0, gradient_flow=False, r_drop=0)
"""


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The folder of a notebook that trained a run and showed it, and the outputs of its three cells."""
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    from jupyter_client import KernelManager

    folder = tmp_path_factory.mktemp("notebook")
    cells = [TRAIN, "run", "seqtasks.load_run('run').predict(['a fine film'])"]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    manager = KernelManager()  # this interpreter, whatever kernels are installed
    manager.kernel_spec.argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    client = nbclient.NotebookClient(notebook, km=manager, timeout=600, resources={"metadata": {"path": str(folder)}})
    client.execute()
    return folder, [cell.outputs for cell in notebook.cells]


def rows_of(html):
    """The rows of the table as lists of texts."""
    table = ElementTree.fromstring(re.search(r"<table.*?</table>", html, re.DOTALL)[0])
    return [["".join(cell.itertext()) for cell in row] for row in table]


def test_a_run_shows_its_figures(executed):
    folder, (_, (output,), _) = executed
    html, metrics = output["data"]["text/html"], json.loads((folder / "run" / "metrics.json").read_text())
    test = metrics["test"]
    low, high = test["accuracy_interval"]
    shown = f"<b>{number(test['accuracy'])}</b> <small>(95% interval {number(low)} to {number(high)})</small>"
    assert f"accuracy {shown} <small>on {test['examples']} test examples</small>" in html
    rows = {row[0]: row[1:] for row in rows_of(html)}
    assert rows["this network"][0] == number(test["accuracy"])
    for name, title in (("majority", "majority"), ("tfidf_logistic_regression", "TF-IDF logistic regression")):
        values = metrics["baselines"][name]
        assert rows[title][:2] == [number(values["accuracy"]), number(values["difference"], sign=True)]
    assert f"{metrics['train']['examples']} examples" in html and "2 epochs" in html
    assert "best baseline" in html and "report: run/report.html" in html


def test_its_curves_are_those_of_the_history(executed):
    folder, (_, (output,), _) = executed
    html = output["data"]["text/html"]
    history = list(csv.DictReader((folder / "run" / "history.csv").open()))
    first, last = (number(float(row["validation_accuracy"])) for row in (history[0], history[-1]))
    assert html.count("<svg") == 2 and f"validation from {first} to {last}" in html
    assert "<script" not in html and 'src="' not in html
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert ids and len(ids) == len(set(ids)) and all(re.match("run[0-9a-f]{8}-curve", name) for name in ids)


def test_the_training_is_watched_in_one_output(executed):
    _, (outputs, _, answers) = executed
    (shown,) = [o["data"]["text/plain"] for o in outputs if o["output_type"] == "display_data"]
    lines = shown.splitlines()
    assert [line.split("  ")[0] for line in lines if line.startswith("epoch")] == ["epoch 1/2", "epoch 2/2"]
    assert lines[-1].startswith("test accuracy")
    assert [o["output_type"] for o in answers] == ["execute_result"]


def test_a_run_that_has_not_finished_says_so(small_run, tmp_path):
    for name in ("config.yaml", "history.csv"):
        (tmp_path / name).write_bytes((small_run.directory / name).read_bytes())
    html = Run(tmp_path)._repr_html_()
    assert "has not finished: 2 epochs so far" in html and html.count("<svg") == 2
    (tmp_path / "history.csv").unlink()
    assert "0 epochs so far" in Run(tmp_path)._repr_html_()
