"""Sources of recordings with transcripts.

The input of an example is the path of a recording, or of a part of it (`seqtasks.speech.audio.read`), the name of a
waveform in memory, or a message in Morse code (`seqtasks.speech.sample`); its target is the text.
"""

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from seqtasks.data import path_sources, tfds
from seqtasks.data.columns import Columns
from seqtasks.data.memory import array_of
from seqtasks.data.reading import Reading
from seqtasks.data.sources import Example, Source, join
from seqtasks.data.splits import NAMES, Formats
from seqtasks.data.tables import open_records
from seqtasks.data.text_files import suffix_of
from seqtasks.errors import UserError, needs
from seqtasks.speech import audio, layouts, sample
from seqtasks.speech.audio import ARRAY, RECORDINGS, Options
from seqtasks.speech.records import TEXT_NAMES, columns_of, open_table
from seqtasks.speech.transcripts import normalise

TAKE = re.compile(r"_nohash_[0-9]+$")  # at the end of names in speech_commands: the take of one speaker
SAMPLE = "morse:messages"
LISTS = (*layouts.PIPES, ".scp")  # files that are not read as any table is


def formats(options: Options = Options()) -> Formats:
    """How recordings with transcripts are read; the texts are normalised.

    Args:
        options: see `seqtasks.speech.audio.Options`.

    Example:
        >>> from seqtasks.data.splits import find_splits
        >>> splits = find_splits("morse:messages", formats(Options(8000)))
        >>> [len(list(source)) for _, source in splits]
        [4000, 200, 200]
    """
    columns = columns_of(options)
    return Formats(
        records=lambda records, reading: _normalised(open_table(records, reading, options)),
        open=lambda path, reading: _normalised(open_speech(path, reading, options)),
        suffixes=(*RECORDINGS, *LISTS),
        is_header=lambda first, reading: columns.is_header(first, reading.labelled),
        find=lambda data, reading: {n: _normalised(s) for n, s in find_layout(data, reading, options).items()},
        open_tfds=lambda name, split, reading: _normalised(open_tfds(name, split, options)),
        group=_recording_id,
        grouped="name",
    )


def find_layout(data: str, reading: Reading, options: Options = Options()) -> dict[str, Source]:
    """The splits of data that only this package knows; empty for other data.

    Of folders like `dev-clean` and `dev-other` the first by name is taken, with a warning; of `train-*` all are taken.

    Args:
        data: `morse:messages`, random messages; a folder of LibriSpeech, with `train-clean-100` and so on, or of data
            directories of Kaldi; a folder with tables `train.*` beside folders of their recordings; a folder with a
            table whose paths begin with `train/`, `test/`.
        reading: the options of reading.
        options: see `seqtasks.speech.audio.Options`.
    """
    if data == SAMPLE:
        return sample.splits()
    folder = Path(data)
    if not folder.is_dir():
        return {}
    folders = [p.name for p in folder.iterdir() if p.is_dir() and not layouts.hidden(p)]
    if found := layouts.match_splits(name for name in folders if _is_corpus(folder / name)):
        return {split: _open_all(folder, split, own, reading, options) for split, own in found.items()}
    inside, tables = layouts.match_splits(folders), layouts.split_tables(folder)
    if tables and ("train" in inside or not inside):  # folders of these names hold the recordings
        return {split: open_speech(path, reading, options) for split, path in tables.items()}
    if "train" in inside and (table := layouts.metadata_in(folder)):
        return _by_folder(open_speech(table, reading, options), folder, inside)
    if not inside and not tables and layouts.recordings_in(folder):  # one of them may be called test.wav
        return {"train": open_speech(folder, reading, options)}
    return {}


def _is_corpus(folder: Path) -> bool:
    """Whether a folder is a part of LibriSpeech, or a data directory of Kaldi."""
    return (folder / layouts.KALDI).is_file() or next(folder.glob(f"*/*/*{layouts.CHAPTER}"), None) is not None


def _open_all(folder: Path, split: str, names: list[str], reading: Reading, options: Options) -> Source:
    own = names if split == "train" else [layouts.first_of(names, split, folder)]
    sources = [open_speech(folder / name, reading, options) for name in own]
    return sources[0] if len(sources) == 1 else join(sources, str(folder))


def _by_folder(source: Source, folder: Path, inside: Mapping[str, list[str]]) -> dict[str, Source]:
    """The splits of a table by the first folder of its paths."""

    def of(names: list[str]) -> Source:
        roots = [folder / name for name in names]
        return source.select(lambda e: any(Path(e.input).is_relative_to(r) for r in roots), str(folder / names[0]))

    return {split: of(names) for split, names in inside.items()}


