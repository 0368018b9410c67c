"""Scores that music21 reads: MusicXML, ABC, Humdrum; the notes are known from the text of each."""

import gzip
import zipfile

import pytest

from seqtasks.data.splits import open_data
from seqtasks.errors import UserError
from seqtasks.music import files, scores
from seqtasks.music.midi import parse_midi
from seqtasks.music.pieces import Options, read_file

QUARTERS = Options(step=1)
NOTE = "<note><pitch><step>{}</step>{}<octave>{}</octave></pitch><duration>{}</duration>{}</note>"
CONTAINER = '<?xml version="1.0"?><container><rootfiles><rootfile full-path="score.xml"/></rootfiles></container>'


def part(measures, part_id="P1", attributes="", before=""):
    metre = "<time><beats>3</beats><beat-type>4</beat-type></time>"
    head = f"<attributes><divisions>2</divisions>{metre}{attributes}</attributes>"
    bars = [
        f'<measure number="{n}">{before + head if n == 1 else ""}{bar}</measure>' for n, bar in enumerate(measures, 1)
    ]
    return f'<part id="{part_id}">{"".join(bars)}</part>'


def musicxml(*parts):
    listed = "".join(
        f'<score-part id="P{n}"><part-name>Part {n}</part-name></score-part>' for n in range(1, len(parts) + 1)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><score-partwise version="3.1">'
        f"<part-list>{listed}</part-list>{''.join(parts)}</score-partwise>"
    )


TEMPO = '<direction><sound tempo="60"/></direction>'
TIED = [
    NOTE.format("C", "", 4, 2, "") + NOTE.format("F", "<alter>1</alter>", 4, 4, '<tie type="start"/>'),
    NOTE.format("F", "<alter>1</alter>", 4, 2, '<tie type="stop"/>') + "<note><rest/><duration>4</duration></note>",
]
BASS = [NOTE.format("C", "", 3, 6, ""), NOTE.format("G", "", 2, 6, "")]
SCORE = musicxml(part(TIED, before=TEMPO), part(BASS, "P2"))


def notes_of(path):
    return [
        [(n.pitch, n.start, n.end) for n in parse_midi(score.midi, path, "quarters").pieces[0].notes]
        for score in scores.read_scores(path)
    ]


def test_musicxml_plain_and_compressed(tmp_path):
    (tmp_path / "a.musicxml").write_text(SCORE)
    (tmp_path / "b.xml").write_text(SCORE)
    (tmp_path / "c.xml.gz").write_bytes(gzip.compress(SCORE.encode()))
    with zipfile.ZipFile(tmp_path / "d.mxl", "w") as archive:
        archive.writestr("META-INF/container.xml", CONTAINER)
        archive.writestr("score.xml", SCORE)
    for name in ("a.musicxml", "b.xml", "c.xml.gz", "d.mxl"):
        (found,) = notes_of(tmp_path / name)
        assert found == [(48, 0, 3), (60, 0, 1), (66, 1, 4), (43, 3, 6)]
    (found,) = read_file(tmp_path / "a.musicxml", QUARTERS)
    assert found.text == "48 60;48 66;48 66;43 66;43;43"
    assert found.setting.tempi[0] == (0.0, 60.0) and found.setting.metres[0] == (0.0, 3, 4)
    (seconds,) = read_file(tmp_path / "a.musicxml", Options(step=2, unit="seconds"))
    assert seconds.text == "48 60;48 66;43"


def test_repeats_are_played_and_transposing_instruments_sound_at_their_pitch(tmp_path):
    bar = NOTE.format("C", "", 4, 6, "")
    repeat = '<barline location="right"><bar-style>light-heavy</bar-style><repeat direction="backward"/></barline>'
    in_b_flat = "<transpose><diatonic>-1</diatonic><chromatic>-2</chromatic></transpose>"
    (tmp_path / "a.musicxml").write_text(musicxml(part([bar + repeat, bar.replace("C", "D")], attributes=in_b_flat)))
    assert notes_of(tmp_path / "a.musicxml") == [[(58, 0, 3), (58, 3, 6), (60, 6, 9)]]


