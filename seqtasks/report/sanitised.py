"""HTML and SVG of sections that came with a run, rebuilt from the elements that sections are made of."""

import html
import re
from html.parser import HTMLParser

HTML_ELEMENTS = {
    "a", "audio", "b", "bdi", "blockquote", "br", "caption", "code", "dd", "details", "div", "dl", "dt", "em",
    "figcaption", "figure", "h3", "h4", "hr", "i", "img", "kbd", "li", "mark", "ol", "p", "pre", "s", "samp", "small",
    "span", "strong", "sub", "summary", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "u", "ul",
    "wbr",
}  # fmt: skip
SVG_ELEMENTS = {
    "svg", "g", "path", "rect", "circle", "ellipse", "line", "polyline", "polygon", "text", "tspan", "title", "desc",
    "defs", "use", "clippath", "lineargradient", "radialgradient", "stop", "pattern", "marker", "symbol", "image",
}  # fmt: skip
EMPTY = {"br", "hr", "img", "wbr"}
DROPPED = {"script", "style", "template", "iframe", "object", "noscript", "textarea", "select", "xmp", "title"}
ATTRIBUTES = re.compile(
    r"aria-[a-z]+|alt|class|colspan|controls|dir|height|id|lang|open|preload|role|rowspan|scope|start|style|"
    r"tabindex|title|width|"
    r"[cdrxy]|[cr][xy]|[fr][xy]|[xy][12]|d[xy]|clip-path|clip-rule|fill(-[a-z]+)?|stroke(-[a-z]+)?|opacity|font(-[a-z]+)?|"
    r"gradient[a-z]+|offset|stop-[a-z]+|points|marker(-[a-z]+)?|orient|pathlength|pattern[a-z]+|preserveaspectratio|"
    r"text-[a-z]+|textlength|transform|viewbox|ref[xy]|xmlns|xmlns:xlink|version|(data-[a-z]+)"
)
SOURCES = {"src", "href", "xlink:href"}
MEDIA = re.compile(r"data:(image/(png|jpeg|gif|webp)|audio/[a-z0-9.-]+);base64,[A-Za-z0-9+/=\s]*")
PROPERTIES = re.compile(
    r"fill.*|stroke.*|opacity|font.*|text-.*|color|background|background-color|white-space|overflow-wrap|word-break|"
    r"image-rendering|clip-path|stop-.*|writing-mode|direction|dominant-baseline|vertical-align|width|(min|max)-width|height|"
    r"max-height|overflow|overflow-x|display|padding.*|border.*|line-height|--[a-z-]+|shape-rendering"
)


def sanitised(text: str) -> str:
    """The HTML without what could run, load or lead elsewhere: only known elements, attributes and styles are kept.

    Args:
        text: HTML of a section.

    Returns:
        Well-formed HTML. Media are `data:` URLs; links lead to places of the page.

    Example:
        >>> sanitised('<p onclick="x()">a <b>b</b><script>c()</script><meta http-equiv="refresh" content="0;url=x">')
        '<p>a <b>b</b></p>'
    """
    parser = _Rebuilt()
    parser.feed(text)
    parser.close()
    return parser.text()


class _Rebuilt(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.opened: list[str] = []
        self.dropped: list[str] = []  # elements whose content is left out

    def text(self) -> str:
        return "".join([*self.parts, *(f"</{tag}>" for tag in reversed(self.opened))])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        inside = "svg" in self.opened
        if self.dropped or (tag in DROPPED and not (tag == "title" and inside)):
            self.dropped.append(tag)
        elif tag in (SVG_ELEMENTS if inside else {*HTML_ELEMENTS, "svg"}):
            kept = "".join(_attribute(name, value or "") for name, value in attrs)
            self.parts.append(f"<{tag}{kept}>")
            if tag not in EMPTY:
                self.opened.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.dropped:
            if tag in self.dropped:
                del self.dropped[self.dropped.index(tag) :]
        elif tag in self.opened:
            while self.opened[-1] != tag:
                self.parts.append(f"</{self.opened.pop()}>")
            self.parts.append(f"</{self.opened.pop()}>")

    def handle_data(self, data: str) -> None:
        if not self.dropped:
            self.parts.append(html.escape(data, quote=False))


def _attribute(name: str, value: str) -> str:
    if name in SOURCES:
        place = value.startswith("#") and name != "src"
        return f' {name}="{html.escape(value)}"' if place or MEDIA.fullmatch(value) else ""
    if not ATTRIBUTES.fullmatch(name) or re.search(r"url\((?!\s*['\"]?#)", value, re.I):
        return ""
    if name == "style":
        pairs = (part.partition(":") for part in value.split(";"))
        kept = [f"{key.strip()}:{v.strip()}" for key, _, v in pairs if PROPERTIES.fullmatch(key.strip().lower())]
        value = ";".join(kept)
    return f' {name}="{html.escape(value)}"'
