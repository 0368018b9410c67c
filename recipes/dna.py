"""DNA analysis: the class of a sequence (many-to-one), or a label for every base (many-to-many, equal lengths).

A sequence can also have several labels, or a number.

Sequences can also be of RNA, of proteins, or of any letters, see `--alphabet`.

    seqtasks train dna --data promoters/ --run runs/promoters
    seqtasks predict runs/promoters genome.fa --window 81 --stride 10 --output hits.bed

A convolution detects motifs, with a bias for their position; a bidirectional LSTM reads their sequence, as in DanQ.
Random substitutions during training keep the network from memorising sequences.
"""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import seqtasks as st
from seqtasks.budget import Budget
from seqtasks.capabilities import Query, Reports, TextInputs
from seqtasks.dna.capabilities import ExplainsVariants, Scans
from seqtasks.options import (
    Cell,
    ColumnOptions,
    Count,
    Positive,
    Rate,
    Size,
    TargetOptions,
    Weight,
    option,
    rnn_options,
)  # fmt: skip
from seqtasks.portable.capability import Portable
from seqtasks.recipe import Assets, Recipe, Sample
from seqtasks.text.pretrained_options import PretrainedOptions

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from seqtasks.data.sources import Source
    from seqtasks.data.splits import Formats
    from seqtasks.dna.alphabets import Alphabet
    from seqtasks.dna.files import DnaOptions
    from seqtasks.tasks import SequenceTask, Task


@dataclass(frozen=True)
class Config(TargetOptions, ColumnOptions, PretrainedOptions):
    """Options of the dna recipe."""

    task: Literal["classify", "tag"] = option("classify", "a label for each sequence, or for every base", "data")
    alphabet: str = option("dna", "letters of the sequences: dna, rna, protein, or the letters themselves", "data")
    sequence_column: str | None = option(
        None, "name or number (from 1) of the column with the sequence", "data", changeable=True
    )
    label_column: str | None = option(
        None, "name or number (from 1) of the column with the label", "data", changeable=True
    )
    header: bool | None = option(
        None, "whether the first line of a table holds names; null to detect it", "data", changeable=True
    )
    label_field: str | None = option(
        None,
        "where a record holds the label: field of a FASTA header or column of a BED file by name or number from 1, "
        "annotation of a GenBank record",
        "data",
    )
    genome: str | None = option(
        None, "FASTA or 2bit file that the intervals of BED files refer to", "data", changeable=True
    )
    annotation: str | None = option(None, "tag: BED file with the labels of parts of the records or the genome", "data")
    outside: str = option("other", "tag: label of the bases that the annotation leaves out", "data")

    input: Literal["one_hot", "kmer"] = option("one_hot", "encoding of the bases", "model")
    k: Count = option(3, "bases of a k-mer", "model")
    dimension: Count = option(32, "size of the vectors of k-mers", "model")
    reverse_complement: bool = option(False, "classify: read both strands and average their scores", "model")
    filters: Size = option(128, "motifs that the convolution detects; 0 for none", "model")
    width: Count = option(15, "bases of a motif", "model")
    positions: Size = option(
        512, "bases from the start with a bias per position, for aligned sequences; 0 for none", "model"
    )
    linear: bool = option(False, "classify: add a weight for each base at each position and class", "model")
    pool: Count = option(3, "classify: neighbouring bases that the recurrence sees as one step", "model")
    cell: Cell = option("lstm", "recurrent cell", "model")
    units: Count = option(64, "size of the recurrent state, per direction", "model")
    layers: Count = option(1, "recurrent layers", "model")
    bidirectional: bool = option(True, "read in both directions", "model")
    residual: bool = option(False, "add the input of a recurrent layer to its output", "model")
    pooling: list[Literal["max", "mean", "attention"]] = option(("max", "mean"), "pooling over time", "model")
    ensemble_size: Count = option(
        1, "classify: networks that are trained in parallel and whose probabilities are averaged", "model"
    )
    head: Literal["crf", "softmax"] = option(
        "softmax", "tag: whether labels are chosen together or independently", "model"
    )

    learning_rate: Positive = option(2e-3, "largest learning rate", "training")
    keep: Literal["best", "last"] = option(
        "last", "which weights are kept: best by validation, or the last", "training"
    )
    substitution: Rate = option(0.1, "one_hot: share of bases that are replaced at random", "training")
    convolution_dropout: Rate = option(0.2, "dropout of the outputs of the convolution", "training")
    output_dropout: Rate = option(0.3, "dropout of the outputs of each recurrent layer", "training")
    recurrent_dropout: Rate = option(
        0.0, "dropout inside the recurrence, one mask for all steps of a sequence", "training"
    )
    zoneout: Rate = option(0.0, "share of the recurrent state that a step leaves unchanged, at random", "training")
    dropout: Rate = option(0.5, "dropout before the last layer", "training")
    r_drop: Weight = option(1.0, "classify: weight of R-Drop, the agreement of two passes; 0 for one pass", "training")
    class_weights: Literal["none", "balanced"] = option(
        "none", "balanced: rare classes count as much as frequent ones", "training", follows="target"
    )


