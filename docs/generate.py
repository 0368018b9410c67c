"""Writes the generated parts of the documentation and of the README.

    python docs/generate.py             # write them
    python docs/generate.py --check     # exit status 1 where a page is not current

A generated part is between `<!-- generate: NAME ARGUMENT -->` and `<!-- end -->`; the names are the keys of `PARTS`.
"""

import argparse
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["COLUMNS"] = "100"

import extra_tables  # noqa: E402
import result_tables  # noqa: E402
from extra_tables import table  # noqa: E402
from result_rows import load  # noqa: E402

PART = re.compile(r"(<!-- generate: (.+?) -->\n).*?(<!-- end -->)", re.S)
EXAMPLES = (50, 500, 2_000, 7_000, 25_000, 250_000)  # for which lengths of a training are listed
GROUPS = ("data", "model", "training", "answering")


def pages() -> list[Path]:
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def options_of(config: type) -> list[Any]:
    """The options of a recipe: objects with name, type, default, limits, help, group and changeable."""
    from seqtasks.options import describe

    return list(describe(config))


def help_of(command: str) -> str:
    from seqtasks.cli.main import help_text

    return help_text(command)


def options(name: str, page: Path) -> str:
    from seqtasks.options import Options
    from seqtasks.recipe import load_recipe

    config = Options if name == "shared" else load_recipe(name).Config
    described = options_of(config)
    shared = {option.name: str(option.default) for option in options_of(Options)}
    if name != "shared":  # those that every recipe has, with the same default, are listed once
        described = [option for option in described if shared.get(option.name) != str(option.default)]
    groups = dict.fromkeys([*GROUPS, *(option.group for option in described)])
    parts = []
    for group in groups:
        rows = [_option_row(option) for option in described if option.group == group]
        if rows:
            parts.append(f"**{group.capitalize()}**\n\n{table(['option', 'type', 'default', 'what it does'], rows)}")
    return "\n\n".join(parts)


def _option_row(option: Any) -> list[str]:
    kind = f"{option.type}, {option.limits}" if option.limits else option.type
    text = f"{option.help}{' *' if option.changeable else ''}"
    default = _default(option.default)
    return [f"`--{option.name}`", kind.replace("|", "\\|"), f"`{default}`" if default else "", text.replace("|", "\\|")]


def _default(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(str, value)) + "]"
    return str(value)


def cli(command: str, page: Path) -> str:
    return f"```text\n{help_of(command).strip()}\n```"


def results(name: str, page: Path) -> str:
    """The table of a recipe's results, where and when they were measured, and the targets that were missed."""
    rows = result_tables.RECIPES[name]()
    files = {row.file: load(row.file) for row in rows}
    lines = []
    for row in rows:
        found = files[row.file]
        seeds = ", ".join(map(str, found.get("seeds", [found["seed"]] if "seed" in found else [])))
        target = f"{row.target}: {'met' if row.met else '**missed**'}" if row.target else ""
        command = row.command or found["command"]
        how = [f"`{command}`", *([f"seeds {seeds}"] if seeds else []), *([row.time] if row.time else [])]
        lines.append([row.title, row.metric, row.figure, target, row.compared, "; ".join(how)])
    head = ["data", "metric", "result", "target", "compared with", "command; seeds; time"]
    missed = [f"{row.title} ({row.metric})" for row in rows if row.met is False]
    text = _linked(table(head, lines), page)
    dates = sorted({found["date"] for found in files.values()})
    machine = ", ".join(sorted({found["hardware"] for found in files.values()}))
    packages = next(iter(files.values()))["packages"]
    when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    text += f"\n\nHardware: {machine}, no GPU; {when}, TensorFlow {packages['tensorflow']}, Keras {packages['keras']}. "
    text += "Mean ± standard deviation over seeds."
    text += f"\n\nTargets that were missed: {'; '.join(missed)}." if missed else "\n\nNo target was missed."
    return text


def summary(_: str, page: Path) -> str:
    """One row for each recipe: its first result, shortened."""
    lines = []
    for name, rows in result_tables.RECIPES.items():
        row = rows()[0]
        figure, peer = row.short or row.figure.split(";")[0], row.compared.split(";")[0].split(" (differences")[0]
        result = figure if row.met is not False else f"{figure} (target missed)"
        lines.append([f"`{name}`", re.split(r", | \(", row.title)[0], row.metric.split(";")[0], result, peer])
    return _linked(table(["recipe", "data", "metric", "result", "compared with"], lines), page)


