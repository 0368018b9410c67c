"""Shallow fusion: a language model of characters that helps to read what a speech model heard."""

import functools
import logging

import keras
import tensorflow as tf

from seqtasks.data.vocabulary import BOS
from seqtasks.engine.run import load_run
from seqtasks.errors import UserError
from seqtasks.models import LanguageModelStepper

log = logging.getLogger("seqtasks")


def fusion(path, characters, rows):
    """A run of `language_model` as the argument `language_model` of `seqtasks.ops.ctc.prefix_beam_search`.

    The weights become constants of the graph that this is called in, so that an export of it needs no run.

    Args:
        path: the run.
        characters: the vocabulary of the labels; number 0 is the blank.
        rows: how many texts are searched at once; may be a tensor.

    Returns:
        `(step, states, tokens)`.

    Raises:
        UserError: if it is no language model of characters.
    """
    stepper, weights, tokens = _opened(str(path), tuple(characters.tokens))
    constants = [(variable, tf.constant(value)) for variable, value in weights]

    def step(tokens, states):
        with keras.StatelessScope(constants):
            vectors, states = stepper.step(tokens, states)
            return stepper.logits(vectors), states

    return step, stepper.begin(rows), tokens


@functools.lru_cache(2)
def _opened(path, characters):
    """The model of a run, its weights, and what numbers it has for characters; the start in place of the blank."""
    with tf.init_scope():
        run = load_run(path)
        tokenizer = run.assets.get("tokens")
        if run.recipe.name != "language_model" or tokenizer.kind != "character":
            remedy = "train one with `seqtasks train language_model --vocabulary character`"
            raise UserError("no language model of characters", where=path, remedy=remedy)
        numbers = tokenizer.encode(tf.constant(characters[1:]))[:, :1].flat_values.numpy().tolist()
        unknown = [repr(c) for c, number in zip(characters[1:], numbers, strict=True) if number == 1]
        if unknown:
            log.warning("%s: the language model has never seen %s", path, ", ".join(unknown))
        weights = [(variable, keras.ops.convert_to_numpy(variable)) for variable in run.model.variables]
        return LanguageModelStepper(run.model), weights, [BOS, *numbers]
