"""MIDI files of every kind that people have, as bytes; the times of notes are computed by hand."""

import gzip
import io
import warnings

import mido
import numpy as np
import pytest

from seqtasks.errors import UserError
from seqtasks.music import pieces, smf
from seqtasks.music.midi import NoNotes, Setting, file_bytes, parse_midi, read_midi, write_midi
from seqtasks.music.notes import Note
from tests.music.midi_bytes import chunk, control, header, midi, off, on, scale, tempo, track


def read(data, unit="seconds", instruments="melody"):
    """(pitch, start, end) of the notes of the pieces; for one piece its notes alone."""
    found = [
        [(n.pitch, n.start, n.end) for n in piece.notes]
        for piece in parse_midi(data, "a.mid", unit, instruments).pieces
    ]
    return found[0] if len(found) == 1 else found


SCALE = [(60, 0, 0.5), (62, 0.5, 1), (64, 1, 1.5), (65, 1.5, 2)]  # quarter notes, 120 a minute


def test_riff_unknown_chunks_and_a_foreign_header_are_skipped():
    plain = midi(track(*scale()))
    assert read(plain) == SCALE
    riff = b"RIFF" + (len(plain) + 12).to_bytes(4, "little") + b"RMIDdata" + len(plain).to_bytes(4, "little") + plain
    listed = b"RIFF\0\0\0\0RMIDLIST" + (400).to_bytes(4, "little") + b"INFO" * 100 + b"data\0\0\0\0" + plain
    alien = header(1) + chunk(b"XFIH", b"abcd") + track(*scale()) + chunk(b"XFKM", b"MTrk" * 3)
    for data in (riff, listed, alien, bytes(128) + plain, plain + bytes(7)):
        assert read(data) == SCALE
    longer = chunk(b"MThd", b"\0\1\0\1\1\xe0more")
    assert read(longer + track(*scale())) == SCALE


@pytest.mark.parametrize(
    ("division", "ticks_per_second"),
    [(0xE728, 25 * 40), (0xE850, 24 * 80), (0xE204, 30 * 4), (0xE364, 100 * 30_000 / 1001)],
)
def test_smpte_time_is_in_parts_of_a_second_at_any_tempo(division, ticks_per_second):
    data = midi(track((0, tempo(60)), (480, on(60)), (240, off(60))), division=division)
    np.testing.assert_allclose(read(data), [(60, 480 / ticks_per_second, 720 / ticks_per_second)])
    np.testing.assert_allclose(read(data, "quarters"), read(data))  # 60 a minute
    faster = midi(track((480, on(60)), (240, off(60))), division=division)
    np.testing.assert_allclose(np.array(read(faster, "quarters"))[:, 1:], np.array(read(faster))[:, 1:] * 2)


def test_tempi_of_all_tracks_count():
    """16 quarter notes; after 8 of them, 4 seconds, another track makes the tempo twice as fast."""
    sixteen = track(*scale(range(60, 76)))
    tempi = track((0, tempo(120)), (8 * 480, tempo(240)))
    for tracks in ((sixteen, tempi), (tempi, sixteen)):
        found = read(midi(*tracks))
        assert found[7][1:] == (3.5, 4) and found[8][1:] == (4, 4.25) and found[-1][1:] == (5.75, 6)
        assert read(midi(*tracks), "quarters")[-1][1:] == (15, 16)
    assert read(midi(track((0, b"\xff\x51\x03\0\0\0"), *scale()))) == SCALE  # a tempo of 0 is none


def test_patterns_of_format_2_are_pieces_with_tempi_of_their_own(tmp_path):
    data = midi(track(*scale()), track((0, tempo(60)), *scale((48, 50))), format=2)
    assert read(data) == [SCALE, [(48, 0, 1), (50, 1, 2)]]
    (tmp_path / "a.mid").write_bytes(data)
    found = pieces.read_file(tmp_path / "a.mid", pieces.Options(step=1))
    assert [(one.title, one.text) for one in found] == [("piece 1", "60;62;64;65"), ("piece 2", "48;50")]
    with pytest.raises(UserError, match=r"a.mid: 2 pieces in one file; give a file of one piece"):
        read_midi(tmp_path / "a.mid")
    with pytest.raises(UserError, match=r"a.mid: 2 pieces in one file; give a file of one piece"):
        pieces.read_piece(str(tmp_path / "a.mid"))


