"""Tagged sentences: every format gives the same examples, and every error names file, line and remedy."""

import gzip
import itertools
import json
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities

from seqtasks.data import tfds
from seqtasks.data.reading import Reading
from seqtasks.data.sources import Faulty, literal, tolerant
from seqtasks.data.splits import find_splits, open_data
from seqtasks.errors import UserError
from seqtasks.ner import tag_schemes as schemes
from seqtasks.ner.files import formats
from seqtasks.ner.sentences import Options, in_windows
from seqtasks.text.word_tokenizer import SEPARATOR

TOKENS = [["Ada", "Byron", "met", "Li", "in", "New", "York", "."], ["好", "#", "!"]]
SPANS = [[("PER", 0, 2), ("PER", 3, 4), ("LOC", 5, 7)], []]
EXAMPLES = [
    (SEPARATOR + SEPARATOR.join(TOKENS[0]), "B-PER E-PER O S-PER O B-LOC E-LOC O"),
    (SEPARATOR + SEPARATOR.join(TOKENS[1]), "O O O"),
]
TEXT, MARKS = "Ada Byron met 李 👩🏽 in New York.", [(0, 9, "PER"), (14, 15, "PER"), (22, 30, "LOC")]
TARGET = "B-PER E-PER O S-PER O O B-LOC E-LOC O"


def write(path, content):
    data = content if isinstance(content, bytes) else content.encode("utf-8")
    path.write_bytes(gzip.compress(data) if path.name.endswith(".gz") else data)
    return path


def opened(data, reading=Reading(), **options):
    return open_data(data, formats(Options(**options)), reading)


def pairs(data, reading=Reading(), **options):
    return [(e.input, e.target) for e in opened(data, reading, **options)]


def faults(data, **options):
    """The errors of the faulty sentences."""
    return [str(item.error) for item in opened(data, **options).read() if isinstance(item, Faulty)]


def columns(scheme, between=" ", line="{token}{between}{tag}\n"):
    return "\n".join(
        "".join(
            line.format(token=token, tag=tag, between=between)
            for token, tag in zip(tokens, schemes.write(spans, len(tokens), scheme), strict=True)
        )
        for tokens, spans in zip(TOKENS, SPANS, strict=True)
    )


def records(name="tags", scheme="IOB2"):
    return [
        {"id": 1, "tokens": tokens, name: schemes.write(spans, len(tokens), scheme)}
        for tokens, spans in zip(TOKENS, SPANS, strict=True)
    ]


def lines(found):
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in found)


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("suffix", [".conll", ".iob", ".iob2", ".bio", ".bioes", ".txt", ".tsv"])
@pytest.mark.parametrize("scheme", ["IOB1", "IOB2", "IOBES"])
def test_columns_of_every_scheme(tmp_path, scheme, suffix, ending):
    source = opened(write(tmp_path / f"a{suffix}{ending}", columns(scheme)))
    for _ in range(2):
        assert [(e.input, e.target) for e in source] == EXAMPLES
    assert [e.place for e in source] == [1, 10]
    assert source.size == (tmp_path / f"a{suffix}{ending}").stat().st_size


@pytest.mark.parametrize(
    ("content", "options"),
    [
        (columns("IOB2", "\t"), {}),
        (columns("IOB2", "   "), {}),
        (columns("IOB2").replace("\n", "\r\n"), {}),
        (b"\xef\xbb\xbf" + columns("IOB2").encode(), {}),
        (columns("IOB2").rstrip("\n"), {}),
        ("\n \n" + columns("IOB2").replace("\n\n", "\n\t\n \n\n") + "\n\n", {}),
        ("-DOCSTART- -X- O O\n\n" + columns("IOB2", " NN B-NP ").replace("\n\n", "\n\n-DOCSTART- -X- -X- O\n\n"), {}),
        (columns("IOB2", line="{tag} {token}\n"), {"token_column": 2, "tag_column": 1}),
        (columns("IOB2", line="1\t{token}\tNN\t{tag}\t_\n"), {"token_column": 2, "tag_column": -2}),
        ("# global = x\n#\n# id 7\n" + columns("IOB2").replace("\n\n", "\n\n# id 5 domain=en\n"), {}),
        ("# id 7 domain=en\n" + columns("IOB2", " _ _ ").replace("\n\n", "\n\n# id 8 domain=en\n"), {}),
        (columns("IOB2", "\t").replace("\n\n", "\n\n# text = This is O\n"), {}),
        (columns("IOBES").replace(" E-", " L-").replace(" S-", " U-"), {}),
        (columns("IOBES").replace(" I-", " M-"), {"scheme": "BMES"}),
    ],
)
def test_variants_of_columns(tmp_path, content, options):
    assert pairs(write(tmp_path / "a.conll", content), **options) == EXAMPLES


