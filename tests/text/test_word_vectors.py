"""Word vectors: the formats of files, lines that are not as they should be, which words get which vector."""

import gzip
import struct

import keras
import numpy as np
import pytest

from seqtasks.errors import UserError
from seqtasks.recipe import load_recipe
from seqtasks.text import vector_files, word_features, word_vectors


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


VECTORS = {"the": [1, 2], "film": [3, -1], "1984": [5, 6], "Paris": [0, 2], "baby": [4, 4], "USA": [9, 8]}


@pytest.fixture
def glove(tmp_path):
    (tmp_path / "glove.txt").write_text("".join(f"{w} {a} {b}\n" for w, (a, b) in VECTORS.items()))
    return tmp_path / "glove.txt"


def word2vec(vectors, end):
    """The bytes of word2vec's binary format, as its distance tool reads them; some writers end each word's numbers."""
    head = f"{len(vectors)} 2\n".encode()
    return head + b"".join(w.encode() + b" " + struct.pack("<2f", *v) + end for w, v in vectors.items())


@pytest.mark.parametrize("end", [b"", b"\n"])
@pytest.mark.parametrize("name", ["v.bin", "v.bin.gz", "v.vec", "v.txt.gz"])
def test_formats_give_the_same_vectors(tmp_path, glove, name, end):
    text = f"{len(VECTORS)} 2\n".encode() + glove.read_bytes()
    content = word2vec(VECTORS, end) if ".bin" in name else text
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    found = word_vectors.read(tmp_path / name, VECTORS)
    assert {word: vector.tolist() for word, vector in found.items()} == VECTORS
    assert vector_files.dimension(tmp_path / name) == 2


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("cc.bin", struct.pack("<i", 793712314) + b"\x0c\0\0\0", "fastText's own binary format; take the .vec file"),
        ("v.bin", b"the 1 2\n", "does not begin with the number of words and of numbers"),
        ("v.bin", word2vec(VECTORS, b"")[:-3], "ends in word 6 of 6; download the file again"),
        ("glove.zip", b"PK\x03\x04rest", "a ZIP archive; unpack it"),
        ("v.vec.gz", gzip.compress(b"the 1 2\n" * 9, mtime=0)[:-9], "cannot be read"),
        ("v.txt", b"", "no vectors; each line is a word and its numbers"),
        ("v.txt", b"caf\xe9 1 2\n", "not UTF-8; save the vectors as UTF-8 text, not binary"),
    ],
)
def test_files_that_hold_no_vectors(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message):
        vector_files.dimension(tmp_path / name) and list(vector_files.scan(tmp_path / name, bool))


def test_a_word_is_looked_up_in_other_forms(glove):
    words = ["The", "films", "0000", "2025", "paris", "babies", "usa", "pre-film", "dog", "000"]
    found = {word: vector.tolist() for word, vector in word_vectors.vectors_of(glove, words).items()}
    same = {"The": "the", "films": "film", "0000": "1984", "2025": "1984", "paris": "Paris", "babies": "baby"}
    assert found == {word: VECTORS[form] for word, form in (same | {"usa": "USA", "pre-film": "film"}).items()}


def test_words_with_a_vector_get_rows_beside_those_of_train(glove):
    chunks = [["film", "film", "dog", "dog", "babies"], ["cat", "rare"]]

    def tokens(*arguments):
        return word_vectors.vocabulary(chunks, *arguments).tokens[2:]

    assert tokens(None, 2) == ["dog", "film"]
    assert tokens(None, 2, glove, 50) == ["dog", "film", "babies", "the", "1984", "Paris", "baby", "USA"]
    assert tokens(None, 2, glove, 2) == ["dog", "film", "babies", "the"]
    assert tokens(3, 2, glove, 1) == ["dog", "film"]  # a frequent word beyond the limit, because it has a vector
    lowered = tokens(None, 2, glove, 50, word_features.normal)
    assert lowered == ["dog", "film", "babies", "the", "0000", "paris", "baby", "usa"]


def test_rows_are_filled_and_scaled(glove):
    words = ["[PAD]", "[UNK]", "[BOS]", "￭the", "dog", "films"]
    start = np.random.default_rng(0).normal(size=(6, 2)).astype("float32")
    table = keras.Variable(start)
    word_vectors.fill(table, glove, words, scale=0.5, marker="￭")
    found = np.array([VECTORS["the"], VECTORS["film"]], "float32")
    expected = found * 0.5 / found.std()
    np.testing.assert_allclose(table.numpy()[[3, 5]], expected, rtol=1e-6)
    np.testing.assert_allclose(table.numpy()[:2], [[0, 0], expected.mean(0)], rtol=1e-6)
    np.testing.assert_allclose(table.numpy()[[2, 4]], start[[2, 4]] * 0.5 / start.std(), rtol=1e-5)
    with pytest.raises(UserError, match="vectors of size 2; train with --dimension 2"):
        word_vectors.fill(keras.Variable(np.zeros((6, 3))), glove, words)


def test_the_file_decides_on_the_dimension(tmp_path, glove):
    def settle(recipe, **fields):
        recipe = load_recipe(recipe)
        return recipe.settle(recipe.Config(**fields))

    config = settle("ner", vectors=str(glove))
    assert (config.dimension, config.vectors_rate, settle("ner").dimension, settle("ner").vectors_rate) == (
        2,
        0,
        100,
        1,
    )
    assert settle("sentiment", vectors=str(glove), vectors_rate=0.1, dimension=2).vectors_rate == 0.1
    assert settle("ner", vectors=str(glove), vectors_frozen_epochs=2).vectors_rate == 1
    assert settle("ner", vectors=str(glove), vectors_frozen_epochs=2, vectors_rate=0.5).vectors_rate == 0.5
    for fields, message in (({"vectors": str(glove), "vectors_rate": 0}, "the vectors never change"), ({}, "no vec")):
        with pytest.raises(UserError, match=f"--vectors_frozen_epochs: .*{message}"):
            settle("ner", vectors_frozen_epochs=2, **fields)
    with pytest.raises(UserError, match="glove.txt: vectors of size 2; train with --dimension 2, or leave it out"):
        settle("sentiment", vectors=str(glove), dimension=3)
    (tmp_path / "other.txt").write_text("le 1 2 3\n")
    both = {"vectors": str(glove), "target_vectors": str(tmp_path / "other.txt")}
    with pytest.raises(UserError, match="other.txt: vectors of size 3; train with vectors of size 2"):
        settle("translation", vocabulary="word", **both)
    with pytest.raises(
        UserError, match="--vectors: the vectors are of words, the tokens of kind unigram; take --vocab"
    ):
        settle("translation", **both)
