"""Text and vocabularies: the tokenizer in the graph, and what numbers stand for."""

from collections import Counter

import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from seqtasks.data.vocabulary import Vocabulary
from seqtasks.errors import UserError
from seqtasks.text.word_features import affixes, cut, words


def split(*texts):
    return [[word.decode() for word in row] for row in words(tf.constant(texts, tf.string)).to_list()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I don't, won't!", ["i", "do", "n't", ",", "wo", "n't", "!"]),
        ("they’re O'Brien's", ["they", "'re", "o'brien", "'s"]),
        ("it is 'smart' they say", ["it", "is", "'", "smart", "'", "they", "say"]),
        ("it 's n't tokenised", ["it", "'s", "n't", "tokenised"]),
        ("这部电影好 great 100%", ["这", "部", "电", "影", "好", "great", "100", "%"]),
        ("a\u00a0b\u3000c\u2003d\u0085e\u2028f", ["a", "b", "c", "d", "e", "f"]),
        ("ÉCOLE naïve", ["école", "naïve"]),
        (b"\xff\xfe ab\x00cd\n\tef", ["ab", "cd", "ef"]),
        ("", []),
        ("  \n ", []),
    ],
)
def test_words(text, expected):
    assert split(text) == [expected]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.one_of(st.text(max_size=30), st.binary(max_size=30)), min_size=1, max_size=5))
def test_batch_gives_the_same_as_each_text_alone(texts):
    texts = [t if isinstance(t, bytes) else t.encode("utf-8", "replace") for t in texts]
    found = split(*texts)
    assert found == [split(text)[0] for text in texts]
    assert all(word and not any(c.isspace() for c in word) for row in found for word in row)


@given(st.lists(st.text(st.characters(exclude_characters="'’ʼ", exclude_categories=["Cs"])), min_size=1))
def test_words_of_joined_words_are_the_same(texts):
    found = split(*texts)
    assert split(*(" ".join(row) for row in found)) == found


@given(st.text(st.characters(categories=["L"], max_codepoint=0x2BFF, exclude_characters="ʼ"), min_size=1))
def test_letters_are_kept_in_lower_case(text):
    assert "".join(split(text)[0]) == text.lower()


def test_cut_reports_removed_elements():
    kept, was_cut = cut(words(tf.constant(["a b c", "a b", ""])), 2)
    assert [len(row) for row in kept.to_list()] == [2, 2, 0]
    assert was_cut.numpy().tolist() == [True, False, False]


def test_affixes_of_equal_letters_are_equal_and_short_words_have_none():
    rows = affixes(words(tf.constant(["walking talking é"])), (2, 3), 10**6).to_list()[0]
    walking, talking, short = rows
    assert walking[3] == talking[3] and walking[1] == talking[1]  # suffixes -ing, -ng
    assert walking[0] != talking[0] and short == [0, 0, 0, 0]
    assert len({walking[0], walking[1]}) == 2
    assert all(0 < n < 10**6 for n in walking)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.lists(st.sampled_from("abcdefg"), max_size=8), max_size=8), st.integers(2, 9), st.integers(1, 3))
def test_learn_counts_like_counter(chunks, max_size, min_count):
    counts = Counter(word for chunk in chunks for word in chunk)
    ranked = sorted((w for w in counts if counts[w] >= min_count), key=lambda w: (-counts[w], w))
    learnt = Vocabulary.learn(chunks, max_size, min_count)
    assert learnt.tokens == ["[PAD]", "[UNK]", *ranked][: max(2, max_size)]


def test_lookups_in_both_directions():
    vocabulary = Vocabulary.learn([["b", "a", "a"]])
    assert vocabulary.lookup(tf.constant(["a", "b", "other"])).numpy().tolist() == [2, 3, 1]
    assert Vocabulary(["x", "y"]).lookup(tf.constant(["y", "other"])).numpy().tolist() == [1, -1]
    assert vocabulary.name([2, 3]).numpy().tolist() == [b"a", b"b"]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), unique=True))
def test_tokens_are_restored_from_file_and_ids(tmp_path_factory, tokens):
    path = tmp_path_factory.mktemp("vocabulary") / "words.txt"
    Vocabulary(tokens).save(path)
    again = Vocabulary.load(path)
    assert again.tokens == tokens
    if tokens:
        numbers = again.lookup(tf.constant(tokens))
        assert numbers.numpy().tolist() == list(range(len(tokens)))
        assert [name.decode() for name in again.name(numbers).numpy()] == tokens


def test_lookup_of_ragged_rows_in_the_graph():
    vocabulary = Vocabulary(["[PAD]", "[UNK]", "好", "film"])
    rows = tf.function(vocabulary.lookup)(words(tf.constant(["好 FILM", "", "a film"])))
    assert rows.to_list() == [[2, 3], [], [1, 3]] and rows.dtype == tf.int32


def test_words_may_be_bytes_and_rare_ones_are_left_out():
    chunks = [["é".encode(), b"a"], [b"b", b"a"], [b"b", "é".encode(), b"c"]]
    assert Vocabulary.learn(chunks, min_count=2).tokens == ["[PAD]", "[UNK]", "a", "b", "é"]


@pytest.mark.parametrize("line", ["b", "5", '["a"]', "null", '"a'])
def test_invalid_line_raises_with_its_number(tmp_path, line):
    (tmp_path / "bad.txt").write_text(f'"a"\n{line}\n')
    with pytest.raises(UserError) as fault:
        Vocabulary.load(tmp_path / "bad.txt")
    told = f"{tmp_path}/bad.txt:2: not a token: {line!r}; each line is one JSON string, in quotes"
    assert str(fault.value) == told


def test_any_token_survives_the_file(tmp_path):
    tokens = ["[PAD]", "[UNK]", "a\nb", 'q"', "", " ", "好", "\u2028", "\\n"]
    Vocabulary(tokens).save(tmp_path / "words.txt")
    assert Vocabulary.load(tmp_path / "words.txt").tokens == tokens


def test_labels_are_ordered_and_tokens_distinct():
    assert Vocabulary.labels({"10", "9", "-1"}).tokens == ["-1", "9", "10"]
    assert Vocabulary.labels({"pos", "10", "neg"}).tokens == ["10", "neg", "pos"]
    with pytest.raises(ValueError, match="the token 'a' appears twice"):
        Vocabulary(["a", "b", "a"])
