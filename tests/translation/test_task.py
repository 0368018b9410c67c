"""Translation: figures against sacrebleu, targets and answers against Python, the memory against its definition."""

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
import sacrebleu
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from seqtasks import metrics
from seqtasks.capabilities import RunningText
from seqtasks.data.sources import Example, Source
from seqtasks.data.vocabulary import Vocabulary
from seqtasks.decoding import Decoded
from seqtasks.engine import evaluation
from seqtasks.errors import UserError
from seqtasks.tasks import Task
from seqtasks.tasks.task import rows
from seqtasks.translation.baselines import TranslationMemory
from seqtasks.translation.task import Translation

WORDS = ["Hund", "hund", "Männer,", "z.B.", "„ja“", "3,5", "rot.", "kids'", "&quot;", "U-Bahn", "狗"]
SENTENCES = st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join)


class Words:
    """A tokenizer of words that are separated by spaces."""

    def __init__(self, words):
        self.vocabulary = Vocabulary(["[PAD]", "[UNK]", "[BOS]", "[EOS]", *words])

    def encode(self, texts):
        return self.vocabulary.lookup(tf.strings.split(texts))

    def decode(self, numbers):
        named = self.vocabulary.name(tf.ragged.boolean_mask(numbers, numbers > 3))
        return tf.strings.reduce_join(named, -1, separator=" ")


TASK, ASSETS = Translation(), {"target": Words("abcde")}


def by_sacrebleu(references, translations):
    found = {
        "bleu": sacrebleu.corpus_bleu(translations, [references], force=True).score,
        "bleu_lower_tokenized": sacrebleu.corpus_bleu(translations, [references], lowercase=True, force=True).score,
        "chrf": sacrebleu.corpus_chrf(translations, [references]).score,
    }
    return found | {"exact_match": sum(map(str.__eq__, references, translations)) / len(references)}


@given(st.lists(st.tuples(SENTENCES, SENTENCES), min_size=1, max_size=12))
def test_metrics_match_sacrebleu(pairs):
    references, translations = map(list, zip(*pairs, strict=True))
    translations[::2] = references[::2]
    figures = TASK.compute_metrics(ASSETS, rows(references), rows(translations))
    assert {name: figures[name] for name in TASK.metrics} == by_sacrebleu(references, translations)


@given(st.integers(0, 99))
def test_metrics_of_resampled_counts_match_those_of_the_sentences(seed):
    words = np.random.default_rng(seed + 100)
    sentences = [[" ".join(words.choice(WORDS, words.integers(6))) for _ in range(9)] for _ in range(3)]
    sentences[1][::2] = sentences[0][::2]  # the better system
    references, *systems = map(rows, sentences)
    evidence, rival = (TASK.statistics(ASSETS, references, outputs) for outputs in systems)
    draws = np.random.default_rng(seed)
    samples = [draws.integers(9, size=9) for _ in range(8)]
    ours, theirs = ([by_sacrebleu(references[d].tolist(), outputs[d].tolist()) for d in samples] for outputs in systems)
    for name, metric in TASK.metrics.items():
        alone = metrics.bootstrap(metric, *evidence, samples=8, seed=seed)
        assert alone == pytest.approx(np.quantile([figures[name] for figures in ours], [0.025, 0.975]))
        paired = metrics.bootstrap(metric, *evidence, baseline=rival[1], samples=8, seed=seed)
        differences = [one[name] - other[name] for one, other in zip(ours, theirs, strict=True)]
        assert paired == pytest.approx(np.quantile(differences, [0.025, 0.975]))


def test_metrics_include_signatures_and_length_ratio():
    references, translations = ["Zwei Männer.", "Ein Hund läuft."], ["Zwei Männer.", "Hund läuft"]
    figures = TASK.compute_metrics(ASSETS, rows(references), rows(translations))
    bleu, chrf = sacrebleu.metrics.BLEU(), sacrebleu.metrics.CHRF()
    ratio = bleu.corpus_score(translations, [references]).ratio
    chrf.corpus_score(translations, [references])
    assert figures["bleu_signature"] == str(bleu.get_signature())
    assert figures["chrf_signature"] == str(chrf.get_signature())
    assert figures["length_ratio"] == ratio == 5 / 7


ZH, KM = ["一只狗在跑步。", "两个人站在外面 OK"], ["ឆ្កែកំពុងរត់", "បុរសពីរនាក់នៅខាងក្រៅ"]
JA, TH = ["犬が走っています。", "二人の男が外にいる"], ["สุนัขกำลังวิ่ง", "ชายสองคนอยู่ข้างนอก"]
KO, DE = (
    ["개가 달리고 있다.", "두 남자가 밖에 있다"],
    ["Ein Hund läuft über die Straße.", "Zwei Männer, 狗, stehen draußen."],
)