def test_tokens_may_contain_spaces_if_tabs_separate_the_columns(tmp_path):
    path = write(tmp_path / "a.tsv", "New York\tB-work of art\n\u3000\tO\n#\tO\n")
    assert pairs(path) == [(f"{SEPARATOR}New York{SEPARATOR}\u3000{SEPARATOR}#", "S-work_of_art O O")]
    spaces = write(tmp_path / "b.txt", "a\u00a0b O\n")  # none that parts columns
    assert pairs(spaces) == [(f"{SEPARATOR}a\u00a0b", "O")]


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("name", ["tags", "ner_tags", "labels"])
def test_json_of_tokens_and_tags(tmp_path, name, ending):
    for scheme in ("IOB1", "IOB2", "IOBES"):
        path = write(tmp_path / f"a.jsonl{ending}", "\n" + lines(records(name, scheme)))
        assert pairs(path) == EXAMPLES
        assert [e.place for e in opened(path)] == [2, 3]


MARKED = {
    "lists": {"text": TEXT, "spans": [list(span) for span in MARKS[::-1]]},
    "dicts": {"text": TEXT, "spans": [{"start": s, "end": e, "label": label} for s, e, label in MARKS]},
    "doccano": {"id": 3, "text": TEXT, "label": MARKS},
    "doccano_relations": {
        "text": TEXT,
        "entities": [{"id": 1, "label": label, "start_offset": s, "end_offset": e} for s, e, label in MARKS],
        "relations": [],
    },
    "spacy": {"text": TEXT, "entities": MARKS},
    "prodigy": {
        "text": TEXT,
        "tokens": [{"text": "Ada", "start": 0, "end": 3, "id": 0}],
        "spans": [{"start": s, "end": e, "label": label, "token_start": 0} for s, e, label in MARKS],
    },
    "label_studio": {
        "id": 1,
        "data": {"text": TEXT},
        "annotations": [
            {"was_cancelled": True, "result": []},
            {
                "result": [
                    {"value": {"start": s, "end": e, "text": "", "labels": [label]}, "type": "labels"}
                    for s, e, label in MARKS
                ]
                + [{"value": {"choices": ["good"]}, "type": "choices"}, {"type": "relation", "from_id": "x"}]
            },
        ],
    },
    "label_studio_min": {
        "text": TEXT,
        "id": 1,
        "label": [{"start": s, "end": e, "text": TEXT[s:e], "labels": [label]} for s, e, label in MARKS],
    },
}


@pytest.mark.parametrize("name", MARKED)
def test_text_and_spans_of_every_tool(tmp_path, name):
    path = write(tmp_path / "a.jsonl", lines([MARKED[name], MARKED[name]]))
    assert pairs(path) == [(TEXT, TARGET)] * 2
    array = json.dumps([MARKED[name]] * 2, indent=1)
    source = opened(write(tmp_path / "a.json.gz", f"\n {array}\n"))
    assert [(e.input, e.target) for e in source] == [(TEXT, TARGET)] * 2
    assert [e.place for e in source] == [3, 3 + json.dumps(MARKED[name], indent=1).count("\n") + 1]


def test_mixed_kinds_of_records_and_texts_without_tokens(tmp_path):
    mixed = [records()[0], MARKED["lists"], {"text": " \n", "spans": []}, {"tokens": [], "tags": []}, records()[1]]
    assert pairs(write(tmp_path / "a.jsonl", lines(mixed))) == [EXAMPLES[0], (TEXT, TARGET), EXAMPLES[1]]


def test_an_array_is_read_as_a_stream(tmp_path):
    many = [{"text": f'{i} 👩🏽 \n"],[', "spans": [[0, len(str(i)), "N"]]} for i in range(40_000)]
    source = opened(write(tmp_path / "a.json", json.dumps(many, indent=None)))
    assert [e.input for e in itertools.islice(source, 2)] == [record["text"] for record in many[:2]]
    assert [e.input for e in source] == [record["text"] for record in many]
    long = [{"text": "x" * 300_000, "spans": []}, {"text": "y", "spans": []}]
    assert [len(e.input) for e in opened(write(tmp_path / "b.json", json.dumps(long)))] == [300_000, 1]


