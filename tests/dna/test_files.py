"""Sources of DNA: every format, plain and gzip, and every error with file, line and remedy."""

import gzip
import json
import os
import re
import subprocess
import sys
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seqtasks.data.sources import Columns
from seqtasks.dna.files import SUFFIXES, DnaOptions, open_dna
from seqtasks.errors import UserError

ROWS = [("ACGTN", "promoter"), ("acgu", "other"), ("TTRY", "promoter")]
CONTENT = {
    "a.fa": ">x 1 label=promoter\nACG\nTN\n\n>y|2|other\nacgu\n>z promoter\nTTRY",
    "a.fna": ">x|promoter\r\nACGT\r\nN\r\n>y|other\r\nacgu\r\n>z|promoter\r\nTTRY\r\n",
    "a.fasta": "\ufeff>x|promoter\nACGTN\n>y|other\nacgu\n>z|promoter\nTTRY\n",
    "a.fq": "".join(f"@r{i} label={y}\n{s}\n+\n{'I' * len(s)}\n" for i, (s, y) in enumerate(ROWS)),
    "a.csv": "id,Sequence,label\n" + "".join(f"{i},{s},{y}\n" for i, (s, y) in enumerate(ROWS)),
    "b.csv": "".join(f"{s},{y}\n" for s, y in ROWS),
    "a.tsv": "class\tdna\n" + "".join(f"{y}\t{s}\n" for s, y in ROWS),
    "a.jsonl": "".join(json.dumps({"seq": s, "label": y}) + "\n" for s, y in ROWS),
}


def write(path, content):
    data = content if isinstance(content, bytes) else content.encode("utf-8")
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(gzip.compress(data) if path.name.endswith(".gz") else data)
    return path


def pairs(path, **options):
    return [(e.input, e.target) for e in open_dna(path, DnaOptions(**options))]


def error_of(path, **options):
    with pytest.raises(UserError) as error:
        list(open_dna(path, DnaOptions(**options)))
    return str(error.value)


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("name", CONTENT)
def test_every_format_gives_the_same_examples_each_time(tmp_path, name, ending):
    source = open_dna(write(tmp_path / (name + ending), CONTENT[name]))
    for _ in range(2):
        assert [(e.input, e.target) for e in source] == ROWS
    assert source.size == (tmp_path / (name + ending)).stat().st_size


def test_label_field_by_name_or_number(tmp_path):
    path = write(tmp_path / "a.fa", ">x|a|b kind=c\nA\n")
    assert [pairs(path, label_field=field)[0][1] for field in ("2", "kind", "1")] == ["a", "c", "x"]
    assert pairs(write(tmp_path / "b.fa", ">x a b\nA\n"), label_field="3") == [("A", "b")]


def test_place_of_an_example(tmp_path):
    for name, place in (("a.fa", "x"), ("a.fq", "r0"), ("a.csv", "2"), ("a.jsonl", "1")):
        source = open_dna(write(tmp_path / name, CONTENT[name]))
        assert source.where(next(iter(source))) == f"{tmp_path / name}:{place}"


@pytest.mark.parametrize("layout", ["{}.fa", "{}.fasta.gz", "{}/1.fa"])
def test_folder_interleaves_its_classes_in_proportion(tmp_path, layout):
    for label, letter, count in (("E.coli_prom", "A", 20), ("other", "C", 60)):
        content = "".join(f"> {i}\n{letter * 50}\n" for i in range(count))
        write(tmp_path / layout.format(label), content)
    write(tmp_path / "notes.txt", "no sequence")
    found = pairs(tmp_path)
    assert sorted(found) == [("A" * 50, "E.coli_prom")] * 20 + [("C" * 50, "other")] * 60
    assert found == pairs(tmp_path)
    if not layout.endswith(".gz"):  # sizes of compressed files say less
        shares = [sum(label == "other" for _, label in found[i : i + 20]) for i in range(0, 80, 20)]
        assert all(14 <= share <= 16 for share in shares)


