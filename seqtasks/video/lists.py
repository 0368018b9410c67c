"""Lists of clips as data sets of action recognition have them: those of UCF101, of HMDB51 and of MMAction2."""

import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from seqtasks.data.media_segments import fragment
from seqtasks.data.path_sources import find_path
from seqtasks.data.reading import Reading
from seqtasks.data.sources import Example, Faulty, Source, join
from seqtasks.data.splits import NAMES
from seqtasks.data.text_files import reading as opened
from seqtasks.errors import UserError
from seqtasks.video.pictures import pictures_in

CLASS_LISTS = ("classInd.txt", "label_map*.txt", "classes.txt", "class_names.txt", "labels.txt")
HMDB = re.compile(r"(.+)_test_split([0-9]+)\.txt")
HMDB_SPLITS = {"1": "train", "2": "test"}  # 0: in neither
TRIED = 20  # entries of a list by which the folder of the clips is found


@dataclass(frozen=True)
class Layout:
    """Where the clips and the names of the classes of a list or a table are.

    Args:
        media_root: the folder of the clips; None looks near the list.
        class_list: a file with the names of the classes; None looks for a usual one beside a list.
        frame_rate: frames per second of folders of pictures.
    """

    media_root: str | None = None
    class_list: str | None = None
    frame_rate: float = 25.0


@dataclass(frozen=True)
class Entry:
    """A line of a list.

    Args:
        path: as it is written.
        numbers: the numbers after it: label; frames, label; or first frame, frames, label.
        label: a label that is no number.
        line: its number, from 1.
    """

    path: str
    numbers: tuple[int, ...]
    label: str
    line: int


def entries(path: Path, reading: Reading = Reading()) -> Iterator[Entry]:
    """The entries of a list: a path and up to three numbers, or a path and a label, on each line.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "train.txt"
        >>> _ = path.write_text("run/1.avi 3\\nrun/2 120 3\\nwalk fast/3.avi\\na.mp4 walk\\n")
        >>> [(e.path, e.numbers, e.label) for e in entries(path)]
        [('run/1.avi', (3,), ''), ('run/2', (120, 3), ''), ('walk fast/3.avi', (), ''), ('a.mp4', (), 'walk')]
    """
    with opened(path, reject_nul=True, encoding=reading.encoding) as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            found = re.fullmatch(r"\s*(.+?)((?:[\s,]+[0-9]+){0,3})\s*", line)
            assert found
            name, numbers = found[1], tuple(map(int, re.findall("[0-9]+", found[2])))
            labelled = re.fullmatch(r"(.*\.\w{2,4})[\s,]+([^./\s]+)", name) if not numbers else None
            if labelled:
                yield Entry(labelled[1], (), labelled[2], number)
            else:
                yield Entry(name, numbers, "", number)