def test_notes_without_an_end_last_to_the_end_of_their_track(tmp_path):
    data = midi(track(*scale((60,)), (0, on(64)), (480, on(67)), (480, b"\xff\x06\0")))
    assert read(data) == [(60, 0, 0.5), (64, 0.5, 1.5), (67, 1, 1.5)]
    (tmp_path / "a.mid").write_bytes(data)
    with pytest.warns(UserWarning, match="a.mid: notes without an end, which last to the end of their track"):
        assert len(read_midi(tmp_path / "a.mid")) == 3
    last = midi(track((0, on(60)), (480, b"\x40\x50")))  # the second begins where the track ends
    assert [(p, start) for p, start, _ in read(last)] == [(60, 0), (64, 0.5)]


@pytest.mark.parametrize("number", [120, 123])
def test_controllers_120_and_123_end_the_notes_of_their_channel(number):
    data = midi(
        track((0, on(60)), (0, on(64)), (0, on(40, 1)), (480, control(number)), (480, off(40, 1)), (960, b"\xff\x06\0"))
    )
    assert sorted(read(data)) == [(40, 0, 1), (60, 0, 0.5), (64, 0, 0.5)]
    assert not parse_midi(data, "a.mid").notices


def test_a_key_struck_again_and_an_end_at_the_same_time():
    """As pretty_midi: an end is that of all notes of its key which began before."""
    twice = midi(track((0, on(60)), (480, on(60)), (480, off(60)), (480, off(60))))
    assert read(twice) == [(60, 0, 0.5), (60, 0.5, 1)]
    meeting = midi(track((0, on(60)), (480, on(60)), (0, off(60)), (480, off(60))))
    assert read(meeting) == [(60, 0, 0.5), (60, 0.5, 1)]
    nothing = midi(track((0, on(60)), (0, off(60)), *scale((62,))))
    assert read(nothing) == [(62, 0, 0.5)]
    silent = midi(track((0, on(60)), (480, on(60, velocity=0))))  # velocity 0 is an end
    assert read(silent) == [(60, 0, 0.5)]


def test_running_status_survives_what_stands_between():
    between = (b"\xff\x01\x02hi", b"\xf0\x03\x01\x02\xf7", b"\xf7\x01\x05", b"\xf8", b"\xf2\x01\x02", b"\xfe")
    for other in between:
        assert read(midi(track((0, on(60)), (240, other), (240, b"\x3c\0"), *scale()[2:]))) == SCALE
    others = [(0, b"\xc3\x05"), (0, b"\xd0\x05"), (0, b"\xa0\x3c\x05"), (0, b"\xe0\0\x40")]
    assert read(midi(track(*others, *scale()))) == SCALE


def test_key_signatures_that_are_none_and_data_bytes_above_127():
    assert read(midi(track((0, b"\xff\x59\x02\x08\0"), (0, b"\xff\x58\x01\x04"), *scale()))) == SCALE
    data = midi(track((0, on(60)), (480, b"\x80\x3c\x90"), (0, on(64, velocity=200)), (480, off(64))))
    found = parse_midi(data, "a.mid")
    assert [tuple(note) for note in found.pieces[0].notes] == [(60, 0, 0.5, 80), (64, 0.5, 1, 127)]
    assert found.notices == ("data bytes above 127, which are read as 127",)


def test_late_notes_need_no_memory():
    data = midi(track(*scale((60,)), (200_000_000, on(60)), (480, off(60))), division=19_200)
    assert read(data, "quarters")[-1][1:] == ((480 + 2e8) / 19_200, (480 + 2e8 + 480) / 19_200)


