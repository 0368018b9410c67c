"""Speech recognition (many-to-many, CTC): the text of a recording, with a time for each word.

    seqtasks train speech --data corpus/ --run runs/speech                # train.tsv, valid.tsv, test.tsv: path, text
    seqtasks predict runs/speech one.wav two.flac
    arecord -t raw -f S16_LE -r 16000 | seqtasks predict runs/live -      # of a run with --bidirectional false

The model turns a waveform into a log-mel spectrum. A convolution over time and a deep recurrence score the characters
at every frame, and connectionist temporal classification learns from texts without times.
"""

import functools
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from annotated_types import Ge

import seqtasks as st
from seqtasks.budget import Budget
from seqtasks.capabilities import Augments, FileInputs, Streams
from seqtasks.options import Cell, Count, Options, Positive, Probability, Rate, Size, Weight, option, rnn_options
from seqtasks.recipe import Assets, Recipe, Sample

if TYPE_CHECKING:
    import keras
    import numpy as np
    import tensorflow as tf

    from seqtasks.data.sources import Source
    from seqtasks.data.splits import Formats

WINDOW, HOP = 0.025, 0.010  # seconds of a frame of the spectrum, and from one to the next


@dataclass(frozen=True)
class Config(Options):
    """Options of the speech recipe."""

    path_column: str | None = option(None, "name or number of the column with the path", "data", changeable=True)
    text_column: str | None = option(None, "name or number of the column with the text", "data", changeable=True)
    header: bool | None = option(
        None, "whether the first line of a table holds names; null to detect it", "data", changeable=True
    )
    media_root: str | None = option(
        None, "folder of the recordings that a table names; null for the folder of the table", "data", changeable=True
    )
    sample_rate: Annotated[int, Ge(1000)] = option(16000, "samples per second; recordings are resampled to it", "data")
    max_seconds: Positive = option(60.0, "seconds of a recording, at most", "data", changeable=True)

    mels: Count = option(80, "mel bands of the spectrum", "model")
    filters: Size = option(128, "filters of the convolution over time before the recurrence; 0 for none", "model")
    width: Count = option(5, "frames of a filter of the convolution", "model")
    stride: Count = option(2, "frames that become one", "model")
    cell: Cell = option("gru", "recurrent cell", "model")
    units: Count = option(256, "size of the recurrent state, per direction", "model")
    layers: Count = option(3, "recurrent layers", "model")
    bidirectional: bool = option(True, "read in both directions; without it a stream can be answered", "model")
    residual: bool = option(False, "add the input of a recurrent layer to its output", "model")

    learning_rate: Positive = option(2e-3, "largest learning rate", "training")
    convolution_dropout: Rate = option(0.1, "dropout of the outputs of the convolution", "training")
    output_dropout: Rate = option(0.2, "dropout of the outputs of each recurrent layer", "training")
    recurrent_dropout: Rate = option(
        0.0, "dropout inside the recurrences, one mask for all steps of a recording", "training"
    )
    zoneout: Rate = option(0.0, "share of the recurrent state that a step leaves unchanged, at random", "training")
    speed: Rate = option(0.1, "share by which recordings are made slower or faster, at most", "training")
    noise: Probability = option(0.5, "share of the recordings that get white noise", "training")
    masks: Size = option(2, "time masks, and frequency masks, of each spectrum (SpecAugment)", "training")

    beam_width: Count = option(
        1, "prefixes kept at each frame; 1 takes the most probable class of each frame", "answering", validation=1
    )
    language_model: str | None = option(
        None,
        "path of a character-level language_model run for shallow fusion in beam search",
        "answering",
        validation=None,
    )
    language_weight: Weight = option(0.5, "weight of the language model's log-probabilities", "answering")
    length_bonus: float = option(0.5, "score added per character, against the preference for short texts", "answering")


def reads(config: Config) -> "Formats":
    st.errors.needs("jiwer", extra="speech")
    return st.speech.files.formats(options(config))


def options(config: Config) -> Any:
    """How recordings are read."""
    columns = st.data.columns.Columns(config.path_column, config.text_column, config.header)
    return st.speech.audio.Options(config.sample_rate, config.max_seconds, columns, config.media_root)


def read(config: Config, path: str) -> "np.ndarray":
    return st.speech.files.read(path, options(config))


def array(config: Config, waveform: "np.ndarray") -> "np.ndarray":
    if waveform.ndim != 1:
        what = f"array of shape {waveform.shape}"
        raise st.errors.UserError(what, where="input", remedy="give a list of waveforms (samples,)")
    return st.speech.audio.from_array(waveform, config.sample_rate, options(config))


def learn(config: Config, train: "Source") -> dict[str, Any]:
    return {"characters": st.speech.task.character_vocabulary(example.target for example in train)}


def encode(config: Config, assets: Assets, waveforms: "tf.RaggedTensor") -> dict[str, Any]:
    """Waveforms (batch, None) and their lengths in samples (batch,)."""
    import tensorflow as tf

    return {"waveforms": waveforms, "samples": tf.cast(waveforms.row_lengths(), tf.int32)}


def augment(config: Config, features: Any, seed: "tf.Tensor") -> dict[str, Any]:
    return encode(config, {}, st.speech.augmentation.augment(features["waveforms"], seed, config.speed, config.noise))


def log_mel(config: Config) -> Any:
    try:
        return st.layers.LogMel(config.sample_rate, config.mels, WINDOW, HOP, name="log_mel")
    except ValueError:
        what = f"{config.mels} bands are too many at {config.sample_rate} samples a second"
        raise st.errors.UserError(what, where="--mels", remedy="take fewer") from None


