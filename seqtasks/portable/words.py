"""Encodes texts, word by word, for the network beside this file. It needs NumPy alone.

inputs = Encoder(folder)(["What a film!"])
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

K0, K1, K2, MASK = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F, (1 << 64) - 1


class Encoder:
    """From texts to the inputs of the network, padded on the right with zeros.

    Args:
        folder: the folder with `encoding.json`.
    """

    def __init__(self, folder: str | Path) -> None:
        given = json.loads(Path(folder, "encoding.json").read_text("utf-8"))
        self.given, self.number = given, {word: i for i, word in enumerate(given["words"])}
        c = {name: _ranges(ranges) for name, ranges in given["classes"].items()}
        word = c["letter"] + c["mark"] + c["digit"]
        steps = (
            (f"[{c['space']}]", " "),
            ("[’ʼ]", "'"),
            (rf"'(\s|$|[^{word}\s])", r" ' \1"),
            (rf"(^|[^{word}])'([{c['letter']}]{{3}})", r"\1 ' \2"),
            (r"n't\b", " n't "),
            (r"'(s|re|ve|ll|d|m)\b", r" '\1 "),
            (f"([{c['unspaced']}])", r" \1 "),
            (rf"([^{word}\s'_])", r" \1 "),
        )
        self.steps = [(re.compile(pattern, re.ASCII), replacement) for pattern, replacement in steps]

    def words(self, text: str) -> list[str]:
        """The words of a text, in lower case."""
        text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace").replace("\ufffd", " ")
        text = re.sub(r"[\x00-\x1f]", " ", text).lower()
        for pattern, replacement in self.steps:
            text = pattern.sub(replacement, text)
        return text.split()

    def __call__(self, texts: Sequence[str]) -> dict[str, np.ndarray]:
        given = self.given
        features: dict[str, list] = {"words": [], "affixes": [], "ngrams": []}
        for text in texts:
            found = self.words(text)
            read = self.cut(found) or [""]
            features["words"].append([self.number.get(word, 1) for word in read])
            features["affixes"].append([self.affixes(word) for word in read])
            features["ngrams"].append(self.ngrams(found))
        wanted = ["words", *(["affixes"] if given["affix_rows"] else []), *(["ngrams"] if given["ngram_rows"] else [])]
        return {name: padded(features[name]) for name in wanted}

    def cut(self, words: list[str]) -> list[str]:
        """The words that are read of a text."""
        most = self.given["max_length"]
        tail = {"head": 0, "tail": most, "both": most // 2}[self.given["cut"]]
        if len(words) <= most:
            return words
        return words[: most - tail] + (words[-tail:] if tail else [])

    def affixes(self, word: str) -> list[int]:
        """The numbers of the first and last letters of a word; 0 where it is too short."""
        rows, found = self.given["affix_rows"], []
        for n in self.given["affixes"] if rows else ():
            for mark, piece in ((f"{n}<", word[:n]), (f"{n}>", word[-n:])):
                found.append(hashed(mark + piece, rows) if len(word) >= n else 0)
        return found

    def ngrams(self, words: list[str]) -> list[int]:
        """The numbers of the n-grams of all words, each once."""
        rows, order = self.given["ngram_rows"], self.given["ngrams"]
        if not rows:
            return []
        found = {
            hashed(f"{n} " + " ".join(words[i : i + n]), rows)
            for n in range(1, order + 1)
            for i in range(len(words) - n + 1)
        }
        for word in words if self.given["ngram_letters"] else ():
            spelled = f" {word} "
            for n in self.given["ngram_letters"]:
                found |= {hashed(f"{n}c" + spelled[i : i + n], rows) for i in range(len(spelled) - n + 1)}
        return sorted(found)


def _ranges(ranges: Sequence[Sequence[int]]) -> str:
    """Ranges of code points as the inside of a class of a regular expression."""
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges)


def padded(rows: Sequence[Sequence]) -> np.ndarray:
    """Rows of different lengths as one array of int32."""
    longest, inner = max([1, *map(len, rows)]), next((np.shape(row[0]) for row in rows if len(row)), ())
    array = np.zeros((len(rows), longest, *inner), "int32")
    for place, row in zip(array, rows, strict=True):
        if len(row):
            place[: len(row)] = row
    return array


def hashed(text: str, rows: int) -> int:
    """The number of a text, from 1 to `rows` - 1."""
    return fingerprint(text.encode()) % (rows - 1) + 1


def fingerprint(s: bytes) -> int:
    """FarmHash Fingerprint64, by which TensorFlow hashes strings."""
    n = len(s)
    if n <= 16:
        return _short(s, n)
    mul = K2 + 2 * n
    if n <= 64:
        first = _fetch(s, 0) * (K1 if n <= 32 else K2) & MASK
        b, c, d = _fetch(s, 8), _fetch(s, n - 8) * mul & MASK, _fetch(s, n - 16) * K2
        y = _rotate(first + b, 43) + _rotate(c, 30) + d
        z = _mix16(y, first + _rotate(b + K2, 18) + c, mul)
        if n <= 32:
            return z
        e, f = _fetch(s, 16) * mul & MASK, _fetch(s, 24)
        g, h = (y + _fetch(s, n - 32)) * mul & MASK, (z + _fetch(s, n - 24)) * mul
        return _mix16(_rotate(e + f, 43) + _rotate(g, 30) + h, e + _rotate(f + first, 18) + g, mul)
    return _long(s, n)


def _short(s: bytes, n: int) -> int:
    mul = K2 + 2 * n
    if n >= 8:
        a, b = _fetch(s, 0) + K2 & MASK, _fetch(s, n - 8)
        return _mix16(_rotate(b, 37) * mul + a, (_rotate(a, 25) + b) * mul, mul)
    if n >= 4:
        a, b = int.from_bytes(s[:4], "little"), int.from_bytes(s[n - 4 :], "little")
        return _mix16(n + (a << 3), b, mul)
    if n:
        y, z = s[0] + (s[n >> 1] << 8), n + (s[n - 1] << 2)
        return _shift(y * K2 ^ z * K0) * K2 & MASK
    return K2


def _long(s: bytes, n: int) -> int:
    x, y = 81, 81 * K1 + 113 & MASK
    z = _shift(y * K2 + 113) * K2 & MASK
    v, w = (0, 0), (0, 0)
    x = x * K2 + _fetch(s, 0) & MASK
    at, end = 0, (n - 1) // 64 * 64
    mul = K1
    for last in (False, True):
        while True:
            x = _rotate(x + y + v[0] + _fetch(s, at + 8), 37) * mul & MASK
            y = _rotate(y + v[1] + _fetch(s, at + 48), 42) * mul & MASK
            x ^= w[1] * (9 if last else 1) & MASK
            y = y + v[0] * (9 if last else 1) + _fetch(s, at + 40) & MASK
            z = _rotate(z + w[0], 33) * mul & MASK
            v = _weak(s, at, v[1] * mul, x + w[0])
            w = _weak(s, at + 32, z + w[1], y + _fetch(s, at + 16))
            z, x, at = x, z, at + 64
            if last or at == end:
                break
        if not last:
            mul, at = K1 + ((z & 0xFF) << 1), end + ((n - 1) & 63) - 63
            w = w[0] + ((n - 1) & 63) & MASK, w[1]
            v = v[0] + w[0] & MASK, v[1]
            w = w[0] + v[0] & MASK, w[1]
    return _mix16(_mix16(v[0], w[0], mul) + _shift(y) * K0 + z, _mix16(v[1], w[1], mul) + x, mul)


def _fetch(s: bytes, at: int) -> int:
    return int.from_bytes(s[at : at + 8], "little")


def _rotate(x: int, by: int) -> int:
    x &= MASK
    return (x >> by | x << 64 - by) & MASK


def _shift(x: int) -> int:
    x &= MASK
    return x ^ x >> 47


def _mix16(u: int, v: int, mul: int) -> int:
    a = _shift(((u ^ v) & MASK) * mul)
    return _shift(((v & MASK) ^ a) * mul) * mul & MASK


def _weak(s: bytes, at: int, a: int, b: int) -> tuple[int, int]:
    w, x, y, z = (_fetch(s, at + 8 * i) for i in range(4))
    a += w
    b = _rotate(b + a + z, 21)
    c = a
    a += x + y
    b += _rotate(a, 44)
    return a + z & MASK, b + c & MASK
