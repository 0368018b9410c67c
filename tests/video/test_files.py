"""Sources of clips: folders, tables, lists, data in memory, data sets, and their splits."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from seqtasks.data.reading import Reading
from seqtasks.data.sources import Example
from seqtasks.data.splits import find_splits, open_data, part
from seqtasks.errors import UserError
from seqtasks.video.clips import Options, read
from seqtasks.video.files import Tables, formats, open_tfds

pytest.importorskip("av")
from tests.video.made import grey, numbers, saved, text, write  # noqa: E402


def folder_of(folder, *names):
    """Writes arrays of one frame under these names: CLASS/CLIP."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        saved(folder, np.zeros((1, 4, 4, 3), np.uint8), name)
    return folder


def pairs(source):
    return [(Path(example.input).name, example.target) for example in source]


def test_folder_per_class_is_ordered_by_a_hash_of_names(tmp_path):
    names = [f"{label}/{n}.npy" for label in ("run", "walk") for n in range(20)]
    one, other = (folder_of(tmp_path / place, *order) for place, order in (("a", names), ("b/c", names[::-1])))
    (one / "walk" / "notes.txt").write_text("no clip")
    (one / "walk" / "._0.npy").write_text("no clip")
    found = pairs(open_clips(one))
    assert sorted(found) == sorted((name.split("/")[1], name.split("/")[0]) for name in names)
    assert found == pairs(open_clips(other)) and len(set(label for _, label in found[:8])) == 2
    assert all(example.place == example.input for example in open_clips(one))


@pytest.mark.parametrize(("name", "comma"), [("all.csv", ","), ("all.tsv", "\t")])
@pytest.mark.parametrize("header", ["path,label", "file,class", ""])
def test_table_paths_are_relative_to_its_folder(tmp_path, name, comma, header):
    folder_of(tmp_path, "a/1.npy", "b/2.npy")
    lines = [header] * bool(header) + ["a/1.npy,run", f"{tmp_path}/b/2.npy,walk", "a/3.npy,run"]
    path = text(tmp_path / name, "\n".join(lines).replace(",", comma))
    source, first = open_clips(path), 1 + bool(header)
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
        ("a.csv", "a/1.npy,run\na.csv,walk", "a.csv:2: a.csv is not a clip; clips end in .mp4, .avi"),
        ("b.txt", "a/1.npy run", "b.txt: unknown format '.txt'; files end in .mp4, .avi"),
        ("c.mp4", "", "c.mp4: the file is empty; give a complete video"),
    ):
        with pytest.raises(UserError, match=f"^{tmp_path}/{message}"):
            list(open_clips(text(tmp_path / name, content)))
    (tmp_path / "d" / "e").mkdir(parents=True)
    with pytest.raises(
        UserError, match="d: no clips in sub-folders here .found e.; give a folder with one sub-folder per"
    ):
        open_clips(tmp_path / "d")
    with pytest.raises(UserError, match="no.mp4: no such file; check the path"):
        open_clips(tmp_path / "no.mp4")
    with pytest.raises(
        UserError, match="1.npy: a clip without a class; give a folder with one sub-folder per class, or a t"
    ):
        load_splits(tmp_path / "a" / "1.npy")
    clip = str(tmp_path / "a" / "1.npy")
    assert list(open_clips(clip)) == [Example(clip, "", clip)]


def test_given_splits(tmp_path):
    folder_of(
        tmp_path, *(f"{split}/{label}/{split}.npy" for split in ("train", "valid", "test") for label in ("a", "b"))
    )
    for name, source in load_splits(tmp_path):
        assert {label for _, label in pairs(source)} == {"a", "b"}
        assert {clip for clip, _ in pairs(source)} == {{"validation": "valid"}.get(name, name) + ".npy"}
    for split in ("train", "dev", "test"):
        text(tmp_path / f"{split}.csv", f"train/a/train.npy,{split}")
    tables = load_splits(None, train=tmp_path / "train.csv", valid=tmp_path / "dev.csv", test=tmp_path / "test.csv")
    assert [label for _, source in tables for _, label in pairs(source)] == ["train", "dev", "test"]


def test_splits_by_the_hash_of_the_recording(tmp_path):
    names = [f"run/v_run_g{g:02}_c{c:02}.npy" for g in range(30) for c in (1, 2)]
    found = {}
    for place in ("a", "b"):
        with pytest.warns(
            UserWarning, match="no test and no validation split given; 10 % of train each taken by the hash"
        ):
            splits = load_splits(folder_of(tmp_path / place, *names))
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
            splits = load_splits("tfds:ucf101/ucf101_1", Options(4, 16))
        assert len(list(splits.test)) == 3
        with pytest.raises(
            UserError, match="tfds:mnist: no video and class among the features image, label; name another"
        ):
            open_tfds("mnist", "train")


def test_real_clips(data_folder):
    splits = load_splits(data_folder / "video" / "fights")
    assert [len(list(source)) for _, source in splits] == [210, 30, 60]
    for example in itertools.islice(splits.test, 0, None, 12):
        frames = read(example.input, Options(8, 32))
        assert frames.shape == (8, 32, 32, 3) and 10 < frames.mean() < 245 and frames.std() > 10
