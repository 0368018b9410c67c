"""Sources of sequences: every format, plain and compressed; every fault with file, line and remedy."""

import gzip
import json
import os
import re
import subprocess
import sys
import time
import warnings

import pandas as pd
import pytest
from Bio import SeqIO, bgzf
from Bio.Seq import Seq
from Bio.SeqFeature import CompoundLocation, SeqFeature, SimpleLocation
from Bio.SeqRecord import SeqRecord
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seqtasks.data.columns import Columns
from seqtasks.data.reading import Reading
from seqtasks.data.sources import Faulty
from seqtasks.data.splits import find_splits, open_data
from seqtasks.dna.alphabets import PROTEIN
from seqtasks.dna.files import SUFFIXES, DnaOptions, formats, sequences
from seqtasks.errors import UserError
from tests.dna.genomes import write_two_bit

ROWS = [("ACGTN", "promoter"), ("acgu", "other"), ("TTRY", "promoter")]
FASTA = ">x 1 label=promoter\nACG\nTN\n\n>y|2|other\nacgu\n>z promoter\nTTRY"
CONTENT = {
    **{f"a{suffix}": FASTA for suffix in (".fa", ".fas", ".ffn", ".fsa", ".frn", ".mfa", ".faa", ".txt")},
    "a.fna": ">x|promoter\r\nACGT\r\nN\r\n>y|other\r\nac gu\r\n>z|promoter\r\nTTRY\r\n",
    "a.fasta": "\ufeff>x|promoter\nACGTN\n>y|other\nacgu\n>z|promoter\nTTRY\n",
    "b.fa": FASTA.encode("utf-16"),
    "c.fa": ">x Größe label=promoter\nACGTN\n>ý|other\nacgu\n>z é label=promoter\nTTRY\n",
    "d.fa": ">x Größe label=promoter\nACGTN\n>ý|other\nacgu\n>z é label=promoter\nTTRY\n".encode("latin-1"),
    "a.fq": "".join(f"@r{i} label={y}\n{s}\n+\n{'I' * len(s)}\n" for i, (s, y) in enumerate(ROWS)),
    "b.fq": "".join(f"@é{i} label={y}\n{s}\n+\n{'@' * len(s)}\n" for i, (s, y) in enumerate(ROWS)),
    "a.csv": "id,Sequence,label\n" + "".join(f"{i},{s},{y}\n" for i, (s, y) in enumerate(ROWS)),
    "b.csv": "".join(f"{s};{y}\n" for s, y in ROWS),
    "a.tsv": "class\tdna\n" + "".join(f"{y}\t{s}\n" for s, y in ROWS),
    "a.jsonl": "".join(json.dumps({"seq": s, "label": y}) + "\n" for s, y in ROWS),
    "a.json": json.dumps([{"seq": s, "label": y} for s, y in ROWS]),
}


def write(path, content):
    data = content if isinstance(content, bytes) else content.encode("utf-8")
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_bytes(gzip.compress(data) if path.name.endswith(".gz") else data)
    return path


def open_file(path, reading=Reading(), **options):
    return open_data(path, formats(DnaOptions(**options)), reading)


def pairs(path, **options):
    return [(e.input, e.target) for e in open_file(path, **options)]


def error_of(path, **options):
    with pytest.raises(UserError) as error:
        list(open_file(path, **options))
    return str(error.value)


def faults(path, **options):
    """The messages of faulty records, and the number of the others."""
    items = list(open_file(path, **options).read())
    return [str(i.error) for i in items if isinstance(i, Faulty)], sum(not isinstance(i, Faulty) for i in items)


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("name", CONTENT)
def test_every_format_gives_the_same_examples_each_time(tmp_path, name, ending):
    source = open_file(write(tmp_path / (name + ending), CONTENT[name]))
    for _ in range(2):
        assert [(e.input, e.target) for e in source] == ROWS
    assert source.size == (tmp_path / (name + ending)).stat().st_size


def test_data_in_memory():
    rows = [{"id": i, "sequence": s, "label": y} for i, (s, y) in enumerate(ROWS)]
    for data in (ROWS, pd.DataFrame(rows), rows, ([s for s, _ in ROWS], [y for _, y in ROWS])):
        assert [(e.input, e.target) for e in open_file(data)] == ROWS
    frame = pd.DataFrame({"seq": ["AC"], "tags": [["exon", "intron"]]})
    assert pairs(frame, task="tag") == [("AC", "exon intron")]


