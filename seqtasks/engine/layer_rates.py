"""Which layers learn, how fast, and from which epoch on: freezing, rates per layer, gradual unfreezing."""

import fnmatch
import functools
import itertools
import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import keras

from seqtasks.errors import UserError

log = logging.getLogger("seqtasks")


def freeze(model: keras.Model, patterns: Iterable[str]) -> None:
    """Make the weights of layers constant.

    Args:
        model: the model.
        patterns: of names of layers, as `embedding` or `recurrent_*`.

    Raises:
        UserError: if no layer has such a name, or nothing is left to train.

    Example:
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, name="a"), keras.layers.Dense(1)])
        >>> freeze(model, ["a*"])
        >>> len(model.trainable_variables)
        2
    """
    for pattern in patterns:
        layers = [layer for layer in model.layers if layer.weights and fnmatch.fnmatch(layer.name, pattern)]
        known = ", ".join(layer.name for layer in model.layers if layer.weights)
        if not layers:
            raise UserError(f"no layer is called {pattern!r}", where="--freeze", remedy=f"the layers are {known}")
        for layer in layers:
            layer.trainable = False
        if not model.trainable_variables:
            raise UserError("no weight is left to train", where="--freeze", remedy=f"leave out one of {known}")


def rates(
    model: keras.Model, decay: float, every: int, epochs: int, steps: int
) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """The learning rate of each trainable weight as a share of the full one, and the step at which it begins to learn.

    Layers count from the outputs, see `depths`: a head has the full rate and learns from the start. A layer k below it
    has the rate `decay` ** k and begins in epoch k * `every`; layers side by side have the same k. A layer may reduce
    the rate of its own weights further, by an attribute `learning_rates`, {name or path of the weight: share}, or let
    them begin later, by an attribute `learning_begins`, {name of the weight: epochs before}.

    Args:
        model: the model, frozen as it will stay.
        decay: rate of a layer as a share of that of the layer above it.
        every: epochs between the beginnings of two layers; 0 if all begin at once.
        epochs: of the training.
        steps: of an epoch.

    Returns:
        The arguments `rates` and `begins` of `seqtasks.optimizers.AdamW`, each empty where it makes no difference.

    Example:
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2), keras.layers.Dense(1)])
        >>> rates(model, decay=0.5, every=2, epochs=5, steps=10)
        ((0.5, 0.5, 1.0, 1.0), (20, 20, 0, 0))

    References:
        Howard and Ruder, 2018, sections 3.2 and 3.3, https://arxiv.org/abs/1801.06146
    """
    below = depths(model)
    layers = sorted((layer for layer in model.layers if layer.trainable_variables), key=lambda one: below[one.name])
    shares, begins = {}, {}
    for layer in layers:
        depth = below[layer.name]
        own, later = getattr(layer, "learning_rates", {}), getattr(layer, "learning_begins", {})
        for variable in layer.trainable_variables:
            shares[id(variable)] = decay**depth * own.get(variable.path, own.get(variable.name, 1.0))
            begins[id(variable)] = max(depth * every, later.get(variable.name, 0)) * steps
    late = [layer.name for layer in layers if below[layer.name] * every >= epochs]
    if late:
        what = f"--unfreeze_every {every}: {', '.join(reversed(late))} would begin after the last of {epochs} epochs"
        log.warning("%s, and stay as they are", what)
    if decay < 1 or every:
        numbered = ((one.name, below[one.name]) for one in layers)
        named = (f"{name} {decay**depth:.3g} from epoch {depth * every + 1}" for name, depth in numbered)
        log.info("rates of layers: %s", ", ".join(named))
    found = [[numbers[id(v)] for v in model.trainable_variables] for numbers in (shares, begins)]
    return tuple(found[0]) if any(r != 1 for r in found[0]) else (), tuple(found[1]) if any(found[1]) else ()


def depths(model: keras.Model) -> dict[str, int]:
    """How many layers with trainable weights lie between a layer and the outputs, on the longest way.

    Args:
        model: a functional or sequential model.

    Returns:
        {name of each layer: number}; 0 for heads, also for those side by side. Of a layer that is called several times
        the largest number counts.

    Example:
        >>> x = keras.Input((2,), name="x")
        >>> hidden = keras.layers.Dense(2, name="hidden")(x)
        >>> parts = [keras.layers.Dense(1, name="deep")(hidden), keras.layers.Dense(1, name="wide")(x)]
        >>> depths(keras.Model(x, keras.layers.add(parts, name="sum")))
        {'x': 2, 'hidden': 1, 'deep': 0, 'wide': 0, 'sum': 0}
    """
    learns = {layer.name: bool(layer.trainable_variables) for layer in model.layers}  # other names are operations
    after: dict[tuple[str, int], set[tuple[str, int]]] = {}  # the calls that take what a call of a layer returns
    if isinstance(model, keras.Sequential):
        after = {(one.name, 0): {(following.name, 0)} for one, following in itertools.pairwise(model.layers)}
    else:
        for described in model.get_config()["layers"]:
            for number, call in enumerate(described["inbound_nodes"]):
                for name, index in _inputs(call):
                    after.setdefault((name, index), set()).add((described["name"], number))

    @functools.cache
    def depth(call: tuple[str, int]) -> int:
        return max((depth(f) + learns.get(f[0], False) for f in after.get(call, ())), default=0)

    return {name: max((depth(call) for call in after if call[0] == name), default=0) for name in learns}


def _inputs(described: Any) -> Iterator[tuple[str, int]]:
    """The names and calls of the layers whose outputs stand somewhere in the configuration of a call."""
    if isinstance(described, Mapping):
        if "keras_history" in described:
            yield described["keras_history"][0], described["keras_history"][1]
        described = list(described.values())
    if isinstance(described, list | tuple):
        for part in described:
            yield from _inputs(part)
