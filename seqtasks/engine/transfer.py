"""Fine-tuning on other labels and words: the vocabularies of the new run, and the weights that it takes over.

`plan` compares what the run knows with what the new data teaches: words are added after those of the run, and labels
that the run lacks give the new run a head of its own. `transfer` fills the model that the recipe builds for these
vocabularies with the weights of the run, layer by layer. A recipe says by `rows` which layers are numbered by which
vocabulary, and a layer by `row_axes` which axes of its weights are.
"""

import fnmatch
import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import keras
import numpy as np

from seqtasks.data.token_ids import SPECIAL_TOKENS, UNK
from seqtasks.engine.pretrained import inherited_assets
from seqtasks.engine.run import Run
from seqtasks.errors import UserError, nearest
from seqtasks.options import describe
from seqtasks.recipe import Recipe
from seqtasks.tasks.task import Task

COLUMNS = "columns"  # asset that stays as it is in the run


class Numbering(NamedTuple):
    """Where the rows of a vocabulary come from.

    Args:
        places: the place of each token in the vocabulary of the run; -1 for a new one.
        known: number of tokens of the run.
        start: whether the rows of new tokens start from those of the run, and not as the recipe initialises them.
        unknown: place of the token that stands for unknown ones; None if there is none.
    """

    places: np.ndarray
    known: int
    start: bool
    unknown: int | None

    @property
    def unchanged(self) -> bool:
        """Whether the vocabulary is that of the run."""
        return len(self.places) == self.known and bool((self.places == np.arange(self.known)).all())

    @property
    def counts(self) -> dict[str, int]:
        """How many tokens were kept, are new, and were dropped."""
        kept = int((self.places >= 0).sum())
        return {"kept": kept, "new": len(self.places) - kept, "dropped": self.known - kept}


class Plan(NamedTuple):
    """What fine-tuning starts with.

    Args:
        assets: the vocabularies of the new run.
        numberings: {name of a vocabulary: where its rows come from}, if rows of the run have a meaning for it.
        heads: the patterns of layers that are numbered by labels.
        new_head: whether labels or the kind of target differ from those of the run.
    """

    assets: Mapping[str, Any]
    numberings: Mapping[str, Numbering]
    heads: frozenset[str]
    new_head: bool


@dataclass
class Transferred:
    """What became of the weights of a run, by names of layers.

    Args:
        taken: layers with the weights of the run.
        extended: {name of a vocabulary: layers whose rows changed}.
        new: layers that start as the recipe initialises them.
        left: layers of the run that the new model lacks.
        counts: {name of a vocabulary: how many tokens were kept, are new, and were dropped}.
    """

    taken: list[str] = field(default_factory=list)
    extended: dict[str, list[str]] = field(default_factory=dict)
    new: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)

    def lines(self) -> Iterator[str]:
        """One line of each kind."""
        if self.taken:
            yield f"weights taken over: {', '.join(self.taken)}"
        if self.extended:
            parts = (f"{name} ({_counted(self.counts[name])}): {', '.join(x)}" for name, x in self.extended.items())
            yield f"weights extended: {'; '.join(parts)}"
        if self.new:
            yield f"weights new: {', '.join(self.new)}"
        if self.left:
            yield f"weights left behind: {', '.join(self.left)}"

    def fields(self) -> dict[str, Any]:
        """What `environment.json` records."""
        extended = {name: {"layers": layers, **self.counts[name]} for name, layers in self.extended.items()}
        return {"taken_over": self.taken, "extended": extended, "new": self.new, "left_behind": self.left}


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {kind}" for kind, number in counts.items() if number or kind == "kept")


