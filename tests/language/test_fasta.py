"""Sequences as documents: the letters of each record in upper case, headers nowhere, long ones in pieces."""

import gzip
import tracemalloc

import pytest

from seqtasks.data import fasta
from seqtasks.data.reading import Reading
from seqtasks.data.splits import find_splits, open_data
from seqtasks.errors import UserError
from seqtasks.language.documents import PIECE
from seqtasks.language.files import Options, formats

CONTENT = ">chr1 the first > one\nACgt\nnnAC\r\n\n; a comment\n>empty\n>chr2|x\nTT\nG"
DOCUMENTS = ["ACGTNNAC", "TTG"]


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode()
    path.write_bytes(gzip.compress(data, mtime=0) if path.name.endswith(".gz") else data)
    return path


def opened(data, kind="file", **reading):
    return open_data(data, formats(Options(kind)), Reading(**reading))


@pytest.mark.parametrize("kind", ["file", "paragraph", "line"])
@pytest.mark.parametrize("name", ["a.fa", "a.fasta", "a.fna", "a.faa", "a.FA.gz"])
@pytest.mark.parametrize("block", [3, fasta.BLOCK])
def test_a_record_is_a_document(tmp_path, monkeypatch, kind, name, block):
    monkeypatch.setattr(fasta, "BLOCK", block)
    path = write(tmp_path / name, CONTENT)
    assert [e[:4] for e in opened(path, kind)] == [
        ("ACGTNNAC", "end", 1, ""),
        ("TTG", "end", 7, ""),
    ]
    assert [e[:2] for e in opened(path, kind, labelled=False)] == [(text, "") for text in DOCUMENTS]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_long_sequences_come_in_pieces(tmp_path, end):
    letters = "ACGTT" * 1234
    lines = [letters[i : i + 60] for i in range(0, len(letters), 60)]
    path = write(tmp_path / "a.fa", f">short{end}AC{end}>long of all{end}" + end.join(lines))
    first, *pieces = opened(path)
    assert (first.input, first.target, first.group) == ("AC", "end", "")
    assert "".join(e.input for e in pieces) == letters
    assert [e.target for e in pieces] == [""] * (len(pieces) - 1) + ["end"]
    assert all(PIECE <= len(e.input) < 2 * PIECE for e in pieces[:-1])
    assert {(e.group, e.place) for e in pieces} == {("long", 3)}
    assert [e.input for e in opened(path, labelled=False)] == ["AC", letters]


def test_chromosomes_that_begin_alike_are_split_by_name(tmp_path):
    chromosomes = "".join(f">chr{n}\n{'N' * 1500}\n{'ACGT' * 100 * n}\n" for n in range(1, 31))
    path = write(tmp_path / "genome.fa", chromosomes)
    with pytest.warns(UserWarning, match="no test and no validation split given"):
        splits = find_splits(path, formats(), Reading())
    names = {name: {e.group for e in source} for name, source in splits}
    assert all(names.values()) and sum(map(len, names.values())) == 30
    assert set().union(*names.values()) == {f"chr{n}" for n in range(1, 31)}


def test_folders_hold_sequences_beside_texts_and_splits(tmp_path):
    write(tmp_path / "all" / "a.fa.gz", CONTENT)
    write(tmp_path / "all" / "b" / "c.txt", ">no FASTA\nbut text\n")
    assert [e[:2] for e in opened(tmp_path / "all")] == [
        *((text, "end") for text in DOCUMENTS),
        (">no FASTA\nbut text\n", "end"),
    ]
    for name in ("train", "valid", "test"):
        write(tmp_path / "split" / f"{name}.fna", f">x\n{name}\n")
    splits = find_splits(tmp_path / "split", formats(), Reading())
    assert [[e.input for e in source] for _, source in splits] == [["TRAIN"], ["VALID"], ["TEST"]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("ACGT\n>a\nAC\n", ":1: not a FASTA file; begin each sequence with a line '>name'"),
        ("\n \n\nAC\nGT\n>a\nAC\n", ":4: not a FASTA file; begin each sequence with a line '>name'"),
        (">a\n>b\n", ": only white space; give a file with text"),
        ("\n\n", ": no sequence in the file; begin each sequence with a line '>name'"),
        ("", ": the file is empty; give a file with text"),
    ],
)
@pytest.mark.parametrize("block", [2, fasta.BLOCK])
def test_what_is_no_fasta_is_told_with_its_line(tmp_path, monkeypatch, content, message, block):
    monkeypatch.setattr(fasta, "BLOCK", block)
    path = write(tmp_path / "a.fa", content)
    with pytest.raises(UserError) as error:
        list(opened(path))
    assert str(error.value) == f"{path}{message}"


def test_memory_holds_a_block(tmp_path, monkeypatch):
    monkeypatch.setattr(fasta, "BLOCK", 2**16)
    path = write(tmp_path / "a.fa", ">chr1\n" + ("ACGTACGTAC" * 6 + "\n") * 100_000)
    tracemalloc.start()
    try:
        size = sum(len(e.input) for e in opened(path).read())
        assert size == 6_000_000 and tracemalloc.get_traced_memory()[1] < 2e6
    finally:
        tracemalloc.stop()
