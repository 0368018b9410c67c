"""Speech recognition (many-to-many, CTC): what a recording says, with a time for each word.

    seqtasks train speech --data corpus/ --run runs/speech                # train.tsv, valid.tsv, test.tsv: path, text
    seqtasks predict runs/speech one.wav two.flac
    arecord -t raw -f S16_LE -r 16000 | seqtasks predict runs/live -      # of a run with --bidirectional false

A waveform becomes a log-mel spectrum in the model itself; a convolution over time and a deep recurrence score the
characters at every frame, and connectionist temporal classification learns from texts without times. The measured
results stand in the README.
"""

import functools
import itertools
from dataclasses import dataclass

import seqtasks as st
from seqtasks.options import Cell, Options, rnn_options
from seqtasks.recipe import FileInputs, Recipe

WINDOW, HOP = 0.025, 0.010  # seconds of a frame of the spectrum, and from one to the next


@dataclass(frozen=True)
class Config(Options):
    """Options of the speech recipe."""

    epochs: int = 40  # passes over the training data, at most
    batch_size: int = 32  # recordings of a step
    learning_rate: float = 2e-3  # its largest value
    patience: int = 10  # epochs without a better validation metric before training stops
    sample_rate: int = 16000  # samples a second that recordings are brought to
    longest: float = 60.0  # seconds that a recording may last
    path_column: str | None = None  # name or number of the column with the path
    text_column: str | None = None  # name or number of the column with the text
    header: bool | None = None  # whether the first line of a table holds names; null decides by looking
    mels: int = 80  # bands of the spectrum
    filters: int = 128  # of the convolution over time before the recurrence; 0 for none
    width: int = 5  # frames that the convolution looks at
    stride: int = 2  # frames that become one
    cell: Cell = "gru"  # the recurrent cell
    units: int = 256  # size of its state, in each direction
    layers: int = 3  # recurrences on top of one another
    bidirectional: bool = True  # whether each layer reads from both ends; without it a stream can be answered
    residual: bool = False  # whether a layer adds its input to its output
    convolution_dropout: float = 0.1  # of the outputs of the convolution
    output_dropout: float = 0.2  # of the outputs of each recurrence
    recurrent_dropout: float = 0.0  # inside the recurrences, one mask for all steps of a recording
    zoneout: float = 0.0  # share of the recurrent state that stays as it was, drawn each step
    speed: float = 0.1  # share by which training makes recordings slower or faster, at most
    noise: float = 0.5  # share of the recordings that training adds white noise to
    masks: int = 2  # stretches of time, and bands, that training hides from each spectrum
    beam_width: int = 1  # prefixes kept at each frame; 1 takes the likeliest class of each frame
    language_model: str | None = None  # run of language_model, of characters, that helps the beam
    language_weight: float = 0.5  # of its log-probabilities
    bonus: float = 0.5  # for each character, against its liking for few of them


def load(config, data=None, train=None, valid=None, test=None):
    st.errors.needs("jiwer", extra="speech")
    splits = st.speech.files.load_splits(data, options(config), train, valid, test)
    return st.data.splits.Splits(**{name: normalised(source) for name, source in splits})


def normalised(source):
    def examples():
        for example in source:
            yield example._replace(target=st.speech.transcripts.normalise(example.target))

    return st.data.sources.Source(examples, source.name, source.size)


def options(config):
    columns = st.data.sources.Columns(config.path_column, config.text_column, config.header)
    return st.speech.audio.Options(config.sample_rate, config.longest, columns)


def read(config, path):
    return st.speech.files.read(path, options(config))


def learn(config, train):
    return {"characters": st.speech.task.character_vocabulary(example.target for example in train)}


def encode(config, assets, waveforms):
    import tensorflow as tf

    return {"waveforms": waveforms, "samples": tf.cast(waveforms.row_lengths(), tf.int32)}