def plan(
    base: Run, recipe: Recipe[Any], config: Any, task: Task, learn: Callable[[], Mapping[str, Any]],
    relearn: Sequence[str] = (),
) -> Plan:  # fmt: skip
    """The vocabularies of a run that starts from another one.

    - Open vocabularies (words, characters, tokens) keep their tokens and get those of the new data that they lack; the
      limits of the options apply to the words of the new data. Subwords stay as they are.
    - Labels are those of the new data. If the run knows all of them and answers the same kind of target, its head and
      what belongs to it stay as they are.
    - Side columns, and what the recipe names no layer for, stay as they are.

    Args:
        base: the run to start from.
        recipe, config, task: of the new run.
        learn: `learn() -> assets`, from the new training data; called only if something can change.
        relearn: names of assets that are learnt anew instead.

    Raises:
        UserError: if there is no such asset, or the vocabularies are of different kinds.
    """
    old, named = base.assets, set(recipe.rows.values())
    pretrained = sorted(inherited_assets(base))
    own = sorted({*old} - {COLUMNS, *pretrained})
    for name in relearn:
        if name not in own or not named:
            what = f"the run has nothing called {name!r} to learn anew"
            if pretrained and (name in pretrained or name in named):
                what = f"the tokens are those of a language model ({', '.join(pretrained)})"
                raise UserError(what, where=f"--relearn {name}", remedy="train a new run for other tokens")
            raise UserError(what, where="--relearn", remedy=nearest(name, own) if named else "leave it out")
    same_kind = type(base.recipe.task(base.config)) is type(task)
    if not named or (same_kind and not relearn and not _can_change(base, config, named & set(old))):
        return Plan(old, _numberings(named, old, old, relearn), frozenset(), False)
    learnt = learn()
    anew = {name for name in learnt if any(name == r or name.startswith(f"{r}_") for r in relearn)}
    known = {**learnt, **old}
    heads = frozenset(pattern for pattern, name in recipe.rows.items() if not _is_open(known.get(name)))
    closed = {name for name, asset in known.items() if not _is_open(asset)}
    asked = any(name in closed for name in relearn)
    new_head = bool(heads) and (asked or not same_kind or not _knows_all(old, learnt))
    assets = {}
    for name, asset in learnt.items():
        if name == COLUMNS:
            continue
        if name in anew or name not in old:
            assets[name] = asset
        elif _is_open(asset):
            assets[name] = _extended(name, old[name], asset) if name in named else old[name]
        else:
            assets[name] = asset if new_head else old[name]
    if COLUMNS in old:
        assets[COLUMNS] = old[COLUMNS]
    compared = {name for name in named if same_kind or name not in closed}
    return Plan(assets, _numberings(compared, old, assets, anew), heads, new_head)


def _is_open(asset: Any) -> bool:
    return getattr(asset, "open", False)


def _can_change(base: Run, config: Any, named: set[str]) -> bool:
    """Whether new data or the options can change a vocabulary: learning subwords takes long."""
    fixed = all(getattr(base.assets.get(name), "subwords", False) for name in named)
    asked = (o.name for o in describe(type(config)) if o.group == "data" and o.inherited and not o.changeable)
    return not fixed or any(getattr(config, name) != getattr(base.config, name) for name in asked)


def _knows_all(old: Mapping[str, Any], learnt: Mapping[str, Any]) -> bool:
    labels = ([] if "labels" not in assets else assets["labels"].tokens for assets in (old, learnt))
    known, asked = map(set, labels)
    return asked <= known


def _extended(name: str, old: Any, new: Any) -> Any:
    try:
        return old.extended(new)
    except ValueError as error:
        remedy = f"leave out the option that changes it, or add --relearn {name}"
        raise UserError(f"{name} of the run: {error}", remedy=remedy) from None


def _numberings(
    names: set[str], old: Mapping[str, Any], new: Mapping[str, Any], anew: Sequence[str] | set[str]
) -> dict[str, Numbering]:
    found = {}
    for name in names & set(old) & set(new):
        places = {token: place for place, token in enumerate(old[name].tokens)}
        numbers = np.array([places.get(token, -1) for token in new[name].tokens])
        unknown = UNK if old[name].tokens[UNK : UNK + 1] == SPECIAL_TOKENS[UNK : UNK + 1] else None
        found[name] = Numbering(numbers, len(places), _is_open(new[name]) and name not in anew, unknown)
    return found


