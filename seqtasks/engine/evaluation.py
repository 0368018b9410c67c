"""Evaluation: a model on a split, and the baselines that it is compared with."""

import heapq
import math
import random
import time
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from seqtasks.capabilities import RunningText
from seqtasks.data.sources import Example
from seqtasks.engine import progress
from seqtasks.engine.predictor import Predictor
from seqtasks.metrics import bootstrap
from seqtasks.recipe import Recipe
from seqtasks.tasks.baselines import Row

BASELINE_EXAMPLES = 25_000  # baselines do not stream: they learn from a sample of at most this size
MISTAKES = 10


def evaluate(predictor: Predictor, source: Any) -> tuple[dict[str, Any], Any, list[dict[str, Any]]]:
    """All metrics of a model on one source.

    Returns:
        (figures, statistics, mistakes): the task's metrics with `examples` and `seconds`; the arrays from which its
        metrics follow, a row for each example; and the worst examples.
    """
    task, assets, began = predictor.task, predictor.assets, time.perf_counter()
    running = predictor.recipe.capability(RunningText)
    stream = running.stream if running and running.stream else Predictor.stream
    targets, outputs = [], []
    mistakes: list[Any] = []
    count = 0
    for pool, decoded in stream(predictor, source):
        expected = task.targets(assets, [example.target for example in pool])
        given = task.outputs(assets, decoded)
        targets.append(expected)
        outputs.append(given)
        for error, i in task.worst_examples(assets, expected, given):
            texts = task.format_output(assets, given[i]), task.format_output(assets, expected[i])
            item = (error, count := count + 1, pool[i], *texts)
            (heapq.heappush if len(mistakes) < MISTAKES else heapq.heappushpop)(mistakes, item)
    all_targets, all_outputs = np.concatenate(targets), np.concatenate(outputs)
    figures = task.compute_metrics(assets, all_targets, all_outputs)
    figures |= {"examples": len(all_targets), "seconds": time.perf_counter() - began}
    listed = [
        {
            "input": task.format_input(example.input),
            "target": target,
            "label": output,
            "score": error,
            "grade": task.error_name,
            "where": source.where(example),
        }
        for error, _, example, output, target in sorted(mistakes, key=lambda item: -item[0])
    ]
    return figures, task.statistics(assets, all_targets, all_outputs), listed


def interval(recipe: Recipe[Any], config: Any, statistics: Any) -> dict[str, list[float | None]]:
    """{metric_interval: [low, high]} of the recipe's metric; None where it is not defined."""
    name, _ = recipe.chosen_metric(config)
    bounds = bootstrap(recipe.task(config).metrics[name], *statistics, seed=config.seed)
    return {f"{name}_interval": [finite(bound) for bound in bounds]}


def baselines(
    recipe: Recipe[Any], config: Any, assets: Mapping[str, Any], train: Any, test: Any, statistics: Any
) -> dict[str, dict[str, Any]]:
    """Each baseline of the recipe, learnt from train and measured on test, with the paired difference of the model.

    Returns:
        {name: figures with `difference` (model minus baseline in the recipe's metric), `difference_interval`,
        `train_examples` and `seconds`}.
    """
    name, _ = recipe.chosen_metric(config)
    task = recipe.task(config)
    metric = task.metrics[name]
    sample = rows(reservoir(train, BASELINE_EXAMPLES, config.seed))
    found = {}
    rivals = recipe.baselines(config)
    for title, make in progress.counted("baselines", rivals.items(), len(rivals), "baselines"):
        began = time.perf_counter()
        predict = task.baseline(assets, make(config), sample)
        targets, outputs = [], []
        for chunk in test.chunks(4096):
            targets.append(task.targets(assets, [e.target for e in chunk]))
            outputs.append(predict(rows(chunk)))
        all_targets, all_outputs = np.concatenate(targets), np.concatenate(outputs)
        rival = task.statistics(assets, all_targets, all_outputs)
        bounds = bootstrap(metric, *statistics, baseline=rival[-1], seed=config.seed)
        found[title] = task.compute_metrics(assets, all_targets, all_outputs) | {
            "difference": finite(metric(*statistics) - metric(*rival)),
            "difference_interval": [finite(bound) for bound in bounds],
            "train_examples": len(sample),
            "seconds": time.perf_counter() - began,
        }
    return found


def rows(examples: Iterable[Example]) -> list[Example]:
    """Examples whose inputs carry the values of their side columns, for baselines over raw inputs."""
    return [example._replace(input=Row.of(example)) if example.columns else example for example in examples]


def finite(value: float) -> float | None:
    """The value, or None if it is not a finite number, such as a curve of a class that is missing.

    Example:
        >>> finite(0.5), finite(float("nan"))
        (0.5, None)
    """
    return float(value) if math.isfinite(value) else None


def text(value: float | None) -> str:
    """A metric as a log line shows it.

    Example:
        >>> text(0.5), text(None)
        ('0.5000', 'undefined')
    """
    return "undefined" if value is None else f"{value:.4f}"


def reservoir(source: Iterable[Any], size: int, seed: int) -> list[Any]:
    """At most `size` examples, each with the same probability (Vitter, 1985, algorithm R)."""
    kept: list[Any] = []
    draw = random.Random(seed)
    for number, example in enumerate(source):
        if number < size:
            kept.append(example)
        elif (place := draw.randrange(number + 1)) < size:
            kept[place] = example
    return kept