def open_list(path: Path, reading: Reading = Reading(), layout: Layout = Layout()) -> Source:
    """The source of a list of clips.

    The label is a number with an optional list of class names, or a word. In the lists of UCF101, and where there is
    none or the folder is one of the classes, it is the name of the folder.

    Args:
        path: the list, a `.txt` file.
        reading: `encoding` and `labelled`.
        layout: where the clips are; by default in the folder of the list, in the one above, or in one inside these.

    Raises:
        UserError: if it is empty. An entry without a clip or a label is `Faulty`.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "1.mp4").touch()
        >>> _ = (folder / "train.txt").write_text("1.mp4 1\\n"), (folder / "classes.txt").write_text("run\\nwalk\\n")
        >>> [(Path(e.input).name, e.target) for e in open_list(folder / "train.txt")]
        [('1.mp4', 'walk')]
    """
    listed = list(entries(path, reading))
    if not listed:
        raise UserError("the file is empty", where=path, remedy="give a path and a label on each line")
    folders = _roots(path, [entry.path for entry in listed], layout.media_root)
    names = class_names(layout.class_list or _class_list(path))
    if names and 0 in {entry.numbers[-1] for entry in listed if entry.numbers} - set(names):
        names = {number - 1: name for number, name in names.items()}  # the list counts from 0, its names from 1
    by_folder = re.fullmatch(r"(train|test)list[0-9]+", path.stem) is not None

    def label_of(entry: Entry, clip: Path, where: str) -> str:
        folder = Path(entry.path.replace("\\", "/")).parent.name
        if entry.label or not reading.labelled:
            return entry.label
        if folder and (by_folder or not entry.numbers or folder in names.values()):
            return folder
        if not entry.numbers:
            raise UserError("no label", where=where, remedy="write a path and a label on each line")
        if names and entry.numbers[-1] not in names:
            what = f"the label {entry.numbers[-1]} is not among the {len(names)} names of classes"
            raise UserError(what, where=where, remedy="name the right list of classes with --class_list")
        return names.get(entry.numbers[-1], str(entry.numbers[-1]))

    def example(entry: Entry) -> Example:
        where = f"{path}:{entry.line}"
        clip = find_path(entry.path, folders)
        if clip is None:
            remedy = "name the folder of the clips with --media_root"
            raise UserError(f"no such clip {folders[0] / entry.path}", where=where, remedy=remedy)
        return Example(
            f"{clip}{_frames(entry, clip, where, layout.frame_rate)}", label_of(entry, clip, where), entry.line
        )

    def read() -> Iterator[Example | Faulty]:
        for entry in listed:
            try:
                yield example(entry)
            except UserError as error:
                yield Faulty(error)

    return Source(read, str(path), path.stat().st_size)


def _frames(entry: Entry, clip: Path, where: str, rate: float) -> str:
    """The segment of an entry that counts the frames of a folder of pictures."""
    if len(entry.numbers) < 2:
        return ""
    if clip.is_file():
        raise UserError(f"{len(entry.numbers)} numbers after a video", where=where, remedy="write one label")
    first, count = (0, *entry.numbers)[-3:-1]
    there = len(pictures_in(clip))
    if first + count > there:
        what = f"{there} pictures in {clip}, but the list names {first + count}"
        raise UserError(what, where=where, remedy="unpack the clip again, or correct the list")
    return "" if (first, count) == (0, there) else fragment(first / rate, (first + count) / rate)


def _roots(path: Path, names: Sequence[str], root: str | None) -> list[Path]:
    """The folder of the clips of a list: the first near it that holds one; that of its split comes before others."""
    if root is not None:
        return [Path(root)]
    found = []
    for near in (path.parent, path.resolve().parent.parent):
        found += [near, *(p for p in sorted(near.iterdir()) if p.is_dir() and p.name[0] != ".")]
    split, _ = _split_of(path.stem)
    places = {"": 1} | ({split: 0} if split else {})
    found.sort(key=lambda p: places.get(_split_of(p.name)[0], 2))
    return [next((f for f in found if any(find_path(name, [f]) for name in names[:TRIED])), path.parent)]


def _class_list(path: Path) -> Path | None:
    """The list of the names of classes beside a list of clips."""
    return next((p for pattern in CLASS_LISTS for p in sorted(path.parent.glob(pattern)) if p != path), None)


def class_names(path: str | Path | None) -> dict[int, str]:
    """The names of classes by number: the numbers that lines begin with, else from 0; empty without a file.

    Raises:
        UserError: if there is no such file.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "classInd.txt"
        >>> _ = path.write_text("1 Archery\\n2 Blow Dry\\n")
        >>> class_names(path)
        {1: 'Archery', 2: 'Blow Dry'}
    """
    if path is None:
        return {}
    if not Path(path).is_file():
        raise UserError("no such file", where=path, remedy="give a file with the name of a class on each line")
    with opened(path, reject_nul=True) as lines:
        names = [line.strip() for line in lines if line.strip()]
    numbered = [found for name in names if (found := re.fullmatch(r"([0-9]+)[\s,]+(.+)", name))]
    if names and len(numbered) == len(names):
        return {int(found[1]): found[2] for found in numbered}
    return dict(enumerate(names))


