"""Splits: by name, by hash, from TFDS."""

import hashlib

import pytest

from seqtasks.data.splits import find_splits, part
from seqtasks.errors import UserError


def write(path, texts):
    path.write_text("text,label\n" + "".join(f"{text},{i % 2}\n" for i, text in enumerate(texts)))


def texts(source):
    return [e.input for e in source]


def test_part_is_the_sha256_modulo_ten():
    for text in ("a fine film", "好", ""):
        assert part(text) == int.from_bytes(hashlib.sha256(text.encode()).digest(), "big") % 10


def test_one_file_is_split_by_the_hash_of_the_text(tmp_path):
    rows = [f"film {i % 400}" for i in range(500)]
    write(tmp_path / "all.csv", rows)
    with pytest.warns(UserWarning, match="no test and no validation split given; 10 % of train each taken"):
        splits = find_splits(tmp_path / "all.csv")
    parts = {name: texts(source) for name, source in splits}
    assert sorted(sum(parts.values(), [])) == sorted(rows)
    assert not set(parts["train"]) & set(parts["test"]) and not set(parts["train"]) & set(parts["validation"])
    assert all(part(t) == 0 for t in parts["test"]) and all(part(t) == 1 for t in parts["validation"])
    assert 0.7 < len(parts["train"]) / 500 < 0.9


def test_files_by_name_and_a_validation_split_from_train(tmp_path):
    rows = [f"film {i}" for i in range(100)]
    write(tmp_path / "train.csv", rows)
    write(tmp_path / "test.csv", ["other"])
    with pytest.warns(UserWarning, match="no validation split given; 10 % of train taken"):
        splits = find_splits(tmp_path)
    assert texts(splits.test) == ["other"]
    assert sorted(texts(splits.train) + texts(splits.validation)) == sorted(rows)
    write(tmp_path / "dev.csv", ["held out"])
    splits = find_splits(tmp_path)
    assert texts(splits.validation) == ["held out"] and texts(splits.train) == rows
    assert texts(find_splits(tmp_path, test=tmp_path / "dev.csv").test) == ["held out"]


def test_what_is_no_split(tmp_path):
    write(tmp_path / "test.csv", ["x"])
    with pytest.raises(UserError, match=r"test.csv but no train\.\*; add one, or name it with --train"):
        find_splits(tmp_path)
    write(tmp_path / "train.csv", ["x"])
    (tmp_path / "train.tsv").write_text("x\ty\n")
    with pytest.raises(UserError, match="several files for train: train.csv, train.tsv; name one with --train"):
        find_splits(tmp_path)
    with pytest.raises(UserError, match="nothing to train on"):
        find_splits(None)


def test_tfds_by_name():
    tfds = pytest.importorskip("tensorflow_datasets")
    with tfds.testing.mock_data(num_examples=60), pytest.warns(UserWarning, match="no validation split"):
        splits = find_splits("tfds:imdb_reviews")
        assert len(texts(splits.test)) == 60
        assert len(texts(splits.train)) + len(texts(splits.validation)) == 60
        assert {e.target for e in splits.test} <= {"neg", "pos"}
