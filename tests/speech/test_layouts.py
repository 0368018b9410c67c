"""Layouts of recordings that people have, tables with times, splits of them, and waveforms in memory."""

from pathlib import Path

import numpy as np
import pytest

from seqtasks.data.columns import Columns
from seqtasks.data.reading import Reading
from seqtasks.data.sources import Example, Faulty
from seqtasks.data.splits import open_data
from seqtasks.errors import UserError
from seqtasks.speech.audio import Options
from seqtasks.speech.files import formats, read
from tests.speech.test_files import folder_of, load_splits, pairs, text

soundfile = pytest.importorskip("soundfile")
pytest.importorskip("soxr")
LINES = ('"in being," he said', 'Dr. Smith said "2"')


def recordings(folder, *names, seconds=0.5):
    """Recordings by these names, noises that differ."""
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        samples = 0.1 * np.random.default_rng(number).standard_normal(round(seconds * 8000))
        soundfile.write(folder / name, samples, 8000)
    return folder


def opened(data, options=Options(), **reading):
    return open_data(data, formats(options), Reading(**reading))


def faults(source):
    return [str(item.error) for item in source.read() if isinstance(item, Faulty)]


def test_ljspeech(tmp_path):
    folder_of(tmp_path, "wavs/LJ1-1.wav", "wavs/LJ1-2.wav", "README")
    text(
        tmp_path / "metadata.csv",
        f"LJ1-1|{LINES[0]}|{LINES[0]}",
        f"LJ1-2|{LINES[1]}|doctor smith said two",
        "LJ1-3|a|a",
    )
    for data in (tmp_path, tmp_path / "metadata.csv"):
        source = opened(data)
        found = [item for item in source.read() if isinstance(item, Example)]
        assert pairs(found) == [("LJ1-1.wav", "in being he said"), ("LJ1-2.wav", "doctor smith said two")]
        assert faults(source) == [
            f"{tmp_path}/metadata.csv:3: no such file {tmp_path}/wavs/LJ1-3; give paths relative to the folder of the "
            "table, or name their folder with --media_root"
        ]
    two = folder_of(tmp_path / "two", "wavs/a.wav")
    text(two / "metadata.csv", 'a|"one')
    assert pairs(opened(two)) == [("a.wav", "one")]
    speakers = folder_of(tmp_path / "speakers", "a.wav")
    list_of = text(speakers / "train.txt", "a.wav|7|say one", "a.wav|8|say two")
    with pytest.raises(UserError, match="no path and text among 'a.wav', '7', 'say one'; name them with --path_column"):
        opened(list_of)
    named = Options(columns=Columns("1", "3", label_option="--text_column"))
    assert [target for _, target in pairs(opened(list_of, named))] == ["say one", "say two"]


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("metadata.csv", ["file_name,transcription", "data/a.wav,one", "data/b.wav,two"]),
        (
            "metadata.jsonl",
            ['{"file_name": "data/a.wav", "text": "one"}', '{"file_name": "data/b.wav", "text": "two"}'],
        ),
        ("list.tsv", ["path\tsentence", "a.wav\tone", "b.wav\ttwo"]),
        ("words.csv", ["file;text", "data\\a.wav;one", "data\\b.wav;two"]),
        ("validated.tsv", ["client_id\tpath\tsentence", "x\ta\tone", "y\tb.wav\ttwo"]),
        (
            "manifest.json",
            ['{"audio_filepath": "data/a.wav", "text": "one"}', '{"audio_filepath": "b", "text": "two"}'],
        ),
        ("train.csv", ["path|text", "data/a.wav|one", "data/b.wav|two"]),
    ],
)
def test_a_table_beside_its_folder_of_recordings(tmp_path, name, lines):
    folder_of(tmp_path, "data/a.wav", "data/b.wav", "data/.a.wav")
    text(tmp_path / name, *lines)
    assert pairs(opened(tmp_path)) == [("a.wav", "one"), ("b.wav", "two")]
    assert pairs(opened(tmp_path, labelled=False)) == [("a.wav", ""), ("b.wav", "")]


