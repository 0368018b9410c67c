"""Seconds per epoch on SST-2 beside the usual Keras example, in one process, run alternately.

    python -m benchmarks.sentiment_epoch

The Keras side is the bidirectional LSTM of the Keras documentation: 20,000 words, all padded to 200, embedding of
128, two bidirectional LSTM of 64, batches of 32, Adam. This side has the same layer sizes and batch size, in batches of
similar length from the raw text, with what the recipe adds: affixes, dropout, pooling, averaged weights.

tf.data's autotuning thread sleeps for 10, 20, 40... ms, and the end of an epoch can wait for it: a Keras epoch of 21 to
41 s then takes 41 s. The Keras side is therefore measured twice, as people run it, and with autotuning off.
"""

import json
import time

import keras
import numpy as np
import tensorflow as tf

from benchmarks.record import data_folder, spread, write
from seqtasks.data.batches import Batches
from seqtasks.engine.data_summary import summarize_splits
from seqtasks.engine.evaluation import evaluate
from seqtasks.engine.loop import fit
from seqtasks.engine.predictor import Predictor
from seqtasks.optimizers import AdamW, schedule
from seqtasks.options import make_options
from seqtasks.recipe import load_recipe

EPOCHS, BATCH = 4, 32
SIZES = {"max_vocabulary": 20_000, "min_count": 1, "dimension": 128, "units": 64, "layers": 2, "batch_size": BATCH}


def keras_example(sources, pause=True):
    """(epoch, accuracy): functions of the Keras example, as it is or without the pause at the end of its epochs."""
    words = keras.layers.TextVectorization(20_000, output_sequence_length=200)
    words.adapt([e.input for e in sources["train"]])
    keras.utils.set_random_seed(0)
    inputs = keras.Input(shape=(None,), dtype="int32")
    x = keras.layers.Embedding(20_000, 128)(inputs)
    x = keras.layers.Bidirectional(keras.layers.LSTM(64, return_sequences=True))(x)
    x = keras.layers.Bidirectional(keras.layers.LSTM(64))(x)
    model = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(x))
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    arrays = {
        n: (np.array(words([e.input for e in s])), np.array([int(e.target) for e in s])) for n, s in sources.items()
    }

    def epoch(number):
        if not pause:
            dataset = tf.data.Dataset.from_tensor_slices(arrays["train"]).shuffle(10_000, seed=number).batch(BATCH)
            options = tf.data.Options()
            options.autotune.enabled = False
            return model.fit(dataset.prefetch(4).with_options(options), verbose=0)
        return model.fit(*arrays["train"], batch_size=BATCH, verbose=0)

    return epoch, lambda: model.evaluate(*arrays["test"], verbose=0)[1]


def ours(sources, surveys, **fields):
    """(epoch, accuracy, model, batches) of the recipe with the same sizes."""
    recipe = load_recipe("sentiment")
    config = make_options(recipe.Config, SIZES | {"epochs": EPOCHS, "r_drop": 0.0} | fields)
    assets = recipe.learn(config, sources["train"])
    keras.utils.set_random_seed(0)
    model = recipe.build(config, assets)
    batches = Batches(
        sources["train"],
        surveys["train"].examples,
        lambda texts: recipe.encode(config, assets, texts),
        lambda labels: recipe.task(config).encode_target(assets, labels),
        BATCH,
        boundary=1,
    )
    steps = EPOCHS * len(batches)
    rate = schedule(config.schedule, config.learning_rate, steps, round(config.warmup * steps))
    model.compile(AdamW(rate, clip_norm=config.clip_norm, ema=config.ema_momentum), recipe.loss(config))
    predictor = Predictor(recipe, config, assets, model)
    names = [i.name for i in model.inputs]

    def epoch(number):
        dataset = batches.epoch(0, number).map(lambda f, t, w, i: ({n: f[n] for n in names}, t, w))
        fit(model, dataset, len(batches))

    def accuracy():
        with model.optimizer.averaged(model):
            return evaluate(predictor, sources["test"])[0]["accuracy"]

    return epoch, accuracy, model, batches


def parts(model, batches):
    """Where a step's milliseconds go: medians over one epoch of the pipeline alone, forward and gradient."""
    names = [i.name for i in model.inputs]
    kept = [({n: f[n] for n in names}, t, w) for f, t, w, i in batches.epoch(0, 99)]
    embedding = model.get_layer("embedding")

    @tf.function(reduce_retracing=True)
    def forward(x, t, w):
        return model.compute_loss(x, t, model(x, training=True), w)

    @tf.function(reduce_retracing=True)
    def gradient(x, t, w):
        with tf.GradientTape() as tape:
            loss = model.compute_loss(x, t, model(x, training=True), w)
        return [
            tf.reduce_sum(tf.convert_to_tensor(g))
            for g in tape.gradient(loss, [v.value for v in model.trainable_variables])
        ]

    embed = tf.function(lambda x, t, w: embedding(x["words"], x.get("affixes"), training=True), reduce_retracing=True)
    times = {}
    began = time.perf_counter()
    for _ in batches.epoch(0, 98):
        pass
    times["pipeline alone"] = 1e3 * (time.perf_counter() - began) / len(batches)
    for name, function in (("embedding", embed), ("forward", forward), ("forward and gradient", gradient)):
        function(*kept[0])
        function(*kept[1])
        each = []
        for batch in kept:
            began = time.perf_counter()
            function(*batch)
            each.append(1e3 * (time.perf_counter() - began))
        times[name] = float(np.median(each))
    return times


def main():
    config = load_recipe("sentiment").Config()
    sources, surveys = summarize_splits(
        load_recipe("sentiment").load(config, data_folder() / "sentiment" / "sst2"), 256
    )
    sides = {
        "keras": keras_example(sources),
        "keras without its pause": keras_example(sources, pause=False),
        "seqtasks": ours(sources, surveys),
        "seqtasks without affixes": ours(sources, surveys, affixes=0),
    }
    seconds, accuracies = {n: [] for n in sides}, {n: [] for n in sides}
    for number in range(EPOCHS):
        for name, (epoch, accuracy, *_) in sides.items():
            began = time.perf_counter()
            epoch(number)
            seconds[name].append(time.perf_counter() - began)
            accuracies[name].append(accuracy())
            print(
                f"{name:26} epoch {number + 1}  {seconds[name][-1]:6.2f} s  accuracy {accuracies[name][-1]:.4f}",
                flush=True,
            )
    # the first epoch of each traces its graphs; it is reported, and left out of the median
    medians = {n: float(np.median(s[1:])) for n, s in seconds.items()}
    ratios = {k: {n: medians[k] / medians[n] for n in sides} for k in sides if k.startswith("keras")}
    profile = parts(*sides["seqtasks"][2:])
    print(json.dumps(ratios, indent=1), {n: round(t, 2) for n, t in profile.items()})
    result = {
        "seconds": {n: spread(s) for n, s in seconds.items()},
        "accuracy": accuracies,
        "times_faster_than": ratios,
        "milliseconds_of_a_step": profile
        | {"whole step in fit": 1e3 * medians["seqtasks"] / len(sides["seqtasks"][3])},
    }
    write("sentiment_epoch", "python -m benchmarks.sentiment_epoch", result)


if __name__ == "__main__":
    main()
