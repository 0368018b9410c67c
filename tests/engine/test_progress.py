"""What is shown while something takes long: on a terminal, in a log file, and nothing where nobody looks."""

import contextlib
import io
import json
import logging
import os
import pty
import re
import subprocess
import sys
import time

import pytest

from seqtasks.cli.console import Warnings
from seqtasks.cli.main import _without, main
from seqtasks.engine import displays, progress
from tests.reviews import SMALL

REDRAWN = 0.3  # seconds after which a bar is drawn again
OPTIONS = [f"--{name}={value}" for name, value in SMALL.items()]


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    """Standard error is a wide terminal, whose bars appear without delay."""
    monkeypatch.setattr(displays, "DELAY", 0.0)
    monkeypatch.setattr(displays, "REFRESH", 0.0)
    for name, value in {"TERM": "xterm", "COLUMNS": "160", "NO_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)
    return contextlib.redirect_stderr(Terminal())


def test_nothing_is_shown_where_nobody_looks(capsys):
    with progress.shown(), progress.stage("reading", total=3) as advance:
        advance(3)
    assert list(progress.counted("reading", "ab")) == ["a", "b"]
    assert capsys.readouterr() == ("", "")


def test_a_terminal_has_a_bar_with_lines_above_it(terminal):
    with terminal as stream, progress.shown(), progress.stage("reading [a].csv", total=20_000) as advance:
        advance(5_000)
        time.sleep(REDRAWN)
        progress.say("a line [b] with brackets " + "and many words " * 20)
        advance(5_000)
        time.sleep(REDRAWN)
    text = stream.getvalue()
    assert "reading [a].csv" in text and "5,000 of 20,000 examples" in text and "10,000 of 20,000" in text
    assert "a line [b] with brackets " + "and many words " * 20 in text  # in one piece


def test_stages_inside_a_stage_have_bars_of_their_own_and_disappear(terminal):
    with terminal as stream, progress.shown():
        with progress.stage("training", describe=lambda: ("epoch 1/2", "9 examples/s")) as advance:
            advance()
            for _ in progress.counted("validation", range(3), 3):
                time.sleep(REDRAWN)
            advance()
        assert progress._display.bars is None and not progress._display.tasks
    assert "epoch 1/2  9 examples/s" in stream.getvalue() and "2 of 3 examples" in stream.getvalue()


def test_a_short_stage_has_no_bar(terminal, monkeypatch):
    monkeypatch.setattr(displays, "DELAY", 60.0)
    with terminal as stream, progress.shown():
        assert sum(progress.counted("reading", [1, 2])) == 3
    assert stream.getvalue() == ""


@pytest.fixture
def fast(monkeypatch):
    """A clock on which each look takes a second."""
    seconds = iter(range(10_000))
    monkeypatch.setattr(displays.time, "perf_counter", lambda: next(seconds))


def test_a_log_has_few_lines(caplog, fast):
    with caplog.at_level(logging.INFO, "seqtasks"), progress.shown(always=True):
        assert len(list(progress.counted("reading", range(3_000)))) == 3_000
    lines = [record.getMessage() for record in caplog.records]
    assert 10 < len(lines) < 150  # the lines of a long stage are a twentieth of its time apart
    assert re.fullmatch(r"reading  \d+ examples  \d\.\d examples/s", lines[0])
    assert re.fullmatch(r"reading  3,000 examples  \d\.\d examples/s  [\d:]+", lines[-1])


def test_the_time_left_does_not_count_the_first_step(fast, monkeypatch):
    stage = displays.Stage("training", total=101)
    for _ in range(50):
        next(iter([displays.time.perf_counter()]))  # the first step takes 50 seconds
    stage(1)
    for _ in range(50):
        stage(1)
    assert re.search(r"51 of 101 examples  0:5\d left  1\.0 examples/s|0:5\d left", stage.text())


def test_quiet_leaves_errors_alone(capsys, caplog):
    log = logging.getLogger("seqtasks")
    level = log.level
    with progress.shown(quiet=True):
        with progress.shown(always=True), progress.stage("reading") as advance:
            advance(10)
        log.warning("a warning")
        log.error("an error")
    assert [record.getMessage() for record in caplog.records] == ["an error"] and log.level == level
    assert capsys.readouterr() == ("", "")


def test_warnings_wait_until_training_begins_and_are_shown_once(capsys):
    with Warnings(held=True) as warnings, progress.before_training(warnings.release):
        for text in ("one", "two", "one"):
            warnings.add(text)
        assert capsys.readouterr().err == ""
        progress.training_begins()
        assert capsys.readouterr().err == "one\ntwo\n"
        warnings.add("two")
        warnings.add("three")
        assert capsys.readouterr().err == "three\n"


def test_warnings_that_wait_are_shown_before_an_error(capsys, tmp_path):
    (tmp_path / "a.csv").write_text("text,label\n" + "".join(f"film {i},good\n" for i in range(40)))
    assert main(["train", "sentiment", "--data", str(tmp_path / "a.csv"), "--run", str(tmp_path / "run")]) == 2
    first, last = capsys.readouterr().err.splitlines()
    assert first.startswith("seqtasks: warning:") and "no test and no validation split" in first
    assert "every example has the label 'good'" in last


def test_quiet_before_or_after_a_command(capsys, small_run, tmp_path):
    (tmp_path / "bad.csv").write_text("text,label\nfilm,good\n")
    assert main(["--quiet", "predict", str(small_run.directory), "a film"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["label"] and err == ""
    command = ["train", "sentiment", "--data", str(tmp_path / "bad.csv"), "--run", str(tmp_path / "run"), "--quiet"]
    assert main(command) == 2
    out, err = capsys.readouterr()
    assert out == "" and len(err.splitlines()) == 1 and err.startswith("seqtasks: ")


def test_after_two_hyphens_quiet_is_a_text():
    assert _without("--quiet", ["predict", "--quiet", "run"]) == (["predict", "run"], True)
    assert _without("--quiet", ["predict", "run", "--", "--quiet"]) == (["predict", "run", "--", "--quiet"], False)


def test_a_training_on_a_real_terminal_and_its_result_on_standard_output(reviews, tmp_path):
    """Standard error is a pseudo-terminal, standard output a file: the bar is on one, the JSON on the other."""
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "150"}
    command = [sys.executable, "-m", "seqtasks.cli.main", "train", "sentiment", "--data", reviews]
    command += ["--run", tmp_path / "run", *OPTIONS, "--seed", "7"]
    with open(tmp_path / "out.json", "w") as out:
        process = subprocess.Popen([str(c) for c in command], stdout=out, stderr=theirs, env=environment)
    os.close(theirs)
    shown = b""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        try:
            shown += os.read(ours, 65536)
        except OSError:  # the other end was closed
            break
    assert process.wait(60) == 0
    text = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", shown.decode())
    assert re.search(r"training .*epoch 2/2  step \d+/\d+  loss [\d.]+  accuracy [\d.]+", text)
    for line in ("examples: train ", "seqtasks: warning: ", "epoch 1/2  loss", "epoch 2/2  loss", "test accuracy"):
        assert line in text
    assert text.index("examples: train") < text.index("seqtasks: warning:") < text.index("epoch 1/2  loss")
    (line,) = (tmp_path / "out.json").read_text().splitlines()
    assert json.loads(line)["run"] == str(tmp_path / "run")


def test_a_log_file_has_plain_lines(small_run, tmp_path):
    (tmp_path / "in.txt").write_text("a film\n" * 50)
    command = ["predict", small_run.directory, "--input", tmp_path / "in.txt", "--output", tmp_path / "out.jsonl"]
    done = subprocess.run([sys.executable, "-m", "seqtasks.cli.main", *map(str, command)], capture_output=True)
    assert done.returncode == 0 and done.stdout == b"" and not {b"\x1b", b"\r"} & {bytes([b]) for b in done.stderr}
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 50
