"""Clips in a report: their frames side by side."""

import base64
import html
import io

import numpy as np
from matplotlib import image

from seqtasks.report.formatting import number
from seqtasks.video import files

SHOWN = 12  # strips of a report
FRAMES = 8  # of a strip
SIDE = 96  # pixels of a frame on the page


def strip(frames):
    """Some frames of a clip side by side, in the order of time.

    Args:
        frames: uint8 array (frames, height, width, 3).

    Returns:
        uint8 array (height, width of all, 3).

    Example:
        >>> strip(np.zeros((16, 4, 4, 3), np.uint8)).shape
        (4, 32, 3)
    """
    count = min(FRAMES, len(frames))
    return np.concatenate(frames[(2 * np.arange(count) + 1) * len(frames) // (2 * count)], 1)


def png(pixels):
    """An image, uint8 (height, width, 3), as a `data:` address."""
    file = io.BytesIO()
    image.imsave(file, pixels, format="png", metadata={"Software": None})
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def illustrate(predictor, examples, options):
    """The part of the report that shows the clips that were taken for another class, the gravest mistakes first.

    Args:
        predictor: the trained model of a `Classification` task over clips.
        examples: list of examples.
        options: how clips are read, `seqtasks.video.files.Options`.

    Returns:
        `[(title, HTML)]`; nothing where there are no mistakes.
    """
    answers = predictor.answers(example.input for example in examples)
    wrong = [(e, a) for e, a in zip(examples, answers, strict=True) if a.get("label", e.target) != e.target]
    wrong.sort(key=lambda pair: -pair[1]["score"])
    shown = [_shown(example, answer, files.read(example.input, options)) for example, answer in wrong[:SHOWN]]
    return [("Frames of mistakes", f'<ol class="mistakes">{"".join(shown)}</ol>')] if shown else []


def _shown(example, answer, frames):
    name, true, said = (html.escape(str(text)) for text in (example.input, example.target, answer["label"]))
    told = f'<p><span class="where">{name}</span><span class="wrong">{said}</span> ({number(answer["score"])})'
    told += f', in truth <span class="right">{true}</span></p>'
    pixels = strip(frames)
    size = f'width="{SIDE * pixels.shape[1] // pixels.shape[0]}" height="{SIDE}"'
    alt = f"{min(FRAMES, len(frames))} frames of {name}"
    picture = f'<img src="{png(pixels)}" alt="{alt}" {size} style="image-rendering:pixelated">'
    figure = '<figure class="scroll" tabindex="0" aria-label="Frames in the order of time">'
    return f"<li>{told}{figure}{picture}</figure></li>"
