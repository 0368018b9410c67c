"""The weights of a cell: what Keras' cells let a person choose for them."""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal

import keras
import tensorflow as tf
from keras import ops

Shape = tuple[int | None, ...]
Role = Literal["kernel", "recurrent", "bias"]
GATED = {"activation": "tanh", "recurrent_activation": "sigmoid"}
"""The functions of a cell with gates, by the names that Keras gives them."""
WEIGHT_OPTIONS: dict[str, str | None] = {
    "kernel_initializer": "glorot_uniform",
    "recurrent_initializer": "orthogonal",
    "bias_initializer": "zeros",
    **{f"{role}_{kind}": None for kind in ("regularizer", "constraint") for role in ("kernel", "recurrent", "bias")},
}
MODULES = {
    "initializer": keras.initializers,
    "regularizer": keras.regularizers,
    "constraint": keras.constraints,
    "activation": keras.activations,
}


class CellWeights(keras.layers.Layer):
    """The part of a cell that makes its weights and knows their initializers, regularizers and constraints.

    Args:
        use_bias: whether the cell has biases.
        seed: integer that makes the initial weights and the masks repeatable, or None.
        kwargs: the options of the weights and the functions that `RNNCell` lists; arguments of a Keras layer.

    Attributes:
        defaults: {argument: default} of the functions that a person can choose, and of options of the weights whose
            default is another one than that of `WEIGHT_OPTIONS`. What was chosen is an attribute of the same name.

    Example:
        >>> cell = CellWeights(kernel_regularizer="l2", seed=3)
        >>> round(float(cell.add_part("kernel", (2, 4)).regularizer.get_config()["l2"]), 4)
        0.01
    """

    defaults: ClassVar[Mapping[str, str | None]] = {}

    def __init__(self, use_bias: bool = True, seed: int | None = None, **kwargs: Any) -> None:
        options = {name: kwargs.pop(name, default) for name, default in self._options().items()}
        super().__init__(**kwargs)
        self.use_bias, self.seed = use_bias, seed
        for name, value in options.items():  # the name of an initializer stays one: each weight makes its own
            named = name.endswith("initializer") and isinstance(value, str)
            setattr(self, name, value if named else _module(name).get(value))

    @classmethod
    def _options(cls) -> dict[str, str | None]:
        """{argument: default} of what Keras finds by name."""
        return {**WEIGHT_OPTIONS, **cls.defaults}

    def add_gates(
        self,
        features: int | None,
        gates: int,
        initial_bias: Sequence[float | None] | None = None,
        bias_rows: int | None = None,
    ) -> None:
        """Adds the weights of `gates` gates next to each other: `kernel`, `recurrent_kernel` and `bias`.

        `bias` is None without `use_bias`.

        Args:
            features: size of the inputs.
            gates: number of gates. The weights have ``gates * units`` columns.
            initial_bias: for each gate a number, or None for what `bias_initializer` gives; None for all gates.
            bias_rows: None for a bias of shape (columns,), or the number of biases in one weight (bias_rows, columns).
        """
        columns = gates * self.units
        self.kernel = self.add_part("kernel", (features, columns))
        self.recurrent_kernel = self.add_part("recurrent", (self.units, columns))
        initializer = None if initial_bias is None else self._initial_bias(initial_bias)
        shape = (columns,) if bias_rows is None else (bias_rows, columns)
        self.bias = self.add_part("bias", shape, initializer=initializer) if self.use_bias else None

    def add_part(
        self,
        role: Role,
        shape: Shape,
        name: str | None = None,
        initializer: str | Callable | None = None,
        trainable: bool = True,
    ) -> keras.Variable:
        """Adds a weight with the initializer, regularizer and constraint that the cell was given for its role.

        Args:
            role: "kernel", "recurrent" or "bias".
            shape: its shape.
            name: its name; "kernel", "recurrent_kernel" or "bias" if None.
            initializer: an initializer in place of the one of the role.
            trainable: whether it is trained.
        """
        return self.add_weight(
            shape=shape,
            name=name or {"recurrent": "recurrent_kernel"}.get(role, role),
            initializer=self.seeded(initializer or getattr(self, f"{role}_initializer")),
            regularizer=getattr(self, f"{role}_regularizer"),
            constraint=getattr(self, f"{role}_constraint"),
            trainable=trainable,
        )

    def seeded(self, initializer: str | Callable) -> Callable:
        """The initializer of the weight that is added next; without a seed of its own, it gets one from `seed`."""
        made = keras.initializers.get(initializer)
        config = made.get_config() if isinstance(made, keras.initializers.Initializer) else {}
        if self.seed is None or config.get("seed", 0) is not None:
            return made
        return type(made).from_config({**config, "seed": self.draw_seed()})

    def draw_seed(self) -> int | None:
        """A seed for the weight that is added next, from `seed`; None without one."""
        return None if self.seed is None else random.Random(f"{self.seed} {len(self.weights)}").randrange(2**31)

    def _initial_bias(self, numbers: Sequence[float | None]) -> Callable:
        """An initializer: `numbers`, one for each gate, and `bias_initializer` where it is None."""
        initializer = self.seeded(self.bias_initializer)

        def initialize(shape: tuple[int, ...], dtype: str | None = None) -> tf.Tensor:
            parts = ops.split(ops.convert_to_tensor(initializer(shape, dtype=dtype)), len(numbers), axis=-1)
            pairs = zip(parts, numbers, strict=True)
            return ops.concatenate([x if number is None else ops.full_like(x, number) for x, number in pairs], -1)

        return initialize

    def activate_gates(self, x: tf.Tensor, gates: int) -> list[tf.Tensor]:
        """`recurrent_activation` of each of `gates` blocks of columns."""
        if self.recurrent_activation is keras.activations.sigmoid:
            # one sigmoid of all gates is faster than one for each, even if a part is unused: XLA does not vectorise
            # several in a loop
            return ops.split(ops.sigmoid(x), gates, axis=-1)
        return [self.recurrent_activation(part) for part in ops.split(x, gates, axis=-1)]

    def get_config(self) -> dict[str, Any]:
        options = {name: getattr(self, name) for name in self._options()}
        return {
            **super().get_config(),
            "use_bias": self.use_bias,
            "seed": self.seed,
            **{n: value if isinstance(value, str) else _module(n).serialize(value) for n, value in options.items()},
        }


def _module(option: str) -> Any:
    """The module of Keras that finds and serialises the values of an option."""
    return MODULES[option.rsplit("_", 1)[-1]]
