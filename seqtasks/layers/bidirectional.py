"""Recurrent layers that read a sequence from both ends."""

from collections.abc import Sequence
from typing import Any, Self

import keras
import numpy as np
import tensorflow as tf

from seqtasks.cells import RNNCell
from seqtasks.cells.cell import Shape
from seqtasks.layers.rnn import RNN, live_steps, mask_outputs, run_cells, runs_fast

MERGE = {
    "concat": lambda forward, backward: tf.concat([forward, backward], -1),
    "sum": lambda forward, backward: forward + backward,
    "mul": lambda forward, backward: forward * backward,
    "ave": lambda forward, backward: (forward + backward) / 2,
    None: lambda forward, backward: (forward, backward),
}


@keras.saving.register_keras_serializable("seqtasks")
class Bidirectional(keras.layers.Bidirectional):
    """Reads a sequence from both ends: `keras.layers.Bidirectional`, with both directions in one loop.

    It takes the arguments of `keras.layers.Bidirectional`, or two cells. If both directions are `seqtasks.layers.RNN`
    over one cell of `seqtasks.cells`, they run side by side in one loop. Otherwise each layer runs its own.

    Args:
        layer: a recurrent layer, which is copied, or a cell, which reads from the start.
        merge_mode: how the outputs of the directions become one: "concat", "sum", "mul", "ave", or None to return both.
            A cell here is the `backward_layer` of two cells whose outputs are concatenated.
        weights: the initial weights, those of the forward layer first; None for random ones.
        backward_layer: the layer or cell that reads from the end; None for a copy of `layer`.
        return_sequences: if `layer` is a cell, whether to return the outputs of every step, or the last output of each
            direction. A layer has its own.

    Call arguments:
        sequences: (batch, time, features).
        initial_state: list of the states before the first step, those of the forward layer first; zeros if None.
        mask: boolean (batch, time), False where a step is skipped; the output there is zero.

    Output shape:
        (batch, time, 2 units) with `return_sequences`, or (batch, 2 units): forward first.

    Raises:
        ValueError: if the layers do not fit together, or `return_sequences` is given with a layer.

    Example:
        >>> import numpy as np
        >>> from seqtasks.cells import GRUCell
        >>> x = np.ones((2, 5, 3), "float32")
        >>> tuple(Bidirectional(RNN(GRUCell(8), return_sequences=True), merge_mode="sum")(x).shape)
        (2, 5, 8)
        >>> tuple(Bidirectional(GRUCell(8), GRUCell(8))(x).shape)
        (2, 5, 16)

    References:
        Schuster and Paliwal, 1997, https://doi.org/10.1109/78.650093
    """

    def __init__(
        self,
        layer: keras.layers.Layer,
        merge_mode: str | keras.layers.Layer | None = "concat",
        weights: Sequence[np.ndarray] | None = None,
        backward_layer: keras.layers.Layer | None = None,
        return_sequences: bool | None = None,
        **kwargs: Any,
    ) -> None:
        keras.layers.Layer.__init__(self, **kwargs)  # Keras' own copies the cells, which two layers can share
        if isinstance(merge_mode, keras.layers.Layer):
            merge_mode, backward_layer = "concat", merge_mode
        if merge_mode not in MERGE:
            raise ValueError(f"Bidirectional: merge_mode must be one of {[*MERGE]}, got {merge_mode!r}.")
        if backward_layer is not None and _is_cell(layer) != _is_cell(backward_layer):
            raise ValueError("Bidirectional: takes two cells or two layers, got one of each.")
        self.from_cells = _is_cell(layer) and backward_layer is not None
        if _is_cell(layer):
            kept = {"return_sequences": return_sequences is not False, "dtype": self.dtype_policy}
            layer = RNN(layer, **kept)
            backward_layer = RNN(backward_layer, go_backwards=True, **kept) if self.from_cells else None
        elif return_sequences is not None:
            raise ValueError("Bidirectional: return_sequences is given to the layer: it belongs to a pair of cells.")
        name = layer.name.removeprefix("forward_").removeprefix("backward_")
        self.forward_layer = layer if self.from_cells else _copy(layer, name=f"forward_{name}")
        self.backward_layer = backward_layer or _copy(layer, name=f"backward_{name}", go_backwards=True)
        self._verify_layer_config()
        for each in (self.forward_layer, self.backward_layer):
            if hasattr(each, "zero_output_for_mask"):
                each.zero_output_for_mask = each.return_sequences
        self.merge_mode, self.first_weights = merge_mode, weights
        self.stateful, self.return_state = layer.stateful, layer.return_state
        self.return_sequences, self.input_spec = layer.return_sequences, layer.input_spec
        self.supports_masking = True

    @property
    def forward(self) -> keras.layers.Layer:
        """The cell that reads from the start, if the layer was made of two cells."""
        return self._cell(self.forward_layer)

    @property
    def backward(self) -> keras.layers.Layer:
        """The cell that reads from the end, if the layer was made of two cells."""
        return self._cell(self.backward_layer)

    def _cell(self, layer: RNN) -> keras.layers.Layer:
        if not self.from_cells:  # files name the weights by these attributes, or by those of Keras
            raise AttributeError("Bidirectional has the attributes forward_layer and backward_layer.")
        return layer.cell

    def build(self, sequences_shape: Shape, initial_state_shape: Any = None) -> None:
        if self.from_cells:
            for cell in (self.forward, self.backward):
                if not cell.built:
                    cell.build((sequences_shape[0], *sequences_shape[2:]))
        super().build(sequences_shape)
        if self.first_weights is not None:
            self.set_weights(self.first_weights)

    def call(
        self,
        sequences: tf.Tensor,
        initial_state: Sequence[tf.Tensor] | None = None,
        mask: tf.Tensor | None = None,
        training: bool | None = None,
    ) -> Any:
        layers = [self.forward_layer, self.backward_layer]
        if not self._side_by_side():
            return super().call(sequences, initial_state, mask, training)
        if initial_state is None:
            initial = [layer.get_initial_state(tf.shape(sequences)[0]) for layer in layers]
        else:
            half = len(initial_state) // 2
            initial = [initial_state[:half], initial_state[half:]]
        live = None if mask is None else live_steps(mask)
        cells = [(layer.cell, layer.go_backwards) for layer in layers]
        outputs, states = [], []
        for (each, last), layer in zip(run_cells(cells, sequences, initial, live, bool(training)), layers, strict=True):
            each, end = mask_outputs(each, last[0], live, layer.go_backwards, layer.zero_output_for_mask)
            outputs.append(tf.cast(each if self.return_sequences else end, self.compute_dtype))
            states += [tf.cast(state, self.compute_dtype) for state in last]
        merged = MERGE[self.merge_mode](*outputs)
        if not self.return_state:
            return merged
        return (*(merged if self.merge_mode is None else [merged]), *states)

    def _side_by_side(self) -> bool:
        """Whether both directions can share a loop."""
        return not (self.stateful or self.forward_layer.go_backwards) and all(
            type(layer) is RNN
            and isinstance(layer.cell, RNNCell)
            and runs_fast(layer.cell)
            and layer.compute_dtype == self.compute_dtype
            and not (layer.unroll or layer.activity_regularizer)
            for layer in (self.forward_layer, self.backward_layer)
        )

    def compute_output_shape(self, sequences_shape: Shape, initial_state_shape: Any = None) -> Any:
        both = [layer.compute_output_shape(sequences_shape) for layer in (self.forward_layer, self.backward_layer)]
        (forward, *states), (backward, *more) = both if self.return_state else ([shape] for shape in both)
        merged = [(*forward[:-1], forward[-1] + backward[-1])] if self.merge_mode == "concat" else [forward]
        shapes = (*([forward, backward] if self.merge_mode is None else merged), *states, *more)
        return shapes if len(shapes) > 1 else shapes[0]

    def compute_mask(self, sequences: tf.Tensor, mask: tf.Tensor | None = None) -> Any:
        mask = mask if self.return_sequences else None
        outputs = [mask] * (2 if self.merge_mode is None else 1)
        states = [None] * (len(self.forward_layer.state_size) + len(self.backward_layer.state_size))
        masks = (*outputs, *(states if self.return_state else []))
        return masks if len(masks) > 1 else mask

    def get_config(self) -> dict[str, Any]:
        if not self.from_cells:
            return super().get_config()
        serialize = keras.saving.serialize_keras_object
        config = {"forward": serialize(self.forward), "backward": serialize(self.backward)}
        options = {"merge_mode": self.merge_mode, "return_sequences": self.return_sequences}
        return {**keras.layers.Layer.get_config(self), **config, **options}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Self:
        names = {"forward": "layer", "backward": "backward_layer", "layer": "layer", "backward_layer": "backward_layer"}
        layers = {
            names[key]: keras.saving.deserialize_keras_object(value, custom_objects)
            for key, value in config.items()
            if key in names
        }
        return cls(**layers, **{key: value for key, value in config.items() if key not in names})


def _is_cell(layer: Any) -> bool:
    return hasattr(layer, "state_size") and not hasattr(layer, "return_sequences")


def _copy(layer: keras.layers.Layer, **changed: Any) -> keras.layers.Layer:
    """A layer with the same configuration, except for what is changed, and new weights."""
    config = keras.saving.serialize_keras_object(layer)
    config["config"].update(changed)
    copy = keras.saving.deserialize_keras_object(config)
    if hasattr(layer, "use_cudnn"):  # is not in the configuration
        copy.use_cudnn = layer.use_cudnn
    return copy
