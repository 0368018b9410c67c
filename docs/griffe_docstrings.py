"""Griffe extension: sections of Keras docstrings that the Google style does not know become Markdown."""

import re
from typing import Any

import griffe

SECTION = re.compile(
    r"^(Call arguments|Input shape|Output shape|References|Attributes of the file):[ ]*\n((?:[ ]{4}.*\n?|\n)+)", re.M
)
FIRST = re.compile(r"^\*{0,2}(\w[\w, *]*): ", re.M)


class KerasDocstrings(griffe.Extension):
    """Renames `Example` to `Examples`, and writes the other sections as headings with text or lists."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        if obj.docstring:
            text = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.M)
            text = re.sub(r"<(t(?:[-+]1)?|\d+|T_[xy])>", r"⟨\1⟩", text)  # a<t> is not an HTML tag
            text = re.sub(r"(?<=\w)::$", ":", text, flags=re.M)
            obj.docstring.value = SECTION.sub(_section, text)


def _section(match: re.Match[str]) -> str:
    title, body = match[1], re.sub(r"^ {4}", "", match[2], flags=re.M).strip()
    if title in ("Call arguments", "Input shape", "Output shape"):
        body = FIRST.sub(lambda name: f"- `{name[1]}`: ", body)
    return f"**{title}**\n\n{body}\n\n"
