"""Records of every format of tables: equal content, the line of each record and of each error."""

import bz2
import gzip
import json
import lzma

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqtasks.data.json_files import read_json
from seqtasks.data.memory import records_of
from seqtasks.data.reading import Reading
from seqtasks.data.tables import Dialect, dialect_of, open_records, read_rows, value_of
from seqtasks.errors import UserError

ROWS = [
    {"text": "a fine film", "label": "good"},
    {"text": 'she said "no", twice', "label": "bad"},
    {"text": "好电影; ja", "label": "good"},
]
PACK = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}


def write(path, content, encoding="utf-8"):
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


def table(delimiter):
    quoted = [[f'"{value.replace(chr(34), chr(34) * 2)}"' for value in row.values()] for row in ROWS]
    return "".join(delimiter.join(row) + "\r\n" for row in [["text", "label"], *quoted])


def records(path, **reading):
    return [record for _, record in open_records(path, Reading(**reading)).read()]


def frame():
    pd = pytest.importorskip("pandas")
    return pd.DataFrame(ROWS)


@pytest.mark.parametrize("suffix", PACK)
@pytest.mark.parametrize("delimiter", list(",;\t|"))
def test_delimited_files_of_any_delimiter_and_compression(tmp_path, delimiter, suffix):
    path = write(tmp_path / f"a.csv{suffix}", PACK[suffix](table(delimiter).encode()))
    assert dialect_of(path) == Dialect(delimiter)
    for _ in range(2):
        assert records(path) == ROWS


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.tsv"])
def test_a_byte_order_mark_tells_the_encoding(tmp_path, name, encoding):
    content = {"a.csv": table(","), "a.jsonl": "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS)}
    text = content.get(name, "text\tlabel\r\n" + "".join("\t".join(row.values()) + "\r\n" for row in ROWS))
    assert records(write(tmp_path / name, text.encode(encoding))) == ROWS


def test_other_encodings_are_named(tmp_path):
    path = write(tmp_path / "a.csv", "text,label\ncafé,good\n", "latin-1")
    with pytest.raises(UserError, match=r"a.csv:2: not UTF-8 \(byte 0xe9 at offset 14\).*--encoding, such as latin-1"):
        records(path)
    assert records(path, encoding="latin-1") == [{"text": "café", "label": "good"}]
    with pytest.raises(UserError, match=r"--encoding: unknown encoding 'latin-l'; did you mean 'latin-1'\?"):
        records(path, encoding="latin-l")
    bare = write(tmp_path / "b.csv", "text,label\nfine,good\n", "utf-16-le")
    with pytest.raises(
        UserError, match=r"b.csv: not text \(half of its bytes are zero\); name its encoding with --enc"
    ):
        records(bare)
    assert records(bare, encoding="utf-16-le") == [{"text": "fine", "label": "good"}]


def test_zstandard(tmp_path):
    zstandard = pytest.importorskip("zstandard")
    path = write(tmp_path / "a.csv.zst", zstandard.compress(table(",").encode()))
    assert records(path) == ROWS
    write(path, path.read_bytes()[:20])
    with pytest.raises(UserError, match="check that the file is complete"):
        records(path)


def test_parquet_arrow_and_feather(tmp_path):
    pa, pq, feather = (pytest.importorskip(f"pyarrow{name}") for name in ("", ".parquet", ".feather"))
    content = pa.Table.from_pylist(ROWS * 700)  # more than one batch
    pq.write_table(content, tmp_path / "a.parquet", row_group_size=500)
    feather.write_feather(content, tmp_path / "a.feather")
    with pa.OSFile(str(tmp_path / "a.arrow"), "wb") as file, pa.ipc.new_stream(file, content.schema) as stream:
        stream.write_table(content)
    for name in ("a.parquet", "a.feather", "a.arrow"):
        assert records(tmp_path / name) == ROWS * 700
        write(tmp_path / name, (tmp_path / name).read_bytes()[:100])
        with pytest.raises(
            UserError, match=rf"{name}: cannot be read as {name[2:]} \(.*\); check that the file is comp"
        ):
            records(tmp_path / name)


def test_parquet_is_streamed(tmp_path):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    texts = [f"{n} " + "word " * 200 for n in range(10_000)]  # ten megabytes
    content = pa.table({"text": texts, "label": ["x"] * len(texts)})
    pq.write_table(content, tmp_path / "a.parquet", row_group_size=500, compression="none", use_dictionary=False)
    del content
    before, held = pa.total_allocated_bytes(), 0
    for number, _ in enumerate(open_records(tmp_path / "a.parquet").read()):
        if number % 100 == 0:
            held = max(held, pa.total_allocated_bytes() - before)
    assert number == 9_999 and held < 4e6


def test_excel_with_gaps(tmp_path):
    pytest.importorskip("openpyxl")
    made = frame()
    made.loc[3] = ["last", 5]
    made.to_excel(tmp_path / "a.xlsx", index=False)
    assert records(tmp_path / "a.xlsx") == [*ROWS, {"text": "last", "label": "5"}]
    write(tmp_path / "b.xlsx", b"no workbook")
    with pytest.raises(UserError, match="b.xlsx: cannot be read as a workbook"):
        records(tmp_path / "b.xlsx")


@pytest.mark.parametrize("indent", [None, 1])
def test_json_lines_and_arrays_as_pandas_writes_them(tmp_path, indent):
    made = frame()
    made.to_json(tmp_path / "a.json", orient="records", indent=indent)
    made.to_json(tmp_path / "b.json", orient="records", lines=True)
    assert records(tmp_path / "a.json") == records(tmp_path / "b.json") == ROWS
    assert [line for line, _ in open_records(tmp_path / "b.json").read()] == [1, 2, 3]


@pytest.mark.parametrize("orient", ["columns", "index", "split", "records", "table"])
@pytest.mark.parametrize("indent", [None, 2])
def test_every_orient_of_pandas(tmp_path, orient, indent):
    frame().to_json(tmp_path / "a.json", orient=orient, indent=indent)
    found = records(tmp_path / "a.json")
    assert [{name: row[name] for name in ("text", "label")} for row in found] == ROWS


@pytest.mark.parametrize("indent", [None, 2])
def test_objects_with_one_list_and_objects_over_several_lines(tmp_path, indent):
    for whole in ({"version": 1, "data": ROWS}, {"nlu": {"examples": ROWS}}):
        assert records(write(tmp_path / "a.json", json.dumps(whole, indent=indent))) == ROWS
    assert records(write(tmp_path / "b.json", "\n".join(json.dumps(row, indent=indent) for row in ROWS))) == ROWS
    alone = write(tmp_path / "c.json", json.dumps(ROWS[0], indent=indent))
    assert records(alone) == ROWS[:1]
    kept = {"text": "Ada", "spans": [{"start": 0, "end": 3}]}  # a record that has a list is no table
    assert records(write(tmp_path / "d.jsonl", json.dumps(kept) + "\n")) == [kept]


def test_rows_of_delimiters_alone_are_empty(tmp_path):
    path = write(tmp_path / "a.csv", "text,label\nfine,good\n,\n,\n\ndull,bad\n,\n")
    assert list(open_records(path).read()) == [
        (2, {"text": "fine", "label": "good"}),
        (6, {"text": "dull", "label": "bad"}),
    ]


def test_a_lone_quote_in_a_file_without_quoting(tmp_path):
    path = write(tmp_path / "a.csv", 'a|b\nx|1\ny|"\nz|3\n')
    assert records(path) == [{"a": "x", "b": "1"}, {"a": "y", "b": '"'}, {"a": "z", "b": "3"}]


def test_rows_that_are_lists_stay_lines_of_json(tmp_path):
    path = write(tmp_path / "a.jsonl", '["a", {"b": [[0, 1, "X"]]}]\n["c", {"b": []}]\n')
    assert list(read_json(path)) == [(1, ["a", {"b": [[0, 1, "X"]]}]), (2, ["c", {"b": []}])]
    assert all(isinstance(record, UserError) for record in records(path))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries({"text": st.text(st.characters(codec="utf-8"), max_size=30), "n": st.integers()}),
        max_size=20,
    ),
    st.sampled_from([None, 1, 3]),
)
def test_any_array_of_json_is_read_as_the_json_module_reads_it(tmp_path_factory, rows, indent):
    path = tmp_path_factory.mktemp("json") / "a.json"
    path.write_text(json.dumps(rows, indent=indent) if rows else " [ ] ", "utf-8")
    assert [record for _, record in read_json(path)] == rows


