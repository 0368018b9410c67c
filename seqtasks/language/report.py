"""The report section of language models: generated texts."""

import html
from collections.abc import Sequence
from typing import Any

from seqtasks.data.sources import Example

TEMPERATURES = (0.5, 1.0)
LENGTH = 400  # tokens of a generated text
PROMPT = 40  # characters of a prompt


def novel_texts(predictor: Any, examples: Sequence[Example]) -> list[tuple[str, str]]:
    """The section of the report with generated texts, without a prompt and with the start of an example as prompt.

    Args:
        predictor: the trained model of a `LanguageModelling` task.
        examples: the examples; the first that is long enough gives the prompt.

    Returns:
        `[(title, HTML)]`.
    """
    from seqtasks.decoding.options import GenerationOptions
    from seqtasks.text import generation

    start = next((e.input[:PROMPT] for e in examples if len(e.input) > PROMPT), "")
    style = "white-space:pre-wrap;overflow-wrap:anywhere"
    items = []
    for prompt in ["", start] if start else [""]:
        for temperature in TEMPERATURES:
            options = GenerationOptions(length=LENGTH, temperature=temperature)
            (answer,) = generation.answers(predictor, prompt, options, warned=False)
            bold = f"<b>{html.escape(prompt)}</b>" if answer["text"].startswith(prompt) else ""
            text = html.escape(answer["text"][len(prompt) if bold else 0 :])
            paragraph = f'<p dir="auto" style="{style}">{bold}{text}</p>'
            items.append(f"<li><small>temperature {temperature}</small>{paragraph}</li>")
    return [("Written by the network", f'<ol class="mistakes">{"".join(items)}</ol>')]
