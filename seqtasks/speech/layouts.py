"""Folders of recordings with transcripts, as records: Kaldi, LibriSpeech, text files beside recordings, LJSpeech.

A record has the fields `path` and `text`, and what else the layout tells: `speaker`, `start`, `end`.
"""

import difflib
import itertools
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from seqtasks.data.path_sources import mixed, warn_of_others
from seqtasks.data.reading import Reading
from seqtasks.data.splits import NAMES
from seqtasks.data.tables import ARROW, DELIMITED, EXCEL, SUFFIXES, Record, Records, of_rows
from seqtasks.data.text_files import reading as opened
from seqtasks.data.text_files import suffix_of
from seqtasks.errors import UserError
from seqtasks.speech.audio import RECORDINGS

CHAPTER = ".trans.txt"  # the file of a chapter in LibriSpeech
KALDI = "wav.scp"  # the file of recordings in a data directory of Kaldi and ESPnet
ARCHIVE = re.compile(r"\.ark:\d+$")
BESIDE = (".txt", ".lab", ".normalized.txt")  # suffixes of the transcript next to a recording
PIPES = (".csv", ".txt")  # suffixes of lists of paths and texts, such as LJSpeech's `metadata.csv`
METADATA = ("metadata", "validated", "manifest", "transcripts", "transcript", "transcriptions", "labels")
SAMPLE_LINES = 30
ALIKE = 0.5  # similarity of a text and its normalised form, at least

Found = Iterator[tuple[int | str, Record | UserError]]


def hidden(path: Path) -> bool:
    """Whether the name of a file or folder says that it is no data."""
    return path.name.startswith((".", "_"))


def recordings_in(folder: Path, pattern: str = "*") -> list[Path]:
    """The recordings in a folder, in an order that depends only on their names."""
    inside = (p for p in folder.glob(pattern) if suffix_of(p) in RECORDINGS and p.is_file() and p.name[0] != ".")
    return mixed(p for p in inside if not any(map(hidden, p.relative_to(folder).parents[:-1])))


def match_splits(names: Iterable[str], splits: Iterable[str] = tuple(NAMES)) -> dict[str, list[str]]:
    """The names that belong to each split: the one that equals its name, or else all that begin with it.

    Example:
        >>> match_splits(["dev_clean", "dev_other", "train", "train_more"])
        {'train': ['train'], 'validation': ['dev_clean', 'dev_other']}
        >>> match_splits(["train_dev", "train_nodev"])
        {'train': ['train_nodev'], 'validation': ['train_dev']}
    """
    names, found = sorted(names), {}
    for split in splits:
        exact = [name for name in NAMES[split] if name in names][:1]
        similar = [name for name in names if _split_of(name) == split]
        if exact or similar:
            found[split] = exact or similar
    return found


def _split_of(name: str) -> str | None:
    """The split of a name: of its first part, but `train_dev` is for validation."""
    parts = re.split("[-_.]", name.lower())
    splits = [next((split for split in NAMES if part in NAMES[split]), None) for part in parts]
    return "validation" if splits[0] == "train" and "validation" in splits else splits[0]


def first_of(names: Sequence[str], split: str, data: Path | str) -> str:
    """The first name, with a warning if there are more."""
    if names[1:]:
        warnings.warn(f"{data}: {names[0]} taken for {split}, not {', '.join(names[1:])}", stacklevel=4)
    return names[0]


def tables_in(folder: Path) -> list[Path]:
    """The files in a folder that may list recordings."""
    return [p for p in sorted(folder.iterdir()) if p.is_file() and not hidden(p) and _is_table(p)]


def metadata_in(folder: Path) -> Path | None:
    """The table in a folder whose name tells that it describes the recordings, such as `metadata.csv`; None else."""
    for name in METADATA:
        named = [p for p in tables_in(folder) if _stem(p) == name]
        if len(named) == 1:
            return named[0]
    return None


def only_table_in(folder: Path) -> Path | None:
    """The table in a folder; None if there is none.

    Raises:
        UserError: if there are several.
    """
    tables = tables_in(folder)
    if len(tables) > 1:
        listed = ", ".join(p.name for p in tables[:5]) + ", ..." * (len(tables) > 5)
        raise UserError(f"several tables: {listed}", where=folder, remedy="name one of them with --data")
    return tables[0] if tables else None


def split_tables(folder: Path) -> dict[str, Path]:
    """The tables of the splits in a folder, if there is one of train and no split has several."""
    tables = [p for p in tables_in(folder) if suffix_of(p) != ".txt" or _stem(p) in itertools.chain(*NAMES.values())]
    named = {_stem(p): p for p in tables}
    found = match_splits(named)
    single = "train" in found and len(named) == len(tables) and all(len(names) == 1 for names in found.values())
    return {split: named[names[0]] for split, names in found.items()} if single else {}


