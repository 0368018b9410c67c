"""How the recurrences of a training are computed: which kernels may run them, and which did."""

import contextlib
import logging
from collections.abc import Iterator

from seqtasks.layers import kernels
from seqtasks.layers.compiled_length import compiled_loops
from seqtasks.layers.cudnn import without_cudnn
from seqtasks.options import Options

log = logging.getLogger("seqtasks")
COMPILED_STEPS = 3000  # steps of a training from which compiling the recurrent loops pays


@contextlib.contextmanager
def of_training(config: Options, steps: int, names: list[str]) -> Iterator[None]:
    """A context for a training, which chooses the kernels of the recurrences, and tells in the log which ran.

    Args:
        config: the recipe's options.
        steps: number of batches of the whole training.
        names: receives the names of the kernels.

    Example:
        >>> with of_training(Options(), 100, []):
        ...     pass
    """
    rows = int(config.batch_size) if steps >= COMPILED_STEPS and not config.jit else 0
    plain = without_cudnn() if config.jit else contextlib.nullcontext()  # XLA cannot compile a call of cuDNN
    with compiled_loops(rows), plain, kernels.recorded(names):
        yield
    if names:
        log.info("recurrences ran in: %s", ", ".join(sorted(names)))
