"""Options that recipes share whose model can start from a language model."""

from dataclasses import dataclass

from seqtasks.options import Options, Size, Weight, option


@dataclass(frozen=True)
class PretrainedOptions(Options):
    """Options of a recipe that can take over a language model; see `seqtasks.engine.pretrained`."""

    pretrained: str | None = option(
        None, "run of a language model whose vocabulary, embeddings and recurrent layers are taken over; two with a "
        "comma between them, or the folder of two, for both directions", "model", inherited=False,
    )  # fmt: skip
    pretrained_rate: Weight = option(
        1.0, "learning rate of the layers of the language model as a share of that of other weights; 0: they never "
        "change", "training",
    )  # fmt: skip
    adapt_epochs: Size = option(
        0, "epochs in which the language model is first trained on the inputs of train", "training", inherited=False
    )
    auxiliary: Weight = option(
        0.0, "weight of the loss of the language model itself beside that of the task", "training"
    )
