"""Sentences as people have them: CoNLL-U, GermEval, Kaggle's table, brat, annotation tools, data in memory, offsets."""

import json
import time
import warnings

import pytest

from seqtasks.data import hf
from seqtasks.data.reading import Reading
from seqtasks.data.sources import Faulty, literal, tolerant
from seqtasks.data.splits import find_splits, open_data
from seqtasks.data.tables import open_records
from seqtasks.errors import UserError
from seqtasks.ner.files import formats
from seqtasks.ner.sentences import Options
from seqtasks.text.word_tokenizer import SEPARATOR

SENTENCES = [
    (["Ada", "Byron", "met", "Li"], ["B-PER", "I-PER", "O", "B-PER"]),
    (["In", "Rome", "!"], ["O", "B-LOC", "O"]),
]
EXPECTED = [
    (f"{SEPARATOR}Ada{SEPARATOR}Byron{SEPARATOR}met{SEPARATOR}Li", "B-PER E-PER O S-PER"),
    (f"{SEPARATOR}In{SEPARATOR}Rome{SEPARATOR}!", "O S-LOC O"),
]
TEXTS = ["Ada Byron met Li", "In Rome!"]
MARKS = [[[0, 9, "PER"], [14, 16, "PER"]], [[3, 7, "LOC"]]]
MARKED = [(TEXTS[0], "B-PER E-PER O S-PER"), (TEXTS[1], "O S-LOC O")]
UNLABELLED = Reading(labelled=False)


def write(path, content, encoding="utf-8"):
    path.write_bytes(content.encode(encoding))
    return path


def opened(data, reading=Reading(), **options):
    return open_data(data, formats(Options(**options)), reading)


def pairs(data, reading=Reading(), **options):
    return [(e.input, e.target) for e in opened(data, reading, **options)]


def inputs(data, **options):
    return [e.input for e in opened(data, UNLABELLED, **options)]


def faults(data, **options):
    return [str(item.error) for item in opened(data, **options).read() if isinstance(item, Faulty)]


def conll(line, head=""):
    blocks = ("".join(line(i, *row) for i, row in enumerate(zip(*s, strict=True), 1)) for s in SENTENCES)
    return "\n".join(head + block for block in blocks)


UNIVERSAL_HEAD = "# sent_id = 7\n# text = what it says is B-PER\n"
UNIVERSAL = {
    "column 10": (lambda i, token, tag: f"{i}\t{token}\tx\tX\t_\t_\t0\troot\t_\t{tag}\n", {}),
    "NER=": (
        lambda i, token, tag: (
            f"{i}\t{token}\tx\tX\t_\t_\t0\troot\t_\t{'_' if tag == 'O' else 'SpaceAfter=No|NER=' + tag}\n"
        ),
        {},
    ),
    "NE=": (lambda i, token, tag: f"{i}\t{token}\tx\tX\t_\t_\t0\troot\t_\tNE={tag}|SpaceAfter=No\n", {}),
    "mixed": (
        lambda i, token, tag: f"{i}\t{token}\tx\tX\t_\t_\t0\troot\t_\t{tag}|SpaceAfter=No\n",
        {"tag_column": 10},
    ),
}


@pytest.mark.parametrize("suffix", [".conllu", ".conll"])
@pytest.mark.parametrize("name", UNIVERSAL)
def test_universal_columns(tmp_path, name, suffix):
    line, options = UNIVERSAL[name]
    ranges = "1-2\tAdaByron\t_\t_\t_\t_\t_\t_\t_\t_\n"
    content = conll(line, UNIVERSAL_HEAD).replace("1\tAda", ranges + "1\tAda")
    content = content.replace("3\tmet", "2.1\tempty\t_\t_\t_\t_\t_\t_\t_\t_\n3\tmet")
    path = write(tmp_path / f"a{suffix}", content)
    assert pairs(path, token_column=2, tag_column=10) == EXPECTED
    if suffix == ".conllu":
        assert pairs(path, **options) == EXPECTED
        assert pairs(path, token_column="form", tag_column="misc") == EXPECTED
        assert inputs(path) == [text for text, _ in EXPECTED]
        fields = [e.fields for e in opened(path, Reading(carry=("sent_id",)))]
        assert fields == [(("sent_id", "7"),)] * 2


