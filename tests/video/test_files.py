"""Decoding of videos, sources of clips, invalid input, and the moving digits."""

import contextlib
import itertools
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqtasks.data.sources import Example
from seqtasks.data.splits import part
from seqtasks.errors import UserError
from seqtasks.video import decoding
from seqtasks.video.files import Options, clips, load_splits, open_clips, open_tfds, read
from seqtasks.video.sample import MOTIONS, _phases, _render, moving_digits

av = pytest.importorskip("av")
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


FORMATS = {
    "a.mp4": {},
    "a.mov": {},
    "a.mkv": {},
    "a.webm": {"codec": "libvpx", "options": {"deadline": "realtime"}},
    "a.avi": {"codec": "mpeg4"},
    "b.avi": {"codec": "mpeg4", "prepare": two_b_frames},
    "a.gif": {"codec": "gif"},
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


def saved(folder, array, name="a.npy"):
    np.save(folder / name, array)
    return folder / name


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
    ((second, same),) = clips(tmp_path / "a.npy", Options(4, 12, clip_seconds=0.1))
    assert second == 0
    np.testing.assert_array_equal(same, found)
    square = np.random.default_rng(0).integers(0, 256, (8, 12, 12, 3), "uint8")
    np.testing.assert_array_equal(read(saved(tmp_path, square), Options(8, 12)), square)


def cut(path, share):
    """Removes the end of a file."""
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    return path


def text(path, content):
    path.write_text(content)
    return path


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
        "lasts longer than 4 seconds; cut it into clips, or raise the limit",
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
    "float.npy": (
        lambda path: saved(path.parent, np.zeros((2, 4, 4, 3)), path.name),
        r"an array float64 \(2, 4, 4, 3\); give uint8 \(time, height, width, 3\)",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_invalid_clips_raise(tmp_path, name):
    make, message = ERRORS[name]
    path = make(tmp_path / name)
    with pytest.raises(UserError, match=f"^{tmp_path}/{name}: {message}"):
        read(path, Options(4, 16, max_seconds=4))


def test_max_seconds_applies_to_single_clips_only(tmp_path):
    path = write(tmp_path / "a.mp4", grey(25), rate=5)
    found = [numbers(frames) for _, frames in clips(path, Options(5, 16, clip_seconds=1, max_seconds=4))]
    assert list(itertools.chain(*found)) == list(range(25))
    with pytest.raises(UserError, match="ends after"):
        next(clips(cut(write(path.with_name("cut.mkv"), NOISE), 0.5), Options(clip_seconds=1)))


def folder_of(folder, *names):
    """Writes arrays of one frame under these names: CLASS/CLIP."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        saved(folder, np.zeros((1, 4, 4, 3), np.uint8), name)
    return folder


def pairs(source):
    return [(Path(example.input).name, example.target) for example in source]


def test_folder_per_class_is_ordered_by_a_hash_of_names(tmp_path):
    names = [f"{label}/{n}.npy" for label in ("run", "walk") for n in range(20)]
    one, other = (folder_of(tmp_path / place, *order) for place, order in (("a", names), ("b/c", names[::-1])))
    (one / "walk" / "notes.txt").write_text("no clip")
    (one / "walk" / "._0.npy").write_text("no clip")
    found = pairs(open_clips(one))
    assert sorted(found) == sorted((name.split("/")[1], name.split("/")[0]) for name in names)
    assert found == pairs(open_clips(other)) and len(set(label for _, label in found[:8])) == 2
    assert all(example.place == example.input for example in open_clips(one))


@pytest.mark.parametrize(("name", "comma"), [("all.csv", ","), ("all.tsv", "\t")])
@pytest.mark.parametrize("header", ["path,label", "file,class", ""])
def test_table_paths_are_relative_to_its_folder(tmp_path, name, comma, header):
    folder_of(tmp_path, "a/1.npy", "b/2.npy")
    lines = [header] * bool(header) + ["a/1.npy,run", f"{tmp_path}/b/2.npy,walk", "a/3.npy,run"]
    path = text(tmp_path / name, "\n".join(lines).replace(",", comma))
    source, first = open_clips(path), 1 + bool(header)
    found = list(itertools.islice(source, 2))
    assert found == [
        Example(f"{tmp_path}/{c}", t, first + n) for n, (c, t) in enumerate([("a/1.npy", "run"), ("b/2.npy", "walk")])
    ]
    with pytest.raises(
        UserError, match=f"^{path}:{first + 2}: no such file {tmp_path}/a/3.npy; give paths relative to"
    ):
        list(source)


def test_invalid_sources_raise(tmp_path):
    folder_of(tmp_path, "a/1.npy")
    for name, content, message in (
        ("a.csv", "a/1.npy,run\na.csv,walk", "a.csv:2: a.csv is not a clip; clips end in .mp4, .avi"),
        ("b.txt", "a/1.npy run", "b.txt: unknown format '.txt'; files end in .mp4, .avi"),
        ("c.mp4", "", "c.mp4: the file is empty; give a complete video"),
    ):
        with pytest.raises(UserError, match=f"^{tmp_path}/{message}"):
            list(open_clips(text(tmp_path / name, content)))
    (tmp_path / "d" / "e").mkdir(parents=True)
    with pytest.raises(
        UserError, match="d: no clips in sub-folders here .found e.; give a folder with one sub-folder per"
    ):
        open_clips(tmp_path / "d")
    with pytest.raises(UserError, match="no.mp4: no such file; check the path"):
        open_clips(tmp_path / "no.mp4")
    with pytest.raises(
        UserError, match="1.npy: a clip without a class; give a folder with one sub-folder per class, or a t"
    ):
        load_splits(tmp_path / "a" / "1.npy")
    clip = str(tmp_path / "a" / "1.npy")
    assert list(open_clips(clip)) == [Example(clip, "", clip)]


def test_given_splits(tmp_path):
    folder_of(
        tmp_path, *(f"{split}/{label}/{split}.npy" for split in ("train", "valid", "test") for label in ("a", "b"))
    )
    for name, source in load_splits(tmp_path):
        assert {label for _, label in pairs(source)} == {"a", "b"}
        assert {clip for clip, _ in pairs(source)} == {{"validation": "valid"}.get(name, name) + ".npy"}
    for split in ("train", "dev", "test"):
        text(tmp_path / f"{split}.csv", f"train/a/train.npy,{split}")
    tables = load_splits(None, train=tmp_path / "train.csv", valid=tmp_path / "dev.csv", test=tmp_path / "test.csv")
    assert [label for _, source in tables for _, label in pairs(source)] == ["train", "dev", "test"]


def test_splits_by_the_hash_of_the_recording(tmp_path):
    names = [f"run/v_run_g{g:02}_c{c:02}.npy" for g in range(30) for c in (1, 2)]
    found = {}
    for place in ("a", "b"):
        with pytest.warns(
            UserWarning, match="no test and no validation split given; 10 % of train each taken by the hash"
        ):
            splits = load_splits(folder_of(tmp_path / place, *names))
        found[place] = {name: sorted(clip for clip, _ in pairs(source)) for name, source in splits}
    assert found["a"] == found["b"]  # independent of the folder
    for number, name in enumerate(("test", "validation")):
        groups = [g for g in range(30) if part(f"run/v_run_g{g:02}") == number]
        assert found["a"][name] == [f"v_run_g{g:02}_c{c:02}.npy" for g in groups for c in (1, 2)]
    assert sum(map(len, found["a"].values())) == 60


def test_missing_package_raises(two_seconds, monkeypatch):
    def missing(package, extra):
        raise UserError(f"the package {package} is missing", remedy=f"pip install 'seqtasks[{extra}]'")

    monkeypatch.setattr("seqtasks.video.decoding.needs", missing)
    with pytest.raises(UserError, match="^the package av is missing; pip install 'seqtasks.video.'"):
        read(two_seconds)


def test_tensorflow_datasets(tmp_path):
    import tensorflow as tf
    import tensorflow_datasets as tfds

    rows = [{"video": np.stack(grey(n + 8, 16, 20)), "label": n} for n in range(3)]
    signature = {"video": tf.TensorSpec([None, 16, 20, 3], "uint8"), "label": tf.TensorSpec([], "int64")}
    reads = []

    def dataset(self, *args, **kwargs):
        return tf.data.Dataset.from_generator(lambda: reads.append(1) or iter(rows), output_signature=signature)

    with tfds.testing.mock_data(as_dataset_fn=dataset, data_dir=tmp_path):
        for _ in range(2):
            source = open_tfds("ucf101/ucf101_1", "train", Options(4, 16))
            labels = tfds.builder("ucf101/ucf101_1").info.features["label"].names[:3]
            assert [example.target for example in source] == labels
            for example, row in zip(source, rows, strict=True):
                frames = read(example.input, Options(4, 16))
                count = len(row["video"])
                assert frames.shape == (4, 16, 16, 3) and numbers(frames) == [
                    int((i + 0.5) * count / 4) for i in range(4)
                ]
        assert len(reads) == 1  # the second call reads the arrays
        with pytest.warns(UserWarning, match="no validation split given"):
            splits = load_splits("tfds:ucf101/ucf101_1", Options(4, 16))
        assert len(list(splits.test)) == 3
        with pytest.raises(
            UserError, match="tfds:mnist: no video and class among the features image, label; name another"
        ):
            open_tfds("mnist", "train")


def test_real_clips(data_folder):
    splits = load_splits(data_folder / "video" / "fights")
    assert [len(list(source)) for _, source in splits] == [210, 30, 60]
    for example in itertools.islice(splits.test, 0, None, 12):
        frames = read(example.input, Options(8, 32))
        assert frames.shape == (8, 32, 32, 3) and 10 < frames.mean() < 245 and frames.std() > 10


def test_moving_digits_depend_on_the_seed_only():
    frames, motions = moving_digits(100, seed=3, frames=5, size=24)
    same, equal = moving_digits(100, seed=3, frames=5, size=24)
    assert frames.shape == (100, 5, 24, 24, 3) and frames.dtype == np.uint8 and (frames == frames[..., :1]).all()
    np.testing.assert_array_equal(frames, same)
    assert motions == equal and {motions.count(motion) for motion in MOTIONS} == {12, 13}
    assert (moving_digits(100, seed=4, frames=5, size=24)[0] != frames).any((1, 2, 3, 4)).all()


def test_splits_share_no_digits(monkeypatch):
    from sklearn.datasets import load_digits

    def render(images, phases, size):
        found.update(image.tobytes() for image in images)
        return np.zeros((*phases.shape[:2], size, size), "float32")

    monkeypatch.setattr("seqtasks.video.sample._render", render)
    seen, kinds = [], load_digits()
    names = dict(zip((image.tobytes() for image in kinds.images / 16), kinds.target.tolist(), strict=True))
    for split in ("train", "validation", "test"):
        found = set()
        moving_digits(3000, 0, frames=1, size=1, split=split)
        assert {names[image] for image in found} == set(range(10))
        seen.append(found)
    assert not seen[0] & seen[1] and not seen[0] & seen[2] and not seen[1] & seen[2]


def rendered(x=0.5, y=0.5, angle=0.0, scale=0.5, size=33, image=None):
    image = np.triu(np.ones((8, 8))) if image is None else image
    return _render(image[None], np.array([[[x, y, angle, scale]]]), size)[0, 0]


@given(st.integers(-40, 40), st.integers(-40, 40))
def test_position_phases_move_a_digit_with_wrap_around(right, down):
    found = rendered((0.5 + right / 33) % 1, (0.5 + down / 33) % 1)
    rolled = np.roll(rendered(), (down, right), (0, 1))
    assert np.mean(abs(found - rolled) > 0.2) < 0.01  # the nearest interpolated position may differ


def test_angle_and_size_phases():
    for quarters in range(4):
        turned = np.rot90(rendered(), quarters)  # counter-clockwise, as rows go down
        assert np.mean(abs(rendered(angle=quarters / 4) - turned) > 0.2) < 0.02
    for scale, side in ((0, 0.35), (0.5, 0.35 * 2**0.5), (1 - 1e-6, 0.7)):
        area = rendered(scale=scale, size=201, image=np.ones((8, 8))).mean()
        np.testing.assert_allclose(area, side**2, rtol=0.02)


OPPOSITES = [("right", "left"), ("down", "up"), ("turning left", "turning right"), ("growing", "shrinking")]


@pytest.mark.parametrize("phase", range(4))
def test_motion_moves_one_phase_and_reversed_is_its_opposite(phase):
    assert sorted(itertools.chain(*OPPOSITES)) == sorted(MOTIONS)
    forward, reverse = (_phases(np.random.default_rng(0), [name] * 500, 9) for name in OPPOSITES[phase])
    np.testing.assert_array_equal(forward[:, 0], reverse[:, 0])  # the random draws do not depend on the motion
    step = (np.diff(forward, axis=1) + 0.5) % 1 - 0.5
    np.testing.assert_allclose(step, -((np.diff(reverse, axis=1) + 0.5) % 1 - 0.5), atol=1e-9)
    assert (np.delete(step, phase, -1) == 0).all()
    np.testing.assert_allclose(step[..., phase], step[:, :1, phase].repeat(8, 1), atol=1e-9)
    assert (step[..., phase] >= 1 / 32 - 1e-9).all() and (step[..., phase] <= 1 / 16 + 1e-9).all()


def test_single_frames_do_not_reveal_the_motion():
    from scipy.stats import kstest
    from sklearn.neighbors import KNeighborsClassifier

    for motion in MOTIONS:
        found = _phases(np.random.default_rng(1), [motion] * 2000, 6)
        assert min(kstest(found[:, t, k], "uniform").pvalue for t in (0, 5) for k in range(4)) > 1e-3
    frames, motions = moving_digits(1600, 0, frames=3, size=12)
    for frame in (0, 2):
        pixels = frames[:, frame, :, :, 0].reshape(1600, -1).astype("float32")
        right = KNeighborsClassifier(5).fit(pixels[:1000], motions[:1000]).score(pixels[1000:], motions[1000:])
        assert abs(right - 1 / 8) < 4 * (1 / 8 * 7 / 8 / 600) ** 0.5
