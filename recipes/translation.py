"""Machine translation (many-to-many, different lengths): a sentence in another language.

    seqtasks train translation --data corpus/ --source_language en --target_language de --run runs/translation

A bidirectional recurrence reads the sentence. A decoder with attention writes its translation token by token, and beam
search looks for the most probable one. The same recipe learns any rewriting of texts from pairs: the built-in sample
rewrites dates in many languages as ISO 8601.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from annotated_types import Ge

import seqtasks as st
from seqtasks.budget import Budget
from seqtasks.capabilities import Infers, Query, Reports, TextInputs
from seqtasks.data.token_ids import BOS, EOS, PAD, UNK
from seqtasks.options import Auto, Cell, Count, Positive, Rate, Size, Weight, chosen, option, rnn_options
from seqtasks.portable.capability import Portable
from seqtasks.recipe import Assets, Recipe, Sample
from seqtasks.text.pretrained_options import PretrainedOptions
from seqtasks.text.vector_options import VectorOptions

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from seqtasks.data.sources import Source
    from seqtasks.data.splits import Formats

LONGEST = (2, 20)  # a translation has at most 2 times as many tokens as its source, and 20 more
UNWRITTEN = (PAD, UNK, BOS)  # tokens that are never generated
SIDES, EMBEDDINGS = ("source", "target"), ("embedding", "target_embedding")


@dataclass(frozen=True)
class Config(VectorOptions, PretrainedOptions):
    """Options of the translation recipe."""

    source_file: str | None = option(None, "file with the source sentences of train, of any name", "data")
    target_file: str | None = option(None, "file with their translations, line by line", "data")
    source_language: str | None = option(
        None, "suffix of the source files, or name or number (from 1) of the source column", "data", changeable=True
    )
    target_language: str | None = option(
        None, "suffix of the target files, or name or number (from 1) of the target column", "data", changeable=True
    )
    header: bool | None = option(
        None, "whether the first line of a table holds names; null to detect it", "data", changeable=True
    )
    vocabulary: Literal["word", "character", "unigram", "bpe"] = option("unigram", "kind of tokens", "data")
    vocabulary_size: Annotated[int, Ge(5)] = option(6000, "tokens of each language, at most", "data")
    min_count: Count = option(2, "how often a word or character must occur in train to be kept", "data")
    lowercase: bool = option(False, "lower-case both languages", "data")
    target_vectors: str | None = option(
        None, "pretrained vectors of the words of the target language; --vectors has those of the source", "data",
        inherited=False,
    )  # fmt: skip
    vectors_rate: Weight | Auto = option(
        "auto", "learning rate of the vectors as a share of that of other weights; 0: they never change; auto: "
        "0.1 with vectors, else 1; 1 with vectors_frozen_epochs", "training",
    )  # fmt: skip
    max_characters: Count = option(
        1000,
        "characters of a sentence; longer pairs are left out of train, longer inputs of predict are refused",
        "data",
        changeable=True,
    )
    max_ratio: Annotated[float, Ge(1)] = option(
        9.0, "ratio of the lengths of a pair; pairs with a larger one are left out of train", "data"
    )
    bleu_tokenize: Literal["13a", "intl", "zh", "ja-mecab", "ko-mecab", "char", "none"] | None = option(
        None, "sacrebleu's tokenizer for BLEU; null to choose it by the target language", "data", changeable=True
    )

    pretrained_target: str | None = option(
        None, "run of a forward language model of the target language whose vocabulary, embeddings and recurrent "
        "layers the decoder takes over; --pretrained has those of the source", "model", inherited=False,
    )  # fmt: skip
    cell: Cell = option("lstm", "recurrent cell of encoder and decoder; not of --pretrained_target", "model")
    units: Count = option(
        256, "size of the recurrent state, per direction; that of the decoder is that of --pretrained_target", "model"
    )
    layers: Count = option(1, "recurrent layers of the encoder; with --pretrained those after its own", "model")
    decoder_layers: Count | Auto = option(
        "auto", "recurrent layers of the decoder; auto: those of --pretrained_target, else 1", "model"
    )
    bidirectional: bool = option(True, "the encoder reads in both directions", "model")
    residual: bool = option(False, "add the input of a layer of the encoder to its output", "model")
    dimension: Count | Auto = option(
        "auto",
        "size of the embeddings that are not those of a language model; those of the target also score the tokens; "
        "auto: that of --vectors, else 256",
        "model",
    )
    attention: Literal["none", "dot", "general", "additive"] = option(
        "general", "score function of the attention over the source", "model"
    )
    input_feeding: bool = option(True, "feed the attentional vector of a step into the next step", "model")
    coverage: bool = option(False, "the attention knows the positions that it has covered", "model")

    batch_by: Literal["examples", "tokens"] = option(
        "tokens", "tokens: each step has about the same number of tokens, batch_size examples on average", "training"
    )
    learning_rate: Positive = option(1.5e-3, "largest learning rate", "training")
    embedding_dropout: Rate = option(0.3, "dropout of the elements of the source embeddings", "training")
    output_dropout: Rate = option(
        0.4, "dropout of the outputs of each recurrent layer, and of the target embeddings", "training"
    )
    recurrent_dropout: Rate = option(
        0.0, "dropout inside the recurrences, one mask for all steps of a sentence", "training"
    )
    zoneout: Rate = option(0.0, "share of the encoder's state that a step leaves unchanged, at random", "training")
    label_smoothing: Rate = option(0.1, "probability that is spread over all tokens", "training")
    scheduled_sampling: Rate = option(0.0, "share of the decoder inputs that are the model's own tokens", "training")

    beam_width: Count = option(5, "hypotheses kept at each step; 1 is greedy", "answering", validation=1)
    n_best: Count = option(1, "hypotheses in an answer", "answering", validation=1)
    length_penalty: Weight = option(
        1.0, "exponent p of ((5 + length) / 6)^p, which divides log-probabilities", "answering"
    )
    coverage_penalty: Weight = option(0.0, "weight of source positions without attention", "answering")
    no_repeat_ngram: Size = option(0, "size of n-grams that do not occur twice; 0 for no limit", "answering")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.n_best > self.beam_width:
            what = f"{self.n_best} of a beam of {self.beam_width}"
            raise st.errors.UserError(what, where="--n_best", remedy="give at most --beam_width")


def settle(config: Config) -> Config:
    for vectors, model in (("vectors", "pretrained"), ("target_vectors", "pretrained_target")):
        if getattr(config, vectors) and getattr(config, model):
            refuse_vectors(f"--{vectors} and --{model}")
    if (config.vectors or config.target_vectors) and config.vocabulary != "word":
        what, remedy = f"the vectors are of words, the tokens of kind {config.vocabulary}", "take --vocabulary word"
        raise st.errors.UserError(what, where="--vectors" if config.vectors else "--target_vectors", remedy=remedy)
    files = "vectors", "target_vectors"
    return st.text.word_vectors.settled(config, files, dimension=(256, 256), vectors_rate=(1.0, 0.1))


def refuse_vectors(where: str) -> None:
    what, remedy = "the language model has word vectors of its own", "leave out one of them"
    raise st.errors.UserError(what, where=where, remedy=remedy)


def reads(config: Config) -> "Formats":
    files = st.translation.files
    languages = config.source_language, config.target_language
    formats = files.formats(files.Options(*languages, config.max_characters, config.max_ratio, config.header))
    if config.source_file and config.target_file:
        return replace(formats, named=f"{config.source_file},{config.target_file}")
    if config.source_file or config.target_file:
        missing = "--target_file" if config.source_file else "--source_file"
        raise st.errors.UserError("is missing", where=missing, remedy="name the files of both sides")
    return formats


def learn(config: Config, train: "Source") -> dict[str, Any]:
    def tokenizer(side: str) -> Any:
        chunks = ([getattr(example, side) for example in chunk] for chunk in train.chunks(1024))
        least = config.min_count if config.vocabulary in ("word", "character") else 1
        options = config.vocabulary, config.vocabulary_size, least, config.lowercase
        learnt = st.text.tokenizer.Tokenizer.learn(chunks, *options)
        if side == "target" or not config.vectors:  # what the target may be grows with its tokens
            return learnt
        normal = st.text.word_features.clean if config.lowercase else None
        more = st.text.word_vectors.more_words(config.vectors, config.vectors_words, learnt.tokens, normal=normal)
        return st.text.tokenizer.Tokenizer(learnt.kind, [*learnt.tokens, *more], None, learnt.lowercase)

    sides = ("source", "input", config.pretrained), ("target", "target", config.pretrained_target)
    return {name: tokenizer(side) for name, side, model in sides if not model}


def encode(config: Config, assets: Assets, texts: "tf.Tensor") -> dict[str, "tf.Tensor"]:
    """Sentences (batch,) to token numbers (batch, None) with an end."""
    return {"source": st.data.segments.append_end(st.translation.task.tokenizer(assets, "source").encode(texts))}


def build(config: Config, assets: Assets) -> "keras.Model":
    """Source and decoder tokens (batch, time) to logits (batch, time, tokens)."""
    import keras

    if config.attention == "none" and config.coverage:
        raise st.errors.UserError(
            "there is no attention", where="--coverage", remedy="leave it out, or take --attention"
        )
    source = keras.Input((None,), dtype="int32", name="source")
    read = (pretrained if "pretrained" in assets else embedded)(config, assets, source)
    dimension, cell, layers = decoder(config, assets)
    model = st.models.encoder_decoder(
        {"source": source},
        st.layers.recurrent_stack(read, name="encoder", **rnn_options(config)),
        len(st.translation.task.tokenizer(assets, "target")),
        dimension,
        cell,
        config.units,
        layers,
        config.attention,
        config.output_dropout,
        config.scheduled_sampling,
        input_feeding=config.input_feeding,
        coverage=config.coverage,
        recurrent_dropout=config.recurrent_dropout,
    )
    files = config.vectors, config.target_vectors
    options = config.vectors_frozen_epochs, chosen(config.dimension) ** -0.5, st.text.tokenizer.JOINER
    for side, name, table, file in zip(SIDES, EMBEDDINGS, ("embeddings", "table"), files, strict=True):
        if side in assets:
            layer = model.get_layer(name)
            rate = chosen(config.vectors_rate) if file or not any(files) else 1.0
            st.text.word_vectors.place(layer, getattr(layer, table), file, assets[side].tokens, rate, *options)
        elif file:  # the language model was given to the run that is fine-tuned
            refuse_vectors("--vectors" if side == "source" else "--target_vectors")
    return model


def embedded(config: Config, assets: Assets, source: Any) -> Any:
    """The vectors of the source tokens, (batch, time, dimension)."""
    import keras

    given = len(assets["source"]), chosen(config.dimension)
    vectors = keras.layers.Embedding(*given, mask_zero=True, name="embedding")(source)
    return keras.layers.Dropout(config.embedding_dropout, name="embedding_dropout")(vectors)


def pretrained(config: Config, assets: Assets, source: Any) -> Any:
    """The states of the language model at each source token, (batch, time, units)."""
    rates = config.embedding_dropout, 0.0, config.output_dropout
    networks = assets["pretrained"].networks
    return st.models.pretrained_states(source, networks, "pretrained", *rates, config.auxiliary, ended=True)[1]


def decoder(config: Config, assets: Assets) -> tuple[int, Any, int]:
    """The dimension of the target embedding, the cell or cells of the decoder, and its layers."""
    layers = None if config.decoder_layers == "auto" else config.decoder_layers
    if "pretrained_target" not in assets:
        return chosen(config.dimension), config.cell, layers or 1
    network = assets["pretrained_target"].decoder_network("pretrained_target")
    if layers is not None and layers > (most := len(network.cells)):
        what, remedy = f"the language model of --pretrained_target has {most}", "take at most as many"
        raise st.errors.UserError(what, where=f"--decoder_layers {layers}", remedy=remedy)
    cells = st.models.pretrained_cells(network, layers, config.recurrent_dropout)
    return network.dimension, cells, len(cells)


def infer(config: Config, model: "keras.Model", features: dict[str, "tf.Tensor"]) -> Any:
    """Beam search for the translations of source tokens (batch, time)."""
    import tensorflow as tf

    source = features["source"]
    stepper = st.models.DecoderStepper(model)
    states, memory = stepper.begin(features, source > 0)
    times, more = LONGEST
    return st.decoding.beam_search(
        stepper.step,
        states,
        BOS,
        EOS,
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


def portable(config: Config, assets: Assets) -> dict[str, Any] | None:
    """What `seqtasks.portable.letters` needs; None where tokens are not characters."""
    if "source" not in assets:
        return None
    found = assets["source"].portable(input="source", backward=False, ends=True)
    return found and found | {"target_tokens": st.translation.task.tokenizer(assets, "target").tokens}


def parse(config: Config, text: Any) -> list[Query]:
    return [Query(st.translation.files.sentence(text, config.max_characters), {})]


SAMPLE_OPTIONS = {
    "vocabulary": "character",
    "units": 96,
    "dimension": 48,
    "epochs": 6,
    "batch_size": 32,
    "learning_rate": 4e-3,
    "embedding_dropout": 0.1,
    "output_dropout": 0.1,
    "label_smoothing": 0.0,
}
RECIPE = Recipe(
    name="translation",
    summary="A sentence in another language, or any rewriting of texts that is learnt from pairs.",
    rnn_type="many-to-many, different lengths",
    formats=(
        "parallel files",
        "tmx",
        "tsv",
        "csv",
        "json",
        "jsonl",
        "parquet",
        "arrow",
        "xlsx",
        "hf:NAME",
        "tfds:NAME",
    ),
    Config=Config,
    sample=Sample(Path(__file__).parent / "samples" / "dates.tsv", SAMPLE_OPTIONS),
    reads=reads,
    learn=learn,
    encode=encode,
    build=build,
    task=lambda config: st.translation.task.Translation(config.target_language, config.bleu_tokenize),
    loss=lambda config: st.losses.TokenCrossentropy(config.label_smoothing),
    metric="bleu",
    baselines=lambda config: {"translation_memory": lambda config: st.translation.baselines.TranslationMemory()},
    capabilities=(
        Portable(portable),
        TextInputs(parse),
        Infers(infer),
        Reports(lambda predictor, examples: st.translation.report.translations(predictor, examples)),
    ),
    settle=settle,
    budget=lambda config: Budget(steps=3000, epochs=(15, 300), batch_size=(8, 64), patience=5),
    rows=dict(zip(EMBEDDINGS, SIDES, strict=True)),
    as_text=lambda config, example, option: example.target if option == "pretrained_target" else example.input,
    card=lambda config: {
        "pipeline_tag": "translation",
        "language": [name for name in (config.source_language, config.target_language) if name and name.isalpha()],
    },
)
