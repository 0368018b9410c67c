"""The house keeps its walls: which room may import which, how long a file may be, what every public class says."""

import ast
import dataclasses
import importlib
import inspect
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted([*ROOT.glob("seqtasks/**/*.py"), *ROOT.glob("recipes/*.py")])
DOMAINS = ("ner", "translation", "language", "speech", "video", "dna", "music")
SHARED = {
    "atomic_files", "capabilities", "data", "decoding", "errors", "layers", "metrics", "models", "ops", "options",
    "report", "tasks", "text",
}  # fmt: skip
ALLOWED = {  # what each module or package may import of the project; one that is not listed fails
    "errors": set(),
    "registry": {"errors"},
    "atomic_files": {"errors"},
    "yaml_files": {"errors"},
    "cells": {"cells"},
    "ops": {"ops", "errors"},
    "layers": {"cells", "ops", "layers"},
    "models": {"cells", "ops", "layers", "models"},
    "losses": {"ops", "errors"},
    "crf_metrics": {"ops", "errors"},
    "metrics": {"errors"},
    "optimizers": {"errors"},
    "options": {"errors"},
    "budget": set(),
    "decoding": {"decoding", "errors", "options"},
    "data": {"data", "errors"},
    "report": {"report", "errors", "atomic_files", "yaml_files"},
    "tasks": {"tasks", "ops", "data", "errors", "layers", "metrics"},
    "text": {"text", "data", "decoding", "errors", "models", "options"},
    "capabilities": {"atomic_files", "decoding", "errors", "options"},
    "portable": {"capabilities", "portable"},
    "recipe": {"budget", "capabilities", "data", "errors", "options", "tasks"},
    **{domain: {domain, *SHARED} for domain in DOMAINS},
    "engine": {
        "atomic_files", "budget", "capabilities", "data", "engine", "errors", "layers", "metrics", "models",
        "optimizers", "options", "portable", "recipe", "report", "tasks", "text", "yaml_files",
    },
    "sklearn": {"data", "engine", "errors", "options", "recipe", "tasks"},
    "cli": {
        "atomic_files", "capabilities", "cli", "engine", "errors", "options", "recipe", "report", "yaml_files", "",
    },
    "__main__": {"cli"},
}  # fmt: skip


def module_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(source, top_only=False):
    """Modules of this project that a source imports; a relative import is named as it stands, with its dots."""
    tree = ast.parse(source)
    found = set()
    for node in tree.body if top_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            found |= {f"{base}.{alias.name}" for alias in node.names} | {base} - {"seqtasks"}
    return {name for name in found if name.split(".")[0] in ("seqtasks", "recipes", "")}


def wrong_arrows(module, source):
    """The imports of a module that point the wrong way; recipes included, which nothing imports, not even a recipe."""
    if module == "seqtasks":  # the package lists its modules
        return {name for name in imports_of(source) if "recipes" in name.split(".")}
    room = [*module.split("."), ""][1] if module.startswith("seqtasks") else None
    wrong = set()
    for name in imports_of(source):
        package, inside = [*name.split("."), ""][:2]
        recipe = package == "recipes" or inside == "recipes"
        if package == "" or recipe or (room is not None and inside not in ALLOWED[room]):
            wrong.add(name)
    return wrong


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_imports_point_one_way(path):
    assert not wrong_arrows(module_of(path), path.read_text("utf-8"))


