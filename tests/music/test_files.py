"""The tunes of the sample, statistics of pieces, and the files that they are written to."""

import itertools
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from seqtasks.data.partition import part
from seqtasks.data.splits import find_splits
from seqtasks.errors import UserError
from seqtasks.music import analysis, files, piano_rolls, pieces, synthesis, tunes
from seqtasks.music.midi import read_midi
from seqtasks.music.notes import Note

SAMPLE = Path(__file__).parents[2] / "recipes" / "samples" / "tunes.txt"
TUNES = tunes.read_tunes(SAMPLE)
TITLES = [tune.title for tune in TUNES]
MINOR = ("Greensleeves",)
IN_G = ("Amazing Grace", "Good King Wenceslas", "Minuet in G", "Old MacDonald Had a Farm", "Old Hundredth")
TONICS = {"Greensleeves": 9, "Auld Lang Syne": 5, "God Save the King": 7, **dict.fromkeys(IN_G, 7)}  # else C
LINE = "title: A\nmetre: 3/4\n"


@pytest.mark.parametrize("tune", TUNES, ids=TITLES)
def test_each_tune_has_complete_bars_no_gaps_and_its_key(tune):
    assert tune.notes and all(n.end > n.start for n in tune.notes)
    times = [t for note in tune.notes for t in note[1:3]]
    assert all(t * 2 == int(t * 2) for t in times)  # an eighth is the shortest note
    assert max(times) % tune.bar == 0
    low, high = analysis.pitch_range(tune.notes)
    assert low + min(tunes.KEYS) >= 36 and high + max(tunes.KEYS) <= 88
    steps = piano_rolls.text(piano_rolls.from_notes(tune.notes, 0.5)).split(";")
    assert all(1 <= len(step.split()) <= 2 for step in steps)
    found = analysis.key(tune.notes)
    assert (found.tonic, found.mode) == (TONICS.get(tune.title, 0), "minor" if tune.title in MINOR else "major")
    keys = {analysis.key(tunes.in_key(tune, semitones)).tonic for semitones in tunes.KEYS}
    assert keys == set(range(12))


def test_each_tune_is_in_one_split_in_twelve_keys():
    with pytest.warns(UserWarning, match="taken by the hash of the name of the file, title or piece"):
        splits = dict(find_splits(SAMPLE, files.formats(pieces.Options(step=0.5))))
    parts, seen = {"validation": {1}, "test": {0}, "train": set(range(2, 10))}, []
    for split, source in splits.items():
        found = list(source)
        titles = [title for title in TITLES if part(title) in parts[split]]
        assert [title for e in found for title in titles if title in e.place] == [t for t in titles for _ in range(12)]
        assert len({e.input for e in found}) == len(found)
        seen += titles
    assert sorted(seen) == sorted(TITLES) and len(set(seen)) == len(TITLES) >= 12
    with pytest.warns(UserWarning):
        first = next(iter(find_splits(SAMPLE, files.formats(pieces.Options("events"))).train))
    assert pieces.notes_of(first.input, pieces.Options("events"))[-1].end == TUNES[0].notes[-1].end / 2  # 120 a minute


def test_the_first_bars_of_a_tune_read_by_hand(tmp_path):
    content = (
        "# a comment\ntitle: A\norigin: B\nmetre: 6/8\nmelody: Bb3:0.5 | C#4 R:0.5 E4:1.5 |\nmelody: -:2 R:0.5 |\n"
    )
    (tmp_path / "a.txt").write_text(f"{content}bass: R:0.5 | - -:2 |\nbass: C2:2.5\n\n\n{LINE}melody: C4:3\n")
    first, second = tunes.read_tunes(tmp_path / "a.txt")
    assert first.bar == second.bar == 3 and second.notes == (Note(60, 0, 3),)
    assert first.notes == (Note(58, 0, 0.5), Note(61, 0.5, 1.5), Note(64, 2, 5.5), Note(36, 3.5, 6))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", ": no tunes in the file; begin each line with title:"),
        (f"{LINE}melody: C4 D4 E4 | F4:2 | G4:3", ": A, melody, bar 2: 2 quarter notes, expected 3; an upbeat"),
        (
            f"{LINE}melody: C4 | F4:3 | G4:3",
            ": A, melody, bar 3: 3 quarter notes, expected 2; an upbeat and the la",
        ),
        (f"{LINE}melody: C4 H4 E4", ": A, melody, bar 1: 'H4' is not a note; write notes like C4, F#4:0.5"),
        (f"{LINE}melody: C4:3 | C4:3\nbass: C3:3", ": A: the bass has 3 quarter notes, the melody 6; give both"),
        ("\ntitle: A\nmetre: three\nmelody: C4", ": A: 'three' is not a metre; write it like 3/4"),
        ("\n\nmetre: 3/4\nmelody: C4:3", ": the tune before line 5: no title; begin each line with"),
        (f"{LINE}chords: C", ":3: 'chords' is not a field of a tune; begin each line with title:, origin:, metre:"),
    ],
)
def test_invalid_tunes_raise(tmp_path, content, expected):
    path = tmp_path / "a.txt"
    path.write_text(content)
    with pytest.raises(UserError) as error:
        tunes.read_tunes(path)
    assert str(error.value).startswith(f"{path}{expected}")