def test_folders_that_are_no_words_are_refused(tmp_path):
    folder_of(tmp_path / "one", "clips/a.wav", "clips/b.wav")
    with pytest.raises(
        UserError, match="one: one sub-folder with recordings, 'clips', which would be the text of all; "
    ):
        opened(tmp_path / "one")
    folder_of(tmp_path / "flat", "a.wav", "b.wav")
    with pytest.raises(UserError, match="flat: no recordings with texts here .found a.wav, b.wav.; add a table"):
        opened(tmp_path / "flat")
    assert sorted(pairs(opened(tmp_path / "flat", labelled=False))) == [("a.wav", ""), ("b.wav", "")]
    folder_of(tmp_path / "many", "a/1.wav", "b/2.wav", ".c/3.wav", "_d/4.wav", "a/5.foo", "b/6")
    with pytest.warns(UserWarning, match=r"many: files that are no recordings were not read: 1 of "):
        assert sorted(pairs(opened(tmp_path / "many"))) == [("1.wav", "a"), ("2.wav", "b")]
    text(tmp_path / "many" / "a.csv", "path,text")
    text(tmp_path / "many" / "b.csv", "path,text")
    with pytest.raises(UserError, match="many: several tables: a.csv, b.csv; name one of them with --data"):
        opened(tmp_path / "many")


def test_text_files_beside_recordings(tmp_path):
    folder_of(tmp_path, "test.wav", "b.flac", "ada/c.m4a", "d.wav")
    text(tmp_path / "test.txt", "Say one!")
    text(tmp_path / "ada/c.normalized.txt", "say three")
    (tmp_path / "b.lab").write_text("café", "latin-1")
    source = opened(tmp_path, encoding="latin-1")
    found = [item for item in source.read() if isinstance(item, Example)]
    assert sorted(pairs(found)) == [("b.flac", "café"), ("c.m4a", "say three"), ("test.wav", "say one")]
    assert faults(source) == [f"{tmp_path}/d.wav: no transcript d.txt; put it next to the recording"]
    (tmp_path / "d.wav").unlink()
    with pytest.warns(UserWarning, match="taken by the hash of the name"):
        splits = load_splits(tmp_path, reading=Reading(encoding="latin-1"))
    assert sum(len(list(source)) for _, source in splits) == 3  # test.wav is no split
    grouped = opened(tmp_path, encoding="latin-1", group="speaker")
    assert {e.group for e in grouped} == {"ada", tmp_path.name}


def kaldi(folder, *, segments=False, speakers=False):
    folder_of(folder, "flac/r1.flac", "flac/r2.flac")
    text(folder / "wav.scp", f"{'r' if segments else 'u'}1 flac/r1.flac", f"{'r' if segments else 'u'}2 flac/r2.flac")
    text(folder / "text", "u1 ONE", "u2 TWO THREE", "u3 GONE")
    if segments:
        text(folder / "segments", "u1 r1 0.5 1.25", "u2 r2 3.0 -1", "u3 r3 1 2")
    if speakers:
        text(folder / "utt2spk", "u1 ada", "u2 bob", "u3 bob")
    return folder


def test_kaldi(tmp_path):
    plain = kaldi(tmp_path / "plain")
    source = opened(plain)
    assert pairs(item for item in source.read() if isinstance(item, Example)) == [
        ("r1.flac", "one"),
        ("r2.flac", "two three"),
    ]
    assert faults(source) == [f"{plain}/text:3: no u3 in wav.scp; add it there"]
    cut = kaldi(tmp_path / "cut", segments=True, speakers=True)
    found = [item for item in opened(cut / "wav.scp").read() if isinstance(item, Example)]
    assert pairs(found) == [("r1.flac#t=0.5,1.25", "one"), ("r2.flac#t=3", "two three")]
    assert [e.group for e in found] == ["", ""]  # three splits need three speakers
    text(cut / "utt2spk", "u1 ada", "u2 bob", "u3 cleo")
    found = [item for item in opened(cut).read() if isinstance(item, Example)]
    assert [e.group for e in found] == ["ada", "bob"]
    (cut / "text").unlink()
    with pytest.raises(UserError, match=f"{cut}: no file text; add the transcripts"):
        opened(cut)
    assert len([i for i in opened(cut, labelled=False).read() if isinstance(i, Example)]) == 2
    for line, message in (
        (
            "u1 sox a.wav -t wav - |",
            "wav.scp:1: a command, which is not run: sox a.wav -t wav - |; write its output to",
        ),
        ("u1 raw.ark:42", "wav.scp:1: an archive: raw.ark:42; write each recording to a file of its own"),
    ):
        text(plain / "wav.scp", line)
        with pytest.raises(UserError, match=message.replace("|", r"\|")):
            opened(plain)


