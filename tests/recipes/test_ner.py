"""The ner recipe: fit, answers with places, reload, export in a clean process, devices, bad input."""

import json
from pathlib import Path

import numpy as np
import pytest
from seqtasks.recipes import ner

import seqtasks
from seqtasks.engine import predictor
from seqtasks.engine.run import Run
from seqtasks.errors import UserError
from seqtasks.ner import tag_schemes as schemes
from seqtasks.ner.task import SpanTagging
from seqtasks.tasks.task import rows

SMALL = {"units": 16, "dimension": 16, "affixes": 1024, "batch_size": 8, "gradient_flow": False}
TEXTS = [
    "Anna Berg of Falcon Airlines flew to Oslo .",
    "",
    "In Vienna 😀 it rained; Dr. Ben Costa stayed.",
    "Nobody slept .",
    b"In Lima",
    "音楽 in Oslo",
]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    fields = SMALL | {"epochs": 10, "learning_rate": 1e-2}
    return seqtasks.train("ner", run=tmp_path_factory.mktemp("runs") / "ner", **fields)


def text_of(raw):
    return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw


def test_it_learns_the_sample_and_beats_nothing_by_accident(run):
    metrics = run.metrics
    assert metrics["test"]["f1"] >= 0.85
    low, high = metrics["test"]["f1_interval"]
    assert low <= metrics["test"]["f1"] <= high
    assert set(metrics["test"]["per_class"]) == {"LOC", "ORG", "PER"}
    assert set(metrics["baselines"]) == {"window_logistic_regression"}
    assert metrics["train"]["o_bias_shift"] >= 0
    assert run.evaluate()["f1"] == pytest.approx(metrics["test"]["f1"])


def test_answers_are_parts_of_the_text(run):
    answers = run.predict(TEXTS)
    assert [e["text"] for e in answers[0]["entities"]] == ["Anna Berg", "Falcon Airlines", "Oslo"]
    assert [e["type"] for e in answers[0]["entities"]] == ["PER", "ORG", "LOC"]
    assert answers[1] == {"entities": []}
    for raw, answer in zip(TEXTS, answers, strict=True):
        for entity in answer["entities"]:
            assert text_of(raw)[entity["start"] : entity["end"]] == entity["text"]
            assert 0 < entity["score"] <= 1 + 1e-6
    assert "Vienna" in [e["text"] for e in answers[2]["entities"]]


def test_answers_do_not_depend_on_their_neighbours(run):
    for raw, together in zip(TEXTS, run.predict(TEXTS), strict=True):
        (alone,) = run.predict([raw])
        assert [(e["type"], e["start"], e["end"]) for e in alone["entities"]] == [
            (e["type"], e["start"], e["end"]) for e in together["entities"]
        ]
        np.testing.assert_allclose(
            [e["score"] for e in alone["entities"]], [e["score"] for e in together["entities"]], atol=1e-4
        )


def test_tokenised_input_keeps_its_tokens(run):
    (answer,) = run.predict(["Mr. Leo Adler , Oslo"], tokens=True)
    (split,) = run.predict(["Mr.\u00a0Leo Adler, Oslo"])
    assert [e["text"] for e in answer["entities"]] == [e["text"] for e in split["entities"]] == ["Leo Adler", "Oslo"]


SERVE = """
import json, tensorflow as tf
serve = tf.saved_model.load({directory!r}).signatures["serving_default"]
out = {{name: value.numpy().tolist() for name, value in serve(inputs=tf.constant({texts!r})).items()}}
for name in ("type", "text"):
    out[name] = [[item.decode() for item in row] for row in out[name]]
print(json.dumps({{name: out[name] for name in ("type", "text", "start", "end", "score")}}))
"""


def test_the_export_answers_alike_where_only_tensorflow_is(run, tmp_path, tensorflow_alone):
    texts = [
        *(t if isinstance(t, bytes) else t.encode() for t in TEXTS),
        b"x\x00y Oslo",
        b"\xff\xfe in Lima",
        b"Anna Berg . " * 2000,
    ]
    run.export(tmp_path / "served", check=False)
    code = SERVE.format(directory=str(tmp_path / "served"), texts=texts)
    served = tensorflow_alone(code)
    answers = list(run.predictor.answers(texts))
    for row, answer in enumerate(answers):
        entities, found = answer["entities"], [i for i, start in enumerate(served["start"][row]) if start >= 0]
        for name in ("type", "text", "start", "end"):
            assert [served[name][row][i] for i in found] == [entity[name] for entity in entities]
        scores = [entity["score"] for entity in entities]
        noise = 1e-2 if len(scores) > 1000 else 1e-4  # path sums of 6000 tokens pass 2**15: float32 resolves 1/256
        np.testing.assert_allclose([served["score"][row][i] for i in found], scores, atol=noise)
    assert len(answers[-1]["entities"]) > 1000


