"""Sentence pairs as people have them: memories, files of any names, numbered columns, data sets, data in memory."""

import bz2
import gzip
import lzma
import warnings

import pytest

from seqtasks.data.partition import part
from seqtasks.data.reading import Reading
from seqtasks.data.splits import find_splits, has_splits, open_data
from seqtasks.errors import UserError
from seqtasks.translation.directions import Options
from seqtasks.translation.files import formats

EN = ["A cat sleeps.", "Two dogs & a bird.", "Good morning, 好 👩🏽"]
DE = ["Eine Katze schläft.", "Zwei Hunde & ein Vogel.", "Guten Morgen"]
PAIRS = list(zip(EN, DE, strict=True))
EN_DE, NO_OPTIONS = Options("en", "de"), Options()


def opened(data, options=NO_OPTIONS, **reading):
    return open_data(data, formats(options), Reading(**reading))


def splits_of(data=None, options=NO_OPTIONS, **given):
    return find_splits(data, formats(options), Reading(), **given)


def pairs(source):
    return [(e.input, e.target) for e in source]


def fault(data, options=NO_OPTIONS, **reading):
    with pytest.raises(UserError) as found:
        list(opened(data, options, **reading))
    return str(found.value)


def lines(path, sentences, encoding="utf-8"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(f"{sentence}\n" for sentence in sentences).encode(encoding))
    return path


def escaped(text):
    return text.replace("&", "&amp;").replace("<", "&lt;")


def memory(units, srclang="en", head='<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE tmx SYSTEM "tmx14.dtd">\n'):
    """A translation memory of units, each {language: text}, one on each line from the fifth on."""
    texts = [
        "".join(f'<tuv xml:lang="{name}"><seg>{escaped(text)}</seg></tuv>' for name, text in unit.items())
        for unit in units
    ]
    body = "\n".join(f"<tu>{text}</tu>" for text in texts)
    header = f'<tmx version="1.4">\n<header srclang="{srclang}" datatype="plaintext"/>'
    return f"{head}{header}\n<body>\n{body}\n</body></tmx>\n"


UNITS = [{"en": en, "de": de} for en, de in PAIRS]


def test_a_memory_gives_its_pairs_with_their_lines_in_either_direction(tmp_path):
    path = tmp_path / "a.tmx"
    path.write_text(memory(UNITS), "utf-8")
    source = opened(path)
    assert pairs(source) == pairs(source) == pairs(opened(path, EN_DE)) == PAIRS  # from `srclang` where none is named
    assert [source.where(e) for e in source] == [f"{path}:{line}" for line in (6, 7, 8)]
    assert pairs(opened(path, Options("de"))) == [(de, en) for en, de in PAIRS]
    assert pairs(opened(tmp_path, EN_DE)) == PAIRS  # the folder that holds it
    assert [e.input for e in opened(path, EN_DE, labelled=False)] == EN


def test_region_variants_of_a_language(tmp_path):
    units = [{"en-US": "color", "de-DE": "Farbe"}, {"de-DE": "Brot", "en-GB": "bread"}, {"en_gb": "tea", "de": "Tee"}]
    (tmp_path / "a.tmx").write_text(memory(units, "en-US"), "utf-8")
    assert pairs(opened(tmp_path / "a.tmx", EN_DE)) == [("color", "Farbe"), ("bread", "Brot"), ("tea", "Tee")]
    with pytest.warns(UserWarning, match="a.tmx: 1 of 3 units without 'en-GB' and 'de' left out"):
        assert pairs(opened(tmp_path / "a.tmx", Options("en-GB", "de"))) == [("bread", "Brot"), ("tea", "Tee")]


def test_units_without_one_of_the_languages_are_counted(tmp_path):
    units = [*UNITS, {"en": "only", "fr": "seul"}, {"de": "nur"}]
    (tmp_path / "a.tmx").write_text(memory(units), "utf-8")
    source = opened(tmp_path / "a.tmx", EN_DE)
    with pytest.warns(UserWarning, match="2 of 5 units without 'en' and 'de' left out"):
        assert pairs(source) == PAIRS
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # one warning is enough
        assert pairs(source) == PAIRS
    assert "cannot tell source and target among 'en', 'de', 'fr'; choose, e.g. --source_l" in fault(tmp_path / "a.tmx")
    assert fault(tmp_path / "a.tmx", Options("en", "it")).startswith(
        f"{tmp_path}/a.tmx: no 'it' among 'en', 'de', 'fr'; choose"
    )