def test_the_line_that_names_the_delimiter_and_a_given_delimiter(tmp_path):
    path = write(tmp_path / "a.csv", "sep=|\ntext|label\nfine; or, not|good\n")
    assert list(open_records(path).read()) == [(3, {"text": "fine; or, not", "label": "good"})]
    path = write(tmp_path / "b.csv", "text:label\nfine:good\n")
    assert records(path, delimiter=":") == [{"text": "fine", "label": "good"}]
    path = write(tmp_path / "c.tsv", "text;label\nfine;good\n")
    assert records(path, delimiter="semicolon") == [{"text": "fine", "label": "good"}]
    with pytest.raises(UserError, match="--delimiter: '::' is not a delimiter; give one character, or tab"):
        records(path, delimiter="::")


def test_single_quotes_around_each_field(tmp_path):
    path = write(tmp_path / "a.csv", "text,label\n'fine, really',good\n'dull, truly',bad\n")
    assert records(path) == [{"text": "fine, really", "label": "good"}, {"text": "dull, truly", "label": "bad"}]
    path = write(tmp_path / "b.csv", "text,label\ndon't,good\n'tis dull,bad\n")
    assert [r["text"] for r in records(path)] == ["don't", "'tis dull"]


def test_texts_with_commas_in_semicolon_files_without_a_header(tmp_path):
    path = write(tmp_path / "a.csv", "".join(f"{'so, ' * (n % 4)}fine {n};good\n" for n in range(40)))
    assert dialect_of(path).delimiter == ";"