def test_several_files_of_a_class_are_concatenated(tmp_path):
    for name in ("x/1.fa", "x/2.fa.gz", "y/1.fa"):
        write(tmp_path / name, f">a\n{'A' if name[0] == 'x' else 'C'}\n")
    assert sorted(pairs(tmp_path)) == [("A", "x"), ("A", "x"), ("C", "y")]
    source = open_dna(tmp_path)
    assert {source.where(e) for e in source} == {f"{tmp_path}/{n}:a" for n in ("x/1.fa", "x/2.fa.gz", "y/1.fa")}


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


GENOME = ">chr1 first\nACGTAC\nGTNNRa\n>chr2\nTTTA\n"


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_intervals_of_a_genome_on_both_strands(tmp_path, ending):
    genome = write(tmp_path / "g.fa", GENOME)
    bed = write(tmp_path / f"a.bed{ending}", "chr1\t4\t8\tx\nchr1\t8\t12\ty\t0\t-\nchr2\t0\t4\tx\t.\t+\n")
    assert pairs(bed, genome=genome) == [("ACGT", "x"), ("tYNN", "y"), ("TTTA", "x")]
    source = open_dna(bed, DnaOptions(genome=genome))
    assert [source.where(e) for e in source] == [f"{bed}:{i}" for i in (1, 2, 3)]
    annotation = write(tmp_path / "labels.bed", "chr1\t9\t11\tgene\n")
    windows = write(tmp_path / "windows.bed", "chr1\t8\t12\nchr1\t8\t12\t.\t0\t-\nchr2\t0\t1\n")
    assert pairs(windows, task="tag", genome=genome, annotation=annotation) == [
        ("NNRa", "other gene gene other"),
        ("tYNN", "other gene gene other"),
        ("T", "other"),
    ]


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
    source = open_dna(bed, DnaOptions(genome=genome))
    for _ in range(2):
        assert [e.input for e in source] == ["GGGG"]
    assert not (tmp_path / "g.fa.fai").exists()


GAPS = "remove gaps (- and .)"
ERRORS = {
    "a.fa": [
        ("", ": the file is empty; give a file that holds records"),
        ("\n\n", ": no sequence in the file; begin each sequence with a line '>name'"),
        ("\nACGT\n", ":2: Expected '>' at beginning of record, but got 'ACGT'."),
        (">a|x\nAC\n\n>b c d\nAC\n", ":4: no label in the header of 'b'; write '>name label=promoter' or"),
        (">a|x\nAC\n>b|\nAC\n", ":3: no label in the header of 'b|'"),
        (">\nAC\n", ":1: no label in the header of 'record 1'"),
        (">a x\nAC\n>b x\n>c x\nAC\n", ":3: the sequence of b is empty; give it bases, or leave it out"),
        (">a x\nAC\n\n>b x\nAC\nG-T\n", ":4: '-' at position 4 of b is not an IUPAC code"),
        (">a x\nA C\n", ":1: ' ' at position 2 of a is not an IUPAC code"),
        (">a x\nAC\n>é x\nAC\n", ":3: 'name' in sequence file must be ASCII encoded, but found 'é' at index 0; check"),
        (">a x\nAC\n\nAé\n>b x\nAC\n", ":4: 'sequence' in sequence file must be ASCII encoded, but found 'é' at"),
        (b">a x\nAC\n>\xe9 x\nAC\n", ":3: not UTF-8 (byte 0xe9 at offset 9)"),
    ],
    "a.fq": [
        (b"@a x\nAC\n+\nII\n@b x\nAE\n+\nII\n", ":5: 'E' at position 2 of b is not an IUPAC code"),
        ("@a x\nAC\n+\nII\n@b x\nACG\n+\nII\n", ":8: Length of sequence and qualities differ; check the file"),
        ("@a x\nAC\n+\nII\n@b x\nAC\n", ":7: Premature end of file encountered."),
        ("@a x\n\n+\n\n", ":1: the sequence of a is empty"),
        ("@a x\nAC\n+\nII\n@b x y\nAC\n+\nII\n", ":5: no label in the header of 'b'"),
    ],
    "a.csv": [
        ("sequence,label\nACGT,x\nAC.T,y\n", ":3: '.' at position 3 is not an IUPAC code; write bases as"),
        ("sequence,label\n,x\n", ":2: the sequence is empty"),
        ("sequence,label\nAC\n", ":2: 1 field, expected 2"),
        ("sequence,mood,sex\nAC,x,y\n", ": no text and label among 'sequence', 'mood', 'sex'"),
        (b"sequence,label\nAC,x\n\xff,y\n", ":3: not UTF-8"),
    ],
    "a.jsonl": [
        ('{"sequence": "AXGT", "label": "x"}\n', ":1: 'X' at position 2 is not an IUPAC code"),
        ("3\n", ":1: not a JSON object"),
        ("{\n", ":1: not JSON"),
    ],
    "a.bed": [("chr1\t0\t3\tx\n", ": intervals need a genome; name its FASTA file with --genome")],
    "a.txt": [("AC", ": unknown format '.txt'; files end in .fa, .fasta, .fna, .fq, .fastq, .bed, .csv,")],
}


