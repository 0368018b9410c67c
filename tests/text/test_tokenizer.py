"""Segmenters: subwords as sentencepiece itself cuts them, texts that come back, files that tell their faults."""

import importlib.util
import json
import re
import time

import numpy as np
import pytest
import sentencepiece
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from sentencepiece import sentencepiece_model_pb2

from seqtasks.data.token_ids import SPECIAL_TOKENS
from seqtasks.errors import UserError
from seqtasks.text.subwords import LONGEST
from seqtasks.text.tokenizer import KINDS, Tokenizer

SUBWORDS = ("unigram", "bpe")
CORPUS = [
    "Zwei Männer stehen am Herd.",
    "Two men aren't cooking food, are they?",
    "电影 好  电影好看 😀😀 👩‍👩‍👧",
    "مرحبا بالعالم  שלום עולם",
    "nai\u0308ve\tcafe\u0301\nFILM film",
]
HARD = [
    "",
    " ",
    "\t\n",
    "a\0b",
    "\0",
    "▁ a▁b ▁▁",
    "￭x ￭",
    "▅",
    "[UNK][BOS] [PAD]",
    "日本語",
    "\ufeffa\u200bb",
    "x\u3000y\xa0z\x85",
]
UNICODE = st.text(st.characters(codec="utf-8") | st.sampled_from("ab é\n▁￭\0好😀\u0301"), max_size=20)
SPACES = r"[^\S\ufeff]|[\0-\x1f\x7f-\x9f\xad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]"


def sentencepiece_of(tokenizer):
    """The package's own tokenizer with the same pieces and scores."""
    model = sentencepiece_model_pb2.ModelProto()
    for number, (token, score) in enumerate(zip(tokenizer.tokens, tokenizer.scores, strict=True)):
        model.pieces.add(piece=token, score=score, type=2 if number == 1 else 3 if number < 4 else 1)
    model.trainer_spec.model_type = SUBWORDS.index(tokenizer.kind) + 1
    for number, name in enumerate(("pad", "unk", "bos", "eos")):
        setattr(model.trainer_spec, f"{name}_id", number)
        setattr(model.trainer_spec, f"{name}_piece", SPECIAL_TOKENS[number])
    model.normalizer_spec.name = "identity"
    return sentencepiece.SentencePieceProcessor(model_proto=model.SerializeToString())


def compiled(tokenizer):
    return tf.function(tokenizer.encode, input_signature=[tf.TensorSpec([None], tf.string)])


def encoded(tokenizer, *texts):
    return tokenizer.encode(tf.constant(texts, tf.string)).to_list()


def decoded(tokenizer, *texts):
    return [text.decode() for text in tokenizer.decode(tokenizer.encode(tf.constant(texts, tf.string))).numpy()]


@pytest.fixture(scope="module")
def learnt():
    """A tokenizer of each kind, with its graph."""
    found = {kind: Tokenizer.learn([CORPUS[:2], [], CORPUS[2:]], kind, 150) for kind in KINDS}
    return {kind: (tokenizer, compiled(tokenizer)) for kind, tokenizer in found.items()}


@pytest.mark.parametrize("kind", SUBWORDS)
@given(text=UNICODE)
def test_subwords_match_sentencepiece_for_any_text(learnt, kind, text):
    tokenizer, graph = learnt[kind]
    expected = sentencepiece_of(tokenizer)
    for example in (text, *HARD, *CORPUS):
        assert graph(tf.constant([example])).to_list() == [expected.encode(" ".join(example.replace("▁", " ").split()))]


@st.composite
def vocabularies(draw):
    """Pieces of few letters, which clash in every way, with scores of which many are equal."""
    pieces = draw(st.lists(st.text("abé😀", min_size=2, max_size=5), max_size=12))
    pieces = sorted({*"▁abé", *(draw(st.sampled_from(["", "▁"])) + piece for piece in pieces if "😀" not in piece)})
    scores = [draw(st.integers(-8, 0)) / 2 for _ in pieces]
    return [*SPECIAL_TOKENS, *pieces], [0.0] * 4 + scores


@pytest.mark.parametrize("kind", SUBWORDS)
@given(vocabulary=vocabularies(), words=st.lists(st.text("abé😀", min_size=1, max_size=12), min_size=1, max_size=8))
def test_subwords_match_sentencepiece_for_any_vocabulary(kind, vocabulary, words):
    tokenizer = Tokenizer(kind, *vocabulary)
    expected = sentencepiece_of(tokenizer)
    assert encoded(tokenizer, *words) == [expected.encode(word) for word in words]
    assert encoded(tokenizer, " ".join(words)) == [sum((expected.encode(word) for word in words), [])]


