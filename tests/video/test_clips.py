"""Frames of clips: which are taken, how they are scaled, segments, parts of long clips, and what is no clip."""

import contextlib
import itertools
from fractions import Fraction

import numpy as np
import pytest

from seqtasks.errors import UserError
from seqtasks.video import decoding
from seqtasks.video.clips import Options, clips, read

av = pytest.importorskip("av")
from tests.video.made import cut, grey, numbers, pictured, saved, text, two_b_frames, write  # noqa: E402

FORMATS = {
    "a.mp4": {},
    "a.mov": {},
    "a.mkv": {},
    "a.webm": {"codec": "libvpx", "options": {"deadline": "realtime"}},
    "a.avi": {"codec": "mpeg4"},
    "b.avi": {"codec": "mpeg4", "prepare": two_b_frames},
    "a.gif": {"codec": "gif"},
    "a.m4v": {"format": "mp4"},
    "a.3gp": {"codec": "mpeg4"},
    "a.wmv": {"codec": "wmv2", "format": "asf"},
    "a.flv": {"codec": "flv"},
    "h264.flv": {},
    "a.ogv": {"codec": "libvpx", "format": "ogg", "options": {"deadline": "realtime"}},
    "a.ts": {"prepare": two_b_frames},
    "a.m2ts": {},
    "a.mts": {"codec": "mpeg2video", "format": "mpegts", "rate": 25},
    "a.mpg": {"codec": "mpeg1video", "rate": 25},
    "a.mpeg": {"codec": "mpeg2video", "format": "vob", "rate": 25},
}


@pytest.fixture(scope="module")
def two_seconds(tmp_path_factory):
    """24 frames at 12 a second."""
    return write(tmp_path_factory.mktemp("clips") / "a.mp4", grey(24))