def open_speech(path: Path | str, reading: Reading = Reading(), options: Options = Options()) -> Source:
    """Opens a recording, a table of paths and texts, or a folder as a source.

    A folder is, in this order: a data directory of Kaldi; chapters of LibriSpeech (`SPEAKER/CHAPTER/*.trans.txt`);
    recordings that a table in it describes; recordings with a text file beside each; a sub-folder for each word with
    recordings of it. Names that begin with `.` or `_` are ignored. Chapters and words are mixed, in an order that
    depends only on names. A single recording has the empty target.

    Args:
        path: the file or folder.
        reading: the options of reading.
        options: see `seqtasks.speech.audio.Options`.

    Raises:
        UserError: if there is nothing at `path`, or nothing that can be read. Records without a recording or a text are
            `Faulty`.
    """
    for package in ("soundfile", "soxr"):
        needs(package, extra="speech")
    path = Path(path)
    if path.is_dir():
        return _open_folder(path, reading, options)
    if not path.is_file():
        raise UserError("no such file or folder", where=path, remedy="check the path")
    suffix, columns = suffix_of(path), columns_of(options)
    if path.name == layouts.KALDI:
        return _open_folder(path.parent, reading, options)
    if suffix in RECORDINGS:
        if reading.labelled:
            remedy = "give a table of paths and texts, or a folder"
            raise UserError("a recording without a text", where=path, remedy=remedy)
        return Source(lambda: iter([Example(str(path), "", str(path))]), str(path), path.stat().st_size)

    def is_header(first: list[str]) -> bool:
        return columns.is_header(first, reading.labelled)

    if layouts.is_list(path, reading):
        return open_table(layouts.open_list(path, reading, is_header), reading, options)
    return open_table(open_records(path, reading, is_header), reading, options)


def _open_folder(folder: Path, reading: Reading, options: Options) -> Source:
    plain = dataclasses.replace(options, columns=Columns())  # the names of columns below are our own
    if (folder / layouts.KALDI).is_file():
        records = layouts.open_kaldi(folder, reading)
        grouped = "speaker" if layouts.speakers_in(folder, reading) >= len(NAMES) else None
        return open_table(records, reading, plain, grouped)
    if chapters := list(folder.rglob(f"*{layouts.CHAPTER}")):
        return open_table(layouts.open_chapters(folder, chapters, reading), reading, plain)
    if table := layouts.metadata_in(folder):
        return open_speech(table, reading, options)
    recordings = layouts.recordings_in(folder, "**/*")
    if any(layouts.transcript_of(path) for path in recordings[:1000]):
        path_sources.warn_of_others(folder, folder.rglob("*"), (*RECORDINGS, *layouts.BESIDE), "recordings")
        return open_table(layouts.open_pairs(folder, recordings, reading), reading, plain)
    if table := layouts.only_table_in(folder):
        return open_speech(table, reading, options)
    if not reading.labelled and recordings:
        return open_table(layouts.open_untitled(folder, recordings), reading, plain)
    return open_table(layouts.open_words(folder), reading, plain)


def open_tfds(name: str, split: str, options: Options = Options(), **loading: object) -> Source:
    """One split of a data set of TensorFlow Datasets with sound and a text or class, like `librispeech`.

    The first call writes the waveforms as arrays, and a table of them, into the folder `audio_RATE/` of the data set:
    230 MB for an hour at 16,000 samples a second. Classes whose names begin with `_` are left out.

    Args:
        name: as `tfds.load` takes it, e.g. `speech_commands`.
        split: e.g. `train`.
        options: see `seqtasks.speech.audio.Options`.
        loading: passed to `tfds.load` (`data_dir`).

    Raises:
        UserError: if there is no sound or no text, or the sample rate is unknown.
    """
    data = tfds.open_dataset(name, split, **loading)
    sounds, text = data.features_of_type("Audio"), next((name for name in TEXT_NAMES if name in data.features), None)
    if not sounds or text is None:
        raise data.no_feature("sound and text")
    sound, label_name = sounds[0], getattr(data.features[text], "int2str", None)
    rate = data.features[sound].sample_rate
    if rate is None:
        raise UserError("the sample rate is unknown", where=f"tfds:{name}", remedy="name another data set")
    folder = Path(data.info.data_dir) / f"audio_{options.sample_rate}" / split
    table = folder / "recordings.csv"
    if not table.exists():
        folder.mkdir(parents=True, exist_ok=True)
        rows = [("path", "text")]
        for number, record in data.records():
            target = label_name(int(record[text])) if label_name else record[text].decode("utf-8", "replace")
            if label_name and target.startswith("_"):
                continue
            waveform = audio.resample(audio.mono(record[sound]), rate, options.sample_rate)
            np.save(folder / f"{number:07}{ARRAY}", waveform)
            rows.append((f"{number:07}{ARRAY}", target))
        path_sources.write_table(table, rows)
    return open_speech(table)


def read(name: Path | str, options: Options = Options()) -> np.ndarray:
    """Reads the waveform of an input: a recording, by `seqtasks.speech.audio.read`, or a message in Morse code.

    Args:
        name: the path, the name of an array in memory, or `morse:SEED:TEXT`.
        options: see `seqtasks.speech.audio.Options`.

    Returns:
        float32 array (samples,).

    Raises:
        UserError: if the input cannot be read.

    Example:
        >>> read("morse:1:sos", Options(sample_rate=8000)).dtype.name
        'float32'
    """
    if str(name).startswith(sample.PREFIX):
        return sample.read(str(name), options.sample_rate)
    kept = array_of(str(name))
    return audio.read(name, options) if kept is None else kept


def _normalised(source: Source) -> Source:
    return source.map(lambda example: example._replace(target=normalise(example.target)))


def _recording_id(name: str) -> str:
    """The last folder and the name of a recording, without the number of the take: parts of one have the same.

    Example:
        >>> _recording_id("speech_commands/yes/0a7c2a8d_nohash_1.wav"), _recording_id("a/talk.flac#t=1.5,2.5")
        ('yes/0a7c2a8d', 'a/talk')
    """
    return path_sources.recorded(re.sub(r"#t=[0-9.,]*$", "", name), TAKE)
