"""The tokenizer of the graph: what a token is, and that each stands where it says, by Python's own counting."""

import itertools
import re
import time
import unicodedata

import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from seqtasks.text.word_tokenizer import SEPARATOR, shapes, tokenize

GRAPH = tf.function(tokenize, input_signature=[tf.TensorSpec([None], tf.string)])


def split(*texts):
    """The tokens of each text, after every one was found at its place."""
    found = []
    tokens, starts, ends, surface = GRAPH(tf.constant(texts, tf.string))
    assert starts.dtype == ends.dtype == tf.int32
    sides = starts.to_list(), ends.to_list(), surface.numpy()
    for row, begins, stops, text in zip(tokens.to_list(), *sides, strict=True):
        text, row = text.decode(), [token.decode() for token in row]
        assert [text[i:j] for i, j in zip(begins, stops, strict=True)] == row
        assert begins == sorted(begins) and all(i <= j for i, j in zip(stops, begins[1:], strict=False))
        found.append(row)
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I don't, won't. CAN'T!", "I do n't , wo n't . CA N'T !"),
        ("they’re O'Brien's dogs' d'été", "they ’re O'Brien 's dogs ' d'été"),
        ("he said 'it is' in 'the end'", "he said ' it is ' in ' the end '"),
        ("it 's n't tokenised twice", "it 's n't tokenised twice"),
        ("Mr. J. Smith of U.S. Corp. slept. Twice", "Mr. J. Smith of U.S. Corp. slept . Twice"),
        ("the U.K, e.g. at 5 p.m. end.Start node.js", "the U.K , e.g. at 5 p.m. end . Start node.js"),
        ("$1,280.50 15% 10:30pm 2005/06 3,a 4.", "$ 1,280.50 15 % 10:30pm 2005/06 3 , a 4 ."),
        ("1,280-square-foot techno-based pre- -born", "1,280-square-foot techno-based pre - - born"),
        ("see (http://a.bc/d?e=f,g). Or www.x.org, ok", "see ( http://a.bc/d?e=f,g ) . Or www.x.org , ok"),
        (
            "to Ada.Byron@math.ox.ac.uk, @ada_b #maths # AT&T &amp;",
            "to Ada.Byron@math.ox.ac.uk , @ada_b #maths # AT&T &amp;",
        ),
        ("so... what?! -- **no** ==", "so ... what ?! -- ** no ** =="),
        (":-) :D :Doe <3 ;)", ":-) :D : Doe <3 ;)"),
        ("“quoted”—dash… «x»", "“ quoted ” — dash … « x »"),
        ("这部电影好great", "这 部 电 影 好 great"),
        ("ที่นี่ดี", "ที่ นี่ ดี"),
        ("👍🏽👩‍👩‍👧🇩🇪❤️ok☺", "👍🏽 👩‍👩‍👧 🇩🇪 ❤️ ok ☺"),
        ("ÉCOLE nai\u0308ve Straße Αθήνα مرحبا، हिन्दी।", "ÉCOLE nai\u0308ve Straße Αθήνα مرحبا ، हिन्दी ।"),
        ("a\u00a0b\u3000c\u2003d\u0085e\u2028f\ufeffg\u200bh\ti\r\nj", "a b c d e f g h i j"),
    ],
)
def test_words(text, expected):
    assert split(text) == [expected.split()]


def test_empty_and_invalid_texts():
    assert split(b"caf\xe9 \x00\x01 a\x00b\x1fc") == [["caf\ufffd", "a", "b", "c"]]
    assert split(b"", b"  \n ", b"\xff\xfe") == [[], [], ["\ufffd\ufffd"]]
    assert GRAPH(tf.constant([], tf.string))[0].to_list() == []
    surface = GRAPH(tf.constant([b"caf\xe9\x00\nx\x1fy"]))[3].numpy()[0].decode()
    assert surface == "caf\ufffd\x00\nx y"


def test_given_tokens_are_kept():
    rows = [["New York", "isn't", "", " ", "a\nb\x00", "🇩🇪!"], ["", ""], ["don't."], []]
    given_, raw = (SEPARATOR + SEPARATOR.join(row) for row in rows), "don't."
    assert split(*given_, raw) == [*rows, ["do", "n't", "."]]
    surface = GRAPH(tf.constant([SEPARATOR + SEPARATOR.join(rows[0])]))[3].numpy()[0].decode()
    assert surface == " ".join(rows[0])


texts = st.one_of(
    st.text(max_size=40),
    st.text(st.sampled_from("aA'’nt.,-1@#:/()éß\u0301\u200d👩🏽🇩🇪❤\ufe0f好のที่ \n\u00a0\x00\ufffd&;"), max_size=40),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(texts, min_size=1, max_size=4))
def test_positions_are_exact_and_only_space_is_left_out(rows):
    rows = ["x" + row if row.startswith(SEPARATOR) else row for row in rows]
    for text, tokens, (_, starts, ends, surface) in zip(rows, split(*rows), map(alone, rows), strict=True):
        assert surface.numpy()[0].decode() == text.replace(SEPARATOR, " ")
        assert all(tokens)
        covered = set(itertools.chain(*map(range, starts.to_list()[0], ends.to_list()[0])))
        left_out = {unicodedata.category(c) for i, c in enumerate(text) if i not in covered}
        assert left_out <= {"Zs", "Zl", "Zp", "Cc", "Cf"}
        assert "".join(tokens) == "".join(c for i, c in enumerate(text) if i in covered)


