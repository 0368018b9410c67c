"""Named-entity recognition (many-to-many, equal lengths): which tokens of a text name persons, places, ...

    seqtasks train ner --data corpus/ --run runs/ner

Words, their letters and their shapes go through a bidirectional LSTM, and in parallel through a convolution over the
nearest neighbours. A conditional random field chooses all tags together, under the constraints of the tag scheme. Texts
are tokenised in the graph, and an answer gives the position of each entity in the text.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from annotated_types import Ge

import seqtasks as st
from seqtasks.budget import Budget
from seqtasks.capabilities import Answer, Calibrates, Capability, Command, Query, Reports
from seqtasks.options import Auto, Cell, Count, Declared, Positive, Rate, Size, Weight, chosen, option, rnn_options
from seqtasks.recipe import Assets, Recipe, Sample
from seqtasks.text.pretrained_options import PretrainedOptions
from seqtasks.text.vector_options import VectorOptions

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    from seqtasks.data.sources import Source
    from seqtasks.data.splits import Formats

AFFIXES = (1, 2, 3, 4)  # letters at the start and at the end of a token that get embeddings of their own
LETTERS = 20  # of a token that the character encoder reads
ENDS = {"forward": "last_letters", "backward": "first_letters"}  # of tokens, where a language model has read them
Scheme = Literal["IOB1", "IOB2", "BIO", "IOBES", "BIOES", "BILOU", "BMES", "BMEWO", "IO", "POS"]


@dataclass(frozen=True)
class Config(VectorOptions, PretrainedOptions):
    """Options of the ner recipe."""

    token_column: int | str | None = option(
        None,
        "column of the tokens or texts: a name, or a number from 1, or from -1 at the end",
        "data",
        changeable=True,
    )
    tag_column: int | str | None = option(None, "column of the tags or spans, likewise", "data", changeable=True)
    sentence_column: str | None = option(
        None, "column that tells the sentence, in tables with a token on each row", "data", changeable=True
    )
    scheme: Scheme | None = option(None, "tag scheme; null to detect it", "data", changeable=True)
    tag_names: str | None = option(
        None, "names of tags that are numbers, from 0: O,B-PER,I-PER,... or a file with one on each line", "data",
        changeable=True,
    )  # fmt: skip
    offsets: Literal["codepoints", "utf16", "utf8", "auto"] = option(
        "codepoints", "what the offsets of spans count: characters, UTF-16 units (JavaScript) or bytes", "data",
        changeable=True,
    )  # fmt: skip
    max_vocabulary: Annotated[int, Ge(3)] = option(50_000, "lower-cased words kept, padding and UNK included", "data")
    min_count: Count = option(2, "how often a word must occur in train to be kept", "data")
    max_length: Count = option(128, "tokens of a training sentence; longer ones are cut into pieces", "data")

    cell: Cell = option("lstm", "recurrent cell", "model")
    units: Count = option(100, "size of the recurrent state, per direction", "model")
    layers: Count = option(1, "recurrent layers", "model")
    bidirectional: bool = option(True, "read in both directions", "model")
    residual: bool = option(False, "add the input of a recurrent layer to its output", "model")
    window: Size = option(2, "neighbours on each side that a parallel convolution sees; 0 for none", "model")
    head: Literal["crf", "softmax"] = option("crf", "whether tags are chosen together or independently", "model")
    characters: Literal["none", "cnn", "bilstm"] = option("cnn", "encoder of the letters of a token", "model")
    dimension: Count | Auto = option("auto", "size of the word vectors; auto: that of --vectors, else 100", "model")
    affixes: Size = option(
        32_768, "rows of the table of hashed affixes, shapes and cased words; 0 for words alone", "model"
    )

    pretrained_rate: Weight = option(
        0.0, "learning rate of the layers of the language model as a share of that of other weights; 0: they never "
        "change", "training",
    )  # fmt: skip
    learning_rate: Positive = option(2e-3, "largest learning rate", "training")
    unk_dropout: Rate | Auto = option("auto", "share of words replaced by UNK; auto: 0.5, with vectors 0.0", "training")
    word_dropout: Rate = option(0.2, "share of words left out", "training")
    embedding_dropout: Rate | Auto = option(
        "auto", "dropout of the elements of token vectors; auto: 0.6, with vectors 0.4", "training"
    )
    output_dropout: Rate = option(
        0.5, "dropout of the outputs of each recurrent layer and of the window convolution", "training"
    )
    recurrent_dropout: Rate = option(0.0, "dropout inside the recurrence, one mask for all steps of a text", "training")
    zoneout: Rate = option(0.0, "share of the recurrent state that a step leaves unchanged, at random", "training")


def settle(config: Config) -> Config:
    rates: dict[str, Any] = {"unk_dropout": (0.5, 0.0), "embedding_dropout": (0.6, 0.4), "vectors_rate": (1.0, 0.0)}
    return st.text.word_vectors.settled(config, dimension=(100, 100), **rates)


def reads(config: Config) -> "Formats":
    st.errors.needs("seqeval", extra="ner")
    names = st.ner.tag_schemes.tag_names(config.tag_names) if config.tag_names else ()
    columns = config.token_column, config.tag_column, config.sentence_column
    options = st.ner.sentences.Options(*columns, config.scheme, names, config.offsets)
    return st.ner.files.formats(options, config.max_length)


def learn(config: Config, train: "Source") -> dict[str, Any]:
    import tensorflow as tf

    types: set[str] = set()
    letters: set[str] = set()

    def words() -> Iterator[list[bytes]]:
        for chunk in train.chunks(1024):
            types.update(label for example in chunk for label in st.ner.task.SpanTagging().labels(example.target))
            texts = tf.constant([example.input for example in chunk])
            tokens = st.text.word_tokenizer.tokenize(texts)[0].flat_values
            letters.update(letter for token in tokens.numpy().tolist() for letter in token.decode())
            yield st.text.word_features.normal(tokens).numpy().tolist()

    vocabulary = st.data.vocabulary.Vocabulary
    limits, more = (config.max_vocabulary, config.min_count), (config.vectors, config.vectors_words)
    assets = {"words": st.text.word_vectors.vocabulary(words(), *limits, *more, st.text.word_features.normal)}
    assets["labels"] = vocabulary.labels(types)
    assets["tags"] = vocabulary(st.ner.tag_schemes.tagset(assets["labels"].tokens))
    return assets | {"characters": vocabulary.learn([sorted(letters)])}


def encode(config: Config, assets: Assets, texts: "tf.Tensor") -> dict[str, "tf.Tensor"]:
    """Texts (batch,) to numbers of words, affixes and letters, and the positions of the tokens, all ragged."""
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
    if "pretrained" in assets:
        features |= st.text.word_features.letters_of_words(tokens, assets["pretrained"].encode)
    return features | {"starts": starts, "ends": ends, "surface": surface}


def build(config: Config, assets: Assets) -> "keras.Model":
    """Words (batch, time), affixes (batch, time, 10) and letters (batch, time, 20) to scores of tags."""
    import keras

    inputs = {"words": keras.Input((None,), dtype="int32", name="words")}
    if config.affixes:
        inputs["affixes"] = keras.Input((None, 2 * len(AFFIXES) + 2), dtype="int32", name="affixes")
    embedding = st.layers.WordEmbedding(
        len(assets["words"]),
        chosen(config.dimension),
        config.affixes,
        chosen(config.unk_dropout),
        config.word_dropout,
        name="embedding",
    )
    embedded = embedding(*inputs.values())
    vectors = config.vectors, assets["words"].tokens, chosen(config.vectors_rate), config.vectors_frozen_epochs
    st.text.word_vectors.place(embedding, embedding.table, *vectors)
    if config.characters != "none":
        inputs["characters"] = keras.Input((None, LETTERS), dtype="int32", name="characters")
        reader = st.layers.CharacterEncoder(len(assets["characters"]), 25, 50, config.characters, name="letters")
        embedded = keras.layers.Concatenate(name="token")([embedded, reader(inputs["characters"])])
    if "pretrained" in assets:
        read, states = contextual(config, assets)
        inputs |= read
        embedded = keras.layers.Concatenate(name="in_context")([embedded, states])
    dropped = keras.layers.Dropout(chosen(config.embedding_dropout), name="embedding_dropout")(embedded)
    sequence = st.layers.recurrent_stack(dropped, **rnn_options(config))
    if config.window:
        near = st.layers.MaskedConv1D(config.units, 2 * config.window + 1, activation="relu", name="window")(dropped)
        near = keras.layers.Dropout(config.output_dropout, name="window_dropout")(near)
        sequence = keras.layers.Concatenate(name="context")([sequence, near])
    tags = assets["tags"].tokens
    return st.models.tagger(inputs, sequence, len(tags), config.head, st.ner.tag_schemes.constraints(tags))


def contextual(config: Config, assets: Assets) -> tuple[dict[str, Any], Any]:
    """Contextual string embeddings, the states of models of letters at the ends of tokens, and their inputs."""
    import keras

    networks = assets["pretrained"].networks_of_letters
    ends = {network.direction: ENDS[network.direction] for network in networks}
    inputs = {name: keras.Input((None,), dtype="int32", name=name) for name in ("text_letters", *ends.values())}
    at = {direction: inputs[name] for direction, name in ends.items()}
    letters = inputs["text_letters"]
    return inputs, st.models.pretrained_states(letters, networks, auxiliary=config.auxiliary, at=at)[1]


def as_text(config: Config, example: Any, name: str) -> str:
    """The tokens of a sentence with a space between them, as `encode` gives them to the language model."""
    import tensorflow as tf

    text = example.input.encode("utf-8", "surrogateescape")
    tokens = st.text.word_tokenizer.tokenize(tf.constant([text]))[0].flat_values
    return b" ".join(tokens.numpy().tolist()).decode("utf-8", "replace")


def calibrate(predictor: Any, validate: Any) -> dict[str, float]:
    """Lower the bias of the tag O as long as the validation metric improves."""
    return {"o_bias_shift": st.models.tune_label_bias(predictor.model, 0, validate)}


def tokenised(given: Any) -> Any:
    """The input of a sentence whose tokens are separated by spaces, or are a list; a record of tokens as it is."""
    if isinstance(given, Query):
        return given._replace(input=tokenised(given.input))
    separator = st.text.word_tokenizer.SEPARATOR
    if isinstance(given, list | tuple) and all(isinstance(token, str) for token in given):
        return st.ner.sentences.joined([st.ner.sentences.clean_token(token) for token in given if token])
    text = given.decode("utf-8", "surrogateescape") if isinstance(given, bytes) else given
    if not isinstance(text, str) or text.startswith(separator):
        return given
    joined = st.ner.sentences.joined(text.split())
    return joined.encode("utf-8", "surrogateescape") if isinstance(given, bytes) else joined


@dataclass(frozen=True)
class TokenOptions(Declared):
    """Options that ner adds to `predict`."""

    tokens: bool = option(False, "inputs are tokenised already, with spaces between the tokens", "answering")


@dataclass(frozen=True)
class TokenisedInputs(Capability):
    """`seqtasks predict RUN --tokens`: inputs whose tokens are separated by spaces; in Python also lists of tokens."""

    def commands(self) -> tuple[Command, ...]:
        def run(run: Any, inputs: Iterable[str | bytes], options: TokenOptions) -> Iterable[Answer]:
            return run.answers(map(tokenised, inputs), getattr(inputs, "where", "input "))

        return (Command("predict", "add --tokens", run, TokenOptions, applies=lambda options, given: options.tokens),)


def window_logistic_regression(config: Config) -> Any:
    return st.tasks.baselines.WindowTagger(st.ner.baselines.token_features, config.seed)


def loss(config: Config) -> Any:
    return st.losses.CRFLoss() if config.head == "crf" else st.losses.StepCrossentropy()


SAMPLE_OPTIONS: Mapping[str, Any] = {"epochs": 30, "batch_size": 16, "patience": 6, "units": 50, "dimension": 50}
RECIPE = Recipe(
    name="ner",
    summary="Which tokens of a text name persons, places, or entities of any types.",
    rnn_type="many-to-many, equal lengths",
    formats=(
        "conll",
        "conllu",
        "csv and tsv of tokens",
        "json and jsonl with tokens and tags, or text and spans",
        "parquet",
        "arrow",
        "xlsx",
        "brat",
        "hf:NAME",
        "tfds:NAME",
    ),
    Config=Config,
    sample=Sample(Path(__file__).parent / "samples" / "ner.conll", SAMPLE_OPTIONS),
    reads=reads,
    learn=learn,
    encode=encode,
    build=build,
    task=lambda config: st.ner.task.SpanTagging(),
    loss=loss,
    metric="f1",
    baselines=lambda config: {"window_logistic_regression": window_logistic_regression},
    capabilities=(
        TokenisedInputs(),
        Calibrates(calibrate),
        Reports(lambda predictor, examples: st.ner.report.entities(predictor, examples)),
    ),
    settle=settle,
    as_text=as_text,
    budget=lambda config: Budget(steps=1200, epochs=(15, 200), batch_size=(8, 16), patience=6),
    rows={"embedding": "words", "letters": "characters", "logits": "tags", "emissions": "tags", "crf": "tags"},
    card=lambda config: {"pipeline_tag": "token-classification"},
)