def find_lists(folder: Path, reading: Reading, layout: Layout = Layout()) -> Mapping[str, Source]:
    """The splits of a folder that has lists, in it or in a folder inside it; empty if it has none.

    Args:
        folder: the data set.
        reading: the options of reading.
        layout: where the clips are.

    Raises:
        UserError: if a split has several lists.
    """
    files = sorted([*folder.glob("*.txt"), *folder.glob("*/*.txt")])
    if hmdb := [(p, named[1], int(named[2])) for p in files if (named := HMDB.fullmatch(p.name))]:
        number = _lowest({n for _, _, n in hmdb}, folder)
        return _hmdb([(path, label) for path, label, n in hmdb if n == number], folder, layout.media_root)
    found: dict[int, dict[str, list[Path]]] = {}
    for path in files:
        split, number = _split_of(path.stem)
        if split and _names_clips(path, reading, layout.media_root):
            found.setdefault(number, {}).setdefault(split, []).append(path)
    complete = {number: lists for number, lists in found.items() if "train" in lists}
    if not complete:
        return {}
    lists = complete[_lowest(set(complete), folder)]
    for split, paths in lists.items():
        if len(paths) > 1:
            listed = ", ".join(path.name for path in paths)
            remedy = f"name one with --{NAMES[split][0]}"
            raise UserError(f"several files for {split}: {listed}", where=folder, remedy=remedy)
    return {split: open_list(paths[0], reading, layout) for split, paths in lists.items()}


def _split_of(stem: str) -> tuple[str, int]:
    """The split that the name of a list stands for, or an empty text, and the number of a choice of splits, or 0.

    Example:
        >>> _split_of("trainlist02"), _split_of("ucf101_val_split_1_rawframes"), _split_of("classInd")
        (('train', 2), ('validation', 1), ('', 0))
    """
    words = re.findall(r"[a-z]+|[0-9]+", stem.lower())
    for place, word in enumerate(words):
        split = next((s for s, names in NAMES.items() if word.removesuffix("list") in names), "")
        if split:
            return split, next((int(w) for w in words[place + 1 :] if w.isdecimal()), 0)
    return "", 0


def _names_clips(path: Path, reading: Reading, root: str | None) -> bool:
    try:
        names = [entry.path for entry, _ in zip(entries(path, reading), range(TRIED), strict=False)]
    except UserError:
        return False
    folders = _roots(path, names, root)
    return any(find_path(name, folders) for name in names)


def _lowest(numbers: set[int], folder: Path) -> int:
    if len(numbers) > 1:
        what = f"lists of {len(numbers)} ways to split ({', '.join(map(str, sorted(numbers)))})"
        warnings.warn(f"{folder}: {what}; the first is taken", stacklevel=4)
    return min(numbers)


def _hmdb(lists: Sequence[tuple[Path, str]], folder: Path, root: str | None) -> Mapping[str, Source]:
    """The splits of HMDB51: one list for each class, whose numbers say 1 for train and 2 for test."""
    parts: dict[str, list[Source]] = {name: [] for name in HMDB_SPLITS.values()}
    for path, label in lists:
        listed = list(entries(path))
        folders = _roots(path, [f"{label}/{entry.path}" for entry in listed], root)
        for number, split in HMDB_SPLITS.items():
            chosen = [e for e in listed if e.numbers == (int(number),)]
            parts[split].append(Source(_reader(chosen, path, label, folders), str(path)))
    return {split: join(sources, f"{folder}/{split}") for split, sources in parts.items()}


def _reader(
    chosen: Sequence[Entry], path: Path, label: str, folders: Sequence[Path]
) -> Callable[[], Iterator[Example | Faulty]]:
    def read() -> Iterator[Example | Faulty]:
        for entry in chosen:
            clip = find_path(f"{label}/{entry.path}", folders)
            if clip is None:
                what = f"no such clip {folders[0] / label / entry.path}"
                yield Faulty(UserError(what, where=f"{path}:{entry.line}", remedy="put the clips beside the lists"))
            else:
                yield Example(str(clip), label, entry.line)

    return read
