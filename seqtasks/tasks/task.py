"""The interface of a task."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seqtasks.data import pairs
from seqtasks.data.sources import Example, Source
from seqtasks.data.token_ids import BOS, PAD

if TYPE_CHECKING:
    import tensorflow as tf


UNKNOWN_LABEL = "(a label that train lacks)"


class Task:
    """A kind of target: how it becomes ids, how a model's outputs become answers, and how both become metrics.

    Subclasses implement the methods that raise `NotImplementedError` here; the others have usual defaults. `assets` are
    the vocabularies and tokenizers of a run by name, `features` the tensors of encoded inputs by name.

    Attributes:
        metrics: {name: f(*statistics) -> float}; one of them chooses the best epoch.
        metric: the name of the one that does, if it is not that of the recipe.
        lower_is_better: the names of metrics of which lower values are better.
        min_labels: the number of different labels that train needs at least; 0 if targets have no labels.
        error_name: what the number in `worst_examples` is called.
        summary: figures that a summary shows besides the metrics.
        target_feature: the feature that is also the target, if a sequence is predicted; else "".
    """

    metrics: Mapping[str, Callable[..., float]] = {}
    metric = ""
    lower_is_better: tuple[str, ...] = ()
    min_labels = 1
    error_name = "score"
    summary: tuple[str, ...] = ()
    target_feature = ""

    def labels(self, target: str) -> tuple[str, ...]:
        """The labels in the target of one example."""
        return (target,)

    def options(self, train: Source, labels: Mapping[str, int]) -> dict[str, Any]:
        """Options that follow from the data, {name: value}; the run is trained with these in the place of its own.

        Args:
            train: the training examples.
            labels: {label: number of training examples}.
        """
        return {}

    def checked(self, source: Source) -> Source:
        """A source in which examples whose target does not suit the task are `Faulty`."""
        return source

    def learn(self, targets: Iterable[str]) -> dict[str, Any]:
        """What is learnt from the targets of train: {name: vocabulary or numbers}; `labels` holds all labels."""
        from seqtasks.data.vocabulary import Vocabulary

        return {"labels": Vocabulary.labels({label for target in targets for label in self.labels(target)})}

    def check(self, assets: Mapping[str, Any], source: Source) -> None:
        """Warns of targets in a held-out source that the model cannot output."""

    def check_inherited(self, assets: Mapping[str, Any], train: Source, labels: Mapping[str, int]) -> None:
        """Warns, before fine-tuning, of targets that do not look like those of the run that it starts from.

        Args:
            assets: the vocabularies of the new run.
            train: the training examples.
            labels: {label: number of training examples}.
        """

    def encode_target(self, assets: Mapping[str, Any], targets: "tf.Tensor") -> "tf.Tensor | tf.RaggedTensor":
        """Ids of a vector of targets, dense or ragged, in the graph; ragged ones are padded with -1."""
        raise NotImplementedError

    def add_decoder_inputs(self, features: dict[str, Any], targets: "tf.Tensor") -> dict[str, Any]:
        """The features of a training batch with the decoder inputs for teacher forcing; `targets` padded with -1."""
        return features

    def decode(self, assets: Mapping[str, Any], outputs: Any, features: dict[str, Any]) -> dict[str, "tf.Tensor"]:
        """Answer tensors {name: (batch, ...)} of a model's outputs, in the graph."""
        raise NotImplementedError

    def answer(self, assets: Mapping[str, Any], row: dict[str, Any]) -> dict[str, Any]:
        """The JSON answer of one row of the arrays of `decode`."""
        raise NotImplementedError

    def targets(self, assets: Mapping[str, Any], strings: Sequence[str]) -> np.ndarray:
        """An array with a row for each target string, as the metrics take it.

        A label that is none of `assets["labels"]` has the number after the last, which no model outputs.
        """
        raise NotImplementedError

    def outputs(self, assets: Mapping[str, Any], decoded: dict[str, np.ndarray]) -> np.ndarray:
        """An array with a row for each row of the arrays of `decode`, as the metrics take it."""
        raise NotImplementedError

    def statistics(self, assets: Mapping[str, Any], targets: np.ndarray, outputs: np.ndarray) -> tuple[np.ndarray, ...]:
        """Arrays with a row for each example; the metrics of any sample of examples are functions of its rows."""
        return targets, outputs

    def compute_metrics(self, assets: Mapping[str, Any], targets: np.ndarray, outputs: np.ndarray) -> dict[str, Any]:
        """All metrics, and what else `metrics.json` holds."""
        raise NotImplementedError

    def worst_examples(
        self, assets: Mapping[str, Any], targets: np.ndarray, outputs: np.ndarray
    ) -> list[tuple[float, int]]:
        """Pairs (error, index of the row) of the rows that are wrong; a larger error is worse."""
        raise NotImplementedError

    def format_output(self, assets: Mapping[str, Any], output: Any) -> str:
        """One row of `outputs` or `targets` as a string, for a list of mistakes."""
        raise NotImplementedError

    def format_input(self, raw: str) -> str:
        """A raw input as it is shown to people."""
        return pairs.shown(raw)

    def baseline(
        self, assets: Mapping[str, Any], model: Any, sample: Sequence[Example]
    ) -> Callable[[Sequence[Example]], np.ndarray]:
        """Fits a baseline.

        Args:
            assets: the vocabularies and tokenizers.
            model: the baseline, of the kind that the task supports.
            sample: the examples to fit it on.

        Returns:
            A function from examples to an array as `outputs` returns it.
        """
        raise NotImplementedError

    def calibrate(self, assets: Mapping[str, Any], targets: np.ndarray, outputs: np.ndarray) -> dict[str, Any]:
        """Assets that are tuned after training, {name: asset}; targets and outputs are those of validation."""
        return {}

    def weights_of_classes(self, assets: Mapping[str, Any], counts: Mapping[str, int]) -> np.ndarray | None:
        """The weight of each class in the loss, float32 (classes,), or None if all count as they are.

        Args:
            assets: the vocabularies.
            counts: {label: number of training examples}.
        """
        return None

    def weights_of_rows(self, weights: np.ndarray, targets: "tf.Tensor") -> "tf.Tensor":
        """The weight of each row of a batch in the loss, in the graph.

        Args:
            weights: of the classes, what `weights_of_classes` returned.
            targets: encoded targets (batch, ...).
        """
        import tensorflow as tf

        return tf.gather(weights, targets)


def shift_right(targets: "tf.Tensor") -> "tf.Tensor":
    """The decoder inputs of targets: the targets shifted by one, with `BOS` at the start.

    Args:
        targets: int (batch, time), padded with -1.

    Returns:
        int (batch, time), padded with 0.

    Example:
        >>> import tensorflow as tf
        >>> shift_right(tf.constant([[7, 8, 3], [9, 3, -1]])).numpy().tolist()
        [[2, 7, 8], [2, 9, 0]]
    """
    import tensorflow as tf

    shifted = tf.pad(targets, [[0, 0], [1, 0]], constant_values=BOS)[:, :-1]
    return tf.where(targets < 0, PAD, shifted)


def rows(lists: Sequence[Any]) -> np.ndarray:
    """Lists of any lengths as the rows of one array of objects.

    Example:
        >>> rows([[1, 2], [3]]).shape
        (2,)
    """
    array = np.empty(len(lists), object)
    array[:] = lists
    return array
