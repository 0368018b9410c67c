"""Machine translation (many-to-many, different lengths): a sentence in another language.

    seqtasks train translation --data corpus/ --source_language en --target_language de --run runs/translation

A bidirectional recurrence reads the sentence; a decoder with attention writes its translation, word piece by word
piece, and beam search looks for the likeliest one. The same recipe learns any rewriting of texts from pairs: the
built-in sample writes dates in many languages as ISO 8601. The measured results stand in the README.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import seqtasks as st
from seqtasks.options import Cell, Options, rnn_options
from seqtasks.recipe import Query, Recipe

LONGEST = (2, 20)  # a translation has at most 2 times as many tokens as its source, and 20 more
BEGIN, END, UNWRITTEN = 2, 3, (0, 1, 2)  # numbers of a tokenizer; padding, UNK and BOS are never written


@dataclass(frozen=True)
class Config(Options):
    """Options of the translation recipe."""

    epochs: int = 15  # passes over the training data, at most
    batch_size: int = 64  # sentences of a step, on average
    batch_by: Literal["examples", "tokens"] = "tokens"  # what batches have the same number of
    learning_rate: float = 1.5e-3  # its largest value
    patience: int = 5  # epochs without a better validation metric before training stops
    source_language: str | None = None  # suffix of its files, or name of its column
    target_language: str | None = None  # the same of what is written
    vocabulary: Literal["word", "character", "unigram", "bpe"] = "unigram"  # what a token is
    vocabulary_size: int = 6000  # tokens of each language, at most
    min_count: int = 2  # how often a word must appear in train to be kept (word and character)
    lowercase: bool = False  # whether both languages are in lower case
    max_characters: int = 1000  # of a sentence; longer pairs are left out of train, and refused elsewhere
    max_ratio: float = 9.0  # of the lengths of a pair; train leaves out pairs of less equal length
    cell: Cell = "lstm"  # the recurrent cell of encoder and decoder
    units: int = 256  # size of its state, in each direction
    layers: int = 1  # recurrences of the encoder on top of one another
    decoder_layers: int = 1  # recurrences of the decoder
    bidirectional: bool = True  # whether each layer of the encoder reads from both ends
    residual: bool = False  # whether a layer of the encoder adds its input to its output
    dimension: int = 256  # size of the embeddings; the target's score the tokens too
    attention: Literal["none", "dot", "general", "additive"] = "general"  # how places of the source are weighed
    input_feeding: bool = True  # whether a step knows what the last one put out
    coverage: bool = False  # whether the attention knows where it has looked
    embedding_dropout: float = 0.3  # of the elements of the source embeddings
    output_dropout: float = 0.4  # of the outputs of each recurrence, and of the target embeddings
    recurrent_dropout: float = 0.0  # inside the recurrences, one mask for all steps of a sentence
    zoneout: float = 0.0  # share of the encoder's state that stays as it was, drawn each step
    label_smoothing: float = 0.1  # probability that is spread over all tokens
    scheduled_sampling: float = 0.0  # share of the tokens shown in training that are the model's own
    beam_width: int = 5  # hypotheses kept at each step; 1 is greedy
    n_best: int = 1  # hypotheses that are told
    length_penalty: float = 1.0  # exponent of the length by which log-probabilities are divided
    coverage_penalty: float = 0.0  # weight of the places that were not looked at
    no_repeat_ngram: int = 0  # tokens in a row that are not written twice; 0 for no limit


def load(config, data=None, train=None, valid=None, test=None):
    st.errors.needs("sacrebleu", extra="translation")
    parallel = st.translation.files
    options = parallel.Options(config.source_language, config.target_language, config.max_characters, config.max_ratio)
    return parallel.load_splits(data, options, train, valid, test)


def learn(config, train):
    def tokenizer(side):
        chunks = ([getattr(example, side) for example in chunk] for chunk in train.chunks(1024))
        least = config.min_count if config.vocabulary in ("word", "character") else 1
        options = config.vocabulary, config.vocabulary_size, least, config.lowercase
        return st.text.tokenizer.Tokenizer.learn(chunks, *options)

    return {"source": tokenizer("input"), "target": tokenizer("target")}


def encode(config, assets, texts):
    return {"source": st.translation.task.ended(assets["source"].encode(texts))}


def build(config, assets):
    import keras

    if config.attention == "none" and config.coverage:
        raise st.errors.UserError(
            "there is no attention", where="--coverage", remedy="leave it out, or take --attention"
        )
    source = keras.Input((None,), dtype="int32", name="source")
    embedding = keras.layers.Embedding(len(assets["source"]), config.dimension, mask_zero=True, name="embedding")
    embedded = keras.layers.Dropout(config.embedding_dropout, name="embedding_dropout")(embedding(source))
    return st.models.encoder_decoder(
        {"source": source},
        st.layers.recurrent_stack(embedded, name="encoder", **rnn_options(config)),
        len(assets["target"]),
        config.dimension,
        config.cell,
        config.units,
        config.decoder_layers,
        config.attention,
        config.output_dropout,
        config.scheduled_sampling,
        input_feeding=config.input_feeding,
        coverage=config.coverage,
        recurrent_dropout=config.recurrent_dropout,
    )


def write(config, model, features):
    import tensorflow as tf

    source = features["source"]
    writer = st.models.DecoderStepper(model)
    states, memory = writer.begin(features, source > 0)
    times, more = LONGEST
    return st.decoding.beam_search(
        writer.step,
        states,
        BEGIN,
        END,
        max_length=times * tf.reduce_sum(tf.cast(source > 0, tf.int32), 1) + more,
        options=st.decoding.BeamOptions(
            width=config.beam_width,
            n_best=config.n_best,
            length_penalty=config.length_penalty,
            coverage_penalty=config.coverage_penalty,
            no_repeat_ngram=config.no_repeat_ngram,
            forbidden=UNWRITTEN,
        ),
        memory=memory,
    )


def asked(config, text, tokens):
    return [Query(st.translation.files.sentence(text, config.max_characters), {})]


RECIPE = Recipe(
    name="translation",
    summary="A sentence in another language, or any rewriting of texts that is learnt from pairs.",
    rnn_type="many-to-many, different lengths",
    formats=("parallel files", "tsv", "csv", "jsonl", "tfds:NAME"),
    Config=Config,
    sample=Path(__file__).parent / "samples" / "dates.tsv",
    sample_options={
        "vocabulary": "character",
        "units": 96,
        "dimension": 48,
        "epochs": 6,
        "batch_size": 32,
        "learning_rate": 4e-3,
        "embedding_dropout": 0.1,
        "output_dropout": 0.1,
        "label_smoothing": 0.0,
    },
    load=load,
    learn=learn,
    encode=encode,
    build=build,
    write=write,
    task=lambda config: st.translation.task.Translation(),
    loss=lambda config: st.losses.TokenCrossentropy(config.label_smoothing),
    default_metric="bleu",
    baselines=lambda config: {"translation_memory": lambda config: st.translation.baselines.TranslationMemory()},
    asked=asked,
    illustrate=lambda predictor, examples: st.translation.report.translations(predictor, examples),
    glance={"beam_width": 1, "n_best": 1},
    told_anew=("beam_width", "n_best", "length_penalty", "coverage_penalty", "no_repeat_ngram", "max_characters"),
)
