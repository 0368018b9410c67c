"""Checks of an export: its answers to real examples, in a process with its runtime alone, are those of the run."""

import itertools
import json
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from seqtasks.capabilities import FileInputs
from seqtasks.data import pairs
from seqtasks.data.side_columns import number_of
from seqtasks.data.sources import Faulty
from seqtasks.engine.served import Served, raw_inputs
from seqtasks.errors import UserError
from seqtasks.options import make_options

EXAMPLES = 4
LONGEST = 2000  # characters of a text: the check is about equality, not speed
Arrays = dict[str, np.ndarray]


class Real(NamedTuple):
    """Real examples: raw inputs, the values of their side columns, and their targets, which are empty if not known."""

    inputs: list[Any]
    columns: list[tuple[str, ...]]
    targets: list[str]


def real_examples(run: Any, count: int = EXAMPLES) -> Real:
    """The first examples of a run's test data; where it is not kept, those of the sample of its recipe.

    Args:
        run: the `seqtasks.engine.run.Run`.
        count: how many.

    Raises:
        UserError: if no example can be read.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # training told them
        try:
            return _first(run, run.splits().test, count)
        except (UserError, OSError):
            config = make_options(run.recipe.Config, dict(run.recipe.sample.options))
            splits = run.recipe.splits(config, data=str(run.recipe.sample.data))
            return _first(run, splits.test, count)


def _first(run: Any, source: Any, count: int) -> Real:
    reader, side = run.predictor.reader, run.predictor.side_columns
    width, found = len(side.names) if side else 0, Real([], [], [])
    examples = (e for e in source.read() if not isinstance(e, Faulty))
    for example in itertools.islice(examples, count):
        value = example.input
        if reader:
            ((_, value),) = reader.each([example])
            if isinstance(value, UserError):
                continue
        else:
            value = value[:LONGEST].rstrip("\0")
            if "texts" in run.assets and pairs.SEPARATOR not in value:
                value = pairs.join(value, value)
        found.inputs.append(value)
        found.columns.append(example.columns if len(example.columns) == width else ("",) * width)
        found.targets.append(example.target)
    if not found.inputs:
        raise UserError("no example to check the export with", where=source.name, remedy="train it on readable data")
    return found


def serving_batch(predictor: Any, real: Real) -> tuple[Arrays, Arrays]:
    """A batch as the signature `serving_default` takes it, and the outputs of the run for it.

    Args:
        predictor: the model with its encoder.
        real: the examples.
    """
    raw = raw_inputs(predictor)
    given = real.inputs
    side = predictor.side_columns
    specs = side.specs(tuple(raw)) if side else {}
    beside = {
        name: np.array([_number(v) for v in values], "float32") if spec.dtype == tf.float32 else _strings(values)
        for (name, spec), values in zip(specs.items(), zip(*real.columns, strict=True), strict=False)
    }
    if not predictor.recipe.capability(FileInputs):
        texts = zip(*(text.split(pairs.SEPARATOR, 1) for text in given), strict=True) if len(raw) > 1 else [given]
        arrays = {name: _strings(values) for name, values in zip(raw, texts, strict=True)}
        return arrays | beside, predictor.predict_batch(given, columns=real.columns)
    first, *others = raw.items()
    if first[1].shape.rank == given[0].ndim + 1 and first[1].dtype.as_numpy_dtype == given[0].dtype:
        lengths = [len(array) for array in given]
        padded = [np.pad(a, [(0, max(lengths) - len(a)), *[(0, 0)] * (a.ndim - 1)]) for a in given]
        arrays = {first[0]: np.stack(padded)} | {name: np.array(lengths, "int32") for name, _ in others}
        return arrays | beside, predictor.predict_batch(given, columns=real.columns)
    # the run holds what a fixed part of the network made of the files: the signature answers in this process
    shape = (len(given), *(32 if n is None else n for n in first[1].shape[1:-1]), first[1].shape[-1])
    noise = np.random.default_rng(0).integers(0, 256, shape).astype(first[1].dtype.as_numpy_dtype)
    arrays = {first[0]: noise} | beside
    answered = Served(predictor).serving_default(*(tf.constant(value) for value in arrays.values()))
    return arrays, {name: value.numpy() for name, value in answered.items()}


def _number(value: str) -> float:
    number = number_of(value)
    return float("nan") if number is None else number


def _strings(values: Sequence[str]) -> np.ndarray:
    return np.array([value.encode("utf-8", "surrogateescape") for value in values], "S")


class Runtime:
    """A process that runs exported models with their runtime alone.

    It is started once for all exports of this process, since importing a runtime takes seconds.

    Args:
        name: tensorflow, litert or onnx.
    """

    started: dict[str, "Runtime"] = {}

    def __init__(self, name: str) -> None:
        self.name = name
        script = str(Path(__file__).with_name("runtime_process.py"))
        environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
        streams: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        command = [sys.executable, "-I", script, name]
        self.process = subprocess.Popen(command, text=True, env=environment, **streams)

    @classmethod
    def get(cls, name: str) -> "Runtime":
        """The process for a runtime; it starts to import it."""
        if name not in cls.started or cls.started[name].process.poll() is not None:
            cls.started[name] = cls(name)
        return cls.started[name]

    def run(self, model: Path, batches: Sequence[Arrays], calls: int = 1) -> tuple[list[Arrays], list[list[float]]]:
        """The outputs for each batch, and the milliseconds of each call.

        Args:
            model: the folder of an export.
            batches: the inputs of each call.
            calls: how often each batch is run.

        Raises:
            UserError: if the runtime refuses the model or a batch.
        """
        with tempfile.TemporaryDirectory() as folder:
            given, found = Path(folder, "batches"), Path(folder, "results")
            given.mkdir()
            found.mkdir()
            for number, batch in enumerate(batches):
                np.savez(given / f"{number:04}.npz", **batch)  # type: ignore[arg-type]
            request = {"model": str(model.resolve()), "batches": str(given), "results": str(found), "calls": calls}
            assert self.process.stdin and self.process.stdout
            try:
                self.process.stdin.write(json.dumps(request) + "\n")
                self.process.stdin.flush()
                line = self.process.stdout.readline()
            except BrokenPipeError:
                line = ""
            reply: dict[str, Any] = json.loads(line) if line else {"error": f"the process of {self.name} ended"}
            if reply["error"]:
                what = f"the exported model cannot be run ({reply['error']})"
                raise UserError(what, where="export", remedy="nothing is written")
            results = []
            for file in sorted(found.iterdir()):
                with np.load(file) as arrays:
                    results.append(dict(arrays))
        return results, reply["milliseconds"]


def part(arrays: Mapping[str, np.ndarray], rows: slice) -> Arrays:
    """Some rows of a batch."""
    return {name: value[rows] for name, value in arrays.items()}


def largest_difference(expected: Arrays, found: Arrays, tolerance: float = 1e-3) -> float:
    """The largest difference between two batches of outputs, relative to what is larger than 1.

    Arrays of rows of different lengths are compared up to the shorter: the rest is padding.

    Args:
        expected: of the run.
        found: of the exported model.
        tolerance: the largest difference that is none.

    Raises:
        UserError: if they differ.

    Example:
        >>> largest_difference({"score": np.array([0.5, 2.0])}, {"score": np.array([0.5, 2.0])})
        0.0
        >>> largest_difference({"score": np.array([0.5])}, {"score": np.array([0.6])})
        Traceback (most recent call last):
        seqtasks.errors.UserError: export: score differs from that of the run by 0.1; nothing is written
    """
    largest = 0.0
    for name, ours in expected.items():
        theirs = found.get(name)
        if theirs is None or theirs.ndim != ours.ndim or len(theirs) != len(ours):
            shape = None if theirs is None else theirs.shape
            raise _differs(f"the output {name} has the shape {shape} instead of {ours.shape}")
        common = tuple(slice(min(sizes)) for sizes in zip(ours.shape, theirs.shape, strict=True))
        ours, theirs = ours[common], theirs[common]
        if ours.dtype.kind in "OS":
            if ours.astype("S").tolist() != theirs.astype("S").tolist():
                raise _differs(f"{name} differs from that of the run: {theirs.tolist()!r:.80}")
            continue
        exact = np.asarray(ours, "float64")
        away = np.abs(exact - theirs) / np.maximum(np.abs(exact), 1.0)
        away = np.where((exact == theirs) | (np.isnan(exact) & np.isnan(np.asarray(theirs, "float64"))), 0.0, away)
        difference = float(np.max(away, initial=0.0))
        if not difference <= tolerance:
            raise _differs(f"{name} differs from that of the run by {difference:.3g}")
        largest = max(largest, difference)
    return largest


def tolerance(predictor: Any) -> float:
    """The largest difference that is none, for the precision of a run."""
    return 1e-3 if predictor.config.precision == "float32" else 0.05


def _differs(what: str) -> UserError:
    return UserError(what, where="export", remedy="nothing is written")


def check_served(predictor: Any, directory: Path, batch: Arrays, expected: Arrays) -> float:
    """Compare a SavedModel with the run, a whole batch and a batch of one.

    Args:
        predictor: the model with its encoder.
        directory: the SavedModel.
        batch, expected: what `serving_batch` returns.

    Returns:
        The largest difference.

    Raises:
        UserError: if an answer differs, or an output has not the batch as its first dimension.
    """
    one = part(batch, slice(1))
    results, _ = Runtime.get("tensorflow").run(directory, [batch, one])
    size = len(next(iter(batch.values())))
    for rows, outputs in zip((size, 1), results, strict=True):
        for name, value in outputs.items():
            if value.shape[:1] != (rows,):
                raise _differs(f"the output {name} has the shape {value.shape} for a batch of {rows}")
    compared = (expected, results[0]), (part(expected, slice(1)), results[1])
    return max(largest_difference(*both, tolerance(predictor)) for both in compared)
