"""The transcription task: texts, times and scores against a Python loop, metrics against an edit distance."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax

from seqtasks.data.sources import Example, Source
from seqtasks.speech.task import Transcription, character_vocabulary

ASSETS = {"characters": character_vocabulary(["aé b"])}
NAMES = ASSETS["characters"].tokens


def answers(logits, search=None):
    task = Transcription(0.02, search)
    decoded = {n: v.numpy() for n, v in task.decode(ASSETS, tf.constant(logits), {}).items()}
    found = [task.answer(ASSETS, {n: v[i] for n, v in decoded.items()}) for i in range(len(logits))]
    assert task.outputs(ASSETS, decoded).tolist() == [answer["text"] for answer in found]
    return found


def greedy(logits):
    """Greedy decoding of one row: characters (name, first, last, confidence), and the words that they form."""
    shares, letters, frame = softmax(logits, -1), [], 0
    for best, run in itertools.groupby(logits.argmax(-1)):
        end = frame + len(list(run))
        if best:
            letters.append((NAMES[best], frame, end - 1, shares[frame:end, best].mean()))
        frame = end
    groups = itertools.groupby(letters, lambda letter: letter[0] == " ")
    return letters, [list(group) for space, group in groups if not space]


def geometric_mean(letters):
    return np.exp(np.mean([np.log(letter[3]) for letter in letters]))


@given(st.integers(0, 2**32 - 1), st.integers(1, 12))
def test_words_times_and_scores_match_a_python_loop(seed, frames):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(5, frames, 5)) * 3
    logits[0, :, 0] += 20  # only blanks
    for row, answer in zip(logits, answers(logits), strict=True):
        letters, words = greedy(row)
        assert answer["text"] == " ".join("".join(letter[0] for letter in word) for word in words)
        assert " ".join(word["word"] for word in answer["words"]) == answer["text"]
        for word, found in zip(words, answer["words"], strict=True):
            assert (found["start"], found["end"]) == pytest.approx(
                (0.02 * word[0][1], 0.02 * (word[-1][2] + 1)), abs=1e-3
            )
            assert found["score"] == pytest.approx(geometric_mean(word), rel=1e-5)
        blanks = softmax(row, -1)[:, 0].prod()
        assert answer["score"] == pytest.approx(geometric_mean(letters) if letters else blanks, rel=1e-5)


def test_labels_of_a_search_are_aligned():
    logits = np.log(np.array([[[0.4, 0.1, 0.1, 0.3, 0.1], [0.4, 0.1, 0.1, 0.3, 0.1]]]))
    assert answers(logits)[0]["text"] == ""
    (answer,) = answers(logits, lambda characters, logits: tf.constant([[3]]))
    assert answer["text"] == NAMES[3]
    assert answer["words"][0]["score"] == pytest.approx(0.3)


def test_encode_target_drops_unknown_characters():
    found = Transcription(1).encode_target(ASSETS, tf.constant(["é b", "zzaz", ""]))
    numbers = {name: number for number, name in enumerate(NAMES)}
    assert found.to_list() == [[numbers["é"], numbers[" "], numbers["b"]], [numbers["a"]], []]


def distance(one, other):
    """The edit distance of two sequences, by dynamic programming."""
    table = np.zeros((len(one) + 1, len(other) + 1), int)
    table[:, 0], table[0] = np.arange(len(one) + 1), np.arange(len(other) + 1)
    for i, j in itertools.product(range(len(one)), range(len(other))):
        table[i + 1, j + 1] = min(table[i, j] + (one[i] != other[j]), table[i, j + 1] + 1, table[i + 1, j] + 1)
    return table[-1, -1]


TEXTS = st.lists(st.sampled_from(["a", "bé", "b", "aa"]), max_size=4).map(" ".join)


@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=6), st.integers(0, 99))
def test_metrics_are_total_edits_over_total_length(pairs, seed):
    task = Transcription(1)
    targets, outputs = (task.targets(None, side) for side in zip(*pairs, strict=True))
    figures = task.compute_metrics(None, targets, outputs)
    words = [(t.split(), o.split()) for t, o in pairs]
    for name, sides in (("wer", words), ("cer", pairs)):
        edits, length = sum(distance(*pair) for pair in sides), sum(len(t) for t, _ in sides)
        assert figures[name] == pytest.approx(edits / max(length, 1))
    assert figures["accuracy"] == np.mean([t == o for t, o in pairs])
    assert figures["hits"] + figures["substitutions"] + figures["deletions"] == sum(len(t) for t, _ in words)
    assert figures["insertions"] - figures["deletions"] == sum(len(o) - len(t) for t, o in words)
    indices = np.random.default_rng(seed).integers(len(pairs), size=len(pairs))
    evidence, again = (
        task.statistics(None, targets, outputs),
        task.compute_metrics(None, targets[indices], outputs[indices]),
    )
    for name, metric in task.metrics.items():
        assert metric(*(array[indices] for array in evidence)) == pytest.approx(again[name])
    wrong = task.worst_examples(None, targets, outputs)
    assert {i for _, i in wrong} == {i for i, (t, o) in enumerate(pairs) if t != o}
    assert all(grade == pytest.approx(distance(*pairs[i]) / max(len(pairs[i][0]), 1)) for grade, i in wrong)


def test_texts_with_unknown_characters_are_reported():
    texts = ["a b", "añb", "b", "ñß"]
    source = Source(lambda: (Example(f"{i}.wav", text, i) for i, text in enumerate(texts, 1)), "test.tsv")
    with pytest.warns(UserWarning, match=r"test.tsv: 2 texts have characters .*\(ñß\).* first at test.tsv:2"):
        Transcription(1).check(ASSETS, source)