def letters(config: Config) -> "Alphabet":
    return st.dna.alphabets.alphabet_of(config.alphabet)


def files(config: Config) -> "DnaOptions":
    separator, classify = config.label_separator, config.task == "classify"
    columns = st.data.columns.Columns(
        config.sequence_column, config.label_column, config.header, lists=classify, empty=separator is not None
    )
    places = (config.label_field, config.genome, config.annotation, config.outside)
    return st.dna.files.DnaOptions(config.task, *places, letters(config), columns, separator)


def reads(config: Config) -> "Formats":
    return st.dna.files.formats(files(config)).of_target(config.target)


def learn(config: Config, train: "Source") -> dict[str, Any]:
    targets = make_task(config).learn(example.target for example in train)
    return {**targets, **st.data.side_columns.learn(config.columns, train)}


def encode(config: Config, assets: Assets, sequences: "tf.Tensor") -> dict[str, "tf.Tensor"]:
    """Sequences (batch,) to one-hot bases (batch, None, 4) or k-mers (batch, None), and `places`, above 0 at bases."""
    import tensorflow as tf

    sequences = tf.strings.strip(sequences)
    features = {"places": st.dna.encoding.kmers(sequences, 1, letters(config))}
    if "pretrained" in assets:
        lower = "A" not in assets["pretrained"].tokens
        features["tokens"] = assets["pretrained"].encode((tf.strings.lower if lower else tf.strings.upper)(sequences))
    if config.input == "kmer":
        return features | {"kmers": st.dna.encoding.kmers(sequences, config.k, letters(config))}
    return features | {"bases": st.dna.encoding.one_hot(sequences, letters(config))}


def build(config: Config, assets: Assets) -> "keras.Model":
    """One-hot bases (batch, time, 4) or k-mers (batch, time) to logits (batch, [ensemble,] classes), or per base."""
    import keras

    layers, tag = st.layers, config.task == "tag"
    for name, plain in (("reverse_complement", False), ("linear", False), ("ensemble_size", 1), ("columns", "")):
        if tag and getattr(config, name) != plain:
            raise st.errors.UserError("needs one label per sequence", where=f"--{name}", remedy="leave it out")
    if config.linear and not config.positions:
        raise st.errors.UserError("needs positions", where="--linear", remedy="give their number with --positions")
    if config.reverse_complement and config.input == "kmer":
        what = "k-mers have no reverse complement"
        raise st.errors.UserError(what, where="--reverse_complement", remedy="take --input one_hot")
    if config.reverse_complement and not letters(config).complement:
        what = f"the alphabet {config.alphabet} has no complement"
        raise st.errors.UserError(what, where="--reverse_complement", remedy="leave it out")
    read = "pretrained" in assets
    if read and config.reverse_complement:
        what, remedy = "a language model reads one strand", "leave out one of them"
        raise st.errors.UserError(what, where="--pretrained and --reverse_complement", remedy=remedy)
    if config.input == "kmer":
        inputs = {"kmers": keras.Input((None,), dtype="int32", name="kmers")}
        rows = st.dna.encoding.kmer_count(config.k, letters(config))
        embedding = keras.layers.Embedding(rows, config.dimension, mask_zero=True, name="embedding")
        x = embedding(inputs["kmers"])
    else:
        inputs = {"bases": keras.Input((None, len(letters(config).letters)), name="bases")}
        x = layers.RandomSubstitution(config.substitution, name="substitution")(inputs["bases"])
        if config.reverse_complement:
            x = layers.ReverseComplementBatch(name="both_strands")(x)
        x = keras.layers.Masking(name="mask")(x)
    if read:
        inputs["tokens"], states = bases_in_context(config, assets)
    if tag:
        _, sequence = member(config, x)
        if read:
            sequence = keras.layers.Concatenate(name="in_context")([sequence, states])
        return st.models.tagger(inputs, sequence, len(assets["labels"]), config.head)
    members = []
    for number in range(config.ensemble_size):
        mark = f"_{number}" if config.ensemble_size > 1 else ""
        found, sequence = member(config, x, mark)
        members.append([layers.Pooling(["max", "mean"], name=f"motifs_found{mark}")(found)])
        members[-1].append(layers.Pooling(list(config.pooling), name=f"pooling{mark}")(sequence))
        if read:
            members[-1].append(layers.Pooling(list(config.pooling), name=f"in_context{mark}")(states))
        if config.linear:
            members[-1].append(layers.PositionWeights(config.positions, name=f"bases_in_place{mark}")(x))
    inputs |= st.models.column_inputs(st.data.side_columns.width(config.columns, assets))
    head = sequence_task(config).head(assets)
    return st.models.classifier(inputs, members, dropout=config.dropout, both_strands=config.reverse_complement, **head)