@pytest.mark.parametrize(
    ("language", "references", "tokenizer"),
    [
        (None, ZH, "zh"),
        ("zh_CN", DE, "zh"),
        ("2", JA, "char"),  # without MeCab
        ("jpn", ZH, "char"),
        (None, TH, "char"),
        ("answer", KM, "char"),
        (None, KO, "13a"),
        ("de", DE, "13a"),
        (None, ["1984-12-31", ""], "13a"),
        ("en", ZH, "zh"),  # a name that is no code of such a language
    ],
)
def test_bleu_counts_words_of_the_target_language(language, references, tokenizer, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if "ecab" in name.lower() else name)
    assert Translation(language).tokenizer(references) == tokenizer
    monkeypatch.undo()
    figures = Translation(language).compute_metrics(ASSETS, rows(references), rows(references))
    bleu = sacrebleu.metrics.BLEU(tokenize=tokenizer)
    assert figures["bleu"] == pytest.approx(bleu.corpus_score(references, [references]).score)
    assert figures["bleu"] > 99 and f"tok:{tokenizer}" in figures["bleu_signature"]


def test_japanese_and_korean_need_mecab(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    assert Translation("ja").tokenizer([]) == "ja-mecab" and Translation().tokenizer(KO) == "ko-mecab"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if "ecab" in name.lower() else name)
    with pytest.raises(
        UserError, match=r"--bleu_tokenize: ko-mecab needs MeCab; pip install 'sacrebleu\[ko\]', or tak"
    ):
        Translation("ko", "ko-mecab").check(ASSETS, Source(lambda: iter([Example("a", "b", 1)]), "memory"))
    Translation("ko", "intl").check(ASSETS, Source(lambda: iter([Example("a", "b", 1)]), "memory"))


def test_the_tokenizer_of_bleu_can_be_chosen():
    references, outputs = ["The cat's here, 3.5%"], ["The cats here, 3.5%"]
    figures = Translation("en", "char").compute_metrics(ASSETS, rows(references), rows(outputs))
    bleu = sacrebleu.metrics.BLEU(tokenize="char")
    assert figures["bleu"] == pytest.approx(bleu.corpus_score(outputs, [references]).score)
    assert figures["bleu_signature"] == str(bleu.get_signature())


def test_worst_examples_by_chrf():
    references = rows(["Ein Hund läuft.", "Zwei Männer.", "", "Ein Kind"])
    translations = rows(["Ein Hund läuft.", "Zwei Frauen.", "", ""])
    found = dict((i, bad) for bad, i in TASK.worst_examples(ASSETS, references, translations))
    assert found == {
        i: 100 - sacrebleu.sentence_chrf(translations[i], [references[i]]).score for i in (1, 3)
    }  # two empty sentences are equal, and no mistake
    assert TASK.format_output(ASSETS, translations[1]) == "Zwei Frauen."


@given(st.lists(st.lists(st.sampled_from("abcdeX"), max_size=6), max_size=4))
def test_targets_end_and_decoder_inputs_are_shifted(sentences):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def encode(texts):
        return TASK.encode_target(ASSETS, texts)

    numbers = [["abcde".index(w) + 4 if w != "X" else 1 for w in words] for words in sentences]
    ragged = encode(tf.constant([" ".join(words) for words in sentences], tf.string))
    assert ragged.to_list() == [[*row, 3] for row in numbers]
    targets = ragged.to_tensor(-1, shape=(None, 8))
    taught = TASK.add_decoder_inputs({"source": "kept"}, targets)
    padded = [([2, *row] + [0] * 8)[:8] for row in numbers]
    np.testing.assert_array_equal(taught["decoder_inputs"], np.reshape(padded, (-1, 8)))
    assert taught["source"] == "kept"
    assert taught["decoder_inputs"].dtype == targets.dtype


def test_tasks_add_no_decoder_inputs_by_default():
    features = {"words": tf.constant([[4]])}
    assert Task().add_decoder_inputs(features, tf.constant([1])) is features


@pytest.mark.parametrize("known", [True, False], ids=["known number", "unknown number"])
@pytest.mark.parametrize("time", [3, 0])
def test_answers_of_hypotheses_and_of_an_empty_source(known, time):
    tokens = np.array([[[4, 5, -1], [4, -1, -1], [-1, -1, -1]], [[6, 7, 8], [6, 6, 6], [4, 4, 4]]])[..., :time]
    scores = np.array([[-0.5, -1.5, -np.inf], [-9.0, -10.0, -11.0]], "float32")
    source = [[9, 3, 0], [3, 0, 0]]
    wide = tf.TensorSpec([None, 3 if known else None, None], tf.int32)

    @tf.function(input_signature=[wide, tf.TensorSpec([None, None]), tf.TensorSpec([None, None], tf.int32)])
    def decode(tokens, scores, source):
        return TASK.decode(ASSETS, Decoded(tokens, None, scores, None), {"source": source})

    decoded = {name: v.numpy() for name, v in decode(tokens, scores, source).items()}
    first, second = (TASK.answer(ASSETS, {name: v[i] for name, v in decoded.items()}) for i in (0, 1))
    best, other = ("a b", "a") if time else ("", "")
    assert first == {
        "translation": best,
        "score": -0.5,
        "alternatives": [{"translation": other, "score": -1.5}],
    }
    assert second == {"translation": "", "score": 0.0, "alternatives": []}
    assert TASK.outputs(ASSETS, decoded).tolist() == [best, ""]


