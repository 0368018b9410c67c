"""The documentation: its commands parse, its examples run, its generated parts are current."""

import functools
import importlib.util
import io
import re
import shlex
from pathlib import Path

import pytest
import yaml
from sybil import Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser, SkipParser

from seqtasks.cli.main import help_text, main
from seqtasks.engine.run import Run
from seqtasks.engine.training import train
from seqtasks.options import describe
from seqtasks.recipe import list_recipes, load_recipe
from tests import docs_data

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = {str(p.relative_to(ROOT)): p for p in [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]}
OWN = ("keywords",)  # commands of recipes in the documentation
SHORT = ("--epochs", "1", "--time_limit", "5", "--gradient_flow", "false")
SMALL = tuple(shlex.split("--units 8 --bidirectional false --r_drop 0 --ngram_buckets 999"))  # less to trace
WORDS = (*SMALL[:-2], "--ngrams", "0", "--affixes", "0")  # the same for pages that tell of no other features
DATA = {  # what the examples of a page need besides reviews
    "docs/recipes/ner.md": docs_data.ner,
    "docs/recipes/dna.md": docs_data.dna,
    "docs/recipes/translation.md": docs_data.translation,
    "docs/recipes/language_model.md": docs_data.language,
    "docs/recipes/music.md": docs_data.music,
    "docs/recipes/video.md": docs_data.video,
    "docs/recipes/speech.md": docs_data.speech,
    "docs/guides/export.md": docs_data.language,
    "docs/guides/targets.md": docs_data.targets,
    "docs/guides/pairs-and-columns.md": docs_data.pairs,
    "docs/guides/generating.md": docs_data.language,
    "docs/guides/pretraining.md": docs_data.pretraining,
    "docs/guides/scanning-genomes.md": docs_data.dna,
    "docs/guides/streaming-speech.md": docs_data.speech,
    "docs/guides/word-vectors.md": docs_data.vectors,
    "docs/concepts/language-models.md": docs_data.language,
    "docs/migrate/from-opennmt-tf.md": docs_data.translation,
}
FILE = re.compile(r"```python\n# (\w+\.py)\n(.*?)```", re.S)  # a block that is a file
REVIEWS = "seqtasks train sentiment --data reviews.csv --run runs/reviews"
LANGUAGE = "seqtasks train language_model --data book.txt --run runs/lm --units 8 --layers 1"
BEFORE = {  # runs that a page takes for granted
    "docs/start/own-data.md": [],
    "docs/guides/finetuning.md": [REVIEWS],
    "docs/guides/rates-of-layers.md": [REVIEWS],
    "docs/guides/export.md": [REVIEWS, LANGUAGE],
    "docs/guides/generating.md": [LANGUAGE],
    "docs/guides/scanning-genomes.md": ["seqtasks train dna --data promoters/ --run runs/promoters"],
    "docs/recipes/speech.md": [LANGUAGE],
}
FAST = ("README.md", "concepts", "writing-a", "layers-in-keras", "from-tensorflow-addons")
LONG = ("concepts/language-models", "concepts/run-directory")


def fast(name):
    return any(part in name for part in FAST) and not any(part in name for part in LONG)


def pages(chosen):
    """Pages with the marker `slow` where their examples train for long."""
    return [pytest.param(name, id=name, marks=[] if fast(name) else pytest.mark.slow) for name in chosen]


def commands(line):
    """The `seqtasks` commands in a line of a shell, as lists of words."""
    words, found = shlex.split(line, comments=True), [[]]
    for word in words:
        if word in ("|", "&&", ";"):
            found.append([])
        else:
            found[-1].append(word)
    found = [words[: words.index(">")] if ">" in words else words for words in found]
    return [words[1:] for words in found if words[:1] == ["seqtasks"]]


def all_commands(page):
    """Commands in the shell blocks of a page, and in its text."""
    text = page.read_text("utf-8")
    lines = [line for block in re.findall(r"```sh\n(.*?)```", text, re.S) for line in block.splitlines()]
    return [words for line in [*lines, *re.findall(r"`(seqtasks [^`\n]+)`", text)] for words in commands(line)]


