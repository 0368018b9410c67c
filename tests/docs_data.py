"""Small data files with the names that the examples of the documentation use."""

import gzip
import itertools
import json
import shutil
from pathlib import Path

import numpy as np

SAMPLES = Path(__file__).parent.parent / "recipes" / "samples"
BASES = "ACGT"


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def texts(folder):
    """Reviews as tables, JSON Lines and a folder per class."""
    rows = [line.split("\t") for line in (SAMPLES / "sentiment.tsv").read_text("utf-8").splitlines()[1:]]
    rows = [(text.replace(",", " "), label) for text, label in rows[:200]]
    for name in ("reviews", "other", "mine"):
        write(folder / f"{name}.csv", "text,label\n" + "".join(f"{text},{label}\n" for text, label in rows))
    write(folder / "stars.tsv", "review\tstars\n" + "".join(f"{text}\t{5 * (y == 'positive')}\n" for text, y in rows))
    lines = [json.dumps({"text": text, "label": label}) for text, label in rows]
    write(folder / "reviews.jsonl", "\n".join(lines) + "\n")
    write(folder / "texts.txt", "What a film!\nI left early.\n")
    for number, (text, label) in enumerate(rows):
        split = "test" if number % 4 == 0 else "train"
        write(folder / "aclImdb" / split / ("pos" if label == "positive" else "neg") / f"{number}.txt", text)


def targets(folder):
    """Texts with several labels, and with ordered ones."""
    words = {"sport": "the club won the cup", "money": "the bank sold its shares", "politics": "the minister spoke"}
    names = [[name for i, name in enumerate(words) if number >> i & 1] for number in range(8)]
    rows = [(" and ".join([words[n] for n in some] + [f"day {i}"]), some) for i, some in enumerate(names * 12)]
    write(folder / "topics.jsonl", "".join(json.dumps({"text": t, "label": y}) + "\n" for t, y in rows))
    write(folder / "topics.csv", "text,label\n" + "".join(f"{t},{';'.join(y)}\n" for t, y in rows))
    grades = ("low", "middle", "middle", "high")
    write(folder / "grades.csv", "text,label\n" + "".join(f"{t},{grades[len(y)]}\n" for t, y in rows))


def pairs(folder):
    rows = [f"film {n} was {('warm', 'grey')[n % 2]},it was good,{('yes', 'no')[n % 2]}\n" for n in range(120)]
    write(folder / "pairs.csv", "premise,hypothesis,label\n" + "".join(rows))


def ner(folder):
    sentences = (SAMPLES / "ner.conll").read_text("utf-8").strip().split("\n\n")
    parts = {"train": sentences[20:], "dev": sentences[:10], "test": sentences[10:20]}
    for name, part in parts.items():
        write(folder / "corpus" / f"{name}.conll", "\n\n".join(part) + "\n")
    lines = []
    for sentence in sentences:
        columns = [line.split() for line in sentence.splitlines() if line.split()]
        lines.append(json.dumps({"tokens": [c[0] for c in columns], "tags": [c[-1] for c in columns]}))
    write(folder / "labelled.jsonl", "\n".join(lines) + "\n")


