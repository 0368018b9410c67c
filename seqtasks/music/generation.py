"""New pieces of music: rolls drawn frame by frame, performances event by event, and what is told and shown of them."""

import functools
import itertools

import numpy as np
import tensorflow as tf

from seqtasks.decoding import sample
from seqtasks.decoding.options import GenerationOptions
from seqtasks.errors import UserError
from seqtasks.models import LanguageModelStepper
from seqtasks.music import analysis, events, files, midi, piano_rolls, report, synthesis
from seqtasks.text import generation

SAMPLES = 16  # pieces that are written to be compared with others
COMPARED = 500  # pieces that they are compared with, at most
SHOWN = 2  # pieces of the report that are written from nothing, and that go on with a given one


def frames(stepper, prompts, seed, length, temperature=1.0):
    """Draws piano rolls frame by frame, in the graph.

    Args:
        stepper: `seqtasks.models.LanguageModelStepper` of a model whose head is one of `seqtasks.layers.nade`.
        prompts: (batch, time, 88), the first frames of each, all of the same length; may have no frames.
        seed: int tensor (2,).
        length: number of new frames.
        temperature: divisor of the logits; 0 takes the more probable of on and off, key after key.

    Returns:
        frames (batch, length, 88), float32, and their log-probabilities (batch,) under the model itself.
    """
    decoder_inputs = tf.pad(prompts, [[0, 0], [1, 0], [0, 0]])
    start, states = decoder_inputs[:, -1], stepper.begin(tf.shape(prompts)[0])
    if prompts.shape[1] != 0:
        _, states = stepper.run(decoder_inputs[:, :-1], states)

    def draw(vectors, t):
        return stepper.head.draw(vectors, seed + tf.stack([0, t]), temperature)

    return sample(stepper.step, states, start, draw, length, jit_compile=False)


@functools.lru_cache(1)  # so that it is traced once for a run
def writer(predictor):
    """The function of a SavedModel's signature `generate` of a run of frames.

    Args of the function: `prompts`, rolls as strings (batch,), all of the same number of frames; `seed` and `length`,
    int32; `temperature`, float32. It gives `text`, the roll with its prompt, and `log_probability`.
    """
    stepper = LanguageModelStepper(predictor.model)
    kinds = {"seed": tf.int32, "length": tf.int32, "temperature": tf.float32}
    scalars = [tf.TensorSpec([], kind, name) for name, kind in kinds.items()]

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "prompts"), *scalars])
    def written(prompts, seed, length, temperature):
        given = tf.ensure_shape(piano_rolls.encode(prompts).to_tensor(), [None, None, piano_rolls.KEYS])
        drawn, likely = frames(stepper, given, tf.stack([seed, 0]), length, temperature)
        return {"text": piano_rolls.decode(tf.concat([given, drawn], 1)), "log_probability": likely}

    return written


def answers(predictor, prompt, ask, shown=0):
    """What `seqtasks generate` tells of a run of music: dicts with `piece`, `notes` and `log_probability`.

    Args:
        predictor: a trained model of frames or events.
        prompt: the path of a MIDI file, or a piece as text, that each goes on with; "" for nothing.
        ask: `seqtasks.decoding.options.GenerationOptions`.
        shown: of events, how many of the likeliest are told of every step.
    """
    config = predictor.config
    prompt = files.piece(prompt, reading(config)) if prompt else ""
    if config.representation == "events":
        for answer in generation.answers(predictor, prompt, ask, shown):
            yield _told(config, answer.pop("text"), answer)
        return
    for name, given in {"top_k": ask.top_k > 0, "top_p": ask.top_p < 1, "show": shown > 0}.items():
        if given:
            raise UserError("for events alone", where=f"--{name}", remedy="leave it out, or train on events")
    write = writer(predictor)
    for start in range(0, ask.num, generation.ROWS):
        rows = min(generation.ROWS, ask.num - start)
        found = write(tf.fill([rows], prompt), ask.seed + start, ask.length, tf.constant(ask.temperature, tf.float32))
        for text, likely in zip(found["text"].numpy(), found["log_probability"].numpy(), strict=True):
            yield _told(config, text.decode(), {"log_probability": float(likely)})


def _told(config, piece, answer):
    return {"piece": piece, "notes": len(notes(config, piece)), **answer}


def reading(config):
    """How a recipe's options say that pieces are read."""
    return files.Options(config.representation, config.step, config.unit)


def notes(config, piece):
    """The notes of a piece, whoever wrote it; of a performance as far as it is one."""
    return files.notes_of(piece, reading(config))


def tempo(config):
    """Quarter notes a minute, where the times of notes are quarter notes; else None."""
    return midi.TEMPO if config.representation == "frames" and config.unit == "quarters" else None