def test_kaldi_paths_from_where_its_recipe_runs(tmp_path):
    folder_of(tmp_path, "data/train/.x", "downloads/a.wav")
    text(tmp_path / "data/train/wav.scp", "u1 downloads/a.wav")
    text(tmp_path / "data/train/text", "u1 one")
    assert pairs(opened(tmp_path / "data" / "train")) == [("a.wav", "one")]


def test_splits_of_kaldi_and_espnet(tmp_path):
    for name in ("train_nodev", "train_dev", "test"):
        (kaldi(tmp_path / name) / "text").write_text(f"u1 {name}\n")
    found = {name: pairs(source) for name, source in load_splits(tmp_path)}
    names = {"train": "trainnodev", "validation": "traindev", "test": "test"}  # as normalised
    assert found == {split: [("r1.flac", name)] for split, name in names.items()}


def test_nemo_manifests(tmp_path):
    folder_of(tmp_path, "a.wav", "b.wav")
    for split in ("train", "dev", "test"):
        text(
            tmp_path / f"{split}_manifest.json",
            f'{{"audio_filepath": "a.wav", "text": "{split}", "duration": 2.5, "offset": 1.5}}',
            f'{{"audio_filepath": "{tmp_path}/b.wav", "text": "{split}", "duration": 0.7}}',
        )
    found = {name: pairs(source) for name, source in load_splits(tmp_path)}
    assert found["validation"] == [("a.wav#t=1.5,4", "dev"), ("b.wav#t=0,0.7", "dev")]
    assert {target for _, target in found["train"]} == {"train"} and len(found["test"]) == 2


@pytest.mark.parametrize(
    ("header", "row", "name"),
    [
        ("path,start,end,text", "a.wav,0.1,0.3,yes", "a.wav#t=0.1,0.3"),
        ("path,offset,duration,text", "a.wav,0.1,0.3,yes", "a.wav#t=0.1,0.4"),
        ("path,start_time,end_time,text", "a.wav,00:00:00.1,00:00:00.3,yes", "a.wav#t=0.1,0.3"),
        ("path,start,end,text", "a.wav,0.1,,yes", "a.wav#t=0.1"),
        ("path,start,end,text", "a.wav,,,yes", "a.wav"),
        ("path,duration,text", "a.wav,3200,yes", "a.wav"),  # the length of the file, in any unit
    ],
)
def test_times_in_a_table_cut_the_recording(tmp_path, header, row, name):
    recordings(tmp_path, "a.wav")
    (example,) = opened(text(tmp_path / "all.csv", header, row))
    assert (Path(example.input).name, example.target) == (name, "yes")
    whole = read(tmp_path / "a.wav", Options(8000))
    times = [float(t) for t in name.partition("#t=")[2].split(",") if t] or [0]
    expected = whole[round(times[0] * 8000) : round(times[1] * 8000) if times[1:] else None]
    np.testing.assert_array_equal(read(example.input, Options(8000)), expected)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a.wav,0.3,0.1,yes", "the segment ends at 0.1, but begins at 0.3; give seconds"),
        ("a.wav,soon,0.1,yes", "not a time: 'soon'; give seconds"),
        ("a.wav,-1,0.1,yes", "not a time: '-1'; give seconds"),
    ],
)
def test_wrong_times_are_faulty(tmp_path, row, message):
    recordings(tmp_path, "a.wav")
    path = text(tmp_path / "all.csv", "path,start,end,text", row)
    assert faults(opened(path))[0].startswith(f"{path}:2: {message}")