def test_label_field_by_name_or_number(tmp_path):
    path = write(tmp_path / "a.fa", ">x|a|b kind=c\nA\n")
    assert [pairs(path, label_field=field)[0][1] for field in ("2", "kind", "1")] == ["a", "c", "x"]
    assert pairs(write(tmp_path / "b.fa", ">x a b\nA\n"), label_field="3") == [("A", "b")]
    assert pairs(write(tmp_path / "c.fa", ">x kind=Größe\nA\n"), label_field="kind") == [("A", "Größe")]
    path = write(tmp_path / "d.fa", ">x kind=Größe\nA\n".encode("latin-1"))
    source = open_file(path, Reading(encoding="latin-1"), label_field="kind")
    assert [e.target for e in source] == ["Größe"]
    assert error_of(path, label_field="kind").startswith(f"{path}:1: the label is not UTF-8; name the encoding")


def test_place_of_an_example(tmp_path):
    for name, place in (("a.fa", "1"), ("a.fq", "1"), ("a.csv", "2"), ("a.jsonl", "1")):
        source = open_file(write(tmp_path / name, CONTENT[name]))
        assert source.where(next(iter(source))) == f"{tmp_path / name}:{place}"
    assert [e.place for e in open_file(tmp_path / "a.fa")][1:] == [f"{tmp_path / 'a.fa'}:{n}" for n in (5, 7)]


def test_fields_of_headers_are_groups_and_names_are_carried(tmp_path):
    path = write(tmp_path / "a.fa", ">x some label=a chromosome=7\nA\n>y label=b\nC\n")
    first, second = open_file(path, Reading(group="chromosome")).read()
    assert first.group == "7" and str(second.error).startswith(f"{path}:3: no value of the group 'chromosome'")
    answered = open_file(path, Reading(labelled=False, carry=("chromosome",)))
    assert [(e.input, e.target, e.fields) for e in answered] == [
        ("A", "", (("id", "x"), ("chromosome", "7"))),
        ("C", "", (("id", "y"), ("chromosome", None))),
    ]


@pytest.mark.parametrize("layout", ["{}.fa", "{}.fasta.gz", "{}.txt", "{}/1.fa"])
def test_folder_interleaves_its_classes_in_proportion(tmp_path, layout):
    for label, letter, count in (("E.coli_prom", "A", 20), ("other", "C", 60)):
        content = "".join(f"> {i}\n{letter * 50}\n" for i in range(count))
        write(tmp_path / layout.format(label), content)
    write(tmp_path / "notes.txt", "no sequence")
    write(tmp_path / ".hidden" / "1.fa", ">a\nA\n")
    found = pairs(tmp_path)
    assert sorted(found) == [("A" * 50, "E.coli_prom")] * 20 + [("C" * 50, "other")] * 60
    assert found == pairs(tmp_path)
    if not layout.endswith(".gz"):  # sizes of compressed files say less
        shares = [sum(label == "other" for _, label in found[i : i + 20]) for i in range(0, 80, 20)]
        assert all(14 <= share <= 16 for share in shares)


def test_several_files_of_a_class_are_concatenated_and_others_are_named(tmp_path):
    for name in ("x/1.fa", "x/2.fa.gz", "y/1.fa", "y/2.doc"):
        write(tmp_path / name, f">a\n{'A' if name[0] == 'x' else 'C'}\n")
    with pytest.warns(UserWarning, match=r"files that are no sequences were not read: 1 of .doc"):
        source = open_file(tmp_path)
    assert sorted((e.input, e.target) for e in source) == [("A", "x"), ("A", "x"), ("C", "y")]
    assert {source.where(e) for e in source} == {f"{tmp_path}/{n}:1" for n in ("x/1.fa", "x/2.fa.gz", "y/1.fa")}


