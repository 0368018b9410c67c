"""Sources of sentence pairs for translation: parallel files, tables, JSON, translation memories, data sets.

The input of an example is a sentence, its target the translation, its place the line of both.
"""

import functools
import itertools
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from seqtasks.data import tfds
from seqtasks.data.columns import TEXT_NAMES, with_fields
from seqtasks.data.reading import Reading
from seqtasks.data.sources import Example, Faulty, Source
from seqtasks.data.splits import Formats, open_data
from seqtasks.data.tables import Dialect, Record, Records, of_rows, read_rows, value_of
from seqtasks.data.text_files import reading as opened
from seqtasks.data.text_files import suffix_of
from seqtasks.data.values import missing, text_of
from seqtasks.errors import UserError
from seqtasks.translation import parallel, tmx
from seqtasks.translation.directions import CODE, LANGUAGE_NAME, SIDES, Options, direction, find_name, side_of
from seqtasks.translation.parallel import ONE_FILE, Corpus

SHORT = 20  # characters; if both sides of a pair are shorter, their ratio is not limited
NAMED = (".csv", ".xlsx")  # tables whose first line usually holds names


def formats(options: Options = Options()) -> Formats:
    """How sentence pairs are read.

    Args:
        options: see `Options`.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "train.tsv"
        >>> _ = path.write_text("Good morning\\tGuten Morgen\\n")
        >>> [(example.input, example.target) for example in open_data(path, formats())]
        [('Good morning', 'Guten Morgen')]
    """

    def checked(source: Source, reading: Reading) -> Source:
        return source if reading.labelled else answerable(source, options.max_characters)

    return Formats(
        records=lambda records, reading: checked(read_pairs(records, options, reading), reading),
        open=lambda path, reading: checked(open_parallel(path, options, reading), reading),
        suffixes=(tmx.SUFFIX,),
        is_header=lambda first, reading: is_header(first, options, reading.labelled),
        find=lambda data, reading: find(data, options, reading),
        open_tfds=lambda name, split, reading: open_tfds(name, split, options, reading),
        several=lambda paths: [corpus.name for corpus in parallel.corpora(paths, options)],
        grouped="source sentence",
        training=lambda source: filtered(source, options),
    )


def find(data: str, options: Options = Options(), reading: Reading = Reading()) -> Mapping[str, Source]:
    """Two files `source.txt,target.txt`, or the splits of a folder with `src-train.txt` and `tgt-train.txt`.

    Args:
        data: two paths separated by a comma, or a folder.
        options: the languages.
        reading: the options of reading.

    Returns:
        The sources by split; empty for other data.
    """
    if pair := parallel.named_pair(data):
        return {"train": parallel.open_pair(*pair, options, reading)}
    folder = Path(data)
    if not folder.is_dir():
        return {}
    found: dict[str, Corpus] = {}
    for corpus in parallel.corpora(folder.iterdir(), options):
        if corpus.split and corpus.split in found:
            what = f"several corpora for {corpus.split}: {found[corpus.split].name.name}, {corpus.name.name}"
            raise UserError(what, where=folder, remedy="name the files of each split, as in --train a.txt,b.txt")
        if corpus.split:
            found[corpus.split] = corpus
    if "train" not in found or not any(parallel.PLACE in corpus.name.name for corpus in found.values()):
        return {}
    return {split: parallel.open_corpus(corpus, options, reading) for split, corpus in found.items()}


