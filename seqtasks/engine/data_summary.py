"""A summary of the data before training: counts, labels and a hash of each split, and what is wrong with them."""

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from seqtasks.data.sources import InMemorySource, Source
from seqtasks.errors import UserError
from seqtasks.tasks.task import Task


@dataclasses.dataclass
class SplitSummary:
    """What one split holds: number of examples, count of each label, SHA-256 over inputs and labels."""

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
        training: whether there is a train split that must fit the others.

    Returns:
        (splits, summaries): {name: source}, those of up to `cache_mb` megabytes in memory, and {name: SplitSummary}.

    Raises:
        UserError: if a split is empty, train has one label only, or another split has a label that train lacks.
    """
    read = {name: _read(source, task, cache_mb * 2**20) for name, source in splits}
    summaries = {name: summary for name, (_, summary) in read.items()}
    for name, summary in summaries.items():
        if not summary.examples:
            remedy = f"name another with --{'valid' if name == 'validation' else name}"
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
    _check(sources, summaries, task, labels)
    return sources, summaries


def check_labels(
    splits: Mapping[str, Source], summaries: Mapping[str, SplitSummary], task: Task, assets: Mapping[str, Any]
) -> None:
    """Every label of every split must be in `assets["labels"]`, if the task has labels.

    Raises:
        UserError: which names the first example whose label is not.
    """
    if task.min_labels:
        _check(splits, summaries, task, assets["labels"].tokens)


def _check(
    splits: Mapping[str, Source], summaries: Mapping[str, SplitSummary], task: Task, known: Collection[str]
) -> None:
    for name, source in splits.items():
        if set(summaries[name].labels) - set(known):
            unknown = ((e, label) for e in source for label in task.labels(e.target) if label not in known)
            example, label = next(unknown)
            raise UserError(
                f"the label {label!r} of the {name} split is not among those of train ({', '.join(known)})",
                where=source.where(example),
                remedy="correct it, or give train examples of it",
            )


def _read(source: Source, task: Task, limit: int) -> tuple[Source, SplitSummary]:
    labels: Counter[str] = Counter()
    digest, size = hashlib.sha256(), 0
    held: list[Any] | None = []
    run = longest = count = 0
    last = None
    for count, example in enumerate(source, 1):  # noqa: B007
        labels.update(task.labels(example.target))
        text = f"{example.input}\t{example.target}\n".encode("utf-8", "surrogatepass")
        digest.update(text)
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
    summary = SplitSummary(source.name, count, dict(sorted(labels.items())), digest.hexdigest(), longest)
    return source, summary
