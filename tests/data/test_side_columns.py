"""Side columns: numbers are standardised, categories one-hot, and what is missing or unknown counts as such."""

import math
import statistics
import warnings

import numpy as np
import pytest
import tensorflow as tf

from seqtasks.data.columns import Columns, read_columns
from seqtasks.data.reading import Reading
from seqtasks.data.side_columns import CATEGORIES, SideColumns, Unknown, number_of, required, width
from seqtasks.data.sources import Example, Source
from seqtasks.data.splits import open_data
from seqtasks.errors import UserError
from seqtasks.text.assets import load_assets
from seqtasks.text.files import formats


def source(*rows):
    return Source(lambda: (Example(f"text {n}", "x", n, columns=row) for n, row in enumerate(rows)), "made")


def encoded(columns, *rows):
    return columns.encode([tf.constant(values) for values in zip(*rows, strict=True)]).numpy()


def test_numbers_have_mean_0_and_deviation_1_in_train_and_the_missing_one_an_indicator():
    values = ["1e3", "-5", " 7.5 ", "", "NaN", ".25", "+8"]
    known = [1000.0, -5.0, 7.5, 0.25, 8.0]
    columns = SideColumns.learn(["age"], source(*((v,) for v in values)))
    mean, deviation = statistics.mean(known), statistics.pstdev(known)
    expected = [[(float(v) - mean) / deviation, 0] if v not in ("", "NaN") else [0, 1] for v in values]
    np.testing.assert_allclose(encoded(columns, *((v,) for v in values)), expected, rtol=1e-6)
    as_floats = tf.constant([1000.0, math.nan, math.inf], tf.float32)
    np.testing.assert_allclose(columns.encode([as_floats]).numpy(), [expected[0], [0, 1], [0, 1]], rtol=1e-6)


def test_a_column_complete_in_train_has_no_indicator_and_a_missing_number_is_the_mean():
    columns = SideColumns.learn(["year", "n"], source(("2019", "3"), ("2021", "3")))
    np.testing.assert_array_equal(encoded(columns, ("2021", "3"), ("", "?")), [[1, 0], [0, 0]])


def test_large_numbers_keep_their_differences():
    columns = SideColumns.learn(["time"], source(("1700000000.5",), ("1700000002.5",)))
    np.testing.assert_allclose(encoded(columns, ("1700000000.5",), ("1700000001.5",)), [[-1], [0]], atol=1e-6)


def test_other_columns_are_categories_and_an_unknown_one_is_zeros():
    columns = SideColumns.learn(["where", "age"], source(("be", "1"), ("at", "3"), ("", "1"), ("be", "3")))
    expected = [[0, 0, 1, -1], [0, 1, 0, 1], [1, 0, 0, -1], [0, 0, 0, 1]]
    np.testing.assert_array_equal(encoded(columns, ("be", "1"), ("at", "3"), ("", "1"), ("BE", "3")), expected)


def test_the_country_na_is_a_category_and_a_text_among_numbers_is_told():
    columns = SideColumns.learn(["where"], source(("NA",), ("at",), ("NA",)))
    assert columns.columns[0].categories == ("NA", "at")
    with pytest.warns(UserWarning, match="'age' is taken for categories, since not all .*: 'old'"):
        SideColumns.learn(["age"], source(*((str(n),) for n in range(20)), ("old",)))


def test_the_most_frequent_categories_count():
    rows = [(f"c{n}",) for n in range(CATEGORIES + 9)] + [(f"c{n}",) for n in range(9, CATEGORIES + 9)]
    with pytest.warns(UserWarning, match=f"{CATEGORIES + 9} categories, of which the {CATEGORIES} most"):
        columns = SideColumns.learn(["id"], source(*rows))
    assert len(columns) == CATEGORIES and "c8" not in columns.columns[0].categories


@pytest.mark.parametrize(
    "value", ["1", "-1.5e-3", ".5", "5.", "1_000", "0x1f", "1e999", "nan", "inf", "12 cm", "", "１"]
)
def test_the_graph_takes_the_same_texts_for_numbers_as_python(value):
    columns = SideColumns.learn(["n"], source(("1",), ("3",), ("",)))
    found, number = encoded(columns, (value,))[0], number_of(value)
    known = number is not None and math.isfinite(number)
    np.testing.assert_allclose(found, [number - 2, 0] if known else [0, 1], rtol=1e-6)


def test_a_file_holds_them(tmp_path):
    columns = SideColumns.learn(["Größe", "wo"], source(("1.5", 'a "b"'), ("", "c\nd")))
    (tmp_path / "columns.txt").write_text(columns.text(), "utf-8")
    loaded = load_assets(tmp_path)["columns"]
    rows = ("1.5", 'a "b"'), ("7", "c\nd"), ("", "")
    assert loaded.names == ("Größe", "wo")
    np.testing.assert_array_equal(encoded(loaded, *rows), encoded(columns, *rows))
    (tmp_path / "columns.txt").write_text("[1", "utf-8")
    with pytest.raises(UserError, match="columns.txt: not the columns of a run"):
        load_assets(tmp_path)


