"""Notes from MIDI files to rolls and events and back, and pieces as strings."""

import itertools
import math
import re

import mido
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from seqtasks.errors import UserError
from seqtasks.music import events, piano_rolls, pieces
from seqtasks.music.midi import read_midi, write_midi
from seqtasks.music.notes import LONGEST, Note, cut, on_grid, timed

EVENTS = pieces.Options(representation="events")
times = st.floats(0, 20, allow_nan=False)


@st.composite
def performances(draw):
    """Notes of few pitches, so that many overlap, some of no length to speak of."""
    pitch, velocity = st.sampled_from([21, 60, 61, 108]), st.integers(1, 127)
    found = draw(st.lists(st.tuples(pitch, times, st.floats(0.001, 3), velocity), max_size=12))
    return [Note(p, start, start + length, v) for p, start, length, v in found]


def sounding(notes, pitch, step):
    """The steps in which a key is down, from notes with times in steps."""
    return {t for note in notes if note.pitch == pitch for t in range(round(note.start), round(note.end))}


def hundredths(notes):
    return [(n.pitch, round(n.start * 100), round(n.end * 100), n.velocity // 4) for n in notes]


def message(kind, time, channel=0, **fields):
    return mido.Message(kind, channel=channel, time=time, **fields)


def write(path, *tracks, ticks=100):
    """A MIDI file made by mido; times are ticks since the message before, 5 ms each."""
    file = mido.MidiFile(ticks_per_beat=ticks)
    file.tracks += [mido.MidiTrack(track) for track in tracks]
    path.parent.mkdir(parents=True, exist_ok=True)
    file.save(path)
    return path


def scale(path, first=60):
    return write(path, [message(k, 50, note=first + i) for i in range(3) for k in ("note_on", "note_off")])


@given(performances())
def test_cut_removes_overlaps_and_keeps_starts(notes):
    found = cut(notes)
    assert found == sorted(found, key=lambda n: (n.start, n.pitch)) and cut(found) == found
    assert {(n.pitch, n.start) for n in found} == {(n.pitch, n.start) for n in notes}
    for pitch in {n.pitch for n in found}:
        own = [n for n in found if n.pitch == pitch]
        assert all(a.end <= b.start for a, b in itertools.pairwise(own))
        for note, after in zip(own, [*own[1:], Note(pitch, math.inf, math.inf)], strict=True):
            same = [n for n in notes if n.pitch == pitch and n.start == note.start]
            assert note.end == min(max(n.end for n in same), after.start)
            assert note.velocity == max(n.velocity for n in same)


@given(performances(), st.sampled_from([0.01, 0.25, 1 / 3]))
def test_rolls_have_the_steps_of_the_notes_and_convert_back(notes, step):
    roll, grid = piano_rolls.from_notes(notes, step), on_grid(notes, step)
    for pitch in range(piano_rolls.LOWEST, piano_rolls.HIGHEST + 1):
        assert set(np.flatnonzero(roll[:, pitch - piano_rolls.LOWEST]).tolist()) == sounding(grid, pitch, step)
    assert len(roll) == max((n.end for n in grid), default=0)
    back = piano_rolls.to_notes(roll, step)
    np.testing.assert_array_equal(piano_rolls.from_notes(back, step), roll)
    np.testing.assert_array_equal(piano_rolls.parse(piano_rolls.text(roll)), roll)
    for note, before in zip(on_grid(back, step), cut(on_grid(back, step)), strict=True):
        assert note == before


@given(performances())
def test_events_convert_back_to_the_hundredth_and_the_bin(notes):
    text = events.from_notes(notes)
    grid = on_grid(notes, 0.01)
    assert hundredths(events.to_notes(text)) == [(n.pitch, n.start, n.end, n.velocity // 4) for n in grid]
    assert events.from_notes(events.to_notes(text)) == text
    shifts = [int(name[5:]) for name in text.split() if name.startswith("shift")]
    assert sum(shifts) == max((n.end for n in grid), default=0) and all(1 <= s <= 100 for s in shifts)
    for note in grid:  # within the grid of what was played
        played = [n for n in notes if n.pitch == note.pitch and abs(n.start - note.start / 100) <= 0.005 + 1e-9]
        assert played and note.end / 100 <= max(max(n.end, n.start + 0.01) for n in played) + 0.01 + 1e-9


@given(performances(), st.sampled_from([None, 60, 97.3]))
def test_midi_files_keep_notes_to_the_tick(tmp_path_factory, notes, tempo):
    path = tmp_path_factory.mktemp("midi") / "a.mid"
    step = 0.01 if tempo is None else 1 / 12
    notes = timed(on_grid(notes, step), step)
    write_midi(notes, path, tempo)
    if not notes:
        with pytest.raises(UserError, match="no notes"):
            read_midi(path)
        return
    found = read_midi(path, "seconds" if tempo is None else "quarters")
    assert [(n.pitch, n.velocity) for n in found] == [(n.pitch, n.velocity) for n in notes]
    np.testing.assert_allclose([n[1:3] for n in found], [n[1:3] for n in notes], atol=1e-9)


def test_the_pedal_holds_notes_until_it_goes_up_or_the_key_goes_down_again(tmp_path):
    control = {"control": 64}
    path = write(
        tmp_path / "a.mid",
        [
            message("note_on", 0, note=60),  # 0
            message("control_change", 50, value=64, **control),  # 0.25
            message("note_off", 50, note=60),  # 0.5: held until 1.5
            message("note_on", 0, note=62),
            message("note_off", 50, note=62),  # 0.75: held until it is struck at 1
            message("note_on", 50, note=62, velocity=99),
            message("control_change", 100, value=63, **control),  # 1.5
            message("note_off", 100, note=62),  # 2
            message("control_change", 0, value=127, **control),  # held to the end, at 4
            message("note_on", 100, note=64),  # 2.5
            message("note_off", 100, note=64),  # 3
            message("control_change", 200, value=100, control=7),
        ],
        [message("note_on", 0, 1, note=70), message("note_off", 80, 1, note=70)],  # another channel has its own pedal
        [message("note_on", 0, 9, note=36), message("note_off", 80, 9, note=36)],  # percussion
    )
    assert [tuple(n) for n in read_midi(path)] == [
        (60, 0, 1.5, 64),
        (70, 0, 0.4, 64),
        (62, 0.5, 1, 64),
        (62, 1, 4, 99),
        (64, 2.5, 4, 64),
    ]


def test_quarter_notes_do_not_depend_on_the_tempo(tmp_path):
    tempi = [
        mido.MetaMessage("set_tempo", tempo=400_000, time=0),
        mido.MetaMessage("set_tempo", tempo=900_000, time=50),
    ]
    notes = [message(kind, 100, note=60) for kind in ("note_on", "note_off")]
    path = write(tmp_path / "a.mid", tempi, notes)
    assert [n[1:3] for n in read_midi(path, "quarters")] == [(1.0, 2.0)]
    np.testing.assert_allclose(read_midi(path)[0][1:3], (0.2 + 0.45, 0.2 + 0.45 + 0.9))


def test_every_sequence_of_events_is_valid():
    assert events.to_notes("off60 on60 on60 shift10 off60 shift5 off60") == [Note(60, 0, 0.1, 66)]
    assert events.to_notes("on60 shift10 velocity0 on60 shift5") == [Note(60, 0, 0.1, 66), Note(60, 0.1, 0.15, 2)]
    assert events.to_notes("on60 shift10 on60") == [Note(60, 0, 0.1, 66)]
    assert events.to_notes("") == [] and events.from_notes([]) == ""


def test_transposition_and_stretching():
    notes = [Note(60, 0, 0.5, 10), Note(66, 0.5, 2.5, 90)]
    text = events.from_notes(notes)
    for semitones, moved in ((5, 5), (-70, -60), (100, 61)):
        expected = [n._replace(pitch=n.pitch + moved) for n in notes]
        assert events.transpose(text, semitones) == events.from_notes(expected)
    roll = piano_rolls.text(piano_rolls.from_notes(notes, 0.5))
    for semitones, moved in ((5, 5), (-70, -39), (100, 42)):
        expected = [n._replace(pitch=n.pitch + moved) for n in notes]
        assert piano_rolls.transpose(roll, semitones) == piano_rolls.text(piano_rolls.from_notes(expected, 0.5))
    for found, note in zip(hundredths(events.to_notes(events.stretch(text, 1.05))), notes, strict=True):
        np.testing.assert_allclose(found[1:3], np.array(note[1:3]) * 105, atol=0.5)
    assert events.stretch(text, 1) == text
    assert piano_rolls.transpose(";;", 3) == ";;" and events.transpose("shift5", 3) == "shift5"


def test_rolls_of_strings_in_the_graph_and_back():
    texts = ["60 64 67;60 64;;62", "", "21;108;", ";;", "x 109 20 60;60 60;061 1000 -60"]
    encode = tf.function(piano_rolls.encode, input_signature=[tf.TensorSpec([None], tf.string)])
    found = encode(tf.constant(texts))
    assert found.row_lengths().numpy().tolist() == [4, 0, 3, 3, 3] and found.dtype == tf.float32
    for row, text in zip(found, texts[:4], strict=False):
        np.testing.assert_array_equal(row, piano_rolls.parse(text))
    np.testing.assert_array_equal(found[4], piano_rolls.parse("60;60;61"))
    decode = tf.function(piano_rolls.decode)
    assert [t.decode() for t in decode(found).numpy()] == [*texts[:4], "60;60;61"]
    assert decode(found.to_tensor()[2:3] * 0.6).numpy().tolist() == [b"21;108;;"]
    empty = encode(tf.constant([], tf.string))
    assert empty.nrows() == 0 and decode(empty).shape == (0,)


def test_numbers_of_events_in_the_graph_and_back():
    encode = tf.function(events.encode, input_signature=[tf.TensorSpec([None], tf.string)])
    assert len(events.EVENTS) == 388 and encode([" ".join(events.EVENTS)]).to_list() == [list(range(388))]
    strange = "on128 on-1 on1x xon1 shift0 shift101 velocity32 off007 off 5 on999999999999 off127"
    found = encode(tf.constant(["on5 shift100", "", strange]))
    assert found.to_list() == [[5, 355], [], [255]] and found.dtype == tf.int32
    assert tf.function(events.decode)(found).numpy().tolist() == [b"on5 shift100", b"", b"off127"]
    empty = encode(tf.constant([], tf.string))
    assert empty.nrows() == 0 and events.decode(empty).shape == (0,)


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ("60;20", pieces.Options(), "step 2: '20' is not a key of a piano; write MIDI numbers from 21 to 108 separat"),
        ("60 ²", pieces.Options(), "step 1: '²' is not a key of a piano"),
        (
            "on60 shift101",
            EVENTS,
            "event 2: 'shift101' is not an event; events are on0 to on127, off0 to off127, shift",
        ),
        (b"no.mid", EVENTS, "no.mid: no such file; check the path"),
    ],
)
def test_invalid_pieces_raise(text, options, expected):
    with pytest.raises(UserError, match=f"^{re.escape(expected)}"):
        pieces.read_piece(text, options)


def test_valid_pieces(tmp_path):
    path = scale(tmp_path / "a.MID")
    assert pieces.read_piece(str(path)).text == ";;60;60;;;61;61;;;62;62"
    assert pieces.read_piece(str(path), pieces.Options(step=0.25, unit="seconds")).text == ";60;;61;;62"
    text = pieces.read_piece(str(path), EVENTS).text
    assert text.split()[:4] == ["shift25", "velocity16", "on60", "shift25"]
    assert pieces.read_piece(f" {text}\n", EVENTS).text == text
    assert pieces.notes_of(text, EVENTS)[0] == Note(60, 0.25, 0.5, 66)


def test_too_long_pieces_raise(tmp_path):
    write_midi([Note(60, 0, LONGEST / 80)], tmp_path / "a.mid")
    with pytest.raises(UserError, match=r"a.mid: 625000 steps, maximum 500000; cut the piece, or take longer steps"):
        pieces.read_piece(str(tmp_path / "a.mid"), EVENTS)


def round_trip(path, folder):
    """A file read, encoded, decoded, written, read: both representations give the notes of the first reading."""
    copy, notes = folder / path.name, read_midi(path)
    expected = [(n.pitch, n.start, n.end, n.velocity // 4) for n in on_grid(notes, 0.01)]
    text = events.from_notes(notes)
    numbers = events.encode(tf.constant([text]))
    assert events.decode(numbers).numpy()[0].decode() == text
    write_midi(events.to_notes(text), copy)
    assert hundredths(read_midi(copy)) == expected
    kept = [n for n in notes if abs(n.start * 100 - round(n.start * 100)) < 0.49]  # and near what was played
    starts = {(pitch, start) for pitch, start, _, _ in expected}
    assert all((n.pitch, round(n.start * 100)) in starts for n in kept)

    roll = piano_rolls.from_notes(read_midi(path, "quarters"), 0.25)
    assert piano_rolls.decode(piano_rolls.encode(tf.constant([piano_rolls.text(roll)]))).numpy()[
        0
    ].decode() == piano_rolls.text(roll)
    write_midi(piano_rolls.to_notes(roll, 0.25), copy, tempo=97)
    np.testing.assert_array_equal(piano_rolls.from_notes(read_midi(copy, "quarters"), 0.25), roll)


@pytest.mark.parametrize("number", [1, 60, 120])
def test_round_trips_of_real_pieces(data_folder, tmp_path, number):
    files = sorted((data_folder / "music" / "pop909").glob("*.mid"))
    round_trip(files[number - 1], tmp_path)


@pytest.mark.slow
def test_round_trips_of_all_real_pieces(data_folder, tmp_path):
    files = sorted((data_folder / "music" / "pop909").glob("*.mid"))
    assert len(files) >= 120
    for path in files:
        round_trip(path, tmp_path)