@pytest.mark.parametrize(("name", "content", "expected"), [(n, c, e) for n, cases in ERRORS.items() for c, e in cases])
def test_errors_name_file_line_and_remedy(tmp_path, name, content, expected):
    path = write(tmp_path / name, content)
    error = error_of(path)
    assert error.startswith(f"{path}{expected}")
    assert ("IUPAC" in error) == (GAPS in error)


def test_missing_label_field_raises(tmp_path):
    path = write(tmp_path / "a.fa", ">a kind=x\nAC\n>b|x\nAC\n")
    assert error_of(path, label_field="kind").startswith(f"{path}:3: no field 'kind' in the header of 'b|x'; write")
    assert error_of(path, label_field="3").startswith(f"{path}:1: no field '3' in the header of 'a'")


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.csv", "sequence,label\nACGT,EEI\n", ":2: 3 labels for the 4 bases; give one per base: 'EEIIN', or 'exon"),
        ("a.csv", "sequence,label\nACGT,exon intron\n", ":2: 2 labels for the 4 bases"),
        (
            "a.jsonl",
            '{"seq": "AC", "label": ["a b", "c"]}\n',
            ":1: the label 'a b' is not a word; write it without spaces",
        ),
        ("a.jsonl", '{"seq": "AC", "label": ["a", ""]}\n', ":1: the label '' is not a word"),
        ("a.fa", ">x|EE\nAC\n>y|EE\nACG\n", ":3: 2 labels for the 3 bases of y"),
    ],
)
def test_wrong_number_of_labels_raises(tmp_path, name, content, expected):
    path = write(tmp_path / name, content)
    assert error_of(path, task="tag").startswith(f"{path}{expected}")


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
        ("1\t0\t3\tx", "no chromosome '1' in {}; did you mean 'chr1'?"),
        ("chrr2\t0\t3\tx", "no chromosome 'chrr2' in {}; did you mean 'chr2'?"),
        ("scaffold\t0\t3\tx", "no chromosome 'scaffold' in {}; known are: chr1, chr2"),
        ("chr1\t3\t3\tx", "start 3 is not before end 3; BED is half-open, from 0"),
        ("chr1\t3\t4", "3 columns, expected 4; give chromosome, start, end, name, tabs between"),
        ("chr3\t1\t3\tx", "'*' at position 2 of chr3:1-3 is not an IUPAC code; write bases"),
    ],
)
def test_invalid_intervals_raise(tmp_path, line, expected):
    genome = write(tmp_path / "g.fa", GENOME + (">chr3\nAC*\n" if "chr3" in line else ""))
    bed = write(tmp_path / "a.bed", f"chr1\t0\t3\tx\n{line}\n")
    assert error_of(bed, genome=genome).startswith(f"{bed}:2: {expected.format(genome)}")


