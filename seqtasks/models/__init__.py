"""Builders of the RNN types of the lecture; each returns a plain functional `keras.Model`.

A builder takes the Keras inputs of a model and the tensors computed from them, and adds the layers of its RNN type:
`classifier` (many-to-one), `tagger` and `transcriber` (many-to-many), `encoder_decoder` (many-to-many of different
lengths) and `language_model` (one-to-many). The last two come with a stepper, which runs the layers of the model one
step at a time, for `seqtasks.decoding`. `pretrained_states` adds the layers of a language model to any of them,
and `pretrained_cells` gives the decoder of `encoder_decoder` the shape of one.

This package imports `seqtasks.cells`, `seqtasks.layers` and `seqtasks.ops`. Start with `classifier.py`, the shortest.
"""

from seqtasks.models.classifier import classifier
from seqtasks.models.encoder_decoder import DecoderStepper, encoder_decoder
from seqtasks.models.language_model import LanguageModelStepper, language_model
from seqtasks.models.pretrained import pretrained_states
from seqtasks.models.pretrained_decoder import pretrained_cells
from seqtasks.models.side_columns import column_inputs
from seqtasks.models.tagger import tagger, tune_label_bias
from seqtasks.models.transcriber import transcriber

__all__ = [
    "DecoderStepper",
    "LanguageModelStepper",
    "classifier",
    "column_inputs",
    "encoder_decoder",
    "language_model",
    "pretrained_cells",
    "pretrained_states",
    "tagger",
    "transcriber",
    "tune_label_bias",
]
