"""Capabilities: what some recipes can do beyond the core of a `Recipe`.

A recipe lists them, `capabilities=(FileInputs(...), Generates(...))`. A capability is a small frozen dataclass. It can
bring

- commands, and options of `seqtasks predict` (`commands`),
- methods of an opened run, `run.generate(...)` (`methods`),
- signatures of an export (`signatures`),
- sections of the report (`sections`),
- figures of `evaluate` (`figures`).

The classes in the first part change how the engine trains and answers. Those in the second part only add something. A
recipe can define a capability of its own: subclass `Capability` and override what it brings.
"""

import dataclasses
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from seqtasks.errors import UserError
from seqtasks.options import Declared, make_options

if TYPE_CHECKING:
    import keras
    import numpy as np
    import tensorflow as tf

    from seqtasks.decoding.options import GenerationOptions

C = TypeVar("C", bound="Capability")
Answer = dict[str, Any]
Features = dict[str, "tf.Tensor"]
Section = tuple[str, str]  # a title and HTML


class Query(NamedTuple):
    """A raw input, fields that are copied to the start of its answer, and the values of its side columns."""

    input: Any
    metadata: dict[str, Any]
    columns: tuple[str, ...] = ()


class Predictor(Protocol):
    """What capabilities may use of a trained model; `seqtasks.engine.predictor.Predictor` provides it."""

    recipe: Any
    config: Any
    assets: Any
    model: "keras.Model"
    task: Any

    def predict_batch(self, inputs: Any, batch_size: int | None = None, columns: Any = ()) -> dict[str, Any]: ...
    def answers(self, inputs: Iterable[Any]) -> Iterator[Answer]: ...


class Run(Protocol):
    """What commands may use of an opened run; `seqtasks.engine.run.Run` provides it."""

    directory: Path
    recipe: Any
    config: Any

    @property
    def predictor(self) -> Any: ...
    def answers(self, inputs: Iterable[Any], where: str = ...) -> Iterator[Answer]: ...
    def predict(self, inputs: Any, **options: Any) -> list[Answer]: ...


@dataclasses.dataclass(frozen=True)
class NoOptions(Declared):
    """The options of a command that has none."""


@dataclasses.dataclass(frozen=True)
class Command:
    """A command on a run: `seqtasks NAME RUN ...`.

    Several commands may be called `predict`: each adds its options to those of `seqtasks predict`, and the first that
    `applies` answers.

    Args:
        name: of the command.
        help: what it does, in one line.
        run: `run(run, inputs, options) -> iterable of answers`, each printed as one line of JSON.
        Options: dataclass of `seqtasks.options.option` fields.
        inputs: the name of its inputs in the help; empty if it takes none.
        files: whether inputs can also be the lines of a file (`--input`) or of standard input (`-`).
        reads_stdin: whether it reads standard input itself.
        applies: of a command called `predict`, `applies(options, inputs) -> bool` for the arguments as they were given.
        writers: formats of `--output` besides JSON Lines: a suffix and `write(run, options, answers, path)`, which
            returns or yields what is printed instead of the answers.
    """

    name: str
    help: str
    run: Callable[[Any, Iterable[bytes], Any], Iterable[Answer]]
    Options: type = NoOptions
    inputs: str = ""
    files: bool = True
    reads_stdin: bool = False
    applies: Callable[[Any, list[str]], bool] = lambda options, inputs: True
    writers: Mapping[str, Callable[[Any, Any, Iterable[Answer], Path], Iterable[Answer]]] = dataclasses.field(
        default_factory=dict
    )


@dataclasses.dataclass(frozen=True)
class Capability:
    """Base of all capabilities. It brings nothing; subclasses override what they bring."""

    def commands(self) -> tuple[Command, ...]:
        """Commands on a run, and options of `predict`."""
        return ()

    def methods(self) -> Mapping[str, Callable[..., Any]]:
        """Methods of an opened run by name; each gets the run as its first argument."""
        return {}

    def signatures(self, predictor: Predictor, serve: Callable[..., Any]) -> Mapping[str, Callable[..., Any]]:
        """Signatures of an export besides `serving_default`, which is `serve`: {name: tf.function}."""
        return {}

    def sections(self, predictor: Predictor, examples: list[Any]) -> list[Section]:
        """Sections of the report, made from some examples of the test split."""
        return []

    def figures(self, predictor: Predictor, train: Iterable[Any]) -> dict[str, Any]:
        """Figures that `evaluate` adds on the run's own data."""
        return {}


# --- how the engine trains and answers ---


@dataclasses.dataclass(frozen=True)
class TextInputs(Capability):
    """Inputs that are texts, with a syntax of their own. Without it each text is an input as it is.

    Args:
        parse: `parse(config, text) -> iterable of Query`; `text` is str or bytes.
    """

    parse: Callable[[Any, Any], Iterable[Query]]


