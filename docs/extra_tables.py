"""Further tables of results: ablations, recurrent layers, the memory problems, held-out speakers, generated names."""

from typing import Any

from result_rows import load, spread

SHAPES = ("64,100,128,128", "32,200,256,256", "1,100,128,128", "128,40,64,512")
LAYERS = (
    "seqtasks LSTM", "keras LSTM", "keras RNN(LSTMCell)", "keras LSTM, jit_compile", "torch LSTM", "seqtasks GRU",
    "keras GRU", "keras GRU, jit_compile", "torch GRU", "seqtasks bidirectional LSTM", "keras bidirectional LSTM",
    "torch bidirectional LSTM", "seqtasks LSTM, masked", "keras LSTM, masked", "seqtasks LSTM, recurrent dropout",
    "seqtasks peephole LSTM", "seqtasks layer-normalised LSTM",
)  # fmt: skip
TITLES = {
    "as it is": "the recipe",
    "without agreement of two passes": "without R-Drop (`--r_drop 0`)",
    "without averaged weights": "without averaged weights (`--ema_momentum 0`)",
    "without dropout of words": "without word dropout",
    "without dropout of embeddings": "without dropout of embeddings",
    "as it is: CRF, letters by convolution": "the recipe: CRF, letters by convolution",
    "words": "words instead of subwords",
}


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def sentiment_ablations() -> str:
    return _two_splits(load("sentiment_ablations")["rows"], "accuracy")


def ner_ablations() -> str:
    return _two_splits(load("ner_wikigold")["rows"], "strict span F1")


def _two_splits(rows: dict[str, Any], metric: str) -> str:
    cells = [[TITLES.get(name, name), spread(row["validation"]), spread(row["test"])] for name, row in rows.items()]
    return table([metric, "validation", "test"], cells)


def translation_ablations() -> str:
    rows = []
    for name, row in load("translation_ablations")["rows"].items():
        beams = [row["test"][f"beam {width}"] for width in (1, 5, 10)]
        figures = [f"{beam['bleu_lower_tokenized']['mean']:.2f}" for beam in beams]
        case = f"{beams[1]['bleu']['mean']:.2f}"
        rows.append([TITLES.get(name, name), *figures, case, f"{row['best_epochs'][0]}"])
    return table(["BLEU of test", "beam 1", "beam 5", "beam 10", "with case, beam 5", "best epoch"], rows)


def kills() -> str:
    """How many trainings were killed in each phase, and how many ended like the one that was left alone."""
    counts = load("kills")["counts"]
    phases = list(counts["SIGKILL"]["phases"])
    cells = [
        [f"`{name}`", *(f"{row['phases'][phase]}" for phase in phases), f"{row['equal']} of {row['stopped']}"]
        for name, row in counts.items()
    ]
    return table(["stopped by", *phases, "ends equal"], cells)


def language_cells() -> str:
    rows = load("language_cells")["rows"]
    cells = [[f"`{n}`", f"{r['units']}", f"{r['validation']:.3f}", f"{r['test']:.3f}"] for n, r in rows.items()]
    return table(["bits per character", "units", "validation", "test"], cells)


def targets() -> str:
    """What the network reaches with each kind of target, next to the linear baseline."""
    titles = {
        "topics labels": "several kinds of questions in a text",
        "motifs labels": "several motifs in a DNA sequence",
        "stars ordinal": "stars of reviews, ordered",
        "stars number": "stars of reviews, as numbers",
        "stars class": "stars of reviews, as classes",
    }
    rows, found = [], load("targets")["rows"]
    for name, title in titles.items():
        if name not in found:
            continue
        row = found[name]
        metric = "mae" if name == "stars class" else row["runs"][0]["metric"]
        low, high = row["runs"][0]["difference_interval"]
        interval = "" if metric != row["runs"][0]["metric"] else f"{low:+.4f} to {high:+.4f}"
        rival = row["runs"][0]["baseline"]
        others = [n for n in row["test"] if n != metric]
        more = ", ".join(f"`{n}` {row['test'][n]['mean']:.3f}" for n in others)
        figure = spread(row["test"][metric])
        rows.append(
            [title, f"`{metric}`", figure, f"{rival[metric]:.4f}" if rival[metric] is not None else "", interval, more]
        )
    head = ["target", "metric", "test", "linear baseline", "95% interval of the difference, seed 0", "further figures"]
    return table(head, rows)


def speakers() -> str:
    rows = [
        [name, *(f"{row[key]:.3f}" for key in ("accuracy", "wer", "cer", "baseline_accuracy"))]
        for name, row in load("speech_speakers")["speakers"].items()
    ]
    return table(["held out", "accuracy", "WER", "CER", "logistic regression"], rows)


def layers() -> str:
    shapes = load("layers")["shapes"]

    def both(found: dict[str, float]) -> str:
        return f"{found['forward']:.3g} / {found['step']:.3g}"

    rows = [[name, *(both(shapes[shape]["milliseconds"][name]) for shape in SHAPES)] for name in LAYERS]
    rows.append(["floor", *(both(shapes[shape]["floor"]) for shape in SHAPES)])
    return table(["batch, time, input, units", *SHAPES], rows)


