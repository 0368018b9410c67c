"""Word vectors in text format: words with blanks, headers, and lines with too few or too many numbers."""

import numpy as np
import pytest

from seqtasks.errors import UserError
from seqtasks.text import word_vectors


def read(tmp_path, *lines, words=("fine", ". . .", "at me@x.org")):
    (tmp_path / "v.txt").write_text("".join(f"{line}\n" for line in lines))
    return {word: vector.tolist() for word, vector in word_vectors.read(tmp_path / "v.txt", words).items()}


def test_words_may_contain_blanks_and_numbers(tmp_path):
    lines = ("fine 0.5 -1", ". . . 1 2", "at me@x.org 3 4", "7 8 9")
    expected = {"fine": [0.5, -1.0], ". . .": [1.0, 2.0], "at me@x.org": [3.0, 4.0]}
    assert read(tmp_path, *lines) == expected
    assert read(tmp_path, "3 2", *lines) == expected  # the first line of fastText
    assert read(tmp_path, *lines[1:], words=(". . .",)) == {". . .": [1.0, 2.0]}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("dull 1", "v.txt:2: 1 numbers, expected 2; each line is a word and its numbers"),
        ("dull 1 2 3", "v.txt:2: 3 numbers, expected 2; each line is a word and its numbers"),
    ],
)
def test_lines_of_another_length(tmp_path, line, message):
    with pytest.raises(UserError, match=message):
        read(tmp_path, "fine 0.5 -1", line)


def test_a_field_that_is_no_number(tmp_path):
    with pytest.raises(UserError, match=r"v.txt:2: not a number"):
        read(tmp_path, "good 1 2", "fine one 2")
    assert np.allclose(read(tmp_path, "fine 1e-3 2")["fine"], [0.001, 2])