def test_separators_and_lone_surrogates_are_replaced(tmp_path):
    path = write(tmp_path / "a.jsonl", '{"text": "\\u001fAda \\ud83d", "spans": [[1, 4, "PER"]]}\n')
    assert pairs(path) == [(" Ada ?", "S-PER O")]
    path = write(tmp_path / "b.jsonl", '{"tokens": ["a\\u001fb", "\\ud83d"], "tags": ["U-x", "O"]}\n')
    assert pairs(path) == [(f"{SEPARATOR}a b{SEPARATOR}?", "S-x O")]


@pytest.mark.parametrize(
    ("content", "scheme", "line", "what"),
    [
        ("a B-X\nb I-X\n\nc I-X\n", "IOB2", 4, "I-X at the beginning"),
        ("a B-X\nb I-X\nc O\nd I-X\n", "IOB2", 4, "I-X after O"),
        ("a B-X\nb I-Y\n", "IOB2", 2, "I-Y after B-X"),
        ("a I-X\n\nb I-X\nc B-Y\n", "IOB1", 4, "B-Y after I-X"),
        ("a S-X\nb B-X\nc O\n", "IOBES", 2, "B-X before O"),
        ("a S-X\n\nb B-X\n", "IOBES", 3, "B-X at the end"),
        ("a U-X\nb L-X\n", "IOBES", 2, "L-X after U-X"),
    ],
)
def test_invalid_sequences_are_read_as_conlleval_does(tmp_path, content, scheme, line, what):
    path = write(tmp_path / "a.conll", content)
    assert faults(path) == [f"{path}:{line}: {what} is not valid {scheme}; correct it, or see --scheme"]
    with pytest.raises(UserError, match=f":{line}: {what} is not valid"):
        pairs(path)
    found = [e.target.split() for e in literal(opened(path))]
    assert found == [e.target.split() for e in tolerant(opened(path), 1.0)]
    tags = [
        line.split()[1] if line else "" for line in content.replace(" L-", " E-").replace(" U-", " S-").splitlines()
    ]
    blocks = [block.split() for block in " ".join(tag or "|" for tag in tags).split("|")]
    assert [get_entities(tags) for tags in found] == [get_entities(tags) for tags in blocks]


def test_a_named_scheme_is_not_recognised(tmp_path):
    path = write(tmp_path / "a.conll", "a I-X\nb I-X\n\nc I-X\n")
    assert [target for _, target in pairs(path)] == ["B-X E-X", "S-X"]
    assert len(faults(path, scheme="BIO")) == 2
    with pytest.raises(UserError, match=r"--scheme: unknown scheme 'BIOSE'; did you mean 'BIOES'\?"):
        pairs(path, scheme="BIOSE")


def test_long_sentences_of_train_are_split_into_windows(tmp_path):
    tags = ["O", "B-X", "I-X", "O", "B-X", *["I-X"] * 5, "O", "O"]
    path = write(tmp_path / "a.conll", "x O\n\n" + "".join(f"t{i} {tag}\n" for i, tag in enumerate(tags)))
    splits = find_splits(None, formats(max_length=4), train=path, valid=path, test=path)
    with pytest.warns(UserWarning) as caught:
        found = [(e.input.split(SEPARATOR)[1:], e.target, e.place) for e in splits.train]
    assert [str(w.message) for w in caught] == [f"{path}: 1 sentence of more than 4 tokens: split into 3"]
    assert found == [
        (["x"], "O", 1),
        (["t0", "t1", "t2", "t3"], "O B-X E-X O", 3),
        (["t4", "t5", "t6", "t7"], "B-X I-X I-X E-X", 3),
        (["t8", "t9", "t10", "t11"], "B-X E-X O O", 3),
    ]
    whole = ["O", "O B-X E-X O B-X I-X I-X I-X I-X E-X O O"]
    assert [e.target for e in splits.test] == [e.target for e in splits.validation] == whole
    assert [e.target for e in in_windows(opened(path), 12)] == whole


