"""Running text in lanes, against plain Python."""

import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from seqtasks.data import segments
from seqtasks.data.segments import Segments
from seqtasks.data.sources import Example, Source
from seqtasks.data.token_ids import BOS, EOS

TOKENS = 8


def encode(texts):
    """Code points as numbers."""
    return tf.strings.unicode_decode(texts, "UTF-8")


PIECES = st.lists(st.integers(4, TOKENS - 1), max_size=4)
DOCUMENTS = st.lists(st.lists(PIECES, min_size=1, max_size=3), min_size=1, max_size=4)


def texts(documents, ended=True):
    """A source of documents, lists of pieces; and their pieces with what ends them."""
    rows = []
    for document in documents:
        rows += [(piece, "end" * (i + 1 == len(document))) for i, piece in enumerate(document)]
    rows[-1] = rows[-1][0], "end" * ended
    examples = [Example("".join(map(chr, piece)), end, i) for i, (piece, end) in enumerate(rows)]
    return Source(lambda: iter(examples), "memory"), [piece + [EOS] * (end == "end") for piece, end in rows]


def mirrored(source):
    """A source that reads forward what `source` reads backward: an end is where a document began."""
    examples = list(source)
    began = [examples[i - 1].target for i in range(len(examples))]  # the first one if the last document ends
    turned = [Example(e.input[::-1], end, e.place) for e, end in zip(examples, began, strict=True)][::-1]
    return Source(lambda: iter(turned), "memory")


def read(numbers, place):
    """(what is shown before a place of a stream that begins again at its end, the number there)."""
    at = place % len(numbers)
    return BOS if at == 0 or numbers[at - 1] == EOS else numbers[at - 1], numbers[at]


@settings(max_examples=8)
@given(DOCUMENTS, st.booleans(), st.integers(1, 4), st.integers(1, 5), st.sampled_from([None, 0, 1]), st.integers(0, 2))
def test_segments_read_the_whole_stream_in_rows(documents, ended, lanes, length, seed, start):
    source, pieces = texts(documents, ended)
    numbers = sum(pieces, [])
    assume(numbers)
    segments = Segments(source, encode, lanes, length)
    assert segments.stream.tolist() == numbers and segments.sizes.tolist() == [len(piece) for piece in pieces]
    assert len(segments) == math.ceil(len(numbers) / (lanes * length))

    def batches(offset):
        for step in range(len(segments)):
            firsts = [offset + lane * len(numbers) // lanes + step * length for lane in range(lanes)]
            yield [[read(numbers, first + i) for i in range(length)] for first in firsts]

    dataset = segments.epoch(seed, 1, start)
    features, following, weights, rows = zip(*dataset, strict=True) if len(dataset) else [()] * 4
    assert len(dataset) == len(following) == max(0, len(segments) - start)
    assert all(np.allclose(w, 1 / length) for w in weights) and all(r.numpy().tolist() == [*range(lanes)] for r in rows)
    found = [np.stack([f["decoder_inputs"], y], -1).tolist() for f, y in zip(features, following, strict=True)]
    possible = [[*batches(offset)] for offset in range(1 if seed is None else len(numbers))]
    assert np.asarray(found).tolist() in [np.asarray(plain[start:]).tolist() for plain in possible]
    assert all({n for batch in plain for row in batch for _, n in row} == set(numbers) for plain in possible)


def test_epochs_start_at_other_offsets_and_rows_have_other_variants():
    numbers = list(range(4, 54))
    source, _ = texts([[numbers]])
    variants = np.stack([np.arange(54), [*range(4), *range(53, 3, -1)]]).astype("int32")
    segments = Segments(source, encode, 3, 17, variants)  # each epoch is one batch
    variant_ids = [[*row[4:].tolist(), EOS] for row in variants]

    def epoch(*arguments):
        ((features, following, *_),) = segments.epoch(*arguments)
        found = np.stack([features["decoder_inputs"], following], -1).tolist()
        ways = [(offset, lane, v) for offset in range(51) for lane in range(3) for v in range(2)]
        plain = {way: [list(read(variant_ids[way[2]], way[0] + way[1] * 17 + i)) for i in range(17)] for way in ways}
        return [[(o, v) for o, lane, v in ways if lane == row and plain[o, lane, v] == found[row]] for row in range(3)]

    assert epoch() == [[(0, 0)]] * 3
    seen = [epoch(5, number) for number in range(6)]
    assert seen[2] == epoch(5, 2) != epoch(6, 2)
    assert all(len(row) == 1 for lanes in seen for row in lanes)
    assert all(len({offset for ((offset, _),) in lanes}) == 1 for lanes in seen)
    assert len({lanes[0][0][0] for lanes in seen}) > 3
    assert len({tuple(v for ((_, v),) in lanes) for lanes in seen}) > 2


def test_ids_of_many_chunks_and_of_no_chunk(monkeypatch):
    monkeypatch.setattr(segments, "CHUNK", 2)
    source, pieces = texts([[[4], [], [5, 6]], [[]], [[7, 7]]])
    found, sizes = segments.numbers(source, encode)
    assert found.tolist() == sum(pieces, []) and sizes.tolist() == [1, 0, 3, 1, 3]
    found, sizes = segments.numbers(Source(lambda: iter(()), "memory"), encode)
    assert found.shape == sizes.shape == (0,)


def test_two_documents_read_from_their_end_by_hand():
    source, _ = texts([[[4, 5], [6]], [[7]]])
    segments = Segments(source, encode, rows=1, length=3, backward=True)
    assert segments.stream.tolist() == [7, EOS, 6, 5, 4, EOS] and segments.sizes.tolist() == [3, 1, 2]
    found = [(f["decoder_inputs"].numpy().tolist(), y.numpy().tolist()) for f, y, *_ in segments.epoch()]
    assert found == [([[BOS, 7, BOS]], [[7, EOS, 6]]), ([[6, 5, 4]], [[5, 4, EOS]])]
    source, _ = texts([[[4, 5], [6]], [[7]]], ended=False)  # the last document goes on after the source
    segments = Segments(source, encode, rows=1, length=3, backward=True)
    assert segments.stream.tolist() == [7, EOS, 6, 5, 4] and segments.sizes.tolist() == [2, 1, 2]


@settings(max_examples=8)
@given(DOCUMENTS, st.booleans(), st.integers(1, 3))
def test_reading_backward_is_reading_the_mirrored_source_forward(documents, ended, chunk):
    source, pieces = texts(documents, ended)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segments, "CHUNK", chunk)
        found, sizes = segments.numbers(source, encode, backward=True)
        expected, reversed_sizes = segments.numbers(mirrored(source), encode)
    assert found.tolist() == expected.tolist() and sizes.tolist() == reversed_sizes.tolist()[::-1]
    assert sorted(found.tolist()) == sorted(sum(pieces, []))
