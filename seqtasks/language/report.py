"""The report section of language models: generated texts."""

import html

TEMPERATURES, WRITTEN, STARTED = (0.5, 1.0), 400, 40  # of novel texts: tokens, and characters of a true one


def novel_texts(predictor, examples):
    """The part of the report that shows texts a language model wrote, from nothing and after the start of a true one.

    Args:
        predictor: the trained model of a `LanguageModelling` task.
        examples: list of examples.

    Returns:
        `[(title, HTML)]`.
    """
    from seqtasks.decoding.options import GenerationOptions
    from seqtasks.text import generation

    start = next((e.input[:STARTED] for e in examples if len(e.input) > STARTED), "")
    shown = []
    for prompt in ["", start] if start else [""]:
        for heat in TEMPERATURES:
            (answer,) = generation.answers(
                predictor, prompt, GenerationOptions(length=WRITTEN, temperature=heat), warned=False
            )
            begun = f"<b>{html.escape(prompt)}</b>" if answer["text"].startswith(prompt) else ""
            text = html.escape(answer["text"][len(prompt) if begun else 0 :])
            style = "white-space:pre-wrap;overflow-wrap:anywhere"
            shown.append(f'<li><small>temperature {heat}</small><p dir="auto" style="{style}">{begun}{text}</p></li>')
    return [("Written by the network", f'<ol class="mistakes">{"".join(shown)}</ol>')]
