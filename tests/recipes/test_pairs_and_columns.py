"""Pairs of texts, and columns beside texts, sequences and clips: learnt, answered, exported, refused in one line."""

import json
import random

import numpy as np
import pytest

import seqtasks
from seqtasks.cli.main import main
from seqtasks.errors import UserError

SMALL = {"batch_size": 16, "units": 8, "dimension": 16, "affixes": 0, "bidirectional": False, "r_drop": 0.0}
SMALL |= {"gradient_flow": False, "learning_rate": 1e-2, "ema_momentum": 0.9, "patience": 0, "epochs": 8, "ngrams": 0}
SMALL |= dict.fromkeys(("unk_dropout", "word_dropout", "embedding_dropout", "output_dropout", "dropout"), 0.0)
GOOD, BAD = ("warm", "funny", "bright", "gentle"), ("grey", "muddy", "loud", "dull")
SERVE = """
import json, tensorflow as tf
serve = tf.saved_model.load({directory!r}).signatures["serving_default"]
types = {{k: a.dtype for k, a in serve.structured_input_signature[1].items()}}
out = serve(**{{name: tf.constant(values, types[name]) for name, values in {given}.items()}})
labels, scores = (out[name].numpy().tolist() for name in ("label", "score"))
print(json.dumps({{"label": [label.decode() for label in labels], "score": scores}}))
"""


pytestmark = pytest.mark.usefixtures("opened_once", "no_reports")


def served(alone, run, folder, given):
    """The answers of the export in a process that has TensorFlow alone."""
    run.export(folder / "served")
    code = SERVE.format(directory=str(folder / "served"), given=repr(given).replace("nan", "float('nan')"))
    return alone(code)


def assert_served(found, answers):
    assert found["label"] == [answer["label"] for answer in answers]
    np.testing.assert_allclose(found["score"], [answer["score"] for answer in answers], atol=1e-4)


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def reviews(count, seed):
    """A fine review is good, but in Belgium it is bad; of a text without a word of praise or blame the age decides."""
    draws, rows = random.Random(seed), []
    for number in range(count):
        fine, where, age = draws.random() < 0.5, draws.choice(("at", "be")), draws.choice((20, 30, 40, 50))
        plain = number % 2 == 0
        text = "it is a film" if plain else f"a {draws.choice(GOOD if fine else BAD)} film"
        good = age > 35 if plain else fine != (where == "be")
        row = {"text": f"{text} {number}", "country": where, "age": age, "label": "good" if good else "bad"}
        rows.append(row)
    return rows


@pytest.fixture(scope="module")
def beside(tmp_path_factory):
    folder = tmp_path_factory.mktemp("beside")
    files = {name: write(folder / f"{name}.jsonl", reviews(n, n)) for name, n in (("train", 480), ("test", 120))}
    options = {**SMALL, "columns": "age,country"}
    return seqtasks.train("sentiment", run=folder / "run", **files, valid=files["test"], **options)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    draws, rows = random.Random(0), []
    for number in range(480):
        fine, claim = draws.random() < 0.5, draws.random() < 0.5
        premise = f"film {number} was {draws.choice(GOOD if fine else BAD)}"
        hypothesis = "it was good" if claim else "it was bad"
        rows.append({"premise": premise, "hypothesis": hypothesis, "label": "yes" if fine == claim else "no"})
    data = write(folder / "all.jsonl", rows)
    options = {**SMALL, "text_column": "premise,hypothesis"}
    return seqtasks.train("sentiment", data=data, run=folder / "run", split="0.7/0.15/0.15", **options)


def test_what_texts_and_columns_mean_together_is_learnt_where_a_linear_model_fails(beside):
    metrics = beside.metrics
    assert metrics["test"]["accuracy"] > 0.9
    assert metrics["baselines"]["tfidf_logistic_regression"]["accuracy"] < 0.85  # it adds up text and columns