@pytest.mark.parametrize(
    ("module", "source", "wrong"),
    [
        ("seqtasks.cells.gru", "from seqtasks.cells.cell import RNNCell", False),
        ("seqtasks.cells.gru", "import seqtasks.layers.rnn", True),
        ("seqtasks.cells.gru", "from seqtasks import layers", True),
        ("seqtasks.cells.gru", "from seqtasks.errors import UserError", True),
        ("seqtasks.cells", "def lazy():\n    import seqtasks.models", True),
        ("seqtasks.layers.rnn", "from seqtasks import cells", False),
        ("seqtasks.layers.rnn", "from seqtasks.models.classifier import classifier", True),
        ("seqtasks.layers.rnn", "from ..models import classifier", True),
        ("seqtasks.data.splits", "from seqtasks.data import sources", False),
        ("seqtasks.data.splits", "from seqtasks.engine import loop", True),
        ("seqtasks.metrics", "from seqtasks.recipe import Recipe", True),
        ("seqtasks.engine.run", "from seqtasks.models import classifier", False),
        ("seqtasks.engine.run", "from seqtasks.dna import bed", True),
        ("seqtasks.engine.run", "from seqtasks.cli import main", True),
        ("seqtasks.cli.main", "from seqtasks.dna.bed import write_bed", True),
        ("seqtasks.speech.fusion", "from seqtasks.engine.run import load_run", True),
        ("seqtasks.speech.fusion", "from seqtasks.language import files", True),
        ("seqtasks.decoding.scoring", "from seqtasks.models import LanguageModelStepper", True),
        ("seqtasks.engine.run", "from seqtasks.recipes.sentiment import RECIPE", True),
        ("seqtasks", "import recipes", True),
        ("recipes.ner", "from seqtasks.models import classifier", False),
        ("recipes.ner", "from seqtasks.recipes import sentiment", True),
        ("recipes.ner", "from recipes.sentiment import encode", True),
    ],
)
def test_a_wrong_arrow_is_found(module, source, wrong):
    assert bool(wrong_arrows(module, source)) == wrong


def test_no_import_cycle():
    known = {module_of(path): path for path in FILES}
    graph = {
        name: {i for i in imports_of(path.read_text("utf-8"), top_only=True) if i in known and i != name}
        for name, path in known.items()
    }
    done, under_way = set(), []

    def visit(name):
        assert name not in under_way, f"cycle: {' -> '.join([*under_way, name])}"
        if name not in done:
            under_way.append(name)
            for other in graph[name]:
                if not name.startswith(f"{other}."):  # a package is no reason of its own parts
                    visit(other)
            under_way.pop()
            done.add(name)

    for name in graph:
        visit(name)
    assert done == set(known)


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_no_file_needs_a_table_of_contents(path):
    assert len(path.read_text("utf-8").splitlines()) <= 400


def test_every_room_is_listed():
    rooms = {[*module_of(path).split("."), ""][1] for path in FILES if module_of(path).startswith("seqtasks.")}
    assert rooms == set(ALLOWED)


def names_in(source):
    """Strings that are no docstrings, and the options that are read from a `config`, of a source."""
    tree = ast.parse(source)
    bodies = [n for n in ast.walk(tree) if isinstance(n, ast.Module | ast.ClassDef | ast.FunctionDef)]
    docs = {id(n.body[0].value) for n in bodies if n.body and isinstance(n.body[0], ast.Expr)}
    strings, options = [], set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            strings.append(node.value)
        if isinstance(node, ast.Attribute):
            owner = node.value
            if getattr(owner, "id", getattr(owner, "attr", "")) == "config":
                options.add(node.attr)
    return strings, options | {flag for text in strings for flag in re.findall(r"--(\w+)", text)}


@pytest.mark.parametrize("path", [p for p in FILES if p.parent.name in ("cli", "engine", "report")], ids=module_of)
def test_shared_rooms_name_no_recipe_and_no_option_of_one(path):
    from seqtasks.capabilities import Command
    from seqtasks.cli.commands import RUN_COMMANDS
    from seqtasks.options import Options, describe
    from seqtasks.recipe import list_recipes, load_recipe
    from seqtasks.text.pretrained_options import PretrainedOptions

    recipes = {name: load_recipe(name) for name in list_recipes()}
    options = {o.name for recipe in recipes.values() for o in describe(recipe.Config)}
    options |= {o.name for recipe in recipes.values() for c in recipe.commands() for o in describe(c.Options)}
    shared = {o.name for command in RUN_COMMANDS.values() for o in describe(command.Options)} | {"input", "output"}
    assert isinstance(RUN_COMMANDS["predict"], Command) and "beam_width" in options and "window" in options
    shared |= {o.name for o in describe(PretrainedOptions)}
    strings, named = names_in(path.read_text("utf-8"))
    assert not named & (options - shared - {o.name for o in describe(Options)})
    plain = (text.replace("language model", "model") for text in strings)  # a kind of model, as a classifier is
    words = {word for text in plain for word in re.findall(r"\w+", text)}
    assert not words & {*recipes, *DOMAINS, "midi", "genome", "MIDI", "BED"}


