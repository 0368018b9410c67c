"""Encoding of sequences as tensors, in the graph."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from seqtasks.dna.alphabets import DNA, Alphabet

if TYPE_CHECKING:
    import tensorflow as tf

UNKNOWN = 1  # id of k-mers that are ambiguous or cut off; 0 is padding
LARGEST = 2**28  # ids of k-mers


def one_hot(sequences: "tf.Tensor | Sequence[str]", alphabet: Alphabet = DNA) -> "tf.RaggedTensor":
    """One-hot letters: the share of A, C, G and T in each letter, 1 for A, 0.5 each for R, 0.25 each for N.

    Args:
        sequences: string tensor (batch,). A byte that is not of the alphabet gives zeros.
        alphabet: the alphabet.

    Returns:
        A ragged float32 tensor (batch, None, letters of the alphabet).

    Example:
        >>> one_hot(["Ac", "r"]).to_list()
        [[[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]], [[0.5, 0.0, 0.5, 0.0]]]
    """
    import tensorflow as tf

    letters = _bytes(sequences)
    return letters.with_flat_values(tf.gather(tf.constant(alphabet.shares), letters.flat_values))


def kmer_count(k: int, alphabet: Alphabet = DNA) -> int:
    """Number of ids of `kmers`, including padding and unknown: the rows of an embedding.

    Example:
        >>> kmer_count(3)
        66
    """
    return len(alphabet.letters) ** k + 2


def kmers(sequences: "tf.Tensor | Sequence[str]", k: int, alphabet: Alphabet = DNA) -> "tf.RaggedTensor":
    """The id of the k-mer that starts at each letter.

    0 is padding; 1 is a k-mer with an ambiguous letter, or one that the end of the sequence cuts off (the last k - 1);
    2 to 4^k + 1 are AA...A to TT...T in the order of A, C, G, T. Every letter has one, so labels per letter line up.

    Args:
        sequences: string tensor (batch,).
        k: letters of a k-mer; of DNA from 1 to 14.
        alphabet: the alphabet.

    Returns:
        A ragged int32 tensor (batch, None).

    Raises:
        ValueError: if `k` is out of range.

    Example:
        >>> kmers(["AAAC", "TnTT", "T"], 2).to_list()
        [[2, 2, 3, 1], [1, 1, 17, 1], [1]]
    """
    import tensorflow as tf

    size = len(alphabet.letters)
    if k < 1 or size**k > LARGEST:
        most = next(n for n in range(99) if size ** (n + 1) > LARGEST)
        raise ValueError(f"k must be from 1 to {most}; received: k={k}.")
    letters = _bytes(sequences)
    numbers = tf.gather(tf.constant(alphabet.ids), letters.flat_values)  # (all letters,)
    total = tf.size(numbers, tf.int64)
    ends = tf.repeat(letters.row_splits[1:], letters.row_lengths())  # of the sequence that a letter is of
    left = ends - tf.range(total)  # letters from this one to the end, itself included
    ids, known = tf.zeros_like(numbers), left >= k
    padded = tf.pad(numbers, [[0, k - 1]])
    for offset in range(k):
        number = padded[offset : total + offset]
        ids, known = size * ids + number, known & (number >= 0)
    return letters.with_flat_values(tf.where(known, ids + 2, UNKNOWN))


def _bytes(sequences: "tf.Tensor | Sequence[str]") -> "tf.RaggedTensor":
    """The bytes of strings as a ragged int32 tensor (batch, None); all strings are decoded as one."""
    import tensorflow as tf

    sequences = tf.convert_to_tensor(sequences, tf.string)
    letters = tf.cast(tf.io.decode_raw(tf.strings.reduce_join(sequences), tf.uint8), tf.int32)
    return tf.RaggedTensor.from_row_lengths(letters, tf.cast(tf.strings.length(sequences), tf.int64))