def test_a_folder_of_one_sequence_in_each_file_with_given_splits(tmp_path):
    for split in ("train", "test"):
        for label, letter in (("positive", "A"), ("negative", "C")):
            for i in range(20):
                write(tmp_path / split / label / f"{i}.txt", letter * (i + 1) + "\n" * (i % 2))
    write(tmp_path / "train" / "positive" / "README.txt", "These are promoters.")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        splits = find_splits(tmp_path, formats())
        counts = {
            name: [sum(e.target == label for e in source) for label in ("positive", "negative")]
            for name, source in splits
        }
    assert counts["test"] == [20, 20]
    assert [a + b for a, b in zip(counts["train"], counts["validation"], strict=True)] == [20, 20]
    assert f"of 41 records 1 left out: {tmp_path}/train/positive/README.txt:1: 'e' at position 3" in str(
        caught[-1].message
    )


TAGS = {
    "a.csv": "sequence,label\nACGT,EEIN\nac,E I\nG,exon\n",
    "a.fa": ">x|EEIN\nAC\nGT\n>y label=EI\nac\n>z exon\nG\n",
    "a.jsonl": "".join(
        json.dumps({"sequence": s, "label": y}) + "\n"
        for s, y in (("ACGT", ["E", "E", "I", "N"]), ("ac", "EI"), ("G", ["exon"]))
    ),
}


@pytest.mark.parametrize("name", TAGS)
def test_labels_of_bases(tmp_path, name):
    found = pairs(write(tmp_path / name, TAGS[name]), task="tag")
    assert found == [("ACGT", "E E I N"), ("ac", "E I"), ("G", "exon")]


def test_labels_of_bases_by_annotation(tmp_path):
    records = write(tmp_path / "a.fa", ">x some words\nACG\nTA\n>y\nAC\n>z\nG\n")
    annotation = write(tmp_path / "a.bed.gz", "x\t1\t3\texon\nz\t0\t1\tintron\nx\t4\t5\tintron\n")
    expected = [("ACGTA", "other exon exon other intron"), ("AC", "other other"), ("G", "intron")]
    assert pairs(records, task="tag", annotation=annotation) == expected
    assert pairs(records, task="tag", annotation=annotation, outside="N")[1] == ("AC", "N N")
    write(tmp_path / "folder" / "one.fa", ">x\nACGTA\n")
    assert pairs(tmp_path / "folder", task="tag", annotation=annotation) == expected[:1]


def write_genbank(path, kind="genbank"):
    genes = [
        SeqFeature(SimpleLocation(0, 12), type="source", qualifiers={"organism": ["E. coli"], "strain": ["K-12"]}),
        SeqFeature(SimpleLocation(1, 9), type="gene"),
        SeqFeature(CompoundLocation([SimpleLocation(2, 4, -1), SimpleLocation(6, 8, -1)]), type="CDS"),
    ]
    annotations = {"molecule_type": "DNA", "organism": "Escherichia coli", "topology": "circular"}
    records = [
        SeqRecord(Seq("ACGTACGTACGT"), f"A{i}.1", description="a gène", features=genes, annotations=annotations)
        for i in (1, 2)
    ]
    SeqIO.write(records, path, kind)
    return path


@pytest.mark.parametrize(("name", "kind"), [("a.gb", "genbank"), ("a.gbk", "genbank"), ("a.embl", "embl")])
def test_genbank_and_embl(tmp_path, name, kind):
    path = write_genbank(tmp_path / name, kind)
    assert pairs(path, label_field="strain") == [("ACGTACGTACGT", "K-12")] * 2
    assert pairs(path, label_field="organism") == [("ACGTACGTACGT", "Escherichia coli")] * 2
    tags = "other gene CDS CDS gene gene CDS CDS gene other other other"
    assert pairs(path, task="tag", label_field="CDS, gene") == [("ACGTACGTACGT", tags)] * 2
    assert error_of(path).startswith(f"{path}:1: no label among the annotations ")
    assert error_of(path, task="tag").startswith(f"{path}:1: no labels of letters; name the types of features with")
    assert [e.fields for e in open_file(path, Reading(labelled=False))] == [(("id", "A1.1"),), (("id", "A2.1"),)]
    folder = tmp_path / "folder"
    for label in ("plasmid", "phage"):
        write(folder / f"{label}{path.suffix}", path.read_bytes())
    assert sorted(target for _, target in pairs(folder)) == ["phage"] * 2 + ["plasmid"] * 2
    assert "no sequence in the file" in error_of(write(tmp_path / f"c{path.suffix}", "no records\n"))


GENOME = ">chr1 first\nACGTAC\nGTNNRa\n>chr2\nTTTA\n"
INTERVALS = "chr1\t4\t8\tx\nchr1\t8\t12\ty\t0\t-\nchr2\t0\t4\tx\t.\t+\n"