def deliver(config, answer, path):
    """Write an answer as `.mid` or `.wav`; gives the path."""
    found = notes(config, answer["piece"])
    if not found:
        raise UserError("the piece has no notes", where=path, remedy="ask for more --length, or with another --seed")
    synthesis.write(found, path, tempo(config))
    return path


def checks(predictor, reference, seed=0, length=None):
    """How pieces that the model writes from nothing differ from others in key, range, lengths of notes and repetition.

    Args:
        predictor: the trained model.
        reference: iterable of examples.
        seed: of what is drawn.
        length: frames or events of each; None for the mean of the reference, at most 1,000.

    Returns:
        What `seqtasks.music.analysis.compare` gives, and `pieces`, how many were written.
    """
    config = predictor.config
    texts = [example.input for example in itertools.islice(reference, COMPARED)]
    split = ";" if config.representation == "frames" else None
    mean = sum(len(text.split(split)) for text in texts) // max(len(texts), 1)
    ask = GenerationOptions(num=SAMPLES, length=length or max(1, min(mean, 1000)), seed=seed)
    written = [found for a in answers(predictor, "", ask) if (found := notes(config, a["piece"]))]
    if not written:
        return {"pieces": 0}
    return {"pieces": len(written), **analysis.compare(written, [notes(config, text) for text in texts])}


def illustrate(predictor, examples):
    """The parts of the report with written pieces, as pictures and sounds, and how they differ from others."""
    config, half = predictor.config, []
    length = 64 if config.representation == "frames" else 400
    free = [
        (f"from nothing, {i + 1}", a) for i, a in enumerate(answers(predictor, "", GenerationOptions(SHOWN, length)))
    ]
    for example in examples[:SHOWN]:
        steps = example.input.split(";") if config.representation == "frames" else example.input.split()
        start = steps[: min(len(steps) // 2, length // 2)]
        prompt = (";" if config.representation == "frames" else " ").join(start)
        answer = next(iter(answers(predictor, prompt, GenerationOptions(1, length)))) if prompt else None
        half += [(f"going on after the first {len(start)} steps of {example.place}", answer)] if answer else []
    told = [(title, notes(config, answer["piece"]), tempo(config)) for title, answer in [*free, *half]]
    sections = [report.section("Written by the network", told)]
    compared = checks(predictor, examples)
    if compared.pop("pieces"):
        sections.append(("Written pieces beside those of the test split", report.differences(compared, "test split")))
    return sections


def shifts(semitones, stretch):
    """The variations of events as `seqtasks.data.segments.Segments` takes them: transposed, and slower or faster.

    Args:
        semitones: the most that a performance is moved up or down.
        stretch: the most that it is stretched or shortened, a share of its time.

    Returns:
        int32 (variations, 4 + 388), numbers of a tokenizer of `events.EVENTS`; the first variation changes nothing.
    """
    plain = np.arange(len(events.EVENTS))
    found = []
    for factor in (1.0, *((1 - stretch, 1 - stretch / 2, 1 + stretch / 2, 1 + stretch) if stretch else ())):
        for moved in (0, *(n for n in range(-semitones, semitones + 1) if n)):
            row = plain.copy()
            for first in (events.KINDS["on"][0], events.KINDS["off"][0]):
                row[first : first + 128] = first + np.clip(np.arange(128) + moved, 0, 127)
            first, least, most = events.KINDS["shift"]
            lengths = np.clip(np.round(np.arange(least, most + 1) * factor), least, most).astype(int)
            row[first : first + most] = first + lengths - least
            found.append(np.concatenate([np.arange(4), 4 + row]))
    return np.array(found, "int32")


def transposed(features, seed, semitones):
    """The features with their rolls, ragged (batch, None, 88), each moved by as many semitones as the piano allows."""
    rolls_ = features["targets"]
    rows = rolls_.nrows()
    sounding = tf.reduce_max(rolls_, 1) > 0  # (batch, 88)
    keys = tf.range(piano_rolls.KEYS)
    lowest = tf.reduce_min(tf.where(sounding, keys, piano_rolls.KEYS), 1)
    highest = tf.reduce_max(tf.where(sounding, keys, -1), 1)
    moved = tf.random.stateless_uniform([rows], seed, -semitones, semitones + 1, tf.int32)
    moved = tf.clip_by_value(moved, tf.minimum(-lowest, 0), tf.maximum(piano_rolls.KEYS - 1 - highest, 0))
    moved = tf.where(highest < 0, 0, moved)
    places = keys - tf.gather(moved, rolls_.value_rowids())[:, None]  # where each key is taken from
    inside = (places >= 0) & (places < piano_rolls.KEYS)
    flat = tf.gather(rolls_.flat_values, tf.clip_by_value(places, 0, piano_rolls.KEYS - 1), batch_dims=1)
    return features | {"targets": rolls_.with_values(tf.where(inside, flat, 0.0))}
