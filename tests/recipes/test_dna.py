"""The dna recipe: classes and labels of bases, scan, mutagenesis, export in a clean process, devices, bad input."""

import itertools
import json

import numpy as np
import pytest
import tensorflow as tf

import seqtasks
from seqtasks.cli.main import main
from seqtasks.dna.alphabets import DNA
from seqtasks.engine.run import Run
from seqtasks.errors import UserError
from tests.dna.genomes import write_two_bit

pytestmark = pytest.mark.usefixtures("opened_once")
SMALL = {"epochs": 2, "filters": 8, "units": 4, "batch_size": 16, "gradient_flow": False, "r_drop": 0.0}
PLACES = {"linear": True, "positions": 64}
SEQUENCES = ["TTGACAGCTAGCTCAGTCCTAGGTATAATGCTAGC", "acgurynACGT", "A", "GC" * 300]

CLOSE = 1e-3  # of posteriors: the path sums of a CRF reach thousands over 600 steps, where float32 resolves 1e-4


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    fields = {"epochs": 10, "learning_rate": 5e-3, "r_drop": 0.0, "gradient_flow": False}
    return seqtasks.train("dna", run=tmp_path_factory.mktemp("runs") / "dna", **fields)


@pytest.fixture(scope="module")
def tagged(tmp_path_factory):
    fields = {"task": "tag", "epochs": 6, "learning_rate": 1e-2, "head": "crf", "gradient_flow": False}
    fields |= {"filters": 32, "units": 16}
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


@pytest.mark.slow
def test_both_strands_have_one_answer(tmp_path, monkeypatch):
    monkeypatch.setattr(Run, "report", lambda run: None)
    made = seqtasks.train("dna", run=tmp_path / "run", reverse_complement=True, ensemble_size=2, **PLACES, **SMALL)
    assert made.model.output_shape == (None, 2, 2)
    forth, back = made.predict(SEQUENCES), made.predict([DNA.reverse_complement(s) for s in SEQUENCES])
    for one, other in zip(forth, back, strict=True):
        np.testing.assert_allclose(list(one["scores"].values()), list(other["scores"].values()), atol=1e-4)
    with pytest.raises(UserError, match="--reverse_complement: needs one label per sequence; leave it out"):
        seqtasks.train("dna", run=tmp_path / "b", reverse_complement=True, task="tag", **SMALL)
    with pytest.raises(UserError, match="--linear: needs positions; give their number with --positions"):
        seqtasks.train("dna", run=tmp_path / "b", linear=True, **SMALL)
    assert not (tmp_path / "b").exists()


@pytest.mark.slow
@pytest.mark.slow
def test_kmers_and_no_convolution_train(tmp_path, monkeypatch):
    monkeypatch.setattr(Run, "report", lambda run: None)
    fields = SMALL | {"epochs": 1, "input": "kmer", "filters": 0, "pool": 1, "r_drop": 1.0}
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
    assert hits[0].probability == pytest.approx(scores.max(), abs=1e-4)
    threshold = float(np.median(scores))
    kept = {h for h in run.scan(tmp_path / "genome.fa", 80, 10, threshold, "promoter") if h.chromosome == "chr1"}
    covered = {base for h in kept for base in range(h.start, h.end)}
    assert covered == {base for s, p in zip(starts, scores, strict=True) if p >= threshold for base in range(s, s + 80)}


def test_a_scan_skips_empty_records_and_windows_without_a_known_base(run, tmp_path, rng):
    bases = "".join(rng.choice(list("ACGT"), 40))
    (tmp_path / "g.fa").write_text(f">a\n{bases}{'N' * 60}{bases}\n>b\n>c\n{bases}\n>d\n{'n' * 40}\n")
    with pytest.warns(UserWarning, match="b has no bases, and is skipped"):
        hits = list(run.scan(tmp_path / "g.fa", 20, 20, threshold=0.0, label="promoter"))
    assert [h[:3] for h in hits] == [("a", 0, 40), ("a", 100, 140), ("c", 0, 40)]
    write_two_bit(tmp_path / "g.2bit", {"a": f"{bases}{'N' * 60}{bases}", "c": bases, "d": "N" * 40})
    assert list(run.scan(tmp_path / "g.2bit", 20, 20, threshold=0.0, label="promoter")) == hits


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
    assert answers[0]["scores"] == pytest.approx(answers[2]["scores"], abs=1e-5)
    assert main(["predict", str(run.directory), "ACGXT"]) == 2
    assert "input: 'X' at position 4 is not an IUPAC code" in capsys.readouterr().err
    (tmp_path / "some.fa").rename(tmp_path / "some.fas")
    assert main(["predict", str(run.directory), "--input", str(tmp_path / "some.fas")]) == 0
    again = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for one, other in zip(again, answers[:2], strict=True):
        assert one.pop("scores") == pytest.approx(other.pop("scores"), abs=1e-5)
        assert one == pytest.approx(other, abs=1e-5)


