"""The video recipe: moving digits whose order of frames matters, answers over time, ready networks, export, report."""

import base64
import io
import itertools
import json
import os
import re
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from matplotlib import image
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import seqtasks
from seqtasks.capabilities import FileInputs
from seqtasks.cli.main import main
from seqtasks.data.path_sources import write_table
from seqtasks.data.sources import Example
from seqtasks.engine import training
from seqtasks.errors import UserError
from seqtasks.layers import TimeDistributed
from seqtasks.metrics import accuracy
from seqtasks.options import describe
from seqtasks.recipe import load_recipe
from seqtasks.video import backbones, baselines, clips, files, report
from seqtasks.video.sample import MOTIONS, moving_digits
from tests.video.made import grey, pictured, text, write

RECIPE = load_recipe("video")
pytestmark = pytest.mark.usefixtures("opened_once")
PLAIN = {"cell": "simple_rnn", "bidirectional": False, "batch_size": 8, "gradient_flow": False}
SMALL = PLAIN | {"frames": 3, "size": 32, "channels": [4], "grid": 2, "frame_units": 4, "units": 4, "epochs": 1}
READY = SMALL | {"backbone": "mobilenet_v2", "weights": "none"}


@pytest.fixture(scope="module", autouse=True)
def few():
    """A small set of moving digits, and trainings without a report."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training.Run, "report", lambda run: None)
        for split, count in {"train": 640, "validation": 64, "test": 128}.items():
            patch.setitem(files.DIGITS, split, count)
        yield patch


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    fields = PLAIN | {"epochs": 4, "frames": 10, "size": 20, "channels": [12, 24], "frame_units": 32, "units": 32}
    fields |= {"learning_rate": 4e-3, "ema_momentum": 0.9}
    return seqtasks.train("video", run=tmp_path_factory.mktemp("runs") / "digits", **fields)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two classes of clips as arrays: one gets lighter, one darker."""
    folder, draws = tmp_path_factory.mktemp("clips"), np.random.default_rng(0)
    for split, count in {"train": 8, "valid": 2, "test": 2}.items():
        for label, way in {"lighter": 1, "darker": -1}.items():
            (folder / split / label).mkdir(parents=True)
            for number in range(count):
                grey = draws.integers(80, 120) + way * 20 * np.arange(5)
                clip = np.tile(grey.astype("uint8")[:, None, None, None], (1, 40, 48, 3))
                np.save(folder / split / label / f"{number}.npy", clip)
    return folder


def test_it_learns_motions_and_the_order_of_frames_tells_them(run):
    """A motion has the frames of its opposite: without their order it is chance which of the two it is."""
    assert run.metrics["test"]["accuracy"] >= 0.5  # chance is 1/8
    assert set(run.metrics["baselines"]) == {"majority", "motion_logistic_regression"}
    examples = list(run.splits().test)
    truth = run.predictor.task.targets(run.assets, [example.target for example in examples])
    names = list(MOTIONS)
    opposites = [run.assets["labels"].tokens.index(names[names.index(e.target) ^ 1]) for e in examples]
    shown = [run.predictor.reader(example.input) for example in examples]
    draws, rows = np.random.default_rng(0), np.arange(len(examples))
    shuffled = np.concatenate(
        [run.predictor.predict_batch([draws.permutation(c) for c in shown])["scores"] for _ in range(4)]
    )
    ordered = run.predictor.predict_batch(shown)["scores"]
    assert accuracy(truth, ordered) == pytest.approx(run.metrics["test"]["accuracy"])
    assert (ordered[rows, truth] > ordered[rows, opposites]).mean() >= 0.7
    rows, truth, opposites = np.arange(len(shuffled)), np.tile(truth, 4), np.tile(opposites, 4)
    assert accuracy(truth, shuffled) <= 0.4
    assert (shuffled[rows, truth] > shuffled[rows, opposites]).mean() == pytest.approx(0.5, abs=0.1)


