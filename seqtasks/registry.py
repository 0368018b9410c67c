"""The saved classes of seqtasks in the registry of Keras, and the check of its backend.

`keras.models.load_model` finds a class by its registered name. `install` enters all of them after `import seqtasks`,
whether Keras is imported before or later, without importing Keras, TensorFlow or the classes themselves: an entry
imports its class when a saved model needs it.
"""

import importlib
import importlib.abc
import json
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from seqtasks.errors import UserError

CLASSES = {  # by module
    "cells": (
        "CoupledLSTMCell", "EchoStateCell", "GRUCell", "LSTMCell", "LayerNormGRUCell", "LayerNormLSTMCell",
        "LayerNormSimpleRNNCell", "NASCell", "PeepholeLSTMCell", "SimpleRNNCell", "SimplifiedGRUCell",
    ),
    "crf_metrics": ("CRFAccuracy", "CRFSpanF1"),
    "layers": (
        "AdaptiveSoftmax", "Attention", "AttentionCell", "AttentionRNN", "AuxiliaryLoss", "Bidirectional", "CRF",
        "CharacterEncoder", "CumulativeLogits", "FlowStatistics", "FrameDifference", "IndependentBernoulli", "LogMel",
        "MaskedConv1D", "MaxPooling", "NADE", "NextTokens", "NgramScores", "OpticalFlow", "PairBatch", "PairFeatures",
        "Pooling", "PositionBias", "PositionWeights", "RNN", "RandomSubstitution", "ReadingOrder",
        "ReverseComplementBatch", "ReverseComplementMean", "ReversibleEmbedding", "ScheduledSampling", "SpecAugment",
        "StatefulRNN", "StepsAt", "StridedConv1D", "TextOrder", "TimeDistributed", "TimeMajor", "WordEmbedding",
    ),
    "losses": (
        "CRFLoss", "CTC", "NegativeLogLikelihood", "RDropBinaryCrossentropy", "RDropCrossentropy",
        "RDropOrdinalCrossentropy", "RDropSquaredError", "StepCrossentropy", "TokenCrossentropy",
    ),
    "models.tagger": ("StepScores",),
    "models.transcriber": ("FrameScores",),
    "optimizers": ("AdamW", "Schedule"),
}  # fmt: skip


class BackendError(UserError, ImportError):
    """Keras runs on another backend than TensorFlow."""


class _Entry:
    """Stands in the registry for a class, which replaces it there as soon as its module is imported."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name

    def from_config(self, config: dict[str, Any]) -> Any:
        return getattr(importlib.import_module(self.module), self.name).from_config(config)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds Keras as the other finders do, and enters the classes once it is imported."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != "keras":
            return None
        found = (finder.find_spec(name, path, target) for finder in sys.meta_path if finder is not self)
        spec = next((spec for spec in found if spec), None)
        if spec and spec.loader:
            execute = spec.loader.exec_module

            def check_execute_enter(module: ModuleType) -> None:
                _check(*_configured_backend())
                execute(module)
                _enter_classes(module)

            spec.loader.exec_module = check_execute_enter  # type: ignore[method-assign]
        return spec


_FINDER = _Finder()


def install() -> None:
    """Enters the classes in the registry of Keras; if Keras is not imported yet, as soon as it is.

    Raises:
        BackendError: if Keras is imported and its backend is not TensorFlow. With Keras not yet imported, its import
            raises it.
    """
    if sys.modules.get("keras"):
        import keras  # waits for an import in another thread

        _check(keras.config.backend(), _configured_backend()[1])
        _enter_classes(keras)
    elif _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)


def _enter_classes(keras: Any) -> None:
    registry = keras.saving.get_custom_objects()
    for module, names in CLASSES.items():
        for name in names:
            registry.setdefault(f"seqtasks>{name}", _Entry(f"seqtasks.{module}", name))


def _configured_backend() -> tuple[str, str]:
    """The backend that Keras is told to use, and where: the environment before the configuration file."""
    if os.environ.get("KERAS_BACKEND"):
        return os.environ["KERAS_BACKEND"], "KERAS_BACKEND"
    folder = os.environ.get("KERAS_HOME") or os.path.join("~", ".keras")
    path = os.path.expanduser(os.path.join(folder, "keras.json"))
    try:
        with open(path, encoding="utf-8") as file:
            return str(json.load(file).get("backend", "tensorflow")), path
    except (OSError, ValueError, AttributeError):
        return "tensorflow", path


def _check(backend: str, place: str) -> None:
    if backend != "tensorflow":
        what = f"seqtasks needs the TensorFlow backend of Keras, found {backend} ({place})"
        raise BackendError(what, remedy="set KERAS_BACKEND=tensorflow")
