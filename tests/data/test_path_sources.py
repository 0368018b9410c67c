"""Sources of paths: tables, a folder per label, segments, and what is not read."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqtasks.data.columns import Columns
from seqtasks.data.media_segments import SegmentColumns, fragment, seconds_of, segment_of, with_segments
from seqtasks.data.memory import keep_array, records_of
from seqtasks.data.path_sources import (
    find_path,
    mixed,
    open_labelled,
    open_paths,
    recorded,
    warn_of_others,
    write_table,
)
from seqtasks.data.reading import Reading
from seqtasks.data.sources import Example
from seqtasks.data.tables import open_records
from seqtasks.errors import UserError


def touched(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def opened(path, reading=Reading(), **options):
    return open_paths(open_records(path), Columns("path"), reading, [".wav"], "recording", **options)


def items(source, folder):
    """The inputs relative to a folder, or the errors."""
    return [
        str(item.error) if hasattr(item, "error") else item.input.removeprefix(f"{folder}/") for item in source.read()
    ]


def test_paths_are_searched_beside_the_table_and_faults_are_records(tmp_path):
    touched(tmp_path, "a.wav", "clips/b.wav", "c.txt", "d/1.png")
    rows = [("path", "label"), *((name, "yes") for name in ("a.wav", "b.wav", "c.txt", "d.wav", "e.wav"))]
    write_table(tmp_path / "all.csv", [*rows, (f"{tmp_path}/a.wav", "yes")])
    assert items(opened(tmp_path / "all.csv", beside=("clips", "none")), tmp_path) == [
        "a.wav",
        "clips/b.wav",
        f"{tmp_path}/all.csv:4: c.txt is not a recording; recordings end in .wav",
        "d",
        f"{tmp_path}/all.csv:6: no such file {tmp_path}/e.wav; give paths relative to the folder of the table",
        "a.wav",
    ]


def test_the_root_replaces_the_folder_of_the_table(tmp_path):
    touched(tmp_path / "media", "a.wav")
    touched(tmp_path, "b.wav")
    write_table(tmp_path / "all.csv", [("path", "label"), ("a.wav", "yes"), ("b.wav", "yes")])
    root = tmp_path / "media"
    assert items(opened(tmp_path / "all.csv", root=root), root) == [
        "a.wav",
        f"{tmp_path}/all.csv:3: no such file {root}/b.wav; give paths relative to {root}",
    ]
    with pytest.raises(UserError, match="none: no such folder"):
        opened(tmp_path / "all.csv", root=tmp_path / "none")


def test_arrays_in_memory_stand_in_the_place_of_paths():
    name = keep_array(np.arange(3))
    source = open_paths(records_of([(name, "yes")]), Columns(), Reading(), [".wav"], "recording")
    assert list(source) == [Example(name, "yes", 1)]


def test_backslashes_separate_folders_and_a_folder_replaces_its_file(tmp_path):
    touched(tmp_path, "a/b.wav", "c/1.png")
    assert find_path("a\\b.wav", [tmp_path / "none", tmp_path]) == tmp_path / "a" / "b.wav"
    assert find_path("c.avi", [tmp_path]) == tmp_path / "c"
    assert find_path("a/c.wav", [tmp_path]) is None


def test_a_folder_per_label_and_what_is_not_read(tmp_path):
    touched(
        tmp_path, "yes/a.wav", "no/b.wav", "no/c.aiff", "no/deep/d.wav", "_noise/e.wav", ".cache/f.wav", "no/.g.wav"
    )
    with pytest.warns(UserWarning, match=re.escape(f"{tmp_path}: files that are no recording were not read: 1 of ")):
        source = open_labelled(tmp_path, [".wav"], "recording", "record one", hidden="._")
    assert sorted((Path(e.input).name, e.target, e.group) for e in source) == [
        ("a.wav", "yes", ""),
        ("b.wav", "no", ""),
    ]
    with pytest.raises(UserError, match=r"no recordings in sub-folders here \(found a.wav\); record one"):
        open_labelled(tmp_path / "yes", [".wav"], "recording", "record one")


def test_inputs_deeper_in_a_label_have_the_folder_as_group(tmp_path):
    touched(tmp_path, "yes/ada/1.wav", "yes/2.wav")
    source = open_labelled(tmp_path, [".wav"], "recording", "", find=lambda folder: sorted(folder.rglob("*.wav")))
    assert sorted((Path(e.input).name, e.group) for e in source) == [("1.wav", "yes/ada"), ("2.wav", "")]


def test_other_files_are_counted_by_suffix(tmp_path, recwarn):
    touched(tmp_path, "a/1.mid", "a/2.abc", "a/3.abc", "a/4", "a/.5.abc")
    warn_of_others(tmp_path, tmp_path.glob("*/*"), [".mid"], "MIDI file")
    assert (
        str(recwarn[0].message) == f"{tmp_path}: files that are no MIDI file were not read: 2 of .abc, 1 of (no suffix)"
    )
    warn_of_others(tmp_path, [tmp_path / "a/1.mid"], [".mid"], "MIDI file")
    assert len(recwarn) == 1


def test_the_order_depends_on_names_only(tmp_path):
    names = [f"{label}/{n}.wav" for label in ("yes", "no") for n in range(20)]
    found = [[str(p) for p in mixed(Path(name) for name in order)] for order in (names, names[::-1])]
    assert found[0] == found[1] != names and sorted(found[0]) == sorted(names)
    assert recorded("data/yes/ada_take_2.wav", re.compile("_take_[0-9]+$")) == "yes/ada"


@given(st.floats(0, 1e5), st.floats(0.001, 1e5))
def test_a_segment_is_read_as_it_was_written(start, length):
    name, begin, end = segment_of(f"none/a.wav{fragment(start, start + length)}")
    assert name == "none/a.wav"
    assert begin == pytest.approx(start, abs=1e-6) and end == pytest.approx(start + length, abs=1e-6)


@pytest.mark.parametrize("value", ["soon", "", "1:2:3:4", "-1", "nan", "inf"])
def test_what_is_no_time(value):
    with pytest.raises(ValueError):
        seconds_of(value)


def test_segments_of_json_have_names_of_their_own():
    records = records_of([{"path": "a"}, {"path": "a", "start": 1, "stop": 2}, {"path": "a", "start": None}])
    found, reading = with_segments(records, Reading(carry=("path",)), SegmentColumns())
    assert [record["#t"] for _, record in found.read()] == ["", "#t=1,2", ""]
    assert reading.carry == ("path", "#t")
    same, _ = with_segments(records_of([{"path": "a", "date": "start"}]), Reading(), SegmentColumns())
    assert list(same.read()) == [(1, {"path": "a", "date": "start", "#t": ""})]
    late = records_of([*[{"path": "a"}] * 200, {"path": "a", "start": 1, "stop": 2}])
    assert [record["#t"] for _, record in with_segments(late, Reading(), SegmentColumns())[0].read()][199:] == [
        "", "#t=1,2",
    ]  # fmt: skip
    with pytest.raises(UserError, match="no column .from.; the columns are 'path', 'start'"):
        with_segments(records, Reading(), SegmentColumns(start="from"))
    given = records_of([{"path": "a", "from": 3, "start": 1}])
    found, _ = with_segments(given, Reading(), SegmentColumns(start="from"))
    assert next(found.read())[1]["#t"] == "#t=3"
    frames = records_of([{"path": "a", "end_frame": 3}])
    with pytest.raises(
        UserError, match="is not in seconds; give seconds with --from and --to, or read whole files with --x"
    ):
        with_segments(frames, Reading(), SegmentColumns(None, None, "--from", "--to", "--x"))


@pytest.mark.parametrize(
    ("row", "segment"),
    [
        ({"start": 1, "duration": 2}, "#t=1,3"),
        ({"offset": "0:01", "duration": 0.5}, "#t=1,1.5"),
        ({"start": 1, "end": 2, "duration": 60}, "#t=1,2"),
        ({"start_sec": 0, "end_sec": 2}, "#t=0,2"),
        ({"start": 1, "start_ms": 1000}, "#t=1"),
        ({"duration": 3}, ""),
        ({"manifest": "x", "duration": 3}, "#t=0,3"),
        ({"manifest": "x", "offset": None, "duration": 3}, "#t=0,3"),
    ],
)
def test_columns_of_segments(row, segment):
    for names in ((), tuple(row)):
        records = dataclasses.replace(records_of([row]), names=names)
        found, _ = with_segments(records, Reading(), SegmentColumns(manifest="manifest"))
        assert next(found.read())[1].get("#t", "") == segment


@pytest.mark.parametrize(
    "names", ["start_ms,end_ms", "ms_start", "begin_sample,end_sample", "start_time_ms", "StartFrame"]
)
def test_segments_in_other_units_are_refused(names):
    records = records_of([{"path": "a", **dict.fromkeys(names.split(","), 3)}])
    with pytest.raises(UserError, match=f"the column '{names.split(',')[0]}' is not in seconds; give seconds with"):
        with_segments(records, Reading(), SegmentColumns())


def test_a_segment_of_an_array_is_faulty():
    rows = [{"path": keep_array(np.zeros(3)), "label": "yes", "start": 1, "end": 2}]
    source = open_paths(
        records_of(rows), Columns(text_names=("path",)), Reading(), [".wav"], "recording", segments=SegmentColumns()
    )
    assert [str(item.error) for item in source.read()] == [
        "list:1: a segment of an array; give the array of the segment alone"
    ]
