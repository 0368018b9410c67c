"""Sources of recordings with what is said in each.

The input of an example is the path of a recording, `seqtasks.speech.audio.RECORDINGS`, or a message in Morse code
(`seqtasks.speech.sample`); its target is the text, as it is written in the data.
"""

import itertools
import re
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from seqtasks.data import path_sources, tfds
from seqtasks.data.sources import TABLES, UNREADABLE, Example, Source, faults, open_text, suffix_of
from seqtasks.data.splits import NAMES, Formats, find_splits
from seqtasks.errors import UserError, needs
from seqtasks.speech import audio, sample
from seqtasks.speech.audio import ARRAY, FULL, RECORDINGS, Options

PATH_NAMES = (
    *("path", "audio", "file", "filename", "file_name", "wav", "clip", "audio_path", "audio_file", "audio_filepath"),
    *("wav_filename", "recording"),
)
TEXT_NAMES = ("text", "sentence", "transcript", "transcription", "word", "label")
TRANSCRIPTS = ".trans.txt"  # of a chapter in LibriSpeech
CLIPS = "clips"  # the folder beside the tables of Common Voice
TAKE = re.compile(r"_nohash_[0-9]+$")  # at the end of names in speech_commands: which take of one speaker it is
SAMPLE = "morse:messages"


def load_splits(data, options=Options(), train=None, valid=None, test=None):
    """The splits of recordings.

    Of splits like `dev-clean` and `dev-other` the first by name is taken, with a warning; of LibriSpeech's folders
    `train-*` all. A split that is missing is a tenth of train by the hash (`seqtasks.data.splits.part`) of the last
    folder and the name of a recording, where takes of one speaker, as speech_commands names them, stay together.

    Args:
        data: a folder with `train`, `valid` and `test`, which are tables or folders; the folder of LibriSpeech, with
            `train-clean-100` and so on; a path that `open_speech` takes; `tfds:NAME`; or `morse:messages`, which are
            random ones.
        options: see `seqtasks.speech.audio.Options`.
        train, valid, test: paths that take the place of what `data` holds.
    """
    given = {"train": train, "validation": valid, "test": test}
    missing = [split for split, path in given.items() if path is None]
    if data == SAMPLE:
        found = sample.splits()
    elif str(data).startswith("tfds:"):
        found = _of_tfds(str(data)[5:], missing, options)
    else:
        found = _of_librispeech(data, missing)
    if not found:
        return find_splits(data, options, train, valid, test, FORMATS)
    given |= {split: found[split] for split in missing if split in found}
    return find_splits(None, options, given["train"], given["validation"], given["test"], FORMATS)


