"""Options: the fields of a dataclass, each declared once with type, bounds, help, group, and when it may be changed.

    @dataclasses.dataclass(frozen=True)
    class Config(Options):
        units: Count = option(64, "size of the recurrent state", "model")
        beam_width: Count = option(5, "hypotheses kept at each step", "answering", validation=1)

From such a declaration follow the flags of the command line with their help, the check of YAML files and of Python
arguments, and the tables of the documentation. No table of names and bounds stands anywhere else.
"""

import dataclasses
import operator
import typing
from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar

from annotated_types import Ge, Gt, Le, Lt

from seqtasks.errors import UserError, explain

Group = Literal["data", "model", "training", "answering"]
Count = Annotated[int, Ge(1)]
Size = Annotated[int, Ge(0)]
Rate = Annotated[float, Ge(0), Lt(1)]
Probability = Annotated[float, Ge(0), Le(1)]
Weight = Annotated[float, Ge(0)]
Positive = Annotated[float, Gt(0)]
Auto = Literal["auto"]  # a number that follows from the size of the data, see `seqtasks.budget`
Cell = Literal[  # the names of `seqtasks.cells.CELLS`, which options know without importing TensorFlow
    "simple_rnn", "simplified_gru", "gru", "lstm", "peephole_lstm", "coupled_lstm",
    "layer_norm_simple_rnn", "layer_norm_gru", "layer_norm_lstm", "nas", "echo_state",
]  # fmt: skip
T = TypeVar("T")
_KEEP: Any = object()
_described: dict[Any, tuple["Option", ...]] = {}
_BOUNDS = {
    Ge: ("at least", operator.ge), Gt: ("above", operator.gt), Le: ("at most", operator.le), Lt: ("below", operator.lt),
}  # fmt: skip


def option(
    default: Any, help: str, group: Group = "model", *,
    changeable: bool | None = None, validation: Any = _KEEP, inherited: bool = True, names: bool = False,
    follows: str = "", fixed: bool = False,
) -> Any:  # fmt: skip
    """A field of a dataclass of options.

    Args:
        default: its value where none is given; a tuple where it is a list.
        help: what it is, in one line.
        group: the group that `--help` shows it under.
        changeable: whether it may be changed on a trained run; by default this holds for the group `answering`.
        validation: its value in the validation after each epoch, if the full value is too slow.
        inherited: whether fine-tuning takes over the value of the run that it starts from.
        names: whether it is names separated by commas, whose number cannot be changed on a trained run.
        follows: name of another option; fine-tuning that changes that one does not take over the run's value of this.
        fixed: whether fine-tuning must keep the value of the run, whose weights would fit another value and mean
            something else.

    Example:
        >>> @dataclasses.dataclass(frozen=True)
        ... class Config(Declared):
        ...     units: Count = option(64, "size of the recurrent state")
        >>> Config(units=0)
        Traceback (most recent call last):
        seqtasks.errors.UserError: --units: 0 is out of range; give a number of at least 1
    """
    metadata = {"help": help, "group": group, "inherited": inherited, "names": names}
    metadata |= {"follows": follows, "fixed": fixed}
    metadata["changeable"] = group == "answering" if changeable is None else changeable
    if validation is not _KEEP:
        metadata["validation"] = validation
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True, eq=False)
class Option:
    """What is known about one option; see `describe`.

    Args:
        name: of the field, without the two hyphens of the flag.
        hint: its type, without bounds.
        bounds: `annotated_types` bounds of its value, or of each element of a list.
        default, help, group, changeable, inherited, names, follows, fixed: as in `option`.
    """

    name: str
    hint: Any
    bounds: tuple[Any, ...]
    default: Any
    help: str
    group: str
    changeable: bool
    inherited: bool
    names: bool = False
    follows: str = ""
    fixed: bool = False

    @property
    def type(self) -> str:
        """The type in words, as in `int or null`."""
        return _type_text(self.hint)

    @property
    def limits(self) -> str:
        """The bounds in words, as in `at least 0 and below 1`; empty if there are none."""
        return " and ".join(f"{_BOUNDS[type(bound)][0]} {_bound(bound)}" for bound in self.bounds)

    @property
    def full_help(self) -> str:
        """The help with the bounds."""
        return f"{self.help} ({self.limits})" if self.bounds else self.help

    def check_number(self, value: Any, trained: Any) -> None:
        """Raise `UserError` if `value` does not name as many columns as the run was trained with.

        An option that is null by default stands for one.
        """

        def count_of(names: str | None) -> int:
            return max(sum(bool(n.strip()) for n in (names or "").split(",")), int(self.default is None))

        if self.names and (count := count_of(value)) != (known := count_of(trained)):
            what = f"names {count}, but the run was trained with {known}"
            raise UserError(what, where=f"--{self.name} {value}", remedy="name as many, separated by commas")

    def within(self, value: Any) -> list[Any]:
        """For each bound whether a number, or a tensor, is within it."""
        return [_BOUNDS[type(bound)][1](value, _bound(bound)) for bound in self.bounds]

    def check(self, value: Any) -> None:
        """Raise `UserError` if a number is out of its bounds."""
        for number in value if isinstance(value, list | tuple) else [value]:
            if isinstance(number, int | float) and not all(self.within(number)):
                remedy = f"give a number {'of ' * self.limits.startswith('at')}{self.limits}"
                raise UserError(f"{number} is out of range", where=f"--{self.name}", remedy=remedy)