def test_parts_of_speech_are_entities_of_one_token(tmp_path):
    path = write(tmp_path / "a.conllu", conll(lambda i, token, tag: f"{i}\t{token}\tx\tNN\tn{i}\t_\t0\troot\t_\t_\n"))
    assert [target for _, target in pairs(path, tag_column=4)] == ["S-NN S-NN S-NN S-NN", "S-NN S-NN S-NN"]
    assert [target for _, target in pairs(path, tag_column="XPOS")] == ["S-n1 S-n2 S-n3 S-n4", "S-n1 S-n2 S-n3"]
    with pytest.raises(UserError, match=r"a.conllu: no NER= in column 10; name the column with --tag_column .4 is"):
        pairs(path)


def test_the_columns_that_a_comment_names(tmp_path):
    head = "# global.columns = ID FORM NER\n"
    path = write(tmp_path / "a.conllup", head + conll(lambda i, token, tag: f"{i}\t{token}\t{tag}\n"))
    assert pairs(path) == EXPECTED


def test_types_without_letters(tmp_path):
    plain = [["PER", "PER", "O", "PER"], ["O", "LOC", "O"]]
    path = write(
        tmp_path / "a.jsonl",
        "".join(json.dumps({"tokens": t, "tags": p}) + "\n" for (t, _), p in zip(SENTENCES, plain, strict=True)),
    )
    with pytest.warns(UserWarning, match="tags without B- and I-: tokens in a row of one type are one entity"):
        assert pairs(path) == EXPECTED
    assert [target for _, target in pairs(path, scheme="POS")] == ["S-PER S-PER O S-PER", "O S-LOC O"]


GERMEVAL = "#\thttp://example.org/{0} [2009-10-17]\n"


def test_numbered_columns_with_tabbed_comments(tmp_path):
    content = conll(lambda i, token, tag: f"{i}\t{token}\t{tag}\tO\n", GERMEVAL)
    path = write(tmp_path / "a.tsv", content.replace("2\tByron", "2\t#").replace("#\tI-PER", "#\tI-PER"))
    expected = [(EXPECTED[0][0].replace("Byron", "#"), EXPECTED[0][1]), EXPECTED[1]]
    assert pairs(path, token_column=2, tag_column=3) == expected


def test_a_hash_is_a_token_where_it_has_a_tag(tmp_path):
    assert pairs(write(tmp_path / "a.conll", "# a comment\nAda B-X\n# B-X\n#1 O\n# x y\n#begin document\n")) == [
        (f"{SEPARATOR}Ada{SEPARATOR}#{SEPARATOR}#1", "S-X S-X O")
    ]


@pytest.mark.parametrize(
    "options", [{}, {"token_column": "Word", "tag_column": "Tag"}, {"token_column": 2, "tag_column": 4}]
)
@pytest.mark.parametrize("filled", [False, True])
def test_a_table_with_a_token_on_each_row(tmp_path, filled, options):
    rows = ["Sentence #,Word,POS,Tag"]
    for number, sentence in enumerate(SENTENCES, 1):
        for i, (token, tag) in enumerate(zip(*sentence, strict=True)):
            rows.append(
                f"{f'Sentence: {number}' if filled or not i else ''},{token.replace('!', chr(34) * 4)},NN,{tag}"
            )
    path = write(tmp_path / "a.csv", "\n".join(rows) + "\n")
    expected = [EXPECTED[0], (EXPECTED[1][0].replace("!", '"'), EXPECTED[1][1])]
    if options.get("token_column") == 2:
        options = {**options, "sentence_column": "Sentence #"}
    assert pairs(path, **options) == expected
    assert [e.place for e in opened(path)] == [2, 6]
    assert inputs(path) == [text for text, _ in expected]
    assert [target for _, target in pairs(path, tag_column="POS")] == ["S-NN S-NN S-NN S-NN", "S-NN S-NN S-NN"]
    import pandas as pd

    table = pd.read_csv(path)
    assert pairs(table) == pairs(table.to_dict("records")) == expected
    table.to_parquet(tmp_path / "a.parquet")
    assert pairs(tmp_path / "a.parquet") == expected
    table.to_excel(tmp_path / "a.xlsx", index=False)
    assert pairs(tmp_path / "a.xlsx") == expected


