"""DNA analysis: the class of a sequence (many-to-one), or a label for every base (many-to-many, equal lengths).

    seqtasks train dna --data promoters/ --run runs/promoters
    seqtasks predict runs/promoters genome.fa --window 81 --stride 10 --output hits.bed

A convolution finds motifs, with a bias for where they stand; a bidirectional LSTM reads how they follow one another, as
in DanQ. Random substitutions while training keep it from learning sequences by heart. The measured results stand in
the README.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import seqtasks as st
from seqtasks.options import Cell, Options, rnn_options
from seqtasks.recipe import Query, Recipe


@dataclass(frozen=True)
class Config(Options):
    """Options of the dna recipe."""

    task: Literal["classify", "tag"] = "classify"  # a label for each sequence, or for every base
    epochs: int = 20  # passes over the training data, at most
    batch_size: int = 64  # sequences of a step
    learning_rate: float = 2e-3  # its largest value
    keep: Literal["best", "last"] = "last"  # the epoch whose weights are kept: best by validation, or the last of all
    input: Literal["one_hot", "kmer"] = "one_hot"  # what the network sees of a base
    k: int = 3  # bases of a k-mer
    dimension: int = 32  # size of the vectors of k-mers
    substitution: float = 0.1  # share of bases replaced at random while training; one_hot alone
    reverse_complement: bool = False  # whether both strands are read and their scores averaged; classify alone
    filters: int = 128  # motifs that the convolution looks for; 0 for none
    width: int = 15  # bases of a motif
    positions: int = 512  # bases from the start whose place counts, for sequences that are aligned; 0 for none
    linear: bool = (
        False  # whether each base at each of these places has a weight of its own for each class; classify alone
    )
    pool: int = 3  # neighbouring bases that the recurrence sees as one; classify alone
    cell: Cell = "lstm"  # the recurrent cell
    units: int = 64  # size of its state, in each direction
    layers: int = 1  # recurrences on top of one another
    bidirectional: bool = True  # whether each layer reads from both ends
    residual: bool = False  # whether a layer adds its input to its output
    pooling: list[Literal["max", "mean", "attention"]] = ("max", "mean")  # summaries over time
    convolution_dropout: float = 0.2  # of the outputs of the convolution
    output_dropout: float = 0.3  # of the outputs of each recurrence
    recurrent_dropout: float = 0.0  # inside the recurrence, one mask for all steps of a sequence
    zoneout: float = 0.0  # share of the recurrent state that stays as it was, drawn each step
    dropout: float = 0.5  # before the last layer
    members: int = 1  # networks side by side, each trained for itself, whose probabilities are averaged; classify alone
    consistency: float = 1.0  # weight of the agreement between two passes under other dropout; 0 for one pass
    class_weights: Literal["none", "balanced"] = "none"  # balanced: rare classes count as much as frequent ones
    head: Literal["crf", "softmax"] = "softmax"  # tag: whether labels are chosen together or each by itself
    sequence_column: str | None = None  # name or number (from 1) of the column with the sequence
    label_column: str | None = None  # name or number (from 1) of the column with the label
    header: bool | None = None  # whether the first line of a table holds names; null decides by looking
    label_field: str | None = None  # where the header of a FASTA record has the label: a name, or a number from 1
    genome: str | None = None  # FASTA file that the intervals of BED files refer to
    annotation: str | None = None  # tag: BED file with the labels of stretches of the records or of the genome
    outside: str = "other"  # tag: label of the bases that the annotation leaves out


def load(config, data=None, train=None, valid=None, test=None):
    dna, columns = st.dna.files, st.data.sources.Columns(config.sequence_column, config.label_column, config.header)
    places = (config.label_field, config.genome, config.annotation, config.outside)
    formats = st.data.splits.Formats(dna.open_dna, dna.SUFFIXES)
    options = dna.DnaOptions(config.task, *places, columns)
    return st.data.splits.find_splits(data, options, train, valid, test, formats)


def learn(config, train):
    labels = {label for example in train for label in make_task(config).labels(example.target)}
    return {"labels": st.data.vocabulary.Vocabulary.labels(labels)}


def encode(config, assets, sequences):
    features = {"places": st.dna.encoding.kmers(sequences, 1)}  # above 0 at every base
    if config.input == "kmer":
        return features | {"kmers": st.dna.encoding.kmers(sequences, config.k)}
    return features | {"bases": st.dna.encoding.one_hot(sequences)}


def build(config, assets):
    import keras

    layers, tag = st.layers, config.task == "tag"
    for name, plain in (("reverse_complement", False), ("linear", False), ("members", 1)):
        if tag and getattr(config, name) != plain:
            raise st.errors.UserError("needs one label for a sequence", where=f"--{name}", remedy="leave it out")
    if config.linear and not config.positions:
        raise st.errors.UserError("needs places", where="--linear", remedy="give their number with --positions")
    if config.reverse_complement and config.input == "kmer":
        what = "k-mers have no opposite strand"
        raise st.errors.UserError(what, where="--reverse_complement", remedy="take --input one_hot")
    if config.input == "kmer":
        inputs = {"kmers": keras.Input((None,), dtype="int32", name="kmers")}
        rows = st.dna.encoding.kmer_count(config.k)
        embedding = keras.layers.Embedding(rows, config.dimension, mask_zero=True, name="embedding")
        x = embedding(inputs["kmers"])
    else:
        inputs = {"bases": keras.Input((None, 4), name="bases")}
        x = layers.RandomSubstitution(config.substitution, name="substitution")(inputs["bases"])
        if config.reverse_complement:
            x = layers.ReverseComplementBatch(name="both_strands")(x)
        x = keras.layers.Masking(name="mask")(x)
    if tag:
        _, sequence = member(config, x)
        return st.models.tagger(inputs, sequence, len(assets["labels"]), config.head)
    members = []
    for number in range(config.members):
        mark = f"_{number}" if config.members > 1 else ""
        found, sequence = member(config, x, mark)
        members.append([layers.Pooling(["max", "mean"], name=f"motifs_found{mark}")(found)])
        members[-1].append(layers.Pooling(list(config.pooling), name=f"pooling{mark}")(sequence))
        if config.linear:
            members[-1].append(layers.PositionWeights(config.positions, name=f"bases_in_place{mark}")(x))
    return st.models.classifier(inputs, members, len(assets["labels"]), config.dropout, config.reverse_complement)


def member(config, x, mark=""):
    """Motifs and what the recurrence makes of them, of one member of an ensemble."""
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


def make_task(config):
    return st.tasks.StepTagging("places") if config.task == "tag" else st.tasks.Classification()


def loss(config):
    if config.task == "classify":
        return st.losses.RDropCrossentropy(config.consistency)
    return st.losses.CRFLoss() if config.head == "crf" else st.losses.StepCrossentropy()


def asked(config, text, tokens):
    return [Query(sequence, told) for sequence, told in st.dna.files.sequences(text)]


def majority(config):
    from sklearn.dummy import DummyClassifier

    return DummyClassifier(strategy="prior")


def baselines(config):
    if config.task == "tag":
        return {
            "window_logistic_regression": lambda c: st.tasks.baselines.WindowTagger(
                st.dna.baselines.base_features, c.seed
            )
        }
    return {
        "majority": majority,
        "kmer_logistic_regression": lambda c: st.dna.baselines.kmer_logistic_regression(),
        "one_hot_svm": lambda c: st.dna.baselines.BaseSVM(),
    }


RECIPE = Recipe(
    name="dna",
    summary="The class of a DNA sequence (promoter or not, splice site...), or a label for every base.",
    rnn_type="many-to-one; many-to-many, equal lengths (--task tag)",
    formats=("fasta", "fastq", "fasta file per class", "csv", "tsv", "jsonl", "bed with --genome"),
    Config=Config,
    sample=Path(__file__).parent / "samples" / "dna.csv",
    sample_options={"consistency": 0.0, "batch_size": 32, "filters": 64, "positions": 0, "substitution": 0.05},
    load=load,
    learn=learn,
    encode=encode,
    build=build,
    task=make_task,
    loss=loss,
    default_metric="mcc",
    baselines=baselines,
    views=lambda config: 2 if config.consistency and config.task == "classify" else 1,
    asked=asked,
    scan=lambda *given: st.dna.scan.scan(*given),
    explain=lambda predictor, sequence: st.dna.mutagenesis.effect_rows(predictor, sequence),
    illustrate=lambda predictor, examples: st.dna.report.report_sections(predictor, examples),
)
