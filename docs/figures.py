"""Draws the pictures of the documentation: python docs/figures.py [NAME ...]"""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT)]
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

IMAGES = Path(__file__).parent / "images"
COLOURS = ("#3f51b5", "#e65100", "#2e7d32", "#6a1b9a")


def figure(columns: int = 1, width: float = 6.4, height: float = 2.8) -> tuple[Figure, list[Axes]]:
    drawn = Figure(figsize=(width, height), layout="constrained")
    axes = [drawn.add_subplot(1, columns, number + 1) for number in range(columns)]
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
    return drawn, axes


def save(drawn: Figure, name: str) -> None:
    IMAGES.mkdir(exist_ok=True)
    metadata = {"Date": None} if name.endswith(".svg") else {}
    drawn.savefig(IMAGES / name, dpi=100, metadata=metadata)


def gates() -> None:
    """Sigmoid and tanh with their derivatives."""
    x = np.linspace(-6, 6, 200)
    sigmoid = 1 / (1 + np.exp(-x))
    drawn, axes = figure(2)
    for axis, title, y, slope in (
        (axes[0], "sigmoid: a gate", sigmoid, sigmoid * (1 - sigmoid)),
        (axes[1], "tanh: a candidate value", np.tanh(x), 1 - np.tanh(x) ** 2),
    ):
        axis.plot(x, y, color=COLOURS[0], label="value")
        axis.plot(x, slope, color=COLOURS[1], ls="--", label="derivative")
        axis.axhline(0, color="0.8", lw=0.8)
        axis.set(title=title, xlabel="input")
    axes[0].legend(frameon=False)
    save(drawn, "gates.png")


def temperature() -> None:
    """A distribution over the next letter at three temperatures."""
    letters, logits = list("eaoiu nrst"), np.array([3.0, 2.6, 2.3, 1.9, 1.2, 0.8, 0.5, 0.1, -0.4, -0.9])
    drawn, axes = figure(3, 8.2, 2.4)
    for axis, value, colour in zip(axes, (0.5, 1.0, 2.0), COLOURS, strict=False):
        scores = np.exp(logits / value)
        axis.bar(range(len(letters)), scores / scores.sum(), color=colour)
        axis.set(title=f"temperature {value}", ylim=(0, 0.7))
        axis.set_xticks(range(len(letters)), ["␣" if c == " " else c for c in letters], fontfamily="DejaVu Sans")
    axes[0].set_ylabel("probability")
    save(drawn, "temperature.png")


def gradient_flow() -> None:
    """How much of the gradient of a loss at the last step reaches each step before it."""
    import keras

    import seqtasks
    from seqtasks import cells, layers

    steps, draws = 100, np.random.default_rng(0)
    inputs = draws.normal(size=(64, steps, 8)).astype("float32")
    targets = inputs[:, 0, :1]
    drawn, (axis,) = figure(1, 6.4, 3.0)
    made = {
        "simple RNN, small weights": (cells.SimpleRNNCell(32), 0.5),
        "simple RNN, orthogonal": (cells.SimpleRNNCell(32), 1.0),
        "GRU": (cells.GRUCell(32), 1.0),
        "LSTM, forget bias 3": (cells.LSTMCell(32, forget_bias=3.0), 1.0),
    }
    for (title, (cell, scale)), colour in zip(made.items(), COLOURS, strict=True):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((steps, 8)), layers.RNN(cell, name="rnn"), keras.layers.Dense(1)])
        cell.recurrent_kernel.assign(scale * cell.recurrent_kernel)
        model.compile("adam", "mse")
        norms = seqtasks.gradient_flow(model, (inputs, targets))["rnn"]
        axis.plot(np.arange(1, steps + 1), norms / norms[-1], label=title, color=colour)
    axis.set(yscale="log", ylim=(1e-10, 10), xlabel="time step t", ylabel="gradient at t, relative")
    axis.legend(frameon=False, loc="lower left", fontsize=9)
    save(drawn, "gradient_flow.png")