@pytest.mark.slow
@pytest.mark.parametrize("kind", SUBWORDS)
def test_subwords_of_real_sentences_match_sentencepiece_and_are_fast(kind, data_folder):
    lines = (data_folder / "translation/multi30k-en-de/train.de").read_text("utf-8").split("\n")[:-1]
    chunks = [lines[i : i + 512] for i in range(0, len(lines), 512)]
    started = time.perf_counter()
    tokenizer = Tokenizer.learn(chunks, kind)
    assert time.perf_counter() - started < 30  # about 3 s for unigram, 1 s for bpe
    assert len(tokenizer) == 8000
    graph, texts = compiled(tokenizer), tf.constant(lines[:1000])
    expected = sentencepiece_of(tokenizer)
    assert graph(texts).to_list() == [expected.encode(line) for line in lines[:1000]]
    started = time.perf_counter()
    graph(texts)
    assert time.perf_counter() - started < 0.5  # about 0.03 s for unigram, 0.05 s for bpe
    assert Tokenizer.learn(chunks, kind).text() == tokenizer.text()


@pytest.mark.parametrize("kind", SUBWORDS)
def test_long_words_are_cut_and_fast(learnt, kind, rng):
    tokenizer, graph = learnt[kind]
    words = ["".join(rng.choice(list("Zweimänrst"), size)) for size in (LONGEST - 1, 10_000, 1_000_000)]
    assert graph(tf.constant(words[:1])).to_list() == [sentencepiece_of(tokenizer).encode(words[0])]
    started = time.perf_counter()
    numbers = graph(tf.constant([words[2], words[1], "Herd", "a" * 1_000_000]))
    assert time.perf_counter() - started < 60  # 1 s for unigram, 5 s for bpe
    texts = tokenizer.decode(numbers).numpy().tolist()
    assert [text.decode() for text in texts] == [words[2], words[1], "Herd", "a" * 1_000_000]


def test_adjacent_unknown_letters_are_one_unknown_with_the_worst_score():
    tokenizer = Tokenizer("unigram", [*SPECIAL_TOKENS, "▁", "a", "b", "▁ab"], [0.0] * 4 + [-1.0, -2.0, -9.0, -30.0])
    assert encoded(tokenizer, "ab", "a日本b", "日 本") == [[4, 5, 6], [4, 5, 1, 6], [4, 1, 4, 1]]


@pytest.mark.parametrize("kind", KINDS)
@given(text=UNICODE)
def test_decoding_restores_texts_except_white_space(kind, text):
    tokenizer = Tokenizer.learn([[f"x {text}", text]], kind)
    if kind in SUBWORDS and set("▅\0") & set(text):
        return  # sentencepiece does not learn them

    def normal(text):
        if kind == "character":
            return text
        spaces = f"{SPACES}|￭" if kind == "word" else "▁"  # a soft hyphen inside a word may stay
        return " ".join(re.sub(spaces, " ", text).split())

    (found,) = decoded(tokenizer, text)
    assert normal(found) == normal(text)
    assert found.strip() == found or kind in ("character", "space")


def test_words_without_a_space_before_them_are_marked():
    text = '"Hello,  world..." I don\'t (really) know;see http://a.b/c?d 电影好'
    tokenizer = Tokenizer.learn([[text]], "word")
    (numbers,) = encoded(tokenizer, text)
    assert " ".join(tokenizer.tokens[n] for n in numbers) == (
        '" ￭Hello ￭, world ￭... ￭" I do ￭n\'t ( ￭really ￭) know ￭; ￭see http://a.b/c?d 电 ￭影 ￭好'
    )
    assert decoded(tokenizer, text) == [text.replace("  ", " ")]
    assert decoded(tokenizer, "know￭I", "￭", "  I", "know") == ["know I", "", "I", "know"]
    assert encoded(tokenizer, "hello", "[UNK]", "\x1f[BOS]\x1fI") == [[1], [1, 1, 1], [1, tokenizer.tokens.index("I")]]
    assert "￭(" not in Tokenizer.learn([["abc", "   (x", "  (x"]], "word").tokens  # the row before ends where it starts
    generated = [[tokenizer.tokens.index("￭,"), tokenizer.tokens.index("know")]]
    assert tokenizer.decode(tf.constant(generated)).numpy().tolist() == [b", know"]


