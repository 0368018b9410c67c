"""Sources of pieces: folders, JSON, tables of paths, MAESTRO's splits, data in memory, and what is wrong with them."""

import gzip
import io
import json
import re

import numpy as np
import pandas as pd
import pretty_midi
import pytest

from seqtasks.data.partition import part
from seqtasks.data.reading import Reading
from seqtasks.data.sources import literal
from seqtasks.data.splits import find_splits, has_splits, open_data
from seqtasks.errors import UserError
from seqtasks.music import files, piano_rolls
from seqtasks.music.pieces import Options
from tests.music.midi_bytes import chunk, midi, on, scale, track

FORMATS = files.formats(Options(step=1))
EVENTS = files.formats(Options("events"))
CHORD = "60;62;64;65"  # the scale, a quarter note each
ABC = "X:1\nT:One\nM:4/4\nL:1/4\nK:C\nCDEF|GABc|\n\nX:2\nT:Two\nM:4/4\nL:1/4\nK:C\nCEGc|C4|\n"


def put(path, data=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(midi(track(*scale())) if data is None else data)
    return path


def names(source):
    return [str(example.place).split("/")[-1] for example in source]


def splits_of(data, formats=FORMATS, **given):
    """{split: texts} without warnings that splits are taken."""
    return {name: [e.input for e in source] for name, source in find_splits(data, formats, **given)}


def test_the_splits_of_one_json_file(tmp_path):
    held = {"train": [[[60, 64], []], [[62]]], "validation": [[[67, 67]]], "test": [[[21], [108]]]}
    (tmp_path / "a.json").write_text(json.dumps(held))
    expected = {"train": ["60 64;", "62"], "validation": ["67"], "test": ["21;108"]}
    for data in (tmp_path / "a.json", str(tmp_path), held):
        assert splits_of(data) == expected
    train = find_splits(tmp_path, FORMATS).train
    assert [e.place for e in train][1] == f"{tmp_path}/a.json: piece 2 of train"
    (tmp_path / "b.json").write_text("[[[60]]]")
    assert splits_of(tmp_path / "a.json", test=tmp_path / "b.json") == expected | {"test": ["60"]}
    (tmp_path / "b.json").write_text(json.dumps(held), "utf-16")
    assert splits_of(tmp_path / "b.json") == expected


JSON_ERRORS = {
    '{"train": [[[60, 20]]]}': "piece 1 of train: 20 in step 1",
    '{"train": [[[60]], [[60], 61]]}': "piece 2 of train: 61 in step 2",
    '{"train": [[[60], ["C4"]]]}': "piece 1 of train: 'C4' in step 2",
    '{"train": [[[true]]]}': "piece 1 of train: True in step 1",
    '{"train": [[]]}': "piece 1 of train: not a list of steps",
    '{"test": [[[60]]]}': "no split train; write {",
    "7": "neither splits nor a list of pieces;",
}


@pytest.mark.filterwarnings("ignore:.*split given")
@pytest.mark.parametrize(("content", "expected"), JSON_ERRORS.items())
def test_invalid_json_files_raise(tmp_path, content, expected):
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(UserError) as error:
        list(find_splits(path, FORMATS).train)
    assert f"{path}: {expected}" in str(error.value)


@pytest.mark.filterwarnings("ignore:.*split given")
def test_one_faulty_piece_of_many_is_left_out_of_train_and_stops_an_evaluation(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"train": [[[60]]] * 11 + [[[3]]], "test": [[[60]], [[3]]]}))
    splits = find_splits(path, FORMATS)
    with pytest.warns(UserWarning, match="of 12 records 1 left out: .*a.json: piece 12 of train: 3 in step 1"):
        assert len(list(splits.train)) + len(list(splits.validation)) == 11
    with pytest.raises(UserError, match="piece 2 of test: 3 in step 1; a step is a list of MIDI numbers from 21 to 1"):
        list(splits.test)