def _stem(path: Path) -> str:
    return path.name.split(".")[0].lower()


def _is_table(path: Path) -> bool:
    suffix, known = suffix_of(path), (*METADATA, *itertools.chain(*NAMES.values()))
    return suffix in (*DELIMITED, *ARROW, *EXCEL, ".jsonl") or (
        suffix in (*SUFFIXES, ".txt") and any(part in known for part in re.split("[-_]", _stem(path)))
    )


# --- lists of paths and texts, separated by | ---


def is_list(path: Path, reading: Reading) -> bool:
    """Whether a file is a list of paths and texts that are separated by `|`, without quotes and names of columns."""
    if suffix_of(path) not in PIPES or reading.delimiter not in (None, "|", "pipe"):
        return suffix_of(path) == ".txt"
    with opened(path, encoding=reading.encoding) as file:
        first = [line for line in itertools.islice(file, SAMPLE_LINES) if line.strip()]
    return suffix_of(path) == ".txt" or bool(first and all("|" in line for line in first) and "\t" not in first[0])


def open_list(path: Path, reading: Reading, is_header: Callable[[list[str]], bool]) -> Records:
    """The records of a list: `LJ001-0001|as written|as spoken`; quotes are part of the text.

    Three columns without names are read if the last two are the text and its normalised form, which is taken.

    Raises:
        UserError: if the columns are others, and there are no names.
    """

    def rows() -> Iterator[tuple[int, list[str] | UserError]]:
        width = 0
        with opened(path, reject_nul=True, encoding=reading.encoding) as file:
            for number, line in enumerate(file, 1):
                if not (fields := line.rstrip("\r\n").split("|" if "|" in line else "\t"))[0].strip():
                    continue
                width = width or len(fields)
                if len(fields) == width:
                    yield number, fields
                else:
                    what = f"{len(fields)} field{'s' * (len(fields) != 1)}, expected {width}"
                    remedy = "separate path and text by |"
                    yield number, UserError(what, where=f"{path}:{number}", remedy=remedy)

    records = of_rows(rows, str(path), is_header, path.stat().st_size)
    if records.header or len(records.names) != 3:
        return records
    sample = [row for _, row in itertools.islice(rows(), SAMPLE_LINES) if isinstance(row, list)]
    alike = [difflib.SequenceMatcher(None, row[1].lower(), row[2].lower()).ratio() > ALIKE for row in sample]
    if sum(alike) < len(sample) / 2:
        return records

    def read() -> Found:
        for place, record in records.read():
            if isinstance(record, UserError):
                yield place, record
            else:
                yield place, {"path": record["1"], "text": record["3"].strip() or record["2"]}

    return Records(read, records.name, ("path", "text"), size=records.size)


# --- LibriSpeech ---


def open_chapters(folder: Path, chapters: Iterable[Path], reading: Reading) -> Records:
    """The records of chapters of LibriSpeech, `SPEAKER/CHAPTER/SPEAKER-CHAPTER.trans.txt`, mixed by their names."""
    ordered = mixed(chapters)

    def read() -> Found:
        for chapter in ordered:
            for number, name, text in _keyed(chapter, reading):
                where = f"{chapter}:{number}"
                found = next((p for s in RECORDINGS if (p := chapter.parent / f"{name}{s}").is_file()), None)
                if found is None:
                    remedy = f"put it next to the transcripts, as {name}.wav or {name}.flac"
                    yield where, UserError(f"no recording {name}", where=where, remedy=remedy)
                else:
                    yield where, {"path": str(found), "text": text, "speaker": chapter.parent.parent.name}

    return Records(read, str(folder), ("path", "text", "speaker"), size=sum(p.stat().st_size for p in ordered))


def _keyed(path: Path, reading: Reading) -> Iterator[tuple[int, str, str]]:
    """The lines of a file as (number, first word, rest)."""
    with opened(path, encoding=reading.encoding) as file:
        for number, line in enumerate(file, 1):
            if words := line.strip().split(maxsplit=1):
                yield number, words[0], words[1] if len(words) > 1 else ""


# --- text files beside recordings ---


def transcript_of(recording: Path) -> Path | None:
    """The text file next to a recording with its name."""
    stem = recording.name.removesuffix(recording.suffix)
    return next((p for suffix in BESIDE if (p := recording.parent / f"{stem}{suffix}").is_file()), None)


