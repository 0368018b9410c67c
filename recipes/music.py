"""Music generation (one-to-many): new pieces, from nothing or continuing a given one.

    seqtasks train music --data jsb-chorales.json --step 1 --run runs/music
    seqtasks generate runs/music --num 3 --temperature 0.9 --output new.mid
    seqtasks generate runs/music --prompt beginning.mid --output whole.wav

Music in frames is a piano roll, the keys that sound in each step of a grid. A recurrence reads the frames so far, and
the keys of the next frame are predicted one at a time, from low to high, each given those below it. Music in events is
a performance with its timing and loudness: a language model of keys that go down and up.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import seqtasks as st
from seqtasks.budget import Budget
from seqtasks.capabilities import Augments, Generates, Infers, Query, RunningText, Scores, TextInputs
from seqtasks.options import Cell, Count, Options, Positive, Rate, Size, option
from seqtasks.recipe import Assets, Recipe, Sample

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from seqtasks.data.sources import Source
    from seqtasks.data.splits import Formats


@dataclass(frozen=True)
class Config(Options):
    """Options of the music recipe."""

    representation: Literal["frames", "events"] = option("frames", "piano rolls on a grid, or performances", "data")
    step: Positive = option(0.25, "length of a frame of a MIDI file; files of frames have their own", "data")
    unit: Literal["quarters", "seconds"] = option(
        "quarters", "unit of step: quarter notes at any tempo, or seconds", "data"
    )
    instruments: Literal["melody", "drums", "all"] = option(
        "melody", "instruments that are read: all but drums, drums alone, or all", "data"
    )
    path_column: str | None = option(
        None, "column of a table with the files or pieces, by name or number; null for a usual name", "data",
        changeable=True,
    )  # fmt: skip

    frame_distribution: Literal["nade", "independent"] = option(
        "nade", "nade: each key of a frame given the keys below it; independent: each key alone", "model"
    )
    nade_units: Count = option(128, "hidden units of NADE", "model")
    cell: Cell = option("lstm", "recurrent cell", "model")
    units: Count = option(256, "size of the recurrent state", "model")
    layers: Count = option(1, "recurrent layers", "model")
    residual: bool = option(False, "add the input of a recurrent layer to its output", "model")
    dimension: Count = option(128, "size of the embeddings of events, which also score them", "model")

    batch_by: Literal["examples", "tokens"] = option(
        "tokens", "tokens: each step has about the same number of frames, batch_size pieces on average", "training"
    )
    learning_rate: Positive = option(3e-3, "largest learning rate", "training")
    epsilon: Positive = option(1e-10, "epsilon of Adam; the gradients of a mean over frames are small", "training")
    transpose: Size = option(5, "semitones by which pieces are transposed at random, at most", "training")
    time_stretch: Rate = option(0.05, "share by which performances are made slower or faster, at most", "training")
    bptt_length: Count = option(128, "events through which gradients flow back", "training")
    embedding_dropout: Rate = option(
        0.2, "dropout of the keys of the frame before, or of the elements of the embeddings", "training"
    )
    output_dropout: Rate = option(0.5, "dropout of the outputs of each recurrent layer", "training")
    recurrent_dropout: Rate = option(
        0.2, "dropout inside the recurrences, one mask for all steps of a piece", "training"
    )
    zoneout: Rate = option(0.0, "share of the state that a step leaves unchanged, at random", "training")


def reads(config: Config) -> "Formats":
    return st.music.files.formats(st.music.generation.file_options(config))


def learn(config: Config, train: "Source") -> dict[str, Any]:
    if config.representation == "frames":
        return {}
    tokenizer = st.text.tokenizer
    return {"tokens": tokenizer.Tokenizer("space", [*st.data.token_ids.SPECIAL_TOKENS, *st.music.events.EVENTS])}


def encode(config: Config, assets: Assets, texts: "tf.Tensor") -> dict[str, Any]:
    """Pieces as texts (batch,) to frames (batch, None, 88), or to event numbers (batch, None)."""
    import tensorflow as tf

    if config.representation == "events":
        numbers = st.data.segments.append_end(assets["tokens"].encode(texts))
        return {"targets": numbers, "characters": tf.strings.length(texts) + 1}
    frames = st.music.piano_rolls.encode(texts)
    return {"targets": frames, "frames": tf.cast(frames.row_lengths(), tf.int32)}


def build(config: Config, assets: Assets) -> "keras.Model":
    """Decoder inputs and targets, (batch, time, 88) or events (batch, time), to log-likelihoods (batch, time)."""
    import keras

    dropout = keras.layers.Dropout(config.embedding_dropout, name="embedding_dropout")
    if config.representation == "events":
        decoder_inputs, targets = (
            keras.Input((None,), dtype="int32", name=name) for name in ("decoder_inputs", "targets")
        )
        embedding = head = st.layers.ReversibleEmbedding(len(assets["tokens"]), config.dimension, name="embedding")
        embedded, size, rows = dropout(embedding(decoder_inputs)), config.dimension, int(config.batch_size)
    else:
        keys = st.music.piano_rolls.KEYS
        decoder_inputs, targets = (keras.Input((None, keys), name=name) for name in ("decoder_inputs", "targets"))
        embedded, size, rows = dropout(decoder_inputs), None, 0
        kinds = {"nade": st.layers.NADE, "independent": st.layers.IndependentBernoulli}
        more = {"hidden": config.nade_units} if config.frame_distribution == "nade" else {}
        head = kinds[config.frame_distribution](keys, name="keys", **more)
    return st.models.language_model(
        decoder_inputs,
        embedded,
        targets,
        head,
        config.cell,
        config.units,
        config.layers,
        config.output_dropout,
        config.residual,
        size,
        rows,
        recurrent_dropout=config.recurrent_dropout,
        zoneout=config.zoneout,
    )


def segments(config: Config, assets: Assets, source: "Source") -> Any:
    if config.representation == "frames":
        return None
    variants = st.music.augmentation.event_variations(config.transpose, config.time_stretch)
    return st.data.segments.Segments(
        source, assets["tokens"].encode, int(config.batch_size), config.bptt_length, variants
    )


def augment(config: Config, features: Any, seed: "tf.Tensor") -> Any:
    rolls = st.music.augmentation.transpose_rolls(features["targets"], seed, config.transpose)
    return features | {"targets": rolls}


def infer(config: Config, model: "keras.Model", features: Mapping[str, Any]) -> "tf.Tensor":
    """The log-likelihood of each frame or event, for pieces of any length."""
    import tensorflow as tf

    targets = features["targets"]
    if config.representation == "events":
        targets = st.data.segments.ignore_padding(targets)
    else:
        live = tf.range(tf.shape(targets)[1]) < features["frames"][:, None]
        targets = tf.where(live[..., None], targets, -1)
    shown = task(config).add_decoder_inputs({}, targets)
    return st.decoding.scoring.score(st.models.LanguageModelStepper(model), shown["decoder_inputs"], shown["targets"])[
        0
    ]


def task(config: Config) -> Any:
    return st.music.task.FrameModelling() if config.representation == "frames" else st.tasks.LanguageModelling()


def baselines(config: Config) -> dict[str, Any]:
    if config.representation == "frames":
        return {"frame_before": lambda config: st.music.baselines.FrameFrequencies()}
    return {"n_grams": lambda config: lambda tokens: st.tasks.ngrams.NGrams(4, tokens)}


def parse(config: Config, text: Any) -> list[Query]:
    found = st.music.pieces.read_pieces(text, st.music.generation.file_options(config))
    return [Query(piece.text, {"piece": piece.title} if piece.title else {}) for piece in found]


def signature(predictor: Any) -> Any:
    events = predictor.config.representation == "events"
    return (st.text.generation if events else st.music.generation).writer(predictor)


SAMPLE_OPTIONS = {"step": 0.5, "transpose": 0, "epochs": 8, "units": 128, "patience": 0, "output_dropout": 0.2}
RECIPE = Recipe(
    name="music",
    summary="New pieces of music, from nothing or continuing a given one, in frames or in events.",
    rnn_type="one-to-many",
    formats=("json of frames", "midi", "folder of midi files", "MusicXML", "ABC", "tables of paths", "arrays", "tunes"),
    Config=Config,
    sample=Sample(Path(__file__).parent / "samples" / "tunes.txt", SAMPLE_OPTIONS),
    reads=reads,
    learn=learn,
    encode=encode,
    build=build,
    task=task,
    loss=lambda config: st.losses.NegativeLogLikelihood(),
    metric="nll",
    baselines=baselines,
    capabilities=(
        TextInputs(parse),
        RunningText(segments),
        Augments(augment),
        Infers(infer),
        Scores(),
        Generates(
            generate=lambda predictor, *given: st.music.generation.answers(predictor, *given),
            compare=lambda predictor, train: st.music.generation.compare_generated(predictor, train),
            signature=signature,
            report=lambda predictor, examples: st.music.generation.report_sections(predictor, examples),
            write=lambda config, answer, path: st.music.generation.write_answer(config, answer, path),
            suffixes=(".mid", ".wav"),
        ),
    ),
    budget=lambda config: Budget(steps=900, epochs=(60, 300), batch_size=(16, 16), patience=15),
    rows={"embedding": "tokens"},
    card=lambda config: {"tags": ["music"]},
)
