"""The dna recipe: classes and labels of bases, scan, mutagenesis, export in a clean process, devices, bad input."""

import itertools
import json
import os
import subprocess
import sys

import numpy as np
import pytest

import seqtasks
from seqtasks.cli.main import main
from seqtasks.dna.encoding import reverse_complement
from seqtasks.errors import UserError

SMALL = {"epochs": 2, "filters": 8, "units": 4, "batch_size": 16, "gradient_flow": False}
PLACES = {"linear": True, "positions": 64}
SEQUENCES = ["TTGACAGCTAGCTCAGTCCTAGGTATAATGCTAGC", "acgurynACGT", "A", "GC" * 300]

CLOSE = 1e-3  # of posteriors: the path sums of a CRF reach thousands over 600 steps, where float32 resolves 1e-4


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return seqtasks.train("dna", run=tmp_path_factory.mktemp("runs") / "dna", epochs=16, gradient_flow=False)


@pytest.fixture(scope="module")
def tagged(tmp_path_factory):
    fields = {"task": "tag", "epochs": 12, "learning_rate": 5e-3, "head": "crf", "gradient_flow": False}
    return seqtasks.train("dna", run=tmp_path_factory.mktemp("runs") / "tag", **fields)


def test_it_learns_the_sample(run):
    metrics = run.metrics
    assert metrics["metric"] == "mcc" and metrics["test"]["mcc"] >= 0.6
    assert set(metrics["baselines"]) == {"majority", "kmer_logistic_regression", "one_hot_svm"}
    assert {"accuracy", "macro_f1", "mcc", "roc_auc", "pr_auc", "per_class", "confusion"} <= set(metrics["test"])
    assert run.evaluate()["mcc"] == pytest.approx(metrics["test"]["mcc"])


def test_it_labels_every_base_of_the_sample(tagged):
    assert tagged.metrics["test"]["macro_f1"] >= 0.6
    assert tagged.metrics["test"]["accuracy"] > 0.9
    for sequence, answer in zip(SEQUENCES, tagged.predict(SEQUENCES), strict=True):
        segments = answer["segments"]
        assert segments[0]["start"] == 0 and segments[-1]["end"] == len(sequence)
        assert all(a["end"] == b["start"] and a["label"] != b["label"] for a, b in itertools.pairwise(segments))
    assert {s["label"] for s in tagged.predict(SEQUENCES[0])[0]["segments"]} <= {"o", "b", "t"}


def test_answers_do_not_depend_on_their_neighbours_nor_on_case_and_u(run, tagged):
    for made, of in (
        (run, lambda a: list(a["scores"].values())),
        (tagged, lambda a: [s["score"] for s in a["segments"]]),
    ):
        for sequence, together in zip(SEQUENCES, made.predict(SEQUENCES), strict=True):
            (alone,) = made.predict([sequence])
            (other,) = made.predict([sequence.lower().replace("t", "u")])
            np.testing.assert_allclose(of(alone), of(together), atol=CLOSE)
            np.testing.assert_allclose(of(alone), of(other), atol=1e-6)


def test_both_strands_have_one_answer(tmp_path):
    made = seqtasks.train("dna", run=tmp_path / "run", reverse_complement=True, ensemble_size=2, **PLACES, **SMALL)
    assert made.model.output_shape == (None, 2, 2)
    forth, back = made.predict(SEQUENCES), made.predict([reverse_complement(s) for s in SEQUENCES])
    for one, other in zip(forth, back, strict=True):
        np.testing.assert_allclose(list(one["scores"].values()), list(other["scores"].values()), atol=1e-5)
    with pytest.raises(UserError, match="--reverse_complement: needs one label per sequence; leave it out"):
        seqtasks.train("dna", run=tmp_path / "b", reverse_complement=True, task="tag", **SMALL)
    with pytest.raises(UserError, match="--linear: needs positions; give their number with --positions"):
        seqtasks.train("dna", run=tmp_path / "b", linear=True, **SMALL)
    assert not (tmp_path / "b").exists()