@dataclasses.dataclass(frozen=True)
class FileInputs(Capability):
    """Inputs that are files, named by their paths.

    Args:
        read: `read(config, path) -> array` of one input; raises `UserError` if the file is faulty. It also gets arrays
            that were given to `predict` and do not fit `spec`.
        spec: `spec(config) -> tf.TensorSpec` of such an array; a first axis of unknown length makes batches ragged.
        serving_spec: `serving_spec(config) -> {name: tf.TensorSpec}`, the batch that an exported model takes.
        from_serving: `from_serving(config, **batch) -> inputs`, what `encode` takes, from such a batch, in the graph.
        check: None, or `check(config, target, array)`, which raises `UserError` if the target does not fit its input.
        parse: None, or `parse(config, path) -> iterable of Query`, where one file can have several answers.
        array: None, or `array(config, array) -> array` of an input in memory; raises `UserError` if it is faulty.
    """

    read: Callable[[Any, str], "np.ndarray"]
    spec: Callable[[Any], Any]
    serving_spec: Callable[[Any], Mapping[str, Any]]
    from_serving: Callable[..., Any]
    check: Callable[[Any, str, "np.ndarray"], None] | None = None
    parse: Callable[[Any, str], Iterable[Query]] | None = None
    array: Callable[[Any, "np.ndarray"], "np.ndarray"] | None = None


@dataclasses.dataclass(frozen=True)
class RunningText(Capability):
    """Examples that are pieces of running text: the recurrent state is carried from batch to batch.

    Args:
        segments: `segments(config, assets, source) -> seqtasks.data.segments.Segments`; None where examples are
            independent.
        stream: None, or `stream(predictor, source) -> iterable of (examples, decoded arrays)`, in order: what
            `Predictor.stream` returns, with the state carried on.
    """

    segments: Callable[[Any, Any, Any], Any]
    stream: Callable[[Any, Any], Iterable[Any]] | None = None


@dataclasses.dataclass(frozen=True)
class Augments(Capability):
    """Training batches that are varied at random.

    Args:
        augment: `augment(config, features, seed) -> features`, of ragged features, in the graph; `seed` is an int
            tensor (2,).
    """

    augment: Callable[[Any, Any, Any], Any]


@dataclasses.dataclass(frozen=True)
class Calibrates(Capability):
    """A calibration after training, selected by the validation metric.

    Args:
        calibrate: `calibrate(predictor, validate) -> dict`. `validate()` is the metric of the validation split (larger
            is better). The result is reported with the figures of the training.
    """

    calibrate: Callable[[Predictor, Callable[[], float]], dict[str, Any]]


@dataclasses.dataclass(frozen=True)
class Infers(Capability):
    """Answers that need more than one call of the model, such as beam search.

    Args:
        infer: `infer(config, model, features) -> outputs` of padded features, in the graph.
    """

    infer: Callable[[Any, "keras.Model", Features], Any]


# --- optional additions ---


@dataclasses.dataclass(frozen=True)
class Reports(Capability):
    """Sections of the report.

    Args:
        report: `report(predictor, examples) -> [(title, HTML)]`.
    """

    report: Callable[[Any, list[Any]], list[Section]]

    def sections(self, predictor: Predictor, examples: list[Any]) -> list[Section]:
        return self.report(predictor, examples)


@dataclasses.dataclass(frozen=True)
class Generates(Capability):
    """`seqtasks generate RUN`, `run.generate(prompt, ...)`: new sequences from the model's distribution.

    Args:
        generate: `generate(predictor, prompt, options, top_logprobs) -> iterable of answers`; `options` is a
            `seqtasks.decoding.GenerationOptions`.
        compare: None, or `compare(predictor, train) -> dict`, how generated sequences compare with those of train; None
            where there is nothing to compare.
        signature: None, or `signature(predictor) -> tf.function`, the signature `generate` of an export.
        report: None, or `report(predictor, examples) -> [(title, HTML)]`.
        write: None, or `write(config, answer, path)`, which writes an answer as a file.
        suffixes: of such files.
    """

    generate: Callable[[Any, str, "GenerationOptions", int], Iterable[Answer]]
    compare: Callable[[Any, Iterable[Any]], dict[str, Any] | None] | None = None
    signature: Callable[[Any], Callable[..., Any]] | None = None
    report: Callable[[Any, list[Any]], list[Section]] | None = None
    write: Callable[[Any, Answer, Path], Any] | None = None
    suffixes: tuple[str, ...] = ()

    def commands(self) -> tuple[Command, ...]:
        from seqtasks.decoding.options import GenerationOptions

        def run(run: Run, inputs: Iterable[bytes], options: GenerationOptions) -> Iterable[Answer]:
            return self.generate(run.predictor, options.prompt, options, options.top_logprobs)

        writers = dict.fromkeys(self.suffixes, self._write_files)
        return (
            Command("generate", "new sequences from the model's distribution", run, GenerationOptions, writers=writers),
        )

    def methods(self) -> Mapping[str, Callable[..., Any]]:
        def generate(run: Run, prompt: str = "", **options: Any) -> Iterable[Answer]:
            """New sequences: an iterator of answers; see `seqtasks.decoding.GenerationOptions`."""
            from seqtasks.decoding.options import GenerationOptions

            made = make_options(GenerationOptions, {"prompt": prompt, **options})
            return self.generate(run.predictor, made.prompt, made, made.top_logprobs)

        return {"generate": generate}

    def signatures(self, predictor: Predictor, serve: Callable[..., Any]) -> Mapping[str, Callable[..., Any]]:
        return {"generate": self.signature(predictor)} if self.signature else {}

    def sections(self, predictor: Predictor, examples: list[Any]) -> list[Section]:
        return self.report(predictor, examples) if self.report else []

    def figures(self, predictor: Predictor, train: Iterable[Any]) -> dict[str, Any]:
        compared = self.compare(predictor, train) if self.compare else None
        return {"generated": compared} if compared else {}

    def _write_files(self, run: Run, options: Any, answers: Iterable[Answer], path: Path) -> Iterator[Answer]:
        """Write each answer as a file. An answer that cannot be written is reported; if none can, the command fails."""
        written, fault = 0, None
        for number, answer in enumerate(answers, 1):
            numbered = path if options.num == 1 else path.with_stem(f"{path.stem}-{number}")
            try:
                self.write(run.config, answer, numbered)  # type: ignore[misc]
            except UserError as error:
                fault = error
                if options.num > 1:
                    yield {"error": str(error)}
            else:
                written += 1
                yield {"file": str(numbered)}
        if fault and not written:
            raise fault


