"""Sources of recordings in every layout, their splits and errors, and the normalisation of transcripts."""

import itertools
import unicodedata
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqtasks.data.columns import Columns
from seqtasks.data.partition import part
from seqtasks.data.reading import Reading
from seqtasks.data.sources import Example
from seqtasks.data.splits import find_splits, has_splits
from seqtasks.errors import UserError
from seqtasks.speech import files, sample
from seqtasks.speech.audio import Options
from seqtasks.speech.files import formats, open_speech, open_tfds, read
from seqtasks.speech.transcripts import alphabet, normalise, unknown_characters

soundfile = pytest.importorskip("soundfile")
pytest.importorskip("soxr")


def folder_of(folder, *names):
    """Empty files by these names; sources do not open them."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def text(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return path


def load_splits(data, options=Options(), reading=Reading(), **given):
    return find_splits(data, formats(options), reading, **given)


def pairs(source):
    return [(Path(example.input).name, example.target) for example in source]


@pytest.mark.parametrize("suffix", ["csv", "tsv"])
@pytest.mark.parametrize("header", ["path,text", "audio_filepath,transcript", "sentence,file", ""])
def test_a_table(tmp_path, suffix, header):
    folder_of(tmp_path, "a/1.wav", "b/2.MP3")
    rows = [("a/1.wav", "One two"), (f"{tmp_path}/b/2.MP3", "3, drei"), ("a/3.wav", "vier")]
    rows = [row[::-1] for row in rows] if header == "sentence,file" else rows
    lines = [header.replace(",", "\t")] * bool(header) + ["\t".join(row) for row in rows]
    if suffix == "csv":
        lines = [",".join(f'"{cell}"' for cell in line.split("\t")) for line in lines]
    path, first = text(tmp_path / f"all.{suffix}", *lines), 1 + bool(header)
    source = open_speech(path)
    assert list(itertools.islice(source, 2)) == [
        Example(f"{tmp_path}/a/1.wav", "One two", first),
        Example(f"{tmp_path}/b/2.MP3", "3, drei", first + 1),
    ]
    message = f"^{path}:{first + 2}: no such file {tmp_path}/a/3.wav; give paths relative to the folder of the table"
    with pytest.raises(UserError, match=message):
        list(source)


def test_named_columns(tmp_path):
    folder_of(tmp_path, "1.wav")
    path = text(tmp_path / "a.tsv", "text\twhere\tsaid", "x\t1.wav\tyes")
    named = Options(columns=Columns(text="where", label="said"))
    assert pairs(open_speech(path, options=named)) == [("1.wav", "yes")]


def test_the_layout_of_common_voice(tmp_path):
    for split in ("train", "dev", "test", "validated", "other"):
        folder_of(tmp_path, f"clips/{split}_1.mp3")
        header = "client_id\tpath\tsentence_id\tsentence\tsentence_domain\tup_votes"
        text(tmp_path / f"{split}.tsv", header, f'ab\t{split}_1.mp3\t7\tSay "{split}".\t\t2')
    found = {name: list(source) for name, source in load_splits(tmp_path)}
    for name, split in (("train", "train"), ("validation", "dev"), ("test", "test")):
        assert found[name] == [Example(f"{tmp_path}/clips/{split}_1.mp3", f"say {split}", 2)]
    text(tmp_path / "gone.tsv", "path\tsentence", "gone.mp3\tno")
    with pytest.raises(UserError, match=f"gone.tsv:2: no such file {tmp_path}/clips/gone.mp3; give paths"):
        list(open_speech(tmp_path / "gone.tsv"))


def chapters(folder, *names, suffix=".flac"):
    """Chapters of LibriSpeech by these names: SPLIT/SPEAKER/CHAPTER, of two recordings each."""
    for name in names:
        stem = "-".join(name.split("/")[-2:])
        folder_of(folder, *(f"{name}/{stem}-{n:04}{suffix}" for n in range(2)))
        text(folder / name / f"{stem}.trans.txt", *(f"{stem}-{n:04} IT'S {name} {n}".upper() for n in range(2)))
    return folder


def test_the_layout_of_librispeech(tmp_path):
    chapters(tmp_path, "train-clean-100/1/2", "train-clean-100/1/3", "train-other-500/4/5", "test-clean/8/9")
    chapters(tmp_path, "dev-clean/6/7", "dev-other/6/8", suffix=".mp3")
    text(tmp_path / "SPEAKERS.TXT", "1 | F")
    with pytest.warns(UserWarning, match=f"^{tmp_path}: dev-clean taken for validation, not dev-other$"):
        splits = load_splits(tmp_path)
    stems = {name: sorted({Path(e.input).stem[:-5] for e in source}) for name, source in splits}
    assert stems == {"train": ["1-2", "1-3", "4-5"], "validation": ["6-7"], "test": ["8-9"]}
    assert len(list(splits.train)) == len(list(splits.train)) == 6
    trans = tmp_path / "test-clean/8/9/8-9.trans.txt"
    assert list(splits.test) == [
        Example(f"{tmp_path}/test-clean/8/9/8-9-{n:04}.flac", f"it's test clean 8 9 {n}", f"{trans}:{n + 1}")
        for n in range(2)
    ]
    other = load_splits(tmp_path, valid=tmp_path / "dev-other")
    assert [name for name, _ in pairs(other.validation)] == ["6-8-0000.mp3", "6-8-0001.mp3"]
    assert len(pairs(open_speech(tmp_path))) == 12  # all of it
    assert has_splits(tmp_path, formats()) and not has_splits(tmp_path / "dev-other", formats())
    (tmp_path / "test-clean/8/9/8-9-0001.flac").unlink()
    with pytest.raises(
        UserError, match=f"^{trans}:2: no recording 8-9-0001; put it next to the transcripts, as 8-9-0001.wav"
    ):
        list(splits.test)


def test_a_folder_of_librispeech_alone_is_split_by_hash(tmp_path):
    chapters(tmp_path, *(f"train-clean-100/{n}/{n + 100}" for n in range(30)))
    with pytest.warns(UserWarning, match="no test and no validation split given; 10 % of train each taken by the hash"):
        splits = load_splits(tmp_path)
    for name, number in (("test", 0), ("validation", 1)):
        stems = {f"{n}-{n + 100}-{k:04}" for n in range(30) for k in range(2)}
        own = {stem for stem in stems if part(f"{stem.split('-')[1]}/{stem}") == number}
        assert {Path(e.input).stem for e in getattr(splits, name)} == own != set()


def test_a_folder_per_word_is_shuffled_by_name(tmp_path):
    names = [f"{word}/{n:08x}_nohash_{k}.wav" for word in ("yes", "no") for n in range(30) for k in range(2)]
    one, other = (folder_of(tmp_path / place, *order) for place, order in (("a", names), ("b/c", names[::-1])))
    folder_of(one, "_background_noise_/hiss.wav", "yes/._a.wav", "yes/notes.txt", "README.md")
    found = pairs(open_speech(one))
    assert sorted(found) == sorted((name.split("/")[1], name.split("/")[0]) for name in names)
    assert found == pairs(open_speech(other)) and {word for _, word in found[:8]} == {"yes", "no"}
    with pytest.warns(UserWarning, match="each taken by the hash of the name"):
        splits = load_splits(one)
    for name, number in (("test", 0), ("validation", 1)):  # takes of one speaker stay together
        own = [n for n in names if part(n.split("_")[0]) == number]
        assert sorted(f"{Path(e.input).parent.name}/{Path(e.input).name}" for e in getattr(splits, name)) == sorted(own)


def test_invalid_sources_raise(tmp_path):
    folder_of(tmp_path, "a/1.wav", "a/1.txt", "d/e/f.txt")
    for name, line, message in (
        ("b.csv", "a/1.wav,", "b.csv:1: the text is missing; give every record the text that is spoken"),
        ("b.csv", ",yes", "b.csv:1: the path is missing; give every record the path of a recording"),
        (
            "c.txt",
            "a/1.wav yes",
            "c.txt: no path and text among 'a/1.wav yes'; name them with --path_column and --text",
        ),
        ("d.csv", "a/1.wav,yes,no", "d.csv: no path and text among 'a/1.wav', 'yes', 'no'; name them with --path_colu"),
        ("e.csv", "path,said\na/1.wav,no", "e.csv:1: no such file"),
        ("f.md", "a/1.wav,yes", "f.md: unknown format '.md'"),
    ):
        with pytest.raises(UserError, match=f"^{tmp_path}/{message}"):
            list(open_speech(text(tmp_path / name, line)))
    with pytest.raises(UserError, match="d: no recordings with texts here .found e.; add a table of paths and texts"):
        open_speech(tmp_path / "d")
    with pytest.raises(UserError, match="no.wav: no such file or folder; check the path"):
        open_speech(tmp_path / "no.wav")
    recording = str(tmp_path / "a" / "1.wav")
    with pytest.raises(UserError, match="1.wav: a recording without a text; give a table of paths and texts"):
        load_splits(recording)
    assert list(open_speech(recording, Reading(labelled=False))) == [Example(recording, "", recording)]


def test_folders_of_splits(tmp_path):
    folder_of(tmp_path, "train/no/train.wav", *(f"{split}/yes/{split}.wav" for split in ("train", "valid", "test")))
    found = {name: pairs(source)[:1] for name, source in load_splits(tmp_path)}
    assert found == {n: [(f"{s}.wav", "yes")] for n, s in (("train", "train"), ("validation", "valid"), ("test",) * 2)}


def test_missing_packages_raise_before_a_file_is_opened(tmp_path, monkeypatch):
    def missing(package, extra):
        raise UserError(f"the package {package} is missing", remedy=f"pip install 'seqtasks[{extra}]'")

    monkeypatch.setattr(files, "needs", missing)
    with pytest.raises(UserError, match="^the package soundfile is missing; pip install 'seqtasks.speech.'"):
        open_speech(text(tmp_path / "a.csv", "path,text"))


def test_messages_in_morse_code():
    splits = load_splits("morse:messages")
    assert [len(list(source)) for _, source in splits] == list(sample.COUNTS.values())
    example = next(iter(splits.test))
    waveform = read(example.input, Options(8000))
    assert waveform.dtype == np.float32 and len(waveform) > 4000


RECORDS = [np.arange(-8000, 8000, n + 1, dtype="int16") for n in range(3)]


def mocked(tmp_path, monkeypatch, splits, rows, signature):
    import tensorflow as tf
    import tensorflow_datasets as tfds

    def dataset(self, *args, **kwargs):
        return tf.data.Dataset.from_generator(lambda: reads.append(1) or iter(rows), output_signature=signature)

    reads, empty = [], SimpleNamespace(num_bytes=0)
    monkeypatch.setattr(tfds.core.DatasetInfo, "splits", property(lambda self: dict.fromkeys(splits, empty)))
    return tfds.testing.mock_data(as_dataset_fn=dataset, data_dir=tmp_path), reads


def test_tensorflow_datasets_with_texts(tmp_path, monkeypatch):
    import tensorflow as tf

    rows = [{"speech": samples, "text": f"SAY, {n}".encode()} for n, samples in enumerate(RECORDS)]
    signature = {"speech": tf.TensorSpec([None], "int16"), "text": tf.TensorSpec([], "string")}
    names = ["dev_clean", "dev_other", "test_clean", "test_other", "train_clean100", "train_clean360", "train_other500"]
    mock, reads = mocked(tmp_path, monkeypatch, names, rows, signature)
    with mock:
        for _ in range(2):
            source = open_tfds("librispeech", "test_clean")
            assert [example.target for example in source] == ["SAY, 0", "SAY, 1", "SAY, 2"]
            for example, samples in zip(source, RECORDS, strict=True):
                np.testing.assert_allclose(read(example.input), samples / 2**15, atol=1e-7)
        assert len(reads) == 1  # the second time the arrays are there
        slow = Options(8000)
        lengths = [len(read(example.input, slow)) for example in open_tfds("librispeech", "test_clean", slow)]
        assert lengths == pytest.approx([len(samples) / 2 for samples in RECORDS], abs=1)
        with pytest.warns(UserWarning) as caught:
            splits = load_splits("tfds:librispeech")
        assert [str(w.message) for w in caught] == [
            "tfds:librispeech: dev_clean taken for validation, not dev_other",
            "tfds:librispeech: test_clean taken for test, not test_other",
            "tfds:librispeech: train_clean100 taken for train, not train_clean360, train_other500",
        ]
        assert "test_clean" in next(iter(splits.test)).input


def test_tensorflow_datasets_with_classes(tmp_path, monkeypatch):
    import tensorflow as tf
    import tensorflow_datasets as tfds

    rows = [{"audio": RECORDS[n % 3].astype("int64"), "label": n} for n in range(12)]
    signature = {"audio": tf.TensorSpec([None], "int64"), "label": tf.TensorSpec([], "int64")}
    mock, _ = mocked(tmp_path, monkeypatch, ("train", "validation", "test"), rows, signature)
    with mock:
        words = tfds.builder("speech_commands").info.features["label"].names
        assert words[10:] == ["_silence_", "_unknown_"]
        splits = load_splits("tfds:speech_commands")
        for _, source in splits:
            assert [example.target for example in source] == words[:10]
        with pytest.raises(UserError, match="tfds:mnist: no sound and text among the features image, label; name ano"):
            open_tfds("mnist", "train")
    with pytest.raises(UserError, match="tfds:no_such: no such data set; see"):
        load_splits("tfds:no_such")


def test_real_recordings(data_folder):
    splits = load_splits(data_folder / "speech" / "fsdd")
    assert [len(list(source)) for _, source in splits] == [2400, 300, 300]
    for example in itertools.islice(splits.test, 0, None, 30):
        waveform = read(example.input)
        assert 0.1 < len(waveform) / 16_000 < 3 and 0.01 < np.abs(waveform).max() <= 1.1


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("Hello, World!", "hello world"),
        ("  don’t\t‘stop’  rock`n´roll ", "don't stop rock'n'roll"),
        ("'tis the dogs' o'clock ''", "tis the dogs o'clock"),
        ("twenty-one and/or — well… 3.50 €", "twenty one and or well 350"),
        ("ＦＵＬＬ ﬁ CAFE\u0301 ΣΑΣ", "full fi café σας"),
        ("soft\u00adhyphen zero\u200bwidth", "softhyphen zerowidth"),
        ("हिन्दी। 123", "हिन्दी 123"),
        ("?!", ""),
    ],
)
def test_normalise(written, expected):
    assert normalise(written) == expected


@given(st.text(st.characters(codec="utf-8") | st.sampled_from("'’ -.aé\u0301"), max_size=30))
def test_normalised_texts_do_not_change_again(written):
    found = normalise(written)
    assert normalise(found) == found == unicodedata.normalize("NFKC", found) == " ".join(found.split())
    assert all(c in " '" or unicodedata.category(c)[0] in "LMN" for c in found)
    assert not any(outer in f" {found} " for outer in (" '", "' ", "''"))


@given(st.lists(st.text("abcé '", max_size=6)), st.text("abcdeé '", max_size=9))
def test_alphabets(known, query):
    letters = alphabet(known)
    assert list(letters) == sorted({c for t in known for c in t})
    assert set(unknown_characters(query, letters)) == set(query) - set(letters)
    assert len(unknown_characters(query, letters)) == len(set(query) - set(letters))
    assert all(unknown_characters(t, letters) == "" for t in known)