def reference(folder, kind):
    """A genome in one of the forms that people have."""
    plain = write(folder / "plain" / "g.fa", GENOME)
    if kind == "bgzip":
        path = folder / "g.fa.gz"
        with bgzf.BgzfWriter(path, "wb") as file:
            file.write(GENOME.encode())
        return path
    content = {
        "lower": GENOME.replace("\n", "\r\n"), "ragged": ">chr1 first\nACG\nTACGTNN\nRa\n\n>chr2\nTT\nTA\n",
        "é": ">chr1 é\nACGTAC\nGTNNRa\n>chr2\nTTTA\n",
    }.get(kind, GENOME)  # fmt: skip
    return plain if kind == "plain" else write(folder / f"g.{'fa.gz' if kind == 'gzip' else 'fna'}", content)


@pytest.mark.parametrize("kind", ["plain", "gzip", "bgzip", "ragged", "lower", "é"])
def test_intervals_of_a_genome_on_both_strands(tmp_path, kind):
    genome = reference(tmp_path, kind)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for bed in (write(tmp_path / "a.bed", INTERVALS), write(tmp_path / "b.bed.gz", INTERVALS)):
            assert pairs(bed, genome=genome) == [("ACGT", "x"), ("tYNN", "y"), ("TTTA", "x")]
    assert [
        "is copied to a temporary file; compress it with bgzip" in str(w.message)
        for w in caught
        if "copied" in str(w.message)
    ] == ([True] * (kind in ("gzip", "ragged")))
    source = open_file(bed, genome=genome)
    assert [source.where(e) for e in source] == [f"{bed}:{i}" for i in (1, 2, 3)]
    annotation = write(tmp_path / "labels.bed", "chr1\t9\t11\tgene\n")
    windows = write(tmp_path / "windows.bed", "chr1\t8\t12\nchr1\t8\t12\t.\t0\t-\nchr2\t0\t1\n")
    assert pairs(windows, task="tag", genome=genome, annotation=annotation) == [
        ("NNRa", "other gene gene other"),
        ("tYNN", "other gene gene other"),
        ("T", "other"),
    ]


def test_intervals_of_a_2bit_genome_and_of_genbank(tmp_path):
    bed = write(tmp_path / "a.bed", "chr1\t2\t7\tx\nchr2\t0\t4\ty\t0\t-\n")
    genome = write_two_bit(tmp_path / "g.2bit", {"chr1": "ACGTNNACG", "chr2": "TTTA"})
    assert pairs(bed, genome=genome) == [("GTNNA", "x"), ("TAAA", "y")]
    write_genbank(tmp_path / "g.gb")
    bed = write(tmp_path / "b.bed", "A2.1\t2\t7\tx\n")
    with pytest.warns(UserWarning, match="copied"):
        assert pairs(bed, genome=tmp_path / "g.gb") == [("GTACG", "x")]


def test_peaks_and_the_column_of_the_label(tmp_path):
    genome = write(tmp_path / "g.fa", GENOME)
    rest = "0\t+\t5.0\t3.2\t2.1\t25"
    for name in ("p.narrowPeak", "p.broadPeak", "p.bed"):
        path = write(tmp_path / name, f"track name=x\nchr1\t0\t4\tpeak\t{rest}\nchr2\t0\t4\tnone\t{rest}\n")
        assert pairs(path, genome=genome) == [("ACGT", "peak"), ("TTTA", "none")]
        assert pairs(path, genome=genome, label_field="10") == [("ACGT", "25"), ("TTTA", "25")]
    path = write(tmp_path / "q.bed", "chr1\t0\t4\nchr2\t0\t4\n")
    assert error_of(path, genome=genome) == (
        f"{path}:1: no label in column 4; give the label there, or a folder with a file for each class"
    )
    answered = open_file(path, Reading(labelled=False), genome=genome)
    assert dict(next(iter(answered)).fields) == {"chromosome": "chr1", "start": 0, "end": 4, "strand": "."}


