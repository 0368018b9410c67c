"""Builders of the RNN types of the lecture; each returns a plain functional `keras.Model`."""

from seqtasks.models.classifier import classifier
from seqtasks.models.encoder_decoder import DecoderStepper, encoder_decoder
from seqtasks.models.language_model import LanguageModelStepper, language_model
from seqtasks.models.tagger import tagger, tune_label_bias
from seqtasks.models.transcriber import transcriber

__all__ = [
    "DecoderStepper",
    "LanguageModelStepper",
    "classifier",
    "encoder_decoder",
    "language_model",
    "tagger",
    "transcriber",
    "tune_label_bias",
]