def test_markup_in_a_memory_is_left_out_and_entities_are_text(tmp_path):
    segment = '<bpt i="1">&lt;b&gt;</bpt>A <hi>big</hi><ept i="1">&lt;/b&gt;</ept> d&#xF6;g<ph>{<sub>x</sub>}</ph>'
    text = memory([{"en": "X", "de": "a\nb"}]).replace("X", segment)
    (tmp_path / "a.tmx").write_text(text, "utf-8")
    assert pairs(opened(tmp_path / "a.tmx")) == [("A big dög", "a\nb")]
    bomb = '<!DOCTYPE t [<!ENTITY a "x"><!ENTITY b "&a;&a;">]>\n<tmx><body/></tmx>'
    (tmp_path / "b.tmx").write_text(bomb, "utf-8")
    assert fault(tmp_path / "b.tmx") == (
        f"{tmp_path}/b.tmx: no texts in it; give a memory with <tu>, <tuv xml:lang=...> and <seg>"
    )


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
@pytest.mark.parametrize(("ending", "compress"), [("", bytes), (".gz", gzip.compress), (".xz", lzma.compress)])
def test_memories_of_every_encoding(tmp_path, encoding, ending, compress):
    latin = [(en.replace("好 👩🏽", "ñ"), de) for en, de in PAIRS]
    declared = '<?xml version="1.0" encoding="{}"?>\n'
    text = memory([{"en": en, "de": de} for en, de in latin], head=declared.format(encoding.removesuffix("-sig")))
    path = tmp_path / f"a.tmx{ending}"
    path.write_bytes(compress(text.encode(encoding)))
    assert pairs(opened(path)) == latin
    if encoding == "latin-1":  # --encoding replaces what the file declares
        path.write_bytes(compress(memory(UNITS[:1], head=declared.format("UTF-8")).encode("latin-1")))
        assert fault(path).startswith(f"{path}:5: not TMX (not well-formed (invalid token)); correct the line, or name")
        assert pairs(opened(path, encoding="latin-1")) == PAIRS[:1]


def test_a_memory_that_is_cut_off_or_empty(tmp_path):
    text = memory(UNITS)
    path = tmp_path / "a.tmx"
    path.write_text(text[: text.index("<tu>", 300)], "utf-8")
    assert "a.tmx:8: not TMX (no element found)" in fault(path, EN_DE)
    path.write_bytes(b"")
    assert fault(path).startswith(f"{path}: the file is empty")
    assert fault(tmp_path / "no.tmx") == f"{tmp_path}/no.tmx: no such file; check the path"


def test_elements_with_a_namespace_and_old_attributes(tmp_path):
    text = memory(UNITS).replace("xml:lang", "lang").replace("</", "</t:")
    for name in ("tmx", "header", "body", "tu>", "tuv", "seg"):
        text = text.replace(f"<{name}", f"<t:{name}")
    (tmp_path / "a.tmx").write_text(text.replace("<t:tmx", '<t:tmx xmlns:t="http://www.lisa.org/tmx14"'), "utf-8")
    assert pairs(opened(tmp_path / "a.tmx", EN_DE)) == PAIRS


def test_a_pattern_or_a_list_of_paths_reads_each_corpus_once(tmp_path):
    for name in ("a", "b"):
        files = [lines(tmp_path / f"{name}.en", EN), lines(tmp_path / f"{name}.de", DE)]
    for data in (f"{tmp_path}/*", f"{tmp_path}/*.en"):
        assert pairs(opened(data, EN_DE)) == PAIRS * 2
    assert pairs(opened(files, EN_DE)) == PAIRS
    assert "cannot tell source and target among 'de', 'en'" in fault(files)