def test_a_folder_of_bed_files_by_class(tmp_path):
    genome = write(tmp_path / "data" / "g.fa", GENOME)
    write(tmp_path / "data" / "enhancer.bed", "chr1\t0\t4\nchr1\t1\t5\n")
    write(tmp_path / "data" / "none.narrowPeak.gz", "chr2\t0\t4\tpeak1\t0\t.\t1\t1\t1\t2\n")
    assert sorted(pairs(tmp_path / "data", genome=genome)) == [
        ("ACGT", "enhancer"), ("CGTA", "enhancer"), ("TTTA", "none"),
    ]  # fmt: skip


@given(st.text("ACGTRYNacgt", min_size=1, max_size=50), st.integers(1, 9), st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_interval_is_a_slice_of_its_chromosome(tmp_path, sequence, width, data):
    start = data.draw(st.integers(0, len(sequence) - 1))
    end = data.draw(st.integers(start + 1, len(sequence)))
    lines = [sequence[i : i + width] for i in range(0, len(sequence), width)]
    genome = write(tmp_path / "g.fa", "\n".join([">c", *lines, ""]))
    (tmp_path / "g.fa.fai").unlink(missing_ok=True)  # a file changed within a second looks unchanged
    bed = write(tmp_path / "a.bed", f"c\t{start}\t{end}\tx\n")
    assert pairs(bed, genome=genome) == [(sequence[start:end], "x")]


def test_index_follows_changes_and_is_temporary_if_the_folder_is_read_only(tmp_path, monkeypatch):
    genome, bed = write(tmp_path / "g.fa", GENOME), write(tmp_path / "a.bed", "chr2\t0\t4\tx\n")
    assert pairs(bed, genome=genome) == [("TTTA", "x")]
    write(genome, ">chr2\nGGGGG\n")
    os.utime(genome, (time.time() + 5, time.time() + 5))
    assert pairs(bed, genome=genome) == [("GGGG", "x")]
    (tmp_path / "g.fa.fai").unlink()
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    source = open_file(bed, genome=genome)
    for _ in range(2):
        assert [e.input for e in source] == ["GGGG"]
    assert not (tmp_path / "g.fa.fai").exists()


NO_FILE = {
    "a.fa": [
        ("", ": the file is empty; give a file that holds records"),
        ("\n\n", ": no sequence in the file; begin each sequence with a line '>name'"),
        ("\nACGT\n", ":2: not a FASTA file; begin each sequence with a line '>name'"),
        (">a\nAC\n>b c\nAC\n", ":1: no label in the header of 'a'; write '>name label=promoter' or"),
        (">\nAC\n", ":1: no label in the header of 'record 1'"),
    ],
    "a.fq": [
        ("@a x\nAC\n+\nII\n@b x\nACG\n+\nII\n", ":5: not FASTQ (Lengths of sequence and quality values differs for b"),
        ("@a x\nAC\n+\nII\n@b x\nAC\n", ":5: not FASTQ (End of file without quality information."),
    ],
    "a.csv": [
        ("sequence,mood,sex\nAC,x,y\n", ": no text and label among 'sequence', 'mood', 'sex'"),
        (b"sequence,label\nAC,x\n\xff,y\n", ":3: not UTF-8"),
    ],
    "a.bed": [("chr1\t0\t3\tx\n", ": intervals need a genome; name its FASTA or 2bit file with --genome")],
    "a.txt": [("AC", ": a text file that is not FASTA; begin each sequence with a line '>name', or give a table")],
    "a.doc": [("AC", ": unknown format '.doc'; files end in .fa, .fasta, .fna, .ffn, .fas, .fsa, .frn, .faa, .mfa")],
}
FAULTS = {
    "a.fa": [
        (">a|x\nAC\n\n>b c d\nAC\n", ":4: no label in the header of 'b'"),
        (">a|x\nAC\n>b|\nAC\n", ":3: no label in the header of 'b|'"),
        (">a x\nAC\n>b x\n>c x\nAC\n", ":3: the sequence is empty; give it letters, or leave it out"),
        (">a x\nAC\n\n>b x\nAC\nG-T\n", ":4: '-' at position 4 is not an IUPAC code; write bases as A, C, G, T, U or"),
        (">a x\nAC\n\n>b x\nAé\n>b x\nAC\n", ":4: 'é' at position 2 is not an IUPAC code"),
        (">a x\nAC\n>b x\nMKVL\n", ":3: 'L' at position 4 is not an IUPAC code (amino acids need --alphabet protein)"),
    ],
    "a.fq": [
        (b"@a x\nAC\n+\nII\n@b x\nAE\n+\nII\n", ":5: 'E' at position 2 is not an IUPAC code"),
        ("@a x\nAC\n+\nII\n@b x\n\n+\n\n", ":5: the sequence is empty"),
        ("@a x\nAC\n+\nII\n@b x y\nAC\n+\nII\n", ":5: no label in the header of 'b'"),
    ],
    "a.csv": [
        ("sequence,label\nACGT,x\nAC.T,y\n", ":3: '.' at position 3 is not an IUPAC code; write bases as"),
        ("sequence,label\n,x\nA,y\n", ":2: the sequence is empty"),
        ("sequence,label\nAC,x\nAC\n", ":3: 1 field, expected 2"),
    ],
    "a.jsonl": [
        ('{"sequence": "AXGT", "label": "x"}\n', ":1: 'X' at position 2 is not an IUPAC code"),
        ("3\n", ":1: not a JSON object"),
        ('{"sequence": "A"}\n', ":1: no label or sentiment among the fields"),
    ],
}  # fmt: skip


@pytest.mark.parametrize(("name", "content", "expected"), [(n, c, e) for n, cases in NO_FILE.items() for c, e in cases])
def test_errors_of_a_file_name_line_and_remedy(tmp_path, name, content, expected):
    path = write(tmp_path / name, content)
    assert error_of(path).startswith(f"{path}{expected}")


@pytest.mark.parametrize(("name", "content", "expected"), [(n, c, e) for n, cases in FAULTS.items() for c, e in cases])
def test_a_record_that_is_wrong_is_faulty_and_reading_goes_on(tmp_path, name, content, expected):
    path = write(tmp_path / name, content)
    (error,), others = faults(path)
    assert error.startswith(f"{path}{expected}")
    assert others == (">c x" in str(content)) + (name != "a.jsonl") + (str(content).count(">b x") == 2)


def test_an_empty_record_or_a_wrong_letter_does_not_stop_training(tmp_path):
    records = "".join(f">s{i} label={'ab'[i % 2]}\n{'ACGTTG'[i % 6 :] * (i + 1)}\n" for i in range(80))
    path = write(tmp_path / "a.fa", records + ">e label=a\n>w label=b\nAC.GT\n")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert sum(len(list(source)) for _, source in find_splits(path, formats())) == 80
    assert f"of 82 records 2 left out: {path}:161: the sequence is empty, {path}:162: '.' at" in str(caught[-1].message)


def twins(rows):
    """Sequences, and their equals in another case, with U, and on the other strand."""
    opposite = str.maketrans("ACGT", "TGCA")
    changes = (str, str.lower, lambda s: s.replace("T", "U"), lambda s: s.translate(opposite)[::-1].lower())
    return [(change(sequence), label) for sequence, label in rows for change in changes]


def test_equal_sequences_are_in_one_split(rng):
    rows = [("".join(rng.choice(list("ACGT"), 30)), "ab"[i % 2]) for i in range(100)]
    with warnings.catch_warnings(action="ignore"):
        splits = find_splits(twins(rows), formats())
        plain = find_splits(rows, formats())
    for (_, doubled), (_, single) in zip(splits, plain, strict=True):
        found = [e.input for e in single]
        assert len(found) and [e.input for e in doubled] == [s for s, _ in twins([(s, "") for s in found])]


def test_the_strand_counts_in_proteins_but_not_the_case():
    group = formats(DnaOptions(alphabet=PROTEIN)).group
    assert group("mktca") == group("MKTCA") and group("TGCA") != group("ACGT")


def test_missing_label_field_raises(tmp_path):
    path = write(tmp_path / "a.fa", ">a kind=x\nAC\n>b|x\nAC\n")
    assert faults(path, label_field="kind")[0][0].startswith(f"{path}:3: no field 'kind' in the header of 'b|x'; write")
    assert error_of(path, label_field="3").startswith(f"{path}:1: no field '3' in the header of 'a'")


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        (
            "a.csv",
            "sequence,label\nACGT,EEI\n",
            ":2: 3 labels for the 4 letters; give one per letter: 'EEIIN', or 'exo",
        ),
        ("a.csv", "sequence,label\nACGT,exon intron\n", ":2: 2 labels for the 4 letters"),
        (
            "a.jsonl",
            '{"seq": "AC", "label": ["a b", "c"]}\n',
            ":1: the label 'a b' is not a word; write it without spaces",
        ),
        ("a.jsonl", '{"seq": "AC", "label": ["a", ""]}\n', ":1: the label '' is not a word"),
        ("a.fa", ">y|EE\nACG\n", ":1: 2 labels for the 3 letters"),
    ],
)
def test_wrong_number_of_labels_is_a_fault(tmp_path, name, content, expected):
    path = write(tmp_path / name, content)
    assert faults(path, task="tag")[0][0].startswith(f"{path}{expected}")


