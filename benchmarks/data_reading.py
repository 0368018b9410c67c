"""How fast files of every format are read as examples, beside the library that reads the same file alone.

    python -m benchmarks.data_reading [--rows 100000] [--repeat 3]

The rows are made reviews of about 200 characters. Our side is `open_data`, as training reads a file: every record is
checked, and becomes an `Example`. The other side is the usual reader of the format into a frame or a table, and that
reader with the rows taken out as Python objects, which a model that is fed by the row needs too. All three run in one
process, one after the other; the fastest of the repetitions counts.
"""

import argparse
import bz2
import gzip
import json
import lzma
import random
import tempfile
import time
from pathlib import Path

from benchmarks.record import write
from seqtasks.data.splits import open_data
from seqtasks.text import files

WORDS = 5000
ENDINGS = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}


def made_reviews(rows, seed=0):
    """Pairs (text, label) of made words; every tenth text has a comma and a quote."""
    draws = random.Random(seed)
    words = ["".join(draws.choices("abcdefghijklmnopqrstuvwxyzäé", k=draws.randint(2, 10))) for _ in range(WORDS)]
    for number in range(rows):
        text = " ".join(draws.choices(words, k=draws.randint(10, 46)))
        yield (f'{text}, "{number}"' if number % 10 == 0 else text), ("good", "bad")[draws.random() < 0.5]


def make_files(folder, rows):
    """{name: what `open_data` takes} of the same rows in every format."""
    import datasets
    import pandas as pd
    import polars as pl
    import pyarrow as pa
    import pyarrow.feather as feather
    import pyarrow.parquet as pq
    import zstandard

    frame = pd.DataFrame(made_reviews(rows), columns=["text", "label"])
    folder = Path(folder)
    frame.to_csv(folder / "a.csv", index=False)
    frame.to_csv(folder / "b.csv", index=False, sep=";")
    (folder / "a.tsv").write_text("text\tlabel\n" + "".join(f"{t}\t{y}\n" for t, y in frame.itertuples(index=False)))
    records = frame.to_dict("records")
    (folder / "a.jsonl").write_text("".join(f"{json.dumps(r, ensure_ascii=False)}\n" for r in records))
    (folder / "array.json").write_text(json.dumps(records, ensure_ascii=False, indent=1))
    table = pa.Table.from_pandas(frame, preserve_index=False)
    pq.write_table(table, folder / "a.parquet")
    feather.write_feather(table, folder / "a.arrow", compression="uncompressed")
    frame.to_excel(folder / "a.xlsx", index=False)
    plain = (folder / "a.csv").read_bytes()
    for ending, opener in ENDINGS.items():
        with opener(folder / f"a.csv{ending}", "wb") as file:
            file.write(plain)
    (folder / "a.csv.zst").write_bytes(zstandard.compress(plain))
    datasets.Dataset.from_pandas(frame).save_to_disk(folder / "hf")
    datasets.disable_progress_bars()
    names = ["a.csv", "b.csv", "a.tsv", "a.jsonl", "array.json", "a.parquet", "a.arrow", "a.xlsx"]
    names += [f"a.csv{ending}" for ending in (*ENDINGS, ".zst")]
    made = {name: folder / name for name in names}
    return made | {"hf:": f"hf:{folder / 'hf'}", "pandas.DataFrame": frame, "polars.DataFrame": pl.from_pandas(frame)}


def library(name, data):
    """The usual reader: a function without arguments that returns a frame or a table; None for what is in memory."""
    import datasets
    import pandas as pd
    import pyarrow.ipc as ipc
    import pyarrow.parquet as pq

    return {
        "b.csv": lambda: pd.read_csv(data, sep=";"),
        "a.tsv": lambda: pd.read_csv(data, sep="\t", quoting=3),
        "a.jsonl": lambda: pd.read_json(data, lines=True),
        "array.json": lambda: pd.read_json(data),
        "a.parquet": lambda: pq.read_table(data),
        "a.arrow": lambda: ipc.open_file(data).read_all(),
        "a.xlsx": lambda: pd.read_excel(data, engine="openpyxl"),
        "hf:": lambda: datasets.load_from_disk(str(data).removeprefix("hf:")),
    }.get(name, None if "DataFrame" in name else lambda: pd.read_csv(data))


def rows_of(found):
    """The number of rows, each of which was made a Python object."""
    if hasattr(found, "itertuples"):
        rows = found.itertuples(index=False, name=None)
    elif hasattr(found, "iter_rows"):
        rows = found.iter_rows()
    else:
        rows = found.to_pylist() if hasattr(found, "to_pylist") else found
    return sum(1 for _ in rows)


def fastest(function, repeat):
    """The least of the seconds that some calls take, and what the last returned."""
    seconds = []
    for _ in range(repeat):
        began = time.perf_counter()
        found = function()
        seconds.append(time.perf_counter() - began)
    return min(seconds), found


def measure(name, data, rows, size, repeat):
    """One row of the result."""
    formats, read = files.formats(), library(name, data)
    own, count = fastest(lambda: sum(1 for _ in open_data(data, formats)), repeat)
    assert count == rows, (name, count)
    alone, _ = fastest(read, repeat) if read else (None, None)
    with_rows, count = fastest(lambda: rows_of(read() if read else data), repeat)
    assert count == rows, (name, count)
    row = {"seconds": own, "rows_per_second": rows / own, "megabytes_per_second": size / 1e6 / own}
    row |= {"library_seconds": alone, "library_seconds_with_rows": with_rows, "ratio_with_rows": own / with_rows}
    return row | {"ratio": own / alone if alone else None}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        made, found = make_files(folder, given.rows), {}
        size = (Path(folder) / "a.csv").stat().st_size
        for name, data in made.items():
            found[name] = row = measure(name, data, given.rows, size, 1 if name.endswith("xlsx") else given.repeat)
            alone = f"{row['library_seconds']:.2f}" if row["library_seconds"] else "-"
            print(
                f"| {name} | {row['rows_per_second']:,.0f} | {row['megabytes_per_second']:.1f} | {row['seconds']:.2f} "
                f"| {alone} | {row['library_seconds_with_rows']:.2f} | {row['ratio_with_rows']:.1f} |",
                flush=True,
            )
    command = f"python -m benchmarks.data_reading --rows {given.rows} --repeat {given.repeat}"
    told = {"rows_of_each_file": given.rows, "bytes_of_the_csv": size, "formats": found}
    write("data_reading", command, told)


if __name__ == "__main__":
    main()