def test_kmers_and_no_convolution_train(tmp_path):
    fields = SMALL | {"input": "kmer", "filters": 0, "pool": 1, "r_drop": 1.0}
    made = seqtasks.train("dna", run=tmp_path / "run", **fields)
    assert made.model.get_layer("embedding").input_dim == 4**3 + 2
    assert all(0 <= answer["score"] <= 1 for answer in made.predict(SEQUENCES))


def write_genome(path, rng):
    genome = {"chr1": "".join(rng.choice(list("ACGT"), 503)), "chr2": "".join(rng.choice(list("ACGT"), 60))}
    path.write_text("".join(f">{name} x\n{s[:200]}\n{s[200:]}\n" for name, s in genome.items()))
    return genome


def test_a_scan_tells_what_predict_says_of_each_window(run, tmp_path, rng):
    genome = write_genome(tmp_path / "genome.fa", rng)
    hits = list(run.scan(tmp_path / "genome.fa", 80, 10, threshold=0.0, label="promoter"))
    assert [(h.chromosome, h.start, h.end) for h in hits] == [("chr1", 0, 503), ("chr2", 0, 60)]
    starts = [*range(0, 503 - 80 + 1, 10), 503 - 80]
    answers = run.predict([genome["chr1"][s : s + 80] for s in starts])
    scores = np.array([a["scores"]["promoter"] for a in answers])
    assert hits[0].probability == pytest.approx(scores.max(), abs=1e-5)
    threshold = float(np.median(scores))
    kept = {h for h in run.scan(tmp_path / "genome.fa", 80, 10, threshold, "promoter") if h.chromosome == "chr1"}
    covered = {base for h in kept for base in range(h.start, h.end)}
    assert covered == {base for s, p in zip(starts, scores, strict=True) if p >= threshold for base in range(s, s + 80)}


def test_the_command_writes_sorted_bed(run, tmp_path, rng, capsys):
    write_genome(tmp_path / "genome.fa", rng)
    given = ["predict", str(run.directory), str(tmp_path / "genome.fa"), "--window", "80", "--stride", "10"]
    assert main([*given, "--threshold", "0", "--output", str(tmp_path / "hits.bed")]) == 0
    lines = [line.split("\t") for line in (tmp_path / "hits.bed").read_text().splitlines()]
    assert lines and all(
        len(line) == 7 and line[3] in ("other", "promoter") and 0 <= int(line[4]) <= 1000 for line in lines
    )
    assert [(c, int(s)) for c, s, *_ in lines] == sorted((c, int(s)) for c, s, *_ in lines)
    assert main([*given, "--stride", "0"]) == 2
    assert "--stride: 0 is out of range; give a number of at least 1" in capsys.readouterr().err
    assert main([*given, "--label", "promotor"]) == 2
    assert "unknown label 'promotor'; the labels are other, promoter" in capsys.readouterr().err


def test_records_of_a_file_are_answered_by_name(run, tmp_path, capsys):
    (tmp_path / "some.fa").write_text(">one x\nACGT\nACGT\n>two\nTTTT\n")
    assert main(["predict", str(run.directory), str(tmp_path / "some.fa"), "ACGTACGT"]) == 0
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [a.get("id") for a in answers] == ["one", "two", None]
    assert answers[0]["scores"] == pytest.approx(answers[2]["scores"], abs=1e-6)
    assert main(["predict", str(run.directory), "ACGXT"]) == 2
    assert "input: 'X' at position 4 is not an IUPAC code" in capsys.readouterr().err


def test_effects_are_differences_of_predictions(run, capsys):
    sequence = SEQUENCES[0]
    rows = run.explain(sequence)
    assert [row["base"] for row in rows] == list(sequence)
    (plain,) = run.predict([sequence])
    for place in (0, 7, len(sequence) - 1):
        for base in "ACGT":
            (other,) = run.predict([sequence[:place] + base + sequence[place + 1 :]])
            expected = other["scores"][plain["label"]] - plain["score"]
            assert rows[place][base] == pytest.approx(expected, abs=1e-5)
    assert main(["explain", str(run.directory), sequence]) == 0
    assert [json.loads(line)["position"] for line in capsys.readouterr().out.splitlines()] == list(range(1, 36))