def describe(cls: Any) -> tuple[Option, ...]:
    """The options that a dataclass declares, in the order of its fields.

    Example:
        >>> {o.name: (o.type, o.limits) for o in describe(Options)}["batch_size"]
        ('int or auto', 'at least 1')
    """
    if cls not in _described:
        _described[cls] = tuple(_declared(cls))
    return _described[cls]


def _declared(cls: Any) -> Iterator[Option]:
    plain, full = typing.get_type_hints(cls), typing.get_type_hints(cls, include_extras=True)
    for field in dataclasses.fields(cls):
        known: dict[str, Any] = {"help": "", "group": "model", "changeable": False, "inherited": True}
        known |= {name: value for name, value in field.metadata.items() if name != "validation"}
        yield Option(field.name, plain[field.name], tuple(_bounds(full[field.name])), field.default, **known)


class Declared:
    """Base of dataclasses of options: checks the bounds when it is made."""

    def __post_init__(self) -> None:
        for declared in describe(type(self)):
            declared.check(getattr(self, declared.name))


@dataclasses.dataclass(frozen=True)
class Options(Declared):
    """Options that all recipes share. A recipe's `Config` inherits them and adds its own."""

    seed: Size = option(0, "seed of weights, shuffling, dropout and bootstrap", "training")
    epochs: Count | Auto = option(
        "auto", "passes over the training data, at most; auto: by the number of examples", "training", inherited=False
    )
    batch_size: Count | Auto = option(
        "auto", "examples per step; auto: by the number of examples", "training", inherited=False
    )
    batch_by: Literal["examples", "tokens"] = option(
        "examples", "tokens: each step has about the same number of tokens, batch_size examples on average", "training"
    )
    learning_rate: Positive = option(1e-3, "largest learning rate", "training")
    schedule: Literal["constant", "linear", "cosine", "slanted"] = option(
        "cosine", "how the learning rate decays over all epochs; slanted: a short rise, a long fall", "training"
    )
    warmup: Rate | Auto = option(
        "auto", "share of the steps over which the learning rate rises first; auto: by the number of steps", "training",
        inherited=False,
    )  # fmt: skip
    weight_decay: Weight = option(0.0, "decoupled weight decay, of all weights but biases", "training")
    clip_norm: Positive | None = option(1.0, "bound of the gradients; null for none", "training")
    clip_by: Literal["global_norm", "norm", "value"] = option(
        "global_norm", "what clip_norm bounds: all gradients together, each weight's, each element", "training"
    )
    epsilon: Positive = option(1e-7, "epsilon of Adam", "training")
    freeze: list[str] = option(
        (), "patterns of names of layers whose weights stay as they are", "training", inherited=False
    )
    rate_decay: Probability = option(
        1.0, "learning rate of each layer as a share of that of the layer above it", "training", inherited=False
    )
    unfreeze_every: Size = option(
        0, "epochs after which one more layer begins to learn, from the last to the first; 0: all at once", "training",
        inherited=False,
    )  # fmt: skip
    ema_momentum: Rate = option(0.99, "momentum of the moving average of the weights; 0 for none", "training")
    evaluate_every: Count | Auto = option(
        "auto", "epochs between evaluations on validation; auto: by the steps of an epoch", "training", inherited=False
    )
    patience: Size | Auto = option(
        "auto", "evaluations without a better metric before training stops; 0 for no limit; auto: by the steps of an "
        "epoch", "training", inherited=False,
    )  # fmt: skip
    keep: Literal["best", "last"] = option("best", "which weights are kept: best by validation, or last", "training")
    metric: str = option("", "metric that chooses the best epoch; empty for the recipe's", "training", follows="target")
    time_limit: Weight | None = option(None, "seconds after which training stops cleanly", "training")
    strategy: str = option("auto", "auto, cpu, gpu, mirrored (all), multiworker, tpu", "training", inherited=False)
    tpu: str = option("", "address of the TPU; empty: of this machine or environment", "training", inherited=False)
    device_scaling: Literal["none", "linear", "sqrt"] = option(
        "none", "n devices multiply batch_size by n, and learning_rate by n (linear) or sqrt(n); none: by 1", "training"
    )
    accumulate: Count = option(1, "parts in which a step computes its batch, to need less memory", "training")
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = option("float32", "dtype policy", "training")
    jit: bool = option(
        False, "compile the training step with XLA: faster steps, one compilation per padded length", "training"
    )
    gradient_flow: bool = option(True, "measure the gradient over time after training, for the report", "training")
    encoding: str | None = option(
        None, "encoding of text files without a byte order mark, such as latin-1; null for UTF-8", "data",
        changeable=True,
    )  # fmt: skip
    delimiter: str | None = option(
        None, "delimiter of tables, such as ; or tab; null to detect it", "data", changeable=True
    )
    max_bad: Probability = option(0.01, "largest share of faulty records that train leaves out or repairs", "data")
    strict: bool = option(False, "stop at the first faulty record of train", "data")
    split: str = option(
        "0.8/0.1/0.1", "shares of train, validation and test, where the data has no such splits", "data"
    )
    stratify: bool = option(False, "take splits that are missing with the same share of each label", "data")
    group: str | None = option(
        None, "column whose values (documents, speakers, patients) stay on one side of splits that are taken", "data"
    )
    shuffle_buffer: Count = option(20_000, "examples in the shuffle buffer", "data")
    cache_mb: Size = option(256, "data up to this size is held in memory; larger data is read in each epoch", "data")
    checkpoint_steps: Count = option(500, "steps between checkpoints; each evaluation writes one too", "training")
    checkpoint_minutes: Weight = option(10, "minutes after which a checkpoint is written anyway; 0: never", "training")
    checkpoint_count: Count = option(2, "checkpoints that are kept while training", "training")
    checkpoint_keep: bool = option(False, "keep the checkpoints when the run has finished", "training")