def test_characters_are_code_points_and_rare_ones_are_unknown():
    tokenizer = Tokenizer.learn([["ab\n", "a b", "e\u0301"]], "character")
    assert tokenizer.tokens[4:] == ["a", "b", "\n", " ", "e", "\u0301"]
    assert encoded(tokenizer, b"\xffa\0 ", "\u0301e\n") == [[1, 4, 1, 7], [9, 8, 6]]
    assert Tokenizer.learn([["ab\n", "a b"]], "character", min_count=2).tokens[4:] == ["a", "b"]
    assert Tokenizer.learn([["ab\n", "a b"]], "character", size=5).tokens[4:] == ["a"]
    assert Tokenizer.learn([[], ["\udcff"]], "character").tokens[4] == "\ufffd"


@pytest.mark.parametrize("kind", KINDS)
def test_lower_case_before_and_after_a_nul(kind):
    tokenizer = Tokenizer.learn([["ÉTÉ été", "X"]], kind, lowercase=True)
    same = encoded(tokenizer, "ÉTÉ\0X", "été x", "Été x")
    assert same[0] == same[1] == same[2] and 1 not in same[0]
    assert decoded(tokenizer, "ÉTÉ X") == ["été x"]


@pytest.mark.parametrize("kind", KINDS)
def test_decoding_leaves_out_special_tokens_except_unknown(learnt, kind):
    tokenizer, graph = learnt[kind]
    row = graph(tf.constant(["film"])).to_list()[0]
    padded = [[2, *row, 3, 0, -1], [-1] * (len(row) + 4), [2, 1, 3, *[0] * (len(row) + 1)]]
    assert tokenizer.decode(tf.constant(padded)).numpy().tolist() == [b"film", b"", b"[UNK]"]
    assert tokenizer.decode(tf.constant(padded, tf.int64)).numpy().tolist() == [b"film", b"", b"[UNK]"]
    assert tokenizer.decode(tf.ragged.constant([row, []], dtype=tf.int32)).numpy().tolist() == [b"film", b""]
    for shape in ((0, 0), (0, 3), (2, 0)):
        assert tokenizer.decode(tf.zeros(shape, tf.int32)).numpy().tolist() == [b""] * shape[0]


@pytest.mark.parametrize("kind", KINDS)
def test_empty_batches_and_texts_and_invalid_utf8(learnt, kind):
    _, graph = learnt[kind]
    assert graph(tf.constant([], tf.string)).to_list() == []
    assert graph(tf.constant(["", ""])).to_list() == [[], []]
    found = graph(tf.constant([b"film \xff\xfe", "film \ufffd\ufffd"]))
    assert found.dtype == tf.int32
    assert found.to_list()[0] == found.to_list()[1]
    numbers = graph(tf.constant(CORPUS))
    assert [graph(tf.constant([text])).to_list()[0] for text in CORPUS] == numbers.to_list()


@pytest.mark.parametrize("kind", KINDS)
def test_file_round_trip_and_learning_from_short_texts(kind, tmp_path):
    for number, texts in enumerate((["a"], ["aa a\n\u2028b", '\x85"\\'], CORPUS)):
        tokenizer = Tokenizer.learn([texts], kind, lowercase=True)
        assert 4 < len(tokenizer) < 1000
        path = tmp_path / f"{number}.txt"
        tokenizer.save(path)
        again = Tokenizer.load(path)
        assert (again.kind, again.lowercase, again.tokens) == (kind, True, tokenizer.tokens)
        assert again.scores == tokenizer.scores and again.text() == path.read_text("utf-8")
        assert encoded(again, *CORPUS) == encoded(tokenizer, *CORPUS)
        assert json.loads(path.read_text("utf-8").split("\n")[0]) == {"kind": kind, "lowercase": True}


def test_learnt_scores_match_sentencepiece():
    model = Tokenizer.learn([CORPUS * 9], "unigram", 90)
    assert sorted(model.scores[4:], reverse=True) == model.scores[4:]
    assert np.float32(model.scores).tolist() == [sentencepiece_of(model).get_score(i) for i in range(len(model))]
    assert all(len(str(score)) < 14 for score in model.scores)


@pytest.mark.parametrize("kind", SUBWORDS)
def test_rarest_of_many_characters_are_left_out_of_small_vocabularies(kind):
    letters = [chr(0x4E00 + i) for i in range(300)]
    texts = ["".join(letters[i : i + 3]) for i in range(298)] * 30 + ["龍"]
    for size, expected in ((400, "[UNK]"), (4000, "龍")):
        tokenizer = Tokenizer.learn([texts], kind, size)
        assert decoded(tokenizer, "龍", "".join(letters)) == [expected, "".join(letters)]