def test_the_tunes_of_a_file_of_abc(tmp_path):
    (tmp_path / "a.abc").write_text(
        "M:3/4\n% a book of tunes\n\nX:1\nT:One\nL:1/8\nK:D\nD2 E2 F2|G4 A2|B6|\n\n"
        "X:7\nL:1/4\nM:4/4\nK:C\nC D E F|[CEG]4|z2 c2|\n"
    )
    found = notes_of(tmp_path / "a.abc")
    assert found[0] == [(62, 0, 1), (64, 1, 2), (66, 2, 3), (67, 3, 5), (69, 5, 6), (71, 6, 9)]
    assert found[1] == [
        (60, 0, 1), (62, 1, 2), (64, 2, 3), (65, 3, 4), (60, 4, 8), (64, 4, 8), (67, 4, 8), (72, 10, 12),
    ]  # fmt: skip
    assert [one.title for one in read_file(tmp_path / "a.abc", QUARTERS)] == ["One", "X:7"]
    (tmp_path / "b.abc").write_bytes("X:1\r\nT:Für Elise\r\nL:1/4\r\nK:C\r\nCDEF|GABc|\r\n".encode("latin-1"))
    (one,) = read_file(tmp_path / "b.abc", QUARTERS, "latin-1")
    assert one.text == "60;62;64;65;67;69;71;72" and not one.title
    (one,) = read_file(tmp_path / "b.abc", QUARTERS)
    assert "b.abc:2: not UTF-8 (byte 0xfc" in str(one.error)
    (tmp_path / "c.abc").write_text("no tune\n")
    (one,) = read_file(tmp_path / "c.abc", QUARTERS)
    assert "c.abc: no tunes in it (no X:); begin each tune with X: and its number" in str(one.error)


def test_humdrum(tmp_path):
    (tmp_path / "a.krn").write_text("**kern\t**kern\n*M4/4\t*M4/4\n4C\t4c\n4D\t4d\n2E\t2e\n==\t==\n*-\t*-\n")
    assert notes_of(tmp_path / "a.krn") == [[(48, 0, 1), (60, 0, 1), (50, 1, 2), (62, 1, 2), (52, 2, 4), (64, 2, 4)]]


def test_scores_that_cannot_be_read_are_faulty(tmp_path):
    (tmp_path / "a.musicxml").write_text(SCORE)
    (tmp_path / "b.musicxml").write_text(SCORE[:300])
    (tmp_path / "c.xml").write_text("<html><p>no music</p></html>")
    items = list(open_data(tmp_path, files.formats(QUARTERS)).read())
    assert items[0].input == "48 60;48 66;48 66;43 66;43;43"
    for item, name in zip(items[1:], ("b.musicxml", "c.xml"), strict=True):
        assert str(item.error).startswith(f"{tmp_path}/{name}: ") and item.repaired is None
    with pytest.raises(UserError, match=r"d.mxl: no such file"):
        list(scores.read_scores(tmp_path / "d.mxl"))


def test_the_sounds_of_drums_in_scores_are_not_guessed(tmp_path):
    place = "<display-step>F</display-step><display-octave>4</display-octave>"
    beat = f"<note><unpitched>{place}</unpitched><duration>6</duration></note>"
    (tmp_path / "a.musicxml").write_text(musicxml(part(TIED), part([beat, beat], "P2")))
    (found,) = read_file(tmp_path / "a.musicxml", QUARTERS)
    assert found.text == "60;66;66;66" and not found.error
    (found,) = read_file(tmp_path / "a.musicxml", Options(step=1, instruments="all"))
    assert "a.musicxml: the drums of a score are not read; export it as MIDI" in str(found.error) and not found.text