def transfer(
    source: keras.Model, target: keras.Model, rows: Mapping[str, str], plan: Plan, strict: bool = True
) -> Transferred:
    """Give a model the weights of another one, by the names of layers.

    Rows of known tokens are exactly those of the run. Rows of added tokens start as the row of UNK where tokens are
    only read, so that all inputs have the answers of the run. Where tokens are also scored, they start as the mean of
    all rows, so that each has the geometric mean of the probabilities of the known ones: these keep their ratios
    exactly, and n new tokens beside m known ones take at most n / (n + m) from them. Rows that the recipe filled
    (`variable.filled_rows`, such as vectors of a file), those of new labels, and layers that are new, are as the recipe
    initialises them. States of a training (`layer.training_state`) stay as they are, and so do layers that came with
    weights (`layer.pretrained`) if the run has none of that name.

    Args:
        source: the model of the run.
        target: a model that the recipe built for `plan.assets`.
        rows: of the recipe.
        plan: of the vocabularies.
        strict: whether layers besides the head must agree; otherwise those that differ are new.

    Raises:
        ValueError: in words, if the weights do not fit.
    """
    done = Transferred(counts={name: numbering.counts for name, numbering in plan.numberings.items()})
    sources = {layer.name: layer for layer in source.layers if _weights(layer)}
    targets = {layer.name: layer for layer in target.layers if _weights(layer)}
    partners = _partners(sources, targets)
    values: list[tuple[Any, np.ndarray]] = []
    for name, layer in targets.items():
        pattern = _pattern(name, rows)
        head, asset = pattern in plan.heads, rows.get(pattern or "", "")
        numbering = plan.numberings.get(asset)
        free = head or not strict or (numbering is not None and not numbering.start)
        old = sources.get(partners.get(name, ""))
        if old is None and (free or getattr(layer, "pretrained", False)):
            done.new.append(name)
            continue
        if head and plan.new_head and (numbering is None or not numbering.counts["kept"]):
            done.new.append(name)
            continue
        try:
            found = list(_filled(old, layer, numbering))
        except ValueError:
            if not free:
                raise
            done.new.append(name)
            continue
        values += zip(_weights(layer), found, strict=True)
        if numbering is None or numbering.unchanged:
            done.taken.append(name)
        else:
            done.extended.setdefault(asset, []).append(name)
    for name in (name for name in sources if name not in partners.values()):
        if strict and _pattern(name, rows) not in plan.heads:
            raise ValueError(f"the layer {name} has no place")
        done.left.append(name)
    if not done.taken and not done.extended:
        raise ValueError("no layer fits")
    for variable, value in values:
        variable.assign(value)
    return done


def _partners(sources: Mapping[str, Any], targets: Mapping[str, Any]) -> dict[str, str]:
    """{name of a layer: that of the layer of the run whose weights it gets}: the same name.

    Names that Keras gave (`dense_3`) count the layers of a process: they are matched in their order.
    """
    found = {name: name for name in targets if name in sources and not _automatic(targets[name])}
    waiting = [name for name, layer in sources.items() if _automatic(layer)]
    for name in (name for name, layer in targets.items() if _automatic(layer)):
        same = next((other for other in waiting if type(sources[other]) is type(targets[name])), None)
        if same is not None:
            found[name] = same
            waiting.remove(same)
    return found


def _automatic(layer: keras.layers.Layer) -> bool:
    name = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", type(layer).__name__)).lower()
    return re.fullmatch(rf"{name}(_\d+)?", layer.name) is not None


def _pattern(name: str, rows: Mapping[str, str]) -> str | None:
    return next((pattern for pattern in rows if fnmatch.fnmatch(name, pattern)), None)


