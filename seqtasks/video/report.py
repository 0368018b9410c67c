"""The report section of video classification: frames of misclassified clips."""

import base64
import html
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import image

from seqtasks.capabilities import Query
from seqtasks.data.memory import array_of
from seqtasks.report.formatting import number
from seqtasks.video import clips

if TYPE_CHECKING:
    from seqtasks.capabilities import Predictor
    from seqtasks.data.sources import Example

MAX_CLIPS = 12  # clips of a report
FRAMES = 8  # frames of a clip
SIDE = 96  # pixels of a frame on the page


def strip(frames: np.ndarray) -> np.ndarray:
    """Up to eight evenly spaced frames of a clip, side by side from left to right.

    Args:
        frames: uint8 array (frames, height, width, 3).

    Returns:
        uint8 array (height, width of all frames, 3).

    Example:
        >>> strip(np.zeros((16, 4, 4, 3), np.uint8)).shape
        (4, 32, 3)
    """
    count = min(FRAMES, len(frames))
    return np.concatenate(frames[(2 * np.arange(count) + 1) * len(frames) // (2 * count)], 1)


def png(pixels: np.ndarray) -> str:
    """An image, uint8 (height, width, 3), as a `data:` URL.

    Example:
        >>> png(np.zeros((4, 4, 3), np.uint8))[:22]
        'data:image/png;base64,'
    """
    file = io.BytesIO()
    metadata: dict[str, Any] = {"Software": None}  # without the version of Matplotlib
    image.imsave(file, pixels, format="png", metadata=metadata)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def report_sections(
    predictor: "Predictor", examples: "Sequence[Example]", options: clips.Options
) -> list[tuple[str, str]]:
    """The report section with the misclassified clips, those with the highest scores first.

    Args:
        predictor: a trained model of a `Classification` task over clips.
        examples: examples of the test split.
        options: how clips are read.

    Returns:
        `[(title, HTML)]`; empty if there are no errors.
    """
    answers = predictor.answers(Query(example.input, {}, example.columns) for example in examples)
    wrong = [(e, a) for e, a in zip(examples, answers, strict=True) if a.get("label", e.target) != e.target]
    wrong.sort(key=lambda pair: -pair[1]["score"])
    items = [_item(example, answer, clips.read(example.input, options)) for example, answer in wrong[:MAX_CLIPS]]
    return [("Misclassified clips", f'<ol class="mistakes">{"".join(items)}</ol>')] if items else []


def _item(example: "Example", answer: dict[str, Any], frames: np.ndarray) -> str:
    """A list item with the name of a clip, the predicted and the true class, and some frames."""
    where = example.input if array_of(example.input) is None else f"clip {example.place}"
    name, true, predicted = (html.escape(str(text)) for text in (where, example.target, answer["label"]))
    text = f'<p><small class="where">{name}</small>predicted <bdi class="wrong">{predicted}</bdi>'
    text += f' <small>score {number(answer["score"])}</small>, true <bdi class="right">{true}</bdi></p>'
    pixels = strip(frames)
    size = f'width="{SIDE * pixels.shape[1] // pixels.shape[0]}" height="{SIDE}"'
    alt = f"{min(FRAMES, len(frames))} frames of {name}"
    image_tag = f'<img src="{png(pixels)}" alt="{alt}" {size} style="image-rendering:pixelated">'
    figure = '<figure class="scroll" tabindex="0" aria-label="Frames in the order of time">'
    return f"<li>{text}{figure}{image_tag}</figure></li>"
