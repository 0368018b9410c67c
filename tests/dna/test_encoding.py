"""Encodings of bases against plain Python, letter by letter."""

import time

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from seqtasks.dna import encoding
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
    every = ["".join(encoding.BASES[(n >> 2 * i) & 3] for i in (2, 1, 0)) for n in range(64)]
    assert encoding.kmers(every, 3)[:, :1].flat_values.numpy().tolist() == list(range(2, encoding.kmer_count(3)))
    assert encoding.kmers(["T" * 14], 14).to_list()[0][0] == encoding.kmer_count(14) - 1


@given(anything)
def test_valid_and_wrong_letter_match_the_table(values):
    found = encoding.valid(strings(values)).numpy().tolist()
    for value, is_valid in zip(values, found, strict=True):
        wrong = [(letter, i) for i, letter in enumerate(value, 1) if letter not in {*CODES, *"".join(CODES).lower()}]
        assert encoding.wrong_letter(value) == (wrong[0] if wrong else None)
        assert is_valid == (value != "" and not wrong)


@given(sequences)
def test_reverse_complement_matches_a_table_and_the_layer(values):
    pairs = dict(zip("ACGTRYSWKMBDHVN", "TGCAYRSWMKVHDBN", strict=True))
    pairs |= {letter.lower(): other.lower() for letter, other in pairs.items()} | {"U": "A", "u": "a"}
    opposite = [encoding.reverse_complement(value) for value in values]
    assert opposite == ["".join(pairs[letter] for letter in value[::-1]) for value in values]
    plain = [value.replace("U", "T").replace("u", "t") for value in values]
    assert [encoding.reverse_complement(value) for value in opposite] == plain
    rows = encoding.one_hot(strings(values))
    padded = rows.to_tensor(shape=[None, 16, 4])
    reversed_rows = ReverseComplementBatch()(padded)[len(values) :]
    np.testing.assert_allclose(reversed_rows, encoding.one_hot(strings(opposite)).to_tensor(shape=[None, 16, 4]))


def test_graph_accepts_any_batch_with_static_shapes():
    signature = [tf.TensorSpec([None], tf.string)]
    graph = tf.function(
        lambda s: (encoding.one_hot(s), encoding.kmers(s, 2), encoding.valid(s)), input_signature=signature
    )
    letters, kmers, valid = graph(strings([]))
    assert letters.shape.as_list() == [0, None, 4] and kmers.shape.as_list() == [0, None] and valid.shape == [0]
    letters, kmers, valid = graph(strings(["", "AC", "é"]))
    assert (letters.dtype, kmers.dtype, kmers.row_splits.dtype) == (tf.float32, tf.int32, tf.int64)
    assert letters.row_lengths().numpy().tolist() == [0, 2, 2] and kmers.to_list() == [[], [3, 1], [1, 1]]
    assert valid.numpy().tolist() == [False, True, False]


@pytest.mark.parametrize("shape", [(1, 1_000_000), (10_000, 100)], ids=["one", "many"])
def test_a_million_bases_are_encoded_in_seconds(rng, shape):
    letters = rng.choice(np.frombuffer(b"ACGT", np.uint8), shape)
    values = tf.constant([row.tobytes() for row in letters])
    for encode in (encoding.one_hot, lambda s: encoding.kmers(s, 6), encoding.valid):
        encode(values)
        start = time.perf_counter()
        encode(values)
        assert time.perf_counter() - start < 2  # measured: 3 to 22 ms
    found = encoding.one_hot(values).flat_values.numpy().argmax(1)
    assert (found == np.searchsorted(list(b"ACGT"), letters.ravel())).all()