def rnn_types() -> None:
    """Inputs, states and outputs of the types of RNNs."""
    types = {
        "many-to-one": ([0, 1, 2], [2], 3, "sentiment"),
        "one-to-many": ([0], [0, 1, 2], 3, "music"),
        "many-to-many\n(equal lengths)": ([0, 1, 2], [0, 1, 2], 3, "named entities"),
        "many-to-many\n(different lengths)": ([0, 1, 2], [3, 4], 5, "translation"),
    }
    drawn, axes = figure(4, 9.6, 2.5)
    for axis, (title, (read, written, states, example)) in zip(axes, types.items(), strict=True):
        for step in range(states):
            _box(axis, step, 1, COLOURS[0], "a")
            if step:
                axis.annotate("", (step - 0.3, 1), (step - 0.7, 1), arrowprops={"arrowstyle": "->"})
            for place, chosen, colour, name in ((0, read, "0.45", "x"), (2, written, COLOURS[1], "y")):
                if step in chosen:
                    _box(axis, step, place, colour, name)
                    low = min(place, 1)
                    axis.annotate("", (step, low + 0.7), (step, low + 0.3), arrowprops={"arrowstyle": "->"})
        axis.set(xlim=(-0.6, 4.6), ylim=(-0.6, 2.6))
        axis.set_title(f"{title}\n{example}", fontsize=9)
        axis.set_axis_off()
    save(drawn, "rnn_types.svg")


def _box(axis: Axes, x: float, y: float, colour: str, text: str) -> None:
    from matplotlib.patches import FancyBboxPatch

    shape = FancyBboxPatch((x - 0.25, y - 0.22), 0.5, 0.44, boxstyle="round,pad=0.03", color=colour)
    axis.add_patch(shape)
    axis.text(x, y, text, color="white", ha="center", va="center")


def piano_roll() -> None:
    """A tune of the sample as a piano roll."""
    import seqtasks as st
    from seqtasks.recipe import load_recipe

    recipe = load_recipe("music")
    sample = getattr(recipe.sample, "data", recipe.sample)
    config = recipe.Config(step=0.5)
    text = next(iter(recipe.splits(config, data=str(sample)).train)).input
    roll = st.music.piano_rolls.parse(text)[:64]
    low, high = np.flatnonzero(roll.any(0))[[0, -1]]
    drawn, (axis,) = figure(1, 6.8, 2.4)
    axis.imshow(roll[:, low : high + 1].T, aspect="auto", origin="lower", cmap="Blues", interpolation="none")
    axis.set(xlabel="time step (an eighth note)", ylabel="key", yticks=[0, high - low])
    axis.set_yticklabels([str(low + 21), str(high + 21)])
    save(drawn, "piano_roll.png")


def spectrogram() -> None:
    """The log-mel spectrogram of a message of the sample."""
    import tensorflow as tf

    from seqtasks.layers import LogMel
    from seqtasks.speech import sample

    sound = sample.read("morse:5:sos", 8000)
    layer = LogMel(8000, 40)
    spectrum = layer([tf.constant(sound, tf.float32)[None], tf.constant([len(sound)])])[0].numpy()
    drawn, (axis,) = figure(1, 6.8, 2.4)
    axis.imshow(spectrum.T, aspect="auto", origin="lower", cmap="magma", extent=(0, len(sound) / 8000, 0, 40))
    axis.set(xlabel="seconds", ylabel="mel band")
    save(drawn, "spectrogram.png")


def video_sample() -> None:
    """Frames of four clips of the sample."""
    from seqtasks.video.sample import moving

    clips, labels = moving(8, seed=3, frames=16, size=32)
    drawn = Figure(figsize=(6.8, 3.6), layout="constrained")
    for row in range(4):
        for column in range(8):
            axis = drawn.add_subplot(4, 8, 8 * row + column + 1)
            axis.imshow(clips[2 * row][2 * column])
            axis.set(xticks=[], yticks=[])
            if column == 0:
                axis.set_ylabel(labels[2 * row].replace(" ", "\n"), fontsize=8)
    save(drawn, "video_sample.png")


def memory() -> None:
    """The curves of the memory problems, which the benchmark has drawn."""
    shutil.copy(ROOT / "benchmarks" / "results" / "memory.png", IMAGES / "memory.png")


FIGURES: dict[str, Callable[[], None]] = {
    f.__name__: f for f in (gates, temperature, gradient_flow, rnn_types, piano_roll, spectrogram, video_sample, memory)
}

if __name__ == "__main__":
    for name in sys.argv[1:] or FIGURES:
        FIGURES[name]()