def bases_in_context(config: Config, assets: Assets) -> tuple[Any, Any]:
    """The input of language models of bases, and their states at each base (batch, time, features)."""
    import keras

    tokens = keras.Input((None,), dtype="int32", name="tokens")
    networks, dropout = assets["pretrained"].networks_of_letters, config.output_dropout
    return tokens, st.models.pretrained_states(tokens, networks, dropout=dropout, auxiliary=config.auxiliary)[1]


def as_text(config: Config, example: Any, option: str) -> str:
    return str(example.input.upper())


def member(config: Config, x: Any, mark: str = "") -> tuple[Any, Any]:
    """Outputs of the convolution and of the recurrence of one member of an ensemble, both (batch, time, features)."""
    import keras

    if config.filters:
        x = st.layers.MaskedConv1D(config.filters, config.width, name=f"motifs{mark}")(x)
        if config.positions:
            x = st.layers.PositionBias(config.positions, name=f"places{mark}")(x)
        x = keras.layers.Activation("relu", name=f"found{mark}")(x)
        x = keras.layers.Dropout(config.convolution_dropout, name=f"found_dropout{mark}")(x)
    found = x
    if config.pool > 1 and config.task == "classify":
        x = st.layers.MaxPooling(config.pool, name=f"pool{mark}")(x)
    return found, st.layers.recurrent_stack(x, name=f"recurrent{mark}", **rnn_options(config))


def make_task(config: Config) -> "Task":
    if config.task == "classify":
        return sequence_task(config)
    for name, value in (
        ("target", config.target not in ("auto", "class")),
        ("label_separator", config.label_separator),
    ):
        if value:
            raise st.errors.UserError("needs one target per sequence", where=f"--{name}", remedy="leave it out")
    return st.tasks.StepTagging("places")


def sequence_task(config: Config) -> "SequenceTask":
    return st.tasks.sequence_task(config.target, config.class_weights, config.label_separator, config.label_order)


def loss(config: Config) -> Any:
    if config.task == "classify":
        return st.losses.sequence_loss(config.target, config.r_drop)
    return st.losses.CRFLoss() if config.head == "crf" else st.losses.StepCrossentropy()


def portable(config: Config, assets: Assets) -> dict[str, Any] | None:
    """What `seqtasks.portable.bases` needs; None with a language model, and with columns beside the sequence."""
    if "pretrained" in assets or config.columns:
        return None
    shares, ids = letters(config).shares, letters(config).ids
    k = config.k if config.input == "kmer" else 0
    return {"encoder": "bases", "k": k, "shares": shares.tolist(), "ids": ids.tolist()}


def parse(config: Config, text: Any) -> Iterator[Query]:
    """The sequences of an input: a file of sequences, or one sequence."""
    reading = st.data.reading.Reading.of(config)
    for example in st.dna.files.sequences(text, files(config), reading):
        yield Query(example.input, dict(example.fields), example.columns)


def baselines(config: Config) -> dict[str, Callable[[Config], Any]]:
    alphabet = letters(config)
    if config.task == "tag":
        features = functools.partial(st.dna.baselines.base_features, alphabet=alphabet)
        return {"window_logistic_regression": lambda c: st.tasks.baselines.WindowTagger(features, c.seed)}
    kmers = lambda: st.tasks.baselines.with_columns(st.dna.baselines.kmers(alphabet), config.columns)  # noqa: E731
    found = st.tasks.baselines.of_target(config.target, "kmer", kmers, 10.0)
    return found | ({"one_hot_svm": lambda c: st.dna.baselines.BaseSVM(alphabet)} if config.target == "class" else {})


SAMPLE_OPTIONS = {"epochs": 20, "r_drop": 0.0, "batch_size": 32, "filters": 64, "positions": 0, "substitution": 0.05}
RECIPE = Recipe(
    name="dna",
    summary="The class of a DNA sequence (promoter or not, splice site...), or a label for every base.",
    rnn_type="many-to-one; many-to-many, equal lengths (--task tag)",
    formats=(
        "fasta",
        "fastq",
        "genbank",
        "file or folder per class",
        "bed or narrowPeak with --genome",
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
    sample=Sample(Path(__file__).parent / "samples" / "dna.csv", SAMPLE_OPTIONS),
    reads=reads,
    learn=learn,
    encode=encode,
    build=build,
    task=make_task,
    loss=loss,
    metric="mcc",
    baselines=baselines,
    capabilities=(
        Portable(portable),
        TextInputs(parse),
        Scans(),
        ExplainsVariants(lambda predictor, sequence: st.dna.capabilities.explain(predictor, sequence)),
        Reports(lambda predictor, examples: st.dna.report.report_sections(predictor, examples)),
    ),
    as_text=as_text,
    budget=lambda config: Budget(steps=800, epochs=(20, 200), batch_size=(8, 64), patience=3),
    rows={"logits*": "labels", "emissions": "labels", "crf": "labels"},
    card=lambda config: {"pipeline_tag": "text-classification", "tags": ["biology", "dna"]},
)
