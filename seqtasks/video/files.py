"""Sources of labelled clips: folders, tables, lists, data sets, arrays in memory, and the built-in moving digits.

The input of an example names a clip as `seqtasks.video.clips.read` takes it; its target is the class.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from seqtasks.data import path_sources, tfds
from seqtasks.data.columns import Columns
from seqtasks.data.media_segments import SegmentColumns, segment_of
from seqtasks.data.memory import keep_array, keep_file
from seqtasks.data.reading import Reading
from seqtasks.data.sources import Example, Source
from seqtasks.data.splits import NAMES, Formats
from seqtasks.data.tables import SUFFIXES, Record, Records, open_records
from seqtasks.data.targets import is_several, join_labels, split_labels
from seqtasks.data.text_files import suffix_of
from seqtasks.errors import UserError, needs
from seqtasks.video.clips import ARRAY, CLIPS, Options, checked_frames, take_frames
from seqtasks.video.decoding import open_range
from seqtasks.video.lists import Layout, class_names, find_lists, open_list
from seqtasks.video.pictures import has_pictures
from seqtasks.video.sample import MOTIONS

LIST = ".txt"
ENCODED = ".mp4"  # the suffix of a copy of a video without a name; the content decides how it is decoded
PATH_NAMES = (
    "path", "file", "filename", "video", "clip", "video_path", "clip_path", "file_name", "video_name", "clip_name",
    "file_path", "filepath", "frame_dir", "name",
)  # fmt: skip
LABEL_NAMES = ("label", "class", "tag", "category", "action", "activity", "target", "label_name", "class_name")
BESIDE = ("videos", "clips", "video", "frames", "data")  # folders next to a table that may hold its clips
DIGITS = {"train": 2048, "validation": 256, "test": 512}  # clips of the built-in data set
CUT = re.compile(  # the end of names in UCF101, which is the number of the cut of a recording, and in HMDB51
    r"_c[0-9]+$|_[fhlu]_[cn]m_np[0-9]+_[a-z]{2}_[a-z]{3}_[0-9]+$"
)
FOLDER = (
    "give a folder with one sub-folder per class, which holds clips or a folder of pictures for each; clips end in "
)


@dataclass(frozen=True)
class Tables:
    """How tables and lists of clips are read.

    Args:
        columns: the columns with the path and the label; those with usual names by default.
        segments: the columns with the start and the end of a segment; None reads whole clips.
        layout: where the clips and the names of the classes are.
    """

    columns: Columns = field(default_factory=Columns)
    segments: SegmentColumns | None = SegmentColumns()
    layout: Layout = Layout()

    @property
    def all_columns(self) -> Columns:
        """The columns with the names that clips have in tables."""
        return replace(self.columns, text_names=PATH_NAMES, label_names=LABEL_NAMES, text_option="--path_column")


def formats(options: Options = Options(), tables: Tables = Tables()) -> Formats:
    """How labelled clips are read.

    Cuts of one recording, as UCF101 and HMDB51 name them (`..._g01_c01.avi`), segments of one file, and clips in one
    folder inside that of their class are groups.

    Args:
        options: how clips are read.
        tables: how tables and lists are read.

    Example:
        >>> import tempfile
        >>> from seqtasks.data.splits import open_data
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ("run/1.mp4", "run/2.mp4", "walk/g01/clip/001.jpg"):
        ...     (folder / name).parent.mkdir(parents=True, exist_ok=True)
        ...     (folder / name).touch()
        >>> sorted((Path(e.input).name, e.target, e.group) for e in open_data(folder, formats()))
        [('1.mp4', 'run', ''), ('2.mp4', 'run', ''), ('clip', 'walk', 'walk/g01')]
    """
    columns = tables.all_columns
    return Formats(
        records=lambda records, reading: open_table(records, reading, options, tables),
        open=lambda path, reading: open_clips(path, reading, options, tables),
        suffixes=(*CLIPS, LIST),
        is_header=lambda first, reading: columns.is_header(first, reading.labelled),
        find=lambda data, reading: find(data, reading, options, tables),
        open_tfds=lambda name, split, reading: open_tfds(name, split, options),
        group=recording,
        grouped="name",
        labels=split_labels,
    )


def recording(path: str) -> str:
    """Folder and name of the recording from which a clip was cut.

    Example:
        >>> recording("UCF-101/Archery/v_Archery_g01_c02.avi"), recording("run/07.mp4#t=1,2")
        ('Archery/v_Archery_g01', 'run/07')
        >>> recording("wave/Prelinger_wave_u_nm_np1_fr_med_0.avi")
        'wave/Prelinger_wave'
    """
    return path_sources.recorded(segment_of(path)[0], CUT)


def open_clips(
    path: Path, reading: Reading = Reading(), options: Options = Options(), tables: Tables = Tables()
) -> Source:
    """The source of a folder with a sub-folder per class, of a list (`.txt`), or without labels of any clips.

    The clips of a folder are in an order that mixes the classes and depends on names only. A folder with a table called
    `metadata` is read by it.

    Args:
        path: the folder, list or clip.
        reading: `labelled`, and what lists and tables need.
        options: how clips are read.
        tables: how tables and lists are read.

    Raises:
        UserError: if there are no clips, or labels are needed and there are none.
    """
    needs("av", extra="video")
    if suffix_of(path) == LIST and path.is_file():
        _without_columns(path, reading)
        return open_list(path, reading, tables.layout)
    if path.is_dir() and (table := _table(path, "metadata")):
        return _open_file(table, reading, options, tables)
    _without_columns(path, reading)
    if not reading.labelled:
        found = [path] if path.is_file() or has_pictures(path) else list(_clips_in(path))
        if not found:
            raise UserError("no clips in it", where=path, remedy=f"clips end in {', '.join(CLIPS)}")
        examples = [Example(str(clip), "", str(clip)) for clip in found]
        return Source(lambda: iter(examples), str(path))
    if path.is_file() or (has_pictures(path) and not any(p.is_dir() for p in path.iterdir())):
        remedy = "give a folder with one sub-folder per class, or a table of paths and labels"
        raise UserError("a clip without a class", where=path, remedy=remedy)
    inside = sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))
    bare = next((p for p in inside if has_pictures(p)), None)
    if bare and not any(any(_clips_in(p)) for p in inside):
        remedy = f"put it into the folder of its class, as in {path.name}/CLASS/{bare.name}, or give a table"
        raise UserError("a clip without a class", where=bare, remedy=remedy)
    return path_sources.open_labelled(path, CLIPS, "clip", f"{FOLDER}{', '.join(CLIPS)}", find=_clips_in)


def _without_columns(path: Path, reading: Reading) -> None:
    if reading.group:
        remedy = "leave it out: clips of one recording, or in one folder inside a class, are a group anyway"
        raise UserError(f"{path} has no columns", where=f"--group {reading.group}", remedy=remedy)


def _clips_in(folder: Path) -> Iterator[Path]:
    """The clips in a folder and below it: files, and folders of pictures that are not the folder itself."""
    with os.scandir(folder) as found:  # it tells folders from files without looking at each
        inside = sorted((entry.name, entry.is_dir()) for entry in found if not entry.name.startswith("."))
    for name, is_folder in inside:
        path = folder / name
        if is_folder:
            deeper = list(_clips_in(path))
            yield from deeper or ([path] if has_pictures(path) else [])
        elif suffix_of(name) in CLIPS:
            yield path


def open_table(
    records: Records, reading: Reading = Reading(), options: Options = Options(), tables: Tables = Tables()
) -> Source:
    """The source of records of paths and labels; paths are relative to the folder of their table, or to `media_root`.

    Frames in memory can take the place of a path: an array (time, height, width, 3), or a list of pictures.

    Args:
        records: the records.
        reading: the options of reading.
        options: how clips are read.
        tables: the columns, and where the clips are.

    Raises:
        UserError: if a column is not there. A record whose clip does not exist is `Faulty`.
    """
    needs("av", extra="video")
    stem = Path(records.name).name.split(".")[0]
    source = path_sources.open_paths(
        _kept(records, options), tables.all_columns, reading, CLIPS, "clip",
        (stem, *BESIDE), tables.layout.media_root, tables.segments,
    )  # fmt: skip
    if tables.layout.class_list is None:
        return source
    names = class_names(tables.layout.class_list)

    def name_of(label: str) -> str:
        return names.get(int(label), label) if label.isdecimal() else label

    def named(example: Example) -> Example:
        several = is_several(example.target)
        named = [name_of(label) for label in split_labels(example.target)]
        return example._replace(target=join_labels(named) if several else named[0])

    return source.map(named)


def _kept(records: Records, options: Options) -> Records:
    """Records in which frames are the names of arrays in memory, sampled and scaled; encoded videos are copied."""

    def name_of(value: Any, where: str) -> Any:
        if isinstance(value, Mapping) and {"bytes", "path"} <= set(value):  # of a data set of Hugging Face
            if not value["bytes"]:
                return value["path"]
            return _kept_file(value["bytes"], str(value["path"] or ""), where)
        if isinstance(value, bytes) and b"\0" in value:
            return _kept_file(value, "", where)
        if isinstance(value, list | tuple) and value and all(isinstance(v, np.ndarray) for v in value):
            if len({picture.shape for picture in value}) > 1:
                raise UserError("pictures of different sizes", where=where, remedy="give frames of one size")
            value = np.stack(value)
        if not isinstance(value, np.ndarray) or value.ndim < 3:
            return value
        return keep_array(take_frames(checked_frames(value, where), options))

    def read() -> Iterator[tuple[int | str, Record | UserError]]:
        for place, record in records.read():
            if not isinstance(record, UserError):
                try:
                    record = {name: name_of(value, records.where(place)) for name, value in record.items()}
                except UserError as error:
                    record = error
            yield place, record

    return replace(records, read=read)


def _kept_file(data: bytes, name: str, where: str) -> str:
    """The path of a copy of an encoded video."""
    path = keep_file(data, name, "" if suffix_of(name) in CLIPS else ENCODED)
    try:
        with open_range(path):
            pass
    except UserError as error:
        raise UserError(str(error).removeprefix(f"{path}: "), where=where) from None
    return path


def find(
    data: str, reading: Reading = Reading(), options: Options = Options(), tables: Tables = Tables()
) -> Mapping[str, Source]:
    """The splits of `digits`, of a folder with lists, and of one with tables beside the folders of their clips.

    Args:
        data: the name of the data.
        reading: the options of reading.
        options: how clips are read.
        tables: how tables and lists are read.

    Returns:
        {split: source}; empty for other data.

    Raises:
        UserError: if several lists can be meant.
    """
    if data == "digits":
        return {split: _open_digits(split) for split in DIGITS}
    folder = Path(data)
    if not folder.is_dir():
        return {}
    beside = {split: (_split_table(folder, names), names) for split, names in NAMES.items()}
    found = {split: table for split, (table, _) in beside.items() if table}
    if "train" in found and any((folder / table.name.split(".")[0]).is_dir() for table in found.values()):
        return {split: _open_file(table, reading, options, tables) for split, table in found.items()}
    if found:
        return {}
    lists = find_lists(folder, reading, tables.layout)
    if lists:
        needs("av", extra="video")
        _without_columns(folder, reading)
    return lists


def _split_table(folder: Path, names: tuple[str, ...]) -> Path | None:
    return next((table for name in names if (table := _table(folder, name))), None)


def _table(folder: Path, name: str) -> Path | None:
    return next((p for p in sorted(folder.glob(f"{name}.*")) if p.is_file() and suffix_of(p) in SUFFIXES), None)


def _open_file(path: Path, reading: Reading, options: Options, tables: Tables) -> Source:
    columns = tables.all_columns
    records = open_records(path, reading, lambda first: columns.is_header(first, reading.labelled))
    return open_table(records, reading, options, tables)


def open_tfds(name: str, split: str, options: Options = Options(), **loading: Any) -> Source:
    """One split of a data set of TensorFlow Datasets with a video and a class for each example, like `ucf101`.

    The first call writes the clips as arrays, and a table of them, into the folder `clips_FRAMESxSIZE/` of the data
    set: a clip takes half a millisecond to read, and 200 kB at 16 frames of 64 pixels.

    Args:
        name: as `tfds.load` takes it, e.g. `ucf101/ucf101_1`.
        split: e.g. `train`.
        options: how clips are read.
        loading: passed to `tfds.load` (`data_dir`).

    Raises:
        UserError: if there is no video or no class.
    """
    data = tfds.open_dataset(name, split, **loading)
    videos, labels = (data.features_of_type(kind) for kind in ("Video", "ClassLabel"))
    if not (videos and labels):
        raise data.no_feature("video and class")
    video, label = videos[0], labels[0]
    folder = Path(data.info.data_dir) / f"clips_{options.frames}x{options.size}" / split
    table = folder / "clips.csv"
    if not table.exists():
        folder.mkdir(parents=True, exist_ok=True)
        rows = [("path", "label")]
        for number, record in data.records():
            np.save(folder / f"{number:06}{ARRAY}", take_frames(record[video], options))
            rows.append((f"{number:06}{ARRAY}", data.features[label].int2str(int(record[label]))))
        path_sources.write_table(table, rows)
    return _open_file(table, Reading(), options, Tables())


def _open_digits(split: str) -> Source:
    names = [f"digits:{split}:{number}" for number in range(DIGITS[split])]
    examples = [Example(name, list(MOTIONS)[n % len(MOTIONS)], name) for n, name in enumerate(names)]
    return Source(lambda: iter(examples), f"digits:{split}")
