"""Sentiment classification (many-to-one): which of any number of classes a text belongs to.

    seqtasks train sentiment --data reviews.csv --run runs/reviews

Words, and the letters at their ends, go through a bidirectional LSTM. Its outputs are pooled over time, next to the
mean of the word vectors. Small data needs regularisation: dropout of words and of embeddings, averaged weights, and
R-Drop, the agreement of two passes with different dropout.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from annotated_types import Ge

import seqtasks as st
from seqtasks.budget import Budget
from seqtasks.options import Cell, Count, Options, Rate, Size, Weight, option, rnn_options
from seqtasks.recipe import Assets, Recipe, Sample

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from seqtasks.data.sources import Source
    from seqtasks.data.splits import Formats

AFFIXES = (2, 3, 4)  # letters at the start and at the end of a word that get embeddings of their own


@dataclass(frozen=True)
class Config(Options):
    """Options of the sentiment recipe."""

    text_column: str | None = option(
        None, "name or number (from 1) of the column with the text", "data", changeable=True
    )
    label_column: str | None = option(
        None, "name or number (from 1) of the column with the label", "data", changeable=True
    )
    header: bool | None = option(
        None, "whether the first line of a table holds names; null to detect it", "data", changeable=True
    )
    max_vocabulary: Annotated[int, Ge(3)] = option(20_000, "words kept, padding and UNK included", "data")
    min_count: Count = option(2, "how often a word must occur in train to be kept", "data")
    max_length: Count = option(256, "words of a text that are read; an answer reports when there were more", "data")
    vectors: str | None = option(
        None, "pretrained word vectors in the text format of GloVe or fastText", "data", inherited=False
    )

    cell: Cell = option("lstm", "recurrent cell", "model")
    units: Count = option(64, "size of the recurrent state, per direction", "model")
    layers: Count = option(1, "recurrent layers", "model")
    bidirectional: bool = option(True, "read in both directions", "model")
    residual: bool = option(False, "add the input of a recurrent layer to its output", "model")
    pooling: list[Literal["max", "mean", "attention"]] = option(("max", "mean"), "pooling over time", "model")
    dimension: Count = option(100, "size of the word vectors", "model")
    affixes: Size = option(16384, "rows of the table of hashed affixes; 0 for words alone", "model")

    unk_dropout: Rate = option(0.3, "share of words replaced by UNK", "training")
    word_dropout: Rate = option(0.1, "share of words left out", "training")
    embedding_dropout: Rate = option(0.6, "dropout of the elements of word vectors", "training")
    output_dropout: Rate = option(0.3, "dropout of the outputs of each recurrent layer", "training")
    recurrent_dropout: Rate = option(0.0, "dropout inside the recurrence, one mask for all steps of a text", "training")
    zoneout: Rate = option(0.0, "share of the recurrent state that a step leaves unchanged, at random", "training")
    dropout: Rate = option(0.5, "dropout before the last layer", "training")
    r_drop: Weight = option(1.0, "weight of R-Drop, the agreement of two passes; 0 for one pass", "training")
    class_weights: Literal["none", "balanced"] = option(
        "none", "balanced: rare classes count as much as frequent ones", "training"
    )


def reads(config: Config) -> "Formats":
    return st.text.files.formats(st.data.columns.Columns(config.text_column, config.label_column, config.header))


def learn(config: Config, train: "Source") -> dict[str, Any]:
    import tensorflow as tf

    labels: set[str] = set()

    def words() -> Iterator[list[bytes]]:
        for chunk in train.chunks(1024):
            labels.update(example.target for example in chunk)
            texts = tf.constant([example.input for example in chunk])
            yield st.text.word_features.words(texts).flat_values.numpy().tolist()

    vocabulary = st.data.vocabulary.Vocabulary.learn(words(), config.max_vocabulary, config.min_count)
    return {"words": vocabulary, "labels": st.data.vocabulary.Vocabulary.labels(labels)}


def encode(config: Config, assets: Assets, texts: "tf.Tensor") -> dict[str, "tf.Tensor"]:
    """Texts (batch,) to word numbers (batch, None), hashed affixes (batch, None, 6) and `truncated` (batch,)."""
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


def build(config: Config, assets: Assets) -> "keras.Model":
    """Word numbers (batch, time) and affixes (batch, time, 6) to logits (batch, classes)."""
    import keras

    inputs = {"words": keras.Input((None,), dtype="int32", name="words")}
    if config.affixes:
        inputs["affixes"] = keras.Input((None, 2 * len(AFFIXES)), dtype="int32", name="affixes")
    embedding = st.layers.WordEmbedding(
        len(assets["words"]),
        config.dimension,
        config.affixes,
        config.unk_dropout,
        config.word_dropout,
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


def tfidf_logistic_regression(config: Config) -> Any:
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
    formats=(
        "csv",
        "tsv",
        "json",
        "jsonl",
        "parquet",
        "arrow",
        "xlsx",
        "fastText",
        "folder per class",
        "hf:NAME",
        "tfds:NAME",
    ),
    Config=Config,
    sample=Sample(Path(__file__).parent / "samples" / "sentiment.tsv", {"epochs": 12, "batch_size": 16, "patience": 2}),
    reads=reads,
    learn=learn,
    encode=encode,
    build=build,
    task=lambda config: st.tasks.Classification(config.class_weights),
    loss=lambda config: st.losses.RDropCrossentropy(config.r_drop),
    metric="accuracy",
    baselines=lambda config: {
        "majority": lambda config: st.tasks.baselines.majority(),
        "tfidf_logistic_regression": tfidf_logistic_regression,
    },
    budget=Budget(steps=650, epochs=(2, 200), batch_size=(8, 64), patience=3),
)
