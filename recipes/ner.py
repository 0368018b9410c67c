"""Named-entity recognition (many-to-many, equal lengths): which tokens of a text name persons, places, ...

    seqtasks train ner --data corpus/ --run runs/ner

Words, their letters and their shapes go through a bidirectional LSTM beside a convolution over the nearest neighbours;
a conditional random field joins the tags, under the constraints of the scheme. A text is tokenised in the graph, and
an answer says where in the text each entity stands. The measured results stand in the README.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import seqtasks as st
from seqtasks.options import Cell, Options, rnn_options
from seqtasks.recipe import Query, Recipe

AFFIXES = (1, 2, 3, 4)  # letters at the start and at the end of a token that get embeddings of their own
LETTERS = 20  # of a token that the character encoder reads


@dataclass(frozen=True)
class Config(Options):
    """Options of the ner recipe."""

    epochs: int = 15  # passes over the training data, at most
    batch_size: int = 16  # sentences of a step
    learning_rate: float = 2e-3  # its largest value
    patience: int = 6  # epochs without a better validation metric before training stops
    cell: Cell = "lstm"  # the recurrent cell
    units: int = 100  # size of its state, in each direction
    layers: int = 1  # recurrences on top of one another
    bidirectional: bool = True  # whether each layer reads from both ends
    residual: bool = False  # whether a layer adds its input to its output
    window: int = 2  # neighbours on each side that a convolution beside the recurrence looks at; 0 for none
    head: Literal["crf", "softmax"] = "crf"  # whether tags are chosen together or each by itself
    characters: Literal["none", "cnn", "bilstm"] = "cnn"  # how the letters of a token are read
    dimension: int = 100  # size of the word vectors
    affixes: int = 32_768  # rows for hashed affixes, shapes and cased words; 0 for words alone
    vectors: str | None = None  # pretrained word vectors in the text format of GloVe or fastText
    max_vocabulary: int = 50_000  # lower-cased words kept, padding and UNK included
    min_count: int = 2  # how often a word must appear in train to be kept
    max_length: int = 128  # tokens of a training sentence; longer ones are kept in windows
    unknown_rate: float = 0.5  # share of words replaced by UNK while training
    drop_rate: float = 0.2  # share of words left out while training
    embedding_dropout: float = 0.6  # of the elements of token vectors
    output_dropout: float = 0.5  # of the outputs of each recurrence
    recurrent_dropout: float = 0.0  # inside the recurrence, one mask for all steps of a text
    zoneout: float = 0.0  # share of the recurrent state that stays as it was, drawn each step
    token_column: int = 1  # column of the tokens, from 1, or from the end if negative
    tag_column: int = -1  # column of the tags
    scheme: Literal["IOB1", "IOB2", "IOBES"] | None = None  # of the tags; null recognises it
    repair: bool = False  # whether invalid tags and spans inside words are put right instead of refused


def load(config, data=None, train=None, valid=None, test=None):
    st.errors.needs("seqeval", extra="ner")
    tokens = st.ner.files
    options = tokens.Options(config.token_column, config.tag_column, config.scheme, config.repair, config.max_length)
    formats = st.data.splits.Formats(tokens.open_tokens, tokens.SUFFIXES, tokens.open_tfds)
    return st.data.splits.find_splits(data, options, train, valid, test, formats)


def learn(config, train):
    import tensorflow as tf

    types, letters = set(), set()

    def words():
        for chunk in train.chunks(1024):
            types.update(label for example in chunk for label in st.ner.task.SpanTagging().labels(example.target))
            tokens = st.text.word_tokenizer.tokenize(tf.constant([example.input for example in chunk]))[0].flat_values
            letters.update(letter for token in tokens.numpy().tolist() for letter in token.decode())
            yield st.text.word_features.normal(tokens).numpy().tolist()

    vocabulary = st.data.vocabulary.Vocabulary
    found = {"words": vocabulary.learn(words(), config.max_vocabulary, config.min_count)}
    found["labels"] = vocabulary.labels(types)
    found["tags"] = vocabulary(st.ner.tag_schemes.tagset(found["labels"].tokens))
    return found | {"characters": vocabulary.learn([sorted(letters)])}


def encode(config, assets, texts):
    import tensorflow as tf

    tokens, starts, ends, surface = st.text.word_tokenizer.tokenize(texts)
    features = {"words": assets["words"].lookup(st.text.word_features.normal(tokens))}
    if config.affixes:
        wholes = (tokens, st.text.word_tokenizer.shapes(tokens))
        features["affixes"] = st.text.word_features.affixes(tokens, AFFIXES, config.affixes, wholes)
    if config.characters != "none":
        letters = tf.strings.unicode_split(tokens.flat_values, "UTF-8")
        numbers = assets["characters"].lookup(letters).to_tensor(shape=(None, LETTERS))
        features["characters"] = tokens.with_flat_values(numbers)
    return features | {"starts": starts, "ends": ends, "surface": surface}


def build(config, assets):
    import keras

    inputs = {"words": keras.Input((None,), dtype="int32", name="words")}
    if config.affixes:
        inputs["affixes"] = keras.Input((None, 2 * len(AFFIXES) + 2), dtype="int32", name="affixes")
    embedding = st.layers.WordEmbedding(
        len(assets["words"]),
        config.dimension,
        config.affixes,
        config.unknown_rate,
        config.drop_rate,
        name="embedding",
    )
    embedded = embedding(*inputs.values())
    if config.vectors:
        st.text.word_vectors.fill(embedding.table, config.vectors, assets["words"].tokens)
    if config.characters != "none":
        inputs["characters"] = keras.Input((None, LETTERS), dtype="int32", name="characters")
        reader = st.layers.CharacterEncoder(len(assets["characters"]), 25, 50, config.characters, name="letters")
        embedded = keras.layers.Concatenate(name="token")([embedded, reader(inputs["characters"])])
    dropped = keras.layers.Dropout(config.embedding_dropout, name="embedding_dropout")(embedded)
    sequence = st.layers.recurrent_stack(dropped, **rnn_options(config))
    if config.window:
        near = st.layers.MaskedConv1D(config.units, 2 * config.window + 1, activation="relu", name="window")(dropped)
        near = keras.layers.Dropout(config.output_dropout, name="window_dropout")(near)
        sequence = keras.layers.Concatenate(name="context")([sequence, near])
    tags = assets["tags"].tokens
    return st.models.tagger(inputs, sequence, len(tags), config.head, st.ner.tag_schemes.constraints(tags))


def settle(predictor, validate):
    return {"taken_from_o": st.models.lean(predictor.model, 0, validate)}


def asked(config, text, tokens):
    text = text if isinstance(text, bytes) else text.encode()
    separator = st.text.word_tokenizer.SEPARATOR.encode()
    return [Query(separator + separator.join(text.split()) if tokens else text, {})]


def window_logistic_regression(config):
    return st.tasks.baselines.WindowTagger(st.ner.baselines.token_features, config.seed)


RECIPE = Recipe(
    name="ner",
    summary="Which tokens of a text name persons, places, or entities of any types.",
    rnn_type="many-to-many, equal lengths",
    formats=("conll", "jsonl with tokens and tags", "jsonl with text and spans", "tfds:NAME"),
    Config=Config,
    sample=Path(__file__).parent / "samples" / "ner.conll",
    sample_options={"epochs": 30, "units": 50, "dimension": 50},
    load=load,
    learn=learn,
    encode=encode,
    build=build,
    task=lambda config: st.ner.task.SpanTagging(),
    loss=lambda config: st.losses.CRFLoss() if config.head == "crf" else st.losses.StepCrossentropy(),
    default_metric="f1",
    baselines=lambda config: {"window_logistic_regression": window_logistic_regression},
    settle=settle,
    asked=asked,
    tokens=True,
    illustrate=lambda predictor, examples: st.ner.report.entities(predictor, examples),
)
