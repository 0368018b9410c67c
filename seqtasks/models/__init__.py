"""Builders of the RNN types of the lecture; each returns a plain functional `keras.Model`."""

from seqtasks.models.classifier import classifier
from seqtasks.models.encoder_decoder import DecoderStepper, encoder_decoder
from seqtasks.models.language_model import LanguageModelStepper, language_model
from seqtasks.models.tagger import tune_label_bias, tagger
from seqtasks.models.transcriber import transcriber

__all__ = [
    "DecoderStepper",
    "LanguageModelStepper",
    "classifier",
    "encoder_decoder",
    "language_model",
    "tune_label_bias",
    "tagger",
    "transcriber",
]
