"""Sources of tagged sentences: CoNLL columns, JSON of several annotation tools, TensorFlow Datasets.

The target of an example is the IOBES tags of its tokens, joined by one space. Its input is the raw text where spans
mark the entities, and `SEPARATOR` before each token where the tokens are given.
"""

import functools
import itertools
import warnings
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from pathlib import Path

from seqtasks.data.sources import LINES, UNREADABLE, Example, Source, faults, open_text, suffix_of
from seqtasks.errors import UserError
from seqtasks.ner import tag_schemes as schemes
from seqtasks.ner.annotations import TAG_NAMES, Marked, Tagged, clean_token, read_json, tagged
from seqtasks.text.word_tokenizer import SEPARATOR

COLUMNS = (".conll", ".iob", ".iob2", ".bio", ".bioes", ".txt", ".tsv")
SUFFIXES = (*COLUMNS, *LINES)


@dataclass(frozen=True)
class Options:
    """How tagged sentences are to be read.

    Args:
        token_column: the column of a CoNLL file with the tokens, from 1, or from -1 at the end.
        tag_column: the same for the tags.
        scheme: of the tags, as in `seqtasks.ner.tag_schemes.SCHEMES`; None recognises it, file by file.
        repair: mend invalid sequences of tags, and widen spans that cut a token, where they would be an error.
        max_length: tokens of the longest sentence; a longer one is split into several. None keeps all whole.
    """

    token_column: int = 1
    tag_column: int = -1
    scheme: str | None = None
    repair: bool = False
    max_length: int | None = None


def open_tokens(path, options=Options()):
    """The source behind a file of tagged sentences.

    Columns, one token a line and a blank line between sentences, are separated by tabs where a line holds one and by
    spaces elsewhere. A line that begins with "# " is a comment if it has other columns than the lines before, or ends
    in something that is no tag. JSON is an object a line, or one array of them: tokens and tags, or text and spans,
    as datasets, doccano, spaCy and Label Studio write them.

    Raises:
        UserError: if there is nothing at `path`, or nothing that can be read.
    """
    path = Path(path)
    if not path.exists():
        raise UserError("no such file", where=path, remedy="check the path")
    suffix = suffix_of(path)
    if path.is_dir() or suffix not in SUFFIXES:
        what = "a folder without train.*" if path.is_dir() else f"unknown format {suffix or '(no suffix)'!r}"
        raise UserError(what, where=path, remedy=f"files end in {', '.join(SUFFIXES)}, also with .gz")
    size = path.stat().st_size
    if size == 0:
        raise UserError("the file is empty", where=path, remedy="give a token and a tag on each line")
    read = functools.partial(_read_columns, path, options) if suffix in COLUMNS else functools.partial(read_json, path)
    return Source(_Reading(read, str(path), options).examples, str(path), size)


def open_tfds(name, split, options=Options(), **loading):
    """One split of a data set of TensorFlow Datasets with tokens and their tags, like conll2003 and wikiann.

    Args:
        name: as `tfds.load` takes it, e.g. `wikiann/de`.
        split: e.g. `train`.
        options: see `Options`; columns have no meaning here.
        loading: passed to `tfds.load` (`data_dir`).
    """
    import tensorflow_datasets as tfds

    data, info = tfds.load(name, split=split, with_info=True, shuffle_files=False, **loading)
    key, where = next((n for n in TAG_NAMES if n in info.features), None), f"tfds:{name}/{split}"
    if key is None or "tokens" not in info.features:
        listed = ", ".join(info.features)
        raise UserError(f"no tokens and tags among the features {listed}", where=where, remedy="name another data set")
    naming = info.features[key].feature.int2str

    def read():
        for number, record in enumerate(tfds.as_numpy(data), 1):
            tokens = [token.decode("utf-8", "replace") for token in record["tokens"]]
            yield tagged(tokens, [naming(int(tag)) for tag in record[key]], number, f"{where}:{number}")

    size = info.splits[split].num_bytes if split in info.splits else None
    return Source(_Reading(read, where, options).examples, where, size)