def test_tables_and_intervals_are_answered_with_their_fields(run, tmp_path, capsys):
    (tmp_path / "some.csv").write_text("name,seq\nx,ACGTACGT\ny,TTTT\n")
    (tmp_path / "g.fa").write_text(">chr1\nACGTACGTTTTT\n")
    (tmp_path / "some.bed").write_text("chr1\t0\t8\nchr1\t8\t12\n")
    found = []
    for given in ([tmp_path / "some.csv", "--carry", "name"], [tmp_path / "some.bed", "--genome", tmp_path / "g.fa"]):
        assert main(["predict", str(run.directory), "--input", *map(str, given)]) == 0
        found.append([json.loads(line) for line in capsys.readouterr().out.splitlines()])
    assert [a["name"] for a in found[0]] == ["x", "y"]
    assert [(a["chromosome"], a["start"], a["end"]) for a in found[1]] == [("chr1", 0, 8), ("chr1", 8, 12)]
    for one, other in zip(*found, strict=True):
        assert one["scores"] == pytest.approx(other["scores"], abs=1e-5)
    answers = run.predict([{"sequence": "ACGTACGT"}, {"sequence": "TTTT"}])
    assert [a["scores"] for a in answers] == [pytest.approx(a["scores"], abs=1e-5) for a in found[0]]


def test_effects_are_differences_of_predictions(run, capsys):
    sequence = SEQUENCES[0]
    rows = run.explain(sequence)
    assert [row["base"] for row in rows] == list(sequence)
    (plain,) = run.predict([sequence])
    for place in (0, 7, len(sequence) - 1):
        for base in "ACGT":
            (other,) = run.predict([sequence[:place] + base + sequence[place + 1 :]])
            expected = other["scores"][plain["label"]] - plain["score"]
            assert rows[place][base] == pytest.approx(expected, abs=1e-4)
    assert main(["explain", str(run.directory), sequence]) == 0
    assert [json.loads(line)["position"] for line in capsys.readouterr().out.splitlines()] == list(range(1, 36))


VARIANTS = """##fileformat=VCFv4.2
#CHROM\tPOS\tID\tREF\tALT\tQUAL
chr1\t1\tfirst\t{0}\tG,T
chr1\t100\t.\t{99}{100}\tA\t7
chr1\t200\t.\t{199}\tACGT,<DEL>
"""


def test_variants_are_differences_of_predictions(run, tmp_path, capsys):
    bases = "AC" * 120
    genome, path = tmp_path / "g.fa", tmp_path / "v.vcf"
    genome.write_text(f">chr1\n{bases}\n")
    path.write_text(VARIANTS.format(*bases))
    given = ["explain", str(run.directory), str(path), "--genome", str(genome)]
    assert main([*given, "--window", "60"]) == 0
    printed = capsys.readouterr()
    rows = [json.loads(line) for line in printed.out.splitlines()]
    assert "warning: " in printed.err and "1 alleles that are no bases were left out" in printed.err
    windows = [
        (bases[:60], "G" + bases[1:60]),
        (bases[:60], "T" + bases[1:60]),
        (bases[69:129], bases[69:99] + "A" + bases[101:130]),
        (bases[169:229], bases[169:199] + "ACGT" + bases[200:226]),
    ]
    for row, pair in zip(rows, windows, strict=True):
        one, other = run.predict(pair)
        assert row["label"] == one["label"] and row["score"] == pytest.approx(one["score"], abs=1e-4)
        assert row["change"] == pytest.approx(other["scores"][one["label"]] - one["score"], abs=1e-4)
        assert row["alternative_label"] == other["label"]
    assert [row["id"] for row in rows][:2] == ["first", "first"] and rows[2]["reference"] == "CA"
    with pytest.warns(UserWarning):
        assert list(run.explain_variants(path, genome, 60)) == rows
    assert main(given) == 2
    assert "--window: variants need a window; give the length of the training sequences" in capsys.readouterr().err
    genome.write_text(f">chr1\n{bases[1:]}\n")
    (tmp_path / "g.fa.fai").unlink()
    assert main([*given, "--window", "60"]) == 2
    expected = f"{path}: chr1:1: the reference allele is A, the genome has C there; check that the variants are"
    assert expected in capsys.readouterr().err
    assert main(["explain", str(run.directory), str(path), "--window", "60"]) == 2
    assert "variants need a genome; name its FASTA or 2bit file with --genome" in capsys.readouterr().err
    assert main(["explain", str(run.directory), "ACGT", "--window", "60"]) == 2
    assert "--window: has no effect on a sequence; give a VCF file" in capsys.readouterr().err


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
import json, tensorflow as tf
serve = tf.saved_model.load({directory!r}).signatures["serving_default"]
out = serve(inputs=tf.constant({texts!r}))
print(json.dumps({{"label": [x.decode() if isinstance(x, bytes) else [y.decode() for y in x] for x in
       out["label"].numpy().tolist()], "score": out["score"].numpy().tolist()}}))