def layer_ratios() -> str:
    shapes = load("layers")["shapes"]
    steps = [{name: found["step"] for name, found in shapes[shape]["milliseconds"].items()} for shape in SHAPES]
    keras = ("keras LSTM", "keras RNN(LSTMCell)", "keras LSTM, jit_compile")
    ours = "seqtasks LSTM"
    variants = {
        "masked": "masked, relative to plain",
        "recurrent dropout": "recurrent dropout",
    }
    keras_targets = (1.0, 1.25, 3.0, 1.1)
    torch = [step["torch LSTM"] / step[ours] for step in steps]
    enough = sum(ratio >= 1 for ratio in torch) >= 3

    def at_most(name: str) -> list[str]:
        return [_marked(step[name] / step[ours], step[name] <= 1.3 * step[ours]) for step in steps]

    rows = [
        ["the best Keras variant, times as long", "1.0, 1.25, 3, 1.1"]
        + [
            _marked(ratio, ratio >= target)
            for ratio, target in zip([min(s[k] for k in keras) / s[ours] for s in steps], keras_targets, strict=True)
        ],
        ["PyTorch, times as long", "1.0 on three shapes"] + [_marked(ratio, enough or ratio >= 1) for ratio in torch],
        *([title, "at most 1.3", *at_most(f"{ours}, {name}")] for name, title in variants.items()),
        *([kind, "at most 1.3", *at_most(f"seqtasks {kind} LSTM")] for kind in ("peephole", "layer-normalised")),
    ]
    return table(["training step of the LSTM", "target", *SHAPES], rows)


def _marked(ratio: float, met: bool) -> str:
    return f"{ratio:.2f}" if met else f"**{ratio:.3f}, missed**"


def serving() -> str:
    rows = []
    for length, found in load("serving")["lengths"].items():
        keras, ours = found["milliseconds"].values()
        rows.append([length, f"{ours:.2f}", f"{keras:.2f}", f"{found['times_faster']:.2f}"])
    return table(["time steps", "seqtasks, ms", "`keras.layers.LSTM`, ms", "times faster"], rows)


def predict_memory() -> str:
    found = load("predict_memory")
    rows = []
    for program, figures in found["programs"].items():
        early, late = figures["resident_mb"].values()
        first, *_, last = figures["milliseconds"]["tenths"]
        grown = f"{figures['mb_per_1000_calls']:+.1f}"
        rows.append([f"`{program}`", f"{early:.0f}", f"{late:.0f}", grown, f"{first:.1f}", f"{last:.1f}"])
    after = f"after {found['calls']:,}"
    head = ["", "MB after 200 calls", after, "per 1,000 more calls", "ms per call, first tenth", "last tenth"]
    return table(head, rows)


def products() -> str:
    found = load("products")["microseconds"]
    return table(["rows, rows of the weights, columns", "µs"], [[k, f"{v:.0f}"] for k, v in found.items()])


def memory() -> str:
    found = load("memory")
    rows: dict[tuple[str, int], dict[str, str]] = {}
    for row in found["rows"]:
        if row["solved_after"]:
            text = f"**{row['solved_after']} steps**"
        elif row["problem"] == "adding":
            text = f"not solved, error {row['last']:.3f}"
        else:
            text = f"not solved, {row['last']:.0%} right".replace("%", " %")
        rows.setdefault((row["problem"], row["lag"]), {})[row["cell"]] = text
    cells = list(next(iter(rows.values())))
    lines = [
        [f"{problem}, {lag} ({found['steps'][str(lag)]} steps)", *(row[cell] for cell in cells)]
        for (problem, lag), row in sorted(rows.items())
    ]
    return table(["problem, lag (budget)", *(f"`{cell}`" for cell in cells)], lines)


def names() -> str:
    found = load("language_names")
    low, high = found["lengths"]
    return (
        f"{found['new']:.0%} of them are not in the list, {found['distinct']:.0%} are distinct, and "
        f"{found['usual_length']:.0%} have a length in the range that covers 98% of the list, {low} to {high} letters. "
        f"On the held-out tenth of the names the model takes {found['bits_per_character']:.3f} bits per character; "
        f"n-grams of order six with modified Kneser-Ney smoothing take {found['n_grams']:.3f}: on so few names the "
        f"n-grams are better.\n\n{', '.join(found['names'])}."
    )


