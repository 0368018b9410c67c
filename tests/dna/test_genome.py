"""Windows of genomes against slices of the whole sequence, BED files, and constant memory."""

import gzip
import io
import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seqtasks.data import fasta
from seqtasks.dna import genome
from seqtasks.dna.bed import Annotation, Hit, merge, read_bed, write_bed
from seqtasks.dna.genome import total_bases, windows
from seqtasks.errors import UserError
from tests.dna.genomes import write_two_bit

shared = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def write(path, content):
    data = content if isinstance(content, bytes) else content.encode("utf-8")
    path.write_bytes(gzip.compress(data) if path.name.endswith(".gz") else data)
    return path


def as_fasta(sequences, width, end="\n"):
    lines = []
    for name, sequence in sequences.items():
        lines += [f">{name} some words"] + [sequence[i : i + width] for i in range(0, len(sequence), width)]
    return end.join(lines) + end


def expected(sequence, window, stride):
    """All windows that fit into a sequence, and one more at its end; or one shorter window."""
    starts = list(range(0, len(sequence) - window + 1, stride)) or [0]
    if starts[-1] + window < len(sequence):
        starts.append(len(sequence) - window)
    return [(start, sequence[start : start + window]) for start in starts]


def collect(path, window, stride, batch):
    found = {}
    for name, starts, sequences in windows(path, window, stride, batch):
        assert starts.dtype == np.int64 and 1 <= len(starts) == len(sequences) <= batch
        found.setdefault(name, []).extend(zip(starts.tolist(), sequences, strict=True))
    return found


@shared
@given(
    st.lists(st.text("ACGTRNacgtn", min_size=1, max_size=60), min_size=1, max_size=3),
    st.tuples(st.integers(1, 20), st.integers(1, 25), st.integers(1, 9)),
    st.tuples(st.integers(1, 70), st.integers(1, 40)),
    st.sampled_from([("a.fa", "\n"), ("a.fa", "\r\n"), ("a.fa.gz", "\n"), ("a.fa", "\n\n")]),
)
def test_windows_are_slices_of_the_whole_sequence(tmp_path, monkeypatch, sequences, shape, widths, form):
    (width, chunk), (name, end) = widths, form
    monkeypatch.setattr(fasta, "BLOCK", chunk)  # lines longer and shorter than what is read at once
    chromosomes = {f"chr{i}": sequence for i, sequence in enumerate(sequences)}
    path = write(tmp_path / name, as_fasta(chromosomes, width, end))
    found = collect(path, *shape)
    assert list(found) == list(chromosomes)
    assert found == {name: expected(sequence, *shape[:2]) for name, sequence in chromosomes.items()}


def test_unusual_headers_and_blank_lines(tmp_path, monkeypatch):
    monkeypatch.setattr(fasta, "BLOCK", 8)
    path = write(tmp_path / "a.fa", b"\xef\xbb\xbf\n>chr1 " + b"ACGT>" * 20 + b"\n\nAC\nGT \n\n>\nTT\n>chr1\nGG")
    found = [(name, starts.tolist(), sequences) for name, starts, sequences in windows(path, 9, 1, 1)]
    assert found == [("chr1", [0], ["ACGT"]), ("record 2", [0], ["TT"]), ("chr1", [0], ["GG"])]


def test_single_batch(tmp_path):
    path = write(tmp_path / "a.fa", ">a\n" + "ACGT" * 1000)
    name, starts, sequences = next(windows(path, 4, 4, 3))
    assert (name, starts.tolist(), sequences) == ("a", [0, 4, 8], ["ACGT"] * 3)


def test_an_empty_record_is_skipped_with_a_warning(tmp_path):
    path = write(tmp_path / "a.fa", ">a\nACGT\n>b\n\n>c\nGG\n>d\n")
    with pytest.warns(UserWarning) as caught:
        assert collect(path, 4, 4, 8) == {"a": [(0, "ACGT")], "c": [(0, "GG")]}
    assert [str(w.message) for w in caught] == [f"{path}: {n} has no bases, and is skipped" for n in "bd"]


def test_windows_of_a_2bit_file(tmp_path, monkeypatch):
    monkeypatch.setattr(genome, "CHUNK", 7)
    path = write_two_bit(tmp_path / "g.2bit", {"chr1": "ACGTNNACGTACGTT", "chr2": "TTG"})
    assert collect(path, 6, 3, 4) == {"chr1": expected("ACGTNNACGTACGTT", 6, 3), "chr2": [(0, "TTG")]}
    assert total_bases(path) == 18
    (tmp_path / "w.2bit").write_bytes(b"no genome")
    with pytest.raises(UserError, match="w.2bit: not a 2bit file; check that the file is complete"):
        collect(tmp_path / "w.2bit", 6, 3, 4)