"""


@pytest.mark.parametrize("task", ["classify", "tag"])
def test_the_export_answers_alike_where_only_tensorflow_is(task, run, tagged, tmp_path, tensorflow_alone):
    made = run if task == "classify" else tagged
    made.export(tmp_path / "served", check=False)
    code = SERVE.format(directory=str(tmp_path / "served"), texts=SEQUENCES)
    served, decoded = tensorflow_alone(code), made.predictor.predict_batch(SEQUENCES)
    np.testing.assert_array_equal(np.array(served["label"]), decoded["label"].astype(str))
    np.testing.assert_allclose(served["score"], decoded["score"], atol=1e-4 if task == "classify" else CLOSE)


@pytest.fixture(scope="module")
def proteins(tmp_path_factory):
    folder = tmp_path_factory.mktemp("proteins")
    rng = np.random.default_rng(0)
    rows = [("".join(rng.choice(list(AMINO), 30)), i % 2) for i in range(80)]
    records = [
        f">p{i} {'kinase' if y else 'other'}\n{s[:9]}{'HRDLKPEN' if y else ''}{s[9:]}\n"
        for i, (s, y) in enumerate(rows)
    ]
    (folder / "p.faa").write_text("".join(records))
    return seqtasks.train("dna", data=folder / "p.faa", run=folder / "run", alphabet="protein", **SMALL)


AMINO = "ACDEFGHIKLMNPQRSTVWY"


def test_proteins_are_classified_explained_and_exported(proteins, tmp_path):
    assert proteins.model.input_shape == (None, None, 21)
    sequences = ["MKVHRDLKPENAAX*", "mkvhrdlkpenaax*", "AUO"]
    answers = proteins.predict(sequences)
    assert answers[0]["scores"] == pytest.approx(answers[1]["scores"], abs=1e-5)
    rows = proteins.explain(sequences[0])
    assert set(AMINO) < set(rows[0]) and rows[0]["M"] == 0.0
    (other,) = proteins.predict(["W" + sequences[0][1:]])
    assert rows[0]["W"] == pytest.approx(other["scores"][rows[0]["label"]] - rows[0]["score"], abs=1e-4)
    assert "Which bases matter" in (proteins.directory / "report.html").read_text("utf-8")
    proteins.export(tmp_path / "served")
    served = tf.saved_model.load(str(tmp_path / "served")).signatures["serving_default"](inputs=tf.constant(sequences))
    np.testing.assert_allclose(served["score"], [a["score"] for a in answers], atol=1e-4)
    with pytest.raises(UserError, match="'1' at position 2 is not an amino acid"):
        proteins.predict(["B1"])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"alphabet": "A"}, "--alphabet: 'A' is not an alphabet"),
        (
            {"alphabet": "protein", "reverse_complement": True},
            "--reverse_complement: the alphabet protein has no compl",
        ),
    ],
)
def test_wrong_alphabets_are_told(fields, message, tmp_path):
    with pytest.raises(UserError, match=message):
        seqtasks.train("dna", data=protein_file(tmp_path), run=tmp_path / "run", **fields, **SMALL)


def protein_file(folder):
    path = folder / "p.csv"
    path.write_text(
        "sequence,label\n" + "".join(f"MKV{a}{b},{'xy'[i % 2]}\n" for a in AMINO for i, b in enumerate("ACDE"))
    )
    return path


@pytest.mark.parametrize(("alphabet", "columns"), [("protein", 21), ("ACDEFGHIKLMNPQRSTVWY", 20)])
def test_letters_are_columns_of_the_input(alphabet, columns, tmp_path):
    for fields in ({}, {"input": "kmer", "k": 2}):
        found = seqtasks.train("dna", data=protein_file(tmp_path), alphabet=alphabet, dry_run=True, **fields)
        shape = found["inputs"]["kmers" if fields else "bases"]
        assert shape == ([None, None] if fields else [None, None, columns])


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
