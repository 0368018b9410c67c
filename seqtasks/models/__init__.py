"""Builders of the RNN types of the lecture; each returns a plain functional `keras.Model`."""

from seqtasks.models.classifier import classifier

__all__ = ["classifier"]