def test_many_batches_are_answered_by_compiled_loops_alike(run, monkeypatch):
    texts = [
        f"{name} flew to {place} ." + " Again" * (i % 70) for i, (name, place) in enumerate([("Ana", "Rome")] * 200)
    ]
    plain = list(seqtasks.load_run(run.directory).predictor.answers(texts))
    monkeypatch.setattr(predictor, "COMPILED_AFTER", 2)
    compiled = seqtasks.load_run(run.directory).predictor
    for one, other in zip(compiled.answers(texts), plain, strict=True):
        assert [e | {"score": 0} for e in one["entities"]] == [e | {"score": 0} for e in other["entities"]]
        np.testing.assert_allclose(*([e["score"] for e in a["entities"]] for a in (one, other)), atol=1e-4)
    graphs = compiled._decode_full.graph.as_graph_def().library.function
    assert any(f.attr["_XlaMustCompile"].b for f in graphs)


@pytest.mark.slow
@pytest.mark.parametrize("head", ["crf", "softmax"])
@pytest.mark.slow
def test_both_heads_and_all_readers_of_letters_give_well_formed_tags(head, tmp_path, monkeypatch):
    monkeypatch.setattr(Run, "report", lambda run: None)
    sentences = (Path(ner.__file__).parent / "samples" / "ner.conll").read_text("utf-8").split("\n\n")
    (tmp_path / "few.conll").write_text("\n\n".join(sentences[:90]) + "\n", "utf-8")
    kind = {"crf": "bilstm", "softmax": "none"}[head]
    fields = SMALL | {"epochs": 1, "head": head, "characters": kind, "window": 0, "affixes": 0}
    made = seqtasks.train("ner", data=tmp_path / "few.conll", run=tmp_path / "run", **fields)
    decoded = made.predictor.predict_batch([t if isinstance(t, bytes) else t.encode() for t in TEXTS])
    for tags in made.predictor.task.outputs(made.assets, decoded):
        assert not schemes.faults(tags, "IOBES")


@pytest.mark.slow
def test_two_devices_train_to_the_weights_of_one(tmp_path):
    still = {"embedding_dropout": 0.0, "output_dropout": 0.0, "unk_dropout": 0.0, "word_dropout": 0.0}
    for name in ("cpu", "mirrored"):
        fields = SMALL | still | {"epochs": 1, "clip_norm": 0.1, "strategy": name}
        seqtasks.train("ner", run=tmp_path / name, **fields)
    one, two = (seqtasks.load_run(tmp_path / name).model.get_weights() for name in ("cpu", "mirrored"))
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(a, b, atol=2e-5)


@pytest.mark.slow
def test_finetune_starts_from_the_run(run, tmp_path):
    (tmp_path / "more.jsonl").write_text(
        "".join(
            json.dumps(
                {"text": f"Flight {i} to Oslo", "spans": [[len(f"Flight {i} to "), len(f"Flight {i} to Oslo"), "LOC"]]}
            )
            + "\n"
            for i in range(60)
        )
    )
    new = seqtasks.finetune(run, data=tmp_path / "more.jsonl", new=tmp_path / "new", epochs=1)
    assert new.metrics["test"]["f1"] >= 0.9
    assert new.assets["tags"].tokens == run.assets["tags"].tokens


def test_a_type_only_in_test_is_a_miss(run, tmp_path):
    (tmp_path / "a.conll").write_text("Anna B-PER\nslept O\n\nTitan B-SHIP\nsank O\n")
    with pytest.warns(
        UserWarning, match="a.conll: labels of the test split that the run lacks: 'SHIP'; each of 1 is a"
    ):
        figures = run.evaluate(tmp_path / "a.conll")
    assert figures["recall"] <= 0.5 and figures["per_class"]["SHIP"]["recall"] == 0.0


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.conll", "Mr. B-X\nLeo O\nAdler O\n, O\nOslo O\n"),
        ("b.conll", "Mr.\nLeo\nAdler\n,\nOslo\n"),
        ("a.csv", 'Sentence #,Word\n1,Mr.\n,Leo\n,Adler\n,","\n,Oslo\n'),
        ("a.jsonl", '{"tokens": ["Mr.", "Leo", "Adler", ",", "Oslo"]}\n'),
        ("b.jsonl", '{"text": "Mr. Leo Adler , Oslo"}\n'),
        (
            "a.conllu",
            "# id = 3\n"
            + "".join(f"{i}\t{t}" + "\t_" * 8 + "\n" for i, t in enumerate(["Mr.", "Leo", "Adler", ",", "Oslo"])),
        ),
    ],
)
def test_files_are_answered_sentence_by_sentence(run, tmp_path, name, content):
    path = tmp_path / name
    path.write_text(content * 2 if name == "a.jsonl" else content)
    answers = [run.recipe and answer for answer in run.answers(run.read_inputs(path))]
    assert len(answers) == 1 + (name == "a.jsonl")
    assert [(e["text"], e["start"]) for e in answers[0]["entities"]] == [("Leo Adler", 4), ("Oslo", 16)]