def alone(text):
    return GRAPH(tf.constant([text]))


token = st.text(st.characters(codec="utf-8", exclude_characters=SEPARATOR))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(token, min_size=1), min_size=1, max_size=4))
def test_any_given_tokens_are_restored(rows):
    rows = [row for row in rows if row != [""]]
    assert split(*(SEPARATOR + SEPARATOR.join(row) for row in rows)) == rows


@settings(max_examples=50, deadline=None)
@given(st.lists(st.binary(max_size=12), min_size=1, max_size=4))
def test_invalid_utf8_is_counted_like_python(rows):
    rows = [b"x" + row for row in rows]
    split(*rows)
    surface = GRAPH(tf.constant(rows))[3].numpy()
    assert [s.decode() for s in surface] == [row.decode("utf-8", "replace").replace(SEPARATOR, " ") for row in rows]


UNITS = ["a.", "a ", "好", ".,", "http://,", "U.", "@", "'s", "1,", "👩\u200d", "\u0301", "\x00", "x" + SEPARATOR, "a-"]


@pytest.mark.parametrize("unit", UNITS)
def test_a_million_characters_take_seconds(unit):
    began = time.perf_counter()
    split(unit * (1_000_000 // len(unit)))
    assert time.perf_counter() - began < 20


def test_a_million_characters_of_all_scripts_take_seconds(rng):
    text = "".join(map(chr, rng.integers(1, 0x2FFF, 1_000_000)))
    began = time.perf_counter()
    alone(text)
    assert time.perf_counter() - began < 20


def sentences(path):
    for block in re.split(r"\n\s*\n", path.read_text("utf-8")):
        tokens = [re.split(r"[ \t]", line)[0] for line in block.splitlines() if line.strip()]
        if tokens and tokens[0] != "-DOCSTART-":
            yield tokens


@pytest.mark.parametrize(("corpus", "share"), [("wikigold", 0.99), ("wnut17", 0.97)])
@pytest.mark.parametrize("part", ["train", "test"])
def test_tokens_of_corpora_are_found_in_their_joined_sentences(data_folder, corpus, part, share):
    rows = list(sentences(data_folder / "ner" / corpus / f"{part}.conll"))
    _, starts, ends, _ = GRAPH(tf.constant([" ".join(row) for row in rows]))
    found = total = 0
    for row, begins, stops in zip(rows, starts.to_list(), ends.to_list(), strict=True):
        bounds = list(itertools.accumulate(len(token) + 1 for token in row))
        truth = {(end - 1 - len(token), end - 1) for token, end in zip(row, bounds, strict=True)}
        found += len(truth & set(zip(begins, stops, strict=True)))
        total += len(row)
    assert found / total > share, f"{found / total:.4f}"


def test_tokens_of_running_text_match_the_corpus(data_folder):
    """Punctuation and contractions are put where a writer has them, so that the tokenizer has to part them again."""
    rows = list(sentences(data_folder / "ner" / "wikigold" / "test.conll"))
    written = [re.sub(r" ([.,;:?!)\]%]|n't|'(?:s|d|re|ve|ll|m)?)(?= |$)", r"\1", " ".join(row)) for row in rows]
    written = [re.sub(r"(?<![^ ])([(\[$£]) ", r"\1", text) for text in written]
    assert sum(map(len, written)) < sum(len(" ".join(row)) for row in rows) - 600
    same = total = 0
    for row, tokens in zip(rows, split(*written), strict=True):
        truth, found = ({(end - len(t), end) for t, end in zip(r, ends(r), strict=True)} for r in (row, tokens))
        same += len(truth & found)
        total += len(row)
    assert same / total > 0.99, f"{same / total:.4f}"


def ends(row):
    """Where tokens end in the letters of a sentence, white space left out."""
    return list(itertools.accumulate(map(len, row)))


def reference_shape(token):
    signs = [{"Lu": "X", "Lt": "X", "Ll": "x", "Nd": "d"}.get(unicodedata.category(c), c) for c in token]
    return "".join(sign for sign, run in itertools.groupby(signs) for _ in itertools.islice(run, 4))


@given(st.lists(st.lists(st.text("aBcDé9٣好.-_ ǅ", max_size=12), max_size=4), min_size=1))
def test_shapes(rows):
    ragged = tf.RaggedTensor.from_row_lengths(tf.constant(sum(rows, []), tf.string), [len(row) for row in rows])
    found = shapes(ragged)
    found = [[shape.decode() for shape in row] for row in found.to_list()]
    assert found == [list(map(reference_shape, row)) for row in rows]


def test_shapes_of_words():
    found = shapes(tf.ragged.constant([["McDonald's", "F-16", "strange", "......", "NASA2000"], []]))
    assert [s.decode() for s in found.to_list()[0]] == ["XxXxxxx'x", "X-dd", "xxxx", "....", "XXXXdddd"]
    assert found.to_list()[1] == []
