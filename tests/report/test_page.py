"""The report: its contents, that it needs no other file, and that data cannot inject HTML."""

import csv
import json
import subprocess
import sys
from html.parser import HTMLParser

import pytest
import yaml

from seqtasks.errors import UserError
from seqtasks.report.formatting import duration, number, shorten
from seqtasks.report.page import verdict, write_report

VOID = {"meta", "br", "img", "link", "hr", "input", "col", "source", "wbr"}
LOADING = {"src", "href", "xlink:href", "data", "srcset", "poster"}
EVIL = "<script>alert(1)</script>\n  indented"
LONG = "One line.\n\nA line after a gap. " * 60


class Page(HTMLParser):
    """The text of a page, and the links that a browser would load."""

    def __init__(self, text):
        super().__init__()
        self.words, self.open, self.tags, self.links, self.ids, self.rows = [], [], [], [], [], []
        self.feed(text)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.ids += [value for name, value in attrs if name == "id"]
        self.links += [value for name, value in attrs if name in LOADING]
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words.append(data)
        if self.open and {"td", "th"} & set(self.open):
            self.rows[-1][-1] = f"{self.rows[-1][-1]} {data}".strip()

    def row(self, name):
        """The other cells of the first row that begins with `name`."""
        return next(cells[1:] for cells in self.rows if cells and " ".join(cells[0].split()) == name)


def scores(value, **more):
    return {"accuracy": value, "macro_f1": value - 0.01, "roc_auc": None, "log_loss": 1 - value, **more}


def baseline(value, low, high, own=0.875):
    return scores(value, seconds=2.5, difference=own - value, difference_interval=[low, high])


def metrics(labels=("bad", "good"), **baselines):
    size = len(labels)
    return {
        "metric": "accuracy",
        "lower_is_better": ["log_loss"],
        "train": {
            **{"examples": 12345, "epochs": 3, "best_epoch": 2, "seconds": 754.0, "tokens_per_second": 48211.4},
            **{"parameters": 2894338, "stopped": "patience"},
        },
        "validation": scores(0.8812, examples=80),
        "test": {
            **scores(0.875, examples=1600, accuracy_interval=[0.8513, 0.8967], labels=list(labels)),
            "per_class": {label: {"precision": 0.8, "recall": 0.7, "f1": 0.747, "support": 800} for label in labels},
            "confusion": [[700 if i == j else 100 + i for j in range(size)] for i in range(size)],
        },
        "baselines": baselines or {"majority": baseline(0.5, 0.34, 0.41), "tfidf_svm": baseline(0.811, 0.04, 0.09)},
    }


HISTORY = [
    {"epoch": e, "seconds": 9 * e, "loss": 1 / e, "validation_accuracy": accuracy, "validation_log_loss": log_loss}
    for e, accuracy, log_loss in ((1, 0.8, 0.6), (2, 0.8812, 0.5), (3, 0.87, ""))
]
SPLIT = {"name": "data/<b>.tsv", "examples": 12345, "labels": {"bad": 5000, "good": 7345}, "sha256": "ab12" * 16}
ENVIRONMENT = {
    "command": "seqtasks train sentiment --data 'a & b' --seed 7",
    "seed": 7,
    "started": "2025-11-23T10:51:07+00:00",
    "hardware": "2 x Xeon",
    "python": "3.11.7",
    "packages": {"keras": "3.15.1"},
    "data": {"train": SPLIT, "validation": SPLIT | {"examples": 80}, "test": SPLIT | {"examples": 1600}},
}
MISTAKES = [
    {"input": EVIL, "target": "bad", "label": "good", "score": 0.998, "where": "t.tsv:7"},
    {"input": LONG, "target": "good", "label": "<i>bad", "score": 0.97, "where": "t.tsv:9"},
    {"input": "torn \ud800 and \x00", "target": "good", "label": "bad", "score": 0.9, "where": "t.tsv:11"},
]
CONFIG = {"recipe": "sentiment", "data": "data", "epochs": 20, "time_limit": None, "pooling": ["max", "mean"]}