def dna(folder):
    rng = np.random.default_rng(0)

    def bases(count, motif=""):
        text = "".join(rng.choice(list(BASES), count - len(motif)))
        return text[: count // 2] + motif + text[count // 2 :]

    for name, motif in (("promoter", "TTGACA"), ("other", "")):
        records = [f">{name}{i}\n{bases(81, motif)}\n" for i in range(60)]
        write(folder / "promoters" / f"{name}.fa", "".join(records))
    rows = [f"{bases(60, 'GTAAGT' * (i % 2))},{'donor' if i % 2 else 'none'}\n" for i in range(120)]
    write(folder / "sequences.csv", "sequence,label\n" + "".join(rows))
    genome = ">chr1\n" + bases(4000) + "\n"
    write(folder / "genome.fa", genome)
    (folder / "genome.fa.gz").write_bytes(gzip.compress(genome.encode()))
    peaks = [
        f"chr1\t{30 * i}\t{30 * i + 60}\t{'peak' if i % 2 else 'none'}\t0\t{'+-'[i % 3 == 0]}\n" for i in range(120)
    ]
    write(folder / "peaks.bed", "".join(peaks))
    write(folder / "genes.fa", "".join(f">gene{i}\n{bases(80)}\n" for i in range(60)))
    write(folder / "exons.bed", "".join(f"gene{i}\t{i % 20}\t{i % 20 + 40}\texon\n" for i in range(60)))
    write(folder / "unknown.fa", f">a\n{bases(81)}\n>b\n{bases(81)}\n")


def translation(folder):
    nouns = {"dog": "Hund", "cat": "Kater", "man": "Mann", "bird": "Vogel", "boy": "Junge"}
    verbs = {"runs": "rennt", "sleeps": "schläft", "sings": "singt", "eats": "isst", "reads": "liest"}
    counts = {"A": "Ein", "The": "Der", "One": "Ein", "Every": "Jeder", "No": "Kein", "This": "Dieser"}
    pairs = [
        (f"{a} {b} {c}.", f"{counts[a]} {nouns[b]} {verbs[c]}.") for a, b, c in itertools.product(counts, nouns, verbs)
    ]
    parts = {"train": pairs[30:], "valid": pairs[:15], "test": pairs[15:30]}
    for name, part in parts.items():
        for side, language in enumerate(("en", "de")):
            write(folder / "parallel" / f"{name}.{language}", "".join(f"{pair[side]}\n" for pair in part))
    write(folder / "pairs.tsv", "source\ttarget\n" + "".join(f"{source}\t{target}\n" for source, target in pairs))
    write(folder / "lines.en", "A dog runs.\n\nThe bird sings.\n")
    for side, name in enumerate(("english", "german")):
        write(folder / f"{name}.txt", "".join(f"{pair[side]}\n" for pair in pairs))


def language(folder):
    write(folder / "genome.fa", f">chr1\n{'ACGTTGCA' * 1000}\n")
    rows = [line.split("\t")[0] for line in (SAMPLES / "sentiment.tsv").read_text("utf-8").splitlines()[1:]]
    write(folder / "book.txt", " ".join(rows) * 2)
    write(folder / "names.txt", "\n".join(dict.fromkeys(word for row in rows for word in row.split())) + "\n")
    for number, name in enumerate(("train", "valid", "test")):
        part = rows[number::3]
        write(folder / "tables" / f"{name}.csv", "text\n" + "".join(f"{row.replace(',', '')}\n" for row in part))


def pretraining(folder):
    """Texts without labels, sequences, and pairs of sentences."""
    dna(folder)
    translation(folder)
    rows = [line.split("\t")[0] for line in (SAMPLES / "sentiment.tsv").read_text("utf-8").splitlines()[1:]]
    write(folder / "unlabelled.csv", "text\n" + "".join(f"{row.replace(',', '')}\n" for row in rows[:200]))


def music(folder):
    from seqtasks.music import midi, piano_rolls

    pieces = [[[60 + (i + t) % 12, 64 + (i + t) % 12] for t in range(16)] for i in range(30)]
    parts = {"train": pieces[4:12], "valid": pieces[:2], "test": pieces[2:4]}
    write(folder / "jsb-chorales.json", json.dumps(parts))
    rolls = [(folder / "midi" / f"{i}.mid", piece) for i, piece in enumerate(pieces)]
    rolls += [(folder / "beginning.mid", pieces[0][:4]), (folder / "some.mid", pieces[1])]
    for path, piece in rolls:
        path.parent.mkdir(exist_ok=True)
        roll = piano_rolls.parse(";".join(" ".join(map(str, step)) for step in piece))
        midi.write_midi(piano_rolls.to_notes(roll, 0.25), path, 120)


def video(folder):
    rng = np.random.default_rng(0)
    for number in range(24):
        label = ("left", "right")[number % 2]
        clip = rng.integers(0, 40, (10, 24, 32, 3), "uint8")
        for frame in range(10):
            place = 3 * frame if label == "right" else 27 - 3 * frame
            clip[frame, 8:16, place : place + 4] = 255
        path = folder / "clips" / label / f"{number:02}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, clip)
    clips = sorted((folder / "clips").rglob("*.npy"))
    for offset, name in enumerate(("train", "valid", "test")):
        rows = [f"../clips/{path.parent.name}/{path.name},{path.parent.name}\n" for path in clips[offset::3]]
        write(folder / "tables" / f"{name}.csv", "path,label\n" + "".join(rows))
    for name, codec in (("a.mp4", "mpeg4"), ("b.avi", "mpeg4"), ("match.mp4", "mpeg4")):
        _film(folder / name, np.load(clips[0]), codec, 60 if name == "match.mp4" else 10)


def _film(path, clip, codec, count):
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.height, stream.width = clip.shape[1:3]
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(clip[number % len(clip)]), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def speech(folder):
    import soundfile

    rng = np.random.default_rng(0)
    tones = {"low": 300.0, "high": 900.0}
    rows = []
    (folder / "recordings").mkdir()
    for number in range(36):
        words = [("low", "high")[int(bit)] for bit in rng.integers(0, 2, 2)]
        name = f"recordings/{number}.wav"
        soundfile.write(folder / name, _sound([tones[word] for word in words]), 16000)
        rows.append(f"{Path(name).name}\t{' '.join(words)}\n")
    for name, part in {"train": rows[12:], "valid": rows[:6], "test": rows[6:12]}.items():
        write(folder / "recordings" / f"{name}.tsv", "path\ttext\n" + "".join(part))
    for speaker in range(1, 13):
        chapter = folder / "LibriSpeech" / f"{speaker}" / "7"
        chapter.mkdir(parents=True)
        for line in range(2):
            soundfile.write(chapter / f"{speaker}-7-000{line}.flac", _sound([300.0, 900.0]), 16000)
        write(chapter / f"{speaker}-7.trans.txt", "".join(f"{speaker}-7-000{line} LOW HIGH\n" for line in range(2)))
    shutil.copy(folder / "recordings" / "0.wav", folder / "one.wav")
    soundfile.write(folder / "two.flac", _sound([900.0]), 16000)
    language(folder)


def _sound(tones):
    time = np.arange(4000) / 16000
    silence = np.zeros(1600)
    return np.concatenate([silence, *(np.r_[0.5 * np.sin(2 * np.pi * tone * time), silence] for tone in tones)])


def samples_of_a_stream():
    """Half a second of 16-bit samples."""
    return (_sound([300.0]) * 32767).astype("<i2").tobytes()


def vectors(folder):
    """Vectors of a few words, and a corpus of entities."""
    words = ["the", "film", "story", "acting", "good", "bad", "London", "Paris"]
    lines = "".join(
        f"{word} {' '.join(str((7 * i * j) % 5 - 2.0) for j in range(4))}\n" for i, word in enumerate(words, 1)
    )
    write(folder / "glove.6B.100d.txt", lines)
    (folder / "cc.en.300.vec.gz").write_bytes(gzip.compress(f"{len(words)} 4\n{lines}".encode()))
    ner(folder)