def _weights(layer: keras.layers.Layer) -> list[keras.Variable]:
    own = {id(variable) for variable in getattr(layer, "training_state", ())}
    return [variable for variable in layer.weights if id(variable) not in own]


def _filled(old: Any, layer: keras.layers.Layer, numbering: Numbering | None) -> Iterator[np.ndarray]:
    """The values of the weights of a layer.

    Raises:
        ValueError: if those of the run do not fit.
    """
    if old is None:
        raise ValueError(f"the layer {layer.name} is new")
    if type(old) is not type(layer) or _cells(old) != _cells(layer):
        raise ValueError(f"the layer {layer.name} is of another kind")
    axes = _row_axes(layer) if numbering and not numbering.unchanged else {}
    pairs = list(itertools.zip_longest(_weights(old), _weights(layer)))
    scored = any("bias" in variable.name for _, variable in pairs if variable is not None and variable.name in axes)
    for before, after in pairs:
        if before is None or after is None:
            raise ValueError(f"the layer {layer.name} has {len(_weights(old))} weights, not {len(_weights(layer))}")
        value, initial = (keras.ops.convert_to_numpy(v) for v in (before, after))
        if numbering and after.name in axes:
            value = _renumbered(layer.name, value, initial, axes[after.name], numbering, scored)
            filled = [row for row in getattr(after, "filled_rows", ()) if numbering.places[row] < 0]
            if filled:
                value[filled] = initial[filled]
            yield value
        elif value.shape == initial.shape:
            yield value
        else:
            raise ValueError(f"{layer.name}/{after.name} has the shape {value.shape}, not {initial.shape}")


def _cells(layer: Any) -> list[type]:
    """The classes of the cells of a recurrent layer: the weights of two kinds of cell can have equal shapes."""
    parts = [layer, *(getattr(layer, name, None) for name in ("forward_layer", "backward_layer"))]
    return [type(part.cell) for part in parts if hasattr(part, "cell")]


def _row_axes(layer: keras.layers.Layer) -> Mapping[str, tuple[int, ...]]:
    """The axes of its weights that are numbered by tokens or labels; () for weights of all of them together."""
    if hasattr(layer, "row_axes"):
        return layer.row_axes
    if isinstance(layer, keras.layers.Embedding):
        return {"embeddings": (0,)}
    return {"kernel": (1,), "bias": (0,)} if isinstance(layer, keras.layers.Dense) else {}


def _renumbered(
    layer: str, old: np.ndarray, initial: np.ndarray, axes: tuple[int, ...], numbering: Numbering, scored: bool
) -> np.ndarray:
    """An array whose rows are those of `old` for known tokens. An axis that is shorter has the last tokens."""
    if not axes:
        return initial
    rest = [[n for i, n in enumerate(shape) if i not in axes] for shape in (old.shape, initial.shape)]
    if rest[0] != rest[1] or old.ndim != initial.ndim:
        raise ValueError(f"{layer} has weights of the shape {old.shape}, not {initial.shape}")
    skipped = numbering.known - old.shape[axes[0]]
    places = numbering.places[len(numbering.places) - initial.shape[axes[0]] :] - skipped
    if skipped and not numbering.start:
        raise ValueError(f"the tokens of {layer} are in an order of their own")
    new, known = np.flatnonzero(places < 0), np.flatnonzero(places >= 0)
    result = initial.copy()
    if numbering.start and len(new):
        (axis,) = axes
        if not scored and numbering.unknown is not None:
            first = np.take(old, [numbering.unknown - skipped], axis)
        else:
            first = old.mean(axis, keepdims=True)
        result[tuple(new if i == axis else slice(None) for i in range(result.ndim))] = first
    inside, outside = ([where if i in axes else np.arange(n) for i, n in enumerate(shape)] for where, shape in (
        (known, initial.shape), (places[known], old.shape)))  # fmt: skip
    result[np.ix_(*inside)] = old[np.ix_(*outside)]
    return result