def test_answers_need_the_columns_and_take_them_from_everywhere(beside, tmp_path, capsys):
    rows = [{"text": "a warm film", "age": 50, "country": c} for c in ("at", "be")]
    answers = beside.predict(rows)
    assert [a["label"] for a in answers] == ["good", "bad"]
    table = tmp_path / "a.csv"
    table.write_text("country,age,text\n" + "".join(f"{r['country']},{r['age']},{r['text']}\n" for r in rows))
    assert main(["predict", str(beside.directory), "--input", str(table), "--carry", "country"]) == 0
    shown = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [a.pop("country") for a in shown] == ["at", "be"]
    assert [a["scores"] for a in shown] == [pytest.approx(a["scores"], abs=1e-5) for a in answers]
    renamed = [{"text": r["text"], "years": r["age"], "where": r["country"]} for r in rows]
    assert beside.predict(renamed, columns="years,where") == answers
    assert main(["predict", str(beside.directory), "a warm film"]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error == (
        "seqtasks: input 1: the run needs the columns age, country; give a table with them to --input, or in Python "
        "dicts or a DataFrame"
    )
    with pytest.raises(UserError, match="--columns age: names 1, but the run was trained with 2; name as many"):
        beside.predict(rows, columns="age")


def test_unknown_and_missing_values_are_told_and_answered(beside):
    with pytest.warns(UserWarning) as told:
        unknown, missing = beside.predict(
            [{"text": "a", "age": "old", "country": "xx"}, {"text": "a", "age": None, "country": None}]
        )
    texts = [str(w.message) for w in told]
    assert "list: values of the column 'age' are no numbers and count as missing: 'old' (1 in all)" in texts
    assert "list: values of the column 'country' are not in train: 'xx' (1 in all)" in texts
    assert unknown == missing  # no country is the zeros of an unknown one


def test_the_export_takes_columns_by_name_where_only_tensorflow_is(beside, tmp_path, tensorflow_alone):
    texts, ages, countries = ["a warm film", "it is a film", "grey"], [50.0, float("nan"), 20.0], ["be", "at", "?"]
    given = {"inputs": texts, "age": ages, "country": countries}
    rows = [dict(zip(("text", "age", "country"), row, strict=True)) for row in zip(*given.values(), strict=True)]
    with pytest.warns(UserWarning, match="not in train"):
        answers = beside.predict(rows)
    assert_served(served(tensorflow_alone, beside, tmp_path, given), answers)


def test_a_run_goes_on_with_its_columns(beside, tmp_path):
    data = write(tmp_path / "more.jsonl", reviews(40, 9))
    tuned = seqtasks.finetune(beside, data, tmp_path / "tuned", epochs=1)
    assert tuned.assets["columns"].text() == beside.assets["columns"].text()
    with pytest.raises(UserError, match="--columns: 1 column, but the run was trained with age, country; name as many"):
        seqtasks.finetune(beside, data, tmp_path / "wrong", columns="age")
    assert not (tmp_path / "wrong").exists()
    with pytest.raises(UserError, match="--columns age,country: .*a.txt has no columns; leave it out"):
        (tmp_path / "a.txt").write_text("__label__good fine\n")
        beside.evaluate(tmp_path / "a.txt")


def test_pairs_are_compared(pairs):
    metrics = pairs.metrics
    assert metrics["test"]["accuracy"] > 0.9
    assert metrics["baselines"]["tfidf_logistic_regression"]["accuracy"] < 0.75  # it sees no word that both texts share
    shown = json.loads((pairs.directory / "mistakes.json").read_text())
    assert all(" / it was " in mistake["input"] for mistake in shown)


def test_pairs_are_answered_from_tuples_dicts_lines_and_tables(pairs, tmp_path, capsys):
    given = [("film 1 was warm", "it was good"), ("film 1 was warm", "it was bad")]
    answers = pairs.predict(given)
    assert [a["label"] for a in answers] == ["yes", "no"]
    assert pairs.predict([{"hypothesis": h, "premise": p} for p, h in given]) == answers
    assert pairs.predict(["\t".join(pair) for pair in given]) == answers
    lines = tmp_path / "a.txt"
    lines.write_text("".join(f"{p}\t{h}\n" for p, h in given))
    assert main(["predict", str(pairs.directory), "--input", str(lines)]) == 0
    assert [json.loads(line)["label"] for line in capsys.readouterr().out.splitlines()] == ["yes", "no"]
    assert main(["predict", str(pairs.directory), "film 1 was warm"]) == 2
    assert "input 1: 1 text, but the run takes two; separate the two with a tab" in capsys.readouterr().err
    with pytest.raises(UserError, match="--text_column premise: names 1, but the run was trained with 2"):
        pairs.predict(given, text_column="premise")


def test_a_pair_for_a_run_of_one_text_is_refused(small_run):
    run = seqtasks.load_run(small_run.directory)
    with pytest.raises(UserError, match="no text or sentence among the fields premise, hypothesis"):
        run.predict([{"premise": "a", "hypothesis": "b"}])
    with pytest.raises(UserError, match="--text_column a,b: names 2, but the run was trained with 1; name as many"):
        run.predict([{"a": "x", "b": "y"}], text_column="a,b")
    with pytest.raises(UserError, match="--columns age: names 1, but the run was trained with 0"):
        run.predict([{"text": "x", "age": 1}], columns="age")


def test_the_export_takes_two_texts_where_only_tensorflow_is(pairs, tmp_path, tensorflow_alone):
    given = {"premise": ["film 1 was warm", "film\x1e2 was loud", ""], "hypothesis": ["it was good", "it was bad", "x"]}
    answers = pairs.predict(list(zip(*given.values(), strict=True)))
    assert_served(served(tensorflow_alone, pairs, tmp_path, given), answers)


def test_both_texts_go_through_the_same_layers(pairs):
    """[u, v, |u - v|, u v]: of two equal texts u = v; and exchanged texts exchange u and v."""
    import keras

    model = pairs.model
    inner = keras.Model(model.inputs, model.get_layer("compared_1").output)
    features = pairs.predictor.encode(np.array(["warm film\x1ewarm film", "warm\x1egrey film", "grey film\x1ewarm"]))
    given = {i.name: features[i.name].to_tensor() for i in model.inputs}
    u, v, difference, product = np.split(inner(given).numpy(), 4, axis=1)
    np.testing.assert_allclose(u[0], v[0], atol=1e-6)
    np.testing.assert_allclose(u[1], v[2], atol=1e-6)
    np.testing.assert_allclose(difference, abs(u - v), atol=1e-6)
    np.testing.assert_allclose(product, u * v, atol=1e-6)


def test_columns_beside_sequences_of_both_strands(tmp_path):
    draws = random.Random(0)
    for name, count in (("train", 160), ("test", 40)):
        lines = []
        for number in range(count):
            tissue = draws.choice(("liver", "heart"))
            label = "on" if tissue == "heart" else "off"
            lines.append(f">{name}{number} label={label} tissue={tissue}\n{''.join(draws.choices('ACGT', k=12))}\n")
        (tmp_path / f"{name}.fa").write_text("".join(lines))
    options = {"filters": 4, "positions": 0, "reverse_complement": True, "columns": "tissue"}
    options |= {name: SMALL[name] for name in ("batch_size", "units", "r_drop", "learning_rate", "ema_momentum")}
    options |= {"gradient_flow": False, "epochs": 4, "dropout": 0.0}
    run = seqtasks.train("dna", data=tmp_path, run=tmp_path / "run", **options)
    assert run.metrics["test"]["accuracy"] == 1.0
    assert run.metrics["baselines"]["kmer_logistic_regression"]["accuracy"] == 1.0
    assert run.metrics["baselines"]["majority"]["accuracy"] < 0.8
    answers = run.predict([str(tmp_path / "test.fa")])
    assert len(answers) == 40 and {a["label"] for a in answers} == {"on", "off"}
    for method in (run.explain, lambda text: run.predict([text]), lambda text: list(run.scan(tmp_path / "test.fa", 6))):
        with pytest.raises(UserError, match="the run needs the column tissue; give a table with them"):
            method("ACGT")


@pytest.mark.slow
@pytest.mark.slow
def test_columns_beside_clips(tmp_path, tensorflow_alone):
    frames = np.random.default_rng(0).integers(0, 255, (48, 2, 8, 8, 3), "uint8")
    rows = [{"path": clip, "label": ("a", "b")[n % 2], "side": "lr"[n % 2]} for n, clip in enumerate(frames)]
    options = {"columns": "side", "frames": 2, "size": 8, "channels": [4], "grid": 1, "frame_units": 4, "epochs": 12}
    options |= {"dropout": 0.0}
    options |= {name: SMALL[name] for name in ("batch_size", "units", "learning_rate", "ema_momentum", "patience")}
    run = seqtasks.train(
        "video", train=rows[:32], valid=rows[32:], test=rows[32:], run=tmp_path / "run", gradient_flow=False, **options
    )
    assert run.metrics["test"]["accuracy"] == 1.0
    assert [a["label"] for a in run.predict(rows[:2])] == ["a", "b"]
    with pytest.raises(UserError, match="the run needs the column side"):
        run.predict([frames[0]])
    found = served(tensorflow_alone, run, tmp_path, {"frames": frames[:2].tolist(), "side": ["l", "r"]})
    assert_served(found, run.predict([{k: v for k, v in row.items() if k != "label"} for row in rows[:2]]))
