"""Measuring: a model on a split, and the baselines that show whether it earns its place."""

import heapq
import random
import time

import numpy as np

from seqtasks.engine.predictor import Predictor
from seqtasks.metrics import bootstrap

BASELINE_EXAMPLES = 25_000  # baselines do not stream: they learn from a sample of this size at most
MISTAKES = 10


def evaluate(predictor, source):
    """All figures of a model on one source.

    Returns:
        (figures, evidence, mistakes): the task's figures with `examples` and `seconds`; the arrays from which its
        metrics follow, a row for each example; and the gravest mistakes.
    """
    task, assets, began = predictor.task, predictor.assets, time.perf_counter()
    targets, outputs, mistakes, count = [], [], [], 0
    for pool, decoded in (predictor.recipe.stream or Predictor.stream)(predictor, source):
        truth = task.targets(assets, [example.target for example in pool])
        said = task.outputs(assets, decoded)
        targets.append(truth)
        outputs.append(said)
        for sure, i in task.worst_examples(assets, truth, said):
            item = (
                sure,
                count := count + 1,
                pool[i],
                task.format_output(assets, said[i]),
                task.format_output(assets, truth[i]),
            )
            (heapq.heappush if len(mistakes) < MISTAKES else heapq.heappushpop)(mistakes, item)
    targets, outputs = np.concatenate(targets), np.concatenate(outputs)
    figures = task.compute_metrics(assets, targets, outputs)
    figures |= {"examples": len(targets), "seconds": time.perf_counter() - began}
    listed = [
        {
            "input": task.format_input(e.input),
            "target": true,
            "label": said,
            "score": sure,
            "grade": task.error_name,
            "where": source.where(e),
        }
        for sure, _, e, said, true in sorted(mistakes, key=lambda item: -item[0])
    ]
    return figures, task.statistics(assets, targets, outputs), listed


def interval(recipe, config, evidence):
    """{metric_interval: [low, high]} of the recipe's metric."""
    name, _ = recipe.metric(config)
    bounds = bootstrap(recipe.task(config).metrics[name], *evidence, seed=config.seed)
    return {f"{name}_interval": bounds}


def baselines(recipe, config, assets, train, test, evidence):
    """Each baseline of the recipe, learnt from train and measured on test, with the paired difference of the model.

    Returns:
        {name: figures with `difference` (model minus baseline in the recipe's metric), `difference_interval`,
        `train_examples` and `seconds`}.
    """
    name, _ = recipe.metric(config)
    task = recipe.task(config)
    metric = task.metrics[name]
    sample = reservoir(train, BASELINE_EXAMPLES, config.seed)
    found = {}
    for title, make in recipe.baselines(config).items():
        began = time.perf_counter()
        guess = task.baseline(assets, make(config), sample)
        targets, guesses = [], []
        for chunk in test.chunks(4096):
            targets.append(task.targets(assets, [e.target for e in chunk]))
            guesses.append(guess(chunk))
        targets, guesses = np.concatenate(targets), np.concatenate(guesses)
        rival = task.statistics(assets, targets, guesses)
        found[title] = task.compute_metrics(assets, targets, guesses) | {
            "difference": metric(*evidence) - metric(*rival),
            "difference_interval": bootstrap(metric, *evidence, baseline=rival[1], seed=config.seed),
            "train_examples": len(sample),
            "seconds": time.perf_counter() - began,
        }
    return found


def reservoir(source, size, seed):
    """At most `size` examples, each with the same chance (Vitter, 1985, algorithm R), in the order they were kept."""
    kept, draw = [], random.Random(seed)
    for number, example in enumerate(source):
        if number < size:
            kept.append(example)
        elif (place := draw.randrange(number + 1)) < size:
            kept[place] = example
    return kept
