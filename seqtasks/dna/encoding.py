"""Bases of DNA: the IUPAC alphabet, and sequences to tensors inside the graph.

A letter stands for one base or for several that are equally likely: R is A or G. Lower case is upper case, U is T.
"""

import re

import numpy as np

BASES = "ACGT"
IUPAC = {
    **{"A": "A", "C": "C", "G": "G", "T": "T", "U": "T"},
    **{"R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC"},
    **{"B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG", "N": "ACGT"},
}
LETTERS = "".join(IUPAC) + "".join(IUPAC).lower()
REMEDY = "write bases as A, C, G, T, U or as IUPAC codes R Y S W K M B D H V N, and take out gaps (- and .)"
UNKNOWN = 1  # number of the k-mers that are none; 0 is padding

_CODES = {"".join(sorted(bases)): code for code, bases in IUPAC.items() if code != "U"}
_PAIRS = str.maketrans("ACGT", "TGCA")
_OPPOSITE = {code: _CODES["".join(sorted(bases.translate(_PAIRS)))] for code, bases in IUPAC.items()}
_COMPLEMENT = str.maketrans(_OPPOSITE | {code.lower(): other.lower() for code, other in _OPPOSITE.items()})
_WRONG = re.compile(f"[^{LETTERS}]")

_SHARES = np.zeros((256, 4), "float32")  # byte -> share of each base
for _letter in LETTERS:
    _SHARES[ord(_letter), [BASES.index(base) for base in IUPAC[_letter.upper()]]] = 1 / len(IUPAC[_letter.upper()])
_NUMBERS = np.where(_SHARES.max(1) == 1, _SHARES.argmax(1), -1).astype("int32")  # byte -> 0 to 3, or -1


def wrong_letter(sequence):
    """The first letter that is no IUPAC code, and its position from 1; None where all are.

    Example:
        >>> wrong_letter("ACGn"), wrong_letter("AC-T")
        (None, ('-', 3))
    """
    if not sequence.encode("ascii", "replace").translate(None, LETTERS.encode()):  # ten times faster than a search
        return None
    found = _WRONG.search(sequence)
    return found[0], found.start() + 1


def reverse_complement(sequence):
    """The opposite strand of a string, read in its own direction; case stays, U is complemented to A.

    Example:
        >>> reverse_complement("AACGr")
        'yCGTT'
    """
    return sequence.translate(_COMPLEMENT)[::-1]


def one_hot(sequences):
    """The share of A, C, G and T at each base: 1 for a plain letter, 0.5 each for R, 0.25 each for N.

    Args:
        sequences: string tensor (batch,). A byte that is no IUPAC code gives zeros.

    Returns:
        A ragged float32 tensor (batch, None, 4).

    Example:
        >>> one_hot(["Ac", "r"]).to_list()
        [[[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]], [[0.5, 0.0, 0.5, 0.0]]]
    """
    import tensorflow as tf

    letters = _bytes(sequences)
    return letters.with_flat_values(tf.gather(tf.constant(_SHARES), letters.flat_values))


def kmer_count(k):
    """How many numbers `kmers` has, padding and UNK included: the rows of an embedding.

    Example:
        >>> kmer_count(3)
        66
    """
    return 4**k + 2


def kmers(sequences, k):
    """The number of the k-mer that starts at each base.

    0 is padding, 1 a k-mer with an ambiguous letter or one cut off by the end of the sequence (the last k - 1), and
    AA...A to TT...T are 2 to 4^k + 1 in the order of A, C, G, T. Every base has one, so a label for each fits.

    Args:
        sequences: string tensor (batch,).
        k: from 1 to 14.

    Returns:
        A ragged int32 tensor (batch, None).

    Example:
        >>> kmers(["AAAC", "TnTT", "T"], 2).to_list()
        [[2, 2, 3, 1], [1, 1, 17, 1], [1]]
    """
    import tensorflow as tf

    if not 1 <= k <= 14:
        raise ValueError(f"k must be from 1 to 14; received: k={k}.")
    letters = _bytes(sequences)
    bases = tf.gather(tf.constant(_NUMBERS), letters.flat_values)  # (all bases,)
    size = tf.size(bases, tf.int64)
    ends = tf.repeat(letters.row_splits[1:], letters.row_lengths())  # of the sequence that a base is of
    left = ends - tf.range(size)  # bases from here on, itself included
    number, known = tf.zeros_like(bases), left >= k
    following = tf.pad(bases, [[0, k - 1]])
    for place in range(k):
        base = following[place : size + place]
        number, known = 4 * number + base, known & (base >= 0)
    return letters.with_flat_values(tf.where(known, number + 2, UNKNOWN))


def valid(sequences):
    """Whether sequences have a base, and none but IUPAC codes.

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


def _bytes(sequences):
    """The bytes of strings as a ragged int32 tensor (batch, None): one string of all of them is decoded at once."""
    import tensorflow as tf

    sequences = tf.convert_to_tensor(sequences, tf.string)
    letters = tf.cast(tf.io.decode_raw(tf.strings.reduce_join(sequences), tf.uint8), tf.int32)
    return tf.RaggedTensor.from_row_lengths(letters, tf.cast(tf.strings.length(sequences), tf.int64))