class _Reading:
    """Sentences as they come to examples; it knows the scheme of the file once it was asked for, and what it said."""

    def __init__(self, read, name, options):
        self.read, self.name, self.options = read, name, options
        self.named = schemes.scheme_named(options.scheme) if options.scheme else None
        self.warned = False

    @functools.cached_property
    def scheme(self):
        return self.named or schemes.recognise(s.tags for s in self.read() if isinstance(s, Tagged))

    def examples(self):
        repaired, long, windows, some = 0, 0, 0, False
        for sentence, tokens, tags, changed in self._tokenized():
            repaired += changed
            pieces = list(_windows(tags, self.options.max_length or len(tags)))
            if len(pieces) > 1:
                long, windows = long + 1, windows + len(pieces)
            for start, end in pieces:
                some = True
                if isinstance(sentence, Marked) and len(pieces) == 1:
                    yield Example(sentence.text, " ".join(tags), sentence.line)
                else:
                    line = sentence.line if isinstance(sentence, Marked) else sentence.lines[start]
                    part = schemes.repair(tags[start:end], "IOBES") if len(pieces) > 1 else tags
                    yield Example(SEPARATOR + SEPARATOR.join(tokens[start:end]), " ".join(part), line)
        if not some:
            raise UserError("no tagged sentence here", where=self.name, remedy="give a token and a tag on each line")
        if not self.warned:
            self._warn(repaired, "with invalid tags or spans: repaired")
            self._warn(long, f"of more than {self.options.max_length} tokens: split into {windows}")
            self.warned = True

    def _warn(self, count, what):
        if count:
            warnings.warn(f"{self.name}: {count} sentence{'s' * (count != 1)} {what}", stacklevel=3)

    def _tokenized(self):
        """(sentence, tokens, IOBES tags, whether anything was repaired); raw texts are split many at a time."""
        stream = self.read()
        while chunk := list(itertools.islice(stream, 512)):
            split = _split([sentence.text for sentence in chunk if isinstance(sentence, Marked)])
            for sentence in chunk:
                if isinstance(sentence, Marked):
                    tokens, starts, ends = next(split)
                    entities, changed = self._align(sentence, tokens, starts, ends)
                    yield sentence, tokens, schemes.iobes(entities, len(tokens)), changed
                else:
                    valid, changed = self._valid(sentence)
                    tags = schemes.iobes(schemes.spans(valid, self.scheme), len(valid))
                    yield sentence, sentence.tokens, tags, changed

    def _valid(self, sentence):
        wrong = schemes.faults(sentence.tags, self.scheme)
        if wrong and not self.options.repair:
            place, what = wrong[0]
            where, remedy = f"{self.name}:{sentence.lines[place]}", "--repair mends it, or name another --scheme"
            raise UserError(f"{what} is no {self.scheme}", where=where, remedy=remedy)
        return schemes.repair(sentence.tags, self.scheme) if wrong else sentence.tags, bool(wrong)

    def _align(self, sentence, tokens, starts, ends):
        """The entities as (type, first token, token behind the last), and whether a span was widened."""
        entities, changed, free = [], False, 0
        for start, end, kind in sentence.spans:
            first, behind = bisect_right(ends, start), bisect_left(starts, end)
            where, said = f"{self.name}:{sentence.line}", repr(sentence.text[start:end])
            if first >= behind:
                raise UserError(f"the span {said} ({start}-{end}) holds no token", where=where, remedy="leave it out")
            if starts[first] < start or ends[behind - 1] > end:
                if not self.options.repair:
                    cut = tokens[first] if starts[first] < start else tokens[behind - 1]
                    what = f"the span {said} ({start}-{end}) cuts the token {cut!r}"
                    raise UserError(what, where=where, remedy="--repair widens it to whole tokens")
                changed, first = True, max(first, free)  # a token that two spans share belongs to the first
            if first < behind:
                entities.append((kind, first, behind))
                free = behind
        return entities, changed


def _split(texts):
    """(tokens, starts, ends) of raw texts as the graph splits them."""
    if not texts:
        return iter(())
    import tensorflow as tf

    from seqtasks.text.word_tokenizer import tokenize

    tokens, starts, ends, _ = tokenize(tf.constant([text.encode() for text in texts]))
    words = [[token.decode() for token in row] for row in tokens.to_list()]
    return zip(words, starts.to_list(), ends.to_list(), strict=True)


def _windows(tags, longest):
    """Parts of at most `longest` tags, cut beside an O where there is one, and inside an entity only if it is longer.

    Example:
        >>> list(_windows("O B-X E-X S-X O O".split(), 4)), list(_windows("O B-X E-X".split(), 2))
        ([(0, 4), (4, 6)], [(0, 1), (1, 3)])
    """
    start = 0
    while len(tags) - start > longest:
        places = range(start + longest, start, -1)
        beside = next((p for p in places if "O" in (tags[p - 1], tags[p])), None)
        between = next((p for p in places if tags[p][0] not in "IE"), start + longest)
        yield start, beside or between
        start = beside or between
    if start < len(tags):
        yield start, len(tags)


def _read_columns(path, options):
    rows, width = [], None
    try:
        with open_text(path) as file:
            for number, line in enumerate(file, 1):
                line, where = line.rstrip(" \t\r\n"), f"{path}:{number}"
                fields = line.split("\t") if "\t" in line else [f for f in line.split(" ") if f]
                if not line.strip() or fields[0] == "-DOCSTART-":
                    if rows:
                        yield Tagged(*map(list, zip(*rows, strict=True)))
                    rows = []
                    continue
                if f"{line} ".startswith("# ") and (len(fields) != (width or len(fields)) or not _is_tag(fields[-1])):
                    continue
                if width is None:
                    width, (place, tag) = len(fields), _columns(len(fields), options, where)
                if len(fields) != width:
                    what = f"{len(fields)} column{'s' * (len(fields) != 1)} where {width} are due"
                    remedy = "give every line the same columns, and put tabs between them if tokens hold spaces"
                    raise UserError(what, where=where, remedy=remedy)
                schemes.parse(fields[tag].strip(), where)
                rows.append((clean_token(fields[place], where), fields[tag].strip(), number))
            if rows:
                yield Tagged(*map(list, zip(*rows, strict=True)))
    except UNREADABLE as error:
        raise faults(path, error) from None


def _columns(width, options, where):
    """The places of token and tag in a line."""
    numbers = {"--token_column": options.token_column, "--tag_column": options.tag_column}
    if width == 1:
        raise UserError("1 column where a token and its tag are due", where=where, remedy="put a space or tab between")
    for option, number in numbers.items():
        if not 0 < abs(number) <= width:
            remedy = f"{option} counts from 1, or from the end (-1)"
            raise UserError(f"no column {number} among {width}", where=where, remedy=remedy)
    token, tag = (number - 1 if number > 0 else width + number for number in numbers.values())
    if token == tag:
        raise UserError(f"tokens and tags are both in column {tag + 1}", where=where, remedy="name the --tag_column")
    return token, tag


def _is_tag(text):
    try:
        return bool(schemes.parse(text))
    except UserError:
        return False
