"""Examples from records of recordings and texts: tables, manifests, data sets, waveforms in memory."""

import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seqtasks.data.columns import Columns, find_column, missing_field, with_fields
from seqtasks.data.media_segments import SEGMENT, SegmentColumns, fragment, with_segments
from seqtasks.data.memory import keep_array, keep_file
from seqtasks.data.reading import Reading
from seqtasks.data.sources import Example, Faulty, Source
from seqtasks.data.tables import Record, Records, value_of
from seqtasks.data.targets import label_text
from seqtasks.data.values import missing
from seqtasks.errors import UserError
from seqtasks.speech import audio
from seqtasks.speech.audio import RECORDINGS, Options

PATH_NAMES = (
    *("path", "audio", "file", "filename", "file_name", "wav", "clip", "audio_path", "audio_file", "audio_filepath"),
    *("wav_filename", "recording", "filepath", "file_path", "wav_path", "sound", "speech", "array"),
)
TEXT_NAMES = (
    "text",
    "sentence",
    "transcript",
    "transcription",
    "word",
    "label",
    "normalized_text",
    "raw_transcription",
)
SEGMENTS = SegmentColumns(start_option="", end_option="", manifest="audio_filepath")  # the manifests of NeMo
FOLDERS = ("clips", "wavs", "wav", "audio", "data", "recordings")  # of recordings, beside the tables that name them


def columns_of(options: Options) -> Columns:
    """The columns of a table of recordings, with the names that they usually have."""
    return dataclasses.replace(
        options.columns, text_names=PATH_NAMES, label_names=TEXT_NAMES, text_option="--path_column",
        label_option="--text_column",
    )  # fmt: skip


def open_table(
    records: Records, reading: Reading = Reading(), options: Options = Options(), grouped: str | None = None
) -> Source:
    """The source of records with a recording and a text.

    A recording is a path, a waveform (an array at `options.sample_rate`, or a dict with `array` and `sampling_rate`),
    or an encoded file (bytes, or a dict with `bytes` and `path`). Columns `start` and `end`, or `offset` and
    `duration`, in seconds, take a part of it.

    Args:
        records: the records.
        reading: `labelled`, `carry` and `group`.
        options: see `seqtasks.speech.audio.Options`.
        grouped: the column that groups examples if `reading` names none.

    Raises:
        UserError: if a column is missing. A record that is wrong, or whose file is not there, is `Faulty`.

    Example:
        >>> rows = [(1, {"audio": np.array([0.5, -0.5]), "text": "yes"}), (2, {"audio": "gone.wav", "text": "no"})]
        >>> source = open_table(Records(lambda: iter(rows), "memory", ("audio", "text")))
        >>> [str(getattr(item, "error", item[1])) for item in source.read()][0]
        'yes'
    """
    fields = _Fields(records, columns_of(options), reading.labelled)
    finder = _Finder(records.name, options)
    if grouped and not reading.group:
        reading = dataclasses.replace(reading, group=grouped)
    rest = with_fields(records, reading)
    records, _ = with_segments(records, reading, SEGMENTS)

    def examples() -> Iterator[Example | Faulty]:
        for place, record in records.read():
            told: Example | None = None
            try:
                if isinstance(record, UserError):
                    raise record
                where = records.where(place)
                path, text = fields.of(record, where)
                if isinstance(path, str):
                    told = rest(Example(path, text, place), record)
                name = finder.name_of(path, where)
                if segment := record.get(SEGMENT):
                    name = _cut(name, segment, where)
                carried = {c: value for c, value in record.items() if value is not path and c != "array"}
                yield rest(Example(name, text, place), {**carried, **({fields.path: name} if fields.path else {})})
            except UserError as error:
                yield Faulty(error, fields=(("file", told.input), *told.fields) if told else ())

    return Source(examples, records.name, records.size)