def test_invalid_sources_raise(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"train":\n [}')
    with pytest.raises(UserError, match=r"a.json:2: not JSON \(Expecting value at column 3\); correct the file"):
        find_splits(path, FORMATS)
    path.write_text('{"train": [[[60]]]}')
    with pytest.raises(UserError, match="a.json: these are frames, not events; read them with --representation frames"):
        find_splits(path, EVENTS)
    (tmp_path / "b.wav").write_bytes(b"x")
    with pytest.raises(UserError, match=r"unknown format '.wav'; files end in .json, .txt, .mid, .midi, .kar, .rmi"):
        open_data(tmp_path / "b.wav", FORMATS)
    with pytest.raises(UserError, match="no such file or folder"):
        find_splits(tmp_path / "c.mid", FORMATS)
    path.unlink()
    with pytest.raises(UserError, match=r"no music here \(found b.wav\); give a folder with files that end in .mid"):
        find_splits(tmp_path, FORMATS)
    put(tmp_path / "a.mid")
    with pytest.raises(UserError, match="--group: these files have no columns; leave it out, or give a table"):
        find_splits(tmp_path, FORMATS, Reading(group="composer"))


def test_files_in_folders_of_splits_or_by_the_hash_of_their_names(tmp_path):
    for split in ("train", "valid", "test"):
        put(tmp_path / "split" / split / "deep" / f"{split}.mid")
    assert {k: names(s) for k, s in find_splits(tmp_path / "split", FORMATS)} == {
        "train": ["train.mid"],
        "validation": ["valid.mid"],
        "test": ["test.mid"],
    }
    listed = [f"{i:02}.midi" for i in range(30)]
    for i, name in enumerate(listed):
        put(tmp_path / "flat" / "ab"[i % 2] / name)
    with pytest.warns(UserWarning, match="no test and no validation split given; 10 % of train each taken by the hash"):
        splits = dict(find_splits(tmp_path / "flat", FORMATS))
    parts = {"validation": {1}, "test": {0}, "train": set(range(2, 10))}
    for split, source in splits.items():
        assert set(names(source)) == {name for name in listed if part(name) in parts[split]} != set()
    with pytest.warns(
        UserWarning, match="no test split given; 10 % of train taken by the hash of the name of the file"
    ):
        splits = find_splits(tmp_path / "flat", FORMATS, valid=tmp_path / "split" / "valid")
    assert len(list(splits.train)) == sum(part(name) != 0 for name in listed) and len(list(splits.validation)) == 1


@pytest.mark.filterwarnings("ignore:.*split given")
@pytest.mark.parametrize("count", [3, 6])
def test_a_few_files_are_enough_for_all_splits(tmp_path, count):
    for number in range(count):
        put(tmp_path / f"{number}.mid")
    sizes = [len(list(source)) for _, source in find_splits(tmp_path, FORMATS)]
    assert sum(sizes) == count and min(sizes) == 1


def test_files_of_a_folder_that_are_not_read_are_counted(tmp_path):
    put(tmp_path / "a.kar")
    put(tmp_path / "b.MID.gz", gzip.compress(midi(track(*scale()))))
    put(tmp_path / "c.rmi", b"RIFF\x40\0\0\0RMIDdata\x38\0\0\0" + midi(track(*scale())))
    for hidden in (".hidden.mid", ".git/a.mid", "deep/.b.mid", "LICENSE", "x.mscz", "y.mscz"):
        put(tmp_path / hidden, b"x")
    with pytest.warns(UserWarning, match=r"no piece of music were not read: 2 of .mscz, 1 of \(no suffix\)$"):
        source = open_data(tmp_path, FORMATS)
    assert [(names([e])[0], e.input) for e in source] == [(name, CHORD) for name in ("a.kar", "b.MID.gz", "c.rmi")]


@pytest.mark.filterwarnings("ignore:.*split given")
def test_damaged_files_are_faulty_and_files_without_notes_are_left_out(tmp_path):
    whole = midi(track(*scale()), track(*scale((48,), channel=1)))
    for number in range(14):
        put(tmp_path / f"{number:02}.mid")
    put(tmp_path / "cut.mid", whole[:-1])
    put(tmp_path / "silent.mid", midi(track()))
    put(tmp_path / "low.mid", midi(track(*scale((3,)))))
    put(tmp_path / "drums.mid", midi(track(*scale((36,), channel=9))))
    put(tmp_path / "open.mid", midi(track(*scale(), (0, on(67)), (480, b"\xff\x06\0"))))
    source = open_data(tmp_path, FORMATS)
    with pytest.warns(UserWarning) as caught:
        read = [list(source.read()) for _ in range(2)]
    assert read[0] == read[1] and len(read[0]) == 16
    (faulty,) = [item for item in read[0] if hasattr(item, "error")]
    assert str(faulty.error).endswith("cut.mid: cut short: ends within track 2 of 2; give the complete file")
    assert faulty.repaired.input == f"48 {CHORD}" and faulty.literal is None
    said = [str(warning.message) for warning in caught]
    assert said == [
        f"{tmp_path}: 3 of 19 files left out: drums.mid: only drums, which --instruments drums reads, "
        "low.mid: no notes in the range of a piano, silent.mid: no notes",
        f"{tmp_path}: 1 of 19 files with notes without an end, which last to the end of their track: open.mid",
    ]
    with pytest.raises(UserError, match="cut.mid: cut short"):
        list(literal(source))
    splits = find_splits(tmp_path, FORMATS)
    with pytest.warns(UserWarning, match="of 16 records 1 repaired: .*cut.mid: cut short"):
        assert sum(len(list(split)) for _, split in splits) == 16
    put(tmp_path / "text.mid", b"no music")
    with pytest.raises(UserError, match="2 of 17 records are faulty, more than --max_bad 0.01 allows: .*cut.mid.*text"):
        list(find_splits(tmp_path, FORMATS).train)
    with pytest.warns(UserWarning, match="of 17 records 1 left out and 1 repaired"):
        assert len(list(find_splits(tmp_path, FORMATS, Reading(max_bad=0.2), valid=None).train)) > 10


def test_a_folder_of_drums_names_the_option(tmp_path):
    for number in range(6):
        put(tmp_path / f"{number}.mid", midi(track(*scale((36, 38), channel=9))))
    message = "none of 6 files has notes to read: 0.mid: only drums, which --instruments drums reads, .*, ...; give"
    with pytest.raises(UserError, match=message):
        list(open_data(tmp_path, FORMATS))
    with pytest.raises(UserError, match=r"0.mid: only drums, which --instruments drums reads"):
        list(open_data(tmp_path / "0.mid", FORMATS))
    for which in ("drums", "all"):
        source = open_data(tmp_path, files.formats(Options(step=1, instruments=which)))
        assert {example.input for example in source} == {"36;38"}


def test_patterns_and_tunes_of_one_file_are_pieces(tmp_path):
    put(tmp_path / "a.mid", midi(track(*scale()), track(*scale((48,))), format=2))
    found = list(open_data(tmp_path / "a.mid", FORMATS))
    assert [(e.input, names([e])[0], e.group) for e in found] == [
        (CHORD, "a.mid: piece 1", "a.mid"),
        ("48", "a.mid: piece 2", "a.mid"),
    ]
    (tmp_path / "b.abc").write_text(ABC)
    found = list(open_data(tmp_path / "b.abc", FORMATS))
    assert [(e.input, e.group) for e in found] == [
        ("60;62;64;65;67;69;71;72", "One"),
        ("60;64;67;72;60;60;60;60", "Two"),
    ]


def maestro(folder):
    """The layout of MAESTRO: a folder for each year, and a table."""
    rows = [("train", "2004/a.midi"), ("validation", "2004/b.midi"), ("train", "2006/c.midi"), ("test", "2006/d.midi")]
    for number, (_, name) in enumerate(rows):
        put(folder / name, midi(track(*scale((60 + number,)))))
    frame = pd.DataFrame(rows, columns=["split", "midi_filename"])
    frame.insert(0, "canonical_title", "A sonata, in C")
    return frame


def test_the_official_splits_of_maestro(tmp_path):
    frame = maestro(tmp_path)
    expected = {"train": ["60", "62"], "validation": ["61"], "test": ["63"]}
    frame.to_csv(tmp_path / "maestro-v3.0.0.csv", index=False)
    assert splits_of(tmp_path) == splits_of(tmp_path / "maestro-v3.0.0.csv") == expected
    for orient in ("columns", "records"):  # as versions 2 and 1 have it
        (tmp_path / "maestro-v3.0.0.json").write_text(frame.to_json(orient=orient))
        assert splits_of(tmp_path) == splits_of(tmp_path / "maestro-v3.0.0.json") == expected
    (tmp_path / "maestro-v3.0.0.csv").unlink()
    assert splits_of(tmp_path) == expected
    targets = {e.target for _, source in find_splits(tmp_path, EVENTS) for e in source}
    assert targets == {"end"}
    frame.assign(split=["train", "extra", "train", "test"]).to_csv(tmp_path / "b.csv", index=False)
    with pytest.raises(
        UserError, match="b.csv: no split is called 'extra' in column 'split'; call them train, validat"
    ):
        find_splits(tmp_path / "b.csv", FORMATS)


@pytest.mark.filterwarnings("ignore:.*split given")
def test_tables_of_paths(tmp_path):
    frame = maestro(tmp_path).assign(composer=["x", "y", "x", "y"])
    frame.drop(columns="split").to_csv(tmp_path / "a.csv", sep=";", index=False)
    reading = Reading(labelled=False, carry=("composer",), group="composer")
    found = list(open_data(tmp_path / "a.csv", FORMATS, reading))
    assert [(e.input, e.group, dict(e.fields)) for e in found[:2]] == [
        ("60", "x", {"composer": "x"}),
        ("61", "y", {"composer": "y"}),
    ]
    frame.to_csv(tmp_path / "b.csv", index=False)  # answers are in the order of the rows, whatever their split is
    assert [e.input for e in open_data(tmp_path / "b.csv", FORMATS, Reading(labelled=False))] == [
        "60",
        "61",
        "62",
        "63",
    ]
    frame.rename(columns={"midi_filename": "song"}).to_json(tmp_path / "c.jsonl", orient="records", lines=True)
    with pytest.raises(UserError, match="no pieces among .*'song'.*; name their column with --path_column"):
        open_data(tmp_path / "c.jsonl", FORMATS)
    named = files.formats(Options(step=1, path_column="song"))
    assert splits_of(tmp_path / "c.jsonl", named) == {"train": ["60", "62"], "validation": ["61"], "test": ["63"]}
    (tmp_path / "d.csv").write_text("path\n2004/a.midi\n2004/none.midi\n")
    with pytest.raises(UserError, match=r"d.csv:3: no such file .*none.midi"):
        list(open_data(tmp_path / "d.csv", FORMATS))
    (tmp_path / "e.csv").write_text("piece,id\n60 64;62,1\n21,2\n")
    assert [e.input for e in open_data(tmp_path / "e.csv", FORMATS)] == ["60 64;62", "21"]


def test_data_in_memory():
    steps = [[60, 64], [], [62]]
    roll = piano_rolls.parse("60 64;;62")
    wide = np.zeros((3, 128), "int64")
    wide[:, 21:109] = roll * 100
    wide[0, 5] = 1  # no key of a piano
    frame = pd.DataFrame({"roll": [roll, roll], "id": [1, 2]})
    for data in ([steps, steps], [roll, roll], [wide, wide.astype("float32")], frame, np.array([roll, roll])):
        assert [e.input for e in open_data(data, FORMATS)] == ["60 64;;62"] * 2
    assert [e.input for e in open_data([[[60]], [[60], [62]]], FORMATS)] == ["60", "60;62"]
    assert [e.input for e in open_data(["60 064;62", "21"], FORMATS)] == ["60 64;62", "21"]
    content = io.BytesIO(midi(track(*scale()), track(*scale((36,), channel=9))))
    performance = pretty_midi.PrettyMIDI(content)
    (example,) = open_data([performance], FORMATS)
    assert example.input == CHORD
    (example,) = open_data([performance], EVENTS)
    assert example.input.startswith("velocity20 on60 shift50 off60 on62 shift50") and example.target == "end"
    assert has_splits({"train": [roll], "test": [roll]})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            [np.zeros((128, 40))],
            "list:1: an array of shape (128, 40) is not a piano roll (steps, 88) or (steps, 128); ",
        ),
        ([np.full((3, 88), np.nan)], "list:1: values that are no numbers from 0 on; give velocities"),
        ([-np.ones((3, 88))], "list:1: values that are no numbers from 0 on"),
        ([np.zeros(88)], "list:1: an array of shape (88,) is not a piano roll"),
        ([[[60], [3]]], "list:1: 3 in step 2; a step is a list of MIDI numbers from 21 to 108"),
        (["60;C4"], "list:1: step 2: 'C4' is not a key of a piano"),
    ],
)
def test_what_is_no_piece_is_named(data, message):
    with pytest.raises(UserError, match=f"^{re.escape(message)}"):
        list(open_data(data, FORMATS))
    with pytest.raises(UserError, match="list:1: these are frames, not events"):
        list(open_data([np.zeros((3, 88))], EVENTS))


