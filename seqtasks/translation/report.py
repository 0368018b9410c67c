"""The report section of translation: translations with their references, and attention as a picture."""

import html
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from seqtasks.data.sources import Example
from seqtasks.report.charts import HEAT, svg
from seqtasks.report.formatting import EXAMPLES_SHOWN, shorten
from seqtasks.translation.task import tokenizer


def translations(predictor: Any, examples: Sequence[Example]) -> list[tuple[str, str]]:
    """The section of the report with translations and the attention of their tokens.

    Args:
        predictor: the trained model of a `Translation` task.
        examples: the examples to translate; the first are shown.

    Returns:
        `[(title, HTML)]`.
    """
    import matplotlib
    import tensorflow as tf

    from seqtasks.data.batches import pad
    from seqtasks.report import charts

    source_tokens, target_tokens = (tokenizer(predictor.assets, n).tokens for n in ("source", "target"))
    items = []
    for number, example in enumerate(examples[:EXAMPLES_SHOWN]):
        features = {n: pad(f, 1) for n, f in predictor.encode(tf.constant([example.input])).items()}
        outputs = predictor.outputs(features)
        decoded = predictor.task.decode(predictor.assets, outputs, features)
        answer = predictor.task.answer(predictor.assets, {n: v.numpy()[0] for n, v in decoded.items()})["translation"]
        lines = [("source", example.input), ("translation", answer)]
        lines += [("reference", example.target)] if answer != example.target else []
        text = "".join(f'<p dir="auto"><small>{name}</small> {html.escape(line)}</p>' for name, line in lines)
        if outputs.attention is not None and answer:
            columns = [source_tokens[n] for n in features["source"].numpy()[0]]
            rows = [target_tokens[n] for n in outputs.tokens.numpy()[0, 0] if n >= 0]
            with matplotlib.rc_context(charts.STYLE):
                picture = alignment(outputs.attention.numpy()[0, 0], rows, columns, f"alignment{number}")
            text += str(picture)
        items.append(f"<li>{text}</li>")
    return [("Translations", f'<ol class="mistakes">{"".join(items)}</ol>')]


def alignment(weights: np.ndarray, targets: Sequence[str], sources: Sequence[str], name: str) -> Any:
    """The attention of a decoder as a picture: a row for each target token, a column for each source token.

    Args:
        weights: (rows, columns), each row a distribution over the source; more rows than `targets` are ignored.
        targets, sources: the tokens.
        name: the name of the picture, unique on the page.

    Returns:
        The SVG, as of `seqtasks.report.charts.svg`.
    """
    figure = Figure(figsize=(0.26 * max(len(sources), 1), 0.24 * max(len(targets), 1)))
    axes = figure.add_axes((0, 0, 1, 1))
    cells = [(i, j, weights[i][j]) for i in range(len(targets)) for j in range(len(sources)) if weights[i][j] >= 0.01]
    squares = [[(j, i), (j + 1, i), (j + 1, i + 1), (j, i + 1)] for i, j, _ in cells]
    axes.add_collection(PolyCollection(squares, fc=HEAT, alpha=[float(w) for *_, w in cells], linewidths=0))
    axes.set(xlim=(0, max(len(sources), 1)), ylim=(max(len(targets), 1), 0))
    axes.xaxis.tick_top()
    axes.set_xticks([j + 0.5 for j in range(len(sources))], [shorten(t, 24) for t in sources], rotation=90, fontsize=8)
    axes.set_yticks([i + 0.5 for i in range(len(targets))], [shorten(t, 24) for t in targets], fontsize=8)
    attended = [f"{targets[i]} at {sources[weights[i].argmax()]}" for i in range(len(targets))]
    return svg(figure, f"Attention of each target token: {', '.join(attended)}", name, natural=True)
