"""Data of any kind through the engine: equal weights, equal answers, runs that say where their data was."""

import numpy as np
import pytest
import yaml

import seqtasks
from seqtasks.errors import UserError
from tests.reviews import SMALL

pytestmark = pytest.mark.usefixtures("no_reports")
WORDS = {"good": ("fine", "warm", "clever"), "bad": ("dull", "weak", "slow")}
ROWS = [
    {"id": n, "text": f"a {WORDS[label][n % 3]} film, number {n}", "label": label}
    for n in range(60)
    for label in [("good", "bad")[n % 2]]
]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The same rows as CSV and Parquet."""
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    folder = tmp_path_factory.mktemp("rows")
    frame = pd.DataFrame(ROWS)
    frame.to_csv(folder / "rows.csv", index=False)
    frame.to_parquet(folder / "rows.parquet")
    return folder


def train(data, run):
    with pytest.warns(UserWarning, match="no test and no validation split given"):
        return seqtasks.train("sentiment", data=data, run=run, **SMALL)


@pytest.fixture(scope="module")
def from_csv(files):
    return train(files / "rows.csv", files / "run")


@pytest.fixture(scope="module")
def from_list(tmp_path_factory):
    return train(ROWS, tmp_path_factory.mktemp("memory") / "run")


@pytest.mark.parametrize(
    "kind", ["list", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("pandas", "parquet", "hugging face"))]
)
def test_training_from_memory_and_parquet_gives_the_weights_of_the_csv(files, from_csv, tmp_path, kind, request):
    pd = pytest.importorskip("pandas")
    if kind == "list":
        run = request.getfixturevalue("from_list")
    elif kind == "parquet":
        run = train(files / "rows.parquet", tmp_path / "run")
    elif kind == "pandas":
        run = train(pd.DataFrame(ROWS), tmp_path / "run")
    else:
        run = train(pytest.importorskip("datasets").Dataset.from_list(ROWS), tmp_path / "run")
    for one, other in zip(from_csv.model.get_weights(), run.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    drop = ("seconds", "examples_per_second")
    assert {k: v for k, v in run.metrics["test"].items() if k not in drop} == {
        k: v for k, v in from_csv.metrics["test"].items() if k not in drop
    }


def test_a_table_a_frame_and_lines_get_the_same_answers(files, from_csv):
    pd = pytest.importorskip("pandas")
    lines = from_csv.predict([row["text"] for row in ROWS])
    assert len(lines) == 60
    assert (
        from_csv.predict(pd.DataFrame(ROWS))
        == list(from_csv.answers(from_csv.read_inputs(files / "rows.csv")))
        == lines
    )


def test_columns_are_carried_into_a_frame_of_answers(from_csv):
    pd = pytest.importorskip("pandas")
    answers = from_csv.predict(pd.DataFrame(ROWS), as_frame=True, carry="id,label")
    assert answers["id"].tolist() == list(range(60)) and answers["given_label"].tolist() == [r["label"] for r in ROWS]
    assert answers["label"].tolist() == [a["label"] for a in from_csv.predict([r["text"] for r in ROWS])]
    part = pd.DataFrame(ROWS).iloc[[7, 3]]
    assert from_csv.predict(part, as_frame=True).index.tolist() == [7, 3]


def test_a_finished_run_is_not_resumed_with_other_options_and_empty_data_is_named(from_csv, tmp_path):
    with pytest.raises(UserError, match=r"--epochs: the run was started with \d+; leave the option out"):
        seqtasks.train("sentiment", run=from_csv.directory, resume=True, epochs=99)
    (tmp_path / "a.csv").write_text("text,label\n")
    with pytest.raises(UserError, match="no examples for the test split; name another with --data"):
        from_csv.evaluate(tmp_path / "a.csv")


def test_a_run_on_data_in_memory_says_so(from_list, tmp_path):
    run = from_list
    assert yaml.safe_load((run.directory / "config.yaml").read_text())["data"] == "in memory: list"
    with pytest.raises(UserError, match=r"was trained on data in memory \(list\); give the data"):
        run.evaluate()
    with pytest.raises(UserError, match=r"was trained on data in memory \(list\); give the data"):
        seqtasks.load_run(run.directory).splits()
    assert run.evaluate(ROWS)["examples"] == 60
    assert run.evaluate({"train": ROWS, "test": ROWS[:10]}, split="test")["examples"] == 10
    again = seqtasks.finetune(run, data=ROWS, new=tmp_path / "again", epochs=1)
    assert "in memory" in (again.directory / "environment.json").read_text()


def test_evaluation_counts_unknown_labels_as_misses(from_csv):
    data = [*ROWS[:30], *({"text": "odd", "label": "new"} for _ in range(10))]
    with pytest.warns(UserWarning, match="labels of the test split that the run lacks: 'new'; each of 10 is a miss"):
        found = from_csv.evaluate(data)
    right = sum(a["label"] == r["label"] for a, r in zip(from_csv.predict(ROWS[:30]), ROWS, strict=False))
    assert found["accuracy"] == pytest.approx(right / 40) and found["examples"] == 40
    with pytest.raises(UserError, match=r"no label of the test split is among those of the run \(bad, good\), but 'x'"):
        from_csv.evaluate([("a text", "x"), ("another", "x")])


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"text": "x"}, "inputs: dict .* is not a list of inputs; give a string, a list of strings, or a pandas"),
        (3, "inputs: int 3 is not a list of inputs"),
        (None, "inputs: NoneType None is not a list of inputs"),
        (["fine", None], "input 2: NoneType is not a text; give a string"),
        (["fine", 3.5], "input 2: float is not a text; give a string"),
        ([["fine", "dull"]], "input 1: list is not a text; give a string"),
        (["half \ud83d"], r"input 1: a lone surrogate U\+D83D at position 5 is no character"),
        ([b"caf\xe9"], r"input 1: not UTF-8 \(byte 0xe9 at offset 3\)"),
        (np.zeros((2, 3)), "list:1: the text is not a string: array"),
    ],
)
def test_inputs_that_are_no_texts(from_csv, inputs, message):
    with pytest.raises(UserError, match=message):
        from_csv.predict(inputs)


def test_other_kinds_of_inputs_of_the_same_texts(from_csv):
    texts = [row["text"] for row in ROWS[:5]]
    expected = from_csv.predict(texts)
    pd = pytest.importorskip("pandas")
    for given in (np.array(texts), pd.Series(texts), iter(texts), tuple(texts), [t.encode() for t in texts], ROWS[:5]):
        assert from_csv.predict(given) == expected
    assert from_csv.predict(texts[0]) == expected[:1] and from_csv.predict([]) == []


def test_cross_validation_measures_each_example_once(files, tmp_path):
    found = seqtasks.cross_validate(
        "sentiment", files / "rows.csv", tmp_path / "folds", folds=2, **SMALL | {"epochs": 1}
    )
    runs = [seqtasks.load_run(tmp_path / "folds" / f"fold-{n:02}").metrics["test"] for n in (1, 2)]
    assert sum(metrics["examples"] for metrics in runs) == 60
    each = [metrics["accuracy"] for metrics in runs]
    assert found["test"]["accuracy"]["each"] == each
    assert found["test"]["accuracy"]["mean"] == pytest.approx(np.mean(each))
    assert found["test"]["accuracy"]["deviation"] == pytest.approx(np.std(each, ddof=1))
    with pytest.raises(UserError, match=r"was trained on data in memory \(fold 1 of 2 of .*rows.csv\)"):
        seqtasks.load_run(tmp_path / "folds" / "fold-01").evaluate()
    with pytest.raises(UserError, match="exists already"):
        seqtasks.cross_validate("sentiment", files / "rows.csv", tmp_path / "folds", folds=3)
    with pytest.raises(UserError, match="is no cross-validation, so it is not overwritten"):
        seqtasks.cross_validate("sentiment", files / "rows.csv", files, folds=3, overwrite=True)
