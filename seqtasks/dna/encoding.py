"""Bases of DNA: the IUPAC alphabet, and encoding of sequences as tensors in the graph.

A letter stands for one base or for several equally probable ones: R is A or G. Lower case equals upper case, and U
equals T.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import tensorflow as tf

BASES = "ACGT"
IUPAC = {
    **{"A": "A", "C": "C", "G": "G", "T": "T", "U": "T"},
    **{"R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC"},
    **{"B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG", "N": "ACGT"},
}
LETTERS = "".join(IUPAC) + "".join(IUPAC).lower()
REMEDY = "write bases as A, C, G, T, U or as IUPAC codes R Y S W K M B D H V N, and remove gaps (- and .)"
UNKNOWN = 1  # id of k-mers that are ambiguous or cut off; 0 is padding

_CODES = {"".join(sorted(bases)): code for code, bases in IUPAC.items() if code != "U"}
_PAIRS = str.maketrans("ACGT", "TGCA")
_COMPLEMENTS = {code: _CODES["".join(sorted(bases.translate(_PAIRS)))] for code, bases in IUPAC.items()}
_COMPLEMENT = str.maketrans(_COMPLEMENTS | {code.lower(): other.lower() for code, other in _COMPLEMENTS.items()})
_WRONG = re.compile(f"[^{LETTERS}]")

_SHARES = np.zeros((256, 4), "float32")  # byte -> share of each base
for _letter in LETTERS:
    _SHARES[ord(_letter), [BASES.index(base) for base in IUPAC[_letter.upper()]]] = 1 / len(IUPAC[_letter.upper()])
_BASE_IDS = np.where(_SHARES.max(1) == 1, _SHARES.argmax(1), -1).astype("int32")  # byte -> 0 to 3, or -1


def wrong_letter(sequence: str) -> tuple[str, int] | None:
    """The first letter that is not an IUPAC code, and its position from 1; None if there is none.

    Example:
        >>> wrong_letter("ACGn"), wrong_letter("AC-T")
        (None, ('-', 3))
    """
    if not sequence.encode("ascii", "replace").translate(None, LETTERS.encode()):  # ten times faster than a search
        return None
    found = _WRONG.search(sequence)
    return (found[0], found.start() + 1) if found else None


def reverse_complement(sequence: str) -> str:
    """The opposite strand of a sequence, in its own reading direction. Case is kept; U becomes A.

    Example:
        >>> reverse_complement("AACGr")
        'yCGTT'
    """
    return sequence.translate(_COMPLEMENT)[::-1]


def one_hot(sequences: "tf.Tensor | Sequence[str]") -> "tf.RaggedTensor":
    """One-hot bases: the share of A, C, G and T in each letter, 1 for A, 0.5 each for R, 0.25 each for N.

    Args:
        sequences: string tensor (batch,). A byte that is not an IUPAC code gives zeros.

    Returns:
        A ragged float32 tensor (batch, None, 4).

    Example:
        >>> one_hot(["Ac", "r"]).to_list()
        [[[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]], [[0.5, 0.0, 0.5, 0.0]]]
    """
    import tensorflow as tf

    letters = _bytes(sequences)
    return letters.with_flat_values(tf.gather(tf.constant(_SHARES), letters.flat_values))


def kmer_count(k: int) -> int:
    """Number of ids of `kmers`, including padding and unknown: the rows of an embedding.

    Example:
        >>> kmer_count(3)
        66
    """
    return 4**k + 2


def kmers(sequences: "tf.Tensor | Sequence[str]", k: int) -> "tf.RaggedTensor":
    """The id of the k-mer that starts at each base.

    0 is padding; 1 is a k-mer with an ambiguous letter, or one that the end of the sequence cuts off (the last k - 1);
    2 to 4^k + 1 are AA...A to TT...T in the order of A, C, G, T. Every base has one, so labels per base line up.

    Args:
        sequences: string tensor (batch,).
        k: bases of a k-mer, from 1 to 14.

    Returns:
        A ragged int32 tensor (batch, None).

    Raises:
        ValueError: if `k` is out of range.

    Example:
        >>> kmers(["AAAC", "TnTT", "T"], 2).to_list()
        [[2, 2, 3, 1], [1, 1, 17, 1], [1]]
    """
    import tensorflow as tf

    if not 1 <= k <= 14:
        raise ValueError(f"k must be from 1 to 14; received: k={k}.")
    letters = _bytes(sequences)
    bases = tf.gather(tf.constant(_BASE_IDS), letters.flat_values)  # (all bases,)
    size = tf.size(bases, tf.int64)
    ends = tf.repeat(letters.row_splits[1:], letters.row_lengths())  # of the sequence that a base is of
    left = ends - tf.range(size)  # bases from this one to the end, itself included
    ids, known = tf.zeros_like(bases), left >= k
    padded = tf.pad(bases, [[0, k - 1]])
    for offset in range(k):
        base = padded[offset : size + offset]
        ids, known = 4 * ids + base, known & (base >= 0)
    return letters.with_flat_values(tf.where(known, ids + 2, UNKNOWN))


def valid(sequences: "tf.Tensor | Sequence[str]") -> "tf.Tensor":
    """Whether sequences are not empty and contain IUPAC codes only.

    Args:
        sequences: string tensor (batch,).

    Returns:
        A boolean tensor (batch,).

    Example:
        >>> valid(["ACGTn", "AC-T", ""]).numpy().tolist()
        [True, False, False]
    """
    import tensorflow as tf

    return tf.strings.regex_full_match(sequences, f"[{LETTERS}]+")


def _bytes(sequences: "tf.Tensor | Sequence[str]") -> "tf.RaggedTensor":
    """The bytes of strings as a ragged int32 tensor (batch, None); all strings are decoded as one."""
    import tensorflow as tf

    sequences = tf.convert_to_tensor(sequences, tf.string)
    letters = tf.cast(tf.io.decode_raw(tf.strings.reduce_join(sequences), tf.uint8), tf.int32)
    return tf.RaggedTensor.from_row_lengths(letters, tf.cast(tf.strings.length(sequences), tf.int64))