@pytest.fixture
def run(tmp_path):
    """A function that writes a run directory; a file given as None is left out."""

    def make(measured=None, history=HISTORY, environment=ENVIRONMENT, mistakes=MISTAKES, config=CONFIG):
        directory = tmp_path / "my run"
        directory.mkdir(exist_ok=True)
        (directory / "metrics.json").write_text(json.dumps(metrics() if measured is None else measured))
        for name, part in (("environment.json", environment), ("mistakes.json", mistakes)):
            if part is not None:
                (directory / name).write_text(json.dumps(part))
        if config is not None:
            (directory / "config.yaml").write_text(yaml.safe_dump(config))
        if history is not None:
            with (directory / "history.csv").open("w", newline="") as file:
                writer = csv.DictWriter(file, history[0])
                writer.writeheader()
                writer.writerows(history)
        return directory

    return make


def read(directory):
    path = write_report(directory)
    assert path == directory / "report.html"
    text = path.read_text("utf-8")
    page = Page(text)
    assert text.startswith("<!DOCTYPE html>") and not page.open
    assert len(page.ids) == len(set(page.ids))
    assert [p.name for p in directory.iterdir() if p.name.startswith(".")] == []
    return text, page


def results(text):
    return text.split('<table class="results">')[1].split("</table>")[0]


def test_results_are_shown(run):
    _, page = read(run())
    assert "accuracy on the test set 0.875 95% interval 0.851 to 0.897" in page.text
    assert "Run my run, started 2025-11-23 10:51 UTC, on 2 x Xeon" in page.text
    assert "Training examples 12,345" in page.text and "Test examples 1,600" in page.text
    assert "2,894,338" in page.text and "48,211 tokens per second" in page.text
    assert "stopped early" in page.text and "12 min 34 s" in page.text
    assert page.row("accuracy") == ["0.875 0.851 to 0.897", "0.881", "0.500", "0.811"]
    assert page.row("macro F1") == ["0.865", "0.871", "0.490", "0.801"]
    assert page.row("ROC AUC") == ["–"] * 4
    assert page.row("log loss lower is better") == ["0.125", "0.119", "0.500", "0.189"]
    assert page.row("training time") == ["12 min 34 s", "–", "2.5 s", "2.5 s"]
    assert page.row("network − baseline in accuracy")[2:] == ["+0.375 +0.340 to +0.410", "+0.064 +0.040 to +0.090"]
    assert page.row("bad")[0] == "5,000 40.5%"
    assert "700" in page.words and "87.5%" in page.words  # in the confusion matrix


def test_reproduction_is_described(run):
    _, page = read(run())
    end = page.text[page.text.index("This command reproduces the run") :]
    for part in (ENVIRONMENT["command"], "ab12" * 16, "data/<b>.tsv", "keras 3.15.1", "python 3.11.7", "seed 7"):
        assert part in end
    assert 'pooling ["max", "mean"]' in page.text and "time_limit null" in page.text


def test_page_needs_no_other_file(run):
    text, page = read(run())
    assert all(link.startswith(("#", "data:")) for link in page.links)
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert not {"script", "link", "iframe", "object", "embed"} & set(page.tags)
    assert "@import" not in text and "url(h" not in text
    assert text.count("<svg") == text.count('role="img"') == 4
    assert "#01020" not in text  # every colour follows the light or dark scheme


def test_data_is_escaped(run):
    text, page = read(run(metrics(labels=("<script>", "$a$ & 'b'"))))
    assert "<script" not in text and "<i>bad" not in text and "data/<b>" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\n  indented" in text
    assert "<script>alert(1)</script>" in page.text
    assert "$a$ & 'b'" in page.words  # a class, not a formula
    assert "torn ? and \N{REPLACEMENT CHARACTER}" in page.text


def test_long_inputs_are_shortened(run):
    text, page = read(run())
    assert f"Full text, {len(LONG):,} characters" in page.text
    shown = next(word for word in page.words if word.startswith("One line.\n\nA line") and word.endswith("…"))
    assert 540 < len(shown) <= 601
    assert LONG in page.words
    assert text.count("<details>") == 2  # the epochs, and one long input