class _Fields:
    """Which fields of a record are the recording and the text."""

    def __init__(self, records: Records, columns: Columns, labelled: bool) -> None:
        self.columns, self.labelled = columns, labelled
        self.path: str | None = None
        self.text: str | None = None
        names, where = records.names, records.name
        if not names:
            return
        if not records.header and columns.text is None and columns.label is None and len(names) == 1 + labelled:
            self.path, self.text = names[0], names[-1]
            return
        self.path = find_column(names, columns.text, columns.text_names, "path", columns.text_option, where)
        if labelled:
            self.text = find_column(names, columns.label, columns.label_names, "text", columns.label_option, where)
        if self.path is None or (labelled and self.text in (None, self.path)):
            wanted = "path and text" if labelled else "path"
            remedy = f"name them with {columns.text_option} and {columns.label_option} (a name, or a number from 1)"
            raise UserError(f"no {wanted} among {self._listed(records)}", where=where, remedy=remedy)

    @staticmethod
    def _listed(records: Records) -> str:
        if records.header:
            return ", ".join(repr(name[:40]) for name in records.names)
        first = next((record for _, record in records.read() if not isinstance(record, UserError)), {})
        return ", ".join(repr(str(value)[:40]) for value in first.values())

    def of(self, record: Record, where: str) -> tuple[Any, str]:
        """The recording and the text of a record."""
        columns = self.columns
        path = self._value(record, self.path, columns.text, columns.text_names, where, columns.text_option)
        if path is record.get("array") and "sampling_rate" in record:
            path = {"array": path, "sampling_rate": record["sampling_rate"]}
        elif record.get("bytes") and isinstance(record["bytes"], bytes):
            path = {"bytes": record["bytes"], "path": path}
        if missing(path) or (isinstance(path, str) and not path.strip()):
            raise UserError("the path is missing", where=where, remedy="give every record the path of a recording")
        if not self.labelled:
            return path, ""
        text = self._value(record, self.text, columns.label, columns.label_names, where, columns.label_option)
        if not (found := label_text(text)):
            raise UserError("the text is missing", where=where, remedy="give every record the text that is spoken")
        return path, found

    @staticmethod
    def _value(
        record: Record, found: str | None, wanted: str | None, usual: Sequence[str], where: str, option: str
    ) -> Any:
        if found is not None:
            return value_of(record, found)
        names = (wanted,) if wanted else usual
        name = next((name for name in names if value_of(record, name) is not None), None)
        if name is None and not any(name in record for name in names):
            raise missing_field(record, names, where, option)
        return None if name is None else value_of(record, name)


class _Finder:
    """Finds the recordings that records name."""

    def __init__(self, table: str, options: Options) -> None:
        self.options = options
        path = Path(table)
        folder = path if path.is_dir() else path.parent if path.is_file() else Path()
        beside = [*FOLDERS, path.name.split(".")[0]] if path.is_file() else []
        media = [Path(options.media_root)] if options.media_root else []
        if media and not media[0].is_dir():
            raise UserError("no such folder", where=f"--media_root {media[0]}", remedy="check the path")
        near = [folder, *(folder / name for name in beside if (folder / name).is_dir())]
        above = [Path(), *list(folder.resolve().parents)[:2]] if path.is_dir() else []  # paths of Kaldi
        self.folders, self.named = [*media, *near, *above], near[-1]
        self.last = (self.folders[0], "")

    def name_of(self, value: Any, where: str) -> str:
        """The name of a recording, which is the input of an example.

        Args:
            value: a path, or what holds the sound.
            where: the record, for messages.

        Raises:
            UserError: if there is no such recording.
        """
        if isinstance(value, str | os.PathLike):
            return self._of_path(os.fspath(value).strip(), where)
        if isinstance(value, bytes):
            name = _decoded(value)
            return self._of_path(name, where) if name else keep_file(value)
        if isinstance(value, Mapping):
            return self._of_mapping(value, where)
        if isinstance(value, list) or hasattr(value, "__array__"):
            return self._of_array(value, self.options.sample_rate, where)
        what = f"{type(value).__name__} {value!r:.40} is not a recording"
        raise UserError(what, where=where, remedy="give a path, or an array of samples")

    def _of_path(self, name: str, where: str) -> str:
        file, part = audio.file_and_part(name)
        tried = dict.fromkeys([self.last, *((folder, "") for folder in self.folders)])
        tried |= {(folder, suffix): None for suffix in RECORDINGS for folder in self.folders}
        for folder, suffix in tried:
            for spelling in dict.fromkeys([f"{file}{suffix}", f"{file}{suffix}".replace("\\", "/")]):
                if (found := folder / spelling).is_file():
                    self.last = folder, suffix
                    return f"{found}{fragment(*part)}"
        remedy = "give paths relative to the folder of the table, or name their folder with --media_root"
        raise UserError(f"no such file {self.named / file}", where=where, remedy=remedy)

    def _of_mapping(self, value: Mapping[str, Any], where: str) -> str:
        if value.get("array") is not None:
            return self._of_array(value["array"], value.get("sampling_rate") or self.options.sample_rate, where)
        if value.get("bytes"):
            return keep_file(value["bytes"], str(value.get("path") or ""))
        if isinstance(value.get("path"), str):
            return self._of_path(value["path"], where)
        what = f"a dict of {', '.join(map(str, value))} is not a recording"
        raise UserError(what, where=where, remedy="give array and sampling_rate, or bytes")

    def _of_array(self, value: Any, rate: int, where: str) -> str:
        return keep_array(audio.from_array(np.asarray(value), int(rate), self.options, where))


def _decoded(name: bytes) -> str | None:
    """A path from bytes; None if they are the content of a file."""
    try:
        return None if b"\0" in name else name.decode("utf-8").strip()
    except UnicodeDecodeError:
        return None


def _cut(name: str, segment: str, where: str) -> str:
    if not Path(name).exists():
        what = "a part of an array" if name.startswith("memory:") else "a part of a part"
        raise UserError(what, where=where, remedy="give the array of the part alone")
    return f"{name}{segment}"
