"""The report section of language models: generated texts."""

import html
from collections.abc import Sequence
from typing import Any

from seqtasks.data.sources import Example

TEMPERATURES = (0.5, 1.0)
LENGTH = 400  # tokens of a generated text
PROMPT = 40  # characters of a prompt


def novel_texts(predictor: Any, examples: Sequence[Example], backward: bool = False) -> list[tuple[str, str]]:
    """The section of the report with generated texts, without a prompt and with the start of an example as prompt.

    A backward model writes what stands before its prompt, which is the end of an example.

    Args:
        predictor: the trained model of a `LanguageModelling` task.
        examples: the examples; the first that is long enough gives the prompt.
        backward: whether the model reads a text from its end.

    Returns:
        `[(title, HTML)]`.
    """
    from seqtasks.decoding.options import GenerationOptions
    from seqtasks.text import generation

    part = slice(-PROMPT, None) if backward else slice(PROMPT)
    start = next((e.input[part] for e in examples if len(e.input) > PROMPT), "")
    style = "white-space:pre-wrap;overflow-wrap:anywhere"
    items = []
    for prompt in ["", start] if start else [""]:
        for temperature in TEMPERATURES:
            options = GenerationOptions(length=LENGTH, temperature=temperature)
            (answer,) = generation.answers(predictor, prompt, options, warned=False, backward=backward)
            paragraph = f'<p dir="auto" style="{style}">{_marked(answer["text"], prompt, backward)}</p>'
            items.append(f"<li><small>temperature {temperature}</small>{paragraph}</li>")
    return [("Written by the network", f'<ol class="mistakes">{"".join(items)}</ol>')]


def _marked(text: str, prompt: str, backward: bool) -> str:
    """A text as HTML with its prompt in bold.

    Example:
        >>> _marked("a < b", "a", False), _marked("a < b", "b", True)
        ('<b>a</b> &lt; b', 'a &lt; <b>b</b>')
    """
    bold = f"<b>{html.escape(prompt)}</b>"
    if backward and text.endswith(prompt):
        return html.escape(text.removesuffix(prompt)) + bold
    if not backward and text.startswith(prompt):
        return bold + html.escape(text.removeprefix(prompt))
    return html.escape(text)