@pytest.mark.parametrize(
    ("value", "low", "high", "kind", "sentence"),
    [
        (0.811, 0.04, 0.09, "better", "The network beats the best baseline, svm"),
        (0.87, -0.01, 0.02, "same", "The network is no better than the best baseline, svm"),
        (0.875, 0.0, 0.0, "same", "The network is no better than the best baseline, svm"),
        (0.88, -0.02, 0.01, "same", "The network is no better than the best baseline, svm"),
        (0.95, -0.1, -0.05, "worse", "The network is worse than the best baseline, svm"),
    ],
)
def test_verdict(run, value, low, high, kind, sentence):
    measured = metrics(majority=baseline(0.5, 0.34, 0.41), svm=baseline(value, low, high))
    text, page = read(run(measured))
    assert f"{sentence}: accuracy 0.875 against {number(value)}." in page.text
    assert f'class="verdict {kind}"' in text
    zero = "excludes zero" if kind in ("better", "worse") else "includes zero, so it may be due to chance"
    assert f"{number(low, True)} to {number(high, True)}, {zero}." in page.text


def test_verdict_where_lower_is_better():
    best = {"wer": 0.3, "difference": -0.1, "difference_interval": [-0.15, -0.05]}
    kind, sentence = verdict("wer", {"wer": 0.2}, {"other": {"wer": 0.9}, "best": best}, ["wer"])
    assert kind == "better" and "best: WER 0.200 against 0.300 (lower is better)" in sentence
    worse = best | {"difference": 0.1, "difference_interval": [0.05, 0.15]}
    assert verdict("wer", {"wer": 0.4}, {"best": worse}, ["wer"])[0] == "worse"
    assert verdict("wer", {"wer": 0.2}, {"best": best})[0] == "worse"


def test_lower_is_better_is_read_from_the_run(run):
    measured = metrics()
    text, _ = read(run(measured))
    row = next(part for part in results(text).split("<tr>") if "log loss" in part)
    assert "<small>lower is better</small>" in row and row.count("<b>") == 1 and "<b>0.125</b>" in row
    del measured["lower_is_better"]
    text, _ = read(run(measured))
    row = next(part for part in results(text).split("<tr>") if "log loss" in part)
    assert "lower is better" not in text and "<b>0.500</b>" in row


def test_verdict_without_comparison():
    assert verdict("f1", {"f1": 0.5}, {})[1] == "There is no baseline to compare with."
    assert verdict("f1", {"f1": None}, {"a": {"f1": 0.4}})[0] == "unknown"
    assert verdict("f1", {"f1": 0.5}, {"a": {"f1": None}})[0] == "unknown"
    kind, sentence = verdict("f1", {"f1": 0.5}, {"a": {"f1": 0.4, "difference_interval": [None, None]}})
    assert kind == "unknown" and "+0.100; it has no confidence interval" in sentence


def test_counts_and_equal_values_have_no_best(run):
    counts = {"wer": 0.5, "hits": 3, "unknown_rate": 0.25}
    measured = {
        "metric": "wer",
        "lower_is_better": ["wer"],
        "train": {"examples": 9, "seconds": 2.0},
        "validation": {"wer": 0.4, "hits": 1, "seconds": 1.0},
        "test": counts | {"examples": 4, "seconds": 1.0},
        "baselines": {"other": counts | {"wer": 0.75, "hits": 5, "train_examples": 8, "seconds": 3.0}},
    }
    text, page = read(run(measured))
    table = results(text)
    names = ["WER lower is better", "unknown rate", "training examples", "hits", "evaluated examples", "training time"]
    rows = [" ".join(cells[0].split()) for cells in Page(f"<table>{table}</table>").rows[2:-1]]
    assert rows == names
    assert table.count("<b>") == 1 and "<b>0.500</b>" in table
    assert page.row("hits") == ["3", "1", "5"] and page.row("training time") == ["2 s", "–", "3 s"]