@dataclasses.dataclass(frozen=True)
class Scores(Capability):
    """`seqtasks score RUN`, `run.score(texts)`: the log-probability of inputs. The recipe's answers give it."""

    def commands(self) -> tuple[Command, ...]:
        def run(run: Run, inputs: Iterable[Any], options: Any) -> Iterable[Answer]:
            return run.answers(inputs, getattr(inputs, "where", "input "))

        return (Command("score", "log-probability and perplexity of each input", run, inputs="INPUT"),)

    def methods(self) -> Mapping[str, Callable[..., Any]]:
        return {"score": lambda run, inputs: run.predict(inputs)}

    def signatures(self, predictor: Predictor, serve: Callable[..., Any]) -> Mapping[str, Callable[..., Any]]:
        return {"score": serve}


@dataclasses.dataclass(frozen=True)
class Streams(Capability):
    """`seqtasks predict RUN -`, `run.stream(file)`: answers to a stream of bytes while it arrives.

    Args:
        stream: `stream(predictor, file) -> iterable of answers`; `file` is binary and is read to its end.
    """

    stream: Callable[[Any, Any], Iterable[Answer]]

    def commands(self) -> tuple[Command, ...]:
        def run(run: Run, inputs: Iterable[bytes], options: Any) -> Iterable[Answer]:
            return self.stream(run.predictor, sys.stdin.buffer)

        return (
            Command(
                "predict",
                "- answers standard input as a stream",
                run,
                reads_stdin=True,
                applies=lambda options, given: given == ["-"],
            ),
        )

    def methods(self) -> Mapping[str, Callable[..., Any]]:
        return {"stream": lambda run, file: self.stream(run.predictor, file)}


@dataclasses.dataclass(frozen=True)
class Explains(Capability):
    """`seqtasks explain RUN INPUT`, `run.explain(input)`: what in an input led to the answer.

    Args:
        explain: `explain(predictor, input) -> rows`, a list of dicts; raises `UserError` if a run has no explanation.
    """

    explain: Callable[[Any, Any], list[Answer]]

    def commands(self) -> tuple[Command, ...]:
        def run(run: Run, inputs: Iterable[bytes], options: Any) -> Iterable[Answer]:
            return (row for item in inputs for row in self._rows(run, item))

        return (
            Command("explain", "what in an input led to the answer", run, inputs="INPUT", writers={".csv": _write_csv}),
        )

    def methods(self) -> Mapping[str, Callable[..., Any]]:
        def explain(run: Run, text: str | bytes) -> list[Answer]:
            """What in an input led to the answer: a list of rows."""
            if not isinstance(text, str | bytes):
                raise UserError(f"{type(text).__name__} is not a text", where="input", remedy="give one string")
            return list(self._rows(run, text))

        return {"explain": explain}

    def _rows(self, run: Run, item: Any) -> Iterator[Answer]:
        parser = run.recipe.capability(TextInputs)
        if isinstance(item, Query):
            queries: Iterable[Query] = [item]
        else:
            text = os.fsdecode(item)
            queries = parser.parse(run.config, text) if parser else [Query(text, {})]
        for query in queries:
            yield from self.explain(run.predictor, query.input)


def _write_csv(run: Run, options: Any, answers: Iterable[Answer], path: Path) -> Iterable[Answer]:
    from seqtasks.atomic_files import write_csv

    write_csv(path, list(answers))
    return ()
