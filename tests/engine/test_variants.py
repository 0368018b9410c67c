"""Several runs by one command: each is the run that it would be alone, and the folder of both is known everywhere."""

import json
import shutil

import keras
import numpy as np
import pytest

import seqtasks
from seqtasks.cli.main import main
from seqtasks.engine.experiment import Experiment
from seqtasks.engine.pretrained import Pretrained
from seqtasks.errors import UserError
from seqtasks.recipe import load_recipe

pytestmark = pytest.mark.usefixtures("no_reports")
TEXTS = ["a fine film", "a lovely old story", "fine acting and a fine end", "dull acting", "a boring story", "an end"]
TINY = {
    "units": 6,
    "dimension": 5,
    "layers": 1,
    "epochs": 1,
    "batch_size": 2,
    "gradient_flow": False,
    "cell": "simple_rnn",
}
OPTIONS = {**TINY, "document": "line", "vocabulary": "word", "checkpoint_keep": True}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("texts")
    for name in ("train", "valid", "test"):
        (folder / f"{name}.txt").write_text("\n".join(TEXTS) + "\n")
    return folder


@pytest.fixture(scope="module")
def both(data, tmp_path_factory):
    """The folder of a forward and a backward language model."""
    folder = tmp_path_factory.mktemp("runs") / "lm"
    found = seqtasks.train("language_model", data, folder, direction="both", quiet=True, **OPTIONS)
    assert {name: run.directory for name, run in found.items()} == {
        name: folder / name for name in ("forward", "backward")
    }
    return folder


def weights(run):
    return seqtasks.load_run(run).model.get_weights()


def assert_equal_weights(first, second):
    for one, other in zip(weights(first), weights(second), strict=True):
        np.testing.assert_array_equal(one, other)


def message(function, *arguments, **fields):
    with pytest.raises(UserError) as found:
        function(*arguments, **fields)
    return str(found.value)


@pytest.mark.slow
def test_each_run_is_the_one_of_its_direction_alone(both, data, tmp_path):
    alone = seqtasks.train("language_model", data, tmp_path / "alone", direction="forward", quiet=True, **OPTIONS)
    assert_equal_weights(both / "forward", alone.directory)
    configs = [seqtasks.load_run(path).config for path in (both / "forward", both / "backward", alone.directory)]
    assert configs[0] == configs[2] and [config.direction for config in configs[:2]] == ["forward", "backward"]
    tokens = [(path / "encoder" / "tokens.txt").read_text() for path in (both / "forward", both / "backward")]
    assert tokens[0] == tokens[1] == alone.assets["tokens"].text()
    assert not np.array_equal(weights(both / "forward")[0], weights(both / "backward")[0])


def test_vocabularies_are_learnt_once(data, monkeypatch):
    recipe, learnt = load_recipe("language_model"), []
    monkeypatch.setattr("seqtasks.text.tokenizer.Tokenizer.learn", counted(learnt))
    config = {"direction": "both", "document": "line", "units": 4, "dimension": 4, "layers": 1}
    found = seqtasks.train(recipe.name, data, dry_run=True, quiet=True, **config)
    assert list(found) == ["forward", "backward"] and found["forward"] == found["backward"] and len(learnt) == 1
    assert found["forward"]["data"]["train"]["examples"] == 6


def counted(calls):
    from seqtasks.text.tokenizer import Tokenizer

    learn = Tokenizer.learn

    def counting(*arguments):
        calls.append(arguments)
        return learn(*arguments)

    return counting


@pytest.mark.slow
def test_resuming_after_a_checkpoint(both, tmp_path):
    folder = shutil.copytree(both, tmp_path / "lm")
    for name in ("model.keras", "metrics.json"):
        (folder / "backward" / name).unlink()
    seqtasks.train("language_model", run=folder, resume=True, quiet=True)
    assert_equal_weights(folder / "backward", both / "backward")