def test_annotation_of_another_file_raises(tmp_path):
    records = write(tmp_path / "a.fa", ">chr1\nACGT\n>chr2\nAC\n")
    annotation = write(tmp_path / "a.bed", "1\t0\t2\tx\n")
    expected = f"{annotation}: no interval on any record of {records}"
    assert error_of(records, task="tag", annotation=annotation).startswith(expected)
    write(annotation, "chr2\t0\t1\tx\nchr2\t1\t3\ty\n")
    expected = f"{annotation}:2: 1-3 ends outside chr2, which has 2 bases; check that it annotates this file"
    assert error_of(records, task="tag", annotation=annotation) == expected
    assert (
        error_of(records, task="tag", annotation=tmp_path / "no.bed")
        == f"{tmp_path}/no.bed: no such file; check the path"
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("chr1\t0\t13\tx", "0-13 ends outside chr1, which has 12 bases; check that the intervals are of this genome"),
        ("chrr2\t0\t3\tx", "no chromosome 'chrr2' in {}; did you mean 'chr2'?"),
        ("scaffold\t0\t3\tx", "no chromosome 'scaffold' in {}; known are: chr1, chr2"),
        ("chr1\t3\t3\tx", "start 3 is not before end 3; BED is half-open, from 0"),
        ("chr1\t3\t4", "no label in column 4; give the label there, or a folder with a file for each class"),
        ("chr3\t1\t3\tx", "'*' at position 2 is not an IUPAC code; write bases"),
    ],
)
def test_invalid_intervals_are_faulty(tmp_path, line, expected):
    genome = write(tmp_path / "g.fa", GENOME + (">chr3\nAC*\n" if "chr3" in line else ""))
    bed = write(tmp_path / "a.bed", f"chr1\t0\t3\tx\n{line}\nchr1\t1\t3\ty\n")
    (error,), others = faults(bed, genome=genome)
    assert error.startswith(f"{bed}:2: {expected.format(genome)}") and others == 2


