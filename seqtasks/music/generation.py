"""Generation of music: piano rolls frame by frame, performances event by event, and how they are reported."""

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from seqtasks.data.sources import Example
from seqtasks.decoding import sample
from seqtasks.decoding.options import GenerationOptions, check_in_graph
from seqtasks.errors import UserError
from seqtasks.models import LanguageModelStepper
from seqtasks.music import analysis, midi, piano_rolls, pieces, report, synthesis
from seqtasks.music.notes import Note
from seqtasks.text import generation

SAMPLES = 16  # pieces that are generated for the comparison with others
COMPARED = 500  # maximum number of pieces that they are compared with
SHOWN = 2  # pieces in the report without a prompt, and with one


def frames(
    stepper: LanguageModelStepper,
    prompts: tf.Tensor,
    seed: tf.Tensor,
    length: int | tf.Tensor,
    temperature: float | tf.Tensor = 1.0,
) -> tuple[tf.Tensor, tf.Tensor]:
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

    def draw(vectors: tf.Tensor, t: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return stepper.head.draw(vectors, seed + tf.stack([0, t]), temperature)

    return sample(stepper.step, states, start, draw, length, jit_compile=False)


@functools.lru_cache(1)  # so that it is traced once for a run
def writer(predictor: Any) -> Callable[..., dict[str, tf.Tensor]]:
    """Makes the function of the signature `generate` of a SavedModel, for a run of frames.

    Arguments of the function: `prompts`, rolls as strings (batch,), all with the same number of frames; `seed` and
    `length`, int32; `temperature`, float32.

    Args:
        predictor: predictor of a trained model of frames.

    Returns:
        The function; it returns `text`, the roll with its prompt, and `log_probability`, both (batch,).
    """
    stepper = LanguageModelStepper(predictor.model)
    kinds = {"seed": tf.int32, "length": tf.int32, "temperature": tf.float32}
    scalars = [tf.TensorSpec([], kind, name) for name, kind in kinds.items()]

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "prompts"), *scalars])
    def generate(
        prompts: tf.Tensor, seed: tf.Tensor, length: tf.Tensor, temperature: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        check_in_graph(seed=seed, length=length, temperature=temperature)
        given = tf.ensure_shape(piano_rolls.encode(prompts).to_tensor(), [None, None, piano_rolls.KEYS])
        new, log_probability = frames(stepper, given, tf.stack([seed, 0]), length, temperature)
        return {"text": piano_rolls.decode(tf.concat([given, new], 1)), "log_probability": log_probability}

    return generate


def answers(predictor: Any, prompt: str, options: GenerationOptions, shown: int = 0) -> Iterator[dict[str, Any]]:
    """Generates pieces, as `seqtasks generate` prints them.

    Args:
        predictor: predictor of a trained model of frames or events, with `config`, `assets` and `model`.
        prompt: the path of a MIDI file, or a piece as a string, with which each piece begins; "" for none.
        options: number of pieces, length, temperature and so on.
        shown: for events, how many of the most probable events to list for each step.

    Yields:
        Dicts with `piece`, `notes`, the number of notes, and `log_probability`; if the prompt is a file also `midi`,
        its tempi, metres and instrument (the fields of `seqtasks.music.midi.Setting`).

    Raises:
        UserError: if the prompt cannot be read, or an option is only for events.
    """
    config = predictor.config
    given = pieces.read_piece(prompt, file_options(config)) if prompt else pieces.Found("")
    prompt, more = given.text, {"midi": given.setting._asdict()} if given.setting else {}
    if config.representation == "events":
        for answer in generation.answers(predictor, prompt, options, shown):
            yield _answer(config, answer.pop("text"), answer | more)
        return
    for name, used in {"top_k": options.top_k > 0, "top_p": options.top_p < 1, "show": shown > 0}.items():
        if used:
            raise UserError("only for events", where=f"--{name}", remedy="leave it out, or train on events")
    write, temperature = writer(predictor), tf.constant(options.temperature, tf.float32)
    for start in range(0, options.num, generation.ROWS):
        rows = min(generation.ROWS, options.num - start)
        found = write(tf.fill([rows], prompt), options.seed + start, options.length, temperature)
        for text, log_probability in zip(found["text"].numpy(), found["log_probability"].numpy(), strict=True):
            yield _answer(config, text.decode(), {"log_probability": float(log_probability), **more})


def _answer(config: Any, piece: str, rest: dict[str, Any]) -> dict[str, Any]:
    return {"piece": piece, "notes": len(notes(config, piece)), **rest}


def file_options(config: Any) -> pieces.Options:
    """The options for reading pieces, from the options of the recipe."""
    return pieces.Options(
        config.representation, config.step, config.unit, config.instruments, config.path_column, config.cache_mb
    )


def notes(config: Any, piece: str) -> list[Note]:
    """Converts a generated piece to notes; see `seqtasks.music.pieces.notes_of`."""
    return pieces.notes_of(piece, file_options(config))


def tempo(config: Any) -> int | None:
    """Quarter notes per minute, if the times of notes are quarter notes; otherwise None."""
    return midi.TEMPO if config.representation == "frames" and config.unit == "quarters" else None


def write_answer(config: Any, answer: dict[str, Any], path: Path | str) -> Path | str:
    """Writes an answer of `answers` as a `.mid` or `.wav` file, with the tempi, metres and instrument of its prompt.

    Args:
        config: options of the recipe.
        answer: the answer.
        path: the file; its suffix selects the format.

    Returns:
        The path.

    Raises:
        UserError: if the piece has no notes, or the suffix is unknown.
    """
    found = notes(config, answer["piece"])
    if not found:
        raise UserError("the piece has no notes", where=path, remedy="raise --length, or take another --seed")
    setting = midi.Setting(**answer["midi"]) if "midi" in answer else midi.Setting(drums=config.instruments == "drums")
    synthesis.write(found, path, tempo(config), setting)
    return path


def compare_generated(
    predictor: Any, reference: Iterable[Example], seed: int = 0, length: int | None = None
) -> dict[str, Any]:
    """Compares pieces that are generated without a prompt with others in key, range, note lengths and repetition.

    Args:
        predictor: as for `answers`.
        reference: examples; the first 500 are used.
        seed: of the random numbers.
        length: frames or events of each piece; None for the mean length of the reference, at most 1,000.

    Returns:
        The result of `seqtasks.music.analysis.compare`, and `pieces`, the number of generated pieces that have notes.
    """
    config = predictor.config
    texts = [example.input for example in itertools.islice(reference, COMPARED)]
    mean = sum(len(_steps(config, text)) for text in texts) // max(len(texts), 1)
    options = GenerationOptions(num=SAMPLES, length=length or max(1, min(mean, 1000)), seed=seed)
    generated = [found for a in answers(predictor, "", options) if (found := notes(config, a["piece"]))]
    if not generated:
        return {"pieces": 0}
    return {"pieces": len(generated), **analysis.compare(generated, [notes(config, text) for text in texts])}


def report_sections(predictor: Any, examples: Sequence[Example]) -> list[tuple[str, str]]:
    """Makes the sections of the report on generated pieces: pictures and sound, and a comparison with other pieces.

    Args:
        predictor: as for `answers`.
        examples: of the test split; the first two are continued.

    Returns:
        Pairs (title, HTML).
    """
    config = predictor.config
    length = 64 if config.representation == "frames" else 400
    found = [
        (f"without a prompt, {number}", answer)
        for number, answer in enumerate(answers(predictor, "", GenerationOptions(SHOWN, length)), 1)
    ]
    for example in examples[:SHOWN]:
        steps = _steps(config, example.input)
        prompt = steps[: min(len(steps) // 2, length // 2)]
        if text := (";" if config.representation == "frames" else " ").join(prompt):
            answer = next(answers(predictor, text, GenerationOptions(1, length)))
            found.append((f"continuation of the first {len(prompt)} steps of {example.place}", answer))
    pieces = [(heading, notes(config, answer["piece"]), tempo(config)) for heading, answer in found]
    sections = [report.section("Written by the network", pieces)]
    compared = compare_generated(predictor, examples)
    if compared.pop("pieces"):
        table = report.differences(compared, "test split")
        sections.append(("Comparison of generated pieces with the test split", table))
    return sections


def _steps(config: Any, piece: str) -> list[str]:
    """The frames or events of a piece."""
    return piece.split(";") if config.representation == "frames" else piece.split()
