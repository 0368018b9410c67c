"""Alphabets: which letters a sequence may have, and which of them are equal or ambiguous.

A letter stands for one letter of the alphabet or for several equally probable ones: of bases, R is A or G.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from seqtasks.errors import UserError

IUPAC = {
    **{"A": "A", "C": "C", "G": "G", "T": "T", "U": "T"},
    **{"R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC"},
    **{"B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG", "N": "ACGT"},
}
AMINO_ACIDS = "ACDEFGHIKLMNPQRSTVWY"
NO_BASES = "EFIJLOPQXZ"  # letters of amino acids that are no codes of bases


@dataclass(frozen=True, eq=False)
class Alphabet:
    """An alphabet of one-byte letters.

    Args:
        name: as `--alphabet` gives it.
        letters: the letters; each is a column of the encoding.
        codes: what each letter of a sequence stands for, as a string of one or more of `letters`.
        kind: what messages call a letter, with its article.
        remedy: for a letter that is none.
        complement: the complements of `letters` in their order; empty if there are none.
        both_strands: whether a sequence and its reverse complement are one molecule.
        unknown: the letter that stands for all; empty if there is none.
        folds: whether lower case equals upper case.

    Example:
        >>> DNA.as_read("acgu"), DNA.reverse_complement("AACGr"), DNA.wrong_letter("AC-T")
        ('ACGT', 'yCGTT', ('-', 3))
    """

    name: str
    letters: str
    codes: Mapping[str, str]
    kind: str
    remedy: str
    complement: str = ""
    both_strands: bool = False
    unknown: str = ""
    folds: bool = True

    @functools.cached_property
    def accepted(self) -> str:
        """All letters that a sequence may have."""
        codes = "".join(self.codes)
        return codes + (codes.lower() if self.folds else "")

    @functools.cached_property
    def shares(self) -> np.ndarray:
        """The share of each letter of the alphabet in each byte: a float32 array (256, letters), zeros for no code."""
        shares = np.zeros((256, len(self.letters)), "float32")
        for written in self.accepted:
            stands = self.codes[self._upper(written)]
            shares[ord(written), [self.letters.index(letter) for letter in stands]] = 1 / len(stands)
        return shares

    @functools.cached_property
    def ids(self) -> np.ndarray:
        """The number of the letter of each byte, from 0: an int32 array (256,), -1 if it is ambiguous or no code."""
        return np.where(self.shares.max(1) == 1, self.shares.argmax(1), -1).astype("int32")

    def _upper(self, letter: str) -> str:
        return letter.upper() if self.folds else letter

    @functools.cached_property
    def _read(self) -> dict[int, str]:
        stands = {written: self.codes[self._upper(written)] for written in self.accepted}
        return {ord(w): s if len(s) == 1 else self._upper(w) for w, s in stands.items()}

    @functools.cached_property
    def _opposite(self) -> dict[int, str]:
        pairs = dict(zip(self.letters, self.complement, strict=True))
        named = {frozenset(stands): code for code, stands in list(self.codes.items())[::-1]}
        opposite = {c: named[frozenset(pairs[letter] for letter in stands)] for c, stands in self.codes.items()}
        return {ord(w): opposite[w] if w in opposite else opposite[w.upper()].lower() for w in self.accepted}

    def wrong_letter(self, sequence: str) -> tuple[str, int] | None:
        """The first letter that is not of the alphabet, and its position from 1; None if there is none."""
        left = sequence.encode("ascii", "replace").translate(None, self.accepted.encode())
        if not left and sequence.isascii():
            return None
        return next((letter, i) for i, letter in enumerate(sequence, 1) if letter not in self.accepted)

    def fault(self, sequence: str, where: str = "") -> UserError | None:
        """The error for a sequence that is empty or has a wrong letter; None if it is right.

        Args:
            sequence: the sequence.
            where: its place, for the message.
        """
        if not sequence:
            return UserError("the sequence is empty", where=where, remedy="give it letters, or leave it out")
        wrong = self.wrong_letter(sequence)
        if wrong is None:
            return None
        hint = " (amino acids need --alphabet protein)" * (self is DNA and wrong[0].upper() in NO_BASES)
        what = f"{wrong[0]!r} at position {wrong[1]} is not {self.kind}{hint}"
        return UserError(what, where=where, remedy=self.remedy)

    def as_read(self, sequence: str) -> str:
        """A sequence as the network sees it: in one case, and one letter for equal ones, such as T for U."""
        return sequence.translate(self._read)

    def reverse_complement(self, sequence: str) -> str:
        """The opposite strand, in its own reading direction. Case is kept.

        Raises:
            UserError: if the letters have no complements.
        """
        if not self.complement:
            what = f"the alphabet {self.name} has no complement"
            raise UserError(what, where="--alphabet", remedy="give intervals of the strand +, or take dna")
        return sequence.translate(self._opposite)[::-1]

    def key(self, sequence: str) -> str:
        """A text that equal sequences share: as they are read, of two strands the one that is first in the alphabet.

        Example:
            >>> DNA.key("ttg"), DNA.key("CAA"), PROTEIN.key("ttg")
            ('CAA', 'CAA', 'TTG')
        """
        read = self.as_read(sequence)
        return min(read, self.reverse_complement(read)) if self.both_strands else read


_OF_BASES = "write bases as A, C, G, T, U or as IUPAC codes R Y S W K M B D H V N, and remove gaps (- and .)"
_OF_AMINO_ACIDS = "write amino acids as one letter each, X for any and * for a stop, and remove gaps (- and .)"
_AMBIGUOUS = {"B": "DN", "Z": "EQ", "J": "IL", "X": AMINO_ACIDS, "U": "C", "O": "K"}

DNA = Alphabet("dna", "ACGT", IUPAC, "an IUPAC code", _OF_BASES, "TGCA", True, "N")
RNA = Alphabet(
    "rna", "ACGU", {"U": "U"} | {c: s.replace("T", "U") for c, s in IUPAC.items()}, "an IUPAC code", _OF_BASES, "UGCA",
    unknown="N",
)  # fmt: skip
PROTEIN = Alphabet(
    "protein", f"{AMINO_ACIDS}*", {**{a: a for a in AMINO_ACIDS}, "*": "*", **_AMBIGUOUS}, "an amino acid",
    _OF_AMINO_ACIDS, unknown="X",
)  # fmt: skip
NAMED = {alphabet.name: alphabet for alphabet in (DNA, RNA, PROTEIN)}


@functools.cache
def alphabet_of(name: str) -> Alphabet:
    """The alphabet of `--alphabet`: `dna`, `rna`, `protein`, or a string of its letters.

    Case counts only if both cases of a letter are among the letters.

    Raises:
        UserError: if the letters are fewer than two, or not different printable characters of ASCII.

    Example:
        >>> alphabet_of("protein") is PROTEIN, alphabet_of("HP").as_read("hpP"), alphabet_of("aAbB").as_read("aA")
        (True, 'HPP', 'aA')
    """
    if name.lower() in NAMED:
        return NAMED[name.lower()]
    printable = name.isascii() and name.isprintable() and " " not in name
    if len(name) < 2 or not printable or len(set(name)) < len(name):
        remedy = "give dna, rna, protein, or two or more different letters of ASCII, such as HP"
        raise UserError(f"{name!r} is not an alphabet", where="--alphabet", remedy=remedy)
    folds = len({letter.upper() for letter in name}) == len(name)
    letters = name.upper() if folds else name
    return Alphabet(
        name, letters, {letter: letter for letter in letters}, f"one of the letters {letters}",
        "correct it, or name all letters with --alphabet", folds=folds,
    )  # fmt: skip