def test_files_that_are_cut_short_keep_what_was_whole(tmp_path):
    first, second = track(*scale()), track(*scale((48, 50), channel=1))
    whole = midi(first, second)
    low = [(48, 0, 0.5), (50, 0.5, 1)]
    for size, cut, kept in [
        (len(whole) - 1, "ends within track 2 of 2", low),
        (len(whole) - 8, "ends within track 2 of 2", low[:1]),  # inside the end of the last note
        (len(whole) - len(second) + 9, "ends within track 2 of 2", []),
        (len(whole) - len(second) + 3, "ends before track 2 of 2", []),
        (len(whole) - len(second), "ends before track 2 of 2", []),
        (20, "ends before track 1 of 2", None),
        (11, "ends within its header", None),
    ]:
        found = parse_midi(whole[:size], "a.mid")
        assert found.cut == cut
        notes = [(n.pitch, n.start, n.end) for piece in found.pieces for n in piece.notes]
        begun = [note for note in notes if note[0] < 60]
        assert [note for note in notes if note[0] >= 60] == (SCALE if kept is not None else [])
        assert begun[: len(kept or [])] == (kept or [])
    assert not parse_midi(whole, "a.mid").cut
    count = header(5) + first + second
    assert parse_midi(count, "a.mid").cut == "ends before track 3 of 5"
    (tmp_path / "a.mid").write_bytes(whole[:-1])
    with pytest.raises(UserError, match=r"a.mid: cut short: ends within track 2 of 2; give the complete file"):
        read_midi(tmp_path / "a.mid")
    more = header(1) + first + second  # more tracks than the header says
    assert not parse_midi(more, "a.mid").cut and len(read(more)) == 6


def test_a_track_without_an_end_or_with_a_wrong_length_at_the_end_of_the_file():
    assert read(midi(track(*scale(), end=False))) == SCALE and not parse_midi(midi(track(*scale(), end=False)), "").cut
    long = header(1) + b"MTrk\xff\xff\xff\xff" + track(*scale())[8:]  # a recorder that did not write the length
    assert read(long) == SCALE and not parse_midi(long, "").cut


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"no music", "a.mid: not a MIDI file (no MThd); give a Standard MIDI File"),
        (b"RIFF\x20\0\0\0WAVEfmt " + bytes(20), "a.mid: not a MIDI file (no MThd)"),
        (midi(track((0, b"\x3c\x50"))), "a.mid: track 1: not a MIDI file (data without a status)"),
        (header(1) + chunk(b"MTrk", b"\xff" * 5), "a.mid: track 1: not a MIDI file (a number of more than four bytes)"),
        (midi(track(*scale()), division=0), "a.mid: not a MIDI file (ticks without a length)"),
    ],
)
def test_what_is_no_midi_file_is_named(data, message):
    with pytest.raises(UserError) as error:
        parse_midi(data, "a.mid")
    assert str(error.value).startswith(message)


def test_drums_are_told_apart():
    data = midi(track(*scale()), track(*scale((36, 38), channel=9)))
    drums = [(36, 0, 0.5), (38, 0.5, 1)]
    assert read(data) == SCALE and read(data, instruments="drums") == drums
    assert sorted(read(data, instruments="all")) == sorted(SCALE + drums)
    settings = [parse_midi(data, "", instruments=which).pieces[0].setting.drums for which in ("melody", "drums", "all")]
    assert settings == [False, True, False]
    alone = parse_midi(midi(track(*scale((36,), channel=9))), "a.mid").pieces[0]
    with pytest.raises(NoNotes, match="a.mid: only drums, which --instruments drums reads; "):
        alone.check("a.mid")
    with pytest.raises(NoNotes, match="only other instruments, which --instruments melody reads"):
        parse_midi(midi(track(*scale())), "", instruments="drums").pieces[0].check("a.mid")
    with pytest.raises(NoNotes, match="a.mid: no notes"):
        parse_midi(midi(track()), "").pieces[0].check("a.mid")


