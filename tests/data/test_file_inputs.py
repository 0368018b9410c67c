"""Inputs that are files: read side by side, left out where they are faulty, held in memory, batched."""

import threading

import numpy as np
import pytest
import tensorflow as tf

from seqtasks.data.batches import Batches
from seqtasks.data.file_inputs import Reader
from seqtasks.data.memory import array_of, keep_array
from seqtasks.data.sources import Example, Source, literal, tolerant
from seqtasks.errors import UserError


def sound(path):
    """As many numbers as the path says; `bad` is none."""
    if "bad" in path:
        raise UserError("no sound", where=path, remedy="record it again")
    return np.arange(int(path), dtype="float32")


def listed(paths):
    examples = [Example(path, "yes", n) for n, path in enumerate(paths, 1)]
    return Source(lambda: iter(examples), "here")


def reader(read=sound, limit=0):
    return Reader(read, tf.TensorSpec([None]), limit)


def test_inputs_are_read_in_order_with_errors_in_place_of_arrays():
    paths = [str(n % 7) for n in range(40)] + ["bad"]
    found = list(reader().each(listed(paths)))
    assert [example.input for example, _ in found] == paths
    for example, array in found[:-1]:
        np.testing.assert_array_equal(array, np.arange(int(example.input)))
    assert str(found[-1][1]) == "bad: no sound; record it again"


def test_files_are_read_in_parallel_and_not_far_ahead(monkeypatch):
    begun, meet = [], threading.Barrier(3)

    def slow(path):
        begun.append(path)
        meet.wait(timeout=10)  # broken, unless three threads read at once
        return np.zeros(1, "float32")

    monkeypatch.setattr("os.cpu_count", lambda: 3)
    found = reader(slow).each(str(n) for n in range(30))
    next(found)
    assert len(begun) <= 1 + 2 * 3
    assert len(list(found)) == 29


def test_unreadable_files_are_faulty_records():
    source = reader().checked(listed(["bad0", "3", "bad1", "4"]))
    for _ in range(2):
        items = list(source.read())
        assert [getattr(item, "input", None) for item in items] == [None, "3", None, "4"]
        assert [str(item.error) for item in items[::2]] == [f"bad{n}: no sound; record it again" for n in (0, 1)]
        assert items[0].repaired is None and items[0].literal is None
    with pytest.raises(UserError, match="^bad0: no sound"):
        list(literal(source))
    with pytest.warns(UserWarning) as caught:
        kept = list(tolerant(source, max_bad=0.5))
    assert [example.input for example in kept] == ["3", "4"] and len(caught) == 1
    assert str(caught[0].message) == "here: of 4 records 2 left out: bad0: no sound, bad1: no sound"
    with pytest.raises(
        UserError, match="^here: 2 of 4 records are faulty, more than --max_bad 0.01 allows: bad0: no so"
    ):
        list(tolerant(source, max_bad=0.01))


def test_files_are_read_once_to_check_them():
    reads = []

    def counted(path):
        reads.append(path)
        return sound(path)

    source = reader(counted).checked(listed(["3", "bad", "4"]))
    for _ in range(3):
        assert len(list(source.read())) == 3
    assert sorted(reads) == ["3", "4", "bad"]


def test_targets_that_do_not_match_their_inputs_are_left_out_of_training_and_count_in_evaluation():
    def fits(target, array):
        if len(array) < len(target):
            raise UserError(f"{len(array)} are too few", where="")

    source = reader().checked(listed(["3", "2", "5"]), fits)
    with pytest.warns(UserWarning, match="of 3 records 1 left out: 2: 2 are too few$"):
        assert [e.input for e in tolerant(source, max_bad=0.4)] == ["3", "5"]
    assert [e.input for e in literal(source)] == ["3", "2", "5"]


def test_arrays_are_cached_up_to_the_limit():
    reads = []

    def counted(path):
        reads.append(path)
        return sound(path)

    made = reader(counted, limit=4 * 5)
    list(made.checked(listed(["3", "4", "2"])))
    reads.clear()
    for path in ("3", "4", "2"):
        np.testing.assert_array_equal(made(path), np.arange(int(path)))
    assert reads == ["4"]


def test_arrays_that_do_not_fit_are_read_as_files_are():
    def halved(item):
        item = array_of(item) if isinstance(item, str) else item
        return (item[::2] / 2).astype("float32")

    made = Reader(halved, tf.TensorSpec([2], tf.float32))
    fitting, other = np.array([1, 2], "float32"), np.array([2, 0, 4], "int16")
    names = [keep_array(array) for array in (fitting, other)]
    for first, second in ((fitting, other), names):
        assert made(first).tolist() == [1, 2]
        assert made(second).tolist() == [1, 2] and made(second).dtype == np.float32
    assert made.batch([fitting, names[1]]).numpy().tolist() == [[1, 2], [1, 2]]
    assert made(np.array([1.0, 2.0])).tolist() == [1, 2]  # floats of another size fit
    fault = UserError("no sound")
    assert made(fault) is fault


@pytest.mark.parametrize("ragged", [True, False])
def test_batches_of_files_equal_batches_of_their_arrays(ragged):
    paths = [str(1 + n * 5 % 7) for n in range(11)]
    read = sound if ragged else (lambda path: np.full((2, 3), int(path), "float32"))
    made = Reader(read, tf.TensorSpec([None] if ragged else [2, 3]))
    source, encode = listed(paths), lambda inputs: {"x": inputs}
    batches = Batches(source, 11, encode, tf.strings.length, batch_size=4, boundary=1, reader=made)
    found = {}
    for features, target, weight, index in batches.epoch(seed=1, epoch=2):
        assert target.numpy().tolist() == [3, 3, 3, 3]
        for row, live, place in zip(features["x"].numpy(), weight.numpy(), index.numpy(), strict=True):
            if live:
                found[int(place)] = row
    assert len(found) == 11
    seen = sorted(int((row > 0).sum()) + 1 if ragged else int(row[0, 0]) for row in found.values())
    assert seen == sorted(map(int, paths))
    later = list(batches.epoch(seed=1, epoch=2, start=2))
    assert len(later) == 1
    np.testing.assert_array_equal(later[0][0]["x"], list(batches.epoch(seed=1, epoch=2))[2][0]["x"])


def test_inputs_of_one_length_are_read_a_few_batches_ahead():
    reads = []

    def counted(path):
        reads.append(path)
        return np.zeros(2, "float32")

    made = Reader(counted, tf.TensorSpec([2]))
    source, encode = listed(map(str, range(900))), lambda inputs: {"x": inputs}
    next(iter(Batches(source, 900, encode, tf.strings.length, batch_size=4, reader=made).epoch(seed=1)))
    assert 4 <= len(reads) <= 4 * 16  # where lengths differ, 256 are sorted before the first batch is cut
    assert made.together(4) == 4 and Reader(counted, tf.TensorSpec([None])).together(5) == 255
