"""The music recipe: training and metrics, augmentation, generated pieces, invalid files, export, devices."""

import json
import random
import re
import wave
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

import seqtasks
from seqtasks.capabilities import Augments
from seqtasks.cli.main import main
from seqtasks.data.batches import pad
from seqtasks.data.token_ids import SPECIAL_TOKENS as SPECIAL
from seqtasks.engine import evaluation, training
from seqtasks.engine.predictor import Predictor
from seqtasks.errors import UserError
from seqtasks.music import analysis, augmentation, events, generation, piano_rolls, pieces
from seqtasks.music.midi import Setting, parse_midi, read_midi, write_midi
from seqtasks.music.notes import Note
from seqtasks.recipe import load_recipe
from seqtasks.tasks.ngrams import NGrams

RECIPE = load_recipe("music")
pytestmark = pytest.mark.usefixtures("opened_once")
report_sections = generation.report_sections
CYCLE = ["60 64 67", "60 64 67", "", "53 57", "", "48"]  # the frame before does not tell the next
STILL = {"embedding_dropout": 0.0, "output_dropout": 0.0, "recurrent_dropout": 0.0, "transpose": 0, "time_stretch": 0.0}
SMALL = STILL | {"cell": "simple_rnn", "units": 32, "nade_units": 8, "batch_size": 4, "step": 0.5, "patience": 0}
SMALL |= {"gradient_flow": False}
TEXTS = ["60 64 67;;53 57;60 64 67", "", "48", "108;21 22;;", ";".join(CYCLE * 40)]
ROLL = st.lists(st.sets(st.integers(21, 108), max_size=4), max_size=6).map(
    lambda roll: ";".join(" ".join(map(str, sorted(frame))) for frame in roll)
)


def cycles(count, seed):
    """Pieces that repeat the cycle, each with another first frame and length."""
    draw = random.Random(seed)
    return [";".join((CYCLE * 5)[draw.randrange(6) :][: draw.randint(12, 24)]) for _ in range(count)]


def write(path, **splits):
    listed = {name: [[list(map(int, f.split())) for f in text.split(";")] for text in s] for name, s in splits.items()}
    path.write_text(json.dumps(listed))
    return path


def perform(folder, count):
    """MIDI files of the same scale at different speeds."""
    folder.mkdir(parents=True)
    for number in range(count):
        second = 0.2 + number / 10
        notes = [Note(60 + key % 12, key * second, (key + 1) * second, 64) for key in range(24)]
        write_midi(notes, folder / f"{number}.mid")
    return folder


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "cycles.json"
    return write(path, train=cycles(120, 0), valid=cycles(10, 1), test=cycles(20, 2))