def test_unknown_values_are_counted():
    columns = SideColumns.learn(["age", "where"], source(("1", "at"), ("2", "be")))
    unknown = Unknown(columns, "new.csv")
    for row in (("1", "at"), ("x", "ch"), ("NA", "ch"), ("", "")):
        unknown.add(row)
    with pytest.warns(UserWarning) as told:
        unknown.warn()
    assert [str(w.message) for w in told] == [
        "new.csv: values of the column 'age' are no numbers and count as missing: 'x' (1 in all)",
        "new.csv: values of the column 'where' are not in train: 'ch' (2 in all)",
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Unknown(columns, "same.csv").warn()


ROWS = [{"text": "a", "label": "x", "Age": 3, "on": True}, {"text": "b", "label": "y", "Age": None, "on": False}]


def columns_of(data, names, **reading):
    return [e.columns for e in open_data(data, formats(), Reading(columns=names, **reading))]


def test_tables_and_records_give_their_values_as_text(tmp_path):
    assert columns_of(ROWS, "Age,on") == [("3", "true"), ("", "false")]
    table = tmp_path / "a.csv"
    table.write_text("text,label,Age,on\na,x,3,yes\nb,y,,no\n")
    assert columns_of(table, "age, 4") == [("3", "yes"), ("", "no")]
    assert columns_of(table, "on", labelled=False) == [("yes",), ("no",)]
    lines = tmp_path / "a.jsonl"
    lines.write_text('{"text": "a", "label": "x", "meta": {"age": 3}}\n{"text": "b", "label": "y"}\n')
    assert columns_of(lines, "meta.age") == [("3",), ("",)]
    frame = pytest.importorskip("pandas").DataFrame(ROWS)
    assert columns_of(frame, "Age,on") == [("3.0", "true"), ("", "false")]


def test_a_column_that_is_not_there_is_one_line(tmp_path):
    table = tmp_path / "a.csv"
    table.write_text("text,label,age\na,x,3\n")
    with pytest.raises(
        UserError, match="a.csv: no column 'size'; the columns are 'text', 'label', 'age'; name the col"
    ):
        columns_of(table, "size")
    with pytest.raises(UserError, match=r"list:1: \[1, 2\] in the column 'n'; give one number or name"):
        columns_of([{"text": "a", "label": "x", "n": [1, 2]}], "n")
    with pytest.raises(UserError, match="made: no value of the column 'size'; check its name in --columns"):
        SideColumns.learn(["size"], source(("",), ("",)))


def test_a_source_without_columns_names_the_option(tmp_path):
    lines = tmp_path / "a.txt"
    lines.write_text("__label__x a\n")
    with pytest.raises(UserError, match=r"--columns age: .*a.txt has no columns; leave it out, or give a table"):
        list(required(open_data(lines, formats(), Reading()), "age"))


def test_another_number_of_columns_than_the_run_knows_is_an_error():
    assets = {"columns": SideColumns.learn(["age"], source(("1",), ("2",)))}
    assert (width("years", assets), width("", {})) == (1, 0)
    for option, known in (("a,b", assets), ("", assets), ("a", {})):
        with pytest.raises(UserError, match="--columns: . columns?, but the run was trained with (age|none)"):
            width(option, known)


def pairs_of(data, text="premise,hypothesis", label=None, **reading):
    found = open_data(data, formats(Columns(text, label, pairs=True)), Reading(**reading))
    return [(e.input, e.target) for e in found]


EXPECTED = [("a dog\x1ean animal", "yes"), ("a car\x1ea tree", "no")]


def test_pairs_are_read_from_tables_records_and_memory(tmp_path):
    rows = [{"premise": "a dog", "hypothesis": "an animal", "label": "yes"}]
    rows += [{"premise": "a car", "hypothesis": "a tree", "label": "no"}]
    assert pairs_of(rows) == EXPECTED
    assert pairs_of([tuple(row.values()) for row in rows], "1,2", "3") == EXPECTED
    assert pairs_of([("a dog", "an animal"), ("a car", "a tree")], labelled=False) == [(t, "") for t, _ in EXPECTED]
    nested = [{"data": {"s": [row["premise"], row["hypothesis"]], **row}, "label": row["label"]} for row in rows]
    assert pairs_of(nested, "data.premise, data.hypothesis") == EXPECTED
    assert pairs_of(pytest.importorskip("pandas").DataFrame(rows)) == EXPECTED
    for name, head, text in (("h", "premise,hypothesis,label\n", "premise,hypothesis"), ("n", "", "1,2")):
        table = tmp_path / f"{name}.csv"
        table.write_text(f"{head}a dog,an animal,yes\na car,a tree,no\n")
        assert pairs_of(table, text, "3") == EXPECTED
    table = tmp_path / "u.csv"
    table.write_text("sentence1,sentence2,label\na dog,an animal,yes\n")
    assert pairs_of(table, "1,2", "3") == EXPECTED[:1]


def test_a_pair_without_its_second_text_is_faulty_and_a_separator_becomes_a_blank():
    rows = [
        {"premise": "a\x1edog", "hypothesis": "b", "label": "x"},
        {"premise": "c", "hypothesis": None, "label": "y"},
    ]
    good, bad = read_columns_of(rows)
    assert good.input == "a dog\x1eb"
    assert str(bad.error).startswith("list:2: the text 'hypothesis' is missing")


def read_columns_of(rows):
    from seqtasks.data.memory import records_of

    return list(read_columns(records_of(rows), Columns("premise,hypothesis", pairs=True)).read())


def test_pairs_need_two_columns(tmp_path):
    for text in ("a,b,c", "a,", "a,a"):
        with pytest.raises(UserError, match=f"--text_column: '{text}' is not one column or two; name one, or two"):
            pairs_of([{"a": "x"}], text)
    with pytest.raises(UserError, match="no column 'hypothesis'; the columns are 'premise', 'label'"):
        pairs_of(pytest.importorskip("pandas").DataFrame([{"premise": "a", "label": "x"}]))
    lines = tmp_path / "a.txt"
    lines.write_text("__label__x a\tb\n")
    with pytest.raises(UserError, match=r"a.txt: holds one text for each label, not pairs; give a table with"):
        pairs_of(lines)
    lines.write_text("a\tb\nc\n")
    with pytest.raises(UserError, match="a.txt:2: 1 text, but the run takes two; separate the two with a tab"):
        pairs_of(lines, labelled=False)
