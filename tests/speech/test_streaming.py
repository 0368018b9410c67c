"""Runs of the speech recipe, from files to answers: files left out, metrics, streams, the export."""

import io
import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import seqtasks
from seqtasks.cli.main import main
from seqtasks.errors import UserError

soundfile = pytest.importorskip("soundfile")

pytestmark = pytest.mark.usefixtures("opened_once", "no_reports")
RATE = 8000
SMALL = {"sample_rate": RATE, "mels": 20, "filters": 8, "units": 8, "layers": 1, "epochs": 2, "bidirectional": False}
SMALL |= {"gradient_flow": False, "max_bad": 0.2}
PITCHES = {"o": 300, "i": 900, "s": 2500}
SERVE = """
import json, numpy as np, tensorflow as tf
serve = tf.saved_model.load({directory!r}).signatures["serving_default"]
waves = np.load({waves!r})
waves[-2, 5] = np.nan
answer = serve(waveforms=tf.constant(waves), lengths=tf.constant({lengths!r}))
text = [t.decode() for t in answer["text"].numpy().tolist()]
print(json.dumps({{"text": text, **{{name: answer[name].numpy().tolist() for name in ("score", "starts", "ends")}}}}))
"""


def speak(text, rng):
    """A tone of a third of a second for each letter, silence of a sixth for a space."""
    time = np.arange(RATE // 3) / RATE
    parts = [np.sin(2 * np.pi * PITCHES[c] * time) if c != " " else np.zeros(RATE // 6) for c in text]
    return (0.3 * np.concatenate(parts) + 0.01 * rng.standard_normal(sum(map(len, parts)))).astype("float32")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("corpus"), np.random.default_rng(0)
    for split, count in (("train", 24), ("valid", 6), ("test", 6)):
        rows = ["path\ttext"]
        for number in range(count):
            text = " ".join("".join(rng.choice(list("ois"), 2)) for _ in range(1 + number % 2))
            soundfile.write(folder / f"{split}{number}.wav", speak(text, rng), RATE)
            rows.append(f"{split}{number}.wav\t{text}")
        if split == "train":
            soundfile.write(folder / "silent.wav", np.zeros(RATE), RATE)
            soundfile.write(folder / "short.wav", speak("o", rng)[:1000], RATE)
            (folder / "empty.wav").touch()
            rows += ["silent.wav\tois", "short.wav\tois ois ois ois ois", "empty.wav\ts"]
        if split == "test":
            rows[-1] = rows[-1].split("\t")[0] + "\toz"
        (folder / f"{split}.tsv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture(scope="module")
def run(corpus, tmp_path_factory):
    directory = tmp_path_factory.mktemp("runs") / "speech"
    with pytest.warns(UserWarning) as warnings:
        run = seqtasks.train("speech", data=corpus, run=directory, **SMALL)
    run.warned = [str(warning.message) for warning in warnings]
    return run


def test_faulty_recordings_and_texts_are_reported(run, corpus):
    (left_out,) = [text for text in run.warned if "left out" in text]
    assert left_out.startswith(f"{corpus}/train.tsv: of 27 records 3 left out: ")
    for name in ("silent.wav", "empty.wav", "short.wav: 0.12 seconds are too few for 19 characters"):
        assert name in left_out
    (unknown,) = [text for text in run.warned if "count as errors" in text]
    assert (
        "1 texts have characters that are not in the training set (z)" in unknown and f"{corpus}/test.tsv:7" in unknown
    )
    with pytest.raises(UserError, match=r"train.tsv: 3 of 27 records are faulty, more than --max_bad 0.01 allows"):
        seqtasks.train("speech", data=corpus, dry_run=True, **SMALL | {"max_bad": 0.01})
    assert run.metrics["train"]["examples"] == 24 and run.metrics["test"]["examples"] == 6


def test_metrics_match_jiwer_on_the_answers(run, corpus):
    import jiwer

    rows = [line.split("\t") for line in (corpus / "test.tsv").read_text().splitlines()[1:]]
    answers = run.predict([str(corpus / path) for path, _ in rows])
    assert [answer["file"] for answer in answers] == [str(corpus / path) for path, _ in rows]
    references, transcripts = [text for _, text in rows], [answer["text"] for answer in answers]
    assert run.metrics["test"]["cer"] == pytest.approx(jiwer.cer(references, transcripts))
    assert run.metrics["test"]["wer"] == pytest.approx(jiwer.wer(references, transcripts))
    for answer in answers:
        assert [word["word"] for word in answer["words"]] == answer["text"].split()
        assert all(0 <= word["start"] < word["end"] for word in answer["words"]) and 0 <= answer["score"] <= 1


def test_a_faulty_file_is_answered_by_its_error(run, corpus, tmp_path):
    missing, good = str(tmp_path / "no.wav"), str(corpus / "test0.wav")
    first, second = run.predict([missing, good])
    assert first["file"] == missing and first["error"].startswith(f"{missing}: no such file")
    assert second == run.predict([good])[0]
    with pytest.raises(UserError, match="silent"):
        run.predict([str(corpus / "silent.wav")])
    with pytest.raises(UserError, match="none of 2 files can be read: "):
        run.predict([str(corpus / "silent.wav"), missing])


def test_standard_input_gives_the_words_of_the_file(run, corpus, monkeypatch, capsys):
    waveform, _ = soundfile.read(corpus / "test1.wav", dtype="int16")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(waveform.tobytes())))
    assert main(["predict", str(run.directory), "-"]) == 0
    streamed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (whole,) = run.predict([str(corpus / "test1.wav")])
    assert [(w["word"], w["start"], w["end"]) for w in streamed] == [
        (w["word"], w["start"], w["end"]) for w in whole["words"]
    ]


def test_the_export_gives_the_same_answers_with_tensorflow_alone(run, corpus, tmp_path, tensorflow_alone):
    paths = [str(corpus / f"test{number}.wav") for number in range(3)]
    waves = [run.predictor.reader(path) for path in [*paths, paths[0], paths[0]]]  # the last two become faulty
    padded = np.stack([np.pad(wave, (0, max(map(len, waves)) - len(wave))) for wave in waves])
    np.save(tmp_path / "waves.npy", padded)
    given = {"directory": str(run.export(tmp_path / "served", check=False)), "waves": str(tmp_path / "waves.npy")}
    code = SERVE.format(**given, lengths=[*[len(wave) for wave in waves[:-1]], 0])
    served, answers = tensorflow_alone(code), run.predict(paths)
    assert served["text"] == [*[answer["text"] for answer in answers], "", ""] and served["score"][3:] == [0, 0]
    np.testing.assert_allclose(served["score"][:3], [answer["score"] for answer in answers], rtol=1e-3)
    faulty = run.predictor.recipe.capabilities[0].from_serving(
        run.config, np.array([[0.5, np.nan], [0.5, np.nan], [0.5, 0.2]], "float32"), np.array([1, 2, 0], "int32")
    )
    assert faulty.to_list() == [[0.5], [], []]  # a sample that is not finite counts up to the length only
    for starts, ends, answer in zip(served["starts"], served["ends"], answers, strict=False):
        times = [[round(a, 3), round(b, 3)] for a, b in zip(starts, ends, strict=True) if a >= 0]
        assert times == [[word["start"], word["end"]] for word in answer["words"]]


def test_evaluation_of_other_data_and_of_unreadable_data(run, corpus, tmp_path):
    assert run.evaluate()["cer"] == pytest.approx(run.metrics["test"]["cer"])
    (tmp_path / "bad.tsv").write_text(f"path\ttext\n{corpus}/silent.wav\tois\n{corpus}/empty.wav\tois\n")
    with pytest.raises(UserError, match="silent.wav: the recording is silent"):
        run.evaluate(tmp_path / "bad.tsv")
    (tmp_path / "gone.tsv").write_text("path\ttext\nno.wav\tois\n")
    with pytest.raises(UserError, match=r"gone.tsv:2: no such file"):
        run.evaluate(tmp_path / "gone.tsv")


def test_waveforms_in_memory_are_answered_as_files(run, corpus):
    waveform, _ = soundfile.read(corpus / "test1.wav", dtype="int16")
    (expected,) = run.predict([str(corpus / "test1.wav")])
    for given in (
        [waveform],
        [waveform.astype("float64") / 2**15],
        [{"array": waveform, "sampling_rate": RATE}],
        [{"audio": {"array": waveform, "sampling_rate": RATE}}],
        [{"audio": {"bytes": (corpus / "test1.wav").read_bytes(), "path": "a.wav"}}],
        [{"path": str(corpus / "test1.wav")}],
    ):
        (found,) = run.predict(given)
        assert {"file": found.get("file"), **found}["text"] == expected["text"]
        np.testing.assert_allclose(found["score"], expected["score"], rtol=1e-3)
        assert "memory" not in found.get("file", "")
    first, second = run.predict([np.zeros(99, "float32"), waveform])
    assert first["error"] == "array: the recording is silent; give a recording with sound"
    assert second["text"] == expected["text"]
    with pytest.raises(UserError, match=r"input: array of shape \(2, 9\); give a list of waveforms"):
        run.predict([np.ones((2, 9))])


def test_parts_of_a_recording_are_answered(run, corpus):
    whole, rate = soundfile.read(corpus / "test1.wav", dtype="float32")
    part, array = run.predict([f"{corpus}/test1.wav#t=0.2,0.7", whole[round(0.2 * rate) : round(0.7 * rate)]])
    assert part["file"].endswith("#t=0.2,0.7") and part["text"] == array["text"]


def test_encoded_recordings_in_memory_are_answered(run, corpus, tmp_path, monkeypatch):
    monkeypatch.setenv("SEQTASKS_CACHE", str(tmp_path))
    (expected,), data = run.predict([f"{corpus}/test1.wav"]), (corpus / "test1.wav").read_bytes()
    for given in (data, {"bytes": data, "path": "a.wav"}):
        (answer,) = run.predict([given])
        assert answer["text"] == expected["text"]


def test_a_table_is_answered_with_its_columns_and_its_parts(run, corpus, tmp_path, capsys):
    path = tmp_path / "all.csv"
    path.write_text(f"id,path,start,end\n7,{corpus}/test1.wav,0.2,0.7\n8,{corpus}/gone.wav,0,1\n")
    assert main(["predict", str(run.directory), "--input", str(path), "--carry", "id"]) == 0
    answer, gone = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert "all.csv:3: no such file" in gone["error"]
    assert (gone["id"], gone["file"]) == ("8", f"{corpus}/gone.wav")
    assert (answer["id"], answer["file"]) == ("7", f"{corpus}/test1.wav#t=0.2,0.7")
    (expected,) = run.predict([f"{corpus}/test1.wav#t=0.2,0.7"])
    assert answer["text"] == expected["text"]


def test_other_runs_are_no_language_models(run, corpus):
    options = {"language_model": str(run.directory), "beam_width": 4}
    with pytest.raises(UserError, match="not a character language model; train one with"):
        run.predict([str(corpus / "test0.wav")], **options)
    with pytest.raises(UserError, match="no such run"):
        run.predict([str(corpus / "test0.wav")], language_model="runs/none", beam_width=4)
