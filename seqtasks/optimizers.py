"""AdamW with exact handling of embeddings, clipping and several replicas, and schedules of the learning rate."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal

import keras
import tensorflow as tf

Gradients = Sequence[tf.Tensor]
Shape = Literal["constant", "linear", "cosine", "slanted"]
CLIPS: dict[str, Callable[[Gradients, float], list[tf.Tensor]]] = {
    "global_norm": lambda gradients, bound: tf.clip_by_global_norm(gradients, bound)[0],
    "norm": lambda gradients, bound: [tf.clip_by_global_norm([g], bound)[0][0] for g in gradients],
    "value": lambda gradients, bound: [tf.clip_by_value(g, -bound, bound) for g in gradients],
}
RATIO = 32  # of the largest rate of a slanted schedule to the smallest
AVERAGE_EVERY = 4  # steps between updates of the average, because each is a pass over all weights


@keras.saving.register_keras_serializable("seqtasks")
class AdamW(keras.optimizers.AdamW):
    """`keras.optimizers.AdamW`, with three differences.

    - The gradient of an embedding repeats the row of a word for every occurrence in the batch. Keras squares these
      values separately: a word seen k times then moves about sqrt(k) times too far, and the gradient norm for clipping
      is too small. Here repeated rows are summed first, so that an embedding is updated like any other weight.
    - Gradients are clipped after the sum over replicas, so that several devices give the result of one.
    - The update is TensorFlow's fused kernel: one pass over the weights instead of about ten.

    With `ema` the moving average is kept in addition to the weights and replaces them only inside `averaged`.

    Each weight may have a learning rate of its own (`rates`) and a step at which it begins to learn (`begins`). Before
    that step it does not change: its gradient counts neither for its moments nor for clipping, it does not decay, and
    its bias correction counts from there. No new compilation is needed when it begins.

    Args:
        learning_rate: a number or a schedule.
        weight_decay: decoupled decay of the weights, except biases and weights of normalisation.
        clip_norm: the bound of the gradients; None for no clipping.
        ema: momentum of the moving average of the weights: min(ema, (1 + t) / (10 + t)) per step after t steps, applied
            for four steps at a time; 0 keeps no average.
        clip_by: what `clip_norm` bounds: the `global_norm` of all gradients together, the `norm` of the gradient of
            each weight, or the `value` of each element.
        rates: for each trainable weight, in the order of `model.trainable_variables`, its learning rate as a share of
            `learning_rate`; empty for 1 each.
        begins: for each trainable weight the step from which on it learns; empty for 0 each.

    Raises:
        ValueError: if `clip_by` is not valid; in `build`, if `rates` or `begins` has another length than the weights.

    Example:
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        >>> model.compile(AdamW(0.01, clip_norm=1.0), "mse")
        >>> history = model.fit(tf.ones((8, 3)), tf.ones((8, 1)), verbose=0)
        >>> int(model.optimizer.iterations)
        1

    References:
        Kingma and Ba, 2015, algorithm 1, https://arxiv.org/abs/1412.6980;
        Loshchilov and Hutter, 2019, algorithm 2, https://arxiv.org/abs/1711.05101;
        average of the weights: Polyak and Juditsky, 1992, https://doi.org/10.1137/0330046
    """

    def __init__(
        self,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule = 1e-3,
        weight_decay: float = 0.0,
        clip_norm: float | None = None,
        ema: float = 0.0,
        clip_by: Literal["global_norm", "norm", "value"] = "global_norm",
        rates: Sequence[float] = (),
        begins: Sequence[int] = (),
        **kwargs: Any,
    ) -> None:
        if clip_by not in CLIPS:
            raise ValueError(f"clip_by must be one of {', '.join(CLIPS)}, got {clip_by!r}.")
        kwargs = {"global_clipnorm": clip_norm, "use_ema": ema > 0, "ema_momentum": ema or 0.99, **kwargs}
        super().__init__(learning_rate, weight_decay=weight_decay, **kwargs)
        self.weight_decay = weight_decay or None  # None saves a pass over the weights
        self.clip_norm, self.ema, self.clip_by = clip_norm, ema, clip_by
        self.rates, self.begins = tuple(rates), tuple(begins)

    def build(self, variables: Sequence[keras.Variable]) -> None:
        for name, numbers in (("rates", self.rates), ("begins", self.begins)):
            if numbers and len(numbers) != len(variables):
                raise ValueError(f"{name} has {len(numbers)} numbers for {len(variables)} trainable weights.")
        if not self.built:
            self.exclude_from_weight_decay(var_names=["bias", "gain", "gamma", "beta"])
        super().build(variables)

    def apply(
        self,
        grads: Iterable[tf.Tensor | tf.IndexedSlices],
        trainable_variables: Sequence[keras.Variable] | None = None,
    ) -> tf.Tensor | None:
        one_device = tf.distribute.get_strategy().num_replicas_in_sync == 1 and self.loss_scale_factor is None
        combine = _sum_rows if one_device else tf.convert_to_tensor
        grads = [combine(g) if isinstance(g, tf.IndexedSlices) else g for g in grads]
        if any(self.begins):
            variables = list(self._trainable_variables if trainable_variables is None else trainable_variables)
            if not self.built:
                self.build(variables)
            grads = [_where(self._begun(v), g) for v, g in zip(variables, grads, strict=True)]
        return super().apply(grads, trainable_variables)

    def _begun(self, variable: keras.Variable) -> tf.Tensor:
        """Whether a weight learns in this step."""
        return self.iterations.value >= self.begins[self._get_variable_index(variable)]

    def _rate(self, variable: keras.Variable, learning_rate: tf.Tensor) -> tf.Tensor:
        """The learning rate of a weight in this step."""
        rate = tf.cast(learning_rate, variable.dtype)
        if self.rates:
            rate *= tf.cast(self.rates[self._get_variable_index(variable)], variable.dtype)
        return tf.where(self._begun(variable), rate, 0) if any(self.begins) else rate

    def _apply_weight_decay(self, variables: Sequence[keras.Variable]) -> None:
        if self.weight_decay is None or not (self.rates or any(self.begins)):
            super()._apply_weight_decay(variables)
            return

        def decay(variable: tf.Variable) -> None:
            if self._use_weight_decay(variable):
                rate = self._rate(variable, self.learning_rate)
                variable.assign_sub(variable * tf.cast(self.weight_decay, variable.dtype) * rate)

        def update(strategy: tf.distribute.Strategy, variables: Sequence[tf.Variable]) -> None:
            for variable in variables:
                strategy.extended.update(variable, decay, group=False)

        values = [getattr(variable, "value", variable) for variable in variables]
        merge = tf.__internal__.distribute.interim.maybe_merge_call
        merge(update, self._distribution_strategy, values)

    def _clip_gradients(self, grads: Gradients) -> Gradients:
        if not self.clip_norm:
            return grads
        replica = tf.distribute.get_replica_context()
        if replica is not None and replica.num_replicas_in_sync > 1:
            grads = replica.all_reduce(tf.distribute.ReduceOp.SUM, grads)
        return CLIPS[self.clip_by](grads, self.clip_norm)

    def _all_reduce_sum_gradients(
        self, grads_and_vars: Iterable[tuple[tf.Tensor, keras.Variable]]
    ) -> list[tuple[tf.Tensor, keras.Variable]]:
        return list(grads_and_vars) if self.clip_norm else super()._all_reduce_sum_gradients(grads_and_vars)

    def update_step(self, gradient: tf.Tensor, variable: keras.Variable, learning_rate: tf.Tensor) -> None:
        index = self._get_variable_index(variable)
        begin = self.begins[index] if self.begins else 0
        step = tf.cast(tf.maximum(self.iterations.value + 1 - begin, 1), variable.dtype)
        beta_1, beta_2 = (tf.cast(b, variable.dtype) for b in (self.beta_1, self.beta_2))
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=tf.pow(beta_1, step),
            beta2_power=tf.pow(beta_2, step),
            lr=self._rate(variable, learning_rate),
            beta1=beta_1,
            beta2=beta_2,
            epsilon=tf.cast(self.epsilon, variable.dtype),
            grad=tf.cast(tf.convert_to_tensor(gradient), variable.dtype),
        )

    def _update_model_variables_moving_average(self, trainable_variables: Sequence[keras.Variable]) -> None:
        step = self.iterations.value
        ramp = tf.cast((1 + step) / (10 + step), tf.float32)
        momentum = tf.where(step > 0, tf.minimum(self.ema_momentum, ramp) ** AVERAGE_EVERY, 0.0)
        update_now = step % AVERAGE_EVERY == 0

        def update(share: tf.Tensor) -> tf.Tensor:
            for variable, average in zip(trainable_variables, self._model_variables_moving_average, strict=True):
                average.assign(average + tf.cast(share, variable.dtype) * (variable - average))
            return tf.constant(0)

        if tf.distribute.get_strategy().num_replicas_in_sync > 1:  # no conditional assignment to mirrored variables
            update(tf.where(update_now, 1 - momentum, 0.0))
        else:
            tf.cond(update_now, lambda: update(1 - momentum), lambda: tf.constant(0))

    def finalize_variable_values(self, var_list: Sequence[keras.Variable]) -> None:
        """Does not replace the weights by their average when `fit` ends, because training may continue."""

    @contextlib.contextmanager
    def averaged(self, model: keras.Model) -> Iterator[None]:
        """A context in which the model has the averaged weights; without averages or steps it changes nothing.

        Args:
            model: the model that this optimizer trains.

        Example:
            >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
            >>> model.compile(AdamW(0.01, ema=0.9), "mse")
            >>> history = model.fit(tf.ones((8, 3)), tf.ones((8, 1)), verbose=0)
            >>> with model.optimizer.averaged(model):
            ...     loss = model.evaluate(tf.ones((8, 3)), tf.ones((8, 1)), verbose=0)
        """
        if not self.use_ema or keras.ops.convert_to_numpy(self.iterations) == 0:
            yield
            return
        weights = [keras.ops.convert_to_numpy(v) for v in model.trainable_variables]
        averages = self._model_variables_moving_average
        for variable, average in zip(model.trainable_variables, averages, strict=True):
            variable.assign(keras.ops.convert_to_numpy(average))
        try:
            yield
        finally:
            for variable, weight in zip(model.trainable_variables, weights, strict=True):
                variable.assign(weight)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        for name in ("global_clipnorm", "clipnorm", "clipvalue", "use_ema", "ema_momentum", "amsgrad"):
            config.pop(name, None)
        return {
            **config,
            "weight_decay": self.weight_decay or 0.0,
            "clip_norm": self.clip_norm,
            "ema": self.ema,
            "clip_by": self.clip_by,
            "rates": list(self.rates),
            "begins": list(self.begins),
        }


def _sum_rows(gradient: tf.IndexedSlices) -> tf.IndexedSlices:
    """The gradient of an embedding with each row once: as small as the batch, as exact as a dense gradient."""
    rows, places = tf.unique(gradient.indices)
    values = tf.math.unsorted_segment_sum(gradient.values, places, tf.size(rows))
    return tf.IndexedSlices(values, rows, gradient.dense_shape)


def _where(kept: tf.Tensor, gradient: Any) -> Any:
    """The gradient, or zeros in its place, also where it is infinite."""
    if isinstance(gradient, tf.IndexedSlices):
        return tf.IndexedSlices(_where(kept, gradient.values), gradient.indices, gradient.dense_shape)
    return None if gradient is None else tf.where(kept, gradient, tf.zeros_like(gradient))


def schedule(name: Shape, learning_rate: float, steps: int, warmup: int = 0) -> "float | Schedule":
    """The learning rate over time.

    Args:
        name: `constant`, or `linear` or `cosine`, which fall from `learning_rate` to 0, or `slanted`.
        learning_rate: the largest value.
        steps: number of training steps.
        warmup: steps over which the rate first rises from 0.

    Returns:
        `learning_rate` itself if it is constant without warmup, else a `Schedule`.

    Example:
        >>> rate = schedule("linear", 1.0, steps=10, warmup=2)
        >>> [round(float(rate(step)), 2) for step in (0, 1, 2, 6, 10)]
        [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    if name == "constant" and not warmup:
        return learning_rate
    return Schedule(name, learning_rate, max(steps, 1), warmup)


@keras.saving.register_keras_serializable("seqtasks")
class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that rises over the warmup and then stays constant or falls to 0.

    The slanted triangle rises from 1/32 of the largest value and falls to it again, both along a straight line.

    Args:
        shape: `constant`, `linear`, `cosine` or `slanted`.
        learning_rate: the largest value.
        steps: number of training steps.
        warmup: steps over which the rate first rises from 0.

    Example:
        >>> round(float(Schedule("cosine", 1.0, steps=10, warmup=0)(5)), 2)
        0.5

    References:
        slanted triangle: Howard and Ruder, 2018, equation 3, https://arxiv.org/abs/1801.06146
    """

    def __init__(self, shape: Shape, learning_rate: float, steps: int, warmup: int) -> None:
        self.shape, self.learning_rate, self.steps, self.warmup = shape, learning_rate, steps, warmup

    def __call__(self, step: tf.Tensor | int) -> tf.Tensor:
        step = tf.cast(step, tf.float32)
        done = tf.clip_by_value((step - self.warmup) / max(self.steps - self.warmup, 1), 0.0, 1.0)
        rise = tf.minimum(step / self.warmup, 1.0) if self.warmup else 1.0
        if self.shape == "slanted":
            return self.learning_rate * (1 + (RATIO - 1) * rise * (1.0 - done)) / RATIO
        decay = {"constant": 1.0, "linear": 1.0 - done, "cosine": 0.5 + 0.5 * tf.cos(3.14159265 * done)}[self.shape]
        return self.learning_rate * rise * decay

    def get_config(self) -> dict[str, Any]:
        return {n: getattr(self, n) for n in ("shape", "learning_rate", "steps", "warmup")}