@pytest.mark.parametrize("names", ["start_sec,end_sec", "onset,finish", "start,stop_time", "offset,duration"])
def test_columns_of_parts(tmp_path, names):
    recordings(tmp_path, "a.wav")
    path = text(tmp_path / "all.csv", f"path,{names},text", "a.wav,0,0.2,yes", "a.wav,0.1,0.2,no")
    ends = ("0.2", "0.3") if "duration" in names else ("0.2", "0.2")
    assert [e.input for e in opened(path)] == [f"{tmp_path}/a.wav#t=0,{ends[0]}", f"{tmp_path}/a.wav#t=0.1,{ends[1]}"]


def test_parts_in_milliseconds_are_refused(tmp_path):
    recordings(tmp_path, "a.wav")
    path = text(tmp_path / "all.csv", "path,start_ms,end_ms,text", "a.wav,0,200,yes")
    with pytest.raises(UserError, match="'start_ms' is not in seconds; give seconds in columns start and end"):
        list(opened(path))


def test_a_part_after_the_end_is_an_error(tmp_path):
    recordings(tmp_path, "a.wav")
    with pytest.raises(UserError, match="a.wav: the part from 200 to 300 seconds is not inside the 0.50 seconds; give"):
        read(f"{tmp_path}/a.wav#t=200,300")


def test_a_media_root(tmp_path):
    folder_of(tmp_path, "media/x/a.wav")
    path = text(tmp_path / "tables/all.csv", "path,text", "x/a.wav,yes")
    assert faults(opened(path))
    assert pairs(opened(path, Options(media_root=str(tmp_path / "media")))) == [("a.wav", "yes")]
    with pytest.raises(UserError, match="--media_root gone: no such folder"):
        opened(path, Options(media_root="gone"))


def test_tables_beside_folders_of_their_names(tmp_path):
    folder_of(tmp_path, *(f"train/{n}.wav" for n in range(9)), "test/b.wav")
    text(tmp_path / "train.csv", "path,text", *(f"{n}.wav,one" for n in range(9)))
    text(tmp_path / "test.csv", "path,text", "b.wav,two")
    with pytest.warns(UserWarning, match="no validation split"):
        splits = load_splits(tmp_path)
    assert sorted(pairs(splits.train) + pairs(splits.validation)) == [(f"{n}.wav", "one") for n in range(9)]
    assert pairs(splits.test) == [("b.wav", "two")]


def test_an_audiofolder_with_splits_and_one_table(tmp_path):
    folder_of(tmp_path, "train/a.wav", "validation/b.wav", "test/c.wav")
    rows = ["train/a.wav,one", "validation/b.wav,two", "test/c.wav,three"]
    text(tmp_path / "metadata.csv", "file_name,transcription", *rows)
    found = {name: pairs(source) for name, source in load_splits(tmp_path)}
    assert found == {"train": [("a.wav", "one")], "validation": [("b.wav", "two")], "test": [("c.wav", "three")]}


def test_a_group_of_a_table(tmp_path):
    folder_of(tmp_path, *(f"{n}.wav" for n in range(40)))
    path = text(tmp_path / "all.csv", "path,text,speaker", *(f"{n}.wav,yes,s{n % 8}" for n in range(40)))
    with pytest.warns(UserWarning, match="taken by the hash of the column speaker"):
        splits = load_splits(path, reading=Reading(group="speaker"))
    speakers = [{int(Path(e.input).stem) % 8 for e in source} for _, source in splits]
    assert sum(map(len, speakers)) == 8 and all(speakers)
    with pytest.raises(UserError, match=r"no column 'speker'; did you mean 'speaker'"):
        opened(path, group="speker")
    with pytest.raises(UserError, match="no column 'speaker'"):
        opened(folder_of(tmp_path / "words", "yes/a.wav", "no/a.wav"), group="speaker")


