"""Data sets of Hugging Face: local folders, saved ones, names of classes; the network is never used."""

import pytest

from seqtasks.data import hf
from seqtasks.data.splits import find_splits, open_data
from seqtasks.errors import UserError
from seqtasks.text.files import formats

datasets = pytest.importorskip("datasets")


def made():
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["bad", "good"])}
    )
    rows = {"text": [f"text {n}" for n in range(30)], "label": [n % 2 for n in range(30)]}
    return datasets.Dataset.from_dict(rows, features=features)


def pairs(source):
    return [(e.input, e.target) for e in source]


EXPECTED = [(f"text {n}", ("bad", "good")[n % 2]) for n in range(30)]


def test_a_saved_data_set_and_one_in_memory(tmp_path):
    whole = datasets.DatasetDict(
        {"train": made(), "validation": made().select(range(4)), "test": made().select(range(6))}
    )
    whole.save_to_disk(tmp_path / "saved")
    for data in (f"hf:{tmp_path}/saved", whole):
        splits = find_splits(data, formats())
        assert pairs(splits.train) == EXPECTED
        assert pairs(splits.validation) == EXPECTED[:4] and pairs(splits.test) == EXPECTED[:6]
    made().save_to_disk(tmp_path / "one")
    assert pairs(open_data(f"hf:{tmp_path}/one", formats())) == EXPECTED


def test_a_folder_of_files_as_the_hub_has_them(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "reviews" / "data"
    folder.mkdir(parents=True)
    made().to_parquet(folder / "train-00000-of-00001.parquet")
    made().select(range(5)).to_parquet(folder / "test-00000-of-00001.parquet")
    with pytest.warns(UserWarning, match="no validation split given"):
        splits = find_splits(f"hf:{tmp_path}/reviews", formats())
        assert sorted(pairs(splits.train) + pairs(splits.validation)) == sorted(EXPECTED)
        assert pairs(splits.test) == EXPECTED[:5]


def test_lists_of_classes_and_labels_that_are_missing():
    tags = datasets.Sequence(datasets.ClassLabel(names=["O", "B-PER"]))
    features = datasets.Features({"tokens": datasets.Sequence(datasets.Value("string")), "ner_tags": tags})
    data = datasets.Dataset.from_dict({"tokens": [["Ada", "sleeps"]], "ner_tags": [[1, 0]]}, features=features)
    assert [record for _, record in hf.records(data, "x").read()] == [
        {"tokens": ["Ada", "sleeps"], "ner_tags": ["B-PER", "O"]}
    ]
    labels = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["bad", "good"])})
    hidden = datasets.Dataset.from_dict({"text": ["x"], "label": [-1]}, features=labels)
    assert [record["label"] for _, record in hf.records(hidden, "x").read()] == [None]


def test_a_missing_data_set_and_a_missing_package(tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"^hf:.*nothing: no such folder; check the path"):
        find_splits(f"hf:{tmp_path}/nothing", formats())
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"^hf:.*empty: cannot be loaded \(.*\); check the name, the configuration"):
        find_splits(f"hf:{tmp_path}/empty", formats())
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"the package datasets is missing; pip install 'seqtasks\[hf\]'"):
        hf.open_splits("imdb")
