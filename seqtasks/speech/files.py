"""Sources of recordings with transcripts.

The input of an example is the path of a recording, `seqtasks.speech.audio.RECORDINGS`, or a message in Morse code
(`seqtasks.speech.sample`); its target is the text, as it is written in the data.
"""

import itertools
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from seqtasks.data import path_sources, tfds
from seqtasks.data.sources import TABLES, UNREADABLE, Example, Source, faults, open_text, suffix_of
from seqtasks.data.splits import NAMES, Formats, Splits, find_splits
from seqtasks.errors import UserError, needs
from seqtasks.speech import audio, sample
from seqtasks.speech.audio import ARRAY, FULL, RECORDINGS, Options

PATH_NAMES = (
    *("path", "audio", "file", "filename", "file_name", "wav", "clip", "audio_path", "audio_file", "audio_filepath"),
    *("wav_filename", "recording"),
)
TEXT_NAMES = ("text", "sentence", "transcript", "transcription", "word", "label")
TRANSCRIPTS = ".trans.txt"  # the file of a chapter in LibriSpeech
CLIPS = "clips"  # the folder of recordings next to the tables of Common Voice
TAKE = re.compile(r"_nohash_[0-9]+$")  # at the end of names in speech_commands: the take of one speaker
SAMPLE = "morse:messages"


def load_splits(
    data: Path | str | None,
    options: Options = Options(),
    train: Path | str | None = None,
    valid: Path | str | None = None,
    test: Path | str | None = None,
) -> Splits:
    """Finds the splits of recordings.

    If there are several splits like `dev-clean` and `dev-other`, the first by name is taken, with a warning; of
    LibriSpeech's folders `train-*` all are taken. A missing split is a tenth of train, selected by the hash
    (`seqtasks.data.splits.part`) of the last folder and the name of a recording. Takes of one speaker, as named in
    speech_commands, stay together.

    Args:
        data: a folder with `train`, `valid` and `test`, which are tables or folders; the folder of LibriSpeech, with
            `train-clean-100` and so on; a path that `open_speech` takes; `tfds:NAME`; or `morse:messages`, random
            messages.
        options: see `seqtasks.speech.audio.Options`.
        train: path that replaces the split of `data`.
        valid: the same.
        test: the same.

    Raises:
        UserError: if there is nothing to train on.
    """
    given: dict[str, Path | str | Source | None] = {"train": train, "validation": valid, "test": test}
    missing = [split for split, path in given.items() if path is None]
    if data == SAMPLE:
        found = sample.splits()
    elif str(data).startswith("tfds:"):
        found = _open_tfds_splits(str(data)[5:], missing, options)
    else:
        found = _open_librispeech(data, missing)
    if not found:
        return find_splits(data, options, train, valid, test, FORMATS)
    given |= {split: found[split] for split in missing if split in found}
    return find_splits(None, options, given["train"], given["validation"], given["test"], FORMATS)


def open_speech(path: Path | str, options: Options = Options()) -> Source:
    """Opens a recording, a table of paths and texts, or a folder as a source.

    The paths of a table are relative to its folder, or to `clips` in it, as in Common Voice. A folder has chapters of
    LibriSpeech (`SPEAKER/CHAPTER/*.trans.txt`), or a sub-folder for each word with recordings of it; sub-folders whose
    names begin with `_` are skipped. Chapters and words are shuffled, in an order that depends only on names. A single
    recording has the empty target.

    Args:
        path: the file or folder.
        options: see `seqtasks.speech.audio.Options`.

    Raises:
        UserError: if there is nothing at `path`, or nothing that can be read; while reading, if a line of a table or of
            transcripts names a missing recording.
    """
    for package in ("soundfile", "soxr"):
        needs(package, extra="speech")
    path = Path(path)
    if path.is_dir():
        chapters = list(path.rglob(f"*{TRANSCRIPTS}"))
        return _open_chapters(path, chapters) if chapters else _open_words(path)
    if not path.is_file():
        raise UserError("no such file or folder", where=path, remedy="check the path")
    suffix = suffix_of(path)
    if suffix in TABLES:
        return _open_table(path, options)
    if suffix in RECORDINGS:
        return Source(lambda: iter([Example(str(path), "", str(path))]), str(path), path.stat().st_size)
    remedy = f"files end in {', '.join((*RECORDINGS, *TABLES))}; or give a folder"
    raise UserError(f"unknown format {suffix or '(no suffix)'!r}", where=path, remedy=remedy)


def open_tfds(name: str, split: str, options: Options = Options(), **loading: Any) -> Source:
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
            waveform = audio.resample(_waveform(record[sound]), rate, options.sample_rate)
            np.save(folder / f"{number:07}{ARRAY}", waveform)
            rows.append((f"{number:07}{ARRAY}", target))
        path_sources.write_table(table, rows)
    return _open_table(table, Options())


