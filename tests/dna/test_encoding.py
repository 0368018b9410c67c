"""Encodings of bases against plain Python, letter by letter."""

import time

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from seqtasks.dna import encoding
from seqtasks.dna.alphabets import DNA, PROTEIN, RNA, alphabet_of
from seqtasks.errors import UserError
from seqtasks.layers import ReverseComplementBatch

CODES = {  # the IUPAC table
    **{"A": "A", "C": "C", "G": "G", "T": "T", "U": "T", "R": "AG", "Y": "CT", "S": "GC", "W": "AT", "K": "GT"},
    **{"M": "AC", "B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG", "N": "ACGT"},
}
sequences = st.lists(st.text("ACGTURYSWKMBDHVNacgturyswkmbdhvn", max_size=12), max_size=5)
anything = st.lists(st.text(st.one_of(st.sampled_from("ACGTNacgtr"), st.characters(codec="utf-8")), max_size=9))


def expected_shares(sequence):
    found = [CODES.get(chr(byte).upper() if byte < 128 else "", "") for byte in sequence.encode()]
    return [[(base in codes) / max(len(codes), 1) for base in "ACGT"] for codes in found]


def expected_kmers(sequence, k):
    plain, found = sequence.upper().replace("U", "T"), []
    for i in range(len(plain)):
        kmer = plain[i : i + k]
        known = len(kmer) == k and all(letter in "ACGT" for letter in kmer)
        found.append(2 + int("".join(str("ACGT".index(letter)) for letter in kmer), 4) if known else 1)
    return found


def strings(values):
    return tf.constant(values, tf.string, shape=[len(values)])


@given(anything)
def test_one_hot_matches_python(values):
    rows = encoding.one_hot(strings(values)).to_list()
    for row, value in zip(rows, values, strict=True):
        np.testing.assert_allclose(np.reshape(row, (-1, 4)), np.reshape(expected_shares(value), (-1, 4)))


@given(sequences, st.integers(1, 5))
def test_kmers_match_python(values, k):
    found = encoding.kmers(strings(values), k).to_list()
    assert found == [expected_kmers(value, k) for value in values]
    assert all(1 <= number < encoding.kmer_count(k) for row in found for number in row)


@pytest.mark.parametrize("k", [0, 15])
def test_invalid_k_raises(k):
    with pytest.raises(ValueError, match=f"from 1 to 14; received: k={k}"):
        encoding.kmers(["A"], k)


def test_kmer_ids_are_unique_and_contiguous():
    every = ["".join("ACGT"[(n >> 2 * i) & 3] for i in (2, 1, 0)) for n in range(64)]
    assert encoding.kmers(every, 3)[:, :1].flat_values.numpy().tolist() == list(range(2, encoding.kmer_count(3)))
    assert encoding.kmers(["T" * 14], 14).to_list()[0][0] == encoding.kmer_count(14) - 1


@given(anything)
def test_wrong_letter_matches_the_table(values):
    for value in values:
        wrong = [(letter, i) for i, letter in enumerate(value, 1) if letter not in {*CODES, *"".join(CODES).lower()}]
        assert DNA.wrong_letter(value) == (wrong[0] if wrong else None)


@given(sequences)
def test_reverse_complement_matches_a_table_and_the_layer(values):
    pairs = dict(zip("ACGTRYSWKMBDHVN", "TGCAYRSWMKVHDBN", strict=True))
    pairs |= {letter.lower(): other.lower() for letter, other in pairs.items()} | {"U": "A", "u": "a"}
    opposite = [DNA.reverse_complement(value) for value in values]
    assert opposite == ["".join(pairs[letter] for letter in value[::-1]) for value in values]
    plain = [value.replace("U", "T").replace("u", "t") for value in values]
    assert [DNA.reverse_complement(value) for value in opposite] == plain
    rows = encoding.one_hot(strings(values))
    padded = rows.to_tensor(shape=[None, 16, 4])
    reversed_rows = ReverseComplementBatch()(padded)[len(values) :]
    np.testing.assert_allclose(reversed_rows, encoding.one_hot(strings(opposite)).to_tensor(shape=[None, 16, 4]))