def open_speech(path, options=Options()):
    """The source behind a recording, a table of paths and texts, or a folder.

    The paths of a table are relative to its folder, or to `clips` in it, as in Common Voice. A folder holds chapters of
    LibriSpeech (`SPEAKER/CHAPTER/*.trans.txt`), or a sub-folder for each word with recordings of it; those whose names
    begin with `_` are no words. Chapters and words come mixed, in an order that depends on names alone. A recording by
    itself has the empty target.

    Raises:
        UserError: if there is nothing at `path`, or nothing that can be read; while reading, at a line of a table or of
            transcripts that names no recording.
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


def read(name, options=Options()):
    """The waveform of an input: a recording as `seqtasks.speech.audio.read` reads it, or a message in Morse code.

    Example:
        >>> read("morse:1:sos", Options(sample_rate=8000)).dtype.name
        'float32'
    """
    if str(name).startswith(sample.PREFIX):
        return sample.read(str(name), options.sample_rate)
    return audio.read(name, options)


def _waveform(samples):
    """The mean of the channels, (samples,), of 16-bit integers as numbers from -1 to 1."""
    whole = np.issubdtype(samples.dtype, np.integer)
    samples = samples.astype("float32") / (FULL if whole else 1)
    return samples.mean(1) if samples.ndim == 2 else samples


def _of_tfds(name, splits, options):
    """Sources of the splits that a data set of TensorFlow Datasets has."""
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder(name)
        builder.download_and_prepare()
    except tfds.core.DatasetNotFoundError:
        raise UserError("no such data set", where=f"tfds:{name}", remedy="see tfds.list_builders()") from None
    found = _named(list(builder.info.splits) or ["train", "test"], splits)  # some data sets do not list their splits
    return {split: open_tfds(name, _first(names, split, f"tfds:{name}"), options) for split, names in found.items()}


def _of_librispeech(data, splits):
    """Sources of the splits in the folder of LibriSpeech; none if `data` is another."""
    if data is None or not Path(data).is_dir():
        return {}
    folders = [p.name for p in Path(data).iterdir() if next(p.glob(f"*/*/*{TRANSCRIPTS}"), None)]
    found = {}
    for split, names in _named(folders, splits).items():
        names = names if split == "train" else [_first(names, split, data)]
        sources = [open_speech(Path(data) / name) for name in names]
        name = sources[0].name if len(sources) == 1 else str(data)
        read = lambda sources=sources: itertools.chain.from_iterable(sources)  # noqa: E731
        found[split] = Source(read, name, sum(source.size for source in sources))
    return found


def _named(names, splits):
    """What of `names` is each split: one that has its name, or else all that begin with it.

    Example:
        >>> _named(["dev_clean", "dev_other", "train", "train_more"], ["train", "validation", "test"])
        {'train': ['train'], 'validation': ['dev_clean', 'dev_other']}
    """
    found = {}
    for split in splits:
        exact = [name for name in NAMES[split] if name in names][:1]
        alike = [name for name in sorted(names) if re.split("[-_]", name)[0] in NAMES[split]]
        if exact or alike:
            found[split] = exact or alike
    return found


def _first(names, split, data):
    if names[1:]:
        warnings.warn(f"{data}: {names[0]} taken for {split}, not {', '.join(names[1:])}", stacklevel=4)
    return names[0]


def _open_labelled(path, options):
    if suffix_of(path) in RECORDINGS and not Path(path).is_dir():
        remedy = "give a table of paths and texts, or a folder"
        raise UserError("a recording without a text", where=path, remedy=remedy)
    return open_speech(path, options)


def _recorded(path):
    """What a recording is a take of.

    Example:
        >>> _recorded("speech_commands/yes/0a7c2a8d_nohash_1.wav"), _recorded("a/19-198-0003.flac")
        ('yes/0a7c2a8d', 'a/19-198-0003')
    """
    return path_sources.recorded(path, TAKE)


FORMATS = Formats(_open_labelled, tuple(TABLES), group=_recorded, grouped="name")


def _open_words(folder):
    remedy = f"give a table, a folder of LibriSpeech, or one with a sub-folder per word and {', '.join(RECORDINGS)}"
    return path_sources.open_labelled(folder, RECORDINGS, "recording", remedy, hidden="_.")


def _open_chapters(folder, chapters):
    chapters = path_sources.mixed(chapters)

    def examples():
        for chapter in chapters:
            for number, line in _lines(chapter):
                name, _, text = line.strip().partition(" ")
                where = f"{chapter}:{number}"
                found = next((p for s in RECORDINGS if (p := chapter.parent / f"{name}{s}").is_file()), None)
                if found is None:
                    remedy = f"put it beside the transcripts, as {', '.join(RECORDINGS)}"
                    raise UserError(f"no recording {name}", where=where, remedy=remedy)
                yield Example(str(found), text.strip(), where)

    return Source(examples, str(folder), sum(p.stat().st_size for p in chapters))


def _lines(path):
    try:
        with open_text(path) as file:
            yield from ((number, line) for number, line in enumerate(file, 1) if line.strip())
    except UNREADABLE as error:
        raise faults(path, error) from None


def _open_table(path, options):
    columns = replace(options.columns, text_names=PATH_NAMES, label_names=TEXT_NAMES)
    return path_sources.open_paths(path, columns, RECORDINGS, "recording", beside=CLIPS)