def test_unfinished_run_raises(tmp_path):
    with pytest.raises(UserError) as error:
        write_report(tmp_path)
    assert str(error.value) == f"{tmp_path}: the run has not finished; continue it with --resume"
    with pytest.raises(UserError, match="there is no such folder"):
        write_report(tmp_path / "nothing")


def test_invalid_file_raises(run):
    directory = run()
    (directory / "mistakes.json").write_text("[{")
    with pytest.raises(UserError, match=r"mistakes\.json: cannot be read"):
        write_report(directory)
    assert not (directory / "report.html").exists()


def test_three_classes(run):
    text, page = read(run(metrics(labels=("neg", "neutral", "pos"))))
    assert "Confusion matrix of 3 classes: 2,100 of 2,706 test examples on the diagonal" in text
    assert page.row("neutral") == ["0.800", "0.700", "0.747", "800"]
    assert "77.8%" in page.words  # 700 of 900


def test_many_classes_have_no_text_in_cells(run):
    labels = [f"class {i}" for i in range(33)]
    text, page = read(run(metrics(labels=labels)))
    assert "Confusion matrix of 33 classes" in text and "Most frequent confusions" in page.text
    assert page.row("class 32")[:2] == ["class 31", "132"]
    picture = text[text.index("Confusion matrix of 33") :].split("</svg>")[0]
    assert "700" not in Page(f"<svg>{picture.split('>', 1)[1]}</svg>").words


def test_recipe_without_classes(run):
    measured = {
        "metric": "bleu",
        "train": {"examples": 10},
        "validation": {"bleu": 24.1, "chrf": 50.25},
        "test": {"bleu": 23.456, "chrf": 49.9, "bleu_interval": [22.9, 24.04], "signature": "nrefs:1"},
        "baselines": {},
    }
    text, page = read(run(measured, history=None, mistakes=[], environment=None, config={"recipe": "translation"}))
    assert "BLEU on the test set 23.46 95% interval 22.90 to 24.04" in page.text
    assert page.row("chrF") == ["49.90", "50.25"]
    assert "No errors were recorded." in page.text and "There is no baseline" in page.text
    assert "Classes" not in page.text and "<svg" not in text


def test_only_metrics(run):
    _, page = read(run({"metric": "f1", "test": {"f1": 0.5}}, None, None, None, None))
    assert "F1 on the test set 0.500" in page.text


def test_sections_of_a_recipe(run):
    directory = run()
    (directory / "sections.json").write_text('[["Words & weights", "<p>The <b>strongest</b> words</p>"]]')
    _, page = read(directory)
    assert page.text.index("Errors") < page.text.index("The strongest words") < page.text.index("This command")
    assert page.text.count("Words & weights") == 2  # in the navigation and as a title


def test_curves(run):
    history = [row | {"validation_unknown_rate": 0.25, "validation_seconds": row["epoch"]} for row in HISTORY]
    text, _ = read(run(history=history))
    assert 'aria-label="Loss over the epochs: training from 1.000 to 0.333, validation from 0.600 to –"' in text
    assert "from 0.800 to 0.870, 0.881 at the best epoch, 2" in text
    assert text.count(" over the epochs: ") == 2  # metrics that never change and times have no curve


def test_report_is_deterministic(run):
    directory = run()
    assert write_report(directory).read_bytes() == write_report(directory).read_bytes()


def test_imports_need_no_keras(run):
    code = f"""
import sys
sys.modules["tensorflow"] = sys.modules["keras"] = None
from seqtasks.report.page import write_report
write_report({str(run())!r})
assert "matplotlib.pyplot" not in sys.modules"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_formatting():
    assert [number(v) for v in (0, 0.0, 1.0, 0.0015, 1e-5, 123.456, 12345.6)] == (
        ["0", "0", "1.000", "0.0015", "1e-05", "123.5", "12,346"]
    )
    assert number(float("nan")) == number(None) == number(True) == "–"
    assert [duration(v) for v in (0.004, 59.7, 3599.9, None)] == ["0.004 s", "1 min 0 s", "1 h 0 min", "–"]
    assert shorten("x" * 700) == "x" * 600 + "…"
