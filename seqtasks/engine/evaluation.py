"""Measuring: a model on a split, and the baselines that show whether it earns its place."""

import heapq
import random
import time

import numpy as np

from seqtasks.metrics import bootstrap

BASELINE_EXAMPLES = 25_000  # baselines do not stream: they learn from a sample of this size at most
MISTAKES = 10


def evaluate(responder, source):
    """All figures of a model on one source.

    Returns:
        (figures, targets, scores, mistakes): the recipe's figures with `examples`, `seconds` and `labels`; the true
        classes; the scores; and the most confident mistakes.
    """
    recipe, assets, began = responder.recipe, responder.assets, time.perf_counter()
    numbers = {label: i for i, label in enumerate(assets["labels"].tokens)}
    targets, decoded, mistakes, count = [], [], [], 0
    for pool, arrays in responder.stream(source):
        truth = [numbers[example.target] for example in pool]
        targets.extend(truth)
        decoded.append({name: arrays[name] for name in ("scores",)})
        for i in np.flatnonzero(arrays["scores"].argmax(-1) != truth):
            item = (float(arrays["score"][i]), count := count + 1, pool[i], arrays["label"][i].decode())
            (heapq.heappush if len(mistakes) < MISTAKES else heapq.heappushpop)(mistakes, item)
    targets, scores = np.array(targets), np.concatenate([d["scores"] for d in decoded])
    figures = recipe.measure(assets, targets, {"scores": scores})
    figures |= {"labels": assets["labels"].tokens, "examples": len(targets), "seconds": time.perf_counter() - began}
    listed = [
        {"input": e.input, "target": e.target, "label": label, "score": score, "where": source.where(e)}
        for score, _, e, label in sorted(mistakes, key=lambda item: -item[0])
    ]
    return figures, targets, scores, listed


def interval(recipe, config, targets, scores):
    """{metric_interval: [low, high]} of the recipe's metric."""
    name, _ = recipe.metric(config)
    bounds = bootstrap(recipe.metrics()[name], targets, scores, seed=config.seed)
    return {f"{name}_interval": bounds}


def baselines(recipe, config, assets, train, test, targets, scores):
    """Each baseline of the recipe, learnt from train and measured on test, with the paired difference of the model.

    Returns:
        {name: figures with `difference` (model minus baseline in the recipe's metric), `difference_interval`,
        `train_examples` and `seconds`}.
    """
    name, _ = recipe.metric(config)
    metric = recipe.metrics()[name]
    sample = reservoir(train, BASELINE_EXAMPLES, config.seed)
    numbers = {label: i for i, label in enumerate(assets["labels"].tokens)}
    found = {}
    for title, make in recipe.baselines.items():
        began = time.perf_counter()
        model = make(config)
        model.fit([e.input for e in sample], [numbers[e.target] for e in sample])
        guesses = np.zeros((len(targets), len(numbers)))
        row = 0
        for chunk in test.chunks(4096):
            guesses[row : row + len(chunk), model.classes_] = model.predict_proba([e.input for e in chunk])
            row += len(chunk)
        found[title] = recipe.measure(assets, targets, {"scores": guesses}) | {
            "difference": metric(targets, scores) - metric(targets, guesses),
            "difference_interval": bootstrap(metric, targets, scores, baseline=guesses, seed=config.seed),
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