@pytest.mark.parametrize("name", FORMATS)
def test_frames_are_taken_from_the_middles_of_equal_intervals(tmp_path, name):
    path = write(tmp_path / name, grey(24), **FORMATS[name])
    for count in (1, 5, 8, 24):
        found = read(path, Options(count, 16))
        assert found.shape == (count, 16, 16, 3) and found.dtype == np.uint8
        expected = [int((i + 0.5) * 24 / count) for i in range(count)]
        # The times of a GIF are hundredths of a second, so neighbouring frames may be swapped.
        assert np.abs(np.subtract(numbers(found), expected)).max() <= (name == "a.gif")
    assert numbers(read(path, Options(48, 16))) == [i // 2 for i in range(48)]
    rate = FORMATS[name].get("rate", 12)
    second = 6 / rate
    parts = list(clips(path, Options(6, 16, clip_seconds=second)))
    assert [number for number, _ in parts] == pytest.approx([0, second, 2 * second, 3 * second])
    found = [number for _, frames in parts for number in numbers(frames)]
    assert np.abs(np.subtract(found, range(24))).max() <= (name == "a.gif")


def trimmed(path, start):
    """A copy of a video without re-encoding, whose edit list hides what is before `start`, as `ffmpeg -ss` makes it."""
    out = path.with_stem("trimmed")
    with av.open(str(path)) as given, av.open(str(out), "w", options={"avoid_negative_ts": "disabled"}) as file:
        stream = given.streams.video[0]
        copy, offset = file.add_stream_from_template(stream), int(start / stream.time_base)
        for packet in given.demux(stream):
            if packet.dts is not None:
                packet.pts, packet.dts, packet.stream = packet.pts - offset, packet.dts - offset, copy
                file.mux(packet)
    return out


@pytest.mark.parametrize("prepare", [lambda stream: None, two_b_frames])
def test_what_an_edit_list_hides_is_no_part_of_a_clip(tmp_path, prepare):
    path = trimmed(write(tmp_path / "a.mp4", grey(24), options={"g": "24"}, prepare=prepare), 1)
    with av.open(str(path)) as file:
        assert sum(packet.is_discard for packet in file.demux(video=0)) >= 10
    assert numbers(read(path, Options(6, 16))) == [13, 15, 17, 19, 21, 23]
    parts = [(second, numbers(frames)) for second, frames in clips(path, Options(3, 16, clip_seconds=0.5))]
    assert parts == [(0, [13, 15, 17]), (0.5, [19, 21, 23])]


def test_a_stream_may_begin_between_keyframes(tmp_path):
    whole = write(tmp_path / "whole.ts", grey(24), options={"g": "8", "bf": "0", "sc_threshold": "0"})
    packets, size = [], 188
    with av.open(str(whole)) as file:
        packets = [(packet.pos, packet.is_keyframe) for packet in file.demux(video=0) if packet.size]
    content = whole.read_bytes()
    tables = content[: packets[0][0]]
    path = tmp_path / "late.ts"
    path.write_bytes(tables + content[packets[4][0] // size * size :])  # the next keyframe is the eighth frame
    assert [number for number, (_, key) in enumerate(packets) if key] == [0, 8, 16]
    assert numbers(read(path, Options(16, 16))) == list(range(8, 24))


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.avi", "a.npy", "pictures"])
def test_segments(tmp_path, name):
    if name == "pictures":
        path = pictured(tmp_path / name, grey(24))
    elif name == "a.npy":
        path = saved(tmp_path, np.stack(grey(24)))
    else:
        path = write(tmp_path / name, grey(24), **FORMATS[name])
    options = Options(6, 16, frame_rate=12)
    assert numbers(read(f"{path}#t=0.5,1", options)) == [6, 7, 8, 9, 10, 11]
    assert numbers(read(f"{path}#t=,0.5", options)) == [0, 1, 2, 3, 4, 5]
    assert numbers(read(f"{path}#t=1.5,9", options)) == [18, 19, 20, 21, 22, 23]  # no later than its end
    parts = clips(f"{path}#t=0.5,1.5", Options(2, 16, clip_seconds=0.5, frame_rate=12))
    assert [(second, numbers(frames)) for second, frames in parts] == [(0, [7, 10]), (0.5, [13, 16])]
    with pytest.raises(
        UserError, match=f"^{path}: the segment begins at 9 seconds, but the clip lasts 2.00; give seconds"
    ):
        read(f"{path}#t=9,10", options)
    with pytest.raises(UserError, match="not a segment; give start and end in seconds"):
        read(f"{path}#t=2,1", options)
    with pytest.raises(UserError, match="lasts longer than 0.2 seconds"):
        read(f"{path}#t=0.5,1", Options(max_seconds=0.2, frame_rate=12))


def test_a_file_may_be_named_like_a_segment(tmp_path):
    path = write(tmp_path / "a.mp4", grey(24))
    path = path.rename(tmp_path / "a.mp4#t=1")
    assert numbers(read(path, Options(2, 16))) == [6, 18]


def test_frames_are_chosen_by_time_whatever_the_start_time(tmp_path):
    times = [0, 1, 2, 12, 13, 20, 21, 22, 23]  # and the last frame lasts one
    for name, begin in itertools.product(("a.mp4", "a.mkv"), (0, 60)):
        path = write(tmp_path / name, grey(9), times=[begin + time for time in times])
        expected = [max(n for n, time in enumerate(times) if time <= (i + 0.5) * 3) for i in range(8)]
        assert numbers(read(path, Options(8, 16))) == expected
        (second, first), *_ = clips(path, Options(4, 16, clip_seconds=1))
        assert (second, numbers(first)) == (0, expected[:4])


@pytest.mark.parametrize(
    ("clip_seconds", "seconds"), [(0.5, [0, 0.5, 1, 1.5]), (0.75, [0, 0.75, 1.5]), (0.9, [0, 0.9])]
)
def test_clips_of_a_long_video(two_seconds, clip_seconds, seconds):
    found = list(clips(two_seconds, Options(3, 16, clip_seconds)))
    assert [second for second, _ in found] == seconds
    for second, frames in found:
        length = min(clip_seconds, 2 - second)
        assert numbers(frames) == [int((second + (i + 0.5) * length / 3) * 12 + 1e-6) for i in range(3)]


def test_video_of_one_clip(two_seconds):
    whole = read(two_seconds, Options(5, 16))
    for options in (Options(5, 16), Options(5, 16, clip_seconds=9.0)):
        ((second, found),) = clips(two_seconds, options)
        assert second == 0
        np.testing.assert_array_equal(found, whole)


def test_clips_are_decoded_lazily(two_seconds, monkeypatch):
    made = []
    monkeypatch.setattr(
        decoding, "crop_and_scale", lambda *args, crop=decoding.crop_and_scale: made.append(1) or crop(*args)
    )
    with contextlib.closing(clips(two_seconds, Options(3, 16, clip_seconds=0.5, max_seconds=1))) as found:
        for count in (3, 6):
            next(found)
            assert len(made) == count


RED, GREEN, BLUE = np.eye(3) * 200


def stripes(height, width):
    """Three stripes of equal height, side by side: red, green, blue."""
    return np.stack([RED, GREEN, BLUE])[np.arange(width) * 3 // width] * np.ones((height, 1, 1))


def colours(image):
    """The strongest colour of each pixel."""
    return "".join("rgb"[k] for k in image.argmax(-1).ravel())


def test_frames_are_scaled_and_cropped_to_the_centre(tmp_path):
    wide = np.repeat(stripes(48, 96).astype("uint8")[None], 3, 0)
    tall = wide.transpose(0, 2, 1, 3)
    for images, across in ((wide, lambda a: a[12]), (tall, lambda a: a[:, 12])):
        for found in (
            read(write(tmp_path / "a.mp4", list(images)), Options(2, 24)),
            read(saved(tmp_path, images), Options(2, 24)),
        ):
            row = across(found[0])
            assert colours(row[[0, 1, 2, 5, 12, 18, 21, 22, 23]]) == "rrrgggbbb"
            np.testing.assert_allclose(row[[1, 12, 22]], [RED, GREEN, BLUE], atol=12)


def test_non_square_pixels(tmp_path):
    def wide(stream):
        stream.codec_context.sample_aspect_ratio = Fraction(4)

    path = write(tmp_path / "a.mp4", [stripes(48, 24).astype("uint8")] * 3, prepare=wide)  # frames as 96 x 48
    assert colours(read(path, Options(1, 24))[0, 12, [0, 1, 2, 5, 12, 18, 21, 22, 23]]) == "rrrgggbbb"


@pytest.mark.parametrize("turn", [90, -90, 180])
def test_rotated_video_is_turned_upright(tmp_path, turn):
    path = write(
        tmp_path / "a.mp4", [stripes(48, 48).astype("uint8")] * 3, prepare=lambda s: s.set_display_rotation(turn)
    )
    found = read(path, Options(1, 24))[0]
    along = {90: found[::-1, 12], -90: found[:, 12], 180: found[12, ::-1]}[turn]  # counter-clockwise
    assert colours(along[[3, 12, 20]]) == "rgb"


def test_arrays_are_clips(tmp_path):
    array = np.stack(grey(20, 12, 16))
    found = read(saved(tmp_path, array), Options(4, 12))
    assert found.shape == (4, 12, 12, 3) and numbers(found) == [2, 7, 12, 17]
    parts = list(clips(tmp_path / "a.npy", Options(2, 12, clip_seconds=0.5, frame_rate=20)))
    assert [(second, numbers(frames)) for second, frames in parts] == [(0, [2, 7]), (0.5, [12, 17])]
    square = np.random.default_rng(0).integers(0, 256, (8, 12, 12, 3), "uint8")
    np.testing.assert_array_equal(read(saved(tmp_path, square), Options(8, 12)), square)


def sound(path):
    with av.open(str(path), "w") as file:
        stream = file.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), "float32"), "fltp", "mono")
        frame.sample_rate = 8000
        file.mux([*stream.encode(frame), *stream.encode()])
    return path


def overwritten(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 3000] = bytes(3000)
    path.write_bytes(content)
    return path


NOISE = list(np.random.default_rng(0).integers(0, 256, (24, 32, 32, 3), "uint8"))
INVALID = r"cannot be read as a video \(Invalid (data found when processing input|argument)\); give a complete video"
SHORT = r"ends after \d\.\d of 2\.0 seconds; give a complete video"
PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nwhole.mp4\n#EXT-X-ENDLIST\n"
ERRORS = {
    "missing.mp4": (lambda path: path, "no such file; check the path"),
    "empty.mp4": (lambda path: text(path, ""), "the file is empty; give a complete video"),
    "text.mp4": (lambda path: text(path, "no video " * 99), INVALID),
    "playlist.mp4": (lambda path: write(path.with_name("whole.mp4"), NOISE) and text(path, PLAYLIST), INVALID),
    "concat.mp4": (lambda path: text(path, "ffconcat version 1.0\nfile whole.mp4\n"), INVALID),
    "cut.mp4": (lambda path: cut(write(path, NOISE), 0.6), INVALID),
    "cut_behind_its_index.mp4": (
        lambda path: cut(write(path, NOISE, movflags="faststart"), 0.6),
        f"({SHORT}|{INVALID})",
    ),
    "cut.mkv": (lambda path: cut(write(path, NOISE), 0.6), SHORT),
    "cut.webm": (lambda path: cut(write(path, NOISE, **FORMATS["a.webm"]), 0.6), SHORT),
    "cut.avi": (lambda path: cut(write(path, NOISE, codec="mpeg4"), 0.6), SHORT),
    "corrupt.mp4": (lambda path: overwritten(write(path, NOISE)), INVALID),
    "sound.mp4": (sound, "no video stream that can be decoded; give a complete video"),
    "long.mp4": (
        lambda path: write(path, grey(25), rate=5),
        "lasts longer than 4 seconds; cut it into clips, or raise --max_seconds",
    ),
    "fast.mkv": (
        lambda path: write(path, grey(1) * 250, rate=1000),
        "more than 240 frames per second; convert it to fewer",
    ),
    "wide.avi": (
        lambda path: write(path, grey(1, 16, 4112), "mjpeg"),
        "4112 x 16 pixels, more than 4096 a side; scale it d",
    ),
    "wide.npy": (
        lambda path: saved(path.parent, np.zeros((1, 1, 4097, 3), "uint8"), path.name),
        "1 x 4097 pixels, more",
    ),
    "text.npy": (lambda path: text(path, "no array"), "not an array .*; write it with numpy.save"),
    "picture.npy": (
        lambda path: saved(path.parent, np.zeros((4, 4, 3)), path.name),
        r"an array float64 \(4, 4, 3\); give frames as \(time, height, width, 3\)",
    ),
    "none.npy": (
        lambda path: saved(path.parent, np.zeros((0, 4, 4, 3), "uint8"), path.name),
        r"an array uint8 \(0, 4, 4, 3\); give frames",
    ),
    "nan.npy": (
        lambda path: saved(path.parent, np.full((2, 4, 4, 3), np.nan), path.name),
        "values from nan to nan; give frames",
    ),
    "negative.npy": (
        lambda path: saved(path.parent, np.full((2, 4, 4, 3), -1.0), path.name),
        "values from -1 to -1; give frames",
    ),
    "folder": (
        lambda path: path.mkdir() or path,
        "a folder without pictures; give a clip; all clips in a folder are answered by --input FOLDER",
    ),
    "late": (
        lambda path: text(pictured(path, grey(4)) / "0.jpg", "no picture").parent,
        r"cannot be read as a picture",
    ),
    "broken": (
        lambda path: cut(pictured(path, NOISE) / "3.png", 0.5).parent,
        r"cannot be read as a picture \(.*truncated.*\); give a complete picture",
    ),
    "many": (
        lambda path: pictured(path, grey(1) * 101),
        "lasts longer than 4 seconds; cut it into clips, or raise --max_seconds",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_invalid_clips_raise(tmp_path, name):
    make, message = ERRORS[name]
    path = make(tmp_path / name)
    with pytest.raises(UserError, match=f"^{tmp_path}/{name}(/[^:]*)?: {message}"):
        read(path, Options(4, 16, max_seconds=4))


def test_max_seconds_applies_to_single_clips_only(tmp_path):
    path = write(tmp_path / "a.mp4", grey(25), rate=5)
    found = [numbers(frames) for _, frames in clips(path, Options(5, 16, clip_seconds=1, max_seconds=4))]
    assert list(itertools.chain(*found)) == list(range(25))
    with pytest.raises(UserError, match="ends after"):
        next(clips(cut(write(path.with_name("cut.mkv"), NOISE), 0.5), Options(clip_seconds=1)))


def test_missing_package_raises(two_seconds, monkeypatch):
    def missing(package, extra):
        raise UserError(f"the package {package} is missing", remedy=f"pip install 'seqtasks[{extra}]'")

    monkeypatch.setattr("seqtasks.video.decoding.needs", missing)
    with pytest.raises(UserError, match="^the package av is missing; pip install 'seqtasks.video.'"):
        read(two_seconds)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".JPEG", ".bmp", ".webp", ".tif"])
def test_a_folder_of_pictures_is_a_clip(tmp_path, suffix):
    folder = pictured(tmp_path / "clip", grey(24, 24, 32), suffix, "img_{}")  # img_10 stands behind img_9
    for other in ("Thumbs.db", ".img_3.jpg", "flow_x_0001.jpg", "notes.txt"):
        text(folder / other, "no picture")
    found = read(folder, Options(8, 12))
    assert found.shape == (8, 12, 12, 3) and numbers(found) == [1, 4, 7, 10, 13, 16, 19, 22]
    parts = clips(folder, Options(2, 12, clip_seconds=1, frame_rate=12))
    assert [(second, numbers(frames)) for second, frames in parts] == [(0, [3, 9]), (1, [15, 21])]


def test_pictures_are_scaled_and_cropped_as_arrays_are(tmp_path):
    wide = stripes(48, 96).astype("uint8")
    for name, images in (("wide", [wide] * 3), ("tall", [wide.transpose(1, 0, 2)] * 3)):
        found = read(pictured(tmp_path / name, images), Options(2, 24))
        np.testing.assert_array_equal(found, read(np.stack(images), Options(2, 24)))
        close = read(pictured(tmp_path / f"{name}_jpg", images, ".jpg", quality=95), Options(2, 24))
        assert np.abs(close.astype(int) - found).mean() < 12  # a JPEG, decoded at half of its size


def test_pictures_of_any_kind(tmp_path):
    """Grey of 8 and 16 bits, a palette, transparency, CMYK, and pictures that a camera turned."""
    from PIL import Image

    image = Image.fromarray(stripes(24, 24).astype("uint8"))
    for mode, suffix in (("L", ".png"), ("P", ".png"), ("RGBA", ".png"), ("CMYK", ".jpg"), ("RGB", ".jpg")):
        folder = tmp_path / mode
        folder.mkdir()
        image.convert(mode).save(folder / f"1{suffix}")
        expected = np.asarray(image.convert("L").convert("RGB") if mode == "L" else image).astype(int)
        found = read(folder, Options(1, 24))[0]
        assert np.abs(found - expected)[:, [2, 3, 4, 11, 12, 20, 21]].mean() < 12, mode
    (tmp_path / "deep").mkdir()
    Image.fromarray(np.full((24, 24), 50 * 256, np.uint16)).save(tmp_path / "deep" / "1.png")
    assert read(tmp_path / "deep", Options(1, 24)).tolist() == np.full((1, 24, 24, 3), 50).tolist()
    (tmp_path / "turned").mkdir()
    turned = Image.Exif()
    turned[0x0112] = 6  # to be turned by 90 degrees clockwise
    image.save(tmp_path / "turned" / "1.jpg", exif=turned, quality=95)
    assert colours(read(tmp_path / "turned", Options(1, 24))[0, [3, 12, 20], 12]) == "rgb"


@pytest.mark.parametrize(("dtype", "scale"), [("uint8", 1), ("float32", 1 / 255), ("float64", 1), ("int64", 1)])
def test_frames_in_memory(dtype, scale):
    frames = (np.stack(grey(20, 12, 16)) * scale).astype(dtype)
    found = read(frames, Options(4, 8))
    assert found.shape == (4, 8, 8, 3) and found.dtype == np.uint8 and numbers(found) == [2, 7, 12, 17]
    np.testing.assert_array_equal(read(frames[..., :1], Options(4, 8)), found)  # grey has one channel