def test_chromosomes_with_other_names_raise(tmp_path):
    genome, bed = write(tmp_path / "g.fa", GENOME), write(tmp_path / "a.bed", "1\t0\t3\tx\n")
    assert error_of(bed, genome=genome) == f"{bed}:1: no chromosome '1' in {genome}; did you mean 'chr1'?"


def test_invalid_genomes_raise(tmp_path):
    bed = write(tmp_path / "a.bed", "chr1\t0\t3\tx\n")
    for name, content, expected in (
        ("g.csv", GENOME, ": not a genome for intervals; give FASTA (.fa, .fasta, .fna, also with .gz) or .2bit"),
        ("e.fa", "", ": the file is empty"),
        ("d.fa", ">chr1\nACG\n>chr1\nACG\n", ": cannot be indexed ("),
        ("d.fa.gz", ">chr1\nACG\n>chr1\nACG\n", ": cannot be indexed ("),
        ("n.fa.gz", "no genome\n", ":1: not a FASTA file"),
        ("n.2bit", "no genome\n", ": not a 2bit file"),
    ):
        genome = write(tmp_path / name, content)
        with warnings.catch_warnings(action="ignore"):
            assert error_of(bed, genome=genome).startswith(f"{genome}{expected}")
    assert error_of(bed, genome=tmp_path / "no.fa") == f"{tmp_path}/no.fa: no such file; check the path"


@pytest.mark.parametrize(
    "content", [gzip.compress(b">a x\nACGT\n" * 99, mtime=0)[:30], b">a x\nACGT\n"], ids=["cut", "no"]
)
@pytest.mark.parametrize("name", ["a.fa.gz", "a.fq.gz", "a.bed.gz", "a.gb.gz", "folder/x.fa.gz"])
def test_invalid_gzip_raises(tmp_path, name, content):
    genome = write(tmp_path / "g.fa", GENOME)
    path = write(tmp_path / name, b"")
    path.write_bytes(content)
    error = error_of(path.parent if "/" in name else path, genome=genome)
    assert error.startswith(f"{path}: cannot be read (") and error.endswith("complete and readable")


