"""Morse code: the table as a tree, timing, and a decoder that reads the sound back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqtasks.errors import UserError
from seqtasks.speech import sample
from seqtasks.speech.sample import CODES, COUNTS, messages, read, sound, splits, units

TREE = "?etianmsurwdkgohvf?l?pjbxcyzq"  # left by a dot, right by a dash: node n leads to 2n + 1 and 2n + 2
texts = st.lists(st.text(list(CODES), min_size=2, max_size=6), min_size=1, max_size=3).map(" ".join)


def by_tree(code):
    """The character of a code, by the tree of letters, and the rule of digits."""
    if len(code) == 5:
        begins = len(code) - len(code.lstrip(code[0]))
        return str(begins if code[0] == "." else (5 + begins) % 10)
    node = 0
    for mark in code:
        node = 2 * node + (1 if mark == "." else 2)
    return TREE[node]


def decoded(waveform, rate):
    """The text of a waveform, decoded from the envelope at the strongest pitch."""
    spectrum = np.abs(np.fft.rfft(waveform))
    pitch = np.argmax(spectrum) * rate / len(waveform)
    shifted = waveform * np.exp(-2j * np.pi * pitch * np.arange(len(waveform)) / rate)
    window = np.hanning(round(0.02 * rate))
    envelope = np.abs(np.convolve(shifted, window / window.sum(), "same"))
    loud = envelope > np.quantile(envelope, 0.98) / 2
    ends = np.flatnonzero(np.diff(np.pad(loud, 1).astype(int)))
    lengths = np.diff(ends) / rate  # tones and gaps, alternating
    unit = lengths.min() / (1 if lengths.min() < 0.0905 else 3)  # at least 15 words per minute
    unit = np.mean(lengths[lengths < 2 * unit]) if (lengths < 2 * unit).any() else unit
    code = ""
    for place, length in enumerate(lengths / unit):
        tone, gap = "-" if length > 2 else ".", "" if length < 2 else " " if length < 5 else " / "
        code += gap if place % 2 else tone
    return " ".join("".join(map(by_tree, word.split())) for word in code.split("/"))


def test_codes_match_the_tree():
    assert {by_tree(code): code for code in CODES.values()} == CODES and len(CODES) == 36
    assert [CODES[c] for c in "eq5016"] == [".", "--.-", ".....", "-----", ".----", "-...."]


def test_lengths_in_units():
    assert sum(units("paris")) + 7 == 50  # the definition of words per minute
    assert units("sos") == [1, 1, 1, 1, 1, 3, 3, 1, 3, 1, 3, 3, 1, 1, 1, 1, 1]
    assert units("E  t") == [1, 7, 3]


@given(texts, st.integers(0, 10**6), st.sampled_from([8000, 16_000]))
def test_the_sound_is_read_back(text, seed, rate):
    waveform = sound(text, np.random.default_rng(seed), rate)
    assert waveform.dtype == np.float32 and np.abs(waveform).max() < 2
    assert decoded(waveform, rate) == text


@given(texts, st.integers(0, 10**6))
def test_duration_of_a_message(text, seed):
    seconds = len(sound(text, np.random.default_rng(seed))) / 8000
    least, most = (sum(units(text)) * 1.2 / speed * share for speed, share in ((35, 0.9), (15, 1.1)))
    assert least + 0.2 - 0.001 <= seconds <= most + 1 + 0.001


def test_tones_have_smooth_edges(monkeypatch):
    monkeypatch.setattr(sample, "NOISES", (200, 200))
    monkeypatch.setattr(sample, "JITTER", 0)
    waveform = sound("e", np.random.default_rng(0), 48_000)
    spectrum = np.abs(np.fft.rfft(waveform)) ** 2
    pitches = np.fft.rfftfreq(len(waveform), 1 / 48_000)
    middle = pitches[spectrum.argmax()]
    assert 400 <= middle <= 1000
    assert spectrum[np.abs(pitches - middle) > 400].sum() < 1e-4 * spectrum.sum()  # a click would reach further


@pytest.mark.parametrize("ratio", [5, 30])
def test_the_signal_to_noise_ratio(monkeypatch, ratio):
    monkeypatch.setattr(sample, "NOISES", (ratio, ratio))
    monkeypatch.setattr(sample, "SILENCE", (3, 3))
    monkeypatch.setattr(sample, "LEVELS", (0.3, 0.3))
    waveform = sound("e", np.random.default_rng(0))
    assert 10 * np.log10(0.3**2 / 2 / waveform[:23_000].var()) == pytest.approx(ratio, abs=0.2)


def test_messages_of_the_splits():
    found = {split: messages(400, seed, split) for seed, split in enumerate(("train", "validation", "test"))}
    assert all(len(set(texts)) == 400 for texts in found.values())
    assert not set(found["train"]) & {*found["validation"], *found["test"]}
    assert not set(found["validation"]) & set(found["test"])
    for texts in found.values():
        assert set("".join(texts)) <= {*CODES, " "}
        words = [text.split(" ") for text in texts]
        assert {len(w) for w in words} == {1, 2} and {len(w) for text in words for w in text} == {1, 2, 3}
    assert set("".join(messages(4000))) == {*CODES, " "}
    assert messages(20, 3) == messages(400, 3)[:20] != messages(20, 4)


def test_sources_of_messages():
    found = splits(counts=dict.fromkeys(COUNTS, 5))
    assert list(found) == ["train", "validation", "test"]
    for split, source in found.items():
        examples = list(source)
        assert [example.target for example in examples] == messages(5, 0, split)
        assert [example.input for example in examples] == [f"morse:{n}:{e.target}" for n, e in enumerate(examples)]
        assert decoded(read(examples[0].input), 8000) == examples[0].target


def test_equal_names_give_equal_waveforms():
    first = read("morse:7:sos")
    np.testing.assert_array_equal(first, read("morse:7:sos"))
    assert first.shape != read("morse:8:sos").shape and first.shape != read("morse:7:so").shape
    assert len(read("morse:7:sos", 16_000)) == pytest.approx(2 * len(first), abs=2)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("morse:x:sos", "morse:x:sos: not a Morse message; write morse:SEED:TEXT, SEED a whole number"),
        ("morse:1", "morse:1: not a Morse message; write"),
        ("morse:1:a-b", "morse:a-b: no code for '-'; give letters from a to z and digits"),
        ("morse:1: ", "morse: : no text; give letters"),
    ],
)
def test_invalid_names_raise(name, message):
    with pytest.raises(UserError, match=f"^{' '.join(message.split())}"):
        read(name)
