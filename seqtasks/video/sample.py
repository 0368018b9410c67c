"""The built-in data set: clips of moving handwritten digits; the class is the motion."""

from collections.abc import Sequence

import numpy as np

MOTIONS = {  # motion -> the phase that changes (see `_phases`), and its direction
    "left": (0, -1),
    "right": (0, 1),
    "up": (1, -1),
    "down": (1, 1),
    "turning left": (2, 1),
    "turning right": (2, -1),
    "growing": (3, 1),
    "shrinking": (3, -1),
}
TENTHS = {"train": range(8), "validation": range(8, 9), "test": range(9, 10)}  # of the images, ordered by writer
SPEEDS = 1 / 32, 1 / 16  # cycles per frame
SIDES = 0.35, 0.7  # sides of the smallest and the largest digit, as shares of the side of the frame
DARK, BRIGHT, NOISE = (0, 64), (160, 255), 8  # grey levels of background and digit; standard deviation of the noise
FINE = 8  # interpolated positions per pixel of an image; the nearest one is looked up
CHUNK = 64  # clips that are rendered at once


def moving_digits(
    count: int, seed: int | tuple[int, ...], frames: int = 16, size: int = 32, split: str = "train"
) -> tuple[np.ndarray, list[str]]:
    """Generates clips of a digit that moves in one of eight ways.

    Position, angle and size of a digit are phases of cycles: a digit that leaves the frame on one side enters on the
    other, and the largest size is followed by the smallest. All phases are drawn uniformly for each clip; the motion
    changes one of them by 1/32 to 1/16 of a cycle per frame, forwards or backwards. So single frames have the same
    distribution under all motions, and a reversed clip has the opposite motion. Digit, speed and brightness are random
    too, and there is noise. The digits are those of `sklearn.datasets.load_digits`.

    Args:
        count: number of clips; the numbers of clips per motion differ by at most one.
        seed: seed of the random generator; equal seeds give equal clips.
        frames: frames of a clip.
        size: height and width of a frame, in pixels.
        split: `train`, `validation` or `test`, which have different images of digits.

    Returns:
        (clips, motions): uint8 array (count, frames, size, size, 3), grey, and a list of keys of `MOTIONS`.

    Example:
        >>> clips, motions = moving_digits(8, seed=0, frames=4)
        >>> clips.shape, clips.dtype.name, set(motions) == set(MOTIONS)
        ((8, 4, 32, 32, 3), 'uint8', True)
    """
    from sklearn.datasets import load_digits

    rng, digits = np.random.default_rng(seed), load_digits().images / 16  # (images, 8, 8)
    digits = digits[np.isin(np.arange(len(digits)) * 10 // len(digits), TENTHS[split])]
    motions = rng.permutation(np.resize(list(MOTIONS), count)).tolist()
    clips = np.empty((count, frames, size, size, 3), np.uint8)
    for start in range(0, count, CHUNK):
        chosen = motions[start : start + CHUNK]
        images = digits[rng.integers(len(digits), size=len(chosen))]
        opacity = _render(images, _phases(rng, chosen, frames), size)
        dark, bright = (rng.uniform(*levels, (len(chosen), 1, 1, 1)).astype("float32") for levels in (DARK, BRIGHT))
        grey = dark + (bright - dark) * opacity + NOISE * rng.standard_normal(opacity.shape, "float32")
        clips[start : start + CHUNK] = np.clip(np.rint(grey), 0, 255).astype("uint8")[..., None].repeat(3, -1)
    return clips, motions


def _phases(rng: np.random.Generator, motions: Sequence[str], frames: int) -> np.ndarray:
    """Horizontal and vertical position, angle and size, each in [0, 1): (clips, frames, 4)."""
    begin, speed = rng.random((len(motions), 1, 4)), rng.uniform(*SPEEDS, len(motions))
    step = np.zeros_like(begin)
    for clip, motion in enumerate(motions):
        phase, direction = MOTIONS[motion]
        step[clip, 0, phase] = direction * speed[clip]
    return (begin + step * np.arange(frames)[:, None]) % 1


def _render(images: np.ndarray, phases: np.ndarray, size: int) -> np.ndarray:
    """Images (clips, 8, 8) moved, turned and scaled: float32 (clips, frames, size, size), from 0 to 1."""
    x, y, angle, scale = np.moveaxis(phases, -1, 0)[..., None, None].astype("float32")  # each (clips, frames, 1, 1)
    pixels = (np.arange(size, dtype="float32") + 0.5) / size
    right, down = (pixels - x + 0.5) % 1 - 0.5, (pixels[:, None] - y + 0.5) % 1 - 0.5  # from the centre of the digit
    cos, sin = np.cos(2 * np.pi * angle), np.sin(2 * np.pi * angle)
    density = 8 / (SIDES[0] * (SIDES[1] / SIDES[0]) ** scale)  # pixels of the image per side of the frame
    positions = (density * (sin * right + cos * down), density * (cos * right - sin * down))
    row, column = (np.clip((position + 5) * FINE, 0, 10 * FINE - 1).astype("int32") for position in positions)
    row += 10 * FINE * np.arange(len(images), dtype="int32")[:, None, None, None]
    return _interpolated(images).take(row * (10 * FINE) + column)


def _interpolated(images: np.ndarray) -> np.ndarray:
    """Images with a border of zeros and `FINE` times as many pixels a side, interpolated linearly."""
    fine = (np.arange(10 * FINE)[:, None] + 0.5) / FINE - 0.5
    weights = np.maximum(0, 1 - abs(fine - np.arange(10))).astype("float32")  # (10 * FINE, 10)
    return weights @ np.pad(images, [(0, 0), (1, 1), (1, 1)]).astype("float32") @ weights.T