def test_a_text_file_of_columns_is_not_answered_line_by_line(run, tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("Anna B-PER\nslept O\n\nOslo B-LOC\n")
    with pytest.raises(
        UserError, match="a.txt: lines of tokens and tags, where each line .*; rename it to end in .conll"
    ):
        list(run.read_inputs(path))
    path.write_text("Anna slept\n\nOslo\n")
    assert list(run.read_inputs(path)) == ["Anna slept", "", "Oslo"]


def test_lists_of_tokens(run):
    sentences = [["Mr.", "Leo Adler", ",", "Oslo"], ["Oslo"], []]
    answers = run.predict(sentences, tokens=True)
    assert [[e["text"] for e in a["entities"]] for a in answers][1:] == [["Oslo"], []]
    frame = run.predict([{"tokens": tokens, "id": i} for i, tokens in enumerate(sentences)], carry="id")
    assert [a.pop("id") for a in frame] == [0, 1, 2] and frame == answers
    assert run.predict(["Mr. Leo Adler"], tokens=True) == run.predict([["Mr.", "Leo", "Adler"]], tokens=True)
    with pytest.raises(UserError, match="input 1: list is not a text; give a string"):
        run.predict(sentences)


@pytest.mark.slow
def test_a_tag_for_every_token_is_learnt(tmp_path, monkeypatch):
    monkeypatch.setattr(Run, "report", lambda run: None)
    words = {"DET": ["the", "a"], "NOUN": ["dog", "cat", "film"], "VERB": ["sees", "likes"]}
    rng = np.random.default_rng(0)
    rows = []
    for _ in range(100):
        tags = ["DET", "NOUN", "VERB", "DET", "NOUN"][: rng.integers(2, 6)]
        rows.append("".join(f"{rng.choice(words[tag])} {tag}\n" for tag in tags))
    (tmp_path / "a.conll").write_text("\n".join(rows))
    fields = SMALL | {"epochs": 6, "learning_rate": 3e-2, "patience": 0, "characters": "none", "head": "softmax"}
    made = seqtasks.train("ner", data=tmp_path / "a.conll", run=tmp_path / "run", **fields)
    (answer,) = made.predict(["the cat likes a film"])
    expected = [("DET", "the"), ("NOUN", "cat"), ("VERB", "likes"), ("DET", "a"), ("NOUN", "film")]
    assert [(e["type"], e["text"]) for e in answer["entities"]] == expected


def test_data_without_entities_is_refused(tmp_path):
    (tmp_path / "train.conll").write_text("".join(f"word{i} O\n\n" for i in range(60)))
    with pytest.raises(UserError, match=r"train.conll: no example has a label; check the column of the labels"):
        seqtasks.train("ner", data=tmp_path / "train.conll", run=tmp_path / "run")


def test_the_report_shows_marked_texts(run):
    page = (run.directory / "report.html").read_text("utf-8")
    assert "<h2>Entities</h2>" in page and page.count("<mark") >= 12
    assert "\x1f" not in page


class Assets(dict):
    def __init__(self, *labels):
        from seqtasks.data.vocabulary import Vocabulary

        super().__init__(labels=Vocabulary.labels(labels))


def test_figures_are_those_of_seqeval():
    from seqeval.metrics import f1_score
    from seqeval.scheme import IOBES

    rng = np.random.default_rng(3)
    tags = schemes.tagset(["A", "B"])
    draw = lambda: [schemes.repair([tags[i] for i in rng.integers(0, 9, n)], "IOBES") for n in (3, 9, 1, 7, 12)]  # noqa: E731
    targets, outputs = draw(), draw()
    task, assets = SpanTagging(), Assets("A", "B")
    figures = task.compute_metrics(assets, rows(targets), rows(outputs))
    evidence = task.statistics(assets, rows(targets), rows(outputs))
    expected = f1_score(targets, outputs, mode="strict", scheme=IOBES)
    assert figures["f1"] == pytest.approx(expected)
    assert task.metrics["f1"](*evidence) == pytest.approx(expected)
    nothing = rows([["O"] * 3])
    assert task.compute_metrics(assets, nothing, nothing)["f1"] == 0.0
