"""Reading of recordings, complete, faulty and truncated, and of streams of samples."""

import io
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqtasks.errors import UserError
from seqtasks.speech.audio import Options, pcm_chunks, read, resample

soundfile = pytest.importorskip("soundfile")
pytest.importorskip("soxr")
RATE = 16_000


def tone(rate, seconds=1.0, pitch=440, level=0.5):
    return (level * np.sin(2 * np.pi * pitch * np.arange(round(rate * seconds)) / rate)).astype("float32")


def hiss(*shape, level=0.1):
    return (level * np.random.default_rng(0).standard_normal(shape)).astype("float32")


def write(path, samples, rate=RATE, **kwargs):
    soundfile.write(path, samples, rate, **kwargs)
    return path


@pytest.mark.parametrize(
    ("name", "kwargs", "step"),
    [
        ("a.wav", {"subtype": "PCM_U8"}, 2**-7),
        ("a.wav", {"subtype": "PCM_16"}, 2**-15),
        ("a.wav", {"subtype": "PCM_24"}, 2**-23),
        ("a.wav", {"subtype": "FLOAT"}, 0),
        ("a.wav", {"subtype": "PCM_16", "format": "WAVEX"}, 2**-15),
        ("a.wav", {"subtype": "PCM_16", "format": "RF64"}, 2**-15),
        ("a.flac", {}, 2**-15),
    ],
)
def test_lossless_formats_keep_the_samples(tmp_path, name, kwargs, step):
    samples = hiss(5000)
    found = read(write(tmp_path / name, samples, **kwargs))
    assert found.dtype == np.float32 and found.shape == (5000,)
    np.testing.assert_allclose(found, samples, rtol=0, atol=step)


@pytest.mark.parametrize(
    ("name", "kwargs", "rate"),
    [
        ("a.ogg", {}, RATE),
        ("a.opus", {"format": "OGG", "subtype": "OPUS"}, 48_000),
        ("a.mp3", {}, RATE),
        ("a.mp3", {"bitrate_mode": "VARIABLE"}, 44_100),
    ],
)
def test_lossy_formats_keep_pitch_and_time(tmp_path, name, kwargs, rate):
    samples = np.concatenate([tone(rate, 0.5), tone(rate, 0.5, 880)])
    found = read(write(tmp_path / name, samples, rate, **kwargs))
    expected = np.concatenate([tone(RATE, 0.5), tone(RATE, 0.5, 880)])
    assert found.shape == (RATE,)
    error = (found - expected)[:-1000]  # codecs fade out
    assert np.sqrt(np.mean(error**2)) < 0.05 * np.sqrt(np.mean(expected**2))


def test_channels_are_averaged(tmp_path):
    samples = hiss(1000, 3)
    found = read(write(tmp_path / "a.wav", samples, subtype="FLOAT"))
    np.testing.assert_allclose(found, samples.astype("float64").mean(1), atol=1e-7)


@pytest.mark.parametrize("rate", [8000, 11_025, 22_050, 44_100, 48_000])
def test_resampling_keeps_frequencies_that_both_rates_can_represent(tmp_path, rate):
    samples = tone(rate, pitch=440) + tone(rate, pitch=10_000 if rate > 20_000 else 440)  # lost at 16,000
    found = read(write(tmp_path / "a.wav", samples, rate, subtype="FLOAT"))
    expected = tone(RATE, pitch=440) * (1 if rate > 20_000 else 2)
    assert found.dtype == np.float32 and abs(len(found) - RATE) <= 1
    np.testing.assert_allclose(found[500:15_500], expected[500:15_500], atol=1e-3)


@given(st.integers(1, 20_000), st.sampled_from([8000, 16_000, 22_050, 44_100]), st.sampled_from([8000, 16_000]))
def test_resampled_length(length, rate, wanted):
    assert abs(len(resample(hiss(length), rate, wanted)) - length * wanted / rate) <= 1


def test_arrays_are_read_as_recordings(tmp_path):
    samples = hiss(700)
    np.save(tmp_path / "a.npy", samples)
    np.testing.assert_array_equal(read(tmp_path / "a.npy", Options(8000)), samples)


def content(path, data):
    path.write_bytes(data)
    return path


def cut(path, share):
    return content(path, path.read_bytes()[: int(path.stat().st_size * share)])


