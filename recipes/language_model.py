"""Language model (one-to-many): the log-probability of a text, token by token, and new texts sampled from the model.

    seqtasks train language_model --data text.txt --run runs/lm
    seqtasks score runs/lm "the apple and pear salad was delicious"
    seqtasks generate runs/lm --prompt "The" --num 3 --temperature 0.8 --seed 1

A recurrence reads the text token by token (characters, words or subwords) and gives the distribution of the next token.
Long texts are cut into segments: gradients end where a segment begins, the state is carried on.
"""

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from annotated_types import Ge

import seqtasks as st
from seqtasks.budget import Budget
from seqtasks.capabilities import Generates, Infers, RunningText, Scores
from seqtasks.options import Cell, Count, Options, Positive, Rate, option
from seqtasks.portable.capability import Portable
from seqtasks.recipe import Assets, Recipe, Sample

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from seqtasks.data.sources import Source
    from seqtasks.data.splits import Formats

ORDERS = {"character": 6, "word": 3, "unigram": 4, "bpe": 4, "space": 3}  # of the n-grams of the baseline
HALF_OPEN = {cell: {"forget_bias": 0.0} for cell in ("lstm", "peephole_lstm", "layer_norm_lstm")}
HALF_OPEN["coupled_lstm"] = {"update_bias": 0.0}  # wider open, as is usual, they learn characters more slowly


@dataclass(frozen=True)
class Config(Options):
    """Options of the language model recipe."""

    document: Literal["file", "paragraph", "line"] = option(
        "file", "what a document is; each ends with an end token", "data"
    )
    text_column: str | None = option(
        None, "name or number (from 1) of the column with the text", "data", changeable=True
    )
    header: bool | None = option(
        None, "whether the first line of a table holds names; null to detect it", "data", changeable=True
    )
    vocabulary: Literal["character", "word", "unigram", "bpe", "space"] = option("character", "kind of tokens", "data")
    vocabulary_size: Annotated[int, Ge(5)] = option(20000, "tokens, at most", "data")
    min_count: Count = option(1, "how often a word or character must occur in train to be kept", "data")
    lowercase: bool = option(False, "lower-case all texts", "data")

    cell: Cell = option("lstm", "recurrent cell", "model")
    units: Count = option(256, "size of the recurrent state", "model")
    layers: Count = option(2, "recurrent layers", "model")
    residual: bool = option(False, "add the input of a recurrent layer to its output", "model")
    dimension: Count = option(256, "size of the embeddings, which also score the tokens", "model")
    softmax: Literal["full", "adaptive"] = option(
        "full", "adaptive: rare tokens in clusters, for large vocabularies", "model"
    )
    direction: Literal["forward", "backward", "both"] = option(
        "forward", "reading direction: forward, backward from the end of a text, or both: a run of each", "model",
        fixed=True,
    )  # fmt: skip

    batch_by: Literal["examples", "tokens"] = option(
        "tokens", "tokens: each step has about the same number of tokens, batch_size texts on average", "training"
    )
    learning_rate: Positive = option(3e-3, "largest learning rate", "training")
    epsilon: Positive = option(1e-10, "epsilon of Adam; the gradients of a mean over tokens are small", "training")
    stateful: bool | None = option(
        None, "carry the state from one document to the next; null: if documents are files", "training"
    )
    bptt_length: Count = option(96, "tokens of running text through which gradients flow back", "training")
    embedding_dropout: Rate = option(0.1, "dropout of the elements of the embeddings", "training")
    output_dropout: Rate = option(0.2, "dropout of the outputs of each recurrent layer", "training")
    recurrent_dropout: Rate = option(
        0.0, "dropout inside the recurrences, one mask for all steps of a segment", "training"
    )
    zoneout: Rate = option(0.0, "share of the state that a step leaves unchanged, at random", "training")


def reads(config: Config) -> "Formats":
    files = st.language.files
    return files.formats(files.Options(config.document, config.text_column, config.header))


def learn(config: Config, train: "Source") -> dict[str, Any]:
    chunks = ([example.input for example in chunk] for chunk in train.chunks(1024))
    options = config.vocabulary, config.vocabulary_size, config.min_count, config.lowercase
    tokens = st.text.tokenizer.Tokenizer.learn(chunks, *options)
    if config.softmax == "full":
        return {"tokens": tokens}
    cutoffs = st.layers.AdaptiveSoftmax.cutoffs_for(len(tokens))
    return {"tokens": tokens, "tokens_cutoffs": st.data.numbers.Numbers(cutoffs)}  # stay where tokens are added


def encode(config: Config, assets: Assets, texts: "tf.Tensor") -> dict[str, "tf.Tensor"]:
    """Texts (batch,) to token numbers (batch, None), in the order of reading, and their code points (batch,)."""
    import tensorflow as tf

    numbers = assets["tokens"].encode(texts)
    if backward(config):
        numbers = st.data.segments.reverse(numbers)
    valid = tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace")
    characters = tf.strings.length(valid, unit="UTF8_CHAR")
    if config.document == "file":
        return {"targets": numbers, "characters": characters}
    return {"targets": st.data.segments.append_end(numbers), "characters": characters + 1}


