"""Sources of clips: folders, tables, lists, data in memory, data sets, and their splits."""

import itertools
import re
from pathlib import Path

import numpy as np
import pytest

from seqtasks.data.partition import part
from seqtasks.data.reading import Reading
from seqtasks.data.sources import Example
from seqtasks.data.splits import find_splits, open_data
from seqtasks.errors import UserError
from seqtasks.video.clips import Options, read
from seqtasks.video.files import Tables, formats, open_tfds

pytest.importorskip("av")
from tests.video.made import grey, numbers, pictured, saved, text, write


def folder_of(folder, *names):
    """Writes arrays of one frame under these names: CLASS/CLIP."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        saved(folder, np.zeros((1, 4, 4, 3), np.uint8), name)
    return folder


def opened(data, options=Options(), tables=Tables(), **reading):
    return open_data(data, formats(options, tables), Reading(**reading))


def splits_of(data, options=Options(), tables=Tables(), train=None, valid=None, test=None, **reading):
    return find_splits(data, formats(options, tables), Reading(**reading), train, valid, test)


def pairs(source):
    return [(Path(example.input).name, example.target) for example in source]


def test_folder_per_class_is_ordered_by_a_hash_of_names(tmp_path):
    names = [f"{label}/{n}.npy" for label in ("run", "walk") for n in range(20)]
    one, other = (folder_of(tmp_path / place, *order) for place, order in (("a", names), ("b/c", names[::-1])))
    (one / "walk" / "notes.txt").write_text("no clip")
    (one / "walk" / "._0.npy").write_text("no clip")
    with pytest.warns(UserWarning, match=f"^{one}: files that are no clip were not read: 1 of .txt$"):
        found = pairs(opened(one))
    assert sorted(found) == sorted((name.split("/")[1], name.split("/")[0]) for name in names)
    assert found == pairs(opened(other)) and len(set(label for _, label in found[:8])) == 2
    assert all(example.place == example.input for example in opened(one))


@pytest.mark.parametrize(("name", "comma"), [("all.csv", ","), ("all.tsv", "\t")])
@pytest.mark.parametrize("header", ["path,label", "file,class", ""])
def test_table_paths_are_relative_to_its_folder(tmp_path, name, comma, header):
    folder_of(tmp_path, "a/1.npy", "b/2.npy")
    lines = [header] * bool(header) + ["a/1.npy,run", f"{tmp_path}/b/2.npy,walk", "a/3.npy,run"]
    path = text(tmp_path / name, "\n".join(lines).replace(",", comma))
    source, first = opened(path), 1 + bool(header)
    found = list(itertools.islice(source, 2))
    assert found == [
        Example(f"{tmp_path}/{c}", t, first + n) for n, (c, t) in enumerate([("a/1.npy", "run"), ("b/2.npy", "walk")])
    ]
    with pytest.raises(
        UserError, match=f"^{path}:{first + 2}: no such file {tmp_path}/a/3.npy; give paths relative to"
    ):
        list(source)


def test_invalid_sources_raise(tmp_path):
    folder_of(tmp_path, "a/1.npy")
    for name, content, message in (
        ("a.csv", "a/1.npy,run\na.csv,walk", "a.csv:2: a.csv is not a clip; clips end in .mp4, .m4v"),
        ("b.doc", "a/1.npy run", "b.doc: unknown format '.doc'; files end in .mp4, .m4v"),
        ("c.mp4", "", "c.mp4: a clip without a class; give a folder with one sub-folder per class, or a table"),
    ):
        with pytest.raises(UserError, match=f"^{tmp_path}/{message}"):
            list(opened(text(tmp_path / name, content)))
    (tmp_path / "d" / "e").mkdir(parents=True)
    with pytest.raises(
        UserError, match="d: no clips in sub-folders here .found e.; give a folder with one sub-folder per"
    ):
        opened(tmp_path / "d")
    with pytest.raises(UserError, match="no.mp4: no such file or folder; check the path"):
        opened(tmp_path / "no.mp4")
    with pytest.raises(
        UserError, match="1.npy: a clip without a class; give a folder with one sub-folder per class, or a t"
    ):
        splits_of(tmp_path / "a" / "1.npy")
    clip = str(tmp_path / "a" / "1.npy")
    assert list(opened(clip, labelled=False)) == [Example(clip, "", clip)]


def test_given_splits(tmp_path):
    folder_of(
        tmp_path, *(f"{split}/{label}/{split}.npy" for split in ("train", "valid", "test") for label in ("a", "b"))
    )
    for name, source in splits_of(tmp_path):
        assert {label for _, label in pairs(source)} == {"a", "b"}
        assert {clip for clip, _ in pairs(source)} == {{"validation": "valid"}.get(name, name) + ".npy"}
    for split in ("train", "dev", "test"):
        text(tmp_path / f"{split}.csv", f"train/a/train.npy,{split}")
    tables = splits_of(None, train=tmp_path / "train.csv", valid=tmp_path / "dev.csv", test=tmp_path / "test.csv")
    assert [label for _, source in tables for _, label in pairs(source)] == ["train", "dev", "test"]


def test_splits_by_the_hash_of_the_recording(tmp_path):
    names = [f"run/v_run_g{g:02}_c{c:02}.npy" for g in range(30) for c in (1, 2)]
    found = {}
    for place in ("a", "b"):
        with pytest.warns(
            UserWarning, match="no test and no validation split given; 10 % of train each taken by the hash"
        ):
            splits = splits_of(folder_of(tmp_path / place, *names))
        found[place] = {name: sorted(clip for clip, _ in pairs(source)) for name, source in splits}
    assert found["a"] == found["b"]  # independent of the folder
    for number, name in enumerate(("test", "validation")):
        groups = [g for g in range(30) if part(f"run/v_run_g{g:02}") == number]
        assert found["a"][name] == [f"v_run_g{g:02}_c{c:02}.npy" for g in groups for c in (1, 2)]
    assert sum(map(len, found["a"].values())) == 60


def test_tensorflow_datasets(tmp_path):
    import tensorflow as tf
    import tensorflow_datasets as tfds

    rows = [{"video": np.stack(grey(n + 8, 16, 20)), "label": n} for n in range(3)]
    signature = {"video": tf.TensorSpec([None, 16, 20, 3], "uint8"), "label": tf.TensorSpec([], "int64")}
    reads = []

    def dataset(self, *args, **kwargs):
        return tf.data.Dataset.from_generator(lambda: reads.append(1) or iter(rows), output_signature=signature)

    with tfds.testing.mock_data(as_dataset_fn=dataset, data_dir=tmp_path):
        for _ in range(2):
            source = open_tfds("ucf101/ucf101_1", "train", Options(4, 16))
            labels = tfds.builder("ucf101/ucf101_1").info.features["label"].names[:3]
            assert [example.target for example in source] == labels
            for example, row in zip(source, rows, strict=True):
                frames = read(example.input, Options(4, 16))
                count = len(row["video"])
                assert frames.shape == (4, 16, 16, 3) and numbers(frames) == [
                    int((i + 0.5) * count / 4) for i in range(4)
                ]
        assert len(reads) == 1  # the second call reads the arrays
        with pytest.warns(UserWarning, match="no validation split given"):
            splits = splits_of("tfds:ucf101/ucf101_1", Options(4, 16))
        assert len(list(splits.test)) == 3
        with pytest.raises(
            UserError, match="tfds:mnist: no video and class among the features image, label; name another"
        ):
            open_tfds("mnist", "train")


def test_real_clips(data_folder):
    splits = splits_of(data_folder / "video" / "fights")
    assert [len(list(source)) for _, source in splits] == [210, 30, 60]
    for example in itertools.islice(splits.test, 0, None, 12):
        frames = read(example.input, Options(8, 32))
        assert frames.shape == (8, 32, 32, 3) and 10 < frames.mean() < 245 and frames.std() > 10


def test_folders_of_pictures_and_groups_inside_a_class(tmp_path):
    for name in ("run/g01/1", "run/g01/2", "run/g02/1", "walk/g01/1", "walk/3"):
        pictured(tmp_path / name, grey(3), ".jpg")
    folder_of(tmp_path, "walk/g02/4.npy")
    (tmp_path / ".ipynb_checkpoints" / "1").mkdir(parents=True)
    pictured(tmp_path / ".ipynb_checkpoints" / "1", grey(1))
    source = opened(tmp_path)
    found = {(str(Path(e.input).relative_to(tmp_path)), e.target, e.group) for e in source}
    assert found == {
        ("run/g01/1", "run", "run/g01"),
        ("run/g01/2", "run", "run/g01"),
        ("run/g02/1", "run", "run/g02"),
        ("walk/g01/1", "walk", "walk/g01"),
        ("walk/3", "walk", ""),
        ("walk/g02/4.npy", "walk", "walk/g02"),
    }
    assert numbers(read(str(tmp_path / "run/g01/1"), Options(3, 16))) == [0, 1, 2]


def test_small_data_has_a_group_in_each_split(tmp_path):
    for number in range(24):
        label = ("run", "walk")[number % 2]
        folder_of(tmp_path, f"{label}/g{number // 2 % 4}/{number}.npy")
    with pytest.warns(UserWarning, match="no test and no validation split given"):
        splits = splits_of(tmp_path)
    groups = [{example.group for example in source} for _, source in splits]
    assert all(groups) and sum(map(len, groups)) == 8 and len(set.union(*groups)) == 8
    assert sum(len(list(source)) for _, source in splits) == 24


def test_what_a_class_folder_holds_besides_is_counted(tmp_path):
    folder_of(tmp_path, "run/1.npy", "walk/1.npy")
    folder_of(tmp_path, "2.npy")  # beside the classes
    for name in ("run/2.mxf", "run/3.mxf", "walk/cover.jpg", "walk/old/notes.md", "walk/.DS_Store"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        text(tmp_path / name, "x")
    with pytest.warns(
        UserWarning,
        match=f"{tmp_path}: files that are no clip were not read: 2 of .mxf, 1 of .jpg, 1 of .md$",
    ):
        assert len(list(opened(tmp_path))) == 2
    with pytest.warns(UserWarning, match=f"{tmp_path}: 1 clips outside the folders of the labels were not read"):
        opened(tmp_path)
    pictured(tmp_path / "pictures" / "run", grey(3))
    with pytest.raises(
        UserError, match="run: a clip without a class; put it into the folder of its class, as in pictures/"
    ):
        opened(tmp_path / "pictures")
    with pytest.raises(UserError, match="run: a clip without a class"):
        opened(tmp_path / "pictures" / "run")


def test_inputs_without_labels(tmp_path):
    clip = pictured(tmp_path / "a" / "clip", grey(3))
    folder_of(tmp_path, "a/b/1.npy", "2.npy")
    assert [e.input for e in opened(clip, labelled=False)] == [str(clip)]
    found = [str(Path(e.input).relative_to(tmp_path)) for e in opened(tmp_path, labelled=False)]
    assert found == ["2.npy", "a/b/1.npy", "a/clip"]
    (tmp_path / "none").mkdir()
    with pytest.raises(UserError, match="none: no clips in it; clips end in .mp4"):
        opened(tmp_path / "none", labelled=False)
    table = text(tmp_path / "a.csv", "id,video\n7,2.npy\n8,a/clip\n")
    found = list(opened(table, labelled=False, carry=("id",)))
    assert [(Path(e.input).name, e.fields) for e in found] == [("2.npy", (("id", "7"),)), ("clip", (("id", "8"),))]


def test_the_table_of_kerasio_names_clips_in_folders_of_the_splits(tmp_path):
    folder_of(tmp_path, "train/a.npy", "train/b.npy", "test/a.npy")
    text(tmp_path / "train.csv", ",video_name,tag\n0,a.npy,run\n1,b.npy,walk\n")
    text(tmp_path / "test.csv", ",video_name,tag\n0,a.npy,walk\n")
    with pytest.warns(UserWarning, match="no validation split given"):
        splits = splits_of(tmp_path)
    assert [(e.input, e.target) for e in splits.test] == [(f"{tmp_path}/test/a.npy", "walk")]
    both = {(e.input, e.target) for _, source in list(splits)[:2] for e in source}
    assert both == {(f"{tmp_path}/train/a.npy", "run"), (f"{tmp_path}/train/b.npy", "walk")}


def test_a_table_called_metadata_says_the_classes_of_a_folder(tmp_path):
    folder_of(tmp_path, "train/clips/a.npy", "train/clips/b.npy")
    text(tmp_path / "train" / "metadata.csv", "file_name,label\nclips/a.npy,run\nclips/b.npy,walk\n")
    assert pairs(opened(tmp_path / "train")) == [("a.npy", "run"), ("b.npy", "walk")]


def test_the_root_of_the_paths_of_a_table(tmp_path):
    from seqtasks.video.lists import Layout

    folder_of(tmp_path / "media", "a/1.npy", "b/2.npy")
    pictured(tmp_path / "media" / "frames" / "c", grey(2))
    (tmp_path / "lists").mkdir()
    lines = [
        "path,label",
        "a/1.npy,0",
        "b\\2.npy,1",
        "frames/c.avi,1",
    ]  # a list of another system, and frames of a video
    table = text(tmp_path / "lists" / "all.csv", "\n".join(lines))
    text(tmp_path / "names", "run\nwalk\n")
    layout = Layout(str(tmp_path / "media"), str(tmp_path / "names"))
    assert pairs(opened(table, tables=Tables(layout=layout))) == [("1.npy", "run"), ("2.npy", "walk"), ("c", "walk")]
    with pytest.raises(
        UserError, match=f"all.csv:2: no such file {tmp_path}/lists/a/1.npy; give paths relative to the fo"
    ):
        list(opened(table))
    with pytest.raises(UserError, match="no: no such folder; give the folder that paths are relative to"):
        opened(table, tables=Tables(layout=Layout("no")))
    with pytest.raises(UserError, match="no.txt: no such file; give a file with the name of a class on each line"):
        opened(table, tables=Tables(layout=Layout(str(tmp_path / "media"), "no.txt")))


@pytest.mark.parametrize(
    ("header", "times", "expected"),
    [
        ("start,end", "0.5,1.25", "#t=0.5,1.25"),
        ("t-start,t-end", "0.5,1.25", "#t=0.5,1.25"),
        ("start_timestamp,stop_timestamp", "00:00:01.5,00:01:02.25", "#t=1.5,62.25"),
        ("start_time,end_time", "2,", "#t=2"),
        ("begin,end", ",2", "#t=0,2"),
        ("begin,end", ",", ""),
    ],
)
def test_columns_of_start_and_end_cut_a_segment(tmp_path, header, times, expected):
    folder_of(tmp_path, "a.npy")
    table = text(tmp_path / "a.csv", f"path,label,{header}\na.npy,run,{times}\n")
    assert [(e.input, e.target) for e in opened(table)] == [(f"{tmp_path}/a.npy{expected}", "run")]
    assert [e.input for e in opened(table, tables=Tables(segments=None))] == [f"{tmp_path}/a.npy"]


def test_segments_of_a_table_are_read_and_stay_in_one_split(tmp_path):
    write(tmp_path / "a.mp4", grey(24))
    rows = [{"path": "a.mp4", "label": f"{n // 2 % 2}", "onset": n / 12, "finish": (n + 1) / 12} for n in range(24)]
    source = open_data([{**row, "path": str(tmp_path / "a.mp4")} for row in rows], formats())
    assert [numbers(read(e.input, Options(1, 16))) for e in source] == [[n] for n in range(24)]
    assert len({formats().key(e) for e in source}) == 1
    text(tmp_path / "a.csv", "path,label,start,end\na.mp4,run,2,1\na.mp4,run,soon,1\na.mp4,run,0,1\n")
    found = [str(getattr(item, "error", item)) for item in opened(tmp_path / "a.csv").read()]
    assert found[0].startswith(f"{tmp_path}/a.csv:2: the segment ends at 1, but begins at 2; give seconds")
    assert found[1].startswith(f"{tmp_path}/a.csv:3: not a time: 'soon'; give seconds")
    text(tmp_path / "b.csv", "path,label,start_frame,end_frame\na.mp4,run,2,12\n")
    with pytest.raises(
        UserError, match="the column 'start_frame' is not in seconds; give seconds with --start_column and"
    ):
        opened(tmp_path / "b.csv")
    carried = opened(text(tmp_path / "c.csv", "path,start\na.mp4,1\n"), labelled=False, carry=("all",))
    assert [e.fields for e in carried] == [(("path", "a.mp4"), ("start", "1"))]


def test_a_column_of_groups(tmp_path):
    folder_of(tmp_path, *(f"{n}.npy" for n in range(4)))
    table = text(tmp_path / "a.csv", "path,label,actor\n" + "".join(f"{n}.npy,run,{n % 2}\n" for n in range(4)))
    assert [e.group for e in opened(table, group="actor")] == ["0", "1", "0", "1"]
    folder_of(tmp_path / "classes", "run/1.npy")
    with pytest.raises(UserError, match="--group actor: .*classes has no columns; leave it out"):
        opened(tmp_path / "classes", group="actor")


def test_missing_clips_of_a_table_are_left_out_of_training_and_counted(tmp_path):
    folder_of(tmp_path, *(f"{n}.npy" for n in range(40)))
    rows = [f"{n}.npy,{('run', 'walk')[n % 2]}" for n in range(40)]
    rows[7] = "none.npy,run"
    train, valid = (text(tmp_path / name, "\n".join(["path,label", *rows])) for name in ("train.csv", "valid.csv"))
    splits = splits_of(None, train=train, valid=valid, test=valid)
    message = f"{train}: of 40 records 1 left out: {train}:9: no such file {tmp_path}/none.npy"
    with pytest.warns(UserWarning, match=re.escape(message)):
        assert len(list(splits.train)) == 39
    with pytest.raises(UserError, match="valid.csv:9: no such file"):
        list(splits.validation)  # what is measured is not changed in silence


@pytest.mark.parametrize("kind", ["pairs", "dicts", "columns", "pandas", "tensorflow", "pictures"])
def test_frames_in_memory_are_examples(kind):
    import pandas as pd
    import tensorflow as tf

    clips = [(np.stack(grey(12, 16, 24)) + n).astype("uint8") for n in range(3)]
    labels = ["run", "walk", "run"]
    data = {
        "pairs": lambda: list(zip(clips, labels, strict=True)),
        "dicts": lambda: [{"video": c, "label": label} for c, label in zip(clips, labels, strict=True)],
        "columns": lambda: (clips, labels),
        "pandas": lambda: pd.DataFrame({"video": clips, "label": labels}),
        "tensorflow": lambda: tf.data.Dataset.from_tensor_slices((np.stack(clips), labels)),
        "pictures": lambda: [(list(clip), label) for clip, label in zip(clips, labels, strict=True)],
    }[kind]()
    examples = list(open_data(data, formats(Options(4, 8))))
    assert [e.target for e in examples] == labels and len({e.input for e in examples}) == 3
    for example, clip in zip(examples, clips, strict=True):
        np.testing.assert_array_equal(read(example.input, Options(4, 8)), read(clip, Options(4, 8)))


def test_what_is_no_clip_in_memory_is_a_faulty_record():
    rows = [(np.zeros((4, 4, 3)), "run"), ([np.zeros((2, 2, 3)), np.zeros((3, 2, 3))], "run"), (7, "run")]
    found = [str(item.error) for item in open_data(rows, formats()).read()]
    assert found[0].startswith("list:1: an array float64 (4, 4, 3); give frames as (time, height, width, 3)")
    assert found[1] == "list:2: pictures of different sizes; give frames of one size"
    assert found[2] == "list:3: the text is not a string: 7; put it in quotes"


@pytest.mark.parametrize("embedded", [True, False])
def test_videos_of_a_data_set_of_hugging_face(tmp_path, embedded, monkeypatch):
    monkeypatch.setenv("SEQTASKS_CACHE", str(tmp_path / "cache"))
    datasets = pytest.importorskip("datasets")
    paths = [str(write(tmp_path / f"{n}.mp4", grey(24)[n:])) for n in (0, 2)]
    videos = [{"path": Path(p).name, "bytes": Path(p).read_bytes()} if embedded else p for p in paths]
    features = datasets.Features({"video": datasets.Video(), "label": datasets.ClassLabel(names=["run", "walk"])})
    if embedded:
        broken = datasets.Dataset.from_dict(
            {"video": [{"path": "a.mp4", "bytes": b"none"}], "label": [0]}, features=features
        )
        with pytest.raises(UserError, match="^Dataset:1: cannot be read as a video"):
            list(open_data(broken, formats()))
    data = datasets.Dataset.from_dict({"video": videos, "label": [0, 1]}, features=features)
    examples = list(open_data(data, formats(Options(4, 16))))
    assert [e.target for e in examples] == ["run", "walk"]
    for example, path in zip(examples, paths, strict=True):
        np.testing.assert_array_equal(read(example.input, Options(4, 16)), read(path, Options(4, 16)))


def test_encoded_videos_keep_their_names_and_are_cut(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQTASKS_CACHE", str(tmp_path / "cache"))
    data = write(tmp_path / "a.mp4", grey(24)).read_bytes()
    names = ["v_run_g01_c01.avi", "v_run_g01_c02.avi", "v_run_g02_c01.avi"]
    rows = [{"video": {"bytes": data + bytes(n), "path": name}, "label": "run"} for n, name in enumerate(names)]
    keys = [formats().key(example) for example in open_data(rows, formats())]
    assert keys[0] == keys[1] != keys[2]
    rows = [{"video": data, "label": "run", "start": 1, "end": 1 + 1 / 12}]
    (example,) = open_data(rows, formats())
    assert example.input.endswith(".mp4#t=1,1.083333") and numbers(read(example.input, Options(1, 16))) == [12]