def sizes() -> str:
    rows = []
    for data, found in load("sizes")["rows"].items():
        for examples, row in found.items():
            low, high = sorted(row["difference_intervals"], key=sum)[len(row["seeds"]) // 2]
            mark = " **below**" if high < 0 else " above" if low > 0 else ""
            rows.append([
                f"{data}, {int(examples):,}",
                row["metric"],
                spread(row["test"]),
                f"{row['baseline'][row['metric']]:.4f}",
                f"{low:+.3f} to {high:+.3f}{mark}",
                f"{row['options']['batch_size']}",
                ", ".join(map(str, row["epochs"])),
                f"{row['seconds']['mean']:.0f}",
            ])  # fmt: skip
    head = ["data, examples", "metric", "recipe", "baseline", "difference", "batch size", "epochs", "seconds"]
    return table(head, rows)


def classification() -> str:
    rows = []
    for data, row in load("classification")["rows"].items():
        low, high = sorted(row["difference_intervals"], key=sum)[len(row["seeds"]) // 2]
        mark = " **below**" if high < 0 else " above" if low > 0 else ""
        rows.append([
            data, spread(row["validation"]), spread(row["test"]), f"{row['baseline']:.4f}",
            f"{low:+.3f} to {high:+.3f}{mark}", f"{row['target']}", f"{row['seconds']['mean']:.0f}",
        ])  # fmt: skip
    return table(["data", "validation", "test", "TF-IDF, logistic regression", "difference", "target", "seconds"], rows)


def classification_tried() -> str:
    found = load("classification_tried")["rows"]
    data = list(dict.fromkeys(name for row in found.values() for name in row))
    rows = [
        [f"`--{options.replace(' ', ' --').replace('=', ' ')}`"]
        + [f"{row[name]['validation']['mean']:.4f}" if name in row else "" for name in data]
        for options, row in found.items()
    ]
    return table(["validation accuracy", *data], rows)


def vectors() -> str:
    rows = []
    for data, variants in load("vectors")["rows"].items():
        for variant, row in variants.items():
            each = [spread(row[split]) if split in row else "" for split in ("validation", "test")]
            seeds = ", ".join(map(str, row["seeds"]))
            rows.append([data, row["metric"], variant, *each, seeds, f"{row['seconds']['mean']:.0f}"])
    return table(["data", "metric", "vectors", "validation", "test", "seeds", "seconds"], rows)


def pairs_columns() -> str:
    rows = []
    for name, row in load("pairs_columns")["rows"].items():
        low, high = row["difference_intervals"][0]
        figures = [spread(row[key], 3) for key in ("test", "baseline", "majority")]
        rows.append([name, *figures, f"{low:+.3f} to {high:+.3f}"])
    return table(["set", "sentiment", "TF-IDF, logistic regression", "majority", "difference"], rows)


def damages() -> str:
    found = load("damages")
    kinds = list(next(iter(found["totals"].values())))
    named = {"manifest": "all files", "older": "all files of a run without a manifest"}
    rows = [[named[kind], *map(str, total.values())] for kind, total in found["totals"].items()]
    for recipe, files in found["manifest"].items():
        rows += [[f"{recipe}: `{name}`", *(str(c.get(kind, 0)) for kind in kinds)] for name, c in files.items()]
    return table(["damaged", *kinds], rows)


def lengths() -> str:
    """Milliseconds of layers on batches of many lengths and in graphs for any shape."""
    rows = load("lengths")["rows"]
    programs = list(dict.fromkeys(name for row in rows.values() for name in row))
    cells = {
        problem: [f"{row[name]['milliseconds']:.3g}" if name in row else "" for name in programs]
        for problem, row in rows.items()
    }
    return table(["problem", *programs], [[problem, *row] for problem, row in cells.items()])


EXPORTS = ("serving", "onnx", "litert", "litert int8")


def exports() -> str:
    """The largest difference of each export, or the reason why there is none."""
    rows = []
    for recipe, found in load("exports")["recipes"].items():
        cells = [found[name] for name in EXPORTS]
        rows.append(
            [f"`{recipe}`", *(_difference(cell) for cell in cells), f"{found['onnx'].get('bytes', 0) / 1e6:.1f} MB"]
        )
    return table(["recipe", *(f"`{name}`" for name in EXPORTS), "size of `onnx`"], rows)


def _difference(cell: dict[str, Any]) -> str:
    return cell["reason"] if "reason" in cell else f"{cell['largest_difference']:.1e}"


def exports_latency() -> str:
    """Milliseconds of a call of each export, with one example and with 32."""
    rows = []
    for recipe, found in load("exports")["recipes"].items():
        for batch in ("1", "32"):
            times = [found[name].get(batch) for name in EXPORTS]
            rows.append([f"`{recipe}`", batch, *(f"{t['p50']:.2g} / {t['p99']:.2g}" if t else "" for t in times)])
    return table(["recipe", "batch", *(f"`{name}`" for name in EXPORTS)], rows)


TABLES = {
    f.__name__: f
    for f in (
        targets, sentiment_ablations, ner_ablations, translation_ablations, language_cells, speakers, layers,
        layer_ratios, serving, predict_memory, products, memory, names, sizes, pairs_columns,
        classification, classification_tried, vectors, kills, damages,
        exports, exports_latency, lengths,
    )
}  # fmt: skip