def test_one_wrong_tune_of_a_file_is_faulty(tmp_path):
    good = "title: {}\nmetre: 3/4\nmelody: C4:3\n\n"
    (tmp_path / "a.txt").write_text(good.format("A") + good.format("B").replace("C4", "H4") + good.format("C"))
    items = list(open_data(tmp_path / "a.txt", FORMATS).read())
    assert [str(item.error) for item in items if hasattr(item, "error")] == [
        f"{tmp_path}/a.txt: B, melody, bar 1: 'H4:3' is not a note; write notes like C4, F#4:0.5, Bb3:2, "
        "rests as R, and - to extend"
    ]
    assert len(items) == 12 + 1 + 12


def test_pieces_are_read_once(tmp_path):
    put(tmp_path / "a.mid")
    for megabytes, again in ((1, CHORD), (0, "61")):
        put(tmp_path / "a.mid")
        source = open_data(tmp_path, files.formats(Options(step=1, cache_mb=megabytes)))
        assert [e.input for e in source] == [CHORD]
        put(tmp_path / "a.mid", midi(track(*scale((61,))) + chunk(b"XXXX", b"")))
        assert [e.input for e in source] == [again]


def test_the_chorales(data_folder):
    splits = dict(find_splits(data_folder / "music" / "jsb-chorales", FORMATS))
    held = json.loads((data_folder / "music" / "jsb-chorales" / "jsb-chorales-quarter.json").read_text())
    assert {k: len(list(s)) for k, s in splits.items()} == {"train": 229, "validation": 76, "test": 77}
    for text, steps in zip((e.input for e in splits["test"]), held["test"], strict=True):
        assert [{int(p) for p in step.split()} for step in text.split(";")] == [set(step) for step in steps]
