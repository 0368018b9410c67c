"""A received run executes no program unasked, and what it holds neither reaches the terminal nor runs in the report."""

import json
import os
import shutil
from pathlib import Path

import pytest

import recipes.sentiment
import seqtasks
from seqtasks.atomic_files import replacing
from seqtasks.cli.main import main
from seqtasks.data import tfds
from seqtasks.data.text_files import open_bytes
from seqtasks.engine.run_folder import seal
from seqtasks.errors import UserError
from seqtasks.report.page import write_report
from seqtasks.report.sanitised import sanitised
from seqtasks.yaml_files import read_yaml
from tests.reviews import SMALL

EVIL = "\nfrom pathlib import Path\nPath(__file__).with_name('executed').touch()\n"


@pytest.fixture(autouse=True)
def own_memory(monkeypatch, tmp_path):
    """What is remembered as trusted is of this test."""
    monkeypatch.setenv("SEQTASKS_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def received(small_run, tmp_path):
    """A finished run that brings a program as its recipe, with a manifest that agrees."""
    run = shutil.copytree(small_run.directory, tmp_path / "run")
    (run / "recipe.py").write_text(Path(recipes.sentiment.__file__).read_text("utf-8") + EVIL, "utf-8")
    rename(run, "recipe.py")
    return run


def rename(run, recipe):
    config = run / "config.yaml"
    config.write_text("".join([f"recipe: {recipe}\n", *config.read_text().splitlines(keepends=True)[1:]]))
    seal(run)


def refused(capsys, *arguments):
    assert main([str(a) for a in arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_a_program_in_a_received_run_is_executed_only_if_it_is_trusted(received, capsys, reviews):
    commands = (
        ["predict", received, "a film"], ["evaluate", received], ["report", received], ["export", received, "x"],
        ["predict", received, "--help"], ["finetune", received, "--data", reviews],
        ["train", "sentiment", "--data", reviews, "--run", received, "--resume"],
    )  # fmt: skip
    for command in commands:
        line = refused(capsys, *command)
        assert line.startswith(f"seqtasks: {received}/recipe.py: a program that came with the run and would be exec")
        assert line.endswith("read it, and add --trust (in Python trust=True) if you trust it")
    with pytest.raises(UserError, match="add --trust"):
        seqtasks.load_run(received)
    assert not (received / "executed").exists()
    assert main(["--trust", "predict", str(received), "a film"]) == 0
    assert json.loads(capsys.readouterr().out)["label"] in ("good", "bad") and (received / "executed").exists()
    assert seqtasks.load_run(received, trust=True).predict(["a film"], encoding="latin-1")[0]["label"] in (
        "good",
        "bad",
    )


def test_a_recipe_that_was_trained_here_is_trusted(received, reviews):
    own = received.parent / "mine.py"
    shutil.copy(received / "recipe.py", own)
    seqtasks.train(own, data=reviews, run=received.parent / "new", dry_run=True, **SMALL)
    assert seqtasks.load_run(received).recipe.name == "sentiment"
    (received / "recipe.py").write_text((received / "recipe.py").read_text() + "# another text\n")
    seal(received)
    with pytest.raises(UserError, match="add --trust"):
        seqtasks.load_run(received)


@pytest.mark.parametrize("where", ["../evil.py", "{outside}", "encoder/evil.py", "./recipe.py"])
def test_a_recipe_outside_the_run_is_never_executed(received, where):
    outside = shutil.copy(received / "recipe.py", received.parent / "evil.py")
    shutil.copy(outside, received / "encoder" / "evil.py")
    rename(received, where.format(outside=outside))
    with pytest.raises(UserError, match="is not a file of the run, so it is not executed; take only runs that"):
        seqtasks.load_run(received, trust=True)


def test_a_link_out_of_the_run_is_never_executed(received):
    shutil.move(received / "recipe.py", received.parent / "evil.py")
    (received / "recipe.py").symlink_to(received.parent / "evil.py")
    seal(received)
    with pytest.raises(UserError, match="recipe recipe.py is not a file of the run"):
        seqtasks.load_run(received, trust=True)


ATTACKS = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<meta http-equiv=refresh content='0;url=//evil'>",
    "<form action=//evil><input name=a></form>", "<base href=//evil>", "<a href='javascript:alert(1)'>b</a>",
    "<a href=//evil>b</a>", "<svg><a xlink:href='//evil'>b</a></svg>", "<svg><script>alert(1)</script></svg>",
    "<svg><style>@import '//evil'</style><use href='//evil#a'/></svg>", "<iframe srcdoc='<script>x</script>'></iframe>",
    "<p style='position:fixed;inset:0;background:url(//evil)'>b</p>", "<svg><animate onbegin=alert(1)></svg>",
    "<svg><foreignObject><form action=//evil></form></foreignObject></svg>", "</section><style>*{}</style>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>", "<object data=//evil></object>",
    "<svg><image href='https://evil/a.png'/></svg>", "<a href='data:text/html,<script>x</script>'>b</a>",
]  # fmt: skip
HARM = "evil", "<script", "onerror", "onbegin", "<form", "<meta", "<base", "javascript", "position", "<style"


def test_nothing_of_a_section_runs_loads_or_leads_elsewhere(received, tmp_path):
    for attack in ATTACKS:
        clean = sanitised(attack)
        assert not [part for part in HARM if part in clean.lower()], (attack, clean)
    (received / "sections.json").write_text(json.dumps([["<b>Title</b>", "<p>kept</p>" + "".join(ATTACKS)]]))
    page = write_report(received).read_text("utf-8")
    assert "<p>kept</p>" in page and "&lt;b&gt;Title&lt;/b&gt;" in page and "evil" not in page
    assert "base-uri 'none'; form-action 'none'" in page and "<script" not in page


def test_sections_of_recipes_keep_what_they_show():
    kept = (
        '<ol class="mistakes"><li dir="auto"><p>a &lt; b <mark style="background:hsl(210 80% 50% / .22);color:inherit">'
        'Rome <small>LOC</small></mark></p><figure class="scroll" tabindex="0" aria-label="Frames">'
        '<img src="data:image/png;base64,AAAA" alt="8 frames" width="9" height="96" style="image-rendering:pixelated">'
        '</figure><audio controls="" preload="none" src="data:audio/wav;base64,UklGRg=="></audio>'
        '<svg role="img" aria-label="x" viewbox="0 0 9 9" style="width:9px;min-width:7px"><defs><clippath id="a-p1">'
        '<rect x="1" y="2" width="3" height="4"></rect></clippath></defs><g clip-path="url(#a-p1)">'
        '<path d="M 0 1 L 2 3" style="fill:none;stroke:var(--ink);stroke-width:0.8"></path>'
        '<use xlink:href="#a-m1" x="1" y="2" style="stroke:var(--muted)"></use></g></svg></li></ol>'
    )
    assert sanitised(kept) == kept


def test_control_characters_of_names_and_labels_do_not_reach_the_terminal(capsys, tmp_path, small_run):
    name = "a\x1b]2J\x9b31m\u202e.csv"
    assert refused(capsys, "train", "sentiment", "--data", tmp_path / name).startswith(
        f"seqtasks: {tmp_path}/a\\x1b]2J\\x9b31m\\u202e.csv: no such file"
    )
    (tmp_path / "test.csv").write_text("text,label\na fine film,good\nodd,c\x1b[2J\nodder,d\x9bm\n")
    assert main(["evaluate", str(small_run.directory), "--data", str(tmp_path / "test.csv")]) == 0
    captured = capsys.readouterr()
    assert "that the run lacks" in captured.err
    assert not {c for c in captured.out + captured.err if ord(c) < 32 or 127 <= ord(c) < 160} - {"\n"}


def test_a_link_at_the_temporary_name_is_not_followed(tmp_path, monkeypatch):
    (tmp_path / "precious").write_text("years of work")
    monkeypatch.setattr("secrets.token_hex", lambda _: "known")
    (tmp_path / ".seqtasks-known.txt").symlink_to(tmp_path / "precious")
    with pytest.raises(UserError, match="cannot be written"), replacing(tmp_path / "a.txt") as temporary:
        temporary.write_text("gone")
    assert (tmp_path / "precious").read_text() == "years of work"


@pytest.mark.parametrize("name", ["../..", "../../etc", "/etc", "a/../../b", "~/x", "a b", "gs://x/y", ""])
def test_the_name_of_a_data_set_is_no_path(name):
    pytest.importorskip("tensorflow_datasets")
    with pytest.raises(UserError, match="not the name of a data set"):
        tfds.split_names(name)
    for right in ("imdb_reviews", "imdb_reviews/plain_text:1.0.0", "huggingface:ns__name/config-1", "mnist:3.*.*"):
        assert tfds.NAME.fullmatch(right)


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join([f'*{chr(97 + i)}'] * 9)}]\n" for i in range(9)
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (BOMB, r"c.yaml:2: not plain YAML \(an alias\); write one `name: value` per line"),
        ("units: " + "[" * 5000, "c.yaml:1: not YAML"),
        ("units: 2001-99-99", "c.yaml:1: not YAML"),
        ("a: " + "x" * 2**20, "c.yaml: too long for a file of options"),
        ("1: 2", "c.yaml: not a mapping"),
        (b"units: 3 # \xff", r"c.yaml: not UTF-8 \(byte 0xff at offset 11\)"),
    ],
)
def test_a_file_of_options_is_read_in_bounds(text, expected, tmp_path):
    (tmp_path / "c.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError, match=expected):
        read_yaml(tmp_path / "c.yaml")


@pytest.mark.parametrize("suffix", ["gz", "bz2", "xz"])
def test_a_small_file_does_not_expand_without_end(suffix, tmp_path, monkeypatch):
    import importlib

    monkeypatch.setattr("seqtasks.data.text_files.MOST", 2**20)
    module = importlib.import_module({"gz": "gzip", "bz2": "bz2", "xz": "lzma"}[suffix])
    path = tmp_path / f"a.csv.{suffix}"
    with module.open(path, "wb") as file:
        file.write(b"text,label\n" + b"a" * 2**22)
    with pytest.raises(EOFError, match="expands to more than 100 times its size; decompress"), open_bytes(path) as file:
        file.read()
    with pytest.raises(UserError, match=r"it expands to more than 100 times its size; decompress it first if that is"):
        seqtasks.train("sentiment", data=path, run=tmp_path / "run")
    with module.open(path, "wb") as file:
        file.write(os.urandom(2**20) * 3)
    with open_bytes(path) as file:
        assert len(file.read()) == 3 * 2**20
