"""Sound files of every format, by their content: codecs of FFmpeg, wrong headers, parts, and arrays in memory."""

import shutil
import struct
import time

import numpy as np
import pytest

from seqtasks.errors import UserError
from seqtasks.speech import decoding
from seqtasks.speech.audio import Options, from_array, read

av = pytest.importorskip("av")
soundfile = pytest.importorskip("soundfile")
pytest.importorskip("soxr")
RATE = 16_000


def sweep(rate, seconds=2.0, noise=0.02):
    """A tone of rising pitch in noise: no two pieces of it are alike."""
    time = np.arange(round(rate * seconds)) / rate
    hiss = noise * np.random.default_rng(0).standard_normal(len(time))
    return (0.3 * np.sin(2 * np.pi * (300 + 100 * time) * time) + hiss).astype("float32")


def encode(path, codec, rate, container=None, channels=1, seconds=2.0, bit_rate=None):
    """Writes a sweep with FFmpeg."""
    layout = {1: "mono", 2: "stereo"}[channels]
    with av.open(str(path), "w", format=container) as file:
        stream = file.add_stream(codec, rate=rate, layout=layout)
        if bit_rate:
            stream.bit_rate = bit_rate
        samples, convert = sweep(rate, seconds), av.AudioResampler(stream.format.name, layout, rate)
        for start in range(0, len(samples), 1024):
            block = np.ascontiguousarray(np.tile(samples[start : start + 1024], (channels, 1)))
            frame = av.AudioFrame.from_ndarray(block, "fltp", layout)
            frame.sample_rate, frame.pts = rate, start
            for converted in convert.resample(frame):
                file.mux(stream.encode(converted))
        file.mux(stream.encode(None))
    return path


def lag(found, expected):
    """The delay of a waveform against another one, in samples, by their correlation."""
    piece = expected[9000:20_000]
    return int(np.correlate(found[7000:23_000], piece, "valid").argmax()) - 2000


CODECS = {
    "phone.m4a": ("aac", 44_100, None, {}),
    "stereo.mp4": ("aac", 16_000, None, {"channels": 2}),
    "apple.m4a": ("alac", 16_000, "ipod", {}),
    "raw.aac": ("aac", 22_050, "adts", {}),
    "browser.webm": ("libopus", 48_000, None, {}),
    "a.mka": ("flac", 16_000, "matroska", {}),
    "a.3gp": ("libopencore_amrnb", 8000, None, {}),
    "a.amr": ("libopencore_amrnb", 8000, None, {}),
    "a.wma": ("wmav2", 44_100, "asf", {"bit_rate": 64_000}),
    "a.ac3": ("ac3", 48_000, None, {}),
    "mp3_inside.wav": ("libmp3lame", 16_000, "wav", {}),
    "a.mp2": ("mp2", 16_000, None, {}),
}
DELAYED = {"raw.aac", "a.wma", "a.ac3", "mp3_inside.wav", "a.mp2", "a.amr", "a.3gp"}  # do not state the codec's delay


@pytest.mark.parametrize("name", CODECS)
def test_formats_of_telephones_and_browsers(tmp_path, name):
    codec, rate, container, options = CODECS[name]
    path, expected = encode(tmp_path / name, codec, rate, container, **options), sweep(RATE, noise=0)
    found = read(path)
    assert found.dtype == np.float32 and len(found) / RATE == pytest.approx(2, abs=0.1)
    assert abs(lag(found, expected)) <= (1200 if name in DELAYED else 1)
    part = read(f"{path}#t=0.9,1.4")
    assert len(part) == 8000
    whole = found[round(0.9 * RATE) - 16 : round(1.4 * RATE) + 16]  # times in Matroska are whole milliseconds
    assert max(np.corrcoef(whole[n : n + 8000], part)[0, 1] for n in range(33)) > 0.99
    with pytest.raises(UserError, match=f"^{path}: lasts (2.[0-9] seconds, maximum|longer than the maximum of) 1.5"):
        read(path, Options(longest=1.5))
    assert len(read(f"{path}#t=1", Options(longest=1.5))) / RATE == pytest.approx(1, abs=0.1)
    with pytest.raises(UserError, match=r"the part from 3 to \d.* seconds is not inside the [12]\.\d+ seconds"):
        read(f"{path}#t=3,4")
    other = shutil.copy(path, tmp_path / "named.mp3")
    np.testing.assert_array_equal(read(other), found)  # the suffix does not matter