def test_only_classifiers_scan_and_explain(tagged, tmp_path, rng, capsys):
    write_genome(tmp_path / "genome.fa", rng)
    for given in (
        ["predict", tagged.directory, tmp_path / "genome.fa", "--window", 80],
        ["explain", tagged.directory, "A"],
    ):
        assert main([str(part) for part in given]) == 2
        assert "not for this run; use a run that classifies sequences" in capsys.readouterr().err


def test_the_report_shows_which_bases_matter(run, tagged):
    page = (run.directory / "report.html").read_text("utf-8")
    assert "Which bases matter" in page and page.count("Substitutions of 60 bases") == 2
    assert "Which bases matter" not in (tagged.directory / "report.html").read_text("utf-8")


SERVE = """
import sys
sys.modules["keras"] = None
sys.modules["seqtasks"] = None
import json, tensorflow as tf
serve = tf.saved_model.load({directory!r}).signatures["serving_default"]
out = serve(inputs=tf.constant({texts!r}))
print(json.dumps({{"label": [x.decode() if isinstance(x, bytes) else [y.decode() for y in x] for x in
       out["label"].numpy().tolist()], "score": out["score"].numpy().tolist()}}))
"""


@pytest.mark.parametrize("task", ["classify", "tag"])
def test_the_export_answers_alike_where_only_tensorflow_is(task, run, tagged, tmp_path):
    made = run if task == "classify" else tagged
    made.export(tmp_path / "served")
    code = SERVE.format(directory=str(tmp_path / "served"), texts=SEQUENCES)
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run([sys.executable, "-"], input=code, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    served, decoded = json.loads(done.stdout), made.predictor.predict_batch(SEQUENCES)
    np.testing.assert_array_equal(np.array(served["label"]), decoded["label"].astype(str))
    np.testing.assert_allclose(served["score"], decoded["score"], atol=1e-5 if task == "classify" else CLOSE)


@pytest.mark.slow
@pytest.mark.parametrize("fields", [{}, {"task": "tag"}])
def test_two_devices_train_to_the_weights_of_one(fields, tmp_path):
    still = {"convolution_dropout": 0.0, "output_dropout": 0.0, "dropout": 0.0, "substitution": 0.0}
    for name in ("cpu", "mirrored"):
        seqtasks.train("dna", run=tmp_path / name, **SMALL, **still, **fields, clip_norm=0.1, strategy=name)
    one, two = (seqtasks.load_run(tmp_path / name).model.get_weights() for name in ("cpu", "mirrored"))
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(a, b, atol=2e-5)


def test_one_file_per_class_of_real_promoters(data_folder, tmp_path):
    for name in ("Ecoli_prom.fa", "Ecoli_non_prom.fa"):
        (tmp_path / name).write_bytes((data_folder / "dna" / "promoters" / name).read_bytes())
    found = seqtasks.train("dna", data=tmp_path, dry_run=True)
    assert sum(split["examples"] for split in found["data"].values()) == 3839
    assert found["outputs"] == [None, 2] and found["vocabularies"] == {"labels": 2}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("sequence,label\nACGT,a\nACXT,b\n", ":3: 'X' at position 3 is not an IUPAC code"),
        ("sequence,label\nACGT,a\n,b\n", ":3: the sequence is empty"),
        ("sequence,label\n" + "ACGT,a\n" * 3, "every example has the label 'a'"),
    ],
)
def test_bad_data_is_told_in_one_line(content, message, tmp_path, capsys):
    (tmp_path / "d.csv").write_text(content)
    given = [f"--{name}={tmp_path / 'd.csv'}" for name in ("train", "valid", "test")]
    assert main(["train", "dna", *given, "--run", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (tmp_path / "run").exists()