def overwritten(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 5000] = bytes(5000)
    return content(path, data)


def saved(path, array):
    np.save(path, array)
    return path


def with_size(path, size):
    """The WAV with this size of the samples in its header."""
    data = bytearray(path.read_bytes())
    place = data.index(b"data") + 4
    data[place : place + 4] = struct.pack("<I", size)
    return content(path, data)


def untagged(path):
    """The MP3 without its first frame, which holds the number of frames."""
    data = path.read_bytes()
    assert b"Xing" in data[:50] or b"Info" in data[:50]
    return content(path, data[data.index(data[:2], 4) :])


CONSTANT = {"bitrate_mode": "CONSTANT", "compression_level": 0.5}
NOISE = hiss(2 * RATE)
WHOLE = "give a complete recording"
NONE = rf"cannot be read as a recording \(.*\); {WHOLE}"
SHORT = rf"truncated after \d\.\d of 2\.0 seconds; {WHOLE}"
LONG = "lasts 6.0 seconds, maximum 5; cut it into parts, or raise the maximum"
FAULTS = {
    "missing.wav": (lambda path: path, "no such file; check the path"),
    "empty.wav": (lambda path: content(path, b""), f"the file is empty; {WHOLE}"),
    "none.wav": (lambda path: write(path, NOISE[:0]), f"contains no samples; {WHOLE}"),
    "text.wav": (lambda path: content(path, b"no sound " * 99), NONE),
    "text.mp3": (lambda path: content(path, b"no sound " * 99), NONE),
    "text.flac": (lambda path: content(path, b"no sound " * 99), NONE),
    "text.ogg": (lambda path: content(path, b"no sound " * 99), NONE),
    "cut.wav": (lambda path: cut(write(path, NOISE), 0.6), rf"truncated after 38\d\d\d of 64000 bytes; {WHOLE}"),
    "cut_rf64.wav": (lambda path: cut(write(path, NOISE, format="RF64"), 0.6), "truncated after 38... of 64... bytes"),
    "cut.flac": (lambda path: cut(write(path, NOISE), 0.6), NONE),
    "cut.ogg": (lambda path: cut(write(path, NOISE), 0.6), "truncated: the last page is missing"),
    "cut.opus": (lambda path: cut(write(path, NOISE, format="OGG", subtype="OPUS"), 0.6), "truncated: the last page"),
    "cut.mp3": (lambda path: cut(write(path, NOISE), 0.6), SHORT),
    "damaged.flac": (lambda path: overwritten(write(path, NOISE)), NONE),
    "damaged.ogg": (lambda path: overwritten(write(path, NOISE)), "truncated: .*, or an earlier page is damaged"),
    "damaged.mp3": (lambda path: overwritten(write(path, NOISE)), f"({SHORT}|{NONE})"),
    "silent.wav": (lambda path: write(path, 0 * NOISE), "the recording is silent; give a recording with sound"),
    "constant.flac": (lambda path: write(path, 0 * NOISE + 0.5), "the recording is silent; give"),
    "opposite.wav": (lambda path: write(path, np.stack([NOISE, -NOISE], 1)), "the recording is silent; give"),
    "quiet.wav": (lambda path: write(path, NOISE * 1e-4, subtype="FLOAT"), "the recording is silent; give"),
    "nan.wav": (
        lambda path: write(path, NOISE / (NOISE > -0.3), subtype="FLOAT"),
        "contains samples that are not fin",
    ),
    "long.wav": (lambda path: write(path, hiss(6 * RATE)), LONG),
    "long.flac": (lambda path: write(path, hiss(6 * RATE)), LONG),
    "long.ogg": (lambda path: write(path, hiss(6 * RATE)), LONG),
    "long.mp3": (lambda path: write(path, hiss(6 * RATE)), LONG),
    "long.npy": (lambda path: saved(path, hiss(6 * RATE)), LONG),
    "long_untagged.mp3": (
        lambda path: untagged(write(path, hiss(6 * RATE), **CONSTANT)),
        "lasts longer than the maximum of 5 seconds; cut it into parts, or raise the maximum",
    ),
    "slow.wav": (lambda path: write(path, NOISE, 3999), "3999 samples per second; give a rate from 4000 to 192000"),
    "fast.wav": (
        lambda path: write(path, NOISE, 192_001),
        "192001 samples per second; give a rate from 4000 to",
    ),
    "wide.wav": (lambda path: write(path, hiss(100, 9)), "9 channels; give 8 at most"),
    "text.npy": (lambda path: content(path, b"no array"), "not an array .*; write it with numpy.save"),
    "double.npy": (
        lambda path: saved(path, np.ones(9)),
        r"array of type float64 and shape \(9,\); give float32",
    ),
    "square.npy": (
        lambda path: saved(path, hiss(9, 9)),
        r"array of type float32 and shape \(9, 9\); give float32",
    ),
    "none.npy": (lambda path: saved(path, NOISE[:0]), f"contains no samples; {WHOLE}"),
}


