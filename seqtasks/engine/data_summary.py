"""A summary of the data before training: counts, labels and a hash of each split, and what is wrong with them."""

import dataclasses
import hashlib
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from seqtasks.data.numbers import number_of
from seqtasks.data.sources import Example, InMemorySource, Source
from seqtasks.engine import progress
from seqtasks.errors import UserError
from seqtasks.tasks.task import Task

NAMED = 5  # labels that a warning names
RARE = 3  # examples of a label in train below which a warning names it
SEEN = 1_000_000  # inputs of a held-out split that are looked up in train


@dataclasses.dataclass
class SplitSummary:
    """What one split holds: number of examples, count of each label, SHA-256 over inputs, side columns and labels."""

    name: str
    examples: int
    labels: dict[str, int]
    sha256: str
    longest_run: int  # of one label: data sorted by label shuffles badly in a small buffer


def describe_splits(summaries: Mapping[str, SplitSummary]) -> dict[str, dict[str, Any]]:
    """The summaries as dicts, as they are printed and written."""
    described = {split: dataclasses.asdict(summary) for split, summary in summaries.items()}
    for fields in described.values():
        fields.pop("longest_run")
    return described


def summarize_splits(
    splits: Iterable[tuple[str, Source]], task: Task, cache_mb: int, training: bool = True
) -> tuple[dict[str, Source], dict[str, SplitSummary]]:
    """Read every split once.

    Args:
        splits: pairs of name and source.
        task: knows the labels of a target.
        cache_mb: size up to which a split is held in memory.
        training: whether there is a train split that the others belong to.

    Returns:
        (splits, summaries): {name: source}, those of up to `cache_mb` megabytes in memory, and {name: SplitSummary}.
        A source that is read again raises a `UserError` at its end if its examples have changed.

    Raises:
        UserError: if a split is empty, or train has one label only.
    """
    given = dict(splits)
    held_out = {name: _Seen() for name in given if name != "train"}
    read = {}
    for name in sorted(given, key=lambda name: name == "train"):  # train last: its inputs are looked up in the others
        seen = [held_out[name].add] if name in held_out else [s.find for s in held_out.values()]
        read[name] = _read(given[name], task, cache_mb * 2**20, seen)
    read = {name: read[name] for name in given}
    summaries = {name: summary for name, (_, summary) in read.items()}
    for name, summary in summaries.items():
        if not summary.examples:
            option = ("valid" if name == "validation" else name) if training else "data"
            remedy = f"name another with --{option}"
            raise UserError(f"no examples for the {name} split", where=summary.name, remedy=remedy)
    sources = {name: source for name, (source, _) in read.items()}
    if not training:
        return sources, summaries
    where, labels = summaries["train"].name, summaries["train"].labels
    if not labels and task.min_labels:
        raise UserError("no example has a label", where=where, remedy="check the column of the labels")
    if len(labels) < task.min_labels:
        remedy = f"a model needs at least {task.min_labels}; check the label column"
        raise UserError(f"every example has the label {next(iter(labels))!r}", where=where, remedy=remedy)
    for name, inputs in held_out.items():
        inputs.warn(name, summaries[name])
    if task.min_labels and (rare := {label: n for label, n in labels.items() if n < RARE}):
        listed = ", ".join(f"{label} ({n})" for label, n in list(rare.items())[:NAMED])
        what = f"{len(rare)} label{'s' * (len(rare) > 1)} with fewer than {RARE} examples in train"
        warnings.warn(f"{where}: {what}: {listed}{', ...' * (len(rare) > NAMED)}", stacklevel=3)
    if task.min_labels and (alike := alike_labels(labels)):
        listed = "; ".join(" and ".join(f"{label!r} ({labels[label]})" for label in group) for group in alike[:NAMED])
        what = f"{sum(map(len, alike))} labels differ only in case, blanks or the way a number is written"
        warnings.warn(f"{where}: {what}: {listed}{'; ...' * (len(alike) > NAMED)}", stacklevel=3)
    return sources, summaries


def alike_labels(labels: Iterable[str]) -> list[list[str]]:
    """Groups of labels that are probably one label, written in several ways.

    Example:
        >>> alike_labels(["good", "Good ", "bad", "1", "1.0", "new film", "newfilm"])
        [['good', 'Good '], ['1', '1.0'], ['new film', 'newfilm']]
    """
    groups: dict[str | float, list[str]] = {}
    for label in labels:
        number = number_of(label.strip())
        groups.setdefault("".join(label.split()).casefold() if number is None else number, []).append(label)
    return [group for group in groups.values() if len(group) > 1]


