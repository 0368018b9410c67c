"""Language model (one-to-many): how likely a text is, token by token, and texts that it writes itself.

    seqtasks train language_model --data text.txt --run runs/lm
    seqtasks score runs/lm "the apple and pear salad was delicious"
    seqtasks generate runs/lm --prompt "The" --num 3 --temperature 0.8 --seed 1

A recurrence reads the text character by character, word by word or piece by piece, and gives the distribution of the
next. Long texts are cut into segments: gradients end where a segment begins, the state goes on. The measured results
stand in the README.
"""

import functools
from dataclasses import dataclass
from typing import Literal

import seqtasks as st
from seqtasks.options import Cell, Options
from seqtasks.recipe import Recipe

ORDERS = {"character": 6, "word": 3, "unigram": 4, "bpe": 4, "space": 3}  # of the n-grams of the baseline
HALF_OPEN = {cell: {"forget_bias": 0.0} for cell in ("lstm", "peephole_lstm", "layer_norm_lstm")}
HALF_OPEN["coupled_lstm"] = {"update_bias": 0.0}  # wider open, as is usual, they learn characters more slowly


@dataclass(frozen=True)
class Config(Options):
    """Options of the language model recipe."""

    epochs: int = 20  # passes over the training data, at most
    batch_size: int = 32  # texts, or segments of running text, of a step
    batch_by: Literal["examples", "tokens"] = "tokens"  # what batches of texts have the same number of
    learning_rate: float = 3e-3  # its largest value
    epsilon: float = 1e-10  # of Adam; the gradients of a mean over tokens are small
    document: Literal["file", "paragraph", "line"] = "file"  # what ends with an end of text
    carry: bool | None = None  # whether the state goes on from one document to the next; null: if they are files
    segment: int = 96  # tokens of running text through which gradients reach back
    text_column: str | None = None  # name or number of the column with the text
    vocabulary: Literal["character", "word", "unigram", "bpe", "space"] = "character"  # what a token is
    vocabulary_size: int = 20000  # tokens, at most
    min_count: int = 1  # how often a word or character must appear in train to be kept
    lowercase: bool = False  # whether texts are put in lower case
    cell: Cell = "lstm"  # the recurrent cell
    units: int = 256  # size of its state
    layers: int = 2  # recurrences on top of one another
    residual: bool = False  # whether a layer adds its input to its output
    dimension: int = 256  # size of the embeddings, which score the tokens too
    embedding_dropout: float = 0.1  # of the elements of the embeddings
    output_dropout: float = 0.2  # of the outputs of each recurrence
    recurrent_dropout: float = 0.0  # inside the recurrences, one mask for all steps of a segment
    zoneout: float = 0.0  # share of the state that stays as it was, drawn each step
    softmax: Literal["full", "adaptive"] = "full"  # adaptive: rare tokens in clusters, for large vocabularies


def load(config, data=None, train=None, valid=None, test=None):
    options = st.language.files.Options(config.document, config.text_column)
    return st.language.files.load_splits(data, options, train, valid, test)


def learn(config, train):
    chunks = ([example.input for example in chunk] for chunk in train.chunks(1024))
    options = config.vocabulary, config.vocabulary_size, config.min_count, config.lowercase
    return {"tokens": st.text.tokenizer.Tokenizer.learn(chunks, *options)}


def encode(config, assets, texts):
    import tensorflow as tf

    numbers = assets["tokens"].encode(texts)
    valid = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace")
    characters = tf.strings.length(valid, unit="UTF8_CHAR")
    if config.document == "file":
        return {"targets": numbers, "characters": characters}
    return {"targets": st.data.segments.append_end(numbers), "characters": characters + 1}


def build(config, assets):
    import keras

    previous, following = (keras.Input((None,), dtype="int32", name=name) for name in ("decoder_inputs", "targets"))
    size = len(assets["tokens"])
    if config.softmax == "adaptive":
        embedding = keras.layers.Embedding(size, config.dimension, name="embedding")
        head = st.layers.AdaptiveSoftmax(size, st.layers.AdaptiveSoftmax.cutoffs_for(size), name="softmax")
    else:
        embedding = head = st.layers.ReversibleEmbedding(size, config.dimension, name="embedding")
    few = size <= config.batch_size * config.segment and config.softmax == "full"
    embedded = embedding(previous, whole=True) if few else embedding(previous)
    return st.models.language_model(
        previous,
        keras.layers.Dropout(config.embedding_dropout, name="embedding_dropout")(embedded),
        following,
        head,
        config.cell,
        config.units,
        config.layers,
        config.output_dropout,
        config.residual,
        config.dimension,
        rows=config.batch_size if carries(config) else 0,
        recurrent_dropout=config.recurrent_dropout,
        zoneout=config.zoneout,
        **HALF_OPEN.get(config.cell, {}),
    )


def carries(config):
    return config.document == "file" if config.carry is None else config.carry


def segments(config, assets, source):
    if not carries(config):
        return None
    return st.data.segments.Segments(source, assets["tokens"].encode, config.batch_size, config.segment)


def write(config, model, features):
    shown = st.tasks.LanguageModelling().add_decoder_inputs({}, st.data.segments.ignore_padding(features["targets"]))
    return st.decoding.scoring.score(st.models.LanguageModelStepper(model), shown["decoder_inputs"], shown["targets"])[0]


def stream(predictor, source):
    if not carries(predictor.config):
        return predictor.stream(source)
    return st.text.running_text.pools(predictor, source)


RECIPE = Recipe(
    name="language_model",
    summary="How likely a text is, and novel texts that are drawn from what was learnt.",
    rnn_type="one-to-many",
    formats=("text", "folder of texts", "csv", "tsv", "jsonl", "tfds:NAME"),
    Config=Config,
    sample="pydoc:topics",
    sample_options={"epochs": 3, "units": 128, "dimension": 128, "layers": 1, "learning_rate": 6e-3},
    load=load,
    learn=learn,
    encode=encode,
    build=build,
    write=write,
    segments=segments,
    stream=stream,
    task=lambda config: st.tasks.LanguageModelling(),
    loss=lambda config: st.losses.NegativeLogLikelihood(),
    default_metric="bits_per_character",
    baselines=lambda config: {
        "n_grams": lambda config: functools.partial(st.tasks.ngrams.NGrams, ORDERS[config.vocabulary])
    },
    generate=lambda predictor, *asked: st.text.generation.answers(predictor, *asked),
    checks=lambda predictor, train: st.text.generation.checks(predictor, train),
    illustrate=lambda predictor, examples: st.language.report.novel_texts(predictor, examples),
    signatures=lambda predictor: {"generate": st.text.generation.writer(predictor)},
    scores=True,
)