def test_moving_digits_are_clips_by_number():
    splits = RECIPE.splits(RECIPE.Config(), "digits")
    examples = list(splits.train)
    assert [e.target for e in examples[:9]] == [*MOTIONS, "left"] and len(examples) == files.DIGITS["train"]
    options = clips.Options(frames=5, size=16)
    clip = clips.read("digits:train:77", options)
    assert clip.shape == (5, 16, 16, 3)
    np.testing.assert_array_equal(clip, clips.read("digits:train:77", options))
    assert (clip != clips.read("digits:train:13", options)).any()
    assert (clip != clips.read("digits:test:77", options)).any()
    drawn, motions = moving_digits(64, (0, 1), 5, 16, "train")  # 77: second chunk, second of its motion
    (number,) = (i for i, other in enumerate(drawn) if (other == clip).all())
    assert motions[number] == list(MOTIONS)[77 % 8]
    with pytest.raises(UserError, match="digits:train: no such file"):
        clips.read("digits:train", options)


def test_answers_of_files_and_over_time(run, tmp_path):
    path = tmp_path / "clip.npy"
    np.save(path, np.zeros((30, 24, 30, 3), np.uint8))
    (tmp_path / "bad.npy").write_bytes(b"no array")
    answer, bad = run.predict([str(path), str(tmp_path / "bad.npy")])
    assert list(answer) == ["file", "label", "score", "scores"] and answer["file"] == str(path)
    assert answer["score"] == max(answer["scores"].values()) and set(answer["scores"]) == set(MOTIONS)
    assert bad["file"] == str(tmp_path / "bad.npy") and "not an array" in bad["error"]


def test_a_long_video_is_answered_every_second(run, tmp_path):
    av = pytest.importorskip("av")
    path, draws = tmp_path / "long.mp4", np.random.default_rng(0)
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=12)
        stream.height = stream.width = 20
        for _ in range(36):
            frame = av.VideoFrame.from_ndarray(draws.integers(0, 256, (20, 20, 3), np.uint8), "rgb24")
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    answers = run.with_options(clip_seconds=1.0).predict([str(path), str(tmp_path / "none.mp4")])
    assert [a.get("second") for a in answers] == [0.0, 1.0, 2.0, None]
    assert "no such file" in answers[3]["error"] and answers[3]["file"] == str(tmp_path / "none.mp4")
    for (second, frames), answer in zip(clips.clips(path, clips.Options(10, 20, 1.0)), answers[:3], strict=True):
        scores = run.predictor.predict_batch([frames])["scores"][0]
        assert answer["second"] == second
        np.testing.assert_allclose(list(answer["scores"].values()), scores, atol=1e-4)


def test_an_export_takes_frames_of_any_size(run, tmp_path):
    served = tf.saved_model.load(str(run.export(tmp_path / "served", check=False))).signatures["serving_default"]
    frames = np.stack([clips.read(f"digits:test:{n}", clips.Options(10, 20)) for n in range(3)])
    found = served(frames=tf.constant(frames))
    told = run.predict([f"digits:test:{n}" for n in range(3)])
    assert [label.decode() for label in found["label"].numpy()] == [answer["label"] for answer in told]
    np.testing.assert_allclose(found["scores"], [list(answer["scores"].values()) for answer in told], atol=1e-4)
    larger = frames.repeat(2, 1).repeat(2, 2).repeat(2, 3)  # as many pixels more, each frame twice
    wider = np.pad(larger, [(0, 0), (0, 0), (0, 0), (6, 6), (0, 0)])
    np.testing.assert_allclose(served(frames=tf.constant(wider))["scores"], found["scores"], atol=1e-4)


