"""Sentiment classification (many-to-one): which of any number of classes a text belongs to.

    seqtasks train sentiment --data reviews.csv --run runs/reviews

Words, and the letters at their ends, go through a bidirectional LSTM; its outputs are pooled over time beside the plain
mean of the words. What small data needs: dropout of words and of embeddings, averaged weights, and agreement between
two passes under different dropout. The measured results stand in the README.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import seqtasks as st
from seqtasks.options import Cell, Options, rnn_options
from seqtasks.recipe import Recipe

AFFIXES = (2, 3, 4)  # letters at the start and at the end of a word that get embeddings of their own


@dataclass(frozen=True)
class Config(Options):
    """Options of the sentiment recipe."""

    epochs: int = 6  # passes over the training data, at most
    batch_size: int = 64  # examples of a step
    cell: Cell = "lstm"  # the recurrent cell
    units: int = 64  # size of its state, in each direction
    layers: int = 1  # recurrences on top of one another
    bidirectional: bool = True  # whether each layer reads from both ends
    residual: bool = False  # whether a layer adds its input to its output
    pooling: list[Literal["max", "mean", "attention"]] = ("max", "mean")  # summaries over time
    dimension: int = 100  # size of the word vectors
    affixes: int = 16384  # rows for hashed affixes; 0 for words alone
    vectors: str | None = None  # pretrained word vectors in the text format of GloVe or fastText
    max_vocabulary: int = 20_000  # words kept, padding and UNK included
    min_count: int = 2  # how often a word must appear in train to be kept
    max_length: int = 256  # words of a text that are read; an answer says when there were more
    unknown_rate: float = 0.3  # share of words replaced by UNK while training
    drop_rate: float = 0.1  # share of words left out while training
    embedding_dropout: float = 0.6  # of the elements of word vectors
    output_dropout: float = 0.3  # of the outputs of each recurrence
    recurrent_dropout: float = 0.0  # inside the recurrence, one mask for all steps of a text
    zoneout: float = 0.0  # share of the recurrent state that stays as it was, drawn each step
    dropout: float = 0.5  # before the last layer
    consistency: float = 1.0  # weight of the agreement between two passes under other dropout; 0 for one pass
    class_weights: Literal["none", "balanced"] = "none"  # balanced: rare classes count as much as frequent ones
    text_column: str | None = None  # name or number (from 1) of the column with the text
    label_column: str | None = None  # name or number (from 1) of the column with the label
    header: bool | None = None  # whether the first line of a table holds names; null decides by looking


def load(config, data=None, train=None, valid=None, test=None):
    columns = st.data.sources.Columns(config.text_column, config.label_column, config.header)
    return st.data.splits.find_splits(data, columns, train, valid, test)


def learn(config, train):
    import tensorflow as tf

    labels = set()

    def words():
        for chunk in train.chunks(1024):
            labels.update(example.target for example in chunk)
            yield (
                st.text.word_features.words(tf.constant([example.input for example in chunk]))
                .flat_values.numpy()
                .tolist()
            )

    vocabulary = st.data.vocabulary.Vocabulary.learn(words(), config.max_vocabulary, config.min_count)
    return {"words": vocabulary, "labels": st.data.vocabulary.Vocabulary.labels(labels)}


def encode(config, assets, texts):
    import tensorflow as tf

    words, truncated = st.text.word_features.cut(st.text.word_features.words(texts), config.max_length)
    # a text without words is one unknown word: a recurrence needs a step
    words = tf.concat([words, tf.RaggedTensor.from_tensor(tf.fill([tf.size(texts), 1], ""))], 1)
    words = words[:, : tf.maximum(config.max_length, 1)]
    empty = words.row_lengths() == 1
    words = tf.ragged.boolean_mask(words, (words != "") | tf.expand_dims(empty, 1))
    features = {"words": assets["words"].lookup(words), "truncated": truncated}
    if config.affixes:
        features["affixes"] = st.text.word_features.affixes(words, AFFIXES, config.affixes)
    return features


def build(config, assets):
    import keras

    inputs = {"words": keras.Input((None,), dtype="int32", name="words")}
    if config.affixes:
        inputs["affixes"] = keras.Input((None, 2 * len(AFFIXES)), dtype="int32", name="affixes")
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
    dropped = keras.layers.Dropout(config.embedding_dropout, name="embedding_dropout")(embedded)
    sequence = st.layers.recurrent_stack(dropped, **rnn_options(config))
    summaries = [st.layers.Pooling(list(config.pooling), name="pooling")(sequence)]
    summaries.append(st.layers.Pooling(["mean"], name="bag_of_inputs")(dropped))
    return st.models.classifier(inputs, [summaries], len(assets["labels"]), config.dropout)


def majority(config):
    from sklearn.dummy import DummyClassifier

    return DummyClassifier(strategy="prior")


def tfidf_logistic_regression(config):
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    words = TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"[぀-ヿ㐀-鿿]|[^\W぀-ヿ㐀-鿿]+")
    balanced = config.class_weights if config.class_weights == "balanced" else None
    return make_pipeline(words, LogisticRegression(max_iter=1000, C=10.0, class_weight=balanced))


RECIPE = Recipe(
    name="sentiment",
    summary="Which class a text belongs to: positive or negative, one to five stars, any labels.",
    rnn_type="many-to-one",
    formats=("csv", "tsv", "jsonl", "folder per class", "tfds:NAME"),
    Config=Config,
    sample=Path(__file__).parent / "samples" / "sentiment.tsv",
    sample_options={"epochs": 12, "batch_size": 16},
    load=load,
    learn=learn,
    encode=encode,
    build=build,
    task=lambda config: st.tasks.Classification(),
    loss=lambda config: st.losses.RDropCrossentropy(config.consistency),
    default_metric="accuracy",
    baselines=lambda config: {"majority": majority, "tfidf_logistic_regression": tfidf_logistic_regression},
    views=lambda config: 2 if config.consistency else 1,
)
