"""The folder of a run: it is only replaced where it is a run's, one process writes it, and damage to it is told."""

import hashlib
import json
import shutil
import signal
import subprocess
import sys
import warnings

import pytest

import seqtasks
from seqtasks.atomic_files import write_json
from seqtasks.cli.main import main
from seqtasks.engine.run import Run
from seqtasks.engine.run_folder import beginning, check_free, is_unbegun, locked
from seqtasks.errors import UserError
from tests.reviews import SMALL


@pytest.fixture
def run(small_run, tmp_path):
    """A copy of a finished run, to be damaged."""
    return shutil.copytree(small_run.directory, tmp_path / "run")


def files(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def told(capsys, *arguments):
    """The line on standard error of a command that must fail with status 2, print nothing and trace nothing."""
    assert main([str(a) for a in arguments]) == 2
    out, err = capsys.readouterr()
    assert out == "" and "Traceback" not in err
    return [line for line in err.splitlines() if not line.startswith("seqtasks: warning:")][-1]


def test_the_manifest_holds_the_sum_of_each_file_that_decides(small_run):
    listed = json.loads((small_run.directory / "manifest.json").read_text())["files"]
    assert {"config.yaml", "environment.json", "model.keras", "metrics.json", "mistakes.json", "history.csv"} < {
        *listed
    }
    assert {name for name in listed if name.startswith("encoder/")} == {"encoder/labels.txt", "encoder/words.txt"}
    for name, sha256 in listed.items():
        assert hashlib.sha256((small_run.directory / name).read_bytes()).hexdigest() == sha256


@pytest.mark.parametrize("owner", ["recipe: sentiment\n", "recipe: pancakes\nservings: 4\n"])
def test_a_folder_of_another_program_is_never_overwritten(capsys, reviews, tmp_path, owner):
    """A web site, whose `config.yaml` even has a `recipe`."""
    site = tmp_path / "site"
    (site / "encoder").mkdir(parents=True)
    for name, text in {"config.yaml": owner, "history.csv": "1815,Waterloo\n", "encoder/page.txt": "hello"}.items():
        (site / name).write_text(text)
    before = files(site)
    line = told(capsys, "train", "sentiment", "--data", reviews, "--run", site, "--overwrite")
    assert line == f"seqtasks: {site}: is not a run, so it is not overwritten (no manifest.json); take another --run"
    assert files(site) == before


def test_a_run_is_not_overwritten_that_holds_what_is_read_or_files_of_others(run, tmp_path):
    before = files(run)
    for reads in ([run], [str(run / "history.csv")], [f"{run / 'encoder'}/*.txt"], [f"nothing, {run / 'model.keras'}"]):
        with pytest.raises(UserError, match="which the training reads: nothing is overwritten; take another --run"):
            check_free(run, True, reads)
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "a.npz").write_text("years of work")
    others = {"encoder/mine.txt": None, "logs/more/events.1": None, "checkpoints/deep": tmp_path / "thesis"}
    for name, target in others.items():
        path = run / name
        path.parent.mkdir(exist_ok=True)
        if target:
            path.symlink_to(target)
        else:
            path.write_text("years of work")
        with (
            pytest.raises(UserError, match=f"holds {name}, which is kept: nothing is overwritten"),
            beginning(run, True),
        ):
            pass
        path.unlink()
    assert files(run) == before and files(tmp_path / "thesis")
    with beginning(run, True):
        assert set(files(run)) == {".lock", "manifest.json"}


def test_finetuning_does_not_overwrite_the_run_it_starts_from(run, reviews):
    before = files(run)
    with pytest.raises(UserError, match="run: holds .*run, which the training reads: nothing is overwritten"):
        seqtasks.finetune(run, data=reviews, new=run, overwrite=True, epochs=1)
    assert files(run) == before


