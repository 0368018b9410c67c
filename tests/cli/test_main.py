"""The command line as a stranger uses it: results on standard output, mistakes told in one line with status 2."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import seqtasks
from seqtasks.cli.main import main
from seqtasks.errors import UserError
from tests.reviews import SMALL, write_reviews

pytestmark = pytest.mark.usefixtures("opened_once")
OPTIONS = [f"--{name}={value}" for name, value in SMALL.items()]


@pytest.fixture(scope="module")
def folder(small_run):
    """A folder with reviews.csv and a finished run in it."""
    return small_run.directory.parent


def mistake(capsys, *arguments):
    """The one line on standard error of a command that must fail with status 2 and print no result."""
    assert main([str(a) for a in arguments]) == 2
    out, err = capsys.readouterr()
    lines = [line for line in err.splitlines() if not line.startswith("seqtasks: warning:")]
    assert out == "" and len(lines) == 1, err
    return lines[0]


def test_help_and_version_are_quick_and_import_no_framework():
    code = "import sys, seqtasks.cli.main as c; c.main(['--help']); c.main(['recipes']); "
    code += "assert not {'tensorflow', 'keras', 'sklearn'} & set(sys.modules), 'imported'"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "seqtasks train RECIPE" in done.stdout
    lines = (json.loads(line) for line in done.stdout.splitlines() if line.startswith("{"))
    listed = {line["recipe"]: line["rnn_type"] for line in lines}
    assert listed["sentiment"] == "many-to-one" and listed["translation"] == "many-to-many, different lengths"
    seconds = []
    for _ in range(3):
        began = os.times()
        subprocess.run([sys.executable, "-m", "seqtasks.cli.main", "--help"], check=True, capture_output=True)
        ended = os.times()  # of the processor: others may be busy beside this test
        seconds.append(ended.children_user + ended.children_system - began.children_user - began.children_system)
    assert min(seconds) < 0.5


def test_the_package_runs_as_the_command():
    done = subprocess.run([sys.executable, "-m", "seqtasks", "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"seqtasks {seqtasks.__version__}\n"), done.stderr


def test_the_help_of_a_recipe_names_every_option(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["train", "sentiment", "--help"])
    out = capsys.readouterr().out
    assert stop.value.code == 0
    for text in ("--max_length", "words of a text that are read", "--time_limit", "default: 64", "--data"):
        assert text in out


def test_train_prints_one_json_object(small_run):
    (line,) = small_run.printed.splitlines()
    assert json.loads(line)["run"] == str(small_run.directory)
    assert "batch_size: 8" in (small_run.directory / "config.yaml").read_text()  # given as --batch-size


def test_a_run_is_repeated_from_its_config(capsys, folder, tmp_path):
    config = str(folder / "run" / "config.yaml")
    assert main(["train", "sentiment", "--config", config, "--run", str(tmp_path / "again"), "--seed", "0"]) == 0
    test = json.loads(capsys.readouterr().out)["test"]
    first = json.loads((folder / "run" / "metrics.json").read_text())["test"]
    assert test["accuracy"] == first["accuracy"] and test["log_loss"] == pytest.approx(first["log_loss"], rel=1e-6)


def test_predict_from_arguments_files_and_standard_input(capsys, folder, tmp_path):
    texts = ["a fine film", "", "boring – très", "x"]
    (tmp_path / "in.txt").write_text("\n".join(texts) + "\n", encoding="utf-8")
    run = str(folder / "run")
    assert main(["predict", run, *texts]) == 0
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(printed) == 4
    assert printed[0]["score"] == max(printed[0]["scores"].values())
    assert sum(printed[0]["scores"].values()) == pytest.approx(1)
    assert main(["predict", run, "--input", str(tmp_path / "in.txt"), "--output", str(tmp_path / "out.jsonl")]) == 0
    assert capsys.readouterr().out == ""
    assert [json.loads(line) for line in (tmp_path / "out.jsonl").read_text("utf-8").splitlines()] == printed
    piped = subprocess.run(
        [sys.executable, "-m", "seqtasks.cli.main", "predict", run, "-"],
        input=(tmp_path / "in.txt").read_bytes(),
        capture_output=True,
    )
    assert [json.loads(line) for line in piped.stdout.decode().splitlines()] == printed


def test_evaluate_report_export_and_finetune(capsys, folder, tmp_path):
    run = str(folder / "run")
    stored = json.loads((folder / "run" / "metrics.json").read_text())
    assert main(["evaluate", run]) == 0
    assert json.loads(capsys.readouterr().out)["confusion"] == stored["test"]["confusion"]
    assert main(["evaluate", run, "--data", str(write_reviews(tmp_path / "own.csv", 30))]) == 0
    assert json.loads(capsys.readouterr().out)["examples"] == 30
    assert main(["report", run]) == 0
    assert Path(json.loads(capsys.readouterr().out)["report"]).read_text("utf-8").startswith("<!DOCTYPE html>")
    assert main(["export", run, str(tmp_path / "served")]) == 0
    assert (tmp_path / "served" / "saved_model.pb").is_file()
    capsys.readouterr()
    data = str(write_reviews(tmp_path / "more.csv", 50))
    assert main(["finetune", run, "--data", data, "--run", str(tmp_path / "new"), "--epochs", "1"]) == 0
    assert json.loads(capsys.readouterr().out)["train"]["epochs"] == 1


BAD_DATA = {
    "empty.csv": ("", "empty.csv: the file is empty; give a file with one record on each line"),
    "header.csv": ("text,label\n", "header.csv: no examples for the train split; name another with --train"),
    "columns.csv": (
        "words,mood,when\na,b,c\n",
        "columns.csv: no text and label among 'words', 'mood', 'when'; name them with --text_column and --label_column",
    ),
    "field.csv": (
        "text,label\nfine,good\nno label\n",
        "field.csv:3: 1 field, expected 2; give every line the same number of fields",
    ),
    "one.csv": (
        "text,label\n" + "".join(f"film {i},good\n" for i in range(50)),
        "one.csv: every example has the label 'good'; a model needs at least 2; check the label column",
    ),
    "broken.jsonl": ('{"text": "a", "label": "b"}\n{"text": \n', "broken.jsonl:2: not JSON"),
    "latin.csv": (b"text,label\nfine,good\ncaf\xe9,bad\n", "latin.csv:3: not UTF-8 (byte 0xe9 at offset 24)"),
}


@pytest.mark.parametrize("name", BAD_DATA)
def test_bad_data_is_told_with_file_line_and_remedy(capsys, tmp_path, name):
    content, expected = BAD_DATA[name]
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    line = mistake(capsys, "train", "sentiment", "--data", tmp_path / name, "--run", tmp_path / "run")
    assert line.startswith(f"seqtasks: {tmp_path}/{expected}")
    assert not (tmp_path / "run").exists()


def test_missing_file_and_wrong_column(capsys, folder, tmp_path):
    run = ("--run", tmp_path / "run")
    line = mistake(capsys, "train", "sentiment", "--data", tmp_path / "no.csv", *run)
    assert line == f"seqtasks: {tmp_path}/no.csv: no such file or folder; check the path"
    line = mistake(capsys, "train", "sentiment", "--data", folder / "reviews.csv", "--text_column", "review", *run)
    assert "no column 'review'; the columns are 'text', 'label'" in line
    assert not (tmp_path / "run").exists()


def test_predict_reads_a_table_as_training_does(capsys, folder, tmp_path):
    run, rows = str(folder / "run"), [("7", "a fine film", "good"), ("8", "a dull film", "bad")]
    assert main(["predict", run, *(text for _, text, _ in rows)]) == 0
    expected = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    table = "id;text;label\n" + "".join(";".join(row) + "\n" for row in rows)
    (tmp_path / "rows.csv").write_bytes(table.encode("utf-16"))
    assert main(["predict", run, "--input", str(tmp_path / "rows.csv")]) == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == expected
    assert main(["predict", run, "--input", str(tmp_path / "rows.csv"), "--carry", "id,label"]) == 0
    carried = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert carried == [{"id": i, "given_label": y} | e for (i, _, y), e in zip(rows, expected, strict=True)]
    (tmp_path / "other.csv").write_text("words,n\na fine film,1\na dull film,2\n", "latin-1")
    line = mistake(capsys, "predict", run, "--input", tmp_path / "other.csv")
    assert (
        "other.csv: cannot tell whether 'words', 'n' are the names of columns; name the column with --text_col" in line
    )
    assert main(["predict", run, "--input", str(tmp_path / "other.csv"), "--text-column", "words"]) == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == expected
    (tmp_path / "fast.txt").write_text("__label__good a fine film\n__label__bad a dull film\n")
    assert main(["predict", run, "--input", str(tmp_path / "fast.txt")]) == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == expected


def test_lines_that_are_not_text(capsys, folder, tmp_path):
    (tmp_path / "in.txt").write_bytes(b"fine\ncaf\xe9\n")
    line = mistake(capsys, "predict", folder / "run", "--input", tmp_path / "in.txt")
    assert line.startswith(
        f"seqtasks: {tmp_path}/in.txt:2: not UTF-8 (byte 0xe9 at offset 8); save the file as UTF-8, or"
    )
    assert main(["predict", str(folder / "run"), "--input", str(tmp_path / "in.txt"), "--encoding", "latin-1"]) == 0
    latin = capsys.readouterr().out
    assert main(["predict", str(folder / "run"), "fine", "café"]) == 0
    assert capsys.readouterr().out == latin
    line = mistake(capsys, "predict", folder / "run", "--input", tmp_path / "in.txt", "--carry", "id")
    assert line == f"seqtasks: {tmp_path}/in.txt: lines have no columns; leave out --carry, or give a table"
    line = mistake(capsys, "predict", folder / "run", "fine", "--carry", "id")
    assert line == "seqtasks: --carry: arguments have no columns; give a table to --input"


def test_a_label_that_train_never_saw_counts_as_a_miss(capsys, folder, tmp_path):
    (tmp_path / "test.csv").write_text("text,label\na fine film,good\nodd,c\n")
    assert main(["evaluate", str(folder / "run"), "--data", str(tmp_path / "test.csv")]) == 0
    printed = capsys.readouterr()
    assert "labels of the test split that the run lacks: 'c'; each of 1 is a miss" in printed.err
    assert json.loads(printed.out)["examples"] == 2


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["trian", "sentiment"], "unknown command 'trian'; did you mean 'train'?"),
        (["train", "sentment"], "unknown recipe 'sentment'; did you mean 'sentiment'? (or give a path to a .py file)"),
        (["train"], "train: RECIPE comes first"),
        (["train", "sentiment", "--unts", "3"], "unknown option --unts; did you mean '--units'?"),
        (["train", "sentiment", "--units", "many"], "--units: many is not int; see --help"),
        (["train", "sentiment", "--units", "0"], "--units: 0 is out of range; give a number of at least 1"),
        (["train", "sentiment", "--dropout", "1.5"], "--dropout: 1.5 is out of range; give a number of at least 0 and"),
        (["train", "sentiment", "--cell", "lstn"], "--cell: lstn is not a valid value; did you mean 'lstm'?"),
        (["train", "sentiment", "--metric", "acuracy"], "--metric: unknown metric 'acuracy'; did you mean 'accuracy'?"),
        (["train", "sentiment", "--strategy", "gpu"], "--strategy: TensorFlow sees no GPU here; use auto or cpu"),
        (["train", "nothing.py"], "nothing.py: no such recipe file"),
        (["predict", "nowhere", "x"], "nowhere: no such run; give a directory that `seqtasks train` made"),
    ],
)  # fmt: skip
def test_a_wrong_word_on_the_command_line(capsys, tmp_path, monkeypatch, arguments, expected):
    monkeypatch.chdir(tmp_path)
    assert mistake(capsys, *arguments).startswith(f"seqtasks: {expected}")
    assert list(tmp_path.iterdir()) == []


def test_options_of_training_and_of_other_recipes_are_refused_on_a_run(capsys, folder):
    run = folder / "run"
    trained = mistake(capsys, "predict", run, "a film", "--units", "8")
    assert trained == "seqtasks: --units: cannot be changed on a trained run; train a new run, or fine-tune this one"
    other = mistake(capsys, "predict", run, "a film", "--beam_width=3")
    assert other == "seqtasks: --beam_width: not for a run of sentiment; runs of speech, translation take it"
    bed = mistake(capsys, "predict", run, "a film", "--output", folder / "x.bed")
    assert bed.endswith("x.bed: unknown format '.bed'; end it in .jsonl") and not (folder / "x.bed").exists()
    assert "unknown option --beem; " in mistake(capsys, "predict", run, "a film", "--beem", "3")


def test_a_text_keeps_its_hyphens(capsys, folder):
    assert main(["predict", str(folder / "run"), "--well-made film", "a film"]) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert main(["predict", str(folder / "run"), "a film"]) == 0
    alone = json.loads(capsys.readouterr().out)
    assert alone.pop("scores") == pytest.approx(second.pop("scores"), abs=1e-5) and first.pop("scores")
    assert alone == pytest.approx(second, abs=1e-5) and set(first) == set(second)


def test_a_run_is_never_overwritten_unasked(capsys, folder, tmp_path):
    data = folder / "reviews.csv"
    before = (folder / "run" / "metrics.json").read_bytes()
    line = mistake(capsys, "train", "sentiment", "--data", data, "--run", folder / "run")
    assert f"{folder}/run: exists already; take another --run, or add --overwrite" in line
    assert (folder / "run" / "metrics.json").read_bytes() == before
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    (tmp_path / "mine" / "config.yaml").write_text("colour: blue\n")  # of another program
    line = mistake(capsys, "train", "sentiment", "--data", data, "--run", tmp_path / "mine", "--overwrite")
    assert "is not a run, so it is not overwritten" in line
    assert (tmp_path / "mine" / "thesis.txt").exists()
    assert "not a run (no config.yaml)" in mistake(capsys, "evaluate", tmp_path / "mine")


@pytest.mark.parametrize("name", ["reviews.csv", "encoder/notes.md", ".git/HEAD"])
def test_files_of_others_in_a_run_are_never_deleted(capsys, folder, tmp_path, name):
    run = tmp_path / "run"
    shutil.copytree(folder / "run", run)
    (run / name).parent.mkdir(exist_ok=True)
    (run / name).write_text("years of work")
    data = run / name if name == "reviews.csv" else folder / "reviews.csv"
    line = mistake(capsys, "train", "sentiment", "--data", data, "--run", run, "--overwrite")
    assert line.endswith(f"run: holds {name}, which is kept: nothing is overwritten; take another --run")
    assert (run / name).read_text() == "years of work" and (run / "metrics.json").exists()


def test_files_of_others_in_an_export_are_never_deleted(folder, tmp_path):
    run = seqtasks.load_run(folder / "run")
    served = run.export(tmp_path / "served", check=False)
    assert run.export(served, overwrite=True, check=False) == served
    (served / "client.py").write_text("years of work")
    with pytest.raises(UserError, match=r"served: holds client\.py, which is kept: nothing is overwritten; "):
        run.export(served, overwrite=True, check=False)


def test_a_full_disk_is_told_and_leaves_nothing_half_written(capsys, folder, tmp_path):
    assert "no space left on the device" in mistake(capsys, "predict", folder / "run", "x", "--output", "/dev/full")
    run = [sys.executable, "-m", "seqtasks.cli.main"]
    small = tmp_path / "small"
    small.mkdir()
    data = write_reviews(tmp_path / "reviews.csv")
    script = 'mount -t tmpfs -o size=60k none "$1" && shift && exec "$@"'
    if subprocess.run(["unshare", "-rm", "sh", "-c", script, "-", str(small), "true"], capture_output=True).returncode:
        pytest.skip("no small file system can be mounted here")
    command = [*run, "train", "sentiment", "--data", str(data), "--run", str(small / "run"), *OPTIONS, "--units=64"]
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, "-", str(small), *command], capture_output=True, text=True
    )
    assert done.returncode == 2, done.stderr
    assert "no space left on the device; free some space" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.slow
def test_real_reviews_learn_in_three_epochs(capsys, data_folder, tmp_path):
    data, quick = data_folder / "sentiment" / "sst2", ("--epochs", "3", "--batch_size", "32", "--r_drop", "0")
    assert main(["train", "sentiment", "--data", str(data), "--run", str(tmp_path / "run"), *quick]) == 0
    assert json.loads(capsys.readouterr().out)["test"]["accuracy"] > 0.75


def test_tfds_by_name(capsys, tmp_path):
    tfds = pytest.importorskip("tensorflow_datasets")
    with tfds.testing.mock_data(num_examples=40):
        command = ["train", "sentiment", "--data", "tfds:imdb_reviews", "--run", str(tmp_path / "run"), *OPTIONS]
        assert main(command) == 0
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["test"]["labels"] == ["neg", "pos"]
    assert metrics["test"]["examples"] == 40
    assert os.path.exists(tmp_path / "run" / "report.html")