def open_parallel(path: str | Path, options: Options = Options(), reading: Reading = Reading()) -> Source:
    """The source of files that are no table: two files with a side each, or a translation memory.

    Args:
        path: the common stem of two files (`corpus/train` of `corpus/train.en` and `corpus/train.de`), or one of them,
            which is the source if `options` name none; a memory (`.tmx`); a text file with a tab between source and
            target; or a folder that holds one corpus of any kind.
        options: see `Options`.
        reading: the options of reading.

    Raises:
        UserError: if there is nothing at `path`, or nothing that can be read, or if it is not clear which side is the
            source.
    """
    path = Path(path)
    if path.is_dir():
        return _open_folder(path, options, reading)
    if suffix_of(path) in ONE_FILE and not path.is_file():
        raise UserError("no such file", where=path, remedy="check the path")
    if suffix_of(path) == tmx.SUFFIX:
        if reading.group or reading.carry:
            remedy = f"leave out {'--group' if reading.group else '--carry'}, or give a table"
            raise UserError("a translation memory has no columns", where=path, remedy=remedy)
        return tmx.open_tmx(path, options, reading)
    here = parallel.corpora(path.parent.iterdir(), options) if path.parent.is_dir() else []
    corpus = next((c for c in here if path == c.name or path in c.sides.values()), None)
    if corpus is None:
        return _open_lines(path, options, reading)
    if path.is_file() and not (options.source or options.target) and len(corpus.sides) == 2:
        options = replace(options, source=next(side for side, file in corpus.sides.items() if file == path))
    return parallel.open_corpus(corpus, options, reading)


def _open_lines(path: Path, options: Options, reading: Reading) -> Source:
    """A text file without a second one: the sentences to answer, or source and target with a tab between them."""
    if not path.is_file():
        alone = [p for p in path.parent.glob(f"{path.name}.*") if p.is_file()] if path.parent.is_dir() else []
        if not alone:
            remedy = f"give a file, or the common stem of two ({path.name}.en and {path.name}.de)"
            raise UserError("no such file", where=path, remedy=remedy)
        path = alone[0]
    with opened(path, encoding=reading.encoding) as file:
        tabs = "\t" in file.readline()
    if tabs:
        rows = functools.partial(read_rows, path, Dialect("\t"), reading.encoding)
        header = functools.partial(is_header, options=options, labelled=reading.labelled)
        return read_pairs(of_rows(rows, str(path), header, path.stat().st_size), options, reading)
    if not reading.labelled:
        return parallel.open_sides(path, None, reading)
    stem = path.name.removesuffix("".join(path.suffixes[-2:]) if suffix_of(path) != path.suffix else path.suffix)
    remedy = f"name it {stem}.LANGUAGE in the same folder, give both as source.txt,target.txt, or give one file that "
    raise UserError("no file with the translations", where=path, remedy=f"{remedy}ends in {', '.join(ONE_FILE)}")


def _open_folder(folder: Path, options: Options, reading: Reading) -> Source:
    """The one corpus in a folder."""
    files = sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
    corpora = parallel.corpora(files, options)
    single = [p for p in files if suffix_of(p) in ONE_FILE]
    names = [p.name for p in single] + [corpus.name.name for corpus in corpora]
    if len(names) != 1:
        listed = ", ".join((names or [p.name for p in files])[:8]) or "nothing"
        what = f"several corpora here ({listed})" if names else f"no sentence pairs here (found {listed})"
        remedy = f"give train.en and train.de, one file that ends in {', '.join(ONE_FILE)}, or its path"
        raise UserError(what, where=folder, remedy=remedy)
    if corpora:
        return parallel.open_corpus(corpora[0], options, reading)
    return open_data(single[0], formats(options), reading)


def open_tfds(
    name: str, split: str, options: Options = Options(), reading: Reading = Reading(), **loading: Any
) -> Source:
    """One split of a data set of TensorFlow Datasets with a text for each language, like wmt and ted_hrlr_translate.

    Args:
        name: as `tfds.load` takes it, e.g. `wmt16_translate/ro-en`.
        split: e.g. `train`.
        options: see `Options`; if they name no languages, the data set's own direction is taken.
        reading: the options of reading.
        loading: passed to `tfds.load` (`data_dir`).

    Raises:
        UserError: if there are not two languages, or the named ones are not among them.
    """
    data = tfds.open_dataset(name, split, **loading)
    languages, own = data.features_of_type("Text"), data.info.supervised_keys
    if len(languages) < 2:
        raise data.no_feature("two languages")
    if own and all(key in languages for key in own) and options.source is None and options.target is None:
        options = replace(options, source=own[0], target=own[1])
    source, target = direction(languages, options, f"tfds:{name}")
    records = Records(data.records, data.place, tuple(data.features), size=data.size)
    return read_pairs(records, replace(options, source=source, target=target), reading)


