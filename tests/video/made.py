"""Clips that tests make: frames whose grey level is their number, videos of them, folders and tables."""

from fractions import Fraction

import av
import numpy as np
from PIL import Image

STEP = 10  # grey levels from each frame to the next


def grey(count, height=16, width=16):
    """Frames whose grey level is their index times `STEP`."""
    return [np.full((height, width, 3), number * STEP, np.uint8) for number in range(count)]


def numbers(found):
    return [round(float(frame.mean()) / STEP) for frame in found]


def write(path, images, codec="libx264", rate=12, times=None, options=None, prepare=lambda stream: None, **container):
    """Writes a video of `images`; `times` are in frames and default to 0, 1, 2, ..."""
    with av.open(str(path), "w", options=container) as file:
        stream = file.add_stream(codec, rate=rate, options=options or {})
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = {"gif": "rgb8", "mjpeg": "yuvj420p"}.get(codec, "yuv420p")
        stream.bit_rate = 10**7
        prepare(stream)
        for number, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, "rgb24")
            frame.pts, frame.time_base = number if times is None else times[number], Fraction(1, rate)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


def two_b_frames(stream):
    stream.codec_context.max_b_frames = 2


def pictured(folder, images, suffix=".png", name="{}", **options):
    """A folder of pictures, numbered from 0."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{name.format(number)}{suffix}", **options)
    return folder


def saved(folder, array, name="a.npy"):
    np.save(folder / name, array)
    return folder / name


def cut(path, share):
    """Removes the end of a file."""
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    return path


def text(path, content):
    path.write_text(content)
    return path