def test_lines_of_csv_and_tsv(tmp_path):
    path = write(tmp_path / "a.csv", b'\xef\xbb\xbfa,b\r\n\r\n"two\nlines","a ""quote"""\n')
    assert list(read_rows(path, Dialect(","))) == [(1, ["a", "b"]), (4, ["two\nlines", 'a "quote"'])]
    path = write(tmp_path / "a.tsv", b'\xef\xbb\xbfa\tb\r\n\r\n"c\t""\nd\u2028\te\rf\n')
    assert list(read_rows(path, Dialect("\t"))) == [
        (1, ["a", "b"]),
        (3, ['"c', '""']),
        (4, [b"d\u2028".decode(), "e\rf"]),
    ]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.csv", "a,b\nc\nd,e\n", ":2: 1 field, expected 2; give every line the same number of fields"),
        ("a.csv", "a,b\n\nc,d,e\nf,g\n", ":3: 3 fields, expected 2; quote fields that contain a delimiter"),
        ("a.tsv", "a\tb\nb\tc\td\nx\ty\n", ":2: 3 fields, expected 2; a field cannot contain a tab"),
        ("a.jsonl", '{"a": 1}\n[1]\n{"a": 2}\n', ":2: not a JSON object: [1]; write one object"),
        ("a.jsonl", '{"a": 1}\n{"a"\n{"a": 2}\n', ":2: not JSON (Expecting ':' delimiter at column 5); put one JSON"),
    ],
)
def test_a_faulty_record_takes_the_place_of_the_record_and_reading_goes_on(tmp_path, name, content, expected):
    path = write(tmp_path / name, content)
    found = records(path)
    errors = [record for record in found if isinstance(record, UserError)]
    assert len(errors) == 1 and str(errors[0]).startswith(f"{path}{expected}")
    assert not isinstance(found[-1], UserError)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.csv", 'a\n"b\n', ":2: not a table (the row that begins here: unexpected end of data); close every quote"),
        ("a.csv", b"a\n\xff\n", ":2: not UTF-8 (byte 0xff at offset 2); save the file as UTF-8"),
        ("a.json", '[{"a": 1},\n {"a" 2}]', ":2: not JSON (Expecting ':' delimiter); correct it"),
        ("a.csv", "", ": the file is empty; give a file"),
        ("a.csv.gz", b"a,b\n", ": cannot be read (Not a gzipped file"),
        ("a.csv.bz2", b"a,b\n", ": cannot be read (Invalid data stream); check that the file is complete"),
        ("a.csv.xz", b"a,b\n", ": cannot be read (Input format not supported by decoder); check"),
        ("a.pdf", "x", ": unknown format '.pdf'; tables end in .csv, .tsv"),
    ],
)
def test_what_makes_a_file_unreadable_is_raised(tmp_path, name, content, expected):
    path = write(tmp_path / name, content)
    with pytest.raises(UserError) as error:
        records(path)
    assert str(error.value).startswith(f"{path}{expected}")


