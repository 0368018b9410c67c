"""Runs side by side, as a table for the terminal and as a page."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
from markupsafe import Markup
from rich.table import Table

from seqtasks.atomic_files import replacing
from seqtasks.report import charts
from seqtasks.report.formatting import interval, known, number, shorten, words
from seqtasks.report.page import CONTROLS, template

SURE = 0.05  # p-value below which a difference is told apart from chance


def rows(compared: Mapping[str, Any]) -> list[list[str]]:
    """The table of a comparison, its head first: a row for each run, then one for each option that differs.

    Args:
        compared: what `seqtasks.engine.comparison.compare` returns.

    Example:
        >>> runs = [{"run": "a", "f1": 0.5, "f1_interval": [0.4, 0.6]}, {"run": "b", "f1": 0.7}]
        >>> told = {"run": "b", "difference": 0.2, "difference_interval": [0.1, 0.3], "p_value": 0.002}
        >>> for row in rows({"metric": "f1", "runs": runs, "differences": [told], "options": {"units": [8, 16]}}):
        ...     print(row)
        ['run', 'F1 (95% interval)', 'difference to a', 'p', 'units']
        ['a', '0.500 (0.400 to 0.600)', '', '', '8']
        ['b', '0.700', '+0.200 (+0.100 to +0.300)', '0.002', '16']
    """
    metric, runs, options = compared["metric"], compared["runs"], compared["options"]
    others = [n for n in dict.fromkeys(n for run in runs for n in run) if n != metric and known(runs[0].get(n))]
    others = [name for name in others if name != "seconds"]
    head = ["run", f"{words(metric)} (95% interval)", f"difference to {runs[0]['run']}", "p"]
    table = [[*head, *map(words, others), *options]]
    differences = {each["run"]: each for each in compared["differences"]}
    for place, run in enumerate(runs):
        told = differences.get(run["run"], {})
        compared_with = [_told(told, "difference", True), number(told["p_value"])] if told else ["", ""]
        values = [_option(column[place]) for column in options.values()]
        table.append([run["run"], _told(run, metric), *compared_with, *(number(run.get(n)) for n in others), *values])
    return table


def _told(values: Mapping[str, Any], name: str, sign: bool = False) -> str:
    bounds = interval(values, name)
    between = f" ({number(bounds[0], sign)} to {number(bounds[1], sign)})" if bounds else ""
    return number(values.get(name), sign) + between


def _option(value: Any) -> str:
    return (
        "null" if value is None else shorten(",".join(map(str, value)) if isinstance(value, list) else str(value), 40)
    )


def sentences(compared: Mapping[str, Any]) -> list[str]:
    """What each difference means, a sentence each.

    Args:
        compared: as of `rows`.

    Example:
        >>> told = {"run": "b", "against": "a", "difference": -0.1, "p_value": 0.4}
        >>> sentences({"metric": "wer", "lower_is_better": True, "differences": [told]})
        ['b is not told apart from a: the difference in WER may be due to chance.']
    """
    found, sign = [], -1 if compared["lower_is_better"] else 1
    for each in compared["differences"]:
        name, against = each["run"], each["against"]
        if not known(each["difference"]) or not known(each["p_value"]) or each["p_value"] >= SURE:
            why = f"the difference in {words(compared['metric'])} may be due to chance"
            found.append(f"{name} is not told apart from {against}: {why}.")
        else:
            found.append(f"{name} is {'better' if sign * each['difference'] > 0 else 'worse'} than {against}.")
    return found


def table(compared: Mapping[str, Any]) -> Table:
    """The table for a terminal: the runs are its columns, since options can be many.

    Args:
        compared: as of `rows`.
    """
    head, *body = rows(compared)
    found = Table(caption="\n".join(sentences(compared)), caption_justify="left")
    found.add_column(head[0])
    for row in body:
        found.add_column(row[0], justify="right")
    for place, name in enumerate(head[1:], 1):
        found.add_row(name, *(row[place] for row in body))
    return found


def write_page(compared: Mapping[str, Any], path: Path) -> None:
    """Write the comparison as a page that loads nothing and runs no scripts.

    Args:
        compared: as of `rows`.
        path: the file.
    """
    head, *body = rows(compared)
    with matplotlib.rc_context(charts.STYLE):
        chart = charts.systems(compared["metric"], {run["run"]: run for run in compared["runs"]})
    columns = [[name, *(row[place] for row in body)] for place, name in enumerate(head) if place]
    given = {"names": [row[0] for row in body], "rows": columns, "sentences": sentences(compared)}
    page = template("comparison.html.jinja").render(**given, chart=chart or Markup(""), test=compared["test"])
    with replacing(path) as temporary:
        temporary.write_bytes(page.translate(CONTROLS).encode("utf-8", "replace"))