def test_a_table_in_another_encoding(tmp_path):
    path = write(tmp_path / "a.csv", "Sentence #;Word;Tag\n1;Zoë;B-PER\n;sleeps;O\n", "latin-1")
    assert pairs(path, Reading(encoding="latin-1")) == [(f"{SEPARATOR}Zoë{SEPARATOR}sleeps", "S-PER O")]
    with pytest.raises(UserError, match="not UTF-8 .*--encoding"):
        pairs(path)


def test_faulty_rows_of_a_table(tmp_path):
    path = write(
        tmp_path / "a.csv",
        "Sentence #,Word,Tag\n1,Ada,B-PER\n,,O\n2,a,O\n,b,\n3,c,O\n,d,O,x\n4,e,I-X\n5,f,B-X\n6,g,B-X\n",
    )
    assert [fault.partition(str(path))[2].split(";")[0] for fault in faults(path)] == [
        ":3: an empty token",
        ":5: an empty tag",
        ":7: 4 fields, expected 3",
        ":8: I-X at the beginning is not valid IOB2",
    ]
    assert [e.input for e in tolerant(opened(path), 1.0)] == [f"{SEPARATOR}{token}" for token in "efg"]


def test_a_table_of_tokens_needs_a_column_of_sentences_or_blank_lines(tmp_path):
    blocks = ["".join(f'"{token}",{tag}\n' for token, tag in zip(*s, strict=True)) for s in SENTENCES]
    for head in ("", "word,tag\n"):
        assert pairs(write(tmp_path / "a.csv", head + "\n".join(blocks))) == EXPECTED
        assert pairs(write(tmp_path / "b.csv", head + ",\n".join(blocks))) == EXPECTED
    assert inputs(tmp_path / "a.csv") == [text for text, _ in EXPECTED]
    rows = [{"word": "Ada", "tag": "B-PER"}]
    with pytest.raises(
        UserError, match="a token on each row, and no column of sentences among word, tag; name it with"
    ):
        pairs(rows)


@pytest.mark.parametrize("form", [" ".join, json.dumps, repr])
@pytest.mark.parametrize("names", [("tokens", "ner_tags"), ("Sentence", "Tag"), ("text", "labels")])
def test_a_table_with_a_sentence_on_each_row(tmp_path, names, form):
    import pandas as pd

    tokens = " ".join if names[0] != "tokens" else form
    table = pd.DataFrame([(tokens(t), form(g)) for t, g in SENTENCES], columns=list(names))
    table.insert(0, "Sentence #", [1, 2])
    table.to_csv(tmp_path / "a.csv", index=False)
    assert pairs(tmp_path / "a.csv") == pairs(table) == EXPECTED
    as_text = [" ".join(tokens) for tokens, _ in SENTENCES]
    assert inputs(tmp_path / "a.csv") == ([text for text, _ in EXPECTED] if names[0] == "tokens" else as_text)


def test_tokens_and_tags_in_memory():
    import numpy as np
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    dicts = [{"tokens": tokens, "ner_tags": tags} for tokens, tags in SENTENCES]
    arrays = pd.DataFrame([{name: np.array(value, object) for name, value in d.items()} for d in dicts])
    for data in (dicts, pd.DataFrame(dicts), arrays, pl.DataFrame(dicts), pa.Table.from_pylist(dicts)):
        assert pairs(data) == EXPECTED
    assert pairs(SENTENCES) == pairs(([t for t, _ in SENTENCES], [g for _, g in SENTENCES])) == EXPECTED
    assert inputs([{"tokens": tokens} for tokens, _ in SENTENCES]) == [text for text, _ in EXPECTED]


def test_numbers_of_tags_and_their_names(tmp_path):
    names = ("O", "B-PER", "I-PER", "B-LOC")
    dicts = [
        {"id": str(i), "tokens": t, "ner_tags": [names.index(g) for g in gs]} for i, (t, gs) in enumerate(SENTENCES)
    ]
    path = write(tmp_path / "a.jsonl", "".join(json.dumps(d) + "\n" for d in dicts))
    assert pairs(path, tag_names=names) == pairs(dicts, tag_names=names) == EXPECTED
    assert faults(path, tag_names=names[:3]) == [
        f"{path}:2: the tag 3 has no name; --tag_names has 3, from 0; add its name"
    ]
    with pytest.raises(
        UserError, match=r"a.jsonl: the tags are numbers; name them in their order with --tag_names O,B-PER"
    ):
        pairs(path)
    columns = write(tmp_path / "a.conll", "Ada 1\nByron 2\n")
    assert [target for _, target in pairs(columns, tag_names=names)] == ["B-PER E-PER"]