def test_one_hypothesis_is_a_vector():
    outputs = Decoded(tf.constant([[[4, 5]], [[6, 7]]]), None, tf.constant([[-0.5], [-9.0]]), None)
    decoded = TASK.decode(ASSETS, outputs, {"source": tf.constant([[9, 3], [3, 0]])})
    decoded = {name: value.numpy() for name, value in decoded.items()}
    assert decoded["translation"].tolist() == [b"a b", b""]
    assert decoded["score"].tolist() == [-0.5, 0.0]
    assert TASK.answer(ASSETS, {n: v[0] for n, v in decoded.items()}) == {"translation": "a b", "score": -0.5}
    assert TASK.outputs(ASSETS, decoded).tolist() == ["a b", ""]
    nothing = TASK.decode(
        ASSETS, Decoded(tf.zeros((0, 1, 5), tf.int32), None, tf.zeros((0, 1)), None), {"source": tf.zeros((0, 4))}
    )
    assert nothing["translation"].shape == nothing["score"].shape == (0,)


def test_evaluation_against_the_translation_memory():
    train = [Example("one dog", "ein Hund", 1), Example("two cats", "zwei Katzen", 2), Example("a man", "ein Mann", 3)]
    held = [Example("one dogs", "ein großer Hund hier", 1), Example("two men", "zwei Männer und mehr", 2)]
    outputs = ["ein großer Hund da", "zwei Männer und mehr"]
    test = Source(lambda: iter(held), "test.tsv")
    decoded = {"translation": np.array([text.encode() for text in outputs], object)}
    running = RunningText(segments=None, stream=lambda predictor, source: [(list(source), decoded)])
    recipe = SimpleNamespace(capability=lambda kind: running)
    predictor = SimpleNamespace(task=TASK, assets=ASSETS, recipe=recipe)
    figures, evidence, mistakes = evaluation.evaluate(predictor, test)
    references = [e.target for e in held]
    assert figures["bleu"] == by_sacrebleu(references, outputs)["bleu"]
    assert [(m["input"], m["target"], m["label"]) for m in mistakes] == [("one dogs", references[0], outputs[0])]
    assert mistakes[0]["score"] == 100 - sacrebleu.sentence_chrf(outputs[0], references[:1]).score
    recipe = SimpleNamespace(
        chosen_metric=lambda config: ("chrf", True),
        task=lambda config: TASK,
        baselines=lambda config: {"translation_memory": lambda config: TranslationMemory()},
    )
    memory = Source(lambda: iter(train), "train.tsv")
    found = evaluation.baselines(recipe, SimpleNamespace(seed=0), ASSETS, memory, test, evidence)["translation_memory"]
    rival = by_sacrebleu(references, ["ein Hund", "zwei Katzen"])
    assert {name: found[name] for name in rival} == rival
    assert found["difference"] == by_sacrebleu(references, outputs)["chrf"] - rival["chrf"]


@given(st.lists(SENTENCES.filter(str.strip), min_size=1, max_size=8), st.lists(SENTENCES, max_size=5))
def test_translation_memory_finds_the_nearest_sentence(inputs, queries):
    def pieces(text):
        words = [f" {word} " for word in text.lower().split()]
        return Counter(word[i : i + n] for word in words for n in (1, 2, 3) for i in range(len(word) - n + 1))

    seen = [set(pieces(text)) for text in inputs]
    known = sorted(set().union(*seen))
    weight = [np.log((1 + len(inputs)) / (1 + sum(piece in s for s in seen))) + 1 for piece in known]

    def vector(text):
        found = pieces(text)
        values = np.array([1 + np.log(found[p]) if p in found else 0 for p in known]) * weight
        return values / max(np.linalg.norm(values), 1e-9)

    memory = TranslationMemory().fit(inputs, range(len(inputs)))
    memory.ROWS = 2
    for query, answer in zip(queries, memory.predict(queries), strict=True):
        cosines = np.array([vector(text) @ vector(query) for text in inputs])
        assert cosines[answer] == pytest.approx(cosines.max())
