"""Shallow fusion: a character language model in the beam search of a speech model."""

import functools
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import keras
import tensorflow as tf

from seqtasks.data.token_ids import BOS
from seqtasks.data.vocabulary import Vocabulary
from seqtasks.errors import UserError
from seqtasks.models import LanguageModelStepper

log = logging.getLogger("seqtasks")
INPUTS = {"decoder_inputs", "targets"}  # of `seqtasks.models.language_model`


class LanguageModelRun(Protocol):
    """An open run; `assets["tokens"]` is a tokenizer of characters, `model` a `seqtasks.models.language_model`."""

    @property
    def directory(self) -> Path: ...

    @property
    def assets(self) -> Mapping[str, Any]: ...

    @property
    def model(self) -> keras.Model: ...

    def __hash__(self) -> int: ...


class _Prepared(NamedTuple):
    """What is computed once for a run: stepper, values of the weights, and the token of each character."""

    stepper: LanguageModelStepper
    weights: list[tuple[keras.Variable, Any]]
    tokens: list[int]  # of the classes; the start token in place of the blank


def fusion(
    run: LanguageModelRun, characters: Vocabulary, rows: int | tf.Tensor
) -> tuple[Callable[[tf.Tensor, Any], tuple[tf.Tensor, Any]], Any, list[int]]:
    """Makes the argument `language_model` of `seqtasks.ops.ctc.prefix_beam_search` from a run.

    The weights become constants of the graph in which this is called, so an export of the graph does not need the run.

    Args:
        run: open run with a character language model. It must be hashable; its weights are read once.
        characters: vocabulary of the labels; 0 is the blank.
        rows: number of rows that are searched together; may be a tensor.

    Returns:
        `(step, states, tokens)`: `step(tokens, states) -> (logits, states)`, the initial states, and the token of each
        label.

    Raises:
        UserError: if the run is not a character language model that reads forward.
    """
    stepper, weights, tokens = _prepare(run, tuple(characters.tokens))
    constants = [(variable, tf.constant(value)) for variable, value in weights]

    def step(tokens: tf.Tensor, states: Any) -> tuple[tf.Tensor, Any]:
        with keras.StatelessScope(constants):
            vectors, states = stepper.step(tokens, states)
            return stepper.logits(vectors), states

    return step, stepper.begin(rows), tokens


def check(run: LanguageModelRun) -> None:
    """Raise `UserError` if a run is not a language model of characters, or reads a text from its end."""
    tokenizer: Any = run.assets.get("tokens")
    if getattr(tokenizer, "kind", None) != "character" or {i.name for i in run.model.inputs} != INPUTS:
        remedy = "train one with `seqtasks train language_model --vocabulary character`"
        raise UserError("not a character language model", where=run.directory, remedy=remedy)
    if getattr(getattr(run, "config", None), "direction", "forward") != "forward":
        what, remedy = "reads a text from its end, but a transcript is written from its start", "train one forward"
        raise UserError(what, where=run.directory, remedy=f"{remedy}, with `--direction forward`")


@functools.lru_cache(2)
def _prepare(run: LanguageModelRun, characters: tuple[str, ...]) -> _Prepared:
    with tf.init_scope():
        check(run)
        tokenizer: Any = run.assets["tokens"]
        numbers = tokenizer.encode(tf.constant(characters[1:]))[:, :1].flat_values.numpy().tolist()
        unknown = [repr(c) for c, number in zip(characters[1:], numbers, strict=True) if number == 1]
        if unknown:
            log.warning("%s: the language model does not know the characters %s", run.directory, ", ".join(unknown))
        weights = [(variable, keras.ops.convert_to_numpy(variable)) for variable in run.model.variables]
        return _Prepared(LanguageModelStepper(run.model), weights, [BOS, *numbers])