def build(config: Config, assets: Assets) -> "keras.Model":
    """Decoder inputs and targets (batch, time) to the log-likelihood of each target (batch, time)."""
    import keras

    previous, following = (keras.Input((None,), dtype="int32", name=name) for name in ("decoder_inputs", "targets"))
    size = len(assets["tokens"])
    if config.softmax == "adaptive":
        embedding = keras.layers.Embedding(size, config.dimension, name="embedding")
        head = st.layers.AdaptiveSoftmax(size, [int(cutoff) for cutoff in assets["tokens_cutoffs"]], name="softmax")
    else:
        embedding = head = st.layers.ReversibleEmbedding(size, config.dimension, name="embedding")
    few = size <= int(config.batch_size) * config.bptt_length and config.softmax == "full"
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
        rows=int(config.batch_size) if carries(config) else 0,
        recurrent_dropout=config.recurrent_dropout,
        zoneout=config.zoneout,
        **HALF_OPEN.get(config.cell, {}),
    )


def variants(config: Config) -> dict[str, Config]:
    """The runs that one command trains, by name; none for one run."""
    if config.direction != "both":
        return {}
    forward = dataclasses.replace(config, direction="forward")
    return {"forward": forward, "backward": dataclasses.replace(config, direction="backward")}


def backward(config: Config) -> bool:
    return config.direction == "backward"


def carries(config: Config) -> bool:
    return config.document == "file" if config.stateful is None else config.stateful


def segments(config: Config, assets: Assets, source: "Source") -> Any:
    if not carries(config):
        return None
    given = source, assets["tokens"].encode, int(config.batch_size), config.bptt_length
    return st.data.segments.Segments(*given, backward=backward(config))


def infer(config: Config, model: "keras.Model", features: Mapping[str, "tf.Tensor"]) -> "tf.Tensor":
    """The log-likelihood of each token, for texts of any length."""
    shown = st.tasks.LanguageModelling().add_decoder_inputs({}, st.data.segments.ignore_padding(features["targets"]))
    return st.decoding.scoring.score(st.models.LanguageModelStepper(model), shown["decoder_inputs"], shown["targets"])[
        0
    ]


def stream(predictor: Any, source: "Source") -> Any:
    if not carries(predictor.config):
        return predictor.stream(source)
    return st.text.running_text.pools(predictor, source, backward(predictor.config))


def portable(config: Config, assets: Assets) -> dict[str, Any] | None:
    """What `seqtasks.portable.letters` needs; None where tokens are not characters."""
    given = {"input": "targets", "backward": backward(config), "ends": config.document != "file"}
    return assets["tokens"].portable(**given)


def baselines(config: Config) -> dict[str, Any]:
    return {"n_grams": lambda config: functools.partial(st.tasks.ngrams.NGrams, ORDERS[config.vocabulary])}


RECIPE = Recipe(
    name="language_model",
    summary="The log-probability of a text, and new texts that are sampled from the model.",
    rnn_type="one-to-many",
    formats=(
        "text",
        "folder of texts",
        "fasta",
        "csv",
        "tsv",
        "json",
        "jsonl",
        "parquet",
        "arrow",
        "xlsx",
        "hf:NAME",
        "tfds:NAME",
    ),
    Config=Config,
    sample=Sample("pydoc:topics", {"epochs": 3, "units": 128, "dimension": 128, "layers": 1, "learning_rate": 6e-3}),
    reads=reads,
    learn=learn,
    encode=encode,
    build=build,
    task=lambda config: st.language.task.TextModelling(backward(config)),
    loss=lambda config: st.losses.NegativeLogLikelihood(),
    metric="bits_per_character",
    baselines=baselines,
    capabilities=(
        Portable(portable),
        RunningText(segments, stream),
        Infers(infer),
        Scores(),
        Generates(
            generate=lambda predictor, prompt, options, shown: st.text.generation.answers(
                predictor, prompt, options, shown, backward=backward(predictor.config)
            ),
            compare=lambda predictor, train: st.text.generation.checks(predictor, train, backward(predictor.config)),
            signature=lambda predictor: st.text.generation.writer(predictor, backward=backward(predictor.config)),
            report=lambda predictor, examples: st.language.report.novel_texts(
                predictor, examples, backward(predictor.config)
            ),
        ),
    ),
    budget=lambda config: Budget(steps=2000, epochs=(20, 300), batch_size=(8, 32), patience=3),
    rows={"embedding": "tokens", "softmax": "tokens"},
    variants=variants,
    card=lambda config: {"pipeline_tag": "text-generation"},
)