@dataclasses.dataclass(frozen=True)
class TargetOptions(Options):
    """Options that recipes share whose target belongs to a sequence as a whole."""

    target: Literal["auto", "class", "labels", "ordinal", "number"] = option(
        "auto", "what a label is: one class, several labels (none included), a class of an order, a number; auto: "
        "several labels if the data has lists of them or label_separator is given, else one class", "data",
    )  # fmt: skip
    label_separator: str | None = option(
        None, "what separates the labels of a field that holds several, such as ;", "data", changeable=True,
        follows="target",
    )  # fmt: skip
    label_order: list[str] = option(
        (), "ordinal: the labels from the lowest to the highest; labels that are numbers have an order", "data",
        follows="target",
    )  # fmt: skip


@dataclasses.dataclass(frozen=True)
class ColumnOptions(Options):
    """The option of recipes whose model sees columns beside the sequence."""

    columns: str = option(
        "", "columns of numbers or categories that the model sees beside the input, separated by commas", "data",
        changeable=True, names=True,
    )  # fmt: skip


def for_validation(config: T) -> T:
    """The options of the validation between epochs.

    Example:
        >>> for_validation(Options()) == Options()
        True
    """
    fields = {f.name: f.metadata["validation"] for f in dataclasses.fields(config) if "validation" in f.metadata}  # type: ignore[arg-type]
    return dataclasses.replace(config, **fields) if fields else config  # type: ignore[type-var]


