"""Lists of clips as UCF101, HMDB51 and MMAction2 have them."""

from pathlib import Path

import pytest

from seqtasks.data.reading import Reading
from seqtasks.data.splits import find_splits, has_splits, open_data
from seqtasks.errors import UserError
from seqtasks.video.clips import Options, read
from seqtasks.video.files import Tables, formats
from seqtasks.video.lists import Layout, open_list

pytest.importorskip("av")
from tests.video.made import grey, numbers, pictured, text


def clips_of(folder, *names):
    """Empty files: lists only name them."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def found(source, folder):
    return [(str(Path(e.input).relative_to(folder)), e.target) for e in source]


@pytest.fixture(params=["videos", "frames", "beside the classes"])
def ucf(request, tmp_path):
    """UCF101 as it is unpacked, as videos or as frames, and its lists beside or inside."""
    names = [f"{label}/v_{label}_g{g:02}_c{c:02}" for label in ("Archery", "Diving") for g in (1, 2, 8) for c in (1, 2)]
    place = tmp_path / "UCF-101" if request.param != "beside the classes" else tmp_path
    for name in names:
        if request.param == "frames":
            pictured(place / name, grey(2, 4, 4), ".jpg", "frame{}")
        else:
            clips_of(place, f"{name}.avi")
    lists = tmp_path / "ucfTrainTestlist" if request.param != "beside the classes" else tmp_path
    lists.mkdir(exist_ok=True)
    text(lists / "classInd.txt", "1 Archery\n2 Diving\n")
    number = {"Archery": 1, "Diving": 2}
    for split in (1, 2):
        test = f"g{split:02}"
        train_lines = [f"{n}.avi {number[n.split('/')[0]]}" for n in names if test not in n]
        text(lists / f"trainlist{split:02}.txt", "\n".join(train_lines) + "\n")
        text(lists / f"testlist{split:02}.txt", "\n".join(f"{n}.avi" for n in names if test in n) + "\n")
    return tmp_path, place, lists, "" if request.param == "frames" else ".avi"


def test_ucf101(ucf):
    folder, place, lists, suffix = ucf
    with pytest.warns(UserWarning) as caught:
        splits = find_splits(folder, formats())
    assert f"{folder}: lists of 2 ways to split (1, 2); the first is taken" in [str(w.message) for w in caught]
    expected = [(f"{label}/v_{label}_g01_c0{c}{suffix}", label) for label in ("Archery", "Diving") for c in (1, 2)]
    assert found(splits.test, place) == expected
    rest = found(splits.train, place) + found(splits.validation, place)
    assert sorted(rest) == sorted(
        (f"{label}/v_{label}_g0{g}_c0{c}{suffix}", label)
        for label in ("Archery", "Diving")
        for g in (2, 8)
        for c in (1, 2)
    )
    recordings = [{formats().key(example) for example in source} for _, source in splits]
    assert not recordings[0] & recordings[1]
    given = find_splits(None, formats(), train=lists / "trainlist02.txt", test=lists / "testlist02.txt")
    assert {name.split("_")[2] for name, _ in found(given.test, place)} == {"g02"}
    assert len(list(given.test)) == 4 and {label for _, label in found(given.train, place)} == {"Archery", "Diving"}
    assert has_splits(folder, formats()) and not has_splits(place / "Archery", formats())


def test_hmdb51(tmp_path):
    names = [f"film_{n}_wave_u_nm_np1_fr_med_{n}.avi" for n in range(3)]
    clips_of(tmp_path / "hmdb51", *(f"{label}/{name}" for label in ("wave", "brush_hair") for name in names))
    lists = tmp_path / "testTrainMulti_7030_splits"
    lists.mkdir()
    for label in ("wave", "brush_hair"):
        for split in (1, 2):
            use = {1: (1, 2, 0), 2: (2, 1, 1)}[split]
            lines = (f"{name} {u} " for name, u in zip(names, use, strict=True))
            text(lists / f"{label}_test_split{split}.txt", "\n".join(lines))
    with pytest.warns(UserWarning, match="lists of 2 ways to split"):
        splits = find_splits(tmp_path, formats(), check=None)
    place = tmp_path / "hmdb51"
    assert sorted(found(splits.test, place)) == [(f"{x}/{names[1]}", x) for x in ("brush_hair", "wave")]
    both = [*found(splits.train, place), *found(splits.validation, place)]
    assert sorted(both) == [(f"{x}/{names[0]}", x) for x in ("brush_hair", "wave")]
    assert formats().group(f"wave/{names[0]}") == "wave/film_0_wave"


def test_mmaction_lists_of_videos_and_of_frames(tmp_path):
    clips_of(tmp_path / "videos_train", "run/1.mp4", "2.mp4")
    clips_of(tmp_path / "videos_val", "3.mp4")
    annotations = tmp_path / "annotations"
    annotations.mkdir()
    text(annotations / "kinetics_train_list_videos.txt", "run/1.mp4 0\n2.mp4 1\n")
    text(annotations / "kinetics_val_list_videos.txt", "3.mp4 1\n")
    text(annotations / "kinetics_train_list_rawframes.txt", "run/1 300 0\n2 300 1\n")  # frames that are not there
    with pytest.warns(UserWarning, match="no test split given"):
        splits = find_splits(tmp_path, formats())
    assert [e.target for e in splits.validation] == ["1"]
    text(annotations / "label_map_kinetics.txt", "run\nwalk\n")
    with pytest.warns(UserWarning):
        splits = find_splits(tmp_path, formats())
    assert found(splits.validation, tmp_path) == [("videos_val/3.mp4", "walk")]


def test_frames_of_a_list_are_counted(tmp_path):
    for name in ("a", "b"):
        pictured(tmp_path / "frames" / name, grey(12), ".png", "img_{:05}")
    path = text(tmp_path / "train.txt", "a 12 0\na 4 6 1\na 6 1\nb 13 0\n")
    layout = Layout(str(tmp_path / "frames"), frame_rate=10.0)
    items = list(open_list(path, layout=layout).read())
    options = Options(6, 16, frame_rate=10.0)
    assert [numbers(read(e.input, options)) for e in items[:3]] == [
        [1, 3, 5, 7, 9, 11],
        [4, 5, 6, 7, 8, 9],
        [0, 1, 2, 3, 4, 5],
    ]
    assert str(items[3].error).startswith(
        f"{path}:4: 12 pictures in {tmp_path}/frames/b, but the list names 13; unpack"
    )


@pytest.mark.parametrize(
    ("content", "classes", "expected"),
    [
        ("1.mp4 1\n2.mp4 2\n", "1 run\n2 walk\n", ["run", "walk"]),
        ("1.mp4 0\n2.mp4 1\n", "1 run\n2 walk\n", ["run", "walk"]),  # names from 1, labels from 0
        ("1.mp4 0\n2.mp4 1\n", "run\nwalk\n", ["run", "walk"]),
        ("1.mp4 0\n2.mp4 1\n", None, ["0", "1"]),
        ("1.mp4 run\n2.mp4\twalk\n", None, ["run", "walk"]),
    ],
)
def test_labels_of_lists(tmp_path, content, classes, expected):
    clips_of(tmp_path, "1.mp4", "2.mp4")
    path = text(tmp_path / "train.txt", content)
    if classes:
        text(tmp_path / "names", classes)
    source = open_data(path, formats(tables=Tables(layout=Layout(class_list=classes and str(tmp_path / "names")))))
    assert found(source, tmp_path) == list(zip(("1.mp4", "2.mp4"), expected, strict=True))


def test_faulty_entries(tmp_path):
    clips_of(tmp_path, "1.mp4")
    path = text(tmp_path / "train.txt", "1.mp4\n1.mp4 7\n1.mp4 3 1\n9.mp4 1\n1.mp4 1\n")
    text(tmp_path / "classes.txt", "run\nwalk\n")
    messages = [str(item.error) for item in open_list(path).read() if hasattr(item, "error")]
    assert messages == [
        f"{path}:1: no label; write a path and a label on each line",
        f"{path}:2: the label 7 is not among the 2 names of classes; name the right list of classes with --class_list",
        f"{path}:3: 2 numbers after a video; write one label",
        f"{path}:4: no such clip {tmp_path}/9.mp4; name the folder of the clips with --media_root",
    ]
    with pytest.raises(UserError, match="--group actor: .* has no columns"):
        open_data(path, formats(), Reading(group="actor"))
    for name in ("train", "test"):
        for kind in ("x", "y"):
            text(tmp_path / f"{name}_{kind}.txt", "1.mp4 1\n")
    path.unlink()
    with pytest.raises(UserError, match="several files for test: test_x.txt, test_y.txt; name one with --test"):
        find_splits(tmp_path, formats())


def test_lists_of_splits_with_equal_names_find_their_own_clips(tmp_path):
    for split in ("train", "val"):
        clips_of(tmp_path / f"videos_{split}", "1.mp4", "2.mp4")
        text(tmp_path / f"{split}_list.txt", "1.mp4 0\n2.mp4 1\n")
    with pytest.warns(UserWarning, match="no test split given"):
        splits = find_splits(tmp_path, formats())
    assert found(splits.validation, tmp_path) == [("videos_val/1.mp4", "0"), ("videos_val/2.mp4", "1")]
    assert all(name.startswith("videos_train/") for name, _ in found(splits.train, tmp_path))