@given(st.lists(st.tuples(st.integers(30, 90), st.integers(1, 8)), min_size=2, max_size=20))
def test_key_matches_the_best_of_24_correlations(found):
    notes = [Note(pitch, i, i + length) for i, (pitch, length) in enumerate(found)]
    sounding = np.zeros(12)
    for pitch, length in found:
        sounding[pitch % 12] += length
    np.testing.assert_allclose(analysis.pitch_classes(notes), sounding / sounding.sum())
    if np.ptp(sounding):
        fits = {
            (tonic, mode): np.corrcoef(sounding, [profile[(i - tonic) % 12] for i in range(12)])[0, 1]
            for mode, profile in analysis.PROFILES.items()
            for tonic in range(12)
        }
        key = analysis.key(notes)
        np.testing.assert_allclose([key.fit, fits[key[:2]]], max(fits.values()), atol=1e-9)


@pytest.mark.parametrize(
    ("pitches", "name"),
    [
        ((60, 62, 64, 65, 67, 69, 71, 72, 67, 64, 60), "C major"),
        ((62, 64, 66, 67, 69, 71, 73, 74, 69, 66, 62), "D major"),
        ((63, 65, 66, 68, 70, 71, 74, 75, 70, 66, 63), "Eb minor"),
    ],
)
def test_keys_of_scales_with_their_chords(pitches, name):
    assert analysis.key([Note(pitch, i, i + 1) for i, pitch in enumerate(pitches)]).name == name


def test_repetition_is_the_fraction_of_repeated_ngrams():
    for tokens in ("", "ab", "aaaa", "abcabcabd", "abcd"):
        for n in (1, 2, 3):
            runs = [tokens[i : i + n] for i in range(len(tokens) - n + 1)]
            before = sum(run in runs[:i] for i, run in enumerate(runs))
            assert analysis.repetition(tokens, n) == pytest.approx(before / len(runs) if runs else 0)


def test_lengths_of_a_tune_counted_by_hand():
    tune = TUNES[TITLES.index("Hot Cross Buns")]  # 6 + 3 quarters, 8 eighths, 3 + 3 + 2 halves
    found = analysis.note_lengths(tune.notes, 0.5)
    counts = {1: 8, 2: 6 + 6, 4: 3 + 3 + 2}
    assert found == pytest.approx({length: count / sum(counts.values()) for length, count in counts.items()})


values = st.lists(st.integers(-5, 20), min_size=1, max_size=20)


@given(values, values)
def test_distance_and_overlap_match_scipy_and_counting(first, second):
    expected = stats.wasserstein_distance(first, second)
    assert analysis.wasserstein(first, second) == pytest.approx(expected, abs=1e-9)
    for grain in (1, 5):
        bins = [[np.floor(v / grain + 0.5) for v in found] for found in (first, second)]
        shared = [min(b.count(v) / len(b) for b in bins) for v in set(itertools.chain(*bins))]
        assert analysis.overlap(first, second, grain) == pytest.approx(sum(shared))


def test_comparisons_of_sets_of_pieces():
    found = [tunes.in_key(tune, 0) for tune in TUNES]
    same = analysis.compare(found, [*found, []])
    assert list(same) == ["pitch", "pitch_class", "length", "range", "key_fit", "repetition"]
    for figures in same.values():
        assert figures["mean"] == figures["reference"]
        assert figures["overlap"] == pytest.approx(1) and figures["distance"] == pytest.approx(0)
    octave = analysis.compare([tunes.in_key(tune, 12) for tune in TUNES], found)
    assert octave["pitch"]["distance"] == pytest.approx(12) and octave["pitch_class"]["distance"] == 0
    slow = analysis.compare([[n._replace(start=2 * n.start, end=2 * n.end) for n in p] for p in found], found)
    mean = np.mean([n.end - n.start for p in found for n in p])
    assert slow["length"]["distance"] == pytest.approx(mean) and slow["repetition"]["distance"] == pytest.approx(0)
    with pytest.raises(UserError, match="no notes to compare"):
        analysis.compare([[]], found)


def test_tunes_are_written_as_files_of_notes(tmp_path):
    notes = tunes.in_key(TUNES[0], 0)
    synthesis.write(notes, tmp_path / "a.mid", tempo=100)
    assert read_midi(tmp_path / "a.mid", "quarters") == sorted(notes, key=lambda n: (n.start, n.pitch))
    with pytest.raises(UserError, match=r"a.mp3: unknown format '.mp3'; name a .mid or .wav file"):
        synthesis.write(notes, tmp_path / "a.mp3")


def test_sound_has_the_pitches_at_their_times(tmp_path):
    synthesis.write([Note(69, 0, 1), Note(57, 1, 3, 100)], tmp_path / "a.wav", tempo=120)
    with wave.open(str(tmp_path / "a.wav")) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, synthesis.RATE)
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    assert abs(np.abs(samples.astype(int)).max() - 0.9 * 32767) <= 1
    for start, hertz in ((0.05, 440), (0.6, 220)):
        part = samples[int(start * synthesis.RATE) :][: synthesis.RATE // 4] * np.hanning(synthesis.RATE // 4)
        spectrum = np.abs(np.fft.rfft(part))
        assert abs(np.argmax(spectrum) * 4 - hertz) <= 4
    assert not samples[int(1.7 * synthesis.RATE) :].any()  # silent behind the last note
    synthesis.write([], tmp_path / "b.wav")
    with wave.open(str(tmp_path / "b.wav")) as file:
        assert file.getnframes() == 0


def test_a_column_of_splits_in_memory(tmp_path):
    rolls = [[[60 + n], [62]] for n in range(6)]
    rows = [{"piece": r, "split": s} for r, s in zip(rolls, ["train"] * 3 + ["valid"] * 2 + ["test"], strict=True)]
    splits = find_splits(rows, files.formats())
    assert [[e.input for e in source] for _, source in splits] == [
        ["60;62", "61;62", "62;62"], ["63;62", "64;62"], ["65;62"],
    ]  # fmt: skip