def test_the_setting_has_tempi_metres_and_the_main_instrument(tmp_path):
    metre = b"\xff\x58\x04\x06\x03\x18\x08"  # 6/8
    first = track((0, tempo(60)), (0, metre), (960, tempo(90)))
    data = midi(first, track((0, b"\xc0\x28"), *scale()), track((0, b"\xc1\x05"), *scale((40,), channel=1)))
    setting = parse_midi(data, "").pieces[0].setting
    assert setting == Setting(((0, 60), (2, 90)), ((0, 6, 8),), 40)
    notes = parse_midi(data, "", "quarters").pieces[0].notes
    write_midi(notes, tmp_path / "a.mid", 120, setting)
    again = parse_midi(file_bytes(tmp_path / "a.mid"), "")
    assert again.pieces[0].setting == Setting(((0, 60), (2, pytest.approx(90, rel=1e-5))), ((0, 6, 8),), 40)
    found, expected = again.pieces[0].notes, parse_midi(data, "").pieces[0].notes
    np.testing.assert_allclose(found, expected, atol=1e-3)
    assert expected[-1].end == pytest.approx(2 + 2 * 60 / 90)


@pytest.mark.parametrize("setting", [None, Setting(((0.0, 40.0),)), Setting(((0.0, 60.0), (8.0, 240.0)), ((0, 3, 4),))])
def test_notes_in_seconds_keep_their_times_at_any_tempo(tmp_path, setting):
    notes = [Note(60, 0.003, 1.001), Note(64, 2.5, 9.999)]
    write_midi(notes, tmp_path / "a.mid", None, setting)
    np.testing.assert_allclose(read_midi(tmp_path / "a.mid"), notes, atol=1e-3)


def test_compressed_files_and_missing_ones(tmp_path):
    (tmp_path / "a.mid.gz").write_bytes(gzip.compress(midi(track(*scale()))))
    assert pieces.read_piece(str(tmp_path / "a.mid.gz"), pieces.Options(step=1)).text == "60;62;64;65"
    (tmp_path / "b.mid.gz").write_bytes(gzip.compress(midi(track(*scale())))[:-20])
    with pytest.raises(UserError, match=r"b.mid.gz: cannot be read"):
        read_midi(tmp_path / "b.mid.gz")
    (tmp_path / "c.mid").touch()
    with pytest.raises(UserError, match=r"c.mid: the file is empty"):
        read_midi(tmp_path / "c.mid")


def test_the_notes_are_those_of_pretty_midi(data_folder):
    import pretty_midi

    for path in sorted((data_folder / "music" / "pop909").glob("*.mid"))[::20]:
        midi_file = pretty_midi.PrettyMIDI(str(path))
        expected = sorted((n.pitch, n.start, n.velocity) for i in midi_file.instruments for n in i.notes)
        tracks = smf.parse(path.read_bytes(), path).tracks
        found = [note for track in tracks for note in track.notes]
        assert sorted((n.pitch, n.velocity) for n in found) == sorted((p, v) for p, _, v in expected)
        starts = sorted({(pitch, float(start)) for pitch, start, _ in expected})
        np.testing.assert_allclose(sorted((n.pitch, n.start) for n in read_midi(path)), starts, rtol=1e-9)


def test_mido_reads_the_same_notes(rng):
    """Random notes of two channels that mido writes, with running status."""
    for _ in range(20):
        made = mido.MidiTrack()
        for note, channel, before, length in rng.integers([0, 0, 1, 1], [128, 2, 500, 500], (30, 4)).tolist():
            made.append(mido.Message("note_on", note=note, channel=channel, velocity=1 + note // 2, time=before))
            made.append(mido.Message("note_off", note=note, channel=channel, time=length))
        file = mido.MidiFile(tracks=[made], ticks_per_beat=96)
        content = io.BytesIO()
        file.save(file=content)
        now, expected, begun = 0, [], {}
        for message in file.tracks[0]:
            now += message.time
            if message.type == "note_on":
                begun[message.channel, message.note] = now, message.velocity
            elif message.type == "note_off":
                start, velocity = begun.pop((message.channel, message.note))
                expected.append((message.channel, message.note, start, now, velocity, 0))
        assert [tuple(note) for note in smf.parse(content.getvalue(), "").tracks[0].notes] == expected


def test_reading_does_not_warn_of_whole_files(tmp_path):
    (tmp_path / "a.mid").write_bytes(midi(track(*scale())))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_midi(tmp_path / "a.mid")