class _Seen:
    """Hashes of the inputs of a held-out split, and how many of its inputs stand in train."""

    def __init__(self) -> None:
        self.counts: Counter[int] = Counter()
        self.twice = 0
        self.first = ""

    def add(self, number: int, where: Callable[[], str]) -> None:
        if len(self.counts) < SEEN:
            self.counts[number] += 1

    def find(self, number: int, where: Callable[[], str]) -> None:
        if count := self.counts.pop(number, 0):
            self.first = self.first or where()
            self.twice += count

    def warn(self, split: str, summary: SplitSummary) -> None:
        if self.twice:
            what = f"{self.twice} of {summary.examples} inputs of the {split} split stand in train too"
            what += f" (first {self.first})"
            warnings.warn(f"{summary.name}: {what}: its figures say less about new data", stacklevel=3)


def check_labels(
    splits: Mapping[str, Source], summaries: Mapping[str, SplitSummary], task: Task, assets: Mapping[str, Any],
    known_to: str = "train",
) -> None:  # fmt: skip
    """Compare the labels of every split with `assets["labels"]`, if the task has labels.

    A label of a held-out split that is not among them counts as a miss, with a warning.

    Args:
        splits: the sources by name.
        summaries: their summaries.
        task: knows the labels of a target.
        assets: the vocabularies.
        known_to: what knows the labels: `train`, or the run.

    Raises:
        UserError: if train has a label that is not among them, or a held-out split has no other.
    """
    if not task.min_labels:
        return
    known = assets["labels"].tokens
    for name, source in splits.items():
        unknown = {label: n for label, n in summaries[name].labels.items() if label not in known}
        if not unknown:
            continue
        listed = ", ".join(repr(label) for label in list(unknown)[:NAMED]) + ", ..." * (len(unknown) > NAMED)
        if name == "train":
            found = ((e, label) for e in source for label in task.labels(e.target) if label in unknown)
            example, label = next(found)
            what = f"the label {label!r} is not among those of {known_to} ({', '.join(known)})"
            raise UserError(what, where=source.where(example), remedy="correct it, or train a new run")
        if len(unknown) == len(summaries[name].labels):
            what = f"no label of the {name} split is among those of {known_to} ({', '.join(known)}), but {listed}"
            raise UserError(what, where=source.name, remedy="check the column of the labels")
        what = f"labels of the {name} split that {known_to} lacks: {listed}; each of {sum(unknown.values())} is a miss"
        warnings.warn(f"{source.name}: {what}", stacklevel=3)


def _read(
    source: Source, task: Task, limit: int, seen: Sequence[Callable[[int, Callable[[], str]], None]]
) -> tuple[Source, SplitSummary]:
    labels: Counter[str] = Counter()
    digest, size = hashlib.sha256(), 0
    held: list[Any] | None = []
    run = longest = count = 0
    last = None
    for count, example in enumerate(progress.counted("reading", source), 1):  # noqa: B007
        labels.update(task.labels(example.target))
        text = _line(example)
        digest.update(text)
        number = hash(example.input)
        for look in seen:
            look(number, lambda example=example: source.where(example))  # type: ignore[misc]
        if task.min_labels:
            run = run + 1 if example.target == last else 1
            last, longest = example.target, max(longest, run)
        size += len(text)
        if held is not None:
            held.append(example)
            if size > limit:
                held = None
    if held is not None:
        examples = held
        source = InMemorySource(lambda: iter(examples), source.name, source.size)
    else:
        source = _unchanging(source, digest.hexdigest())
    summary = SplitSummary(source.name, count, dict(sorted(labels.items())), digest.hexdigest(), longest)
    return source, summary


def _line(example: Example) -> bytes:
    """An example as its split is hashed."""
    return "\t".join([example.input, *example.columns, example.target]).encode("utf-8", "surrogatepass") + b"\n"


def _unchanging(source: Source, sha256: str) -> Source:
    """A source that ends with an error if its examples are no longer those that were hashed."""

    def read() -> Iterator[Example]:
        digest = hashlib.sha256()
        for example in source:
            digest.update(_line(example))
            yield example
        if digest.hexdigest() != sha256:
            remedy = "restore it and continue with --resume, or train a new run"
            raise UserError("the data has changed since the run began", where=source.name, remedy=remedy)

    return Source(read, source.name, source.size)