def missed(_: str, page: Path) -> str:
    """All targets that were missed."""
    lines = []
    for name, rows in result_tables.RECIPES.items():
        lines += [
            f"- `{name}`: {row.title}: {row.metric} {row.figure}, target {row.target}"
            for row in rows()
            if row.met is False
        ]
    return "\n".join(lines)


def extra(name: str, page: Path) -> str:
    return extra_tables.TABLES[name]()


def changelog(_: str, page: Path) -> str:
    return (ROOT / "CHANGELOG.md").read_text("utf-8").split("\n", 1)[1].strip()


def recipes(_: str, page: Path) -> str:
    from seqtasks.recipe import load_recipe

    folder = "docs/recipes/" if page.parent == ROOT else ("../recipes/" if page.parent.name != "recipes" else "")
    if page == ROOT / "docs" / "index.md":
        folder = "recipes/"
    rows = []
    for name in result_tables.RECIPES:
        recipe = load_recipe(name)
        rows.append([f"[`{name}`]({folder}{name}.md)", recipe.summary, recipe.rnn_type, ", ".join(recipe.formats)])
    return table(["recipe", "what it answers", "RNN type", "formats"], rows)


def budgets(_: str, page: Path) -> str:
    """What the length of a training depends on, for each recipe."""
    from seqtasks.recipe import load_recipe

    rows = []
    for name in result_tables.RECIPES:
        recipe = load_recipe(name)
        budget = recipe.budget(recipe.Config())
        bounds = [f"{low} to {high}" if low < high else str(low) for low, high in (budget.epochs, budget.batch_size)]
        rows.append([f"`{name}`", f"{budget.steps:,}", *bounds, str(budget.patience)])
    return table(["recipe", "steps of small data", "epochs", "batch size", "patience, at least"], rows)


def lengths(name: str, page: Path) -> str:
    """The numbers that a recipe has for data of several sizes."""
    from seqtasks.budget import with_batch_size, with_length
    from seqtasks.recipe import load_recipe

    recipe, rows = load_recipe(name), []
    for examples in EXAMPLES:
        budget = recipe.budget(recipe.Config())
        config = with_batch_size(recipe.Config(), budget, examples)
        steps = -(-examples // config.batch_size)
        config = with_length(config, budget, steps, examples, examples // 8)
        numbers = config.batch_size, config.epochs, config.epochs * steps, -(-config.epochs // config.evaluate_every)
        rows.append([f"{n:,}" for n in (examples, *numbers, config.patience)] + [f"{config.warmup:.0%}"])
    head = ["examples", "batch size", "epochs", "steps", "evaluations", "patience", "warm-up"]
    return table(head, [[cell.replace("%", " %") for cell in row] for row in rows])


def conformance(_: str, page: Path) -> str:
    from tests.layers.keras_table import markdown

    return markdown()


def _linked(text: str, page: Path) -> str:
    return text.replace("RESULTS/", os.path.relpath(ROOT / "docs" / "results", page.parent) + "/").replace("(./", "(")


PARTS: dict[str, Callable[[str, Path], str]] = {
    f.__name__: f
    for f in (options, cli, results, summary, missed, extra, changelog, recipes, budgets, lengths, conformance)
}


def fill(text: str, page: Path) -> str:
    def one(match: re.Match[str]) -> str:
        name, _, argument = match[2].partition(" ")
        return f"{match[1]}\n{PARTS[name](argument, page)}\n\n{match[3]}"

    return PART.sub(one, text)


def main() -> int:
    parser = argparse.ArgumentParser(description="Write the generated parts of the documentation.")
    parser.add_argument("--check", action="store_true", help="write nothing; report the pages that are not current")
    given = parser.parse_args()
    old = []
    for page in pages():
        text = page.read_text("utf-8")
        new = fill(text, page)
        if new != text:
            old.append(str(page.relative_to(ROOT)))
            if not given.check:
                page.write_text(new, "utf-8")
    verb = "not current" if given.check else "written"
    print("\n".join(f"{verb}: {name}" for name in old) or "all pages are current")
    return int(given.check and bool(old))


if __name__ == "__main__":
    sys.exit(main())