def read(name: Path | str, options: Options = Options()) -> np.ndarray:
    """Reads the waveform of an input: a recording, by `seqtasks.speech.audio.read`, or a message in Morse code.

    Args:
        name: the path, or `morse:SEED:TEXT`.
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
    return audio.read(name, options)


def _waveform(samples: np.ndarray) -> np.ndarray:
    """The mean of the channels, float32 (samples,); 16-bit integers are scaled to values from -1 to 1."""
    whole = np.issubdtype(samples.dtype, np.integer)
    samples = samples.astype("float32") / (FULL if whole else 1)
    return samples.mean(1) if samples.ndim == 2 else samples


def _open_tfds_splits(name: str, splits: Iterable[str], options: Options) -> dict[str, Source]:
    """Sources of the splits that a data set of TensorFlow Datasets has."""
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder(name)
        builder.download_and_prepare()
    except tfds.core.DatasetNotFoundError:
        raise UserError("no such data set", where=f"tfds:{name}", remedy="see tfds.list_builders()") from None
    names = list(builder.info.splits) or ["train", "test"]  # some data sets do not list their splits
    found = _match_splits(names, splits)
    return {split: open_tfds(name, _first(names, split, f"tfds:{name}"), options) for split, names in found.items()}


def _open_librispeech(data: Path | str | None, splits: Iterable[str]) -> dict[str, Source]:
    """Sources of the splits in the folder of LibriSpeech; empty if `data` is something else."""
    if data is None or not Path(data).is_dir():
        return {}
    folder = Path(data)
    names = [p.name for p in folder.iterdir() if next(p.glob(f"*/*/*{TRANSCRIPTS}"), None)]
    found = {}
    for split, own in _match_splits(names, splits).items():
        own = own if split == "train" else [_first(own, split, data)]
        sources = [open_speech(folder / name) for name in own]
        found[split] = sources[0] if len(sources) == 1 else _join(sources, str(data))
    return found


def _join(sources: Sequence[Source], name: str) -> Source:
    size = sum(source.size or 0 for source in sources)
    return Source(lambda: itertools.chain.from_iterable(sources), name, size)


def _match_splits(names: Sequence[str], splits: Iterable[str]) -> dict[str, list[str]]:
    """The names that belong to each split: the one that equals its name, or else all that begin with it.

    Example:
        >>> _match_splits(["dev_clean", "dev_other", "train", "train_more"], ["train", "validation", "test"])
        {'train': ['train'], 'validation': ['dev_clean', 'dev_other']}
    """
    found = {}
    for split in splits:
        exact = [name for name in NAMES[split] if name in names][:1]
        similar = [name for name in sorted(names) if re.split("[-_]", name)[0] in NAMES[split]]
        if exact or similar:
            found[split] = exact or similar
    return found


def _first(names: Sequence[str], split: str, data: Path | str) -> str:
    if names[1:]:
        warnings.warn(f"{data}: {names[0]} taken for {split}, not {', '.join(names[1:])}", stacklevel=4)
    return names[0]


def _open_with_texts(path: Path | str, options: Options) -> Source:
    if suffix_of(path) in RECORDINGS and not Path(path).is_dir():
        remedy = "give a table of paths and texts, or a folder"
        raise UserError("a recording without a text", where=path, remedy=remedy)
    return open_speech(path, options)


def _recording_id(path: str) -> str:
    """The last folder and the name of a recording, without the number of the take.

    Example:
        >>> _recording_id("speech_commands/yes/0a7c2a8d_nohash_1.wav"), _recording_id("a/19-198-0003.flac")
        ('yes/0a7c2a8d', 'a/19-198-0003')
    """
    return path_sources.recorded(path, TAKE)


FORMATS = Formats(_open_with_texts, tuple(TABLES), group=_recording_id, grouped="name")


def _open_words(folder: Path) -> Source:
    remedy = f"give a table, a folder of LibriSpeech, or one with a sub-folder per word and {', '.join(RECORDINGS)}"
    return path_sources.open_labelled(folder, RECORDINGS, "recording", remedy, hidden="_.")


def _open_chapters(folder: Path, chapters: Iterable[Path]) -> Source:
    ordered = path_sources.mixed(chapters)

    def examples() -> Iterator[Example]:
        for chapter in ordered:
            for number, line in _lines(chapter):
                name, _, text = line.strip().partition(" ")
                where = f"{chapter}:{number}"
                found = next((p for s in RECORDINGS if (p := chapter.parent / f"{name}{s}").is_file()), None)
                if found is None:
                    remedy = f"put it next to the transcripts, as {', '.join(RECORDINGS)}"
                    raise UserError(f"no recording {name}", where=where, remedy=remedy)
                yield Example(str(found), text.strip(), where)

    return Source(examples, str(folder), sum(p.stat().st_size for p in ordered))


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a file that are not empty, with their numbers."""
    try:
        with open_text(path) as file:
            yield from ((number, line) for number, line in enumerate(file, 1) if line.strip())
    except UNREADABLE as error:
        raise faults(path, error) from None


def _open_table(path: Path, options: Options) -> Source:
    columns = replace(options.columns, text_names=PATH_NAMES, label_names=TEXT_NAMES)
    return path_sources.open_paths(path, columns, RECORDINGS, "recording", beside=CLIPS)