def open_pairs(folder: Path, recordings: Sequence[Path], reading: Reading) -> Records:
    """The records of recordings whose transcripts are text files with the same names."""

    def read() -> Found:
        for path in recordings:
            text = transcript_of(path)
            if text is None:
                what, remedy = f"no transcript {path.stem}.txt", "put it next to the recording"
                yield str(path), UserError(what, where=path, remedy=remedy)
                continue
            try:
                with opened(text, encoding=reading.encoding) as file:
                    yield str(text), {"path": str(path), "text": file.read().strip(), "speaker": path.parent.name}
            except UserError as error:
                yield str(text), error

    return Records(read, str(folder), ("path", "text", "speaker"), size=sum(p.stat().st_size for p in recordings))


def open_untitled(folder: Path, recordings: Sequence[Path]) -> Records:
    """The records of recordings without transcripts."""
    size = sum(p.stat().st_size for p in recordings)
    return Records(lambda: ((str(p), {"path": str(p)}) for p in recordings), str(folder), ("path",), size=size)


# --- Kaldi and ESPnet ---


def open_kaldi(folder: Path, reading: Reading) -> Records:
    """The records of a data directory of Kaldi: `wav.scp`, `text`, and if they are there `segments` and `utt2spk`.

    Raises:
        UserError: if a recording is the output of a command or is in an archive, or there is no `text`.
    """
    recordings = _recordings(folder, reading)
    optional = {n: _table(folder / n, reading) if (folder / n).is_file() else {} for n in ("segments", "utt2spk")}
    segments, speakers = optional["segments"], optional["utt2spk"]
    names, listing = ["path", "text", "utterance"], folder / "text"
    if not listing.is_file():
        if reading.labelled:
            raise UserError("no file text", where=folder, remedy="add the transcripts: UTTERANCE and its text")
        listing = folder / ("segments" if segments else KALDI)
    names += ["speaker"] * bool(speakers) + ["start", "end"] * bool(segments)

    def read() -> Found:
        for number, name, text in _keyed(listing, reading):
            where = f"{listing}:{number}"
            parts = segments.get(name, name).split() if segments else [name]
            if parts[0] not in recordings or len(parts) not in ((3, 4) if segments else (1,)):
                missing = "segments" if segments and name not in segments else KALDI
                yield where, UserError(f"no {name} in {missing}", where=where, remedy="add it there")
                continue
            record: dict[str, str | None] = {"path": recordings[parts[0]], "text": text, "utterance": name}
            record |= {"speaker": speakers.get(name)} if speakers else {}
            if segments:
                record |= {"start": parts[1], "end": None if parts[2].startswith("-") else parts[2]}
            yield where, record

    return Records(read, str(folder), tuple(names), size=(folder / KALDI).stat().st_size)


def speakers_in(folder: Path, reading: Reading) -> int:
    """The number of speakers of a data directory of Kaldi; 0 if it does not tell them."""
    path = folder / "utt2spk"
    return len(set(_table(path, reading).values())) if path.is_file() else 0


def _recordings(folder: Path, reading: Reading) -> dict[str, str]:
    found = {}
    for number, name, path in _keyed(folder / KALDI, reading):
        where = f"{folder / KALDI}:{number}"
        if path.endswith("|"):
            remedy = "write its output to a file, and name that file"
            raise UserError(f"a command, which is not run: {path:.60}", where=where, remedy=remedy)
        if ARCHIVE.search(path):
            raise UserError(f"an archive: {path:.60}", where=where, remedy="write each recording to a file of its own")
        found[name] = path
    return found


def _table(path: Path, reading: Reading) -> Mapping[str, str]:
    return {name: rest for _, name, rest in _keyed(path, reading)}


# --- a sub-folder for each word ---


def open_words(folder: Path) -> Records:
    """The records of a folder with a sub-folder for each word.

    Raises:
        UserError: if there are no recordings, or only one word: the names of its sub-folders are no texts then.
    """
    recordings = recordings_in(folder, "*/*")
    words = sorted({path.parent.name for path in recordings})
    if len(words) < (1 if _split_of(folder.name) in ("validation", "test") else 2):
        inside = ", ".join(sorted(p.name for p in folder.iterdir() if not hidden(p))[:8]) or "nothing"
        what = f"no recordings with texts here (found {inside})"
        if words:
            what = f"one sub-folder with recordings, {words[0]!r}, which would be the text of all"
        remedy = (
            "add a table of paths and texts (metadata.csv), a text file beside each recording, or a sub-folder per word"
        )
        raise UserError(what, where=folder, remedy=remedy)
    warn_of_others(folder, folder.glob("*/*"), RECORDINGS, "recordings")
    size = sum(p.stat().st_size for p in recordings)
    rows = [(str(p), {"path": str(p), "text": p.parent.name}) for p in recordings]
    return Records(lambda: iter(rows), str(folder), ("path", "text"), size=size)