def is_header(first: list[str], options: Options = Options(), labelled: bool = True) -> bool:
    """Whether the first row of a table holds names: of both sides, of a language that is wanted, or of languages only.

    Example:
        >>> is_header(["source", "target"]), is_header(["en", "de"]), is_header(["Hello", "Hallo", "by Ada"])
        (True, True, False)
    """
    if options.header is not None:
        return options.header
    if any(find_name(name, first) for name in (options.source, options.target) if name and not name.isdigit()):
        return True
    sides = {side_of(name) for name in first} - {None}
    languages = [LANGUAGE_NAME.fullmatch(name.strip().lower()) for name in first]
    if sides == {0, 1} or all(CODE.fullmatch(name) for name in first) or (len(first) > 1 and all(languages[:2])):
        return True
    return not labelled and any(name.strip().lower() in (*SIDES[0], *TEXT_NAMES) for name in first)


def read_pairs(records: Records, options: Options = Options(), reading: Reading = Reading()) -> Source:
    """The pairs of records, whose sides may be inside a field `translation`, as in data sets of Hugging Face.

    Args:
        records: the records.
        options: which fields are source and target. Without it rows of a tab-separated file, or in memory, that have
            no names are source, target and what is not read.
        reading: `labelled`, `carry` and `group`.

    Raises:
        UserError: if it is not clear which field is the source. A record without a text on one side is `Faulty`; one
            with an empty text is not.

    Example:
        >>> rows = [(1, {"id": 7, "translation": {"de": "Ein Hund.", "en": "A dog."}})]
        >>> source = read_pairs(Records(lambda: iter(rows), "memory", ("id", "translation")), Options("en", "de"))
        >>> [(example.input, example.target) for example in source]
        [('A dog.', 'Ein Hund.')]
    """
    sides = _sides(records, options, reading)
    rest = with_fields(records, reading)

    def examples() -> Iterator[Example | Faulty]:
        for place, record in records.read():
            try:
                if isinstance(record, UserError):
                    raise record
                where, fields = records.where(place), _fields(record)
                target = _text(fields, sides[1], where) if reading.labelled else ""
                yield rest(Example(_text(fields, sides[0], where), target, place), record)
            except UserError as error:
                yield Faulty(error)

    return Source(examples, records.name, records.size)


def _sides(records: Records, options: Options, reading: Reading) -> tuple[str, str]:
    """The names of the fields of source and target."""
    where = records.name
    found = list(itertools.islice((r for _, r in records.read() if not isinstance(r, UserError)), 1))
    if not found:
        raise next((r for _, r in records.read() if isinstance(r, UserError)), UserError("no records", where=where))
    fields = _fields(found[0])
    if records.header or not fields:
        return direction(map(str, fields), options, where, reading.labelled)
    names, named = records.names, [name for name in (options.source, options.target) if name]
    if any(find_name(name, names) for name in named):
        return direction(names, options, where, reading.labelled)
    in_order = suffix_of(where) not in NAMED
    if not reading.labelled and (len(names) == 1 or (in_order and not named)):
        return names[0], ""
    if in_order and (len(names) == 2 or (len(names) > 2 and not named)):
        return names[0], names[1]
    listed = ", ".join(repr(str(value).strip()[:40]) for value in fields.values())
    if len(names) < 2:
        what, remedy = f"cannot tell source and target among {listed}", "give a source and a target"
        raise UserError(what, where=where, remedy=remedy)
    what = f"no {named[0]!r} among {listed}" if named else f"cannot tell source and target among {listed}"
    remedy = "choose, e.g. --source_language 1 --target_language 2 (a number, or a name in the first line)"
    raise UserError(what, where=where, remedy=remedy)