PUBLIC = [
    "seqtasks", "seqtasks.cells", "seqtasks.layers", "seqtasks.models", "seqtasks.ops.crf", "seqtasks.ops.ctc",
    "seqtasks.losses", "seqtasks.crf_metrics", "seqtasks.metrics", "seqtasks.optimizers", "seqtasks.decoding",
    "seqtasks.tasks", "seqtasks.options", "seqtasks.recipe", "seqtasks.capabilities",
]  # fmt: skip


def public(module):
    """The classes and functions that a module or package defines or lists, with their names."""
    listed = getattr(module, "__all__", None)
    for name in listed or [n for n in vars(module) if not n.startswith("_")]:
        value = getattr(module, name)
        where = getattr(value, "__module__", "")
        own = where.startswith("seqtasks") if listed else where == module.__name__
        if own and (inspect.isclass(value) or inspect.isfunction(value)):
            yield name, value


def parameters(value):
    """The names of the parameters of a class or function, without those that are passed on."""
    found = inspect.signature(value).parameters.values() if "__init__" in dir(value) else ()
    return [p.name for p in found if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL) and p.name not in ("self", "name")]


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_are_documented(name):
    module = importlib.import_module(name)
    checked = 0
    for title, value in public(module):
        doc = inspect.getdoc(value) or ""
        summary = doc.split("\n")[0]
        assert summary.endswith((".", ":", ">", "`")) and len(summary) > 10, title
        fields = dataclasses.is_dataclass(value) or issubclass(value, tuple) if inspect.isclass(value) else False
        sections = ("Args:", "Attributes:", "Call arguments:", "Input shape:")
        if parameters(value) and not fields and "Protocol" not in str(getattr(value, "__mro__", "")):
            assert any(section in doc for section in (*sections, "as of `", ">>>")), title
        checked += 1
    assert checked


@pytest.mark.parametrize("room", ["cells", "layers"])
def test_every_public_class_shows_an_example(room):
    module = importlib.import_module(f"seqtasks.{room}")
    classes = [c for c in vars(module).values() if inspect.isclass(c)]
    assert classes
    for cls in classes:
        assert "Example:\n        >>>" in cls.__doc__, cls
        assert "Args:" in cls.__doc__ or "__init__" not in vars(cls), cls


@pytest.mark.parametrize("room", sorted(p.parent.name for p in ROOT.glob("seqtasks/*/__init__.py")))
def test_every_room_says_what_lives_in_it(room):
    text = (ROOT / "seqtasks" / room / "__init__.py").read_text("utf-8")
    assert len((ast.get_docstring(ast.parse(text)) or "").splitlines()) >= 5


def test_entry_points_name_recipes_that_exist():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    for name, target in project["entry-points"]["seqtasks.recipes"].items():
        module, value = target.split(":")
        assert getattr(importlib.import_module(module), value).name == name


def test_the_project_speaks_of_itself_alone():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    for name in listed.stdout.splitlines():
        text = (ROOT / name).read_text("utf-8", errors="replace")
        for word in ("/wo" + "rk/", "/fa" + "rm/", "/ho" + "me/", "/tmp" + "/venv"):
            assert word not in text, f"{name} holds {word}"


def test_the_cells_of_options_are_the_cells_there_are():
    from typing import get_args

    from seqtasks.cells import CELLS
    from seqtasks.options import Cell

    assert list(get_args(Cell)) == list(CELLS)


def test_the_counterparts_in_the_docs_exist():
    from seqtasks import cells

    table = (ROOT / "docs" / "migrate" / "from-tensorflow-addons.md").read_text("utf-8")
    rows = [line.split("|")[2] for line in table.splitlines() if line.startswith("| ") and "---" not in line][1:]
    named = {word for row in rows for word in re.findall(r"\b\w+Cell\b", row)}
    assert len(named) >= 7
    assert named <= {cell.__name__ for cell in cells.CELLS.values()}