ERRORS = [
    ("", ": the file is empty; give a file that holds records"),
    ("\n\n", ": no sequence in the file; begin each sequence with a line '>name'"),
    ("ACGT\n", ":1: not a FASTA file; begin each sequence with a line '>name'"),
    (">a\n>b\n\n", ": no sequence in the file"),
    (">a\nACGT\n>b\nACGT\nAC-T\n", ": '-' at position 7 of b is not an IUPAC code; write bases as A, C, G, T, U or as"),
    (">a\nAC GT\nA\xe9", ": 'é' at position 6 of a is not an IUPAC code"),
]


@pytest.mark.parametrize(("content", "message"), ERRORS)
@pytest.mark.parametrize("chunk", [3, 1 << 20])
def test_invalid_genomes_raise(tmp_path, monkeypatch, content, message, chunk):
    monkeypatch.setattr(fasta, "BLOCK", chunk)
    path = write(tmp_path / "a.fa", content)
    with pytest.raises(UserError) as error:
        list(windows(path, 3, 1, 8))
    assert str(error.value).startswith(f"{path}{message}")


@pytest.mark.parametrize("content", [gzip.compress(b">a\n" + bytes(range(65, 90)) * 99, mtime=0)[:40], b">a\nACGT"])
def test_invalid_gzip_raises(tmp_path, content):
    path = tmp_path / "a.fa.gz"
    path.write_bytes(content)
    for read in (lambda: list(windows(path, 3, 1, 8)), lambda: total_bases(path)):
        with pytest.raises(UserError, match="a.fa.gz: cannot be read .*; check that the file is complete"):
            read()


def test_missing_files_and_invalid_windows_raise(tmp_path):
    with pytest.raises(UserError, match="no.fa: no such file; check the path"):
        list(windows(tmp_path / "no.fa", 3, 1, 8))
    with pytest.raises(UserError, match="no.fa: no such file; check the path"):
        total_bases(tmp_path / "no.fa")
    with pytest.raises(UserError, match="window 3, stride 0, batch 8; give numbers of at least 1"):
        list(windows(write(tmp_path / "a.fa", ">a\nA"), 3, 0, 8))


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_total_bases_is_exact_for_small_files_and_close_for_large_ones(tmp_path, rng, ending):
    small = write(tmp_path / f"small.fa{ending}", as_fasta({"a": "ACGTA" * 30, "b": "AC"}, 60))
    assert total_bases(small) == 152
    large = "".join(rng.choice(list("ACGT"), 3_000_000))
    assert total_bases(write(tmp_path / f"large.fa{ending}", as_fasta({"a": large}, 60))) == pytest.approx(
        3e6, rel=0.05
    )


def peak(path):
    tracemalloc.start()
    count = sum(len(sequences) for _, _, sequences in windows(path, 200, 1000, 64))
    found = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return count, found


@pytest.mark.parametrize("width", [60, 0], ids=["lines", "one-line"])
def test_memory_does_not_grow_with_the_genome(tmp_path, rng, width):
    block = bytes(rng.choice(np.frombuffer(b"ACGT", np.uint8), 60 * 5000))
    block = b"".join(block[i : i + 60] + b"\n" for i in range(0, len(block), 60)) if width else block
    peaks = []
    for times in (10, 50):  # 3 and 15 million bases
        with (tmp_path / "a.fa").open("wb") as file:
            file.write(b">a\n")
            for _ in range(times):
                file.write(block)
        count, found = peak(tmp_path / "a.fa")
        assert count == times * 300 + 1  # one more at the end
        peaks.append(found)
    assert peaks[1] < 1.3 * peaks[0] and peaks[1] < 12e6


BED = """track name=x
# note
browser position chr1
track1\t5\t9\tpromoter\t0\t-
chr2 0 3 other

chr1\t1\t2\tx y\t.\t+\trest\r
"""


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_read_bed(tmp_path, ending):
    path = write(tmp_path / f"a.bed{ending}", BED)
    assert [interval[:6] for interval in read_bed(path)] == [
        ("track1", 5, 9, "promoter", "-", 4),
        ("chr2", 0, 3, "other", ".", 5),
        ("chr1", 1, 2, "x y", "+", 7),
    ]
    path = write(tmp_path / "b.bed", "chrom\tchromStart\tchromEnd\n1\t0\t3\n1\t0\t4\t.\n")
    assert [interval[:6] for interval in read_bed(path)] == [("1", 0, 3, "", ".", 2), ("1", 0, 4, "", ".", 3)]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("chr1\t5", "2 columns, expected 3 or more; give chromosome, start and end, tabs between"),
        ("chr1\tx\t9\ta", "'x' is not a position; columns 2 and 3 are whole numbers from 0"),
        ("chr1\t5\t-9\ta", "'-9' is not a position"),
        ("chr1\t5\t5\ta", "start 5 is not before end 5; BED is half-open, from 0"),
        ("chr1\t5\t9\ta\t0\t*", "unknown strand '*'; column 6 is +, - or ."),
    ],
)
def test_an_invalid_line_of_bed_is_its_error(tmp_path, line, message):
    path = write(tmp_path / "a.bed", f"chr1\t0\t2\tb\n{line}\nchr1\t1\t2\tb\n")
    first, error, last = read_bed(path)
    assert (first.line, last.line) == (1, 3) and isinstance(error, UserError)
    assert str(error).startswith(f"{path}:2: {message}")
    with pytest.raises(UserError, match=f"{path}:2: "):
        Annotation(path)