@functools.cache
def options_of(command, name=None):
    """The options that a command takes for a run of any recipe, or for runs of the one with this name."""
    if name is None:
        return {"help", "input", "output"} | set(re.findall(r"--(\w+)", help_text(command)))
    if command in ("train", "finetune"):
        return set(re.findall(r"--(\w+)", help_text(command, name)))
    recipe = load_recipe(name)
    known = {
        option.name for brought in recipe.commands() if brought.name == command for option in describe(brought.Options)
    }
    if command in ("predict", "evaluate", "export"):
        known |= {option.name for option in describe(recipe.Config) if option.changeable}
    return known


@pytest.mark.parametrize("name", PAGES)
def test_commands_exist_and_take_their_options(name):
    recipes, runs = list_recipes(), {}
    listed = help_text()
    for words in all_commands(PAGES[name]):
        if words[0].startswith("--") or words[0] in ("RECIPE", "COMMAND"):
            continue
        if words[0] in OWN:
            continue
        assert re.search(rf"\bseqtasks {words[0]}\b", listed), words
        subject = words[1] if len(words) > 1 else ""
        of = [subject] if subject in recipes else [runs[subject]] if subject in runs else list(recipes)
        given = [word[2:].split("=")[0].replace("-", "_") for word in words[1:] if word.startswith("--")]
        assert set(given) <= options_of(words[0]).union(*(options_of(words[0], name) for name in of)), words
        if "--run" in words and len(of) == 1:
            runs[words[words.index("--run") + 1]] = of[0]


class Shell:
    """Runs the `seqtasks` commands of shell blocks in this process; trainings are cut short and write no report."""

    def __init__(self, patch, small):
        self.patch, self.small, self.missing = patch, small, set()

    def __call__(self, example):
        for line in example.parsed.splitlines():
            for words in commands(line):
                self.run(words, stream="|" in line)

    def run(self, words, stream=False):
        run = words[words.index("--run") + 1] if "--run" in words else None
        needs_network = any(word.startswith(("tfds:", "mobilenet")) for word in words)
        if needs_network or self.missing & set(words):
            self.missing.add(run)
            return
        if words[0] in ("train", "finetune") and "--help" not in words:
            short = SHORT + self.small * (words[:2] == ["train", "sentiment"])
            for option, value in zip(short[::2], short[1::2], strict=True):
                words = words if option in words else [*words, option, value]
            if "--folds" in words:
                words[words.index("--folds") + 1] = "2"
        if stream:
            self.patch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(docs_data.samples_of_a_stream())))
        try:
            with self.patch.context() as patch:
                if words[0] in ("train", "finetune"):
                    patch.setattr(Run, "report", lambda run: None)
                status = main(words)
        except SystemExit as error:
            status = error.code
        assert not status, words

    def train(self, recipe, *arguments, **fields):
        """`seqtasks.train` of Python blocks: what an example does not say itself is short and small."""
        given = SHORT + self.small * (recipe == "sentiment")
        options = {name[2:]: yaml.safe_load(value) for name, value in zip(given[::2], given[1::2], strict=True)}
        return train(recipe, *arguments, **options | fields)


def parsers(shell):
    return [PythonCodeBlockParser(), CodeBlockParser("sh", shell), SkipParser()]


RUNNABLE = [name for name, page in PAGES.items() if re.search(r"```(python|sh)\n", page.read_text("utf-8"))]


@pytest.mark.parametrize("name", pages(RUNNABLE))
def test_examples_run(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    docs_data.texts(tmp_path)
    DATA.get(name, lambda folder: None)(tmp_path)
    for file, source in FILE.findall(PAGES[name].read_text("utf-8")):
        (tmp_path / file).write_text(source, "utf-8")
    shell = Shell(monkeypatch, WORDS if fast(name) else SMALL)
    monkeypatch.setattr("seqtasks.train", shell.train)
    for line in BEFORE.get(name, []):
        shell.run(commands(line)[0])
    for example in Sybil(parsers=parsers(shell), path=str(PAGES[name].parent)).parse(PAGES[name]).examples():
        example.evaluate()


def test_generated_parts_are_current():
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    generate = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate)
    for page in generate.pages():
        text = page.read_text("utf-8")
        assert generate.fill(text, page) == text, f"{page}: run python docs/generate.py"


def test_readme_is_short():
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 250