def augment(config, features, seed):
    return encode(config, None, st.speech.augmentation.augment(features["waveforms"], seed, config.speed, config.noise))


def log_mel(config):
    try:
        return st.layers.LogMel(config.sample_rate, config.mels, WINDOW, HOP, name="log_mel")
    except ValueError:
        what = f"{config.mels} bands are too many at {config.sample_rate} samples a second"
        raise st.errors.UserError(what, where="--mels", remedy="take fewer") from None


def build(config, assets):
    import keras

    if config.filters and config.stride > config.width:
        what = f"it would leave out frames, the width is {config.width}"
        raise st.errors.UserError(what, where="--stride", remedy="take one no larger than --width")
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


def stride(config):
    return config.stride if config.filters else 1


def fits(config, text, waveform):
    """Whether there are frames enough for a text: one for each character, and one between two that are the same."""
    spectrum = max(1, 1 + (len(waveform) - round(WINDOW * config.sample_rate)) // round(HOP * config.sample_rate))
    frames = -(-spectrum // stride(config))
    needed = len(text) + sum(a == b for a, b in itertools.pairwise(text))
    if frames < needed:
        what = f"{len(waveform) / config.sample_rate:.2f} seconds are too few for {len(text)} characters"
        raise st.errors.UserError(what, remedy="give the text that is said, or take a smaller --stride")


@functools.lru_cache(2)
def language_model_run(path):
    import tensorflow as tf

    with tf.init_scope():  # the search is traced when this is called
        return st.load_run(path)


def task(config):
    def search(characters, logits):
        import tensorflow as tf

        model = None
        if config.language_model:
            run = language_model_run(config.language_model)
            model = st.speech.fusion.fusion(run, characters, tf.shape(logits)[0])
        given = {"language_model": model, "weight": config.language_weight, "bonus": config.bonus} if model else {}
        return st.ops.ctc.prefix_beam_search(logits, width=config.beam_width, **given)[0][:, 0]

    if config.language_model and config.beam_width == 1:
        raise st.errors.UserError("there is no beam", where="--language_model", remedy="add --beam_width 16")
    return st.speech.task.Transcription(HOP * stride(config), search if config.beam_width > 1 else None)


def spectrum_classifier(config):
    import tensorflow as tf

    layer = log_mel(config)

    def spectrum(waveform):
        return layer([tf.constant(waveform)[None], tf.constant([len(waveform)])])[0].numpy()

    return st.speech.baselines.SpectrumClassifier(lambda path: read(config, path), spectrum)


def served(config):
    import tensorflow as tf

    return {"waveforms": tf.TensorSpec([None, None], tf.float32), "lengths": tf.TensorSpec([None], tf.int32)}


def ragged(config, waveforms, lengths):
    import tensorflow as tf

    return tf.RaggedTensor.from_tensor(waveforms, tf.clip_by_value(lengths, 0, tf.shape(waveforms)[1]))


def spec(config):
    import tensorflow as tf

    return tf.TensorSpec([None], tf.float32)


RECIPE = Recipe(
    name="speech",
    summary="What a recording says, with a time for each word; words of a stream as they are said.",
    rnn_type="many-to-many, CTC",
    formats=("tsv", "csv", "librispeech", "common voice", "folder per word", "tfds:NAME"),
    Config=Config,
    sample="morse:messages",
    sample_options={
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
    },
    load=load,
    learn=learn,
    encode=encode,
    build=build,
    task=task,
    loss=lambda config: st.losses.CTC(),
    default_metric="wer",
    baselines=lambda config: {"spectrum_logistic_regression": spectrum_classifier},
    medium=FileInputs(read=read, spec=spec, raw=served, inputs=ragged, fits=fits),
    augment=augment,
    glance={"beam_width": 1, "language_model": None},
    told_anew=("beam_width", "language_model", "language_weight", "bonus", "longest"),
    live=lambda predictor, file: st.speech.streaming.stream(predictor, file),
)