@pytest.mark.filterwarnings("ignore:divide by zero")
@pytest.mark.parametrize("name", FAULTS)
def test_faulty_recordings_raise(tmp_path, name):
    make, message = FAULTS[name]
    path = make(tmp_path / name)
    with pytest.raises(UserError, match=f"^{tmp_path}/{name}: {message}"):
        read(path, Options(longest=5))


def test_too_long_recordings_are_not_decoded(tmp_path, monkeypatch):
    path = write(tmp_path / "a.flac", hiss(2 * RATE))
    monkeypatch.setattr(soundfile.SoundFile, "read", lambda *args, **kwargs: pytest.fail("decoded"))
    with pytest.raises(UserError, match="lasts 2.0 seconds, maximum 1.5;"):
        read(path, Options(longest=1.5))


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg"])
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_recording_truncated_anywhere_raises(tmp_path_factory, name, share):
    path = write(tmp_path_factory.mktemp("cut") / name, NOISE[:4000])
    with pytest.raises(UserError, match=f"^{path}: "):
        read(cut(path, share))


@pytest.mark.parametrize("size", [0x7FFFFFFF, 0xFFFFFFFF])
def test_a_wav_without_a_length_in_its_header(tmp_path, size):
    path = write(tmp_path / "a.wav", NOISE)
    whole = read(path)
    np.testing.assert_array_equal(read(with_size(path, size)), whole)


def test_tags_around_the_samples(tmp_path):
    path = write(tmp_path / "a.mp3", NOISE)
    whole, data = read(path), path.read_bytes()
    tagged = b"ID3\4\0\0" + bytes([0, 0, 2, 0]) + bytes(256) + data + b"TAG" + bytes(125)
    np.testing.assert_array_equal(read(content(path, tagged)), whole)
    with pytest.raises(UserError, match="truncated after"):
        read(cut(path, 0.7))
    bare = read(untagged(write(path, NOISE, **CONSTANT)))
    assert len(whole) <= len(bare) <= len(whole) + 3 * 1152  # with the padding of the encoder at both ends
    wave = write(tmp_path / "a.wav", NOISE)
    listed = wave.read_bytes() + b"LIST" + struct.pack("<I", 26) + b"INFO"  # truncated behind the samples
    np.testing.assert_allclose(read(content(wave, listed)), NOISE, atol=2**-15)


class SlowFile:
    """A file whose `read` returns fewer bytes than requested."""

    def __init__(self, data, sizes):
        self.file, self.sizes = io.BytesIO(data), iter(sizes)

    def read(self, size):
        return self.file.read(min(size, next(self.sizes, size)))


@given(st.binary(max_size=200), st.lists(st.integers(1, 7), max_size=60), st.integers(1, 20))
def test_a_stream_with_reads_of_any_length(data, sizes, most):
    chunks = list(pcm_chunks(SlowFile(data, sizes), 10, most / 10))
    whole = [int.from_bytes(data[i : i + 2], "little", signed=True) / 2**15 for i in range(0, len(data) - 1, 2)]
    assert [float(sample) for chunk in chunks for sample in chunk] == whole
    assert all(0 < len(chunk) <= most and chunk.dtype == np.float32 for chunk in chunks)


def test_chunks_are_returned_before_the_stream_ends():
    data = iter([b"\0\1" * 8, b"\0\1" * 4])  # reading further would fail
    chunks = pcm_chunks(type("Live", (), {"read": lambda self, size: next(data)})(), 8, 1)
    assert [len(next(chunks)), len(next(chunks))] == [8, 4]
