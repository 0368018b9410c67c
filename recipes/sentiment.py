"""Sentiment classification (many-to-one): which of any number of classes a text belongs to; several labels; a number.

    seqtasks train sentiment --data reviews.csv --run runs/reviews

Words, and the letters at their ends, go through a bidirectional LSTM. Its outputs are pooled over time, next to the
mean of the word vectors. Small data needs regularisation: dropout of words and of embeddings, averaged weights, and
R-Drop, the agreement of two passes with different dropout. A linear path beside the recurrence knows the n-grams of
the whole text.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from annotated_types import Ge

import seqtasks as st
from seqtasks.budget import Budget
from seqtasks.options import (
    Auto,
    Cell,
    ColumnOptions,
    Count,
    Positive,
    Rate,
    Size,
    TargetOptions,
    Weight,
    chosen,
    option,
    rnn_options,
)  # fmt: skip
from seqtasks.portable.capability import Portable
from seqtasks.recipe import Assets, Recipe, Sample
from seqtasks.text.pretrained_options import PretrainedOptions
from seqtasks.text.vector_options import VectorOptions

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from seqtasks.data.columns import Columns
    from seqtasks.data.sources import Source
    from seqtasks.data.splits import Formats
    from seqtasks.tasks import SequenceTask

AFFIXES = (2, 3, 4)  # letters at the start and at the end of a word that get embeddings of their own


@dataclass(frozen=True)
class Config(TargetOptions, ColumnOptions, VectorOptions, PretrainedOptions):
    """Options of the sentiment recipe."""

    text_column: str | None = option(
        None,
        "name or number (from 1) of the column with the text; two with a comma between them for pairs of texts",
        "data",
        changeable=True,
        names=True,
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
    cut: Literal["head", "tail", "both"] = option(
        "head", "which words of a text longer than max_length are read: the first, the last, or half of each", "data"
    )

    cell: Cell = option("lstm", "recurrent cell", "model")
    units: Count = option(64, "size of the recurrent state, per direction", "model")
    layers: Count = option(1, "recurrent layers", "model")
    bidirectional: bool = option(True, "read in both directions", "model")
    residual: bool = option(False, "add the input of a recurrent layer to its output", "model")
    pooling: list[Literal["max", "mean", "attention"]] = option(("max", "mean"), "pooling over time", "model")
    dimension: Count | Auto = option("auto", "size of the word vectors; auto: that of --vectors, else 100", "model")
    affixes: Size = option(16384, "rows of the table of hashed affixes; 0 for words alone", "model")
    ngrams: Size | Auto = option(
        "auto", "longest n-grams of words in the linear path beside the recurrence; 0: no words; auto: 2, with vectors "
        "0", "model",
    )  # fmt: skip
    ngram_letters: list[Count] = option((), "lengths of n-grams of letters in the linear path", "model")
    ngram_buckets: Annotated[int, Ge(5)] = option(2**18, "rows of the table of hashed n-grams", "model")

    learning_rate: Positive | Auto = option(  # type: ignore[assignment]  # `settle` makes it a number
        "auto", "largest learning rate; auto: 0.001, with vectors 0.003", "training"
    )
    vectors_rate: Weight | Auto = option(
        "auto", "learning rate of the vectors as a share of that of other weights; 0: they never change; auto: "
        "0.1 with vectors, else 1; 1 with vectors_frozen_epochs", "training",
    )  # fmt: skip
    unk_dropout: Rate | Auto = option("auto", "share of words replaced by UNK; auto: 0.3, with vectors 0.0", "training")
    word_dropout: Rate = option(0.1, "share of words left out", "training")
    embedding_dropout: Rate | Auto = option(
        "auto", "dropout of the elements of word vectors; auto: 0.6, with vectors 0.3, pretrained 0.1", "training"
    )
    output_dropout: Rate = option(0.3, "dropout of the outputs of each recurrent layer", "training")
    recurrent_dropout: Rate = option(0.0, "dropout inside the recurrence, one mask for all steps of a text", "training")
    zoneout: Rate = option(0.0, "share of the recurrent state that a step leaves unchanged, at random", "training")
    dropout: Rate = option(0.5, "dropout before the last layer", "training")
    r_drop: Weight = option(1.0, "weight of R-Drop, the agreement of two passes; 0 for one pass", "training")
    ngram_dropout: Rate = option(0.2, "share of the n-grams that are left out", "training")
    class_weights: Literal["none", "balanced"] = option(
        "none", "balanced: rare classes count as much as frequent ones", "training", follows="target"
    )


def settle(config: Config) -> Config:
    if config.pretrained:
        if config.vectors:
            what, remedy = "the language model has word vectors of its own", "leave out one of them"
            raise st.errors.UserError(what, where="--vectors and --pretrained", remedy=remedy)
        if config.embedding_dropout == "auto":
            config = replace(config, embedding_dropout=0.1)
    rates: dict[str, Any] = {"unk_dropout": (0.3, 0.0), "embedding_dropout": (0.6, 0.3), "vectors_rate": (1.0, 0.1)}
    rates |= {"ngrams": (2, 0), "learning_rate": (1e-3, 3e-3)}  # n-grams learn faster than what reads the vectors
    return st.text.word_vectors.settled(config, dimension=(100, 100), **rates)


def columns(config: Config) -> "Columns":
    separated = config.label_separator is not None
    names = config.text_column, config.label_column
    return st.data.columns.Columns(*names, config.header, lists=True, empty=separated, pairs=True)


def reads(config: Config) -> "Formats":
    return st.text.files.formats(columns(config)).of_target(config.target)


def learn(config: Config, train: "Source") -> dict[str, Any]:
    import tensorflow as tf

    targets: Counter[str] = Counter()

    def words() -> Iterator[list[bytes]]:
        for chunk in train.chunks(1024):
            targets.update(example.target for example in chunk)
            texts = tf.constant([example.input for example in chunk])
            yield st.text.word_features.words(texts).flat_values.numpy().tolist()

    assets: dict[str, Any] = {}
    if config.pretrained:
        targets.update(example.target for example in train)
    else:
        limits, more = (config.max_vocabulary, config.min_count), (config.vectors, config.vectors_words)
        assets["words"] = st.text.word_vectors.vocabulary(words(), *limits, *more, st.text.word_features.clean)
    assets |= make_task(config).learn(targets.elements())
    if names := columns(config).texts:
        assets["texts"] = st.data.vocabulary.Vocabulary(names)
    return {**assets, **st.data.side_columns.learn(config.columns, train)}


def encode(config: Config, assets: Assets, texts: "tf.Tensor") -> dict[str, "tf.Tensor"]:
    """Texts (batch,) to word numbers (batch, None), hashed affixes (batch, None, 6) and `truncated` (batch,).

    The n-grams of the linear path are those of the whole text, `ngrams` (batch, None). Of pairs of texts, the features
    of the second are called `second_words` and `second_affixes`.
    """
    if not paired(config, assets):
        return encode_text(config, assets, texts)
    first, second = (encode_text(config, assets, part) for part in st.data.pairs.split(texts))
    truncated = first["truncated"] | second.pop("truncated")
    if has_ngrams(config):
        ngrams = st.text.word_features.shared_ngrams(first["ngrams"], second.pop("ngrams"), config.ngram_buckets)
        first["ngrams"] = ngrams
    return {**first, **{f"second_{name}": feature for name, feature in second.items()}, "truncated": truncated}


def has_ngrams(config: Config) -> bool:
    """Whether there is a linear path."""
    return bool(chosen(config.ngrams) or config.ngram_letters)


def paired(config: Config, assets: Assets) -> bool:
    """Whether an input is a pair of texts, as it was in training."""
    if bool(columns(config).texts) == ("texts" in assets):
        return "texts" in assets
    what, remedy = "the run was trained with one text", "name one column"
    if "texts" in assets:
        what, remedy = "the run was trained with pairs of texts", "name two columns with a comma between them"
    raise st.errors.UserError(what, where=f"--text_column {config.text_column}", remedy=remedy)


def encode_text(config: Config, assets: Assets, texts: "tf.Tensor") -> dict[str, "tf.Tensor"]:
    """The features of one text of each input."""
    import tensorflow as tf

    found, cut = st.text.word_features.words(texts), (config.max_length, config.cut)
    if "pretrained" in assets:
        tokens, truncated = st.text.word_features.cut(assets["pretrained"].encode(texts), *cut)
        features = {"tokens": tokens, "truncated": truncated}
    else:
        words, truncated = st.text.word_features.cut(found, *cut)
        # a text without words is one unknown word: a recurrence needs a step
        words = tf.concat([words, tf.RaggedTensor.from_tensor(tf.fill([tf.size(texts), 1], ""))], 1)
        words = words[:, : tf.maximum(config.max_length, 1)]
        empty = words.row_lengths() == 1
        words = tf.ragged.boolean_mask(words, (words != "") | tf.expand_dims(empty, 1))
        features = {"words": assets["words"].lookup(words), "truncated": truncated}
        if config.affixes:
            features["affixes"] = st.text.word_features.affixes(words, AFFIXES, config.affixes)
    if has_ngrams(config):
        hashed = chosen(config.ngrams), config.ngram_buckets, config.ngram_letters
        features["ngrams"] = st.text.word_features.ngrams(found, *hashed)
    return features


def build(config: Config, assets: Assets) -> "keras.Model":
    """Word numbers (batch, time) and affixes (batch, time, 6), of pairs of both texts, to the outputs of the task.

    With a language model its tokens (batch, time) take the place of both.
    """
    import keras

    pair = paired(config, assets)
    shapes: dict[str, tuple[int | None, ...]] = {"tokens": (None,)} if "pretrained" in assets else {"words": (None,)}
    if config.affixes and "pretrained" not in assets:
        shapes["affixes"] = None, 2 * len(AFFIXES)
    names = [f"{mark}{name}" for mark in (("", "second_") if pair else ("",)) for name in shapes]
    inputs = {name: keras.Input(shapes[name.removeprefix("second_")], dtype="int32", name=name) for name in names}
    texts = list(inputs.values())
    if pair:  # both texts go through the same layers, as two halves of a batch
        half = len(texts) // 2
        texts = [
            st.layers.PairBatch(name=f"both_{first.name}")(first, second)
            for first, second in zip(texts[:half], texts[half:], strict=True)
        ]
    vectors, sequence = (pretrained if "pretrained" in assets else words_in_context)(config, assets, *texts)
    summaries = [st.layers.Pooling(list(config.pooling), name="pooling")(sequence)]
    summaries.append(st.layers.Pooling(["mean"], name="bag_of_inputs")(vectors))
    if pair:
        summaries = [st.layers.PairFeatures(name=f"compared_{n}")(x) for n, x in enumerate(summaries, 1)]
    inputs |= st.models.column_inputs(st.data.side_columns.width(config.columns, assets))
    if has_ngrams(config):
        inputs["ngrams"] = keras.Input((None,), dtype="int32", name="ngrams")
    head = make_task(config).head(assets) | {"dropout": config.dropout, "ngram_dropout": config.ngram_dropout}
    return st.models.classifier(inputs, [summaries], ngrams=config.ngram_buckets * has_ngrams(config), **head)


def words_in_context(config: Config, assets: Assets, *texts: Any) -> tuple[Any, Any]:
    """The vectors of words, and the outputs of the recurrence at each, both (batch, time, features)."""
    import keras

    embedding = st.layers.WordEmbedding(
        len(assets["words"]),
        chosen(config.dimension),
        config.affixes,
        chosen(config.unk_dropout),
        config.word_dropout,
        name="embedding",
    )
    embedded = embedding(*texts)
    vectors = config.vectors, assets["words"].tokens, chosen(config.vectors_rate), config.vectors_frozen_epochs
    st.text.word_vectors.place(embedding, embedding.table, *vectors)
    if config.affixes:  # they would fit train before the vectors are understood; vectors that never change need them
        embedding.learning_rates[embedding.affix_table.name] = chosen(config.vectors_rate) or 1.0
    dropped = keras.layers.Dropout(chosen(config.embedding_dropout), name="embedding_dropout")(embedded)
    return dropped, st.layers.recurrent_stack(dropped, **rnn_options(config))


def pretrained(config: Config, assets: Assets, tokens: Any) -> tuple[Any, Any]:
    """The vectors of tokens, and the states of the language model at each, both (batch, time, features)."""
    rates = chosen(config.embedding_dropout), config.word_dropout, config.output_dropout
    networks = assets["pretrained"].networks
    return st.models.pretrained_states(tokens, networks, "pretrained", *rates, config.auxiliary)


def make_task(config: Config) -> "SequenceTask":
    return st.tasks.sequence_task(config.target, config.class_weights, config.label_separator, config.label_order)


def as_text(config: Config, example: Any, option: str) -> str:
    return str(example.input.replace(st.data.pairs.SEPARATOR, "\n"))


def portable(config: Config, assets: Assets) -> dict[str, Any] | None:
    """What `seqtasks.portable.words` needs; None for pairs of texts, and with a language model."""
    if paired(config, assets) or "pretrained" in assets:
        return None
    limits = {"max_length": config.max_length, "cut": config.cut, "affix_rows": config.affixes, "affixes": AFFIXES}
    rows = config.ngram_buckets * has_ngrams(config)
    ngrams = {"ngram_rows": rows, "ngrams": chosen(config.ngrams), "ngram_letters": list(config.ngram_letters)}
    classes = st.text.word_features.classes()
    return {"encoder": "words", "words": assets["words"].tokens, "classes": classes, **limits, **ngrams}


def tfidf(config: Config) -> Any:
    """TF-IDF weights of the words, and the columns beside them."""
    words = st.text.baselines.tfidf(bool(columns(config).texts))
    return st.tasks.baselines.with_columns(words, config.columns)


def baselines(config: Config) -> dict[str, Callable[[Config], Any]]:
    balanced = "balanced" if config.class_weights == "balanced" else None
    return st.tasks.baselines.of_target(config.target, "tfidf", lambda: tfidf(config), 10.0, balanced)


RECIPE = Recipe(
    name="sentiment",
    summary="Which class a text belongs to, or which labels, or a number: positive or negative, stars, topics.",
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
    task=make_task,
    loss=lambda config: st.losses.sequence_loss(config.target, config.r_drop),
    metric="accuracy",
    baselines=baselines,
    capabilities=(Portable(portable),),
    settle=settle,
    as_text=as_text,
    budget=lambda config: Budget(
        steps=2000 if config.vectors else 650, epochs=(2, 200), batch_size=(8, 64), patience=3
    ),
    rows={"embedding": "words", "logits": "labels", "ngram_scores": "labels"},
    card=lambda config: {"pipeline_tag": "text-classification"},
)
