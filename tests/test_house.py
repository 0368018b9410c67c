"""The house keeps its walls: which room may import which, how long a file may be, what every public class says."""

import ast
import importlib
import inspect
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted([*ROOT.glob("seqtasks/**/*.py"), *ROOT.glob("recipes/*.py")])
LIBRARY = {"errors", "lazy_loader"}
DOMAINS = ("ner", "translation", "language", "speech", "video", "dna", "music")
SHARED = {"atomic_files", "data", "text", "tasks", "report", "metrics", "ops", "decoding", "layers", "models", "errors", "capabilities", "options"}
ALLOWED = {  # what each module or package at the top may import of the project; all are listed
    "errors": set(),
    "atomic_files": {"errors"},
    "cells": {"cells"},
    "ops": {"ops", "errors"},
    "layers": {"cells", "ops", "layers"},
    "models": {"cells", "ops", "layers", "models"},
    "losses": {"ops", "errors"},
    "metrics": {"errors"},
    "optimizers": {"errors"},
    "decoding": {"decoding", "errors", "options"},
    "data": {"data", "errors"},
    "report": {"report", "errors", "atomic_files"},
    "tasks": {"tasks", "ops", "data", "errors", "layers", "metrics"},
    "text": {"text", "data", "errors", "decoding", "models", "tasks"},
    "options": {"errors"},
    "capabilities": {"errors", "options", "decoding"},
    "recipe": {"errors", "options", "capabilities", "data"},
    **{domain: {domain, *SHARED} for domain in DOMAINS},
    "engine": {
        "engine", "atomic_files", "capabilities", "data", "errors", "layers", "losses", "metrics", "models", "optimizers",
        "options", "recipe", "report", "tasks", "text",
    },
    "cli": {"cli", "atomic_files", "capabilities", "decoding", "engine", "errors", "options", "recipe"},
    "": set(),
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
    room = [*module.split("."), ""][1] if module.startswith("seqtasks") else None
    allowed = ALLOWED.get(room)
    wrong = set()
    for name in imports_of(source):
        package, inside = [*name.split("."), ""][:2]
        recipe = package == "recipes" or inside == "recipes"
        if package == "" or recipe or (allowed is not None and inside not in allowed):
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


@pytest.mark.parametrize("room", ["cells", "layers"])
def test_every_public_class_shows_an_example(room):
    module = importlib.import_module(f"seqtasks.{room}")
    classes = [c for c in vars(module).values() if inspect.isclass(c)]
    assert classes
    for cls in classes:
        assert "Example:\n        >>>" in cls.__doc__, cls
        assert "Args:" in cls.__doc__ or "__init__" not in vars(cls), cls


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
