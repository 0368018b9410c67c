"""The house keeps its walls: which room may import which, how long a file may be, what every public class says."""

import ast
import importlib
import inspect
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted([*ROOT.glob("seqtasks/**/*.py"), *ROOT.glob("recipes/*.py")])
BASE = {"errors"}
DATA = BASE | {"data"}
ALLOWED = {
    "cells": BASE | {"cells"},
    "layers": BASE | {"cells", "layers"},
    "models": BASE | {"cells", "layers", "models"},
    "data": DATA,
    "losses": BASE,
    "metrics": BASE,
    "optimizers": BASE,
    "distribute": BASE,
    "errors": set(),
}


def module_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path, top_only=False):
    """Modules of this project that a file imports."""
    tree = ast.parse(path.read_text("utf-8"))
    found = set()
    for node in tree.body if top_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return {name for name in found if name.split(".")[0] in ("seqtasks", "recipes")}


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_imports_point_one_way(path):
    module = module_of(path).split(".")
    for name in imports_of(path):
        parts = name.split(".")
        if module[0] == "recipes":
            assert parts[:2] != ["seqtasks", "recipes"] and parts[0] != "recipes", f"{path} imports {name}"
            continue
        assert parts[:2] != ["seqtasks", "recipes"] and parts[0] != "recipes", f"{path} imports {name}"
        room = module[1] if len(module) > 1 else ""
        if room in ALLOWED and len(parts) > 1:
            assert parts[1] in ALLOWED[room], f"{path} imports {name}"


def test_no_import_cycle():
    known = {module_of(path): path for path in FILES}
    graph = {
        name: {i for i in imports_of(path, top_only=True) if i in known and i != name} for name, path in known.items()
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
    classes = [c for c in vars(module).values() if inspect.isclass(c) and c.__name__ != "RNNCell"]
    assert classes
    for cls in classes:
        assert "Example:\n        >>>" in cls.__doc__, cls
        assert "Args:" in cls.__doc__, cls


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
        for word in ("/wo" + "rk/", "/fa" + "rm/", "/tmp" + "/venv"):
            assert word not in text, f"{name} holds {word}"