def test_names_of_tags_of_a_hugging_face_data_set(tmp_path):
    import datasets

    names = ["O", "B-PER", "I-PER", "B-LOC"]
    tags = datasets.Sequence(datasets.ClassLabel(names=names))
    features = datasets.Features({"tokens": datasets.Sequence(datasets.Value("string")), "ner_tags": tags})
    rows = {"tokens": [t for t, _ in SENTENCES], "ner_tags": [[names.index(g) for g in gs] for _, gs in SENTENCES]}
    data = datasets.Dataset.from_dict(rows, features=features)
    assert pairs(data) == pairs(hf.records(data, "hf:x")) == EXPECTED
    datasets.DatasetDict({"train": data, "test": data}).save_to_disk(tmp_path / "set")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        splits = find_splits(f"hf:{tmp_path / 'set'}", formats())
    assert [(e.input, e.target) for e in splits.test] == EXPECTED


SPACY = [[text, {"entities": marks}] for text, marks in zip(TEXTS, MARKS, strict=True)]
TOOLS = {
    "spacy.jsonl": "".join(json.dumps(pair) + "\n" for pair in SPACY),
    "spacy.json": json.dumps(SPACY),
    "spacy_lines.json": json.dumps(SPACY, indent=1),
    "annotator.json": json.dumps({"classes": ["PER", "LOC"], "annotations": SPACY}),
    "doccano.jsonl": "".join(
        json.dumps({"id": 1, "data": t, "label": m}) + "\n" for t, m in zip(TEXTS, MARKS, strict=True)
    ),
    "answers.jsonl": "".join(
        json.dumps({"text": t, "entities": [{"type": k, "start": s, "end": e, "score": 0.9} for s, e, k in m]}) + "\n"
        for t, m in zip(TEXTS, MARKS, strict=True)
    ),
    "old_label_studio.json": json.dumps(
        [
            {
                "data": {"text": text},
                "completions": [{"result": [{"value": {"start": s, "end": e, "labels": [k]}} for s, e, k in marks]}],
            }
            for text, marks in zip(TEXTS, MARKS, strict=True)
        ]
    ),
}


@pytest.mark.parametrize("name", TOOLS)
def test_exports_of_annotation_tools(tmp_path, name):
    path = write(tmp_path / name, TOOLS[name])
    assert pairs(path) == MARKED
    assert inputs(path) == TEXTS


def test_spacys_data_in_memory_and_long_lines(tmp_path):
    assert pairs([tuple(pair) for pair in SPACY]) == pairs(SPACY) == MARKED
    long = [[("x" * 99 + " ") * 20, {"entities": []}], *SPACY]
    assert pairs(write(tmp_path / "a.jsonl", "".join(json.dumps(pair) + "\n" for pair in long)))[1:] == MARKED


