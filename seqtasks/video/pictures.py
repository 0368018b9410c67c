"""Clips that are folders of pictures: one picture for each frame, in the natural order of their names."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from seqtasks.errors import UserError
from seqtasks.video.decoding import check_sides

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
FLOW = ("flow_", "x_", "y_")  # pictures of the optical flow, which some tools write beside the frames


def natural(name: str) -> list[tuple[int, str]]:
    """The key by which numbers in names are ordered by their value.

    Example:
        >>> sorted(["frame10.jpg", "frame9.jpg", "frame1.jpg"], key=natural)
        ['frame1.jpg', 'frame9.jpg', 'frame10.jpg']
    """
    return [(int(part), "") if part.isdecimal() else (-1, part.lower()) for part in re.split(r"([0-9]+)", name)]


def pictures_in(folder: Path) -> list[Path]:
    """The pictures directly in a folder, in their order, without hidden ones and those of the optical flow.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ("img_2.jpg", "img_10.jpg", "flow_x_2.jpg", ".img_3.jpg", "notes.txt"):
        ...     (folder / name).touch()
        >>> [path.name for path in pictures_in(folder)]
        ['img_2.jpg', 'img_10.jpg']
    """
    found = list(_visible(folder))
    frames = [p for p in found if not p.name.lower().startswith(FLOW)]
    return sorted(frames or found, key=lambda p: natural(p.name))


def has_pictures(folder: Path) -> bool:
    """Whether a folder holds pictures directly."""
    return next(_visible(folder), None) is not None


def _visible(folder: Path) -> Iterator[Path]:
    return (p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and not p.name.startswith("."))


def read_picture(path: Path, size: int) -> np.ndarray:
    """The pixels of a picture, turned upright; a JPEG may be decoded at a lower resolution.

    Args:
        path: the file.
        size: pixels that each side has at least, if the picture has as many.

    Returns:
        uint8 array (height, width, 3), RGB.

    Raises:
        UserError: if it is not a picture, is not complete, or has more than 4096 pixels a side.
    """
    try:
        with Image.open(path) as file:
            check_sides(path, *file.size[::-1])
            file.draft("RGB", (size, size))
            image = ImageOps.exif_transpose(file)
            if image.mode == "I;16":  # 16 bits of grey
                image = Image.fromarray((np.asarray(image) >> 8).astype("uint8"))
            return np.asarray(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        what = f"cannot be read as a picture ({str(error).split(' <')[0]})"
        raise UserError(what, where=path, remedy="give a complete picture") from None