def _fields(record: Record) -> Record:
    """The fields with the texts: those inside `translation`, or the record itself."""
    inner = record.get("translation")
    if not isinstance(inner, Mapping):
        return record
    languages, texts = inner.get("language"), inner.get("translation")
    if isinstance(languages, list | tuple) and isinstance(texts, list | tuple):  # any number of translations
        return dict(zip(languages, texts, strict=False))
    return inner


def _text(fields: Record, side: str, where: str) -> str:
    value = value_of(fields, side)
    if missing(value):
        raise UserError(f"no text in {side!r}", where=where, remedy="give every sentence its translation")
    return text_of(value, where)


def sentence(text: str | bytes, max_characters: int) -> str:
    """A raw input as text.

    Args:
        text: `str` or UTF-8 `bytes`.
        max_characters: the largest length, in code points.

    Raises:
        UserError: if it is not UTF-8, or longer.

    Example:
        >>> sentence(b"Zwei M\\xc3\\xa4nner", 20)
        'Zwei Männer'
    """
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8")
        except UnicodeDecodeError as error:
            what = f"not UTF-8 (byte 0x{text[error.start]:02x} at offset {error.start})"
            raise UserError(what, remedy="save the text as UTF-8") from None
    if len(text) > max_characters:
        what = f"{len(text)} characters, more than --max_characters {max_characters}"
        raise UserError(what, remedy="split it into sentences")
    return text


def answerable(source: Source, max_characters: int) -> Source:
    """The sentences to translate, of which those that `sentence` refuses are `Faulty`."""

    def check(example: Example) -> Example | Faulty:
        try:
            sentence(example.input, max_characters)
        except UserError as error:
            return Faulty(UserError(str(error), where=source.where(example)))
        return example

    return source.map(check)


def filtered(source: Source, options: Options = Options()) -> Source:
    """The pairs that are suitable for training; a warning after the first whole pass counts those left out.

    Args:
        source: all pairs.
        options: `max_characters` and `max_ratio`.

    Example:
        >>> rows = [Example("Good morning", "Guten Morgen", 1), Example("No", "Nein, " * 50, 2), Example("Yes", "", 3)]
        >>> with warnings.catch_warnings(record=True) as caught:
        ...     print([e.place for e in filtered(Source(lambda: iter(rows), "memory"))], caught[0].message)
        [1] memory: 2 of 3 pairs left out: 1 with an empty side, 1 with lengths more than 9.0 times apart
        (--max_characters, --max_ratio)
    """
    warned = False

    def read() -> Iterator[Example | Faulty]:
        nonlocal warned
        left_out: Counter[str] = Counter()
        count = 0
        for item in source.read():
            if isinstance(item, Example):
                count += 1
                if reason := _reason(item, options):
                    left_out[reason] += 1
                    continue
            yield item
        if left_out and not warned:
            warned = True
            reasons = ", ".join(f"{left_out[reason]} {reason}" for reason in sorted(left_out))
            what = f"{left_out.total()} of {count} pairs left out: {reasons} (--max_characters, --max_ratio)"
            warnings.warn(f"{source.name}: {what}", stacklevel=2)

    return Source(read, source.name, source.size)


def _reason(example: Example, options: Options) -> str | None:
    """Why a pair is left out of train, or None."""
    short, long = sorted((len(example.input), len(example.target)))
    if not example.input.strip() or not example.target.strip():
        return "with an empty side"
    if long > options.max_characters:
        return f"longer than {options.max_characters} characters"
    if long >= SHORT and long > options.max_ratio * short:
        return f"with lengths more than {options.max_ratio} times apart"
    return None