def chosen(value: Any) -> Any:
    """The value of an option that may be `auto`, after `Recipe.settle` has chosen it.

    Raises:
        ValueError: if it is `auto` still.

    Example:
        >>> chosen(0.5)
        0.5
    """
    if value == "auto":
        raise ValueError("an option is auto still: build the model of `recipe.settle(config)`.")
    return value


def rnn_options(config: Any) -> dict[str, Any]:
    """The arguments of `seqtasks.layers.recurrent_stack`, from the options of recipes that have such a stack.

    Example:
        >>> from seqtasks.recipe import load_recipe
        >>> rnn_options(load_recipe("ner").Config())["units"]
        100
    """
    names = ("cell", "units", "layers", "bidirectional", "residual", "recurrent_dropout", "zoneout")
    return {"dropout": config.output_dropout, **{name: getattr(config, name) for name in names}}


def make_options(cls: type[T], fields: Mapping[str, Any]) -> T:
    """Options from a mapping of names to values or to their text; unknown names and wrong types raise one line.

    Raises:
        UserError: for an unknown name, a wrong type, or a number out of its bounds.

    Example:
        >>> make_options(Options, {"epochs": "3"}).epochs
        3
        >>> make_options(Options, {"epochs": "many"})
        Traceback (most recent call last):
        seqtasks.errors.UserError: --epochs: many is not int or auto; see --help
    """
    import jsonargparse

    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    add_options(parser, cls)
    try:
        parsed = parser.parse_object(dict(fields))
    except jsonargparse.ArgumentError as error:
        raise explain(error, [o.name for o in describe(cls)]) from None
    return cls(**parsed.as_dict())


def add_options(parser: Any, cls: type, groups: dict[str, Any] | None = None) -> None:
    """Add a flag for each option of a dataclass to a `jsonargparse` parser, in the groups that they declare.

    Args:
        parser: the parser.
        cls: the dataclass.
        groups: argument groups of the parser that exist already, by name.
    """
    groups = groups or {}
    for declared in describe(cls):
        if declared.group not in groups:
            groups[declared.group] = parser.add_argument_group(f"{declared.group} options")
        default = list(declared.default) if isinstance(declared.default, tuple) else declared.default
        flag: dict[str, Any] = {"nargs": "?", "const": True} if declared.hint is bool else {}
        groups[declared.group].add_argument(
            f"--{declared.name}", type=declared.hint, default=default, help=declared.full_help, **flag
        )


def _bounds(hint: Any) -> Iterator[Any]:
    """The bounds in an annotation, of a union or a list those of its parts."""
    if typing.get_origin(hint) is Annotated:
        yield from (m for m in hint.__metadata__ if type(m) in _BOUNDS)
        hint = hint.__origin__
    for part in typing.get_args(hint):
        yield from _bounds(part)


def _bound(bound: Any) -> Any:
    return next(getattr(bound, name) for name in ("ge", "gt", "le", "lt") if hasattr(bound, name))


def _type_text(hint: Any) -> str:
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return " | ".join(map(str, parts))
    if origin in (UnionType, typing.Union):
        return " or ".join(map(_type_text, parts))
    if origin is list:
        return f"list of {_type_text(parts[0])}"
    return "null" if hint is type(None) else getattr(hint, "__name__", str(hint))