@settings(max_examples=50)
@given(
    st.lists(st.sampled_from(["O", "S-X", "B-X E-X", "B-Y I-Y E-Y", "B-X I-X I-X I-X E-X"]), min_size=1),
    st.integers(1, 6),
)
def test_windows_keep_all_tokens_and_cut_only_long_entities(tmp_path_factory, parts, longest):
    tags = " ".join(parts).split()
    path = write(tmp_path_factory.mktemp("windows") / "a.conll", "".join(f"t{i} {t}\n" for i, t in enumerate(tags)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = list(in_windows(opened(path), longest))
    assert sum((e.input.split(SEPARATOR)[1:] for e in found), []) == [f"t{i}" for i in range(len(tags))]
    assert all(1 <= len(e.target.split()) <= longest for e in found)
    assert all(not schemes.faults(e.target.split(), "IOBES") for e in found)
    if longest >= 5:
        assert " ".join(e.target for e in found).split() == tags


def test_long_texts_are_split_into_windows_of_tokens(tmp_path):
    path = write(tmp_path / "a.jsonl", lines([{"text": "I don't see Ada Byron.", "spans": [[12, 21, "PER"]]}]))
    with pytest.warns(UserWarning, match=": 1 sentence of more than 5 tokens: split into 2"):
        found = [(e.input, e.target) for e in in_windows(opened(path), 5)]
    first, second = (
        SEPARATOR + SEPARATOR.join(tokens) for tokens in (["I", "do", "n't", "see"], ["Ada", "Byron", "."])
    )
    assert found == [(first, "O O O O"), (second, "B-PER E-PER O")]


@pytest.mark.parametrize(
    ("spans", "what"),
    [
        ([[0, 9, "A"], [4, 13, "B"]], "the spans 'Ada Byron' (0-9) and 'Byron met' (4-13) overlap; keep one of them"),
        ([[0, 3, "A"], [0, 3, "B"]], "the spans 'Ada' (0-3) and 'Ada' (0-3) overlap"),
        (
            [[3, 3, "A"]],
            "the span 3-3 is empty or outside the 31 characters of the text; count from 0; the end is exclusive",
        ),
        ([[25, 32, "A"]], "the span 25-32 is empty or outside the 31 characters"),
        ([[-1, 3, "A"]], "the span -1-3 is empty or outside"),
        ([[3, 4, "A"]], "the span ' ' (3-4) contains no token; leave it out"),
        ([[1, 9, "A"]], "the span 'da Byron' (1-9) cuts the token 'Ada'; correct it, or it is widened to whole tokens"),
        ([[0, 8, "A"]], "the span 'Ada Byro' (0-8) cuts the token 'Byron'; correct it"),
        ([[0, 3]], 'not a span: [0, 3]; write [start, end, "TYPE"]'),
        ([[0, 3, ""]], "not a span: [0, 3, '']"),
        ([["0", 3, "A"]], "not a span: ['0', 3, 'A']"),
        ([{"start": 0, "end": 3, "labels": ["A", "B"]}], "not a span: {'start': 0, 'end': 3, 'labels': ['A', 'B']}"),
    ],
)
def test_a_text_with_invalid_spans_is_faulty(tmp_path, spans, what):
    path = write(tmp_path / "a.jsonl", lines([MARKED["lists"], {"text": TEXT, "spans": spans}, MARKED["lists"]]))
    (fault,) = faults(path)
    assert fault.startswith(f"{path}:2: {what}")
    assert [e.target for e in tolerant(opened(path), 1.0)][::2] == [TARGET] * 2 or "overlap" not in what + "cuts"
    if "cuts" not in what:
        with pytest.raises(UserError, match="a.jsonl:2: "):
            list(literal(opened(path)))


def test_of_overlapping_spans_training_keeps_the_longest(tmp_path):
    path = write(tmp_path / "a.jsonl", lines([{"text": TEXT, "spans": [[0, 3, "A"], [0, 9, "B"], [4, 9, "C"]]}]))
    assert [e.target for e in tolerant(opened(path), 1.0)] == ["B-B E-B O O O O O O O"]


def test_spans_that_cut_tokens_are_widened(tmp_path):
    spans = [[1, 2, "A"], [6, 8, "B"], [8, 9, "C"], [10, 13, "D"]]
    path = write(tmp_path / "a.jsonl", lines([{"text": TEXT, "spans": spans}, MARKED["lists"]]))
    expected = [(TEXT, "S-A S-B S-D O O O O O O"), (TEXT, TARGET)]
    assert [(e.input, e.target) for e in literal(opened(path))] == expected
    with pytest.warns(
        UserWarning, match="of 2 records 1 repaired: .*a.jsonl:1: the span 'd' .1-2. cuts the token 'Ada'"
    ):
        assert [(e.input, e.target) for e in tolerant(opened(path), 1.0)] == expected


def test_white_space_at_the_ends_of_spans_is_ignored(tmp_path):
    assert pairs(write(tmp_path / "a.jsonl", lines([{"text": " Ada  met", "spans": [[0, 6, "PER"]]}]))) == [
        (" Ada  met", "S-PER O")
    ]


FAULTS = {
    "a.conll": [
        ("", ": the file is empty; give a token and a tag on each line"),
        ("\n \n-DOCSTART- O\n", ": no tagged sentences here; give sentences of tokens with tags"),
        ("a O\nb\n", ":2: 1 column, expected 2; give every line the same columns"),
        ("a O\n\nNew York B-LOC\n", ":3: 3 columns, expected 2; give every line the same columns, and put tabs"),
        ("a\nb\n", ":1: 1 column, expected a token and a tag; put a space or tab between"),
        (
            "a O\nb B-PER\nc PER\n",
            ":3: 'PER' is not a tag of a known scheme; tags are O, or B-, I-, E- or S- and a type",
        ),
        ("a b c\n\n".join(f"w {i}w x{i}\n" for i in range(99)), ": 100 different tags ('x0', "),
        ("a 1\nb 0\n", ": the tags are numbers; name them in their order with --tag_names O,B-PER"),
        (b"a O\n\xff O\n", ":2: not UTF-8 (byte 0xff at offset 4); save the file as UTF-8"),
        ("\tO\n", ":1: an empty token; leave it out, together with its tag"),
    ],
    "a.conll.gz": [("a B-X\nb BX\n", ":2: 'BX' is not a tag of a known scheme")],
    "a.jsonl": [
        (
            '{"tokens": ["a"], "tags": ["O"]}\n{"tokens": ["a", "b"], "tags": ["O"]}',
            ":2: 2 tokens and 1 tags; give each",
        ),
        ('{"tokens": ["a"], "ner_tags": [0]}', ": the tags are numbers; name them"),
        ('{"tokens": ["a"], "ner_tags": [0.5]}', ":1: the tags are not strings; write their names"),
        ('{"tokens": [1], "tags": ["O"]}', ":1: the tokens are not strings; write"),
        ('{"tokens": ["a", ""], "tags": ["O", "O"]}', ":1: an empty token; leave it out"),
        ('{"tokens": ["a", "b"], "tags": ["PER", "B-PER"]}', ":1: 'PER' is not a tag of a known scheme"),
        ('{"text": "a"}', ":1: no tokens and tags, and no text and spans, among text; write"),
        ('{"text": 3, "spans": []}', ":1: no tokens and tags, and no text and spans, among text, spans"),
        ('\n{"data": {"text": "a"}, "annotations": []}', ": no tagged sentences here"),
        ('"a"\n', ':1: not a sentence: "a"; write'),
        ('{"text": "a", "spans": []}\n{"text"\n', ":2: not JSON (Expecting ':' delimiter at column "),
        (b'{"text": "\xe9", "spans": []}\n', ":1: not UTF-8 (byte 0xe9 at offset 10)"),
        ("\n\n", ": no tagged sentences here"),
    ],
    "a.json": [
        (
            '[\n{"text": "a", "spans": []},\n{"text" "b"},\n' + "x" * 99 + "]",
            ":3: not JSON (Expecting ':' delimiter); correct",
        ),
        (
            '[\n{"text": "a",\n "spans": []},\n',
            ":4: not JSON (Expecting value); correct it, or write one object",
        ),
        ('[{"text": "a', ":1: not JSON (Unterminated string"),
        ("[\n1]", ":2: not a sentence: 1; write"),
        ("[]", ": no tagged sentences here"),
    ],
}


@pytest.mark.parametrize(("name", "content", "expected"), [(n, c, e) for n, cases in FAULTS.items() for c, e in cases])
def test_errors_name_file_line_and_remedy(tmp_path, name, content, expected):
    path = write(tmp_path / name, content)
    with pytest.raises(UserError) as fault:
        pairs(path)
    assert str(fault.value).startswith(f"{path}{expected}")


def test_truncated_or_invalid_gzip_raises(tmp_path):
    for content in (gzip.compress(b"a O\n" * 99, mtime=0)[:20], b"a O\n"):
        path = tmp_path / "a.conll.gz"
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"a.conll.gz: cannot be read \(.*; check that the file is complete"):
            pairs(path)


def test_invalid_paths_raise(tmp_path):
    with pytest.raises(UserError, match="no.conll: no such file or folder; check the path"):
        opened(tmp_path / "no.conll")
    with pytest.raises(UserError, match=r"unknown format '.pdf'; files end in .conll, .conllu, .*, also with .gz"):
        opened(write(tmp_path / "a.pdf", "x"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"no files of sentences in this folder; files end in .conll"):
        opened(tmp_path / "empty")


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"token_column": 3}, "no column 3 among 2; --token_column counts from 1, or from the end (-1)"),
        ({"tag_column": -3}, "no column -3 among 2; --tag_column counts"),
        ({"token_column": 0}, "no column 0 among 2; --token_column counts"),
        ({"token_column": 2}, "tokens and tags are both in column 2; name the --tag_column"),
    ],
)
def test_missing_columns_raise(tmp_path, options, what):
    path = write(tmp_path / "a.conll", "\na O\n")
    with pytest.raises(UserError) as fault:
        pairs(path, **options)
    assert str(fault.value).startswith(f"{path}:2: {what}")


