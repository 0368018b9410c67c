"""Checkpoints and what stops a training, with a model of one weight: signals, damage, losses that are no number."""

import errno
import os
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqtasks.atomic_files import replacing
from seqtasks.engine import checkpoint
from seqtasks.engine.experiment import policy
from seqtasks.engine.loop import Loop, _Watch
from seqtasks.engine.signals import Terminated
from seqtasks.errors import UserError
from seqtasks.optimizers import AdamW
from seqtasks.options import Options


class Batches:
    """Three batches of one row each, of which one may hold another input."""

    def __init__(self, strange=1.0):
        self.inputs = tf.reshape([1.0, 2.0, strange], (3, 1, 1))

    def __len__(self):
        return 3

    def epoch(self, seed, epoch, start):
        return tf.data.Dataset.from_tensor_slices((self.inputs, tf.ones((3, 1, 1)))).skip(start)


def make(directory, strange=1.0, validate=lambda: {"m": 0.5}, rate=0.02, **options):
    """A loop whose checkpoints are in a folder."""
    (directory / "checkpoints").mkdir(exist_ok=True)
    config = Options(**{"epochs": 3, "patience": 0, "evaluate_every": 1, "keep": "last"} | options)
    with policy(config.precision):
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="zeros")])
        model.compile(AdamW(rate, ema=0.5), "mse")
    model.optimizer.build(model.trainable_variables)
    return Loop(model, Batches(strange), lambda x, y: (x, y), validate, config, "m", True, directory)


def outcome(loop):
    """Weights and history, without times."""
    return [w.tolist() for w in loop.model.get_weights()], [row | {"seconds": 0} for row in loop.state["rows"]]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    loop = make(tmp_path_factory.mktemp("whole"))
    loop.run()
    return outcome(loop)


def resumed(directory, **options):
    loop = make(directory, **options)
    assert loop.resume()
    loop.run()
    return outcome(loop)


def at(epoch, step, act, monkeypatch):
    """Do something at the end of a step, after the loop has looked for signals and written its checkpoint."""
    end = _Watch.on_train_batch_end

    def acting(watch, batch, logs=None):
        end(watch, batch, logs)
        if (watch.loop.state["epoch"], watch.loop.state["step"]) == (epoch, step):
            act()

    monkeypatch.setattr(_Watch, "on_train_batch_end", acting)