def test_missing_sources_raise(tmp_path):
    assert error_of(tmp_path / "no.fa") == f"{tmp_path}/no.fa: no such file or folder; check the path"
    assert error_of(tmp_path).startswith(
        f"{tmp_path}: no sequences in this folder (found nothing); give one file for each class, or a folder"
    )
    assert set(SUFFIXES) > {".fa", ".bed", ".gb"}


def test_an_input_that_is_a_file_is_never_a_sequence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "unknown.fas", ">a b\nACG\n>c\nTT\n")
    write(tmp_path / "some.csv", "sequence\nACG\n")
    write(tmp_path / "acgt", "TTTT")
    found = list(sequences("unknown.fas"))
    assert [(e.input, e.fields) for e in found] == [("ACG", (("id", "a"),)), ("TT", (("id", "c"),))]
    assert [e.input for e in sequences(b"some.csv")] == ["ACG"]
    assert [e.input for e in sequences(" acg\n")] == ["acg"]
    for text, expected in (
        ("acgt", "acgt: unknown format '(no suffix)'; files end in"), ("no.fas", "no.fas: no such file or folder"),
        ("ACXT", "input: 'X' at position 3 is not an IUPAC code"), ("", "input: the sequence is empty"),
    ):  # fmt: skip
        with pytest.raises(UserError) as error:
            list(sequences(text))
        assert str(error.value).startswith(expected)


@pytest.mark.parametrize(
    ("name", "package"), [("a.fq", "Bio"), ("a.gb", "Bio"), ("a.bed", "pyfaidx"), ("b.bed", "py2bit")]
)
def test_missing_package_raises(tmp_path, name, package):
    write(tmp_path / "g.fa", GENOME)
    write(tmp_path / "g.2bit", GENOME)
    path = write(tmp_path / name, CONTENT.get(name, "chr1\t0\t3\tx\n"))
    genome = tmp_path / ("g.2bit" if name == "b.bed" else "g.fa")
    code = (
        "import importlib.util as u; find = u.find_spec\n"
        f"u.find_spec = lambda name, *rest: None if name == {package!r} else find(name, *rest)\n"
        "from seqtasks.dna.files import DnaOptions, open_dna\n"
        f"list(open_dna({str(path)!r}, DnaOptions(genome={str(genome)!r})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert f"the package {package} is missing; pip install 'seqtasks[dna]'" in done.stderr


def test_columns_by_name_and_number(tmp_path):
    path = write(tmp_path / "a.csv", "sequence,read,label,kind\nAC,GG,x,y\n")
    assert pairs(path, columns=Columns("read", "kind")) == [("GG", "y")]
    assert pairs(path, columns=Columns(label="kind")) == [("AC", "y")]
    assert pairs(path, columns=Columns("2", "3", True)) == [("GG", "x")]
    assert "--sequence_column" in error_of(write(tmp_path / "b.csv", "a,b\nAC,x\n"), columns=Columns(header=True))


def test_imports_need_no_tensorflow(tmp_path):
    path = write(tmp_path / "a.fa", CONTENT["a.fa"])
    modules = "alphabets, baselines, bed, encoding, fasta, files, genome, mutagenesis, references, scan, variants"
    code = f"import sys; from seqtasks.dna import {modules}; list(files.open_dna({str(path)!r})); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"tensorflow", "keras", "pyfaidx", "Bio", "py2bit"} & set(loaded)


def test_real_promoters_and_splice_sites(data_folder):
    counts = {}
    for example in open_file(data_folder / "dna" / "promoters"):
        counts[example.target] = counts.get(example.target, 0) + 1
    stems = {p.stem: len(re.findall("^>", p.read_text(), re.M)) for p in (data_folder / "dna/promoters").glob("*.fa")}
    assert counts == stems and counts["Ecoli_prom"] == 839
    splice = list(open_file(data_folder / "dna" / "splice" / "train.csv"))
    assert len(splice) == 2535 and {e.target for e in splice} == {"EI", "IE", "N"}
    assert {len(e.input) for e in splice} == {60}
