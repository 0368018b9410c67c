"""Texts with their entities marked, translations with their attention, and novel texts, as HTML for the report."""

import html

SHOWN = 12  # texts of a report
TEMPERATURES, WRITTEN, STARTED = (0.5, 1.0), 400, 40  # of novel texts: tokens, and characters of a true one
HUES = (210, 30, 130, 280, 0, 175, 330, 60)  # of the types, in turn


def entities(responder, examples):
    """The part of the report that shows what was found in some texts, and below it the truth where that is another.

    Args:
        responder: the trained model of a `SpanTagging` task.
        examples: list of examples.

    Returns:
        `[(title, HTML)]`.
    """
    types, examples = responder.assets["labels"].tokens, examples[:SHOWN]
    shown = []
    for example, answer in zip(examples, responder.answers(e.input for e in examples), strict=True):
        text, truth = responder.task.annotated(responder.assets, responder.encode([example.input]), example.target)
        found = [(e["start"], e["end"], e["type"]) for e in answer["entities"]]
        line = f"<p>{marked(text, found, types)}</p>"
        if found != truth:
            line += f"<p><small>true</small> {marked(text, truth, types)}</p>"
        shown.append(f'<li dir="auto">{line}</li>')
    return [("Entities", f'<ol class="mistakes">{"".join(shown)}</ol>')]


def translations(responder, examples):
    """The part of the report that shows translations, each with the attention of its tokens.

    Args:
        responder: the trained model of a `Translation` task.
        examples: list of examples.

    Returns:
        `[(title, HTML)]`.
    """
    import matplotlib
    import tensorflow as tf

    from seqtasks import pictures
    from seqtasks.data.pipeline import pad

    read, written = (responder.assets[name].tokens for name in ("source", "target"))
    shown = []
    for place, example in enumerate(examples[:SHOWN]):
        features = {n: pad(f, 1) for n, f in responder.encode(tf.constant([example.input])).items()}
        outputs = responder.outputs(features)
        decoded = responder.task.decode(responder.assets, outputs, features)
        answer = responder.task.answer(responder.assets, {n: v.numpy()[0] for n, v in decoded.items()})["translation"]
        lines = [("source", example.input), ("translation", answer)]
        lines += [("reference", example.target)] if answer != example.target else []
        text = "".join(f'<p dir="auto"><small>{name}</small> {html.escape(line)}</p>' for name, line in lines)
        if outputs.attention is not None and answer:
            columns = [read[n] for n in features["source"].numpy()[0]]
            rows = [written[n] for n in outputs.tokens.numpy()[0, 0] if n >= 0]
            with matplotlib.rc_context(pictures.STYLE):
                picture = pictures.alignment(outputs.attention.numpy()[0, 0], rows, columns, f"alignment{place}")
            text += str(picture)
        shown.append(f"<li>{text}</li>")
    return [("Translations", f'<ol class="mistakes">{"".join(shown)}</ol>')]


def novel_texts(responder, examples):
    """The part of the report that shows texts a language model wrote, from nothing and after the start of a true one.

    Args:
        responder: the trained model of a `LanguageModelling` task.
        examples: list of examples.

    Returns:
        `[(title, HTML)]`.
    """
    from seqtasks.language import Ask, generation

    start = next((e.input[:STARTED] for e in examples if len(e.input) > STARTED), "")
    shown = []
    for prompt in ["", start] if start else [""]:
        for heat in TEMPERATURES:
            (answer,) = generation.answers(responder, prompt, Ask(length=WRITTEN, temperature=heat), warned=False)
            begun = f"<b>{html.escape(prompt)}</b>" if answer["text"].startswith(prompt) else ""
            text = html.escape(answer["text"][len(prompt) if begun else 0 :])
            style = "white-space:pre-wrap;overflow-wrap:anywhere"
            shown.append(f'<li><small>temperature {heat}</small><p dir="auto" style="{style}">{begun}{text}</p></li>')
    return [("Written by the network", f'<ol class="mistakes">{"".join(shown)}</ol>')]


def marked(text, spans, types):
    """HTML of a text with typed spans marked.

    Args:
        text: the text; it is escaped.
        spans: list of (start, end, type), in order.
        types: all types; the place of each decides its colour.

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
