"""The model card: what a model is, what it was trained on, how good it is, and how to call it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from seqtasks.report.formatting import duration, interval, known, number, words
from seqtasks.report.page import RunFiles, read_run, verdict

SMALL = 500  # test examples below which the card says that there are few


def model_card(directory: Path, summary: str, fields: Mapping[str, Any], call: str = "", license: str = "") -> str:
    """The `README.md` of a model, in the format of the Hugging Face hub: a YAML head and Markdown.

    Args:
        directory: the run, which has finished.
        summary: what the recipe answers, in one line.
        fields: further fields of the head, such as `pipeline_tag`.
        call: Markdown that shows how to call the model.
        license: its identifier, such as `apache-2.0`; empty if it is not known.

    Raises:
        UserError: if the run has not finished.

    Example:
        >>> import tempfile
        >>> run = Path(tempfile.mkdtemp())
        >>> _ = (run / "metrics.json").write_text('{"metric": "f1", "test": {"f1": 0.5, "examples": 9}}')
        >>> card = model_card(run, "Names in texts.", {"pipeline_tag": "token-classification"}, license="mit")
        >>> yaml.safe_load(card.split("---")[1])["model-index"][0]["results"][0]["metrics"]
        [{'type': 'f1', 'value': 0.5, 'name': 'F1'}]
    """
    run = read_run(Path(directory))
    metrics: dict[str, Any] = {"train": {}, "test": {}, "baselines": {}, "lower_is_better": []} | run.metrics
    head = {"library_name": "keras", **fields, **({"license": license} if license else {})}
    head["tags"] = ["seqtasks", *fields.get("tags", [])]
    head["model-index"] = [{"name": run.name, "results": [_result(run, metrics, fields)]}]
    _, sentence = verdict(metrics["metric"], metrics["test"], metrics["baselines"], metrics["lower_is_better"])
    parts = [
        f"---\n{yaml.safe_dump(head, sort_keys=False, allow_unicode=True)}---",
        f"# {run.name}",
        f"{summary} Made with the recipe `{run.config.get('recipe', '')}` of seqtasks.",
        f"## Figures\n\n{sentence}\n\n{_figures(metrics)}",
        f"## Training data\n\n{_data(run.environment.get('data', {}))}",
        f"## Limits\n\n{_limits(run, metrics, license)}",
        *([f"## How to call it\n\n{call}"] if call else []),
        f"## How it was made\n\n{_making(run, metrics)}",
    ]
    return "\n\n".join(parts) + "\n"


def _shown(metrics: Mapping[str, Any]) -> list[str]:
    """The names of single figures of the test split, the deciding one first."""
    test = metrics["test"]
    names = [n for n, value in test.items() if known(value) and n not in ("examples", "seconds")]
    return sorted(names, key=lambda name: name != metrics["metric"])


def _result(run: RunFiles, metrics: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, Any]:
    data = run.environment.get("data", {}).get("test", {})
    values = [{"type": n, "value": metrics["test"][n], "name": words(n)} for n in _shown(metrics)]
    dataset = {"name": _file(data), "type": "custom", "split": "test", "revision": data.get("sha256", "")[:40]}
    return {"task": {"type": fields.get("pipeline_tag", "other")}, "dataset": dataset, "metrics": values}


def _file(data: Mapping[str, Any]) -> str:
    """The last part of the path of data, since folders of a machine are no one's business."""
    return Path(str(data.get("name", ""))).name or "unknown"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _figures(metrics: Mapping[str, Any]) -> str:
    baselines = metrics["baselines"]
    rows = [_row(["test split", "this model", *(words(name) for name in baselines)])]
    rows.append(_row(["---"] * (2 + len(baselines))))
    for name in _shown(metrics):
        cells = [_with_interval(metrics["test"], name), *(number(b.get(name)) for b in baselines.values())]
        rows.append(_row([words(name), *cells]))
    name = metrics["metric"]
    differences = [_with_interval(b, "difference") for b in baselines.values()]
    return "\n".join([*rows, _row([f"gain in {words(name)} over it", "", *differences])] if baselines else rows)


def _with_interval(values: Mapping[str, Any], name: str) -> str:
    bounds = interval(values, name)
    return number(values.get(name)) + (f" ({number(bounds[0])} to {number(bounds[1])})" if bounds else "")


def _data(splits: Mapping[str, Any]) -> str:
    rows = [_row(["split", "file", "examples", "SHA-256 of its inputs and targets"]), _row(["---"] * 4)]
    for split, data in splits.items():
        rows.append(_row([split, f"`{_file(data)}`", number(data.get("examples")), f"`{data.get('sha256', '')}`"]))
    return "\n".join(rows)


def _limits(run: RunFiles, metrics: Mapping[str, Any], license: str) -> str:
    test, labels = metrics["test"], run.environment.get("data", {}).get("train", {}).get("labels", {})
    lines = ["The figures hold for data like the test split; on other data they may be lower."]
    if known(test.get("examples")) and test["examples"] < SMALL:
        lines.append(
            f"The test split has only {number(test['examples'])} examples: mind the intervals (95 %, bootstrap)."
        )
    if labels and len(labels) <= 50:
        lines.append(f"It answers nothing but what train has: {', '.join(f'{n} ({c})' for n, c in labels.items())}.")
    per_class = test.get("per_class") or {}
    weak = [label for label, values in per_class.items() if values.get("support") and values["f1"] < 0.5]
    if weak:
        lines.append(f"It is weak (F1 below 0.5) at: {', '.join(weak[:20])}.")
    if not license:
        lines.append("No license is stated: add the field `license` to the head before the model is published.")
    return "\n".join(f"- {line}" for line in lines)


def _making(run: RunFiles, metrics: Mapping[str, Any]) -> str:
    train, made = metrics["train"], run.environment
    packages = ", ".join(f"{name} {version}" for name, version in made.get("packages", {}).items())
    told = f"{number(train.get('parameters'))} parameters, {number(train.get('epochs'))} epochs in "
    told += f"{duration(train.get('seconds'))} on {made.get('hardware', 'unknown hardware')}; {packages}."
    options = {name: value for name, value in run.config.items() if name not in ("data", "train", "valid", "test")}
    return f"{told}\n\n```json\n{json.dumps(options, ensure_ascii=False)}\n```"