def test_resuming_finishes_what_is_unfinished(both, data, tmp_path, capsys):
    folder = tmp_path / "lm"
    shutil.copytree(both, folder)
    shutil.rmtree(folder / "backward")  # stopped before the second one
    kept = (folder / "forward" / "model.keras").stat().st_mtime_ns
    assert main(["train", "language_model", "--resume", "--run", str(folder), "--direction", "both", "--quiet"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["run"] == str(folder) and shown["recipe"] == "language_model"
    assert {name: run["run"] for name, run in shown["runs"].items()} == {
        name: str(folder / name) for name in ("forward", "backward")
    }
    assert_equal_weights(folder / "backward", both / "backward")
    assert (folder / "forward" / "model.keras").stat().st_mtime_ns == kept
    assert (folder / "backward" / "config.yaml").read_text() == (both / "backward" / "config.yaml").read_text()


def test_resuming_with_other_options_or_data_is_refused(both, data, tmp_path):
    def resume(run, data=None, **fields):
        return message(seqtasks.train, "language_model", data, run, resume=True, quiet=True, **fields)

    assert resume(both, units=7) == "--units: the run was started with 6; leave the option out, or train a new run"
    assert resume(both, direction="forward").startswith("--direction: the run was started with both;")
    assert resume(both, tmp_path).startswith("--data: the run was started on other data;")
    folder = shutil.copytree(both, tmp_path / "lm")
    shutil.rmtree(folder / "backward")
    train = data / "train.txt"
    before = train.read_text()
    train.write_text("another text\nthan before\n")
    assert resume(folder) == f"{train}: the data has changed since the run began; train a new run"
    train.write_text(before)
    shutil.rmtree(folder / "forward")
    assert resume(folder) == f"{folder}: no run in it has begun; train again with --overwrite"


@pytest.mark.parametrize("command", ["predict", "score", "export", "evaluate", "report", "generate", "finetune"])
def test_commands_on_one_run_ask_for_its_name(both, capsys, command):
    assert main([command, str(both), *(["a text"] if command in ("predict", "score", "export") else [])]) == 2
    told = f"seqtasks: {both}: holds 2 runs (forward, backward); name one, such as {both / 'forward'}\n"
    assert capsys.readouterr() == ("", told)


def test_what_takes_one_run_refuses_both(both, data, tmp_path):
    refused = "stand for 2 runs; choose one: forward or backward"
    config = load_recipe("language_model").Config(direction="both")
    assert refused in message(Experiment, load_recipe("language_model"), config)
    given = {"folds": 2, "direction": "both"}
    assert message(seqtasks.cross_validate, "language_model", data, tmp_path / "folds", **given) == (
        f"--folds: the options of language_model {refused}"
    )
    assert message(seqtasks.finetune, both / "forward", data, tmp_path / "new", direction="both").startswith(
        "--direction both: the run was trained with forward"
    )
    assert not any(tmp_path.iterdir())


def test_only_what_the_runs_wrote_is_overwritten(both, data, tmp_path):
    given = {"direction": "both", "quiet": True, **OPTIONS}
    folder = shutil.copytree(both, tmp_path / "lm")
    assert message(seqtasks.train, "language_model", data, folder, **given) == (
        f"{folder}: exists already; take another --run, or add --overwrite (or --resume to continue it)"
    )
    (folder / "backward" / "thesis.txt").write_text("years of work")
    assert message(seqtasks.train, "language_model", data, folder, overwrite=True, **given) == (
        f"{folder}: holds backward/thesis.txt, which is kept: nothing is overwritten; take another --run"
    )
    assert "is no folder of several runs" in message(
        seqtasks.train, "language_model", data, folder / "forward", overwrite=True, **given
    )
    assert "is not a run, so it is not overwritten" in message(
        seqtasks.train, "language_model", data, folder, overwrite=True, **given | {"direction": "forward"}
    )
    (folder / "backward" / "thesis.txt").unlink()
    (data / "empty.txt").write_text("")
    wrong = data / "empty.txt"
    assert "the file is empty" in message(seqtasks.train, "language_model", wrong, folder, overwrite=True, **given)
    wrong.unlink()
    assert_equal_weights(folder / "backward", both / "backward")  # still there: nothing was written


class Stop(keras.callbacks.Callback):
    """Interrupts the program when the second training begins."""

    trainings = 0

    def on_train_begin(self, logs=None):
        self.trainings += 1
        if self.trainings == 2:
            raise KeyboardInterrupt


@pytest.mark.slow
def test_overwriting_removes_the_old_runs_at_once(both, data, tmp_path):
    folder = shutil.copytree(both, tmp_path / "lm")
    given = {"direction": "both", "quiet": True, **OPTIONS, "seed": 7}
    with pytest.raises(KeyboardInterrupt) as error:
        seqtasks.train("language_model", data, folder, overwrite=True, callbacks=[Stop()], **given)
    told = f"the last checkpoint is kept, continue with: seqtasks train language_model --run {folder} --resume"
    assert error.value.__notes__ == [told]
    assert seqtasks.load_run(folder / "forward").config.seed == 7
    assert not (folder / "backward" / "metrics.json").exists()  # that of the old run is gone
    assert json.loads((folder / "runs.json").read_text())["options"]["seed"] == 7


def test_pretraining_takes_the_folder_for_both(both):
    config = load_recipe("sentiment").Config
    found = [Pretrained(config(pretrained=name)) for name in (str(both), f"{both}/forward, {both}/backward")]
    for pretrained in found:
        directories = [run.directory for run in pretrained.runs["pretrained"]]
        assert directories == [both / "forward", both / "backward"]
    one, other = (pretrained.assets["pretrained"] for pretrained in found)
    assert one.text() == other.text()
    assert [network.direction for network in one.networks] == ["forward", "backward"]
    told = message(Pretrained, config(pretrained=f"{both},{both / 'forward'}"))
    assert told == "--pretrained: two forward models; give one, or a forward and a backward one"