def test_columns_of_one_name_and_fields_inside_fields(tmp_path):
    made = open_records(write(tmp_path / "a.csv", "text,x,x\na,b,c\n"))
    assert made.names == ("text", "x", "x (3)") and next(made.read())[1]["x (3)"] == "c"
    record = {"data": {"text": "fine"}, "annotations": [{"label": "good"}], "a.b": 1, "two": [1, 2]}
    assert [value_of(record, n) for n in ("data.text", "annotations.label", "a.b", "two.x", "data.no")] == [
        "fine", "good", 1, None, None,
    ]  # fmt: skip


def test_columns_of_one_name_are_kept_apart_in_every_format(tmp_path):
    pa = pytest.importorskip("pyarrow")
    pd = pytest.importorskip("pandas")
    import pyarrow.parquet as pq

    twice = pa.table([["fine"], ["other"], ["good"]], names=["text", "text", "label"])
    pq.write_table(twice, tmp_path / "a.parquet")
    expected = [{"text": "fine", "text (2)": "other", "label": "good"}]
    frame = pd.DataFrame([["fine", "other", "good"]], columns=["text", "text", "label"])
    assert records(tmp_path / "a.parquet") == expected
    assert [[record for _, record in records_of(data).read()] for data in (twice, frame)] == [expected, expected]


def test_a_space_between_the_delimiter_and_a_quote_is_no_part_of_the_field(tmp_path):
    path = write(tmp_path / "a.csv", 'text, label\n"fine, really", "good"\n"dull", "bad, or worse"\n')
    assert records(path) == [{"text": "fine, really", "label": "good"}, {"text": "dull", "label": "bad, or worse"}]
    path = write(tmp_path / "b.csv", 'text;label\nshe said, "no";bad\nhe said, "no";bad\n')
    assert records(path)[0] == {"text": 'she said, "no"', "label": "bad"}


@pytest.mark.parametrize("suffix", PACK)
def test_a_compressed_file_with_a_name_of_text(tmp_path, suffix):
    path = write(tmp_path / "a.csv", PACK[suffix](b"text,label\nfine,good\n"))
    if suffix:
        with pytest.raises(UserError, match=rf"a.csv: not text, it begins as {suffix} files do; let its name end in"):
            open_records(path)
    else:
        assert records(path) == [{"text": "fine", "label": "good"}]


def test_one_column_of_quoted_texts(tmp_path):
    rows = [f"line {n}, and more; yes" for n in range(40)]
    body = "".join(f'"{row}"\n' for row in rows)
    for head in ("", "text\n"):
        found = read_rows(path := write(tmp_path / "a.csv", head + body), dialect_of(path))
        assert [row for _, row in found] == [[name] for name in [*head.split(), *rows]]