def test_names_of_languages_are_a_header(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text("English\tGerman\n" + "".join(f"{en}\t{de}\n" for en, de in PAIRS), "utf-8")
    assert pairs(opened(path, Options("english", "german"))) == pairs(opened(path, Options("1", "2"))) == PAIRS
    assert "choose, e.g. --source_language English --target_language German" in fault(path)


def test_two_files_of_free_names_for_each_split(tmp_path):
    for number, (name, count) in enumerate((("alpha", 3), ("beta", 2), ("gamma", 1))):
        lines(tmp_path / f"{name}.txt", EN[:count])
        lines(tmp_path / "other" / f"{number}", DE[:count])
    named = [f"{tmp_path}/{name}.txt, {tmp_path}/other/{n}" for n, name in enumerate(("alpha", "beta", "gamma"))]
    splits = splits_of(train=named[0], valid=named[1], test=named[2])
    assert [pairs(source) for _, source in splits] == [PAIRS, PAIRS[:2], PAIRS[:1]]
    assert [splits.train.where(e) for e in splits.train][2] == f"{tmp_path}/alpha.txt:3"
    assert pairs(opened(named[0], EN_DE)) == PAIRS
    assert fault(f"{tmp_path}/alpha.txt,{tmp_path}/no.txt").startswith(f"{tmp_path}/no.txt: no such file; give the")
    assert "3 files; give two, that of the source and that of the target" in fault(f"{named[0]},{tmp_path}/beta.txt")
    assert "alpha.txt: 3 lines, but 2 in 1; line n of" in fault(f"{tmp_path}/alpha.txt,{tmp_path}/other/1")


def test_named_files_that_contradict_the_languages(tmp_path):
    english, german = lines(tmp_path / "a.en", EN), lines(tmp_path / "b.de", DE)
    assert pairs(opened(f"{english},{german}", EN_DE)) == PAIRS
    told = fault(f"{german},{english}", EN_DE)
    assert told.endswith("de is given as the source, but --source_language is en; give the file of the source first")


NAMES = [
    ("src-{}.txt", "tgt-{}.txt", "val"),
    ("{}.src", "{}.tgt", "valid"),
    ("{}_source.txt.gz", "{}_target.txt.gz", "dev"),
    ("{}.en.txt", "{}.de.txt", "valid"),
    ("en-{}", "de-{}", "valid"),
    ("{}.de-en.en", "{}.de-en.de", "dev"),
]


@pytest.mark.parametrize(("source", "target", "valid"), NAMES)
def test_folders_of_every_naming(tmp_path, source, target, valid):
    for split, count in (("train", 3), (valid, 2), ("test", 1)):
        for name, sentences in ((source.format(split), EN), (target.format(split), DE)):
            path = lines(tmp_path / name, sentences[:count])
            path.write_bytes(gzip.compress(path.read_bytes()) if name.endswith(".gz") else path.read_bytes())
    (tmp_path / "README.md").write_text("x")
    usual = "src" in source or "source" in source
    splits = splits_of(tmp_path, NO_OPTIONS if usual else EN_DE)
    assert [pairs(part) for _, part in splits] == [PAIRS, PAIRS[:2], PAIRS[:1]]
    assert pairs(splits_of(tmp_path, EN_DE).test) == PAIRS[:1]
    assert has_splits(tmp_path, formats(EN_DE))
    assert pairs(opened(tmp_path / source.format("train"), EN_DE)) == PAIRS  # one of the two files
    if not usual:
        assert pairs(splits_of(tmp_path, Options("de", "en")).train) == [(de, en) for en, de in PAIRS]


def test_a_folder_without_a_split_takes_the_rest_from_train(tmp_path):
    lines(tmp_path / "src-train.txt", [f"sentence {n}" for n in range(200)])
    lines(tmp_path / "tgt-train.txt", [f"Satz {n}" for n in range(200)])
    lines(tmp_path / "src-val.txt", EN)
    lines(tmp_path / "tgt-val.txt", DE)
    with pytest.warns(UserWarning, match="no test split given; 10 % of train taken by the hash of the source sentence"):
        splits = splits_of(tmp_path)
    assert pairs(splits.validation) == PAIRS
    assert pairs(splits.test) == [(f"sentence {n}", f"Satz {n}") for n in range(200) if part(f"sentence {n}") == 0]
    assert not has_splits(tmp_path, formats())


def test_a_corpus_with_a_file_of_identifiers(tmp_path):
    stem = tmp_path / "Books.de-en"
    lines(tmp_path / "Books.de-en.en", EN)
    lines(tmp_path / "Books.de-en.de", DE)
    lines(tmp_path / "Books.de-en.ids", ["1", "2", "3"])
    for path in (stem, tmp_path):
        assert pairs(opened(path, Options(target="de"))) == PAIRS
    assert fault(tmp_path).startswith(f"{stem}: cannot tell source and target among 'de', 'en'; choose, e.g.")


ANKI = "".join(f"{en}\t{de}\tCC-BY #{n}\n" for n, (en, de) in enumerate(PAIRS))


@pytest.mark.parametrize("name", ["pairs.tsv", "deu.txt", "deu.txt.bz2"])
def test_source_target_and_the_rest(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(bz2.compress(ANKI.encode()) if name.endswith(".bz2") else ANKI.encode())
    assert pairs(opened(path)) == pairs(opened(path, Options("1", "2"))) == PAIRS
    assert pairs(opened(path, Options("2", "1"))) == [(de, en) for en, de in PAIRS]
    assert pairs(opened(path, Options("2", "3")))[1] == (DE[1], "CC-BY #1")
    assert [e.input for e in opened(path, labelled=False)] == EN


def test_columns_by_number_and_semicolons(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes("".join(f"{n};{en};{de}\r\n" for n, (en, de) in enumerate(PAIRS)).encode("utf-16"))
    assert pairs(opened(path, Options("2", "3"))) == PAIRS
    assert "choose, e.g. --source_language 1 --target_language 2 (a number" in fault(path)
    path.write_bytes(("Nr;English text;Deutsch\r\n" + "".join(f"1;{e};{d}\n" for e, d in PAIRS[:2])).encode("cp1252"))
    assert fault(path, Options("2", "3")).startswith(f"{path}:2: not UTF-8 (byte 0xe4")
    for options in (Options("2", "3", header=True), Options("English text", "Deutsch")):
        assert pairs(opened(path, options, encoding="cp1252")) == PAIRS[:2]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "utf-32", "latin-1"])
def test_two_files_of_every_encoding(tmp_path, encoding):
    english = [*EN[:2], "caf\xe9\x85\x0b"]
    lines(tmp_path / "a.en", english, encoding)
    lines(tmp_path / "a.de", DE, encoding)
    read = opened(tmp_path / "a", EN_DE, encoding="latin-1" if encoding == "latin-1" else None)
    assert pairs(read) == list(zip(english, DE, strict=True))


def test_a_line_with_a_nul_byte_is_left_out_of_train(tmp_path):
    for name in ("train", "valid", "test"):
        lines(tmp_path / f"{name}.en", [*(f"line {n}" for n in range(40)), "nul\0"])
        lines(tmp_path / f"{name}.de", [*(f"Zeile {n}" for n in range(40)), "x"])
    splits = splits_of(tmp_path, EN_DE)
    with pytest.warns(UserWarning, match="train.en: of 41 records 1 left out: .*train.en:41: a NUL byte"):
        assert len(pairs(splits.train)) == 40
    with pytest.raises(UserError, match="test.en:41: a NUL byte; name the encoding of the file with --encoding"):
        pairs(splits.test)


def test_tables_and_data_in_memory(tmp_path):
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    columns = {"id": [1, 2, 3], "en-US": EN, "de": DE}
    nested = {"translation": [{"en": en, "de": de} for en, de in PAIRS]}
    for frame in (pandas.DataFrame(columns), polars.DataFrame(columns), pandas.DataFrame(nested)):
        assert pairs(opened(frame, EN_DE)) == PAIRS
    pandas.DataFrame(nested).to_parquet(tmp_path / "a.parquet")
    pandas.DataFrame(columns).to_excel(tmp_path / "a.xlsx", index=False)
    for name in ("a.parquet", "a.xlsx"):
        assert pairs(opened(tmp_path / name, EN_DE)) == PAIRS
    assert pairs(opened(PAIRS)) == pairs(opened((EN, DE))) == PAIRS
    assert pairs(opened([{"source": en, "target": de} for en, de in PAIRS])) == PAIRS
    splits = splits_of({"train": PAIRS, "validation": PAIRS[:2], "test": PAIRS[:1]})
    assert [len(pairs(source)) for _, source in splits] == [3, 2, 1]
    assert "one column" not in fault(EN) and "give a source and a target" in fault(EN)


def test_data_sets_of_hugging_face(tmp_path):
    datasets = pytest.importorskip("datasets")
    features = datasets.Features({"id": datasets.Value("string"), "translation": datasets.Translation(["de", "en"])})
    rows = [{"id": str(n), "translation": {"en": en, "de": de}} for n, (en, de) in enumerate(PAIRS)]
    data = datasets.Dataset.from_list(rows, features=features)
    datasets.DatasetDict({"train": data, "validation": data, "test": data}).save_to_disk(str(tmp_path / "saved"))
    splits = splits_of(f"hf:{tmp_path / 'saved'}", EN_DE)
    assert [pairs(source) for _, source in splits] == [PAIRS] * 3
    variable = [{"translation": {"language": ["de", "en", "fr"], "translation": [de, en, ""]}} for en, de in PAIRS]
    assert pairs(opened(variable, EN_DE)) == PAIRS


def test_records_without_a_text_are_faulty_and_empty_ones_are_not(tmp_path):
    rows = [{"en": f"line {n}", "de": f"Zeile {n}"} for n in range(60)]
    gaps = [*rows, {"en": None, "de": "x"}, {"en": "x", "de": float("nan")}, {"en": "", "de": "x"}]
    splits = splits_of({"train": gaps, "validation": rows, "test": gaps}, EN_DE)
    with pytest.warns(UserWarning) as caught:
        assert len(pairs(splits.train)) == 60
    assert sorted(str(w.message) for w in caught) == [
        "list: 1 of 61 pairs left out: 1 with an empty side (--max_characters, --max_ratio)",
        "list: of 63 records 2 left out: list:61: no text in 'en', list:62: no text in 'de'",
    ]
    with pytest.raises(UserError, match="list:61: no text in 'en'; give every sentence its translation"):
        pairs(splits.test)


def test_inputs_to_translate_need_no_target(tmp_path):
    table = tmp_path / "in.csv"
    table.write_text("id,source\n7,A cat\n8,\n", "utf-8")
    source = opened(table, EN_DE, labelled=False, carry=("id",))
    assert [(e.input, e.fields) for e in source] == [("A cat", (("id", "7"),)), ("", (("id", "8"),))]
    assert [e.input for e in opened([{"en": "A cat"}, {"en": "Two"}], EN_DE, labelled=False)] == ["A cat", "Two"]
    table.write_text("en\nA cat\n", "utf-8")
    assert [e.input for e in opened(table, EN_DE, labelled=False)] == ["A cat"]
    table.write_text("a,b\n1,2\n", "utf-8")
    assert "in.csv: no 'en' among 'a', 'b'; " in fault(table, EN_DE, labelled=False)
    table.write_text("en\n" + "x" * 11 + "\n", "utf-8")
    told = fault(table, Options("en", "de", max_characters=10), labelled=False)
    assert told == f"{table}:2: 11 characters, more than --max_characters 10; split it into sentences"


def test_files_without_columns_have_no_groups(tmp_path):
    lines(tmp_path / "a.en", EN)
    lines(tmp_path / "a.de", DE)
    assert fault(tmp_path / "a", EN_DE, group="speaker") == (
        f"{tmp_path}/a.en: text files have no columns; leave out --group, or give a table"
    )
    (tmp_path / "a.tmx").write_text(memory(UNITS), "utf-8")
    assert "a.tmx: a translation memory has no columns; leave out --group" in fault(tmp_path / "a.tmx", group="x")


def test_options_name_the_files_of_train(tmp_path):
    from seqtasks.recipe import load_recipe

    (tmp_path / "s.txt").write_text("".join(f"good morning {n}\n" for n in range(40)))
    (tmp_path / "t.txt").write_text("".join(f"guten morgen {n}\n" for n in range(40)))
    recipe = load_recipe("translation")
    config = recipe.Config(source_file=str(tmp_path / "s.txt"), target_file=str(tmp_path / "t.txt"))
    with pytest.warns(UserWarning, match="split given"):
        splits = recipe.splits(config, **recipe.paths(config, {"data": None}))
    found = {(e.input, e.target) for _, source in splits for e in source}
    assert found == {(f"good morning {n}", f"guten morgen {n}") for n in range(40)}
    with pytest.raises(UserError, match="--target_file: is missing; name the files of both sides"):
        recipe.reads(recipe.Config(source_file="s.txt"))
