"""Clips of handwritten digits that move; the class is the motion."""

import numpy as np

MOTIONS = {  # which phase moves (see `_phases`), and which way
    "left": (0, -1),
    "right": (0, 1),
    "up": (1, -1),
    "down": (1, 1),
    "turning left": (2, 1),
    "turning right": (2, -1),
    "growing": (3, 1),
    "shrinking": (3, -1),
}
TENTHS = {"train": range(8), "validation": range(8, 9), "test": range(9, 10)}  # of the images, which lie by writers
SPEEDS = 1 / 32, 1 / 16  # cycles a frame
SIDES = 0.35, 0.7  # of the smallest and the largest digit, over the side of the frame
DARK, BRIGHT, NOISE = (0, 64), (160, 255), 8  # grey levels of ground and digit; standard deviation of the noise
FINE = 8  # places to a pixel of an image, of which the nearest is looked up
CHUNK = 64  # clips that are drawn at a time


def moving(count, seed, frames=16, size=32, split="train"):
    """Clips of a digit that moves in one of eight ways.

    The place, the angle and the size of a digit are phases of cycles: what leaves the frame at one side enters at the
    other, and the largest is followed by the smallest. All phases are drawn evenly for each clip; the motion moves one
    of them by 1/32 to 1/16 of a cycle a frame, on or back. So a single frame looks the same under all motions, and a
    clip run backwards is one of the opposite motion. The digits are those of `sklearn.datasets.load_digits`. Digit,
    speed and brightness are drawn too, and there is noise.

    Args:
        count: of clips; each motion has as many as any other, or one less.
        seed: equal seeds give equal clips.
        frames: of a clip.
        size: height and width of a frame, in pixels.
        split: whose digits, which are different images: `train`, `validation` or `test`.

    Returns:
        uint8 array (count, frames, size, size, 3), grey, and a list of the motions, of `MOTIONS`.

    Example:
        >>> clips, motions = moving(8, seed=0, frames=4)
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
        drawn = _draw(images, _phases(rng, chosen, frames), size)
        dark, bright = (rng.uniform(*levels, (len(chosen), 1, 1, 1)).astype("float32") for levels in (DARK, BRIGHT))
        drawn = dark + (bright - dark) * drawn + NOISE * rng.standard_normal(drawn.shape, "float32")
        clips[start : start + CHUNK] = np.clip(np.rint(drawn), 0, 255).astype("uint8")[..., None].repeat(3, -1)
    return clips, motions


def _phases(rng, motions, frames):
    """Horizontal and vertical place, angle and size, each in [0, 1): (clips, frames, 4)."""
    begin, speed = rng.random((len(motions), 1, 4)), rng.uniform(*SPEEDS, len(motions))
    step = np.zeros_like(begin)
    for clip, motion in enumerate(motions):
        phase, way = MOTIONS[motion]
        step[clip, 0, phase] = way * speed[clip]
    return (begin + step * np.arange(frames)[:, None]) % 1


def _draw(images, phases, size):
    """Images (clips, 8, 8) as they lie in frames: float32 (clips, frames, size, size), from 0 to 1."""
    x, y, turn, large = np.moveaxis(phases, -1, 0)[..., None, None].astype("float32")  # each (clips, frames, 1, 1)
    pixels = (np.arange(size, dtype="float32") + 0.5) / size
    right, down = (pixels - x + 0.5) % 1 - 0.5, (pixels[:, None] - y + 0.5) % 1 - 0.5  # from the middle of the digit
    cos, sin = np.cos(2 * np.pi * turn), np.sin(2 * np.pi * turn)
    scale = 8 / (SIDES[0] * (SIDES[1] / SIDES[0]) ** large)  # pixels of the image over the side of the frame
    places = (scale * (sin * right + cos * down), scale * (cos * right - sin * down))
    row, column = (np.clip((place + 5) * FINE, 0, 10 * FINE - 1).astype("int32") for place in places)
    row += 10 * FINE * np.arange(len(images), dtype="int32")[:, None, None, None]
    return _finer(images).take(row * (10 * FINE) + column)


def _finer(images):
    """Images with an edge of zeros and `FINE` times as many pixels a side, interpolated linearly."""
    fine = (np.arange(10 * FINE)[:, None] + 0.5) / FINE - 0.5
    weights = np.maximum(0, 1 - abs(fine - np.arange(10))).astype("float32")  # (10 * FINE, 10)
    return weights @ np.pad(images, [(0, 0), (1, 1), (1, 1)]).astype("float32") @ weights.T