def build(config: Config, assets: Assets) -> "keras.Model":
    """Waveforms (batch, samples) and lengths (batch,) to logits (batch, frames, characters)."""
    import keras

    if config.filters and config.stride > config.width:
        what = f"it would skip frames, the width is {config.width}"
        raise st.errors.UserError(what, where="--stride", remedy="give at most --width")
    waveforms = keras.Input((None,), dtype="float32", name="waveforms")
    samples = keras.Input((), dtype="int32", name="samples")
    x = log_mel(config)([waveforms, samples])
    if config.masks:
        x = st.layers.SpecAugment(config.masks, config.masks, name="spec_augment")(x)
    return st.models.transcriber(
        {"waveforms": waveforms, "samples": samples},
        x,
        len(assets["characters"]),
        config.filters,
        config.width,
        config.stride,
        config.convolution_dropout,
        **rnn_options(config),
    )


def stride(config: Config) -> int:
    return config.stride if config.filters else 1


def check(config: Config, text: str, waveform: "np.ndarray") -> None:
    """CTC needs a frame for each character, and one between two equal characters."""
    spectrum = max(1, 1 + (len(waveform) - round(WINDOW * config.sample_rate)) // round(HOP * config.sample_rate))
    frames = -(-spectrum // stride(config))
    needed = len(text) + sum(a == b for a, b in itertools.pairwise(text))
    if frames < needed:
        what = f"{len(waveform) / config.sample_rate:.2f} seconds are too few for {len(text)} characters"
        raise st.errors.UserError(what, remedy="give the text that is spoken, or use a smaller --stride")


@functools.lru_cache(2)
def language_model_run(path: str) -> Any:
    import tensorflow as tf

    with tf.init_scope():  # the search is traced when this is called
        return st.load_run(path)


def task(config: Config) -> Any:
    def search(characters: Any, logits: "tf.Tensor") -> "tf.Tensor":
        import tensorflow as tf

        fusion: dict[str, Any] = {}
        if config.language_model:
            run = language_model_run(config.language_model)
            model = st.speech.fusion.fusion(run, characters, tf.shape(logits)[0])
            fusion = {"language_model": model, "weight": config.language_weight, "bonus": config.length_bonus}
        return st.ops.ctc.prefix_beam_search(logits, width=config.beam_width, **fusion)[0][:, 0]

    if config.language_model and config.beam_width > 1:
        st.speech.fusion.check(language_model_run(config.language_model))
    if config.language_model and config.beam_width == 1:
        raise st.errors.UserError("there is no beam", where="--language_model", remedy="add --beam_width 16")
    return st.speech.task.Transcription(HOP * stride(config), search if config.beam_width > 1 else None)


def spectrum_classifier(config: Config) -> Any:
    import tensorflow as tf

    layer = log_mel(config)

    def spectrum(waveform: "np.ndarray") -> "np.ndarray":
        return layer([tf.constant(waveform)[None], tf.constant([len(waveform)])])[0].numpy()

    return st.speech.baselines.SpectrumClassifier(lambda path: read(config, path), spectrum)


def serving_spec(config: Config) -> dict[str, Any]:
    import tensorflow as tf

    return {"waveforms": tf.TensorSpec([None, None], tf.float32), "lengths": tf.TensorSpec([None], tf.int32)}


def from_serving(config: Config, waveforms: "tf.Tensor", lengths: "tf.Tensor") -> "tf.RaggedTensor":
    """The rows up to their lengths; a row with a sample that is not finite becomes empty."""
    import tensorflow as tf

    rows = tf.RaggedTensor.from_tensor(waveforms, tf.clip_by_value(lengths, 0, tf.shape(waveforms)[1]))
    finite = tf.reduce_all(tf.math.is_finite(rows), 1)
    return tf.ragged.boolean_mask(rows, rows.with_values(tf.gather(finite, rows.value_rowids())))


def spec(config: Config) -> "tf.TensorSpec":
    import tensorflow as tf

    return tf.TensorSpec([None], tf.float32)


SAMPLE_OPTIONS = {
    "metric": "cer",
    "sample_rate": 8000,
    "mels": 8,
    "filters": 96,
    "width": 24,
    "stride": 6,
    "units": 96,
    "layers": 1,
    "epochs": 13,
    "batch_size": 16,
    "learning_rate": 4e-3,
    "convolution_dropout": 0.0,
    "output_dropout": 0.1,
    "masks": 0,
    "speed": 0.0,
    "noise": 0.0,
}
RECIPE = Recipe(
    name="speech",
    summary="The text of a recording, with a time for each word; words of a stream while it is spoken.",
    rnn_type="many-to-many, CTC",
    formats=(
        "csv",
        "tsv",
        "jsonl",
        "json",
        "parquet",
        "xlsx",
        "audiofolder",
        "common voice",
        "ljspeech",
        "librispeech",
        "kaldi",
        "nemo",
        "recordings with text files",
        "folder per word",
        "hf:NAME",
        "tfds:NAME",
    ),
    Config=Config,
    sample=Sample("morse:messages", SAMPLE_OPTIONS),
    reads=reads,
    learn=learn,
    encode=encode,
    build=build,
    task=task,
    loss=lambda config: st.losses.CTC(),
    metric="wer",
    baselines=lambda config: {"spectrum_logistic_regression": spectrum_classifier},
    capabilities=(
        FileInputs(read, spec, serving_spec, from_serving, check, array=array),
        Augments(augment),
        Streams(lambda predictor, file: st.speech.streaming.stream(predictor, file)),
    ),
    budget=lambda config: Budget(steps=600, epochs=(40, 150), batch_size=(4, 32), patience=10),
    rows={"logits": "characters"},
    card=lambda config: {"pipeline_tag": "automatic-speech-recognition"},
)