def test_graph_accepts_any_batch_with_static_shapes():
    signature = [tf.TensorSpec([None], tf.string)]
    graph = tf.function(lambda s: (encoding.one_hot(s), encoding.kmers(s, 2)), input_signature=signature)
    letters, kmers = graph(strings([]))
    assert letters.shape.as_list() == [0, None, 4] and kmers.shape.as_list() == [0, None]
    letters, kmers = graph(strings(["", "AC", "é"]))
    assert (letters.dtype, kmers.dtype, kmers.row_splits.dtype) == (tf.float32, tf.int32, tf.int64)
    assert letters.row_lengths().numpy().tolist() == [0, 2, 2] and kmers.to_list() == [[], [3, 1], [1, 1]]


@pytest.mark.parametrize("shape", [(1, 1_000_000), (10_000, 100)], ids=["one", "many"])
def test_a_million_bases_are_encoded_in_seconds(rng, shape):
    letters = rng.choice(np.frombuffer(b"ACGT", np.uint8), shape)
    values = tf.constant([row.tobytes() for row in letters])
    for encode in (encoding.one_hot, lambda s: encoding.kmers(s, 6)):
        encode(values)
        start = time.perf_counter()
        encode(values)
        assert time.perf_counter() - start < 2  # measured: 3 to 22 ms
    found = encoding.one_hot(values).flat_values.numpy().argmax(1)
    assert (found == np.searchsorted(list(b"ACGT"), letters.ravel())).all()


@given(sequences)
def test_rna_and_dna_have_one_encoding_and_one_key_means_one_encoding_of_a_strand(values):
    np.testing.assert_array_equal(
        encoding.one_hot(strings(values), RNA).flat_values, encoding.one_hot(strings(values)).flat_values
    )
    for value in values:
        twins = [value, value.lower(), value.upper().replace("T", "U"), DNA.reverse_complement(value)]
        assert len({DNA.key(twin) for twin in twins}) == 1
        assert DNA.key(value) in (DNA.as_read(value), DNA.as_read(DNA.reverse_complement(value)))
        assert RNA.key(value) == value.upper().replace("T", "U")
        assert RNA.reverse_complement(value.upper()) == DNA.reverse_complement(value.upper()).replace("T", "U")


def test_proteins_have_a_column_for_each_amino_acid():
    amino = "ACDEFGHIKLMNPQRSTVWY*"
    found = encoding.one_hot([amino.lower(), "BX", "UO"], PROTEIN).to_list()
    np.testing.assert_array_equal(found[0], np.eye(21))
    assert [amino[i] for i in np.flatnonzero(found[1][0])] == ["D", "N"] and max(found[1][0]) == 0.5
    np.testing.assert_allclose(found[1][1], [0.05] * 20 + [0])
    assert [amino[row.index(1)] for row in found[2]] == ["C", "K"]
    assert encoding.kmers(["ac*"], 2, PROTEIN).to_list() == [[2 + 0 * 21 + 1, 2 + 1 * 21 + 20, 1]]
    assert encoding.kmer_count(3, PROTEIN) == 21**3 + 2
    with pytest.raises(ValueError, match="from 1 to 6; received: k=7"):
        encoding.kmers(["A"], 7, PROTEIN)


def test_any_letters_are_an_alphabet_and_case_counts_if_both_cases_are_in_it():
    hp, brackets, cased = (alphabet_of(name) for name in ("HP", "(.)", "aAb"))
    assert encoding.one_hot(["hPx"], hp).to_list() == [[[1, 0], [0, 1], [0, 0]]]
    assert encoding.one_hot([".("], brackets).to_list() == [[[0, 1, 0], [1, 0, 0]]]
    assert cased.as_read("aAb") == "aAb" and cased.wrong_letter("aB") == ("B", 2)
    assert str(hp.fault("HPX", "a.csv:2")).startswith("a.csv:2: 'X' at position 3 is not one of the letters HP")
    for name in ("", "A", "AA", "A C", "Äö"):
        with pytest.raises(UserError, match="--alphabet: .* is not an alphabet; give dna, rna, protein, or two or"):
            alphabet_of(name)
    with pytest.raises(UserError, match="the alphabet protein has no complement"):
        PROTEIN.reverse_complement("MK")
