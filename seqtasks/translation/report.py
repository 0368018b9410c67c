"""The report section of translation: translations beside their references, and attention as a picture."""

import html

from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from seqtasks.report.charts import HEAT, svg
from seqtasks.report.formatting import EXAMPLES_SHOWN, shorten


def translations(predictor, examples):
    """The part of the report that shows translations, each with the attention of its tokens.

    Args:
        predictor: the trained model of a `Translation` task.
        examples: list of examples.

    Returns:
        `[(title, HTML)]`.
    """
    import matplotlib
    import tensorflow as tf

    from seqtasks.data.batches import pad
    from seqtasks.report import charts

    read, written = (predictor.assets[name].tokens for name in ("source", "target"))
    shown = []
    for place, example in enumerate(examples[:EXAMPLES_SHOWN]):
        features = {n: pad(f, 1) for n, f in predictor.encode(tf.constant([example.input])).items()}
        outputs = predictor.outputs(features)
        decoded = predictor.task.decode(predictor.assets, outputs, features)
        answer = predictor.task.answer(predictor.assets, {n: v.numpy()[0] for n, v in decoded.items()})["translation"]
        lines = [("source", example.input), ("translation", answer)]
        lines += [("reference", example.target)] if answer != example.target else []
        text = "".join(f'<p dir="auto"><small>{name}</small> {html.escape(line)}</p>' for name, line in lines)
        if outputs.attention is not None and answer:
            columns = [read[n] for n in features["source"].numpy()[0]]
            rows = [written[n] for n in outputs.tokens.numpy()[0, 0] if n >= 0]
            with matplotlib.rc_context(charts.STYLE):
                picture = alignment(outputs.attention.numpy()[0, 0], rows, columns, f"alignment{place}")
            text += str(picture)
        shown.append(f"<li>{text}</li>")
    return [("Translations", f'<ol class="mistakes">{"".join(shown)}</ol>')]


def alignment(weights, written, read, name):
    """Where a decoder looked: a row for each token that was written, a column for each place of the source.

    Args:
        weights: array (at least as many as `written`, places), each row a distribution.
        written, read: the tokens.
        name: of the picture, unlike any other of the page.
    """
    figure = Figure(figsize=(0.26 * max(len(read), 1), 0.24 * max(len(written), 1)))
    axes = figure.add_axes((0, 0, 1, 1))
    cells = [(i, j, weights[i][j]) for i in range(len(written)) for j in range(len(read)) if weights[i][j] >= 0.01]
    squares = [[(j, i), (j + 1, i), (j + 1, i + 1), (j, i + 1)] for i, j, _ in cells]
    axes.add_collection(PolyCollection(squares, fc=HEAT, alpha=[float(w) for *_, w in cells], linewidths=0))
    axes.set(xlim=(0, max(len(read), 1)), ylim=(max(len(written), 1), 0))
    axes.xaxis.tick_top()
    axes.set_xticks([j + 0.5 for j in range(len(read))], [shorten(t, 24) for t in read], rotation=90, fontsize=8)
    axes.set_yticks([i + 0.5 for i in range(len(written))], [shorten(t, 24) for t in written], fontsize=8)
    looked = [f"{written[i]} at {read[weights[i].argmax()]}" for i in range(len(written))]
    return svg(figure, f"Attention of each written token: {', '.join(looked)}", name, natural=True)
