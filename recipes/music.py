"""Music generation (one-to-many): pieces written from nothing, or going on where a given one ends.

    seqtasks train music --data jsb-chorales.json --step 1 --run runs/music
    seqtasks generate runs/music --num 3 --temperature 0.9 --output new.mid
    seqtasks generate runs/music --prompt beginning.mid --output whole.wav

Music in frames is a piano roll, the keys that sound in each step of a grid: a recurrence reads the frames so far, and
the keys of the next are told one after the other, from low to high, each given those below. Music in events is a
performance with its timing and loudness, a language model of keys going down and up. The measured results stand in the
README.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import seqtasks as st
from seqtasks.options import Cell, Options
from seqtasks.recipe import Query, Recipe


@dataclass(frozen=True)
class Config(Options):
    """Options of the music recipe."""

    epochs: int = 60  # passes over the training data, at most
    batch_size: int = 16  # pieces, or segments of performances, of a step
    batch_by: Literal["examples", "tokens"] = "tokens"  # what batches of pieces have the same number of
    learning_rate: float = 3e-3  # its largest value
    epsilon: float = 1e-10  # of Adam; the gradients of a mean over frames are small
    patience: int = 15  # epochs without a better validation metric before training stops
    representation: Literal["frames", "events"] = "frames"  # piano rolls on a grid, or performances
    step: float = 0.25  # length of a frame that is read from MIDI files; of files of frames, the length they have
    unit: Literal["quarters", "seconds"] = "quarters"  # of the step: quarter notes, whatever the tempo, or seconds
    transpose: int = 5  # semitones by which pieces are moved up or down while training, at most
    stretch: float = 0.05  # share by which performances are made slower or faster while training, at most
    chords: Literal["nade", "independent"] = "nade"  # whether a key of a frame is told which keys below it sound
    hidden: int = 128  # size of what the keys above are told
    cell: Cell = "lstm"  # the recurrent cell
    units: int = 256  # size of its state
    layers: int = 1  # recurrences on top of one another
    residual: bool = False  # whether a layer adds its input to its output
    dimension: int = 128  # size of the embeddings of events, which score them too
    segment: int = 128  # events through which gradients reach back
    embedding_dropout: float = 0.2  # of the keys of the frame before, or of the elements of the embeddings
    output_dropout: float = 0.5  # of the outputs of each recurrence
    recurrent_dropout: float = 0.2  # inside the recurrences, one mask for all steps of a piece
    zoneout: float = 0.0  # share of the state that stays as it was, drawn each step


def load(config, data=None, train=None, valid=None, test=None):
    st.errors.needs("pretty_midi", extra="music")
    splits = st.music.files.load_splits(data, st.music.generation.reading(config), train, valid, test)
    if config.representation == "frames":
        return splits
    return st.data.splits.Splits(*(st.data.segments.as_documents(source) for _, source in splits))


def learn(config, train):
    if config.representation == "frames":
        return {}
    tokenizer = st.text.tokenizer
    return {"tokens": tokenizer.Tokenizer("space", [*tokenizer.SPECIAL, *st.music.events.EVENTS])}


def encode(config, assets, texts):
    import tensorflow as tf

    if config.representation == "events":
        numbers = st.data.segments.append_end(assets["tokens"].encode(texts))
        return {"targets": numbers, "characters": tf.strings.length(texts) + 1}
    frames = st.music.piano_rolls.encode(texts)
    return {"targets": frames, "frames": tf.cast(frames.row_lengths(), tf.int32)}


def build(config, assets):
    import keras

    dropout = keras.layers.Dropout(config.embedding_dropout, name="embedding_dropout")
    if config.representation == "events":
        previous, following = (keras.Input((None,), dtype="int32", name=name) for name in ("decoder_inputs", "targets"))
        embedding = head = st.layers.ReversibleEmbedding(len(assets["tokens"]), config.dimension, name="embedding")
        embedded, size, rows = dropout(embedding(previous)), config.dimension, config.batch_size
    else:
        keys = st.music.piano_rolls.KEYS
        previous, following = (keras.Input((None, keys), name=name) for name in ("decoder_inputs", "targets"))
        embedded, size, rows = dropout(previous), None, 0
        kinds = {"nade": st.layers.NADE, "independent": st.layers.IndependentBernoulli}
        more = {"hidden": config.hidden} if config.chords == "nade" else {}
        head = kinds[config.chords](keys, name="keys", **more)
    return st.models.language_model(
        previous,
        embedded,
        following,
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


def segments(config, assets, source):
    if config.representation == "frames":
        return None
    if "tokens" not in assets:
        remedy = "leave it out, or train a new run"
        raise st.errors.UserError("the run that it begins with is of frames", where="--representation", remedy=remedy)
    variants = st.music.generation.shifts(config.transpose, config.stretch)
    return st.data.segments.Segments(source, assets["tokens"].encode, config.batch_size, config.segment, variants)


def augment(config, features, seed):
    return st.music.generation.transposed(features, seed, config.transpose)


def write(config, model, features):
    import tensorflow as tf

    following = features["targets"]
    if config.representation == "events":
        following = st.data.segments.ignore_padding(following)
    else:
        live = tf.range(tf.shape(following)[1]) < features["frames"][:, None]
        following = tf.where(live[..., None], following, -1)
    shown = task(config).add_decoder_inputs({}, following)
    return st.decoding.scoring.score(st.models.LanguageModelStepper(model), shown["decoder_inputs"], shown["targets"])[0]


def task(config):
    return st.music.task.FrameModelling() if config.representation == "frames" else st.tasks.LanguageModelling()


def baselines(config):
    if config.representation == "frames":
        return {"frame_before": lambda config: st.music.baselines.FrameFrequencies()}
    return {"n_grams": lambda config: lambda tokens: st.tasks.ngrams.NGrams(4, tokens)}


def asked(config, text, tokens):
    return [Query(st.music.files.piece(text, st.music.generation.reading(config)), {})]


def signatures(predictor):
    events = predictor.config.representation == "events"
    return {"generate": (st.text.generation if events else st.music.generation).writer(predictor)}


RECIPE = Recipe(
    name="music",
    summary="New pieces of music, from nothing or going on with a given one, in frames or in events.",
    rnn_type="one-to-many",
    formats=("json of frames", "folder of midi files", "tunes"),
    Config=Config,
    sample=Path(__file__).parent / "samples" / "tunes.txt",
    sample_options={"step": 0.5, "transpose": 0, "epochs": 8, "units": 128, "patience": 0, "output_dropout": 0.2},
    load=load,
    learn=learn,
    encode=encode,
    build=build,
    write=write,
    segments=segments,
    augment=augment,
    task=task,
    loss=lambda config: st.losses.NegativeLogLikelihood(),
    default_metric="nll",
    baselines=baselines,
    asked=asked,
    illustrate=lambda predictor, examples: st.music.generation.illustrate(predictor, examples),
    generate=lambda predictor, *asked: st.music.generation.answers(predictor, *asked),
    deliver=lambda config, answer, path: st.music.generation.deliver(config, answer, path),
    delivers=(".mid", ".wav"),
    checks=lambda predictor, train: st.music.generation.checks(predictor, train),
    signatures=signatures,
    scores=True,
)