def test_data_in_memory(tmp_path, monkeypatch):
    import datasets
    import pandas as pd

    monkeypatch.setenv("SEQTASKS_CACHE", str(tmp_path / "cache"))
    recordings(tmp_path, "a.wav", "b.wav")
    waves = [read(tmp_path / name, Options(8000)) for name in ("a.wav", "b.wav")]
    content = [(tmp_path / name).read_bytes() for name in ("a.wav", "b.wav")]
    paths = [str(tmp_path / name) for name in ("a.wav", "b.wav")]
    hf = datasets.Dataset.from_dict({"audio": paths, "text": ["Yes", "No"]}).cast_column("audio", datasets.Audio())
    for data in (
        list(zip(waves, ["yes", "no"], strict=True)),
        (waves, ["yes", "no"]),
        [{"audio": {"array": w, "sampling_rate": 8000}, "text": t} for w, t in zip(waves, ["yes", "no"], strict=True)],
        [{"array": w.tolist(), "sampling_rate": 8000, "text": t} for w, t in zip(waves, ["yes", "no"], strict=True)],
        [{"audio": {"bytes": b, "path": "x.wav"}, "text": t} for b, t in zip(content, ["yes", "no"], strict=True)],
        [{"bytes": b, "path": "x.wav", "text": t} for b, t in zip(content, ["yes", "no"], strict=True)],
        [(path.encode(), t) for path, t in zip(paths, [b"yes", b"no"], strict=True)],
        pd.DataFrame({"audio": content, "sentence": ["yes", "no"]}),
        pd.DataFrame({"file": paths, "transcript": ["yes", "no"]}),
        hf,
    ):
        source = opened(data, Options(8000))
        assert [e.target for e in source] == ["yes", "no"]
        for example, wave in zip(source, waves, strict=True):
            np.testing.assert_allclose(read(example.input, Options(8000)), wave, atol=2**-14)
    parquet = tmp_path / "all.parquet"
    pd.DataFrame({"audio": [{"bytes": b, "path": None} for b in content], "text": ["yes", "no"]}).to_parquet(parquet)
    assert [len(read(e.input, Options(8000))) for e in opened(parquet)] == [4000, 4000]
    doubled = opened([(waves[0], "yes")], Options(16_000))
    assert len(read(next(iter(doubled)).input, Options(16_000))) == 4000  # an array has the sample rate of the recipe
    wrong = opened(
        [(waves[0], "yes"), (0 * waves[0], "no"), (5, "no"), (None, "no"), ("gone.wav", "no")], Options(8000)
    )
    assert [fault.split(": ")[1].split(";")[0] for fault in faults(wrong)] == [
        "the recording is silent",
        "int 5 is not a recording",
        "the path is missing",
        "no such file gone.wav",
    ]
    with pytest.raises(UserError, match="a part of an array; give the array of the part alone"):
        list(opened([{"audio": waves[0], "text": "yes", "start": 1, "end": 2}]))


def test_tables_with_codecs_of_telephones(tmp_path):
    av = pytest.importorskip("av")
    wave = 0.1 * np.random.default_rng(0).standard_normal((1, 16_384)).astype("float32")
    for name, codec, rate in (("phone.m4a", "aac", 16_000), ("browser.webm", "libopus", 48_000)):
        with av.open(str(tmp_path / name), "w") as file:
            stream = file.add_stream(codec, rate=rate, layout="mono")
            frame = av.AudioFrame.from_ndarray(wave, "fltp", "mono")
            frame.sample_rate = rate
            for converted in av.AudioResampler(stream.format.name, "mono", rate).resample(frame):
                file.mux(stream.encode(converted))
            file.mux(stream.encode(None))
    path = text(tmp_path / "all.csv", "path,text", "phone.m4a,yes", "browser.webm,no")
    source = opened(path)
    assert pairs(source) == [("phone.m4a", "yes"), ("browser.webm", "no")]
    assert [len(read(e.input)) / 16_000 for e in source] == pytest.approx([16_384 / 16_000, 16_384 / 48_000], abs=0.15)
