"""Standoff annotations of brat: a file `NAME.ann` with spans beside each text `NAME.txt`."""

import itertools
import re
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from seqtasks.data.reading import Reading
from seqtasks.data.text_files import reading as opened
from seqtasks.errors import UserError
from seqtasks.ner import tag_schemes as schemes
from seqtasks.ner.sentences import Item, Marked, Options, clean_token
from seqtasks.ner.spans import UNITS, Span, in_code_points, longest

SUFFIX = ".ann"
SPAN = re.compile(r"T\S+\t(\S+) (\d+ \d+(?:;\d+ \d+)*)\t?(.*)")


class Standoff:
    """Reads documents of brat. Each line of a text is a sentence, unless a span goes beyond its end.

    Of spans that overlap the longest is kept; one in several parts is left out. A warning counts both.

    Args:
        path: a file `.ann`, or a folder with such files, in sub-folders too.
        options: `offsets`.
        reading: `encoding` and `labelled`.

    Raises:
        UserError: if there are no such files.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "a.txt").write_text("Ada sleeps.\\n\\nBen runs.\\n")
        >>> _ = (folder / "a.ann").write_text("T1\\tPER 13 16\\tBen\\n")
        >>> [sentence for _, sentence, _ in Standoff(folder, Options(), Reading()).read()]
        [Marked(text='Ada sleeps.', spans=[]), Marked(text='Ben runs.', spans=[(0, 3, 'PER')])]
    """

    def __init__(self, path: Path, options: Options, reading: Reading) -> None:
        self.path, self.reading = path, reading
        self.unit = options.offsets
        self.files = sorted(path.rglob(f"*{SUFFIX}")) if path.is_dir() else [path]
        self.warned = False

    @property
    def size(self) -> int:
        """Bytes of the texts."""
        return sum(f.with_suffix(".txt").stat().st_size for f in self.files if f.with_suffix(".txt").is_file())

    def read(self) -> Iterator[Item]:
        """The sentences of all documents. The place of one is its file and line."""
        counts: Counter[str] = Counter()
        for file in self.files:
            text_file = file.with_suffix(".txt")
            if not text_file.is_file():
                error = UserError(f"no {text_file.name} beside it", where=file, remedy="keep each text beside its .ann")
                yield str(file), error, {}
                continue
            with opened(text_file, encoding=self.reading.encoding) as stream:
                text = stream.read()
            spans = self._checked(file, text, counts) if self.reading.labelled else []
            if isinstance(spans, UserError):
                yield str(file), spans, {}
                continue
            kept = longest(set(spans))
            counts["that overlap a longer one: left out"] += len(set(spans)) - len(kept)
            for line, start, end in _lines(text, kept):
                inside = [(s - start, e - start, kind) for s, e, kind in kept if start <= s < end]
                yield f"{text_file}:{line}", Marked(clean_token(text[start:end]), inside), {"document": file.stem}
        if not self.warned:
            for what, count in counts.items():
                if count:
                    warnings.warn(f"{self.path}: {count} span{'s' * (count != 1)} {what}", stacklevel=2)
            self.warned = True

    def _checked(self, file: Path, text: str, counts: Counter[str]) -> list[Span] | UserError:
        """The spans of a document, if each is the text that is written beside it."""
        fault = None
        for unit in sorted(UNITS, key=lambda unit: unit != self.unit):
            try:
                spans = list(self._spans(file, text, unit))
            except UserError as error:
                fault = fault or error
                continue
            if fault and self.unit != "auto":
                return UserError(str(fault).partition("; ")[0], remedy=f"add --offsets {unit}")
            counts["in several parts: left out"] += spans.count(None)
            return [span for span in spans if span]
        assert fault
        return fault

    def _spans(self, file: Path, text: str, unit: str) -> Iterator[Span | None]:
        with opened(file, encoding=self.reading.encoding) as lines:
            for number, line in enumerate(lines, 1):
                if not line.startswith("T"):  # relations, events, attributes and notes
                    continue
                where = f"{file}:{number}"
                found = SPAN.fullmatch(line.rstrip("\r\n"))
                if not found:
                    raise UserError(f"not a span: {line.strip()!r:.60}", where=where, remedy="write T1<tab>PER 0 9")
                parts = [tuple(map(int, part.split())) for part in found[2].split(";")]
                kind = schemes.type_named(found[1])
                placed = [in_code_points(text, [(p[0], p[1], kind)], unit)[0] for p in parts]
                ends = [p for p in placed if p is not None]
                if len(ends) < len(placed):
                    what = f"the span {found[2]} is empty or outside the {len(text)} characters of the text"
                    raise UserError(what, where=where, remedy="count from 0; the end is exclusive")
                if any(text[one[1] : two[0]].strip() for one, two in itertools.pairwise(ends)):
                    yield None
                    continue
                span = (ends[0][0], ends[-1][1], kind)
                self._check(text, span, found[3], where)
                yield span

    def _check(self, text: str, span: Span, copy: str, where: str) -> None:
        """Raise `UserError` if the text of a span is not the copy beside it."""
        marked = " ".join(text[span[0] : span[1]].split())
        copy = " ".join(copy.split())
        if copy and marked != copy:
            what = f"the span {span[0]}-{span[1]} is {marked!r:.40} in the text, and {copy!r:.40} here"
            raise UserError(what, where=where, remedy="correct one of them")


def _lines(text: str, spans: list[Span]) -> Iterator[tuple[int, int, int]]:
    """(number, start, end) of each line with text; lines that a span joins are one."""
    start = number = 0
    inside = iter(sorted(spans))
    span = next(inside, None)
    for found in re.finditer(r"\n|\Z", text):
        end = found.start()
        while span and span[1] <= end:
            span = next(inside, None)
        number += 1
        if span and span[0] < end:
            continue
        if text[start:end].strip():
            first = number - text.count("\n", start, end)
            yield first, start, end - text[start:end].endswith("\r")
        start = found.end()