@pytest.mark.parametrize("name", ["phone.m4a", "browser.webm", "a.mka", "raw.aac", "a.wma", "mp3_inside.wav"])
def test_cut_recordings_of_ffmpeg_raise(tmp_path, name):
    codec, rate, container, options = CODECS[name]
    path = encode(tmp_path / name, codec, rate, container, **options)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.6)])
    with pytest.raises(
        UserError, match=f"^{path}: (truncated after|cannot be read as a recording) .*complete recording"
    ):
        read(path)


def test_a_live_recording_of_a_browser_states_no_length(tmp_path):
    whole = encode(tmp_path / "a.webm", "libopus", 48_000)
    with (
        av.open(str(whole)) as source,
        av.open(str(tmp_path / "live.webm"), "w", format="webm", options={"live": "1"}) as file,
    ):
        stream = file.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = stream
                file.mux(packet)
    with av.open(str(tmp_path / "live.webm")) as file:
        assert file.duration is None
    assert len(read(tmp_path / "live.webm")) == pytest.approx(2 * RATE, abs=400)
    with pytest.raises(UserError, match="lasts longer than the maximum of 1 seconds"):
        read(tmp_path / "live.webm", Options(longest=1))


def test_a_video_gives_its_sound_and_one_without_sound_is_named(tmp_path):
    for name, sounds in (("talk.mp4", True), ("mute.mp4", False)):
        with av.open(str(tmp_path / name), "w") as file:
            video = file.add_stream("mpeg4", rate=10, width=16, height=16)
            video.pix_fmt = "yuv420p"
            audio = file.add_stream("aac", rate=RATE, layout="mono") if sounds else None
            for _ in range(10):
                file.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), "uint8"), "rgb24")))
            file.mux(video.encode(None))
            if audio:
                frame = av.AudioFrame.from_ndarray(sweep(RATE, 1)[None], "fltp", "mono")
                frame.sample_rate = RATE
                file.mux(audio.encode(frame))
                file.mux(audio.encode(None))
    assert len(read(tmp_path / "talk.mp4")) == pytest.approx(RATE, abs=2000)
    with pytest.raises(UserError, match=r"mute.mp4: no sound in it; give a recording with sound"):
        read(tmp_path / "mute.mp4")


def test_the_extra_is_named_where_pyav_is_missing(tmp_path, monkeypatch):
    path = encode(tmp_path / "a.m4a", "aac", RATE)
    flac = tmp_path / "a.flac"
    soundfile.write(flac, sweep(RATE), RATE)
    text = tmp_path / "a.wav"
    text.write_bytes(b"no sound" * 99)
    found = decoding.needs

    def needs(package, extra):
        if package == "av":
            raise UserError("the package av is missing", remedy=f"pip install 'seqtasks[{extra}]'")
        found(package, extra)

    monkeypatch.setattr(decoding, "needs", needs)
    with pytest.raises(UserError, match=r"^the package av is missing; pip install 'seqtasks\[speech\]'"):
        read(path)
    assert len(read(flac)) == 2 * RATE
    with pytest.raises(UserError, match="a.wav: cannot be read as a recording"):
        read(text)


SOUNDFILE = [
    *[("AIFF", None), ("AIFF", "FLOAT"), ("AU", "ULAW"), ("NIST", None), ("W64", None), ("CAF", "ALAC_16")],
    *[("WAV", "IMA_ADPCM"), ("WAV", "GSM610"), ("RF64", None), ("VOC", None), ("IRCAM", None)],
]


@pytest.mark.parametrize(("kind", "subtype"), SOUNDFILE)
def test_every_format_of_libsndfile(tmp_path, kind, subtype):
    path = tmp_path / "sound.dat"
    soundfile.write(path, sweep(RATE), RATE, format=kind, subtype=subtype)
    found, expected = read(path), sweep(RATE)
    assert len(found) == pytest.approx(2 * RATE, abs=1100)
    assert np.corrcoef(found[: 2 * RATE], expected)[0, 1] > 0.98
    np.testing.assert_array_equal(read(f"{path}#t=0.5,1.25")[:100], found[8000:8100])