def test_invalid_genomes_raise(tmp_path):
    bed = write(tmp_path / "a.bed", "chr1\t0\t3\tx\n")
    for name, content, expected in (
        ("g.fa.gz", GENOME, "not a genome for intervals; give a FASTA file that is not compressed"),
        ("g.txt", GENOME, "not a genome for intervals"),
        ("e.fa", "", "the file is empty"),
        ("l.fa", ">chr1\nACG\nA\nACG\n", "cannot be indexed (Line length of fasta file is not consistent!"),
        ("d.fa", ">chr1\nACG\n>chr1\nACG\n", "cannot be indexed ("),
    ):
        genome = write(tmp_path / name, content)
        assert error_of(bed, genome=genome).startswith(f"{genome}: {expected}")
    assert error_of(bed, genome=tmp_path / "no.fa") == f"{tmp_path}/no.fa: no such file; check the path"


@pytest.mark.parametrize(
    "content", [gzip.compress(b">a x\nACGT\n" * 99, mtime=0)[:30], b">a x\nACGT\n"], ids=["cut", "no"]
)
@pytest.mark.parametrize("name", ["a.fa.gz", "a.fq.gz", "a.csv.gz", "a.bed.gz", "folder/x.fa.gz"])
def test_invalid_gzip_raises(tmp_path, name, content):
    genome = write(tmp_path / "g.fa", GENOME)
    path = write(tmp_path / name, b"")
    path.write_bytes(content)
    error = error_of(path.parent if "/" in name else path, genome=genome)
    assert error.startswith(f"{path}: cannot be read (") and error.endswith("complete and readable")


def test_missing_sources_raise(tmp_path):
    assert error_of(tmp_path / "no.fa") == f"{tmp_path}/no.fa: no such file or folder; check the path"
    assert error_of(tmp_path).startswith(
        f"{tmp_path}: no FASTA files in this folder; give one file for each class, or a folder"
    )
    assert set(SUFFIXES) > {".fa", ".bed", ".csv", ".jsonl"}


@pytest.mark.parametrize(("name", "package"), [("a.fa", "dnaio"), ("a.bed", "pyfaidx")])
def test_missing_package_raises(tmp_path, monkeypatch, name, package):
    genome = write(tmp_path / "g.fa", GENOME)
    monkeypatch.setitem(sys.modules, package, None)
    path = write(tmp_path / name, CONTENT.get(name, "chr1\t0\t3\tx\n"))
    assert error_of(path, genome=genome) == f"DNA files need {package}; pip install 'seqtasks[dna]'"


def test_columns_by_name_and_number(tmp_path):
    path = write(tmp_path / "a.csv", "sequence,read,label,kind\nAC,GG,x,y\n")
    assert pairs(path, columns=Columns("read", "kind")) == [("GG", "y")]
    assert pairs(path, columns=Columns(label="kind")) == [("AC", "y")]
    assert pairs(path, columns=Columns("2", "3", True)) == [("GG", "x")]


def test_imports_need_no_tensorflow(tmp_path):
    path = write(tmp_path / "a.fa", CONTENT["a.fa"])
    modules = "baselines, bed, encoding, files, genome, mutagenesis, scan"
    code = f"import sys; from seqtasks.dna import {modules}; list(files.open_dna({str(path)!r})); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "dnaio" in loaded and not {"tensorflow", "keras", "pyfaidx"} & set(loaded)


def test_real_promoters_and_splice_sites(data_folder):
    promoters = open_dna(data_folder / "dna" / "promoters")
    counts = {}
    for example in promoters:
        counts[example.target] = counts.get(example.target, 0) + 1
    stems = {p.stem: len(re.findall("^>", p.read_text(), re.M)) for p in (data_folder / "dna/promoters").glob("*.fa")}
    assert counts == stems and counts["Ecoli_prom"] == 839
    splice = list(open_dna(data_folder / "dna" / "splice" / "train.csv"))
    assert len(splice) == 2535 and {e.target for e in splice} == {"EI", "IE", "N"}
    assert {len(e.input) for e in splice} == {60}