def test_rejected_annotations_are_left_out_and_counted(tmp_path):
    answers = ["reject", "accept", "ignore"] * 30
    rows = [{"text": TEXTS[1], "spans": [{"start": 3, "end": 7, "label": "LOC"}], "answer": a} for a in answers]
    path = write(tmp_path / "a.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    source = tolerant(opened(path), 0.0, strict=True)
    with pytest.warns(UserWarning) as caught:
        assert len(list(source)) == 30
    expected = "60 records not annotated (rejected, ignored or without annotation): left out"
    assert [str(w.message) for w in caught] == [f"{path}: {expected}"]
    assert len(inputs(path)) == 90
    assert len(list(source)) == 30  # and says it once
    tasks = [{"data": {"text": "Rome"}, "annotations": []}, {"data": {"text": "Rome"}, "annotations": [{"result": []}]}]
    with pytest.warns(UserWarning, match="1 record not annotated"):
        assert pairs(tasks) == [("Rome", "O")]


EMOJI = "😀 é Ada met Li"
OFFSETS = {"codepoints": (4, 7, 12, 14), "utf16": (5, 8, 13, 15), "utf8": (8, 11, 16, 18)}


@pytest.mark.parametrize("unit", OFFSETS)
def test_offsets_in_every_unit(tmp_path, unit):
    for counted, (a, b, c, d) in OFFSETS.items():
        assert EMOJI.encode()[8:11] == b"Ada" and EMOJI.encode("utf-16-le")[10:16].decode("utf-16-le") == "Ada"
        path = write(tmp_path / "a.jsonl", json.dumps({"text": EMOJI, "spans": [[a, b, "PER"], [c, d, "PER"]]}))
        if unit == counted:
            assert pairs(path, offsets=unit) == pairs(path, offsets="auto") == [(EMOJI, "O O S-PER O S-PER")]
        else:
            (fault,) = faults(path, offsets=unit)
            assert fault.endswith(f"; add --offsets {counted}") and " is right only if offsets count " in fault
            with pytest.raises(UserError, match=f"--offsets {counted}"):
                list(literal(opened(path, offsets=unit)))


def test_faulty_sentences_are_named_by_their_line_and_reading_goes_on(tmp_path):
    good = "Ada B-PER\nsleeps O\n\n"
    path = write(tmp_path / "a.conll", good + "New York B-LOC\nis O\n\n" + good + "a O\nb BX\n\n" + "\tO\n\n" + good)
    assert [fault.split(";")[0] for fault in faults(path)] == [
        f"{path}:4: 3 columns, expected 2",
        f"{path}:11: 'BX' is not a tag of a known scheme",
        f"{path}:13: an empty token",
    ]
    assert [e.target for e in tolerant(opened(path), 1.0)] == ["S-PER O"] * 3


def corpus(path, sentences, bad):
    """IOB1 tags, with B- after O in so many sentences."""
    good, wrong = "Ada I-PER\nmet O\nBen I-PER\n", "Ada B-PER\nmet O\nBen I-PER\n"
    path.write_text("\n".join(wrong if i < bad else good for i in range(sentences)))
    return path


def test_two_invalid_tags_of_14000_sentences_are_repaired_and_two_percent_stop(tmp_path):
    splits = find_splits(
        None,
        formats(),
        train=corpus(tmp_path / "a.conll", 14_000, 2),
        valid=tmp_path / "a.conll",
        test=tmp_path / "a.conll",
    )
    started = time.perf_counter()
    with pytest.warns(
        UserWarning, match="of 14000 records 2 repaired: .*a.conll:1: B-PER at the beginning is not valid IOB1, "
    ):
        assert {e.target for e in splits.train} == {"S-PER O S-PER"}
    assert time.perf_counter() - started < 20
    assert sum(1 for _ in splits.test) == 14_000
    path = corpus(tmp_path / "b.conll", 1000, 20)
    with pytest.raises(
        UserError, match="20 of 1000 records are faulty, more than --max_bad 0.01 allows: .*b.conll:1: B-PER"
    ):
        list(find_splits(None, formats(), train=path, valid=path, test=path).train)
    with pytest.raises(
        UserError, match="a.conll:1: B-PER at the beginning is not valid IOB1; correct it, or see --scheme"
    ):
        list(find_splits(tmp_path / "a.conll", formats(), Reading(strict=True)).train)


BRAT = {
    "a.txt": "Ada Byron met\nLi in Rome.\n\nNew\nYork slept.\n",
    "a.ann": "T1\tPER 0 9\tAda Byron\nT2\tLOC 20 24\tRome\nT3\tLOC 27 30;31 35\tNew York\nT4\tX 0 3\tAda\n"
    "T5\tPER 14 16;20 24\tLi Rome\nR1\tin Arg1:T1 Arg2:T2\n#1\tAnnotatorNotes T1\tx\nE1\tX:T1\n",
    "b.txt": "😀 Ben\r\nslept\r\n",
    "b.ann": "T1\tPER 2 5\tBen\n",
}  # fmt: skip


def test_brat_standoff(tmp_path):
    for name, content in BRAT.items():
        write(tmp_path / name, content)
    with pytest.warns(UserWarning) as caught:
        found = [(e.input, e.target, str(e.place).rpartition("/")[2]) for e in opened(tmp_path)]
    assert found == [
        ("Ada Byron met", "B-PER E-PER O", "a.txt:1"),
        ("Li in Rome.", "O O S-LOC O", "a.txt:2"),
        ("New\nYork slept.", "B-LOC E-LOC O O", "a.txt:4"),
        ("😀 Ben", "O S-PER", "b.txt:1"),
        ("slept", "O", "b.txt:2"),
    ]
    assert sorted(str(w.message) for w in caught) == [
        f"{tmp_path}: 1 span in several parts: left out",
        f"{tmp_path}: 1 span that overlap a longer one: left out",
    ]
    assert pairs(tmp_path / "b.ann") == [("😀 Ben", "O S-PER"), ("slept", "O")]
    assert len(inputs(tmp_path)) == 4 + 2  # without spans no lines are joined


def test_faults_of_brat(tmp_path):
    write(tmp_path / "a.txt", "😀 Ada met Li\n")
    ann = tmp_path / "a.ann"
    write(ann, "T1\tPER 3 6\tAda\n")
    assert faults(ann) == [f"{ann}:1: the span 3-6 is 'da' in the text, and 'Ada' here; add --offsets utf16"]
    assert pairs(ann, offsets="utf16") == pairs(ann, offsets="auto") == [("😀 Ada met Li", "O S-PER O O")]
    for content, what in [
        ("T1\tPER 2 99\tx\n", "the span 2 99 is empty or outside the 13 characters of the text"),
        ("T1\tPER x\n", "not a span: 'T1.tPER x'"),
        ("T1\tPER 2 5\tBen\n", "the span 2-5 is 'Ada' in the text, and 'Ben' here"),
    ]:
        write(ann, content)
        with pytest.raises(UserError, match=f"a.ann:1: {what}"):
            pairs(ann)
    write(tmp_path / "b.ann", "T1\tPER 0 3\n")
    with pytest.raises(UserError, match="b.ann: no b.txt beside it"):
        pairs(tmp_path / "b.ann")


def test_a_folder_of_files(tmp_path):
    write(tmp_path / "1.conll", "Ada B-PER\n")
    write(tmp_path / "2.jsonl", json.dumps({"text": "Rome", "spans": [[0, 4, "LOC"]]}))
    write(tmp_path / "README.txt", "what this is\n")
    assert [(e.target, str(e.place).rpartition("/")[2]) for e in opened(tmp_path)] == [
        ("S-PER", "1.conll:1"),
        ("S-LOC", "2.jsonl:1"),
    ]


def test_inputs_without_tags(tmp_path):
    assert inputs(write(tmp_path / "a.conll", "Ada\nsleeps\n\nRome\n")) == [
        f"{SEPARATOR}Ada{SEPARATOR}sleeps",
        f"{SEPARATOR}Rome",
    ]
    assert inputs(write(tmp_path / "a.csv", "text,id\nAda sleeps.,1\nRome,2\n")) == ["Ada sleeps.", "Rome"]
    assert inputs(write(tmp_path / "b.csv", "Ada sleeps.\nRome\n")) == ["Ada sleeps.", "Rome"]
    assert inputs(write(tmp_path / "a.jsonl", '{"text": "Rome"}\n{"text": " "}\n')) == ["Rome", " "]
    path = write(tmp_path / "c.csv", "text,id\nRome,2\n")
    assert [e.fields for e in opened(path, Reading(labelled=False, carry=("id",)))] == [(("id", "2"),)]
    with pytest.raises(UserError, match="c.csv: --carry: no column 'name'"):
        opened(path, Reading(labelled=False, carry=("name",)))


def test_groups_are_columns_of_records():
    rows = [{"tokens": t, "tags": g, "document": f"d{i}"} for i, (t, g) in enumerate(SENTENCES)]
    assert [e.group for e in opened(rows, Reading(group="document"))] == ["d0", "d1"]


def test_names_of_columns(tmp_path):
    path = write(tmp_path / "a.tsv", "mot\tcat\tetiquette\nAda\tN\tB-PER\n\nRome\tN\tB-LOC\n")
    assert [t for _, t in pairs(path, token_column="mot", tag_column="etiquette")] == ["S-PER", "S-LOC"]
    with pytest.raises(UserError, match="no column 'x' among mot, cat, etiquette; give --tag_column a number"):
        pairs(path, token_column="mot", tag_column="x")
    with pytest.raises(UserError, match="a.conll:1: no column 'mot': the columns have no names; give --token_column"):
        pairs(write(tmp_path / "a.conll", "Ada O\n"), token_column="mot")
    table = write(tmp_path / "b.csv", "Sentence #,Word,Tag\n1,Ada,B-PER\n")
    with pytest.raises(UserError, match="b.csv: no column 'x'; the columns are 'Sentence #', 'Word', 'Tag'"):
        pairs(open_records(table), tag_column="x")