@pytest.mark.parametrize("kind", ["AIFF", "AU", "NIST", "W64", "CAF", "RF64", "WAV"])
def test_cut_recordings_of_libsndfile_raise(tmp_path, kind):
    path = tmp_path / f"a.{kind.lower()}"
    soundfile.write(path, sweep(RATE), RATE, format=kind)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.6)])
    with pytest.raises(UserError, match=f"^{path}: (truncated after|cannot be read).*; give a complete recording"):
        read(path)


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT", "ULAW"])
@pytest.mark.parametrize("stated", [0, 1000])
def test_a_wav_of_a_recorder_that_was_killed_is_read_to_its_end(tmp_path, subtype, stated):
    path = tmp_path / "a.wav"
    soundfile.write(path, sweep(RATE), RATE, subtype=subtype, format="WAV")
    data, whole = bytearray(path.read_bytes()), read(path)
    place = data.index(b"data") + 4
    del data[place + 4 + len(whole) * {"PCM_16": 2, "PCM_24": 3, "FLOAT": 4, "ULAW": 1}[subtype] :]  # later chunks
    data[4:8] = data[place : place + 4] = struct.pack("<I", stated)
    path.write_bytes(data)
    np.testing.assert_array_equal(read(path), whole)
    assert len(read(f"{path}#t=1,1.5")) == 8000


def test_a_wav_without_samples_is_named_whatever_follows(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, sweep(RATE)[:0], RATE)
    path.write_bytes(path.read_bytes() + b"LIST" + struct.pack("<I", 26) + b"INFOISFT" + bytes(18))
    with pytest.raises(UserError, match="contains no samples"):
        read(path)


def test_a_flac_that_was_written_to_a_pipe_is_read(tmp_path):
    path = tmp_path / "a.flac"
    soundfile.write(path, sweep(RATE), RATE)
    whole, data = read(path), bytearray(path.read_bytes())
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    path.write_bytes(data)
    np.testing.assert_allclose(read(path), whole, atol=1e-6)


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_an_mp3_of_variable_bit_rate_without_a_tag_keeps_its_end(tmp_path, rate):
    path, samples = tmp_path / "a.mp3", sweep(rate)
    samples[rate:] *= 0.01
    soundfile.write(path, samples, rate, bitrate_mode="VARIABLE")
    whole, data = read(path), path.read_bytes()
    assert b"Xing" in data[:50] or b"Info" in data[:50]
    path.write_bytes(data[data.index(data[:2], 4) :])
    found = read(path)
    assert len(whole) <= len(found) <= len(whole) + round(3 * 1152 * RATE / rate)
    assert len(read(f"{path}#t=1.5,2")) == 8000


def test_arrays_in_memory():
    wave = sweep(RATE)
    np.testing.assert_array_equal(from_array(wave, RATE), wave)
    for kind, step in (("int16", 2**-14), ("int32", 2**-22)):
        np.testing.assert_allclose(from_array((wave * np.iinfo(kind).max).astype(kind), RATE), wave, atol=step)
    stereo = np.stack([wave, 0 * wave])
    np.testing.assert_allclose(from_array(stereo, RATE), wave / 2)
    np.testing.assert_allclose(from_array(stereo.T, RATE), wave / 2)
    assert len(from_array(wave, 8000)) == 4 * RATE
    for wrong, message in (
        (np.ones((20, 30)), r"array of type float64 and shape \(20, 30\); give numbers"),
        (np.array(["a"]), "array of type <U1"),
        (np.zeros(100), "the recording is silent"),
        (np.array([0.5, np.nan]), "contains samples that are not finite"),
        (wave[:0], "contains no samples"),
        (np.tile(wave, 50), "lasts 100.0 seconds, maximum 60"),
    ):
        with pytest.raises(UserError, match=f"^x: {message}"):
            from_array(wrong, RATE, where="x")


def test_a_long_recording_is_read_by_its_parts(tmp_path):
    path = tmp_path / "long.flac"
    soundfile.write(path, np.tile(sweep(8000), 150), 8000)  # five minutes
    options = Options(8000)
    with pytest.raises(UserError, match="lasts 300.0 seconds, maximum 60"):
        read(path, options)
    started = time.process_time()
    np.testing.assert_array_equal(read(f"{path}#t=290,291", options), read(f"{path}#t=2,3", options))
    assert time.process_time() - started < 0.5  # the rest is not decoded
    with pytest.raises(UserError, match="not a segment; give start and end in seconds, such as #t=1.5,3"):
        read(f"{path}#t=3,2", options)
    named = tmp_path / "a#t=1,2"  # a file of this name is that file
    shutil.copy(path, named)
    with pytest.raises(UserError, match="lasts 300.0 seconds"):
        read(named, options)