NER = ["O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC", "B-MISC", "I-MISC"]


def mocked(features, rows):
    """`mock_data` with parallel fields of equal length: its own examples have random ones."""
    import tensorflow as tf
    import tensorflow_datasets as tfds

    def dataset(self, *args, **kwargs):
        signature = {name: tf.TensorSpec([None], kind) for name, kind in features.items()}
        return tf.data.Dataset.from_generator(lambda: rows, output_signature=signature)

    return tfds.testing.mock_data(as_dataset_fn=dataset)


@pytest.mark.parametrize(("name", "field"), [("conll2003", "ner"), ("wikiann/en", "tags")])
def test_tensorflow_datasets(name, field):
    names = NER if field == "ner" else ["O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC"]
    rows = [
        {"tokens": tokens, field: [names.index(tag) for tag in schemes.write(spans, len(tokens), "IOB2")]}
        for tokens, spans in zip(TOKENS, SPANS, strict=True)
    ]
    with mocked({"tokens": "string", field: "int64"}, rows):
        source = opened(tfds.open_records(name, "train"))
        assert [(e.input, e.target, e.place) for e in source] == [(*EXAMPLES[0], 1), (*EXAMPLES[1], 2)]
        assert source.name == f"tfds:{name}/train"
    rows[1][field].append(0)
    with mocked({"tokens": "string", field: "int64"}, rows), pytest.raises(UserError) as fault:
        list(opened(tfds.open_records(name, "train")))
    assert str(fault.value) == f"tfds:{name}/train:2: 3 tokens and 4 tags; give each token one tag"


