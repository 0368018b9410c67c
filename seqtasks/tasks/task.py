"""What a task is."""

import numpy as np


class Task:
    """What recipes with the same kind of target share, from the target's string to the figures.

    Subclasses give all methods that raise here; the others have the meaning that most tasks want.

    Attributes:
        metrics: {name: f(*evidence) -> float}, of which one chooses the best epoch.
        lower_is_better: those of them that are.
        min_labels: how many different labels train must have; 0 where targets have none.
        grade: what the number in `mistakes` is.
        predicts: the feature that is the target as well, where a sequence is foretold; else "".
    """

    metrics = {}
    lower_is_better = ()
    min_labels = 1
    error_name = "score"
    target_feature = ""

    def labels(self, target):
        """The labels in the target of one example, as the data is counted by."""
        return (target,)

    def check(self, assets, source):
        """Warn of targets in a held-out source that the model cannot give."""

    def encode_target(self, assets, targets):
        """Numbers of a vector of targets, dense or ragged, in the graph; ragged ones are padded with -1."""
        raise NotImplementedError

    def add_decoder_inputs(self, features, targets):
        """The features of a training batch with what the model is shown of its targets; `targets` padded with -1."""
        return features

    def decode(self, assets, outputs, features):
        """Answer tensors {name: (batch, ...)} of a model's outputs, in the graph."""
        raise NotImplementedError

    def answer(self, assets, row):
        """The JSON answer of one row of what `decode` gives."""
        raise NotImplementedError

    def targets(self, assets, strings):
        """An array with a row for each target string, as the figures are computed from."""
        raise NotImplementedError

    def outputs(self, assets, decoded):
        """The same of decoded arrays."""
        raise NotImplementedError

    def statistics(self, assets, targets, outputs):
        """Arrays with a row for each example from which the metrics of any draw of the examples follow."""
        return targets, outputs

    def compute_metrics(self, assets, targets, outputs):
        """All figures, a dict."""
        raise NotImplementedError

    def worst_examples(self, assets, targets, outputs):
        """Pairs (how grave, number of the row) of the rows that are wrong."""
        raise NotImplementedError

    def format_output(self, assets, output):
        """One row of `outputs` as a word for a list of mistakes."""
        raise NotImplementedError

    def format_input(self, raw):
        """A raw input as a person wants to read it."""
        return raw

    def baseline(self, assets, model, sample):
        """Fit a baseline on examples; returns a function from examples to an array as `outputs` gives."""
        raise NotImplementedError

    def weights_of_classes(self, assets, counts):
        """The weight of each class in the loss, by number; None if all classes weigh the same."""
        return None


def rows(lists):
    """Lists of any lengths as the rows of one array of objects.

    Example:
        >>> rows([[1, 2], [3]]).shape
        (2,)
    """
    array = np.empty(len(lists), object)
    array[:] = lists
    return array