@pytest.mark.parametrize(
    ("kind", "scores", "expected"),
    [
        ("word", None, ["xé"]),
        ("character", None, ["x", "é"]),
        ("space", None, ["xé", "xé."]),
        ("unigram", [0.0] * 9, ["x", "é"]),
        ("bpe", [0.0] * 9, ["x", "é"]),
    ],
)
def test_unknown_words_or_characters_are_listed(kind, scores, expected):
    known = {"word": ["ab", "a", "￭.", ".", "b"], "space": ["ab", "a", "b", ".", "c"]}
    tokenizer = Tokenizer(kind, [*SPECIAL_TOKENS, *known.get(kind, ["a", "b", ".", " ", "▁"])], scores)
    assert tokenizer.unknown(["ab", "", "xé ab xé."]) == [[], [], expected]


HEAD = '{"kind": "bpe", "lowercase": false}\n'
REMEDY = 'the first line is {"kind": ..., "lowercase": ...}, others are a string or [string, score]'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[PAD]\n", f":1: not a token: '[PAD]'; {REMEDY}"),
        ('"[PAD]"\n', f":1: not a token: '\"[PAD]\"'; {REMEDY}"),
        (f"{HEAD}\n3\n", f":3: not a token: '3'; {REMEDY}"),
        (f'{HEAD}"a"\n', f":2: not a token: '\"a\"'; {REMEDY}"),
        (HEAD + HEAD, f":2: not a token: {HEAD.strip()!r:.40}; {REMEDY}"),
        ("", ": no such kind: ''; known are: word, character, unigram, bpe, space"),
        (HEAD.replace("bpe", "bpr"), ": no such kind: 'bpr'; did you mean 'bpe'?"),
        (f'{HEAD}["a", 1]\n', f": the tokens begin with ['a']; they must begin with {SPECIAL_TOKENS}"),
        (HEAD + "".join(f'["{t}", 0]\n' for t in [*SPECIAL_TOKENS, "a", "a"]), ": the token 'a' appears twice"),
    ],
)
def test_invalid_files_raise_with_their_line(tmp_path, content, message):
    path = tmp_path / "tokenizer.txt"
    path.write_text(content, "utf-8")
    with pytest.raises(UserError) as caught:
        Tokenizer.load(path)
    assert str(caught.value) == f"{path}{message}"


def test_invalid_training_texts_raise(monkeypatch):
    for kind in KINDS:
        remedy = "what appears fewer than 2 times does not count"
        with pytest.raises(UserError, match=f"^--min_count: no text to learn from; {remedy}$"):
            Tokenizer.learn([["ab cd" if kind != "character" else "ab"], []], kind, min_count=2)
        with pytest.raises(UserError, match="^no text to learn from$"):
            Tokenizer.learn([["", " ▅a \0"] if kind in SUBWORDS else [""]], kind)
    with pytest.raises(
        UserError,
        match="^--vocabulary_size: 10 is too small for a text of 27 characters and 4 special tokens; take at least 32$",
    ):
        Tokenizer.learn([["abcdefghijklm nopqrstuvwxyz"]], "bpe", 10)
    with pytest.raises(UserError, match="2 scores; give each a score"):
        Tokenizer("bpe", [*SPECIAL_TOKENS, "a"], [0.0, 1.0])
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"sentencepiece is missing; pip install 'seqtasks\[translation\]'"):
        Tokenizer.learn([["one"]], "unigram")


LOADER = """
import json
import tensorflow as tf

found = []
for kind in {kinds}:
    numbers, texts = tf.saved_model.load(f"{folder}/{{kind}}").answer(tf.constant({texts}))
    found.append([numbers.to_list(), [text.decode() for text in texts.numpy()]])
print(json.dumps(found))
"""


def answering(tokenizer):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def answer(texts):
        numbers = tokenizer.encode(texts)
        return numbers, tokenizer.decode(numbers.to_tensor(-1))

    return answer


def test_saved_module_needs_only_tensorflow(learnt, tmp_path, tensorflow_alone):
    texts, expected = ["Two films 日", "", "aren't 👍"], []
    for kind, (tokenizer, _) in learnt.items():
        module = tf.Module()
        module.tables = tokenizer.tables
        module.answer = answering(tokenizer)
        tf.saved_model.save(module, str(tmp_path / kind))
        numbers = tokenizer.encode(tf.constant(texts))
        expected.append([numbers.to_list(), [t.decode() for t in tokenizer.decode(numbers).numpy()]])
    assert tensorflow_alone(LOADER.format(kinds=list(learnt), folder=tmp_path, texts=texts)) == expected
