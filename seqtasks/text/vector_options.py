"""Options that recipes with pretrained word vectors share."""

from dataclasses import dataclass

from seqtasks.options import Auto, Options, Size, Weight, option


@dataclass(frozen=True)
class VectorOptions(Options):
    """Options of a recipe that can start from pretrained word vectors; see `seqtasks.text.word_vectors`."""

    vectors: str | None = option(
        None, "file of pretrained word vectors: text of GloVe, fastText or word2vec (.txt, .vec, also compressed), or "
        "the binary format of word2vec (.bin)", "data", inherited=False,
    )  # fmt: skip
    vectors_words: Size = option(
        50_000, "words added to those of train because they have a vector: rare ones of train, then the most frequent "
        "of the file", "data",
    )  # fmt: skip
    vectors_rate: Weight | Auto = option(
        "auto", "learning rate of the vectors as a share of that of other weights; 0: they never change; auto: "
        "0 with vectors, else 1; 1 with vectors_frozen_epochs", "training",
    )  # fmt: skip
    vectors_frozen_epochs: Size = option(
        0, "epochs at the beginning in which the vectors do not change", "training", inherited=False
    )
