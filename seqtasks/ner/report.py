"""The report section of named-entity recognition: texts with marked entities."""

import html
from collections.abc import Sequence
from typing import Any

from seqtasks.data.sources import Example
from seqtasks.report.formatting import EXAMPLES_SHOWN

HUES = (210, 30, 130, 280, 0, 175, 330, 60)  # of the types, in their order


def entities(predictor: Any, examples: Sequence[Example]) -> list[tuple[str, str]]:
    """The section of the report with the predicted entities of some texts, and the true ones where they differ.

    Args:
        predictor: the trained model of a `SpanTagging` task.
        examples: the examples; the first are shown.

    Returns:
        `[(title, HTML)]`.
    """
    types, examples = predictor.assets["labels"].tokens, examples[:EXAMPLES_SHOWN]
    items = []
    for example, answer in zip(examples, predictor.answers(e.input for e in examples), strict=True):
        text, truth = predictor.task.annotated(predictor.assets, predictor.encode([example.input]), example.target)
        found = [(e["start"], e["end"], e["type"]) for e in answer["entities"]]
        line = f"<p>{marked(text, found, types)}</p>"
        if found != truth:
            line += f"<p><small>true</small> {marked(text, truth, types)}</p>"
        items.append(f'<li dir="auto">{line}</li>')
    return [("Entities", f'<ol class="mistakes">{"".join(items)}</ol>')]


def marked(text: str, spans: Sequence[tuple[int, int, str]], types: Sequence[str]) -> str:
    """HTML of a text with typed spans marked.

    Args:
        text: the text; it is escaped.
        spans: list of (start, end, type), in order.
        types: all types; the index of a type determines its colour.

    Example:
        >>> print(marked("I <3 Rome", [(5, 9, "LOC")], ["LOC"]))
        I &lt;3 <mark style="background:hsl(210 80% 50% / .22);color:inherit">Rome <small>LOC</small></mark>
    """
    pieces, place = [], 0
    for start, end, kind in spans:
        style = f"background:hsl({HUES[types.index(kind) % len(HUES)]} 80% 50% / .22);color:inherit"
        inside = f"{html.escape(text[start:end])} <small>{html.escape(kind)}</small>"
        pieces += [html.escape(text[place:start]), f'<mark style="{style}">{inside}</mark>']
        place = end
    return "".join([*pieces, html.escape(text[place:])])
