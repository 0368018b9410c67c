"""Data sets of TensorFlow Datasets: their splits, features and records, and what is missing."""

import pytest

from seqtasks.data import tfds
from seqtasks.errors import UserError


def test_a_split_has_features_and_numbered_records():
    library = pytest.importorskip("tensorflow_datasets")
    with library.testing.mock_data(num_examples=3):
        assert tfds.split_names("imdb_reviews")[:2] == ["train", "test"]
        data = tfds.open_dataset("imdb_reviews", "test")
        assert data.place == "tfds:imdb_reviews/test" and set(data.features) == {"text", "label"}
        assert data.features_of_type("Text") == ["text"] and data.features_of_type("Audio") == []
        for _ in range(2):
            assert [number for number, record in data.records()] == [1, 2, 3]
        assert {type(record["text"]) for _, record in data.records()} == {bytes}
        error = data.no_feature("sound")
        listed = ", ".join(data.features)
    assert str(error) == f"tfds:imdb_reviews: no sound among the features {listed}; name another data set"


def test_an_unknown_name_and_a_missing_package_are_errors_of_the_user(monkeypatch):
    pytest.importorskip("tensorflow_datasets")
    with pytest.raises(UserError, match=r"^tfds:no_such_set: no such data set; see tfds.list_builders\(\)$"):
        tfds.split_names("no_such_set")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for call in (lambda: tfds.split_names("imdb_reviews"), lambda: tfds.open_dataset("imdb_reviews", "train")):
        with pytest.raises(UserError, match=r"the package tensorflow_datasets is missing; pip install 'seqtasks\[tfds"):
            call()
