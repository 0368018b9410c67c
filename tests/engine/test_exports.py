"""Exports: their folders, the check where only the runtime is, and what fails it."""

import json
import os

import numpy as np
import pytest
import tensorflow as tf
import yaml
from huggingface_hub import ModelCard

from seqtasks.cli.main import main
from seqtasks.engine import checking, network
from seqtasks.engine.run import Run
from seqtasks.errors import UserError
from seqtasks.report.formatting import number


@pytest.fixture(scope="module")
def run(small_run):
    return Run(small_run.directory)


def test_versions_for_tensorflow_serving_are_added_and_warmed_up(run, tmp_path, capsys):
    from tensorflow_serving.apis import prediction_log_pb2

    folder = tmp_path / "models" / "reviews"
    (folder / "7").mkdir(parents=True)
    assert main(["export", str(run.directory), str(folder), "--format", "serving"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["serving"] == str(folder / "8") and told["examples"] == 4 and told["largest_difference"] < 1e-5
    assert sorted(os.listdir(folder)) == ["7", "8"]
    records = tf.data.TFRecordDataset(str(folder / "8" / "assets.extra" / "tf_serving_warmup_requests"))
    logs = [prediction_log_pb2.PredictionLog.FromString(record.numpy()) for record in records]
    batches = [tf.make_ndarray(log.predict_log.request.inputs["inputs"]) for log in logs]
    test = [example.input.encode() for example in run.splits().test]
    assert [batch.tolist() for batch in batches] == [test[:1], test[:4]]
    assert {log.predict_log.request.model_spec.signature_name for log in logs} == {"serving_default"}
    model = tf.saved_model.load(str(folder / "8"))
    answers = model.signatures["serving_default"](inputs=tf.constant(batches[1]))
    assert {name: value.shape[0] for name, value in answers.items()} == dict.fromkeys(answers, 4)
    assert [label.decode() for label in answers["label"].numpy()] == [a["label"] for a in run.predict(test[:4])]


def test_an_export_that_answers_otherwise_is_not_kept(run, tmp_path, monkeypatch):
    save, kept = tf.saved_model.save, run.model.get_weights()

    def spoilt(*given, **more):
        run.model.set_weights([weight + 0.5 for weight in kept])
        save(*given, **more)
        run.model.set_weights(kept)

    monkeypatch.setattr(tf.saved_model, "save", spoilt)
    with pytest.raises(UserError, match=r"export: \w+ differs from that of the run.*; nothing is written"):
        run.export(tmp_path / "new" / "served")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--format", "tflight"], "--format: unknown format 'tflight'; known are: saved_model, serving, litert, onnx"),
        (["--format", "serving", "--overwrite"], "--format serving: a version is added, none is replaced; leave out"),
    ],
)
def test_wrong_options_are_told(run, tmp_path, capsys, arguments, told):
    assert main(["export", str(run.directory), str(tmp_path / "x"), *arguments]) == 2
    assert told in capsys.readouterr().err and not (tmp_path / "x").exists()


def test_the_sample_of_the_recipe_takes_the_place_of_data_that_is_gone(run, monkeypatch):
    other = Run(run.directory)
    other.paths = {"data": str(run.directory / "gone.csv")}
    found = checking.real_examples(other)
    assert len(found.inputs) == 4 and found.inputs != checking.real_examples(run).inputs


def test_differences_of_shape_and_of_strings_fail():
    ours = {"label": np.array([b"good", b"bad"], object), "scores": np.array([[0.5, 0.5], [1.0, 0.0]])}
    same = {"label": np.array([b"good", b"bad"]), "scores": ours["scores"] + 1e-6}
    assert checking.largest_difference(ours, same) == pytest.approx(1e-6, rel=0.01)
    with pytest.raises(UserError, match="label differs"):
        checking.largest_difference(ours, same | {"label": np.array([b"good", b"good"])})
    with pytest.raises(UserError, match=r"the output scores has the shape \(1, 2\) instead of \(2, 2\)"):
        checking.largest_difference(ours, same | {"scores": same["scores"][:1]})
    with pytest.raises(UserError, match="scores differs from that of the run by nan"):
        checking.largest_difference(ours, same | {"scores": same["scores"] * np.nan})


def test_a_network_for_litert_and_its_encoding(run, tmp_path, capsys):
    folder = tmp_path / "phone"
    assert main(["export", str(run.directory), str(folder), "--format", "litert", "--quantize", "int8"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["examples"] == 4 and 0 < told["largest_difference"] < 0.1  # 8 bits are not exact
    assert {"encode.py", "encoding.json", "model.tflite"} <= set(os.listdir(folder))
    encoding = json.loads((folder / "encoding.json").read_text())
    assert encoding["labels"] == ["bad", "good"] and encoding["words"] == run.assets["words"].tokens


def test_a_network_for_onnx_takes_batches_of_any_size(run, tmp_path):
    from onnxruntime import InferenceSession

    folder = run.export(tmp_path / "web", format="onnx")
    assert sorted(os.listdir(folder)) == ["README.md", "encode.py", "encoding.json", "model.onnx"]
    texts = ["a dull film", "great acting and a lovely plot , wonderful"]
    features = network.features(run.predictor, checking.Real(texts, [()] * 2, [""] * 2))
    (logits,) = InferenceSession(str(folder / "model.onnx")).run(None, features)
    scores = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(scores, [list(a["scores"].values()) for a in run.predict(texts)], atol=1e-5)


def test_what_has_no_counterpart_is_named(run, tmp_path, monkeypatch):
    def traced(predictor, batch):
        @tf.function(input_signature=[tf.TensorSpec([batch, None], tf.string, name="words")])
        def hashes(texts):
            return {"outputs": tf.strings.to_hash_bucket_strong(texts, 7, [1, 2])}

        return hashes

    monkeypatch.setattr(network, "traced", traced)
    for format in ("litert", "onnx"):
        with pytest.raises(UserError, match=f"converted to {format}: .*StringToHashBucketStrong.*take saved_model"):
            run.export(tmp_path / format, format=format)
        assert not (tmp_path / format).exists()


def test_the_card_beside_an_export_tells_what_the_run_measured(run, tmp_path):
    folder = run.export(tmp_path / "served", license="apache-2.0", check=False)
    _, head, text = (folder / "README.md").read_text("utf-8").split("---\n", 2)
    head, test = yaml.safe_load(head), run.metrics["test"]
    assert head["license"] == "apache-2.0" and head["pipeline_tag"] == "text-classification"
    (result,) = head["model-index"][0]["results"]
    assert {m["type"]: m["value"] for m in result["metrics"]}["accuracy"] == test["accuracy"]
    data = json.loads((run.directory / "environment.json").read_text())["data"]
    assert all(split["sha256"] in text for split in data.values()) and str(run.directory.parent) not in text
    low, high = test["accuracy_interval"]
    assert f"{number(test['accuracy'])} ({number(low)} to {number(high)})" in text and "TF-IDF" in text
    code = text.split("```python\n")[1].split("```")[0].replace('load(".")', f"load({str(folder)!r})")
    scope = {}
    exec(code, scope)  # what the card shows runs
    assert scope["answers"]["label"].shape == (1,)
    assert ModelCard(f"---\n{yaml.safe_dump(head)}---\n{text}").data.eval_results[0].metric_type == "accuracy"