@shared
@given(st.lists(st.integers(0, 40), unique=True, max_size=10), st.integers(0, 39), st.integers(1, 40), st.randoms())
def test_annotation_labels_each_base(tmp_path, cuts, start, size, random):
    cuts.sort()
    stretches = [(a, b, f"t{i}") for i, (a, b) in enumerate(itertools.pairwise(cuts)) if i % 3]
    labels = ["none"] * 40
    for a, b, label in stretches:
        labels[a:b] = [label] * (b - a)
    random.shuffle(stretches)
    path = write(tmp_path / "a.bed", "#\n" + "".join(f"c\t{a}\t{b}\t{label}\n" for a, b, label in stretches))
    end = min(start + size, 40)
    assert Annotation(path, "none").labels("c", start, end, 40) == labels[start:end]


def test_invalid_annotations_raise(tmp_path):
    def annotation(content):
        return Annotation(write(tmp_path / "a.bed", content))

    with pytest.raises(UserError, match=r"a.bed:3: 7-9 overlaps 3-8 of line 1; a base has one label"):
        annotation("c\t3\t8\tx\nd\t7\t9\tx\nc\t7\t9\tx\n")
    with pytest.raises(UserError, match=r"a.bed:1: the label 'x y' contains a space; write it as one word"):
        annotation("c\t3\t8\tx y\n")
    with pytest.raises(UserError, match=r"a.bed:1: the name is missing; column 4 is the label"):
        annotation("c\t3\t8\n")
    with pytest.raises(UserError, match=r"a.bed:1: 3-8 ends outside c, which has 7 bases; check that it annotates"):
        annotation("c\t3\t8\tx\nc\t0\t2\ty\n").labels("c", 0, 7, 7)
    unused = annotation("1\t3\t8\tx\n")
    assert unused.labels("chr1", 0, 2, 9) == ["other", "other"]
    with pytest.raises(UserError, match=r"a.bed: no interval on any record of g.fa, e.g. 'chr1'; did you mean '1'\?"):
        unused.check_used("g.fa")


def joined(hits, threshold):
    """Naive merge: joins hits of one label until none of them overlap or touch."""
    found = [list(hit) for hit in hits if hit.probability >= threshold]
    for i, a in enumerate(found):
        for j, b in enumerate(found):
            if i != j and a and b and a[0] == b[0] and a[3] == b[3] and a[1] <= b[2] and b[1] <= a[2]:
                found[j] = [a[0], min(a[1], b[1]), max(a[2], b[2]), a[3], max(a[4], b[4])]
                found[i] = None
                return joined([Hit(*hit) for hit in found if hit], threshold)
    return found


@given(
    st.lists(
        st.tuples(st.sampled_from("12"), st.integers(0, 30), st.integers(1, 6), st.sampled_from("ab"), st.floats(0, 1)),
        max_size=15,
    )
)
def test_merge_matches_a_naive_implementation_and_keeps_the_order(rows):
    hits = sorted(Hit(c, start, start + size, label, p) for c, start, size, label, p in rows)
    found = list(merge(hits, 0.3))
    assert sorted(map(list, found)) == sorted(joined(hits, 0.3))
    assert [hit[:2] for hit in found] == sorted(hit[:2] for hit in found)


def test_merge_is_lazy():
    taken = []

    def hits():
        for i in range(1000):
            taken.append(i)
            yield Hit("1", 100 * i, 100 * i + 50, "x", 0.9)

    merged = merge(hits())
    next(merged)
    assert taken == [0, 1]


def test_write_bed(tmp_path):
    file = io.StringIO()
    write_bed(file, [Hit("chr2", 0, 50, "promoter", 0.98765432), Hit("chr10", 7, 9, "a\tb", 1.0)])
    assert file.getvalue() == "chr2\t0\t50\tpromoter\t988\t.\t0.987654\nchr10\t7\t9\ta b\t1000\t.\t1\n"
    found = [tuple(interval)[:5] for interval in read_bed(write(tmp_path / "a.bed", file.getvalue()))]
    assert found == [("chr2", 0, 50, "promoter", "."), ("chr10", 7, 9, "a b", ".")]