@pytest.fixture(scope="module")
def plain():
    """Reports without pieces."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generation, "report_sections", lambda *_: [])
        yield


@pytest.fixture(scope="module")
def run(corpus, plain, tmp_path_factory):
    directory = tmp_path_factory.mktemp("runs") / "cycles"
    options = {"cell": "gru", "epochs": 8, "learning_rate": 0.02, "ema_momentum": 0.9}
    return seqtasks.train("music", data=corpus, run=directory, **SMALL | options)


@pytest.fixture(scope="module")
def played(plain, tmp_path_factory):
    folder = tmp_path_factory.mktemp("played")
    for split, count in {"train": 2, "valid": 1, "test": 2}.items():
        perform(folder / split, count)
    options = {"representation": "events", "epochs": 2, "bptt_length": 16, "dimension": 8, "batch_size": 2}
    return seqtasks.train("music", data=folder, run=folder / "run", **SMALL | options)


def test_it_learns_what_the_previous_frame_does_not_determine(run):
    assert run.metrics["test"]["nll"] < run.metrics["baselines"]["frame_before"]["nll"] / 3


def test_metrics_match_the_answers_to_single_pieces(run):
    """Padding in a batch changes nothing."""
    test = cycles(20, 2)
    answers = [run.predict([text])[0] for text in test]
    assert [a["frames"] for a in answers] == [text.count(";") + 1 for text in test]
    for together, alone in zip(run.score(test), answers, strict=True):
        assert together == pytest.approx(alone, abs=1e-4)
    total, frames = (sum(a[name] for a in answers) for name in ("log_probability", "frames"))
    found = run.evaluate()
    assert (found["frames"], found["examples"]) == (frames, 20)
    assert found["nll"] == pytest.approx(-total / frames, abs=1e-4)
    assert found["nll_per_sequence"] == pytest.approx(np.mean([a["nll"] for a in answers]), abs=1e-4)
    assert {name: run.metrics["test"][name] for name in ("nll", "frames")} == {n: found[n] for n in ("nll", "frames")}
    assert run.predict([""]) == [{"nll": 0.0, "frames": 0, "log_probability": 0.0}]


def test_generated_pieces_are_compared_with_the_training_set(run):
    written = run.evaluate()["generated"]
    assert list(written) == ["pieces", *analysis.STATISTICS] and written["pieces"] == generation.SAMPLES
    notes = [n for text in cycles(120, 0) for n in piano_rolls.to_notes(piano_rolls.parse(text), 0.5)]
    assert written["pitch"]["reference"] == pytest.approx(np.mean([n.pitch for n in notes]))
    assert written["length"]["reference"] == pytest.approx(np.mean([n.end - n.start for n in notes]))
    assert written["pitch"]["overlap"] > 0.6


def test_the_report_shows_generated_pieces_and_continuations(run):
    (title, shown), (_, compared) = report_sections(run.predictor, list(run.splits().test)[:3])
    headings = re.findall("<h3>(.*?)</h3>", shown)
    assert title == "Written by the network" and len(headings) == shown.count("<audio ") == shown.count("<svg ") == 4
    assert headings[:2] == ["without a prompt, 1", "without a prompt, 2"]
    half = (cycles(20, 2)[0].count(";") + 1) // 2
    assert re.fullmatch(f"continuation of the first {half} steps of .*: piece 1 of test", headings[2])
    assert ">test split</th>" in compared


def by_hand(weights, roll):
    """Log-likelihoods of the frames of a roll, of a simple recurrence and independent keys."""
    kernel, recurrent, bias, keys, keys_bias = (w.astype("float64") for w in weights)
    state, before, found = np.zeros(len(recurrent)), np.zeros(roll.shape[1]), []
    for frame in roll.astype("float64"):
        state = np.tanh(before @ kernel + state @ recurrent + bias)
        chances = 1 / (1 + np.exp(-(state @ keys + keys_bias)))
        found.append(np.log(np.where(frame > 0, chances, 1 - chances)).sum())
        before = frame
    return np.array(found)


def test_log_likelihoods_match_a_numpy_recurrence(rng):
    config = RECIPE.Config(**SMALL | {"frame_distribution": "independent", "units": 8})
    model = RECIPE.build(config, {})
    model.set_weights([rng.normal(size=w.shape, scale=0.3) for w in model.get_weights()])
    layer, head = model.get_layer("recurrent_1").cell, model.get_layer("keys")
    weights = [w.numpy() for w in (layer.kernel, layer.recurrent_kernel, layer.bias, head.kernel, head.bias)]
    predictor = Predictor(RECIPE, config, {}, model)
    features = {name: pad(f, 1) for name, f in predictor.encode(tf.constant(TEXTS)).items()}
    log_probs = predictor.outputs(features).numpy()
    for row, (text, answer) in enumerate(zip(TEXTS, predictor.answers(TEXTS), strict=True)):
        expected = by_hand(weights, piano_rolls.parse(text))
        np.testing.assert_allclose(log_probs[row, : len(expected)], expected, rtol=1e-4)
        assert not log_probs[row, len(expected) :].any()
        assert answer["log_probability"] == pytest.approx(expected.sum(), rel=1e-4)
        assert answer["frames"] == len(expected)


@given(st.lists(ROLL, min_size=1, max_size=4), st.integers(0, 90), st.integers(0, 1000))
def test_rolls_are_transposed_within_the_range_of_a_piano(texts, semitones, seed):
    features = {"targets": piano_rolls.encode(tf.constant(texts)), "frames": tf.constant(0)}
    config = SimpleNamespace(transpose=semitones)
    moved = RECIPE.capability(Augments).augment(config, features, tf.constant([seed, 1]))
    assert moved["frames"] is features["frames"]
    assert moved["targets"].row_lengths().numpy().tolist() == [text.count(";") + bool(text) for text in texts]
    for text, found in zip(texts, piano_rolls.decode(moved["targets"]).numpy().tolist(), strict=True):
        assert found.decode() in {piano_rolls.transpose(text, n) for n in range(-semitones, semitones + 1)}


def test_all_intervals_are_equally_frequent():
    features = {"targets": piano_rolls.encode(tf.fill([1000], "60 64"))}
    found = RECIPE.capability(Augments).augment(SimpleNamespace(transpose=2), features, tf.constant([0, 5]))["targets"]
    names, counts = np.unique(piano_rolls.decode(found).numpy(), return_counts=True)
    assert names.tolist() == [b"58 62", b"59 63", b"60 64", b"61 65", b"62 66"]
    assert counts.min() > 150  # of 200 each; five standard deviations of a count are 63


def vary(row, text):
    numbers = [len(SPECIAL) + events.EVENTS.index(name) for name in text.split()]
    return " ".join(events.EVENTS[row[number] - len(SPECIAL)] for number in numbers)


@given(st.sets(st.integers(3, 124), min_size=1, max_size=4), st.integers(1, 80))
def test_variations_of_events_are_transpositions_and_other_speeds(pitches, length):
    text = " ".join([f"velocity20 on{p} shift{length} off{p}" for p in pitches])
    table = augmentation.event_variations(3, 0.2)
    speeds = (1.0, 0.8, 0.9, 1.1, 1.2)
    assert table.shape == (5 * 7, len(SPECIAL) + len(events.EVENTS)) and (table[:, :4] == range(4)).all()
    assert vary(table[0], text) == text
    for row, (speed, semitones) in zip(table, [(s, n) for s in speeds for n in (0, -3, -2, -1, 1, 2, 3)], strict=True):
        found = vary(row, text)
        assert re.sub("shift[0-9]+", "", found) == re.sub("shift[0-9]+", "", events.transpose(text, semitones))
        lengths = {int(n) for n in re.findall("shift([0-9]+)", found)}
        assert len(lengths) == 1 and abs(lengths.pop() - length * speed) <= 0.5 + 1e-9


def test_variations_stay_within_the_range_of_events():
    table = augmentation.event_variations(5, 0.1)
    assert vary(table[5], "on0 off0 shift1") == "on0 off0 shift1"  # five down
    assert vary(table[-1], "on127 off127 shift100") == "on127 off127 shift100"  # five up, and slower
    assert augmentation.event_variations(0, 0.0).tolist() == [list(range(392))]


def test_a_prompt_is_continued(run):
    """The most probable continuation is the cycle."""
    (answer,) = run.generate(";".join(CYCLE * 2), length=12, temperature=0)
    assert answer["piece"] == ";".join(CYCLE * 4) and answer["notes"] == len(run_notes(answer["piece"]))


def run_notes(text):
    return piano_rolls.to_notes(piano_rolls.parse(text), 0.5)


@pytest.mark.parametrize("prompt", ["", "60 64 67;;53 57"])
def test_log_probabilities_match_predict(prompt, run):
    written = list(run.generate(prompt, num=3, length=20, temperature=1.5))
    begun = run.predict([prompt])[0]["log_probability"]
    for answer in written:
        assert answer["piece"].startswith(prompt) and answer["piece"].count(";") == 19 + 3 * bool(prompt)
        whole = run.predict([answer["piece"]])[0]["log_probability"]
        assert answer["log_probability"] == pytest.approx(whole - begun, rel=1e-4)
    assert len({answer["piece"] for answer in written}) == 3


def test_generation_depends_on_the_seed(run):
    several = [a["piece"] for seed in (4, 4, 5) for a in run.generate(num=2, length=20, temperature=2.0, seed=seed)]
    assert several[:2] == several[2:4] and not set(several[:2]) & set(several[4:])


def test_pieces_are_written_as_midi_and_wav(run, tmp_path, capsys):
    prompt = "60 64 67;60 64 67;;53"
    answers = list(run.generate(prompt, num=2, length=12))
    options = ["--prompt", prompt, "--num", "2", "--length", "12"]
    assert main(["generate", str(run.directory), *options, "--output", str(tmp_path / "new.mid")]) == 0
    paths = [json.loads(line)["file"] for line in capsys.readouterr().out.splitlines()]
    assert paths == [str(tmp_path / f"new-{number}.mid") for number in (1, 2)]
    for path, answer in zip(paths, answers, strict=True):
        np.testing.assert_allclose(read_midi(path, "quarters"), run_notes(answer["piece"]))
        assert pieces.read_piece(path, generation.file_options(run.config)).text == answer["piece"].rstrip(";")
    generation.write_answer(run.config, answers[0], tmp_path / "new.wav")
    with wave.open(str(tmp_path / "new.wav")) as file:
        seconds = max(note.end for note in run_notes(answers[0]["piece"])) / 2  # 120 quarter notes a minute
        assert file.getnframes() / file.getframerate() == pytest.approx(seconds + 1, abs=0.01)


def test_a_midi_file_is_a_prompt_and_an_input(run, tmp_path):
    notes = run_notes("60 64 67;;53 57")
    write_midi(notes, tmp_path / "begin.mid", tempo=90)
    path = str(tmp_path / "begin.mid")
    (answer,) = run.generate(path, length=5)
    assert answer.pop("midi")["tempi"] == ((0.0, 90.0),)
    assert [answer] == list(run.generate("60 64 67;;53 57", length=5))
    assert run.predict([path]) == run.predict(["60 64 67;;53 57"])
    with pytest.raises(UserError, match=r"input 1: .*no.mid: no such file"):
        run.predict([str(tmp_path / "no.mid")])


def test_a_continuation_keeps_tempo_metre_and_instrument_of_its_prompt(run, tmp_path, capsys):
    """60 quarter notes a minute, 3/4, a violin: the first bars last as long as in the prompt."""
    setting = Setting(((0.0, 60.0), (1.0, 30.0)), ((0.0, 3, 4),), program=40)
    write_midi(run_notes("60 64 67;60 64 67;;53 57"), tmp_path / "begin.mid", 120, setting)
    options = ["--prompt", str(tmp_path / "begin.mid"), "--length", "6", "--temperature", "0"]
    assert main(["generate", str(run.directory), *options, "--output", str(tmp_path / "new.mid")]) == 0
    capsys.readouterr()
    written = parse_midi((tmp_path / "new.mid").read_bytes(), "new.mid").pieces[0]
    assert written.setting == setting
    begun = read_midi(tmp_path / "begin.mid")
    assert written.notes[: len(begun) - 2] == begun[:-2]  # the last chord may go on
    assert (begun[0].end, begun[-1].start, begun[-1].end) == (1.0, 2.0, 3.0)  # by hand: a frame is half a quarter note
    assert written.notes[-1].end > 4
    assert main(["generate", str(run.directory), *options, "--output", str(tmp_path / "new.wav")]) == 0
    with wave.open(str(tmp_path / "new.wav")) as file:
        seconds = max(note.end for note in written.notes)
        assert file.getnframes() / file.getframerate() == pytest.approx(seconds + 1, abs=0.01)


def test_arrays_and_lists_of_pitches_are_inputs(run, tmp_path):
    text = "60 64 67;;53 57"
    expected = run.predict([text])
    roll = piano_rolls.parse(text)
    wide = np.pad(roll * 90, [[0, 0], [piano_rolls.LOWEST, 127 - piano_rolls.HIGHEST]]).astype("uint8")
    steps = [[60, 64, 67], [], [53, 57]]
    assert run.predict([roll]) == run.predict(roll) == run.score([wide]) == run.predict([steps]) == expected
    assert run.predict([roll.astype("float32"), wide]) == expected * 2
    (tmp_path / "a.json").write_text(json.dumps([steps, steps[:1]]))
    assert list(run.answers(run.read_inputs(tmp_path / "a.json"))) == run.predict([text, "60 64 67"])
    with pytest.raises(UserError, match=r"list:1: an array of shape \(88, 3\) is not a piano roll .* axes exchanged"):
        run.predict([roll.T])


def test_a_training_on_arrays(plain, tmp_path):
    rolls = [piano_rolls.parse(text) for text in cycles(12, 0)]
    options = SMALL | {"epochs": 1, "units": 4, "frame_distribution": "independent"}
    run = seqtasks.train("music", data=rolls, run=tmp_path / "run", **options)
    splits = seqtasks.train("music", data=rolls, run=tmp_path / "dry", dry_run=True)["data"]
    assert sum(split["examples"] for split in splits.values()) == 12
    assert all(split["examples"] for split in splits.values())
    held = {"train": rolls[:8], "valid": rolls[8:10], "test": rolls[10:]}
    splits = seqtasks.train("music", data=held, run=tmp_path / "dry", dry_run=True)["data"]
    assert [splits[name]["examples"] for name in ("train", "validation", "test")] == [8, 2, 2]
    frames = sum(len(roll) for roll in rolls)
    assert (
        run.evaluate(rolls)["frames"] == frames == run.evaluate([roll_steps(text) for text in cycles(12, 0)])["frames"]
    )


def roll_steps(text):
    return [[int(pitch) for pitch in step.split()] for step in text.split(";")]


def test_invalid_arguments_raise(run, tmp_path, capsys):
    for options, message in {
        ("--prompt", "60;C4"): "step 2: 'C4' is not a key of a piano; write MIDI numbers",
        ("--prompt", "no.mid"): "no.mid: no such file",
        ("--top_k", "3"): "--top_k: only for events; leave it out",
        ("--output", str(tmp_path / "none" / "new.mid")): "none: no such folder; make it",
    }.items():
        assert main(["generate", str(run.directory), *options]) == 2
        error = capsys.readouterr().err.strip().splitlines()[-1]
        assert message in error, error
    with pytest.raises(UserError, match=r"new.xyz: unknown format '.xyz'; name a .mid or .wav file"):
        generation.write_answer(run.config, {"piece": "60;62"}, tmp_path / "new.xyz")
    with pytest.raises(UserError, match=r"new.mid: the piece has no notes; raise --length"):
        generation.write_answer(run.config, {"piece": ";;"}, tmp_path / "new.mid")
    assert not list(tmp_path.iterdir())
    with pytest.raises(UserError, match="input 2: step 1: '109' is not a key of a piano"):
        run.predict(["60", "109"])


def test_performances_are_trained_and_continued(played):
    rows = (played.directory / "history.csv").read_text().splitlines()[1:]
    assert float(rows[1].split(",")[2]) < float(rows[0].split(",")[2])
    prompt = "velocity16 on60 shift20 off60"
    first, second = (list(played.generate(prompt, num=2, length=40, seed=seed)) for seed in (1, 1))
    assert first == second and first[0]["piece"] != first[1]["piece"]
    for answer in first:
        assert answer["piece"].startswith(prompt) and answer["notes"] == len(events.to_notes(answer["piece"]))
    greedy = list(played.generate(num=2, length=9, top_k=1, seed=3))
    assert greedy == list(played.generate(num=2, length=9, temperature=0))


def test_metrics_of_performances_count_ends_like_the_baseline(played):
    texts = [
        pieces.read_piece(str(path), generation.file_options(played.config)).text
        for path in sorted(played_test(played))
    ]
    sizes = [len(text.split()) + 1 for text in texts]
    answers = played.predict(texts)
    assert [len(answer["tokens"]) for answer in answers] == sizes
    test = played.metrics["test"]
    assert test["tokens"] == played.metrics["baselines"]["n_grams"]["tokens"] == sum(sizes)
    assert test["nll"] == pytest.approx(-sum(a["log_probability"] for a in answers) / sum(sizes), rel=1e-4)
    bits = test["nll"] * sum(sizes) / np.log(2) / sum(len(text) + 1 for text in texts)
    assert test["bits_per_character"] == pytest.approx(bits)
    train = [played.assets["tokens"].encode(tf.constant([e.input])).to_list()[0] for e in played.splits().train]
    model = NGrams(4, len(played.assets["tokens"])).fit([np.array([*numbers, 3]) for numbers in train])
    given_ = [np.array([*played.assets["tokens"].encode(tf.constant([text])).to_list()[0], 3]) for text in texts]
    expected = -np.concatenate(model.score(given_)).mean()
    assert played.metrics["baselines"]["n_grams"]["nll"] == pytest.approx(expected)


def played_test(played):
    return (played.directory.parent / "test").glob("*.mid")


SERVE = """
import json, tensorflow as tf
signatures = tf.saved_model.load({directory!r}).signatures
log_probs = [signatures[n](inputs=tf.constant({texts!r}))["log_probability"] for n in ("serving_default", "score")]
options = {{"seed": tf.constant(7), "length": tf.constant(9), "temperature": tf.constant(1.5)}}
new = signatures["generate"](prompts=tf.constant([{prompt!r}] * 2), **options)
print(json.dumps([[x.numpy().tolist() for x in log_probs], [text.decode() for text in new["text"].numpy().tolist()]]))
"""


def test_the_export_gives_the_same_answers_with_tensorflow_alone(run, tmp_path, tensorflow_alone):
    directory, prompt = str(run.export(tmp_path / "served", check=False)), "60 64 67;;53 57"
    code = SERVE.format(directory=directory, texts=TEXTS, prompt=prompt)
    log_probs, written = tensorflow_alone(code)
    expected = [answer["log_probability"] for answer in run.predict(TEXTS)]
    np.testing.assert_allclose(log_probs, [expected] * 2, rtol=1e-4, atol=1e-4)
    options = {"num": 2, "seed": 7, "length": 9, "temperature": 1.5}
    assert written == [answer["piece"] for answer in run.generate(prompt, **options)]


@pytest.mark.slow
def test_two_devices_train_to_the_weights_of_one(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(evaluation, "evaluate", lambda *_: ({"nll": 1.0}, None, None))
    monkeypatch.setattr(training.Training, "_finish", lambda self, loop, *_: loop.model.get_weights())
    few = write(tmp_path / "few.json", train=cycles(20, 3), valid=cycles(1, 4), test=cycles(1, 5))
    options = {"frame_distribution": "independent", "units": 8, "epochs": 1, "transpose": 3}
    one, two = (
        seqtasks.train("music", data=few, run=tmp_path / name, strategy=name, **SMALL | options)
        for name in ("cpu", "mirrored")
    )
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_unreadable_files_are_reported(tmp_path, capsys):
    good = perform(tmp_path / "all" / "train", 12)
    (good / "cut.mid").write_bytes((good / "0.mid").read_bytes()[:-9])
    for split in ("valid", "test"):
        perform(tmp_path / "all" / split, 1)
    options = ["--units", "4", "--dry_run"]
    assert main(["train", "music", "--data", str(tmp_path / "all"), *options]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["data"]["train"]["examples"] == 13
    assert "of 13 records 1 repaired: " in printed.err and "cut.mid: cut short: ends within track 2 of 2" in printed.err
    for number in range(3):
        (good / f"{number}.mid").write_bytes(b"MThd")
    options = ["--run", str(tmp_path / "run")]
    assert main(["train", "music", "--data", str(tmp_path / "all"), *options]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert "train: 4 of 13 records are faulty, more than --max_bad 0.01 allows: " in error
    (good / "cut.mid").replace(tmp_path / "all" / "test" / "0.mid")
    assert main(["train", "music", "--data", str(tmp_path / "all"), *options, "--max_bad", "1"]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert "test/0.mid: cut short: ends within track 2 of 2; give the complete file" in error
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"train": 3, "valid": [[[60]]], "test": [[[60]]]}', "bad.json: no list of pieces in train; "),
        (
            '{"train": [[[60],[109]]], "valid": [[[60]]], "test": [[[60]]]}',
            "bad.json: piece 1 of train: 109 in step 2; a step is a list of MIDI numbers from 21 to 108",
        ),
        ('{"train": [\n[[60],[61]', "bad.json:2: not JSON"),
        ('{"trian": [[[60]]]}', "no split train; write"),
    ],
)
def test_invalid_json_is_reported_in_one_line(text, message, tmp_path, capsys):
    (tmp_path / "bad.json").write_text(text)
    assert main(["train", "music", "--data", str(tmp_path / "bad.json"), "--run", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert message in error, error
    assert not (tmp_path / "run").exists()


def test_a_run_of_frames_cannot_be_finetuned_on_events(run, tmp_path):
    folder = perform(tmp_path / "more", 1)
    with pytest.raises(UserError, match=r"the weights of the run do not fit: .*shape \(--representation\)"):
        seqtasks.finetune(run, train=folder, valid=folder, test=folder, new=tmp_path / "new", representation="events")