def test_a_data_set_without_tags_is_refused():
    with tfds_without_tags(), pytest.raises(UserError, match="tfds:imdb_reviews/train:1: .* tokens and 1 tags"):
        list(opened(tfds.open_records("imdb_reviews", "train")))


def tfds_without_tags():
    import tensorflow_datasets

    return tensorflow_datasets.testing.mock_data()


@pytest.mark.parametrize(("corpus", "sentences"), [("wikigold", (1364, 150, 327)), ("wnut17", (3394, 1009, 1287))])
def test_real_files_match_seqeval(data_folder, corpus, sentences):
    for part, count in zip(("train", "dev", "test"), sentences, strict=True):
        path = data_folder / "ner" / corpus / f"{part}.conll"
        rows = [
            [line.split() for line in block.splitlines() if line.strip() and not line.startswith("-DOCSTART-")]
            for block in path.read_text("utf-8").split("\n\n")
        ]
        rows = [row for row in rows if row]
        found = list(opened(path))
        assert len(found) == len(rows) and count - len(rows) in (0, 145)  # 145 documents begin with a mark
        for example, row in zip(found, rows, strict=True):
            assert example.input == SEPARATOR + SEPARATOR.join(token for token, _ in row)
            assert get_entities(example.target.split()) == get_entities([tag for _, tag in row])