@pytest.mark.parametrize(("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)])
@pytest.mark.parametrize(("epoch", "step"), [(0, 3), (1, 2)])
def test_a_signal_in_a_step_is_resumed(epoch, step, number, error, whole, tmp_path, monkeypatch):
    before = signal.getsignal(number)
    with monkeypatch.context() as patch, pytest.raises(error) as caught:
        at(epoch, step, lambda: signal.raise_signal(number), patch)
        make(tmp_path).run()
    assert type(caught.value) is error and signal.getsignal(number) is before
    assert resumed(tmp_path) == whole


@pytest.mark.parametrize("evaluation", [1, 3])
def test_a_signal_in_the_validation_stops_it_at_once_and_is_resumed(evaluation, whole, tmp_path):
    calls = []

    def validate():
        calls.append(0)
        if len(calls) == evaluation:
            signal.raise_signal(signal.SIGTERM)
            calls.append("after the signal")
        return {"m": 0.5}

    with pytest.raises(Terminated):
        make(tmp_path, validate=validate).run()
    assert calls == [0] * evaluation
    assert resumed(tmp_path) == whole


def test_epochs_without_an_evaluation_are_resumed_with_their_losses(tmp_path, monkeypatch):
    loop = make(tmp_path / "..", evaluate_every=3)
    loop.run()
    with monkeypatch.context() as patch, pytest.raises(Terminated):
        at(1, 2, lambda: signal.raise_signal(signal.SIGTERM), patch)
        make(tmp_path, evaluate_every=3).run()
    assert resumed(tmp_path, evaluate_every=3) == outcome(loop)


class Killed(Exception):
    """Ends a training as a crash does."""


def crash():
    raise Killed


@pytest.mark.parametrize("step", [(0, 3), (1, 3), (2, 2)])
def test_a_crash_is_resumed_from_the_checkpoint_of_that_step(step, whole, tmp_path, monkeypatch):
    """At the last step of an epoch the checkpoint is older than the evaluation of the epoch."""
    with monkeypatch.context() as patch, pytest.raises(Killed):
        at(*step, crash, patch)
        make(tmp_path, checkpoint_steps=1).run()
    assert resumed(tmp_path, checkpoint_steps=1) == whole


def test_half_precision_is_resumed_with_the_scale_of_its_loss(tmp_path, monkeypatch):
    options = {"checkpoint_steps": 1, "precision": "mixed_float16"}
    (tmp_path / "half").mkdir()
    half = make(tmp_path / "half", **options)
    half.run()
    with monkeypatch.context() as patch, pytest.raises(Killed):
        at(1, 2, crash, patch)
        make(tmp_path, **options).run()
    assert resumed(tmp_path, **options) == outcome(half)


def stopped(directory, monkeypatch):
    """A training that crashed with two checkpoints; returns their files, the newest first."""
    with monkeypatch.context() as patch, pytest.raises(Killed):
        at(1, 2, crash, patch)
        make(directory, checkpoint_steps=1).run()
    return checkpoint.Checkpoints(directory / "checkpoints").paths()


def test_the_checkpoint_before_a_damaged_one_is_taken(whole, tmp_path, monkeypatch, caplog):
    newest, before = stopped(tmp_path, monkeypatch)
    newest.write_bytes(newest.read_bytes()[:-50])
    assert resumed(tmp_path) == whole
    assert f"{newest} is damaged (BadZipFile: File is not a zip file): the checkpoint before" in caplog.text
    assert before.name == "00001-00000001.npz"


def test_damaged_checkpoints_are_named(tmp_path, monkeypatch):
    for path in stopped(tmp_path, monkeypatch):
        path.write_bytes(b"")
    with pytest.raises(UserError) as caught:
        make(tmp_path).resume()
    assert str(caught.value) == (
        f"{tmp_path}/checkpoints: the checkpoints are damaged (00001-00000002.npz, 00001-00000001.npz); "
        "train a new run, or begin again with --overwrite"
    )


def test_no_damage_goes_unnoticed(tmp_path):
    path = tmp_path / "1.npz"
    arrays, state = [np.arange(12.0).reshape(3, 4), np.array(7), np.zeros(0)], {"step": 3}
    checkpoint.save(path, arrays, state)
    whole, noticed = path.read_bytes(), 0
    cut = [whole[:size] for size in range(0, len(whole), 37)]
    flipped = [whole[:i] + bytes([whole[i] ^ 255]) + whole[i + 1 :] for i in range(0, len(whole), 7)]
    for content in [*cut, *flipped, b"x" * 999]:
        path.write_bytes(content)
        try:
            found = checkpoint.load(path)
        except checkpoint.Damaged:
            noticed += 1
            continue
        assert found[1] == state  # only what means nothing was changed, such as the date of a member
        for array, other in zip(arrays, found[0], strict=True):
            np.testing.assert_array_equal(array, other)
    assert noticed > len(cut) + len(flipped) / 2


def test_a_checksum_notices_other_content(tmp_path, monkeypatch):
    """A file that is a whole archive, but not that of the arrays that were saved."""
    monkeypatch.setattr(checkpoint, "_digest", lambda arrays, text: b"0" * 32)
    checkpoint.save(tmp_path / "1.npz", [np.ones(2)])
    monkeypatch.undo()
    with pytest.raises(checkpoint.Damaged, match="the checksum differs"):
        checkpoint.load(tmp_path / "1.npz")


def test_checkpoints_are_written_by_time_and_the_last_are_kept(tmp_path):
    loop = make(tmp_path, epochs=1, checkpoint_minutes=1e-9, checkpoint_count=3)
    (tmp_path / "checkpoints" / ".123.00000-00000001.npz").write_bytes(b"of a process that was killed")
    loop.run()
    names = [path.name for path in sorted((tmp_path / "checkpoints").iterdir())]
    assert names == ["00000-00000002.npz", "00000-00000003.npz", "00001-00000000.npz"]
    loop = make(tmp_path, epochs=1, checkpoint_minutes=60, checkpoint_count=9)
    loop.checkpoints.clear()
    loop.run()
    assert [path.name for path in loop.checkpoints.paths()] == ["00001-00000000.npz"]


def test_a_batch_that_holds_nan_stops_the_training(tmp_path):
    with pytest.raises(UserError) as caught:
        make(tmp_path, strange=float("nan"), checkpoint_steps=1).run()
    kept = tmp_path / "checkpoints" / "00000-00000002.npz"
    assert str(caught.value) == (
        "epoch 1, step 3 of 3: the loss is nan; the batch (seed 0, epoch 0, step 2) holds values that are not finite: "
        f"correct the data; the last good weights are kept in {kept}; train a new run"
    )
    assert all(np.isfinite(array).all() for array in checkpoint.load(kept)[0])


def test_weights_that_are_lost_are_not_saved(tmp_path):
    """The loss of the step before is still a number."""
    loop = make(tmp_path, checkpoint_steps=1)
    loop.model.optimizer.epsilon = float("nan")
    with pytest.raises(UserError, match=r"epoch 1, step 1 of 3: a weight is not a finite number; .* holds finite"):
        loop.run()
    assert loop.checkpoints.paths() == []


def test_a_file_is_on_the_disk_before_its_name_is(tmp_path, monkeypatch):
    calls, fsync, replace = [], os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda n: calls.append(os.readlink(f"/proc/self/fd/{n}")) or fsync(n))
    monkeypatch.setattr(os, "replace", lambda a, b: calls.append("renamed") or replace(a, b))
    with replacing(tmp_path / "a.txt") as temporary:
        temporary.write_text("whole")
    assert calls == [str(temporary), "renamed", str(tmp_path)]


def test_a_disk_that_is_full_when_it_syncs_is_told(tmp_path, monkeypatch):
    def fsync(number):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(UserError, match="no space left on the device"), replacing(tmp_path / "a.txt") as temporary:
        temporary.write_text("whole")
    assert list(tmp_path.iterdir()) == []