HOLDS = """
import sys
from pathlib import Path
from seqtasks.engine.run_folder import locked
with locked(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""


def test_one_process_writes_a_run_and_one_that_is_killed_keeps_nobody_out(run, reviews, capsys):
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(run)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout.readline() == "locked\n"
        expected = f"{run}: another process trains in it (process {holder.pid}); wait until it has ended, or take anoth"
        (run / "metrics.json").unlink()
        command = ("train", "sentiment", "--data", reviews, "--run", run, *(f"--{n}={v}" for n, v in SMALL.items()))
        for flag in ("--overwrite", "--resume"):
            assert expected in told(capsys, *command, flag)
        holder.send_signal(signal.SIGKILL)
    assert (run / ".lock").exists()
    with locked(run):
        pass
    assert not (run / ".lock").exists()


def test_of_two_trainings_of_one_new_run_the_second_is_refused(tmp_path):
    new = tmp_path / "new"
    check_free(new, False)  # both find it free
    check_free(new, False)
    with beginning(new):
        with pytest.raises(UserError, match="another process trains in it"), beginning(new):
            pass
        (new / "config.yaml").write_text("recipe: sentiment\n")
    with pytest.raises(UserError, match="exists already; take another --run, or add --overwrite"), beginning(new):
        pass


class Killed(BaseException):
    pass


def killed(*_, **__):
    raise Killed


@pytest.mark.parametrize("again", ["resume", "overwrite", ""])
def test_a_run_killed_before_its_configuration_is_written_is_begun_anew(again, reviews, tmp_path, monkeypatch, capsys):
    directory = tmp_path / "cut"
    fields = SMALL | {"epochs": 1}
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr("seqtasks.engine.run.seal", killed)
        seqtasks.train("sentiment", data=reviews, run=directory, **fields)
    assert set(files(directory)) > {"manifest.json", "environment.json"} and is_unbegun(directory)
    assert "was stopped before it began; train it again, with the same --run" in told(capsys, "predict", directory, "x")
    with monkeypatch.context() as patch:
        patch.setattr("seqtasks.engine.training.Training._run", lambda *_, **__: "trains")
        flag = {again: True} if again else {}
        assert seqtasks.train("sentiment", data=reviews, run=directory, **flag, **fields) == "trains"
    assert (directory / "config.yaml").is_file() and not is_unbegun(directory)


def test_a_run_that_is_about_to_be_replaced_is_not_read(run, monkeypatch):
    def write_and_die(path, value):
        write_json(path, value)
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr("seqtasks.engine.run_folder.write_json", write_and_die)
        with beginning(run, True):
            pass
    assert (run / "model.keras").exists()  # it was killed before the first file was removed
    with pytest.raises(UserError, match="was stopped before it began; train it again, with the same --run"):
        Run(run)
    with beginning(run, True):
        assert set(files(run)) == {".lock", "manifest.json"}


def half(content):
    return content[: len(content) // 2]


def other_order(content):
    return b"".join(reversed(content.splitlines(keepends=True)))


DAMAGES = {
    "half a vocabulary": ("encoder/words.txt", half),
    "labels in another order": ("encoder/labels.txt", other_order),
    "an empty vocabulary": ("encoder/words.txt", lambda _: b""),
    "a vocabulary that is not UTF-8": ("encoder/words.txt", lambda c: c.replace(b'"a"', b'"\xff"')),
    "no vocabulary": ("encoder/words.txt", None),
    "no labels": ("encoder/labels.txt", None),
    "a configuration with a bad byte": ("config.yaml", lambda c: c.replace(b"seed", b"se\xffed")),
    "an empty configuration": ("config.yaml", lambda _: b""),
    "no configuration": ("config.yaml", None),
    "a model with another byte": ("model.keras", lambda c: c[:-100] + b"\0" + c[-99:]),
    "half a model": ("model.keras", half),
    "no model": ("model.keras", None),
    "half a manifest": ("manifest.json", half),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_run_is_told_and_answers_nothing(damage, run, capsys):
    name, change = DAMAGES[damage]
    path = run / name
    path.unlink() if change is None else path.write_bytes(change(path.read_bytes()))
    for command in (["predict", run, "a fine film"], ["export", run, run.parent / "served"]):
        line = told(capsys, *command)
        assert line.startswith(f"seqtasks: {path}: ") and "copy the whole run again" in line, line
    assert not (run.parent / "served").exists()


@pytest.mark.parametrize(
    "damage", [d for d in DAMAGES if not {"manifest", "order", "byte"} & {*d.split()} or "bad" in d]
)
def test_a_damaged_run_of_an_older_version_has_no_traceback(damage, run, capsys):
    (run / "manifest.json").unlink()
    name, change = DAMAGES[damage]
    path = run / name
    path.unlink() if change is None else path.write_bytes(change(path.read_bytes()))
    told(capsys, "predict", run, "a fine film")


def test_a_run_without_a_manifest_is_read_with_a_warning(run):
    (run / "manifest.json").unlink()
    with pytest.warns(UserWarning, match=r"no manifest.json \(a run of an older version\?\): its 8 files are"):
        assert Run(run).predict(["a fine film"])[0]["label"] in ("good", "bad")


def test_a_file_that_was_added_to_the_vocabularies_is_told(run):
    (run / "encoder" / "columns.txt").write_text("[]")
    with pytest.raises(UserError, match="columns.txt: not a file of the run; remove it, or copy the whole run again"):
        Run(run)


def test_a_change_that_is_meant_is_taken_without_the_manifest(run):
    path = run / "config.yaml"
    path.write_text(path.read_text().replace("max_length: 256", "max_length: 2"))
    with pytest.raises(UserError, match="config.yaml: not as the run wrote it .* is meant, delete manifest.json"):
        Run(run)
    (run / "manifest.json").unlink()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert Run(run).config.max_length == 2


def test_figures_that_were_changed_make_no_report(run, capsys):
    path = run / "history.csv"
    path.write_text(path.read_text().replace("0.", "9."))
    assert told(capsys, "report", run).startswith(f"seqtasks: {path}: not as the run wrote it (its SHA-256 differs)")


READ_ONLY = """
import json, sys
from seqtasks.cli.main import main
folder, data = sys.argv[1:]
run, small = f"{folder}/run", ["--units=4", "--dimension=8", "--epochs=1", "--affixes=0", "--ngrams=0"]
train = ["train", "sentiment", "--data", data, *small]
for command in (
    [*train, "--run", f"{folder}/new"],
    [*train, "--run", run, "--overwrite"],
    ["export", run, f"{folder}/served"],
    ["predict", run, "a film", "--output", f"{folder}/answers.jsonl"],
    ["report", run],
    ["predict", run, "a film"],
):
    print(json.dumps(["status", main(command)]), file=sys.stderr, flush=True)
"""


def test_a_read_only_file_system_is_told_in_a_sentence(small_run, reviews, tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = 'mount -t tmpfs none "$1" && cp -r "$2" "$1"/run && mount -o remount,ro "$1" && shift 2 && exec "$@"'
    command = ["unshare", "-rm", "sh", "-c", mount, "-", folder, small_run.directory]
    if subprocess.run([*command, "true"], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    done = subprocess.run([*command, sys.executable, "-c", READ_ONLY, folder, reviews], capture_output=True, text=True)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    assert [json.loads(line)[1] for line in done.stderr.splitlines() if line.startswith("[")] == [2, 2, 2, 2, 2, 0]
    told = [line for line in done.stderr.splitlines() if "(Read-only file system); take another place" in line]
    assert [line.split(": ")[1] for line in told] == [
        f"{folder}/{name}" for name in ("new", "run", "served", "answers.jsonl", "run/report.html")
    ]
    assert json.loads(done.stdout)["label"] in ("good", "bad")
