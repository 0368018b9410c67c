"""A look at the data before any training: counts, labels and a hash of each split, and what is wrong with them."""

import dataclasses
import hashlib
from collections import Counter

from seqtasks.data.sources import InMemorySource
from seqtasks.errors import UserError


@dataclasses.dataclass
class SplitSummary:
    """What one split holds: number of examples, count of each label, SHA-256 over inputs and labels."""

    name: str
    examples: int
    labels: dict[str, int]
    sha256: str
    longest_run: int  # of one label: data sorted by label shuffles badly in a small buffer


def summarize_splits(splits, task, cache_mb, training=True):
    """Read every split once.

    Args:
        splits: pairs of name and source.
        task: what a target's labels are.
        cache_mb: size up to which a split is held in memory.
        training: whether there is a train split that must fit the others.

    Returns:
        (splits, surveys): {name: source}, those of up to `cache_mb` megabytes held in memory, and {name: SplitSummary}.

    Raises:
        UserError: if a split is empty, train has one label only, or another split has a label that train has not.
    """
    read = {name: _read(source, task, cache_mb * 2**20) for name, source in splits}
    surveys = {name: found for name, (_, found) in read.items()}
    for name, found in surveys.items():
        if not found.examples:
            remedy = f"name another with --{'valid' if name == 'validation' else name}"
            raise UserError(f"no examples for the {name} split", where=found.name, remedy=remedy)
    splits = {name: source for name, (source, _) in read.items()}
    if not training:
        return splits, surveys
    found = surveys["train"].labels
    if not found and task.min_labels:
        raise UserError("no example has a label", where=surveys["train"].name, remedy="check the column of the labels")
    if len(found) < task.min_labels:
        remedy = f"a model needs at least {task.min_labels}; check the label column"
        raise UserError(
            f"every example has the label {next(iter(found))!r}", where=surveys["train"].name, remedy=remedy
        )
    _check(splits, surveys, task, found)
    return splits, surveys


def check_labels(splits, surveys, task, assets):
    """Every label of every split must be among `assets["labels"]`, where the task has labels.

    Raises:
        UserError: that names the first example whose label is not.
    """
    if task.min_labels:
        _check(splits, surveys, task, assets["labels"].tokens)


def _check(splits, surveys, task, known):
    for name, source in splits.items():
        if set(surveys[name].labels) - set(known):
            found = ((e, label) for e in source for label in task.labels(e.target) if label not in known)
            example, label = next(found)
            raise UserError(
                f"the label {label!r} of the {name} split is not among those of train ({', '.join(known)})",
                where=source.where(example),
                remedy="correct it, or give train examples of it",
            )


def _read(source, task, limit):
    labels, digest, held, size = Counter(), hashlib.sha256(), [], 0
    run = longest = count = 0
    last = None
    for count, example in enumerate(source, 1):  # noqa: B007
        labels.update(task.labels(example.target))
        text = f"{example.input}\t{example.target}\n".encode("utf-8", "surrogatepass")
        digest.update(text)
        run = run + 1 if example.target == last else 1
        last, longest = example.target, max(longest, run)
        size += len(text)
        if held is not None:
            held.append(example)
            if size > limit:
                held = None
    if held is not None:
        source = InMemorySource(lambda: iter(held), source.name, source.size)
    found = SplitSummary(source.name, count, dict(sorted(labels.items())), digest.hexdigest(), longest)
    return source, found