@pytest.mark.parametrize(("time", "height", "width"), [(7, 8, 8), (3, 16, 24), (16, 40, 8), (1, 24, 17)])
def test_sampling_in_the_graph_is_that_of_files(time, height, width, tmp_path, rng):
    pytest.importorskip("av")
    clip = np.repeat(np.repeat(rng.integers(0, 256, (time, height // 8 + 1, 3, 3), np.uint8), 8, 1), 8, 2)
    clip = np.ascontiguousarray(clip[:, :height, :width])
    np.save(tmp_path / "a.npy", clip)
    expected = clips.read(tmp_path / "a.npy", clips.Options(frames=5, size=8)).astype(int)
    found = clips.sample(tf.constant(clip[None]), 5, 8)[0].numpy().astype(int)
    assert abs(found - expected).mean() < 4
    if height == width == 8:
        np.testing.assert_array_equal(found, expected)


def test_the_numbers_of_motion(rng):
    clip = rng.integers(0, 256, (5, 4, 6, 3), np.uint8)
    grey = clip.astype(float).sum(-1) / 3
    moved = [abs(grey[i + 1] - grey[i]) for i in range(4)]
    each = [m.sum() / 24 for m in moved]
    ordered, steps = sorted(each), [0] + [abs(b - a) for a, b in itertools.pairwise(each)]
    quartiles = [np.interp(place * 3 / 4, range(4), ordered) for place in (1, 2, 3)]
    uneven = [np.sqrt(((m - m.mean()) ** 2).mean()) for m in moved]
    share = [(m > 16).sum() / 24 for m in moved]
    by_hand = [np.mean(each), np.std(each), ordered[0], ordered[-1], *quartiles, np.mean(steps), max(steps)]
    by_hand += [np.mean(uneven), max(uneven), np.mean(share), max(share)]
    np.testing.assert_allclose(baselines.motion_statistics(clip), by_hand, rtol=1e-4)


def test_the_baseline_tells_what_moves_from_what_rests(tmp_path, rng):
    paths, labels = [], []
    for number in range(12):
        clip = rng.integers(0, 256, (6 if number % 2 else 1, 8, 8, 3), np.uint8)
        np.save(tmp_path / f"{number}.npy", clip if number % 2 else clip.repeat(6, 0))
        paths.append(str(tmp_path / f"{number}.npy"))
        labels.append(number % 2)
    motion = baselines.motion(clips.Options(frames=4, size=8))
    model = make_pipeline(motion, LogisticRegression(max_iter=1000)).fit(paths[:8], labels[:8])
    assert model.predict(paths[8:]).tolist() == labels[8:]
    assert model.predict_proba(paths[8:]).shape == (4, 2)


def test_the_report_shows_frames_of_mistakes(run):
    options = clips.Options(10, 20)
    answers = run.predict([f"digits:test:{n}" for n in range(3)])
    examples = [Example(a["file"], "<other>" if n else a["label"], n + 1) for n, a in enumerate(answers)]
    ((title, text),) = report.report_sections(run.predictor, examples, options)
    assert title == "Misclassified clips" and text.count("<img") == 2 and "&lt;other&gt;" in text
    assert all(f'"where">{answers[n]["file"]}<' in text for n in (1, 2))
    sure = max((1, 2), key=lambda n: answers[n]["score"])
    shown = image.imread(io.BytesIO(_content(text)))[..., :3]
    frames = clips.read(answers[sure]["file"], options)[[0, 1, 3, 4, 5, 6, 8, 9]]
    np.testing.assert_allclose(shown * 255, np.concatenate(frames, 1), atol=0.5)
    assert report.report_sections(run.predictor, examples[:1], options) == []


def _content(text):
    return base64.b64decode(re.search(r"data:image/png;base64,([^\"]+)", text)[1])


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "seqtasks"


def tiny(include_top, pooling, weights, input_shape):
    """A network in the manner of `keras.applications`, with weights to tune and a normalisation."""
    layers = [keras.layers.Conv2D(4, 3, 4), keras.layers.BatchNormalization(), keras.layers.GlobalAveragePooling2D()]
    network = keras.Sequential([keras.Input(input_shape), *layers])
    if weights:
        network.load_weights(weights)
    return network


@pytest.fixture
def quick(monkeypatch):
    module = SimpleNamespace(MobileNetV2=tiny, preprocess_input=lambda x: x / 255)
    monkeypatch.setattr(keras.applications, "mobilenet_v2", module)
    backbones._build_once.cache_clear()
    yield
    backbones._build_once.cache_clear()


def test_features_of_a_frozen_network_are_computed_once(folder, cache, quick, monkeypatch):
    config = RECIPE.Config(**READY)
    path = str(folder / "train" / "darker" / "0.npy")
    found = RECIPE.capability(FileInputs).read(config, path)
    assert RECIPE.capability(FileInputs).spec(config).is_compatible_with(tf.constant(found))
    frames = clips.read(path, clips.Options(3, 32))
    network = backbones.shared_backbone("mobilenet_v2", "none", 32, 0)
    np.testing.assert_allclose(found, network.layers[-1](frames / 255.0), atol=1e-5)
    embedded = tf.function(lambda clips: backbones.embed_clips(network, clips))
    np.testing.assert_allclose(embedded(tf.constant(frames[None]))[0], found, atol=1e-5)
    assert len(list(cache.iterdir())) == 1
    monkeypatch.setattr(backbones, "embed_frames", lambda network, frames: frames[:, 0, 0])
    np.testing.assert_array_equal(RECIPE.capability(FileInputs).read(config, path), found)
    os.utime(path, (0, 0))
    assert RECIPE.capability(FileInputs).read(config, path).shape == (3, 3)
    assert len(list(cache.iterdir())) == 2


@pytest.mark.slow
@pytest.mark.parametrize("name", backbones.BACKBONES)
def test_each_network_has_images_as_it_wants_them_and_is_saved(name, tmp_path, rng):
    images = rng.integers(0, 256, (1, 2, 32, 32, 3), np.uint8)
    network = backbones.build_backbone(name, "none", 32, seed=1)
    prepared = getattr(keras.applications, backbones.BACKBONES[name][0]).preprocess_input(images[0].astype("float32"))
    expected = network.layers[-1](prepared)
    np.testing.assert_allclose(
        backbones.build_backbone(name, "none", 32, seed=1)(images[0].astype("float32")), expected, atol=1e-5
    )
    frames = keras.Input((2, 32, 32, 3), dtype="uint8")
    keras.Model(frames, TimeDistributed(network)(frames)).save(tmp_path / "m.keras")
    np.testing.assert_allclose(keras.models.load_model(tmp_path / "m.keras")(images)[0], expected, atol=1e-5)


def test_weights_come_from_a_file_or_the_fault_is_told(tmp_path, quick):
    file = tmp_path / "w.weights.h5"
    one = backbones.build_backbone("mobilenet_v2", "none", 32, seed=1)
    one.layers[-1].save_weights(file)
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    same = backbones.embed_frames(backbones.build_backbone("mobilenet_v2", str(file), 32), images)
    np.testing.assert_allclose(same, backbones.embed_frames(one, images), atol=1e-6)
    with pytest.raises(
        UserError, match=r"--weights none.h5: no such file of weights; give imagenet, none, or the path"
    ):
        backbones.build_backbone("mobilenet_v2", "none.h5", 32)
    with pytest.raises(UserError, match=r"--size 16: mobilenet_v2 needs 32 pixels a side; give 32 or more"):
        backbones.build_backbone("mobilenet_v2", "none", 16)
    (tmp_path / "bad.h5").write_text("bad")
    with pytest.raises(
        UserError, match=r"bad.h5: the weights of mobilenet_v2 cannot be loaded \(.*\); give a file"
    ) as told:
        backbones.build_backbone("mobilenet_v2", str(tmp_path / "bad.h5"), 32)
    assert "\n" not in str(told.value)


def test_a_frozen_network_is_tuned_as_a_whole_later(folder, cache, quick, tmp_path):
    frozen = seqtasks.train("video", data=folder, run=tmp_path / "frozen", **READY)
    path = str(folder / "test" / "darker" / "0.npy")
    (answer,) = frozen.predict([path])
    served = tf.saved_model.load(str(frozen.export(tmp_path / "served"))).signatures["serving_default"]
    frames = np.load(path)[None]
    np.testing.assert_allclose(served(frames=tf.constant(frames))["score"], [answer["score"]], atol=1e-4)
    tuned = seqtasks.finetune(frozen, folder, tmp_path / "tuned", frozen=False, learning_rate=1e-9, epochs=1)
    (again,) = tuned.predict([path])
    np.testing.assert_allclose(list(again["scores"].values()), list(answer["scores"].values()), atol=1e-4)
    assert any(layer.name == "backbone" for layer in tuned.model.layers)


def test_what_cannot_be_trained_is_told(tmp_path, folder):
    with pytest.raises(UserError, match="--frames: 1 is out of range; give a number of at least 2"):
        seqtasks.train("video", data=folder, run=tmp_path / "run", **SMALL | {"frames": 1})
    for fields, message in (
        ({"backbone": "none"}, "--backbone none: nothing encodes the frames; add --flow true"),
        (
            READY | {"flow": True},
            "--flow: a frozen backbone leaves no frames for optical flow; leave it out, or add --frozen false",
        ),
    ):
        with pytest.raises(UserError, match=message):
            RECIPE.build(RECIPE.Config(**SMALL | fields), {"labels": ["a", "b"]})
    assert not (tmp_path / "run").exists()


def test_every_weight_of_members_that_see_frames_and_flow_learns(rng):
    config = RECIPE.Config(**SMALL | {"ensemble_size": 2, "flow": True})
    model = RECIPE.build(config, {"labels": ["a", "b", "c"]})
    frames = rng.integers(0, 256, (8, 3, 32, 32, 3), np.uint8)
    with tf.GradientTape() as tape:
        outputs = model({"frames": tf.constant(frames)}, training=True)
        loss = RECIPE.loss(config)(tf.constant([0, 1, 2, 0, 1, 2, 0, 1]), outputs)
    assert outputs.shape == (8, 2, 3)
    for weight, gradient in zip(model.trainable_weights, tape.gradient(loss, model.trainable_weights), strict=True):
        assert np.abs(gradient).max() > 0, weight.path


@pytest.fixture(scope="module")
def small(folder, tmp_path_factory):
    return seqtasks.train("video", data=folder, run=tmp_path_factory.mktemp("runs") / "small", **SMALL)


def told(capsys, *arguments):
    """The exit status of a command, and what it wrote to standard error and to standard output."""
    status = main([str(argument) for argument in arguments])
    written = capsys.readouterr()
    return status, written.err, [json.loads(line) for line in written.out.splitlines()]


def paths_in(folder):
    return sorted(map(str, folder.glob("*/*/*.npy")))


def test_frames_in_memory_are_answered_as_files_are(small, folder):
    paths = paths_in(folder)[:3]
    frames = [np.load(path) for path in paths]
    expected = small.predict(paths)
    for given in (frames, [frame / 255 for frame in frames], [(frame, "?") for frame in frames]):
        found = small.predict(given)
        assert [list(answer) for answer in found] == [["label", "score", "scores"]] * 3
        np.testing.assert_allclose([a["score"] for a in found], [a["score"] for a in expected], atol=1e-5)
    (one,) = small.predict(frames[0])
    assert one["label"] == expected[0]["label"]
    with pytest.raises(UserError, match=r"an array uint8 \(40, 48, 3\); give frames as \(time, height, width, 3\)"):
        small.predict([frames[0][0]])


def test_a_model_is_trained_on_frames_in_memory(folder, tmp_path):
    splits = {
        split: [(np.load(p), Path(p).parent.name) for p in paths_in(folder) if Path(p).parts[-3] == split]
        for split in ("train", "valid", "test")
    }
    run = seqtasks.train("video", data=splits, run=tmp_path / "run", **SMALL)
    assert run.metrics["test"]["examples"] == 4
    again = run.evaluate(splits["test"])
    assert again["log_loss"] == pytest.approx(run.metrics["test"]["log_loss"], abs=1e-6)
    other = run.evaluate(folder / "test")
    assert other["log_loss"] == pytest.approx(again["log_loss"], abs=1e-6)


def test_frames_in_memory_go_through_a_frozen_network(folder, cache, quick, tmp_path):
    data = [(np.load(p), Path(p).parent.name) for p in paths_in(folder)]
    run = seqtasks.train("video", data={"train": data, "valid": data, "test": data}, run=tmp_path / "run", **READY)
    paths = paths_in(folder)[:2]
    found = run.predict([np.load(path) for path in paths])
    np.testing.assert_allclose([a["score"] for a in found], [a["score"] for a in run.predict(paths)], atol=1e-4)


def test_other_data_counts_whole(small, folder, capsys):
    status, _, (found,) = told(capsys, "evaluate", small.directory, "--data", folder / "train")
    assert status == 0 and found["examples"] == 16
    status, _, (found,) = told(capsys, "evaluate", small.directory, "--data", folder)
    assert found["examples"] == 4  # it has a test split


def test_answers_to_a_table_and_to_a_folder(small, tmp_path, capsys):
    pytest.importorskip("av")
    write(tmp_path / "a.mp4", grey(24))
    pictured(tmp_path / "b" / "clip", grey(5))
    table = text(tmp_path / "a.csv", "id,video_name,start,end\n7,a.mp4,,\n8,a.mp4,0.5,1.5\n")
    status, _, found = told(capsys, "predict", small.directory, "--input", table, "--carry", "id")
    assert status == 0 and [(a["file"], a["id"]) for a in found] == [
        (f"{tmp_path}/a.mp4", "7"),
        (f"{tmp_path}/a.mp4#t=0.5,1.5", "8"),
    ]
    over = ["--clip_seconds", "0.5", "--carry", "id"]
    status, _, found = told(capsys, "predict", small.directory, "--input", table, *over)
    assert [(a["id"], a["second"]) for a in found] == [("7", n / 2) for n in range(4)] + [("8", 0), ("8", 0.5)]
    status, _, found = told(capsys, "predict", small.directory, "--input", table, "--whole_files")
    assert [a["file"] for a in found] == [f"{tmp_path}/a.mp4"] * 2
    status, _, found = told(capsys, "predict", small.directory, "--input", tmp_path / "b")
    assert [a["file"] for a in found] == [f"{tmp_path}/b/clip"] and "label" in found[0]
    status, error, found = told(capsys, "predict", small.directory, tmp_path / "b")
    assert status == 2 and not found and "b: a folder without pictures" in error


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf"])
def test_seconds_of_an_answer_that_are_none(small, folder, value, capsys):
    path = folder / "test" / "darker" / "0.npy"
    status, error, found = told(capsys, "predict", small.directory, path, f"--clip_seconds={value}")
    assert status == 2 and not found and "--clip_seconds" in error


def test_clips_that_are_missing_or_corrupt_follow_one_rule(tmp_path):
    rows = [("path", "label")]
    for number in range(60):
        np.save(tmp_path / f"{number}.npy", np.full((3, 8, 8, 3), 4 * number, np.uint8))
        rows.append((f"{number}.npy", "ab"[number % 2]))
    text(tmp_path / "0.npy", "no clip")
    (tmp_path / "1.npy").unlink()
    write_table(tmp_path / "all.csv", rows)
    with pytest.warns(UserWarning, match=r"all.csv: of 60 records 2 left out: .*0.npy: not an array.*:3: no such file"):
        found = seqtasks.train("video", data=tmp_path / "all.csv", dry_run=True, **SMALL)
    assert sum(split["examples"] for split in found["data"].values()) == 58
    with pytest.raises(UserError, match=r"0.npy: not an array .*; write it with numpy.save"):
        seqtasks.train("video", data=tmp_path / "all.csv", dry_run=True, **SMALL | {"strict": True})
    write_table(tmp_path / "one.csv", [rows[0], *((path, "a") for path, _ in rows[3:])])
    with pytest.raises(UserError, match=r"one.csv: every example has the label 'a'; a model needs at least 2"):
        seqtasks.train("video", data=tmp_path / "one.csv", dry_run=True, **SMALL)


def test_messages_name_options_that_there_are(tmp_path):
    text(tmp_path / "a.csv", "url,kind,n\nx,y,1\n")
    with pytest.raises(UserError) as error:
        seqtasks.train("video", data=tmp_path / "a.csv", dry_run=True)
    options = re.findall(r"--(\w+)", str(error.value))
    assert options == ["path_column", "label_column"] and set(options) <= {o.name for o in describe(RECIPE.Config)}


@pytest.mark.parametrize("shape", [(1, 0, 20, 20, 3), (1, 4, 0, 20, 3)])
def test_an_export_refuses_clips_without_frames(small, tmp_path, shape):
    served = tf.saved_model.load(str(small.export(tmp_path / "served", check=False))).signatures["serving_default"]
    with pytest.raises(tf.errors.InvalidArgumentError, match="frames: a clip without frames or pixels; give"):
        served(frames=tf.zeros(shape, tf.uint8))


def test_features_are_computed_again_when_a_picture_or_the_segment_changes(tmp_path):
    folder = pictured(tmp_path / "clip", grey(4))
    versions = [backbones.file_version(folder), backbones.file_version(f"{folder}#t=0,0.1")]
    os.utime(folder / "2.png", (0, 2e9))
    versions += [
        backbones.file_version(folder),
        backbones.file_version("memory:0"),
        backbones.file_version("digits:test:1"),
    ]
    assert len({tuple(version) for version in versions}) == 5
    assert backbones.file_version(folder) == versions[2]
