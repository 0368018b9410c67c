"""Keras callbacks of a training: they see the epochs of the run as one `fit`."""

import csv

import keras
import pytest
import tensorflow as tf

import seqtasks
from seqtasks.engine.callbacks import callback_list
from seqtasks.engine.loop import Loop
from seqtasks.errors import UserError
from seqtasks.optimizers import AdamW, schedule
from seqtasks.options import Options
from tests.reviews import SMALL

pytestmark = pytest.mark.usefixtures("no_reports")
FIELDS = SMALL | {"epochs": 3, "patience": 0, "checkpoint_steps": 500}


class Recorder(keras.callbacks.Callback):
    """Notes every call with its arguments."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def on_train_begin(self, logs=None):
        self.calls.append(("train begins", dict(self.params)))

    def on_train_end(self, logs=None):
        self.calls.append(("train ends", logs))

    def on_epoch_begin(self, epoch, logs=None):
        self.calls.append(("epoch begins", epoch))

    def on_epoch_end(self, epoch, logs=None):
        self.calls.append(("epoch ends", epoch, dict(logs)))

    def on_train_batch_begin(self, batch, logs=None):
        self.calls.append(("batch begins", batch))

    def on_train_batch_end(self, batch, logs=None):
        self.calls.append(("batch ends", batch, dict(logs)))

    def named(self, name):
        return [call[1:] for call in self.calls if call[0] == name]


@pytest.fixture(scope="module")
def watched(reviews, tmp_path_factory):
    """A run of three epochs with a recorder and callbacks of Keras that write files."""
    folder, recorder = tmp_path_factory.mktemp("watched"), Recorder()
    written = [
        keras.callbacks.CSVLogger(str(folder / "log.csv")),
        keras.callbacks.TensorBoard(str(folder / "board")),
        keras.callbacks.ModelCheckpoint(str(folder / "{epoch}-{val_accuracy:.3f}.keras")),
        keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: (folder / f"epoch{epoch}").touch()),
    ]
    run = seqtasks.train("sentiment", data=reviews, run=folder / "run", callbacks=[recorder, *written], **FIELDS)
    return run, recorder, folder


def rows(path):
    return list(csv.DictReader(path.open()))


def test_the_order_of_calls_is_that_of_fit(watched, reviews):
    run, recorder, _ = watched
    steps = -(-run.metrics["train"]["examples"] // FIELDS["batch_size"])
    reference, model = Recorder(), keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    data = keras.ops.ones((steps, 1))
    model.fit(data, data, validation_data=(data, data), batch_size=1, epochs=3, verbose=0, callbacks=[reference])
    assert [call[0] for call in recorder.calls] == [call[0] for call in reference.calls]
    for name in ("train begins", "epoch begins", "batch begins"):
        assert recorder.named(name) == reference.named(name), name
    assert [batch for batch, _ in recorder.named("batch ends")] == [batch for batch, _ in reference.named("batch ends")]
    assert recorder.model is not None


def test_the_logs_are_the_figures_of_the_history(watched):
    run, recorder, _ = watched
    history = rows(run.directory / "history.csv")
    for row, (epoch, logs) in zip(history, recorder.named("epoch ends"), strict=True):
        assert int(row["epoch"]) == epoch + 1
        assert logs["loss"] == pytest.approx(float(row["loss"]))
        assert logs["val_accuracy"] == float(row["validation_accuracy"])
        assert logs["val_log_loss"] == float(row["validation_log_loss"])
        assert set(logs) == {"loss"} | {f"val_{n[11:]}" for n in row if n.startswith("validation_")} - {"val_seconds"}
    assert recorder.named("train ends") == [(recorder.named("epoch ends")[-1][1],)]


def test_callbacks_of_keras_write_their_files(watched):
    _, recorder, folder = watched
    accuracies = [logs["val_accuracy"] for _, logs in recorder.named("epoch ends")]
    assert [float(row["val_accuracy"]) for row in rows(folder / "log.csv")] == accuracies
    assert [row["epoch"] for row in rows(folder / "log.csv")] == ["0", "1", "2"]
    assert list((folder / "board").rglob("*tfevents*"))
    assert all((folder / f"epoch{epoch}").exists() for epoch in range(3))
    assert len(list(folder.glob("*.keras"))) == 3


def test_a_checkpoint_of_keras_has_the_weights_that_were_validated(watched):
    run, _, folder = watched
    best = run.metrics["train"]["best_epoch"]
    (path,) = folder.glob(f"{best}-*.keras")
    saved = keras.models.load_model(path, compile=False).get_weights()
    assert all((a == b).all() for a, b in zip(saved, run.model.get_weights(), strict=True))


@pytest.mark.slow
def test_early_stopping_ends_a_finetuning_and_it_stays_ended_when_resumed(small_run, reviews, tmp_path):
    stop, recorder = keras.callbacks.EarlyStopping(monitor="val_accuracy", min_delta=1.0, patience=1), Recorder()
    options = {"epochs": 9, "patience": 0, "checkpoint_keep": True, "callbacks": [stop]}
    run = seqtasks.finetune(small_run.directory, data=reviews, new=tmp_path / "run", **options)
    assert stop.mode == "max" and stop.stopped_epoch == 1
    assert run.metrics["train"]["stopped"] == "callback" and run.metrics["train"]["epochs"] == 2
    (run.directory / "metrics.json").unlink()
    again = seqtasks.train("sentiment", run=run.directory, resume=True, callbacks=[recorder])
    assert again.metrics["train"]["epochs"] == 2 and recorder.calls == []


class Batches:
    """Six batches of one row."""

    def __len__(self):
        return 6

    def epoch(self, seed, epoch, start):
        return tf.data.Dataset.from_tensor_slices((tf.ones((6, 1, 1)), tf.ones((6, 1, 1)))).skip(start)


def loop(directory, callbacks, **options):
    """The loop of a model with one weight."""
    (directory / "checkpoints").mkdir(exist_ok=True)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    config = Options(**{"patience": 0, "evaluate_every": 1} | options)
    model.compile(AdamW(schedule(config.schedule, 0.01, 100)), "mse")
    model.optimizer.build(model.trainable_variables)
    found = callback_list(callbacks, model, config.epochs, 6, ["error"], ["error"])
    given = model, Batches(), lambda x, y: (x, y), lambda: {"error": 0.5}, config, "error", False, directory
    return Loop(*given, found)


def when(batch_of_stop, action):
    """A callback that acts at the end of a step."""
    act = lambda batch, logs: action(callback) if batch == batch_of_stop else None  # noqa: E731
    callback = keras.callbacks.LambdaCallback(on_train_batch_end=act)
    return callback


def test_a_callback_ends_the_training_in_the_middle_of_an_epoch(tmp_path):
    recorder = Recorder()
    one = loop(tmp_path, [recorder, when(3, lambda callback: setattr(callback.model, "stop_training", True))], epochs=4)
    one.run()
    assert recorder.named("batch begins") == [(0,), (1,), (2,), (3,)]
    assert len(recorder.named("epoch ends")) == len(recorder.named("train ends")) == 1
    assert one.state["stopped"] == "callback" and len(one.state["rows"]) == 1


def test_a_callback_that_ends_the_training_between_two_evaluations_gets_one(tmp_path):
    end = lambda epoch, logs: setattr(callback.model, "stop_training", epoch == 1)  # noqa: E731
    recorder, callback = Recorder(), keras.callbacks.LambdaCallback(on_epoch_end=end)
    one = loop(tmp_path, [recorder, callback], epochs=8, evaluate_every=4)
    one.run()
    assert [sorted(logs) for _, logs in recorder.named("epoch ends")] == [["loss"], ["loss"]]
    assert [row["epoch"] for row in one.state["rows"]] == [2] and one.state["best_epoch"] == 2
    assert one.state["stopped"] == "callback" and one.state["epoch"] == 2


class Crash(Exception):
    """Ends a training as a crash does."""


def test_callbacks_of_a_resumed_run_see_the_true_epoch_and_step(tmp_path):
    def crash(callback):
        if counter.named("epoch begins") == [(0,), (1,)]:
            raise Crash

    counter, recorder, options = Recorder(), Recorder(), {"epochs": 3, "checkpoint_steps": 3}
    with pytest.raises(Crash):
        loop(tmp_path, [counter, when(4, crash)], **options).run()
    resumed = loop(tmp_path, [recorder], **options)
    resumed.resume()
    resumed.run()
    assert recorder.named("epoch begins") == [(1,), (2,)]
    assert recorder.named("batch begins")[0] == (3,)  # the checkpoint is that of the third step
    assert len(recorder.named("train begins")) == 1 and len(resumed.state["rows"]) == 3


def test_a_plateau_lowers_the_rate_where_it_is_constant(tmp_path):
    plateau = keras.callbacks.ReduceLROnPlateau(monitor="val_error", factor=0.5, patience=1)
    one = loop(tmp_path, [plateau], epochs=3, schedule="constant")
    one.run()
    rates = [row["learning_rate"] for row in one.state["rows"]]
    assert plateau.mode == "min" and rates == pytest.approx([0.01, 0.01, 0.005])


@pytest.mark.parametrize(
    ("callback", "text"),
    [
        (keras.callbacks.ReduceLROnPlateau(monitor="val_error"), "ReduceLROnPlateau: cannot change the learning"),
        (keras.callbacks.LearningRateScheduler(lambda epoch: 0.1), "take schedule='constant' and warmup=0"),
        (keras.callbacks.BackupAndRestore("x"), "BackupAndRestore: a run keeps checkpoints itself"),
        (
            keras.callbacks.EarlyStopping(),
            "EarlyStopping: there is no 'val_loss' to monitor; known are: loss, val_error",
        ),
        (keras.callbacks.EarlyStopping(monitor="val_accuracy"), "no 'val_accuracy' to monitor"),
        (keras.callbacks.EarlyStopping, "is not a Keras callback; give a list of instances"),
    ],
)
def test_a_callback_that_cannot_work_is_refused(tmp_path, callback, text):
    with pytest.raises(UserError, match=text):
        loop(tmp_path, [callback], epochs=3, schedule="linear")


def test_a_callback_is_checked_before_anything_is_written(reviews, tmp_path):
    with pytest.raises(UserError, match="known are: loss, val_accuracy, val_macro_f1"):
        stop = keras.callbacks.EarlyStopping()
        seqtasks.train("sentiment", data=reviews, run=tmp_path / "run", callbacks=[stop], **FIELDS)
    assert not (tmp_path / "run").exists()
