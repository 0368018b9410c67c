"""Data in memory: every kind gives the examples of the same table in a file."""

import numpy as np
import pytest

from seqtasks.data.columns import Columns
from seqtasks.data.memory import array_of, keep_array
from seqtasks.data.reading import Reading
from seqtasks.data.splits import find_splits, open_data
from seqtasks.data.targets import label_text
from seqtasks.data.values import missing, plain
from seqtasks.errors import UserError
from seqtasks.text.files import formats

PAIRS = [("a fine film", "good"), ("a dull film", "bad"), ("好电影", "good")]
ROWS = [{"text": text, "label": label} for text, label in PAIRS]


def frame():
    return pytest.importorskip("pandas").DataFrame(ROWS)


def dataset():
    tf = pytest.importorskip("tensorflow")
    return tf.data.Dataset.from_tensor_slices(tuple(list(column) for column in zip(*PAIRS, strict=True)))


KINDS = {
    "pairs": lambda: PAIRS,
    "lists": lambda: [list(pair) for pair in PAIRS],
    "dicts": lambda: ROWS,
    "inputs and labels": lambda: tuple(list(column) for column in zip(*PAIRS, strict=True)),
    "arrays": lambda: tuple(np.array(column) for column in zip(*PAIRS, strict=True)),
    "pandas": frame,
    "polars": lambda: pytest.importorskip("polars").DataFrame(ROWS),
    "lazy polars": lambda: pytest.importorskip("polars").LazyFrame(ROWS),
    "pyarrow": lambda: pytest.importorskip("pyarrow").Table.from_pylist(ROWS),
    "hugging face": lambda: pytest.importorskip("datasets").Dataset.from_list(ROWS),
    "hugging face stream": lambda: pytest.importorskip("datasets").Dataset.from_list(ROWS).to_iterable_dataset(),
    "tf.data pairs": dataset,
    "tf.data dicts": lambda: dataset().map(lambda text, label: {"text": text, "label": label}),
    "generator": lambda: (row for row in ROWS),
}


def found(data, **reading):
    return [(e.input, e.target) for e in open_data(data, formats(), Reading(**reading))]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gives_the_same_examples_in_every_iteration(kind):
    source = open_data(KINDS[kind](), formats())
    for _ in range(2):
        assert [(e.input, e.target) for e in source] == PAIRS


def test_a_dict_of_splits_and_columns_that_are_named():
    data = {"train": PAIRS, "dev": frame(), "test": ROWS}
    assert {name: len(list(source)) for name, source in find_splits(data, formats())} == {
        "train": 3, "validation": 3, "test": 3,
    }  # fmt: skip
    named = formats(Columns("words", "mood"))
    rows = [{"label": "no", "words": "fine", "mood": 1}]
    assert [(e.input, e.target) for e in open_data(rows, named)] == [("fine", "1")]
    with pytest.raises(UserError, match="data: no split is called 'good'; call them train, validation and test"):
        find_splits({"good": PAIRS}, formats())
    with pytest.raises(UserError, match="data: two names of one split among train, dev, val; call them train,"):
        find_splits({"train": PAIRS, "dev": PAIRS, "val": PAIRS}, formats())


def test_other_splits_of_a_data_set_are_not_read():
    datasets = pytest.importorskip("datasets")
    part = datasets.Dataset.from_list(ROWS)
    data = datasets.DatasetDict({"train": part, "validation": part, "test": part, "unsupervised": part})
    assert [len(list(source)) for _, source in find_splits(data, formats())] == [3, 3, 3]


def test_gaps_are_missing_and_texts_that_are_no_strings_are_faulty():
    pd = pytest.importorskip("pandas")
    data = pd.DataFrame({"text": ["fine", None, 3, "dull"], "label": [1.0, 2.0, 3.0, None]})
    errors = [str(item.error) for item in open_data(data, formats()).read() if hasattr(item, "error")]
    assert [error.split(";")[0] for error in errors] == [
        "DataFrame:2: the text is missing",
        "DataFrame:3: the text is not a string: 3",
        "DataFrame:4: the label is missing",
    ]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"text": "x"}, "data: no split is called 'text'"),
        (3, "int: int 3 is not data; give a pandas or polars DataFrame"),
        ([], "list: no records in it; give at least one"),
        ((["a", "b"], ["x"]), "tuple: 2 inputs and 1 labels; give each input one label"),
        ([("a", "x"), ("b",)], r"list:2: not 2 values: \('b',\); give every record the same fields"),
        ([{"text": "a", "label": "x"}, "b"], "list:2: not a dict: 'b'; give every record the same fields"),
        ([{"text": "a", "label": ["x", "y"]}], r"list:1: \['x', 'y'\] is not one label; give each record one name or"),
        ([{"words": "a", "label": "x"}], "list:1: no text or sentence among the fields words, label; name"),
        (["a", "b"], "list: one column, 'a'; name them with --text_column and --label_column"),
    ],
)  # fmt: skip
def test_data_that_is_not_understood(data, message):
    with pytest.raises(UserError, match=message):
        list(find_splits(data, formats(), Reading(strict=True)).train)


def test_endless_data():
    with pytest.raises(UserError, match=r"a data set without end; take it without .repeat\(\)"):
        found(dataset().repeat())


def test_inputs_need_no_label_and_carry_columns():
    pd = pytest.importorskip("pandas")
    data = pd.DataFrame({"id": [7, 8], "text": ["fine", "dull"], "when": pd.to_datetime(["2020-01-31", None])})
    source = open_data(data, formats(), Reading(labelled=False, carry=("all",)))
    assert [dict(e.fields) for e in source] == [
        {"id": 7, "text": "fine", "when": "2020-01-31 00:00:00"}, {"id": 8, "text": "dull", "when": None},
    ]  # fmt: skip
    assert found(["fine", "dull"], labelled=False) == [("fine", ""), ("dull", "")]
    with pytest.raises(UserError, match="DataFrame: --carry: no column 'iid'; did you mean 'id'"):
        open_data(data, formats(), Reading(labelled=False, carry=("iid",)))


def test_values_as_text_and_as_json():
    assert [label_text(v) for v in (np.int64(3), np.float32(0.5), np.str_("x"), b"y", True, None)] == [
        "3", "0.5", "x", "y", "true", "",
    ]  # fmt: skip
    assert plain({"a": np.arange(2), "b": float("nan")}) == {"a": [0, 1], "b": None}
    pd = pytest.importorskip("pandas")
    assert missing(pd.NA) and missing(pd.NaT) and not missing(0)


def test_an_array_is_kept_by_its_content():
    array = np.arange(6, dtype="float32").reshape(2, 3)
    name = keep_array(array)
    assert keep_array(array.copy()) == name != keep_array(array.reshape(3, 2)) != keep_array(array.astype("float64"))
    assert array_of(name).tolist() == array.tolist() and array_of("a.wav") is None
