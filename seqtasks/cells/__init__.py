"""RNN cells: the mathematics of one time step, one cell per file. Running a cell over time is `seqtasks.layers`."""

from seqtasks.cells.cell import RNNCell
from seqtasks.cells.gru import GRUCell
from seqtasks.cells.lstm import LSTMCell
from seqtasks.cells.simple_rnn import SimpleRNNCell

CELLS = {"simple_rnn": SimpleRNNCell, "gru": GRUCell, "lstm": LSTMCell}


def make(kind, units, **kwargs):
    """The cell called `kind` in options (`--cell lstm`), with `units` units.

    Raises:
        ValueError: if no cell has this name.

    Example:
        >>> make("gru", 8).units
        8
    """
    if kind not in CELLS:
        raise ValueError(f"unknown cell {kind!r}: the cells are {', '.join(CELLS)}.")
    return CELLS[kind](units, **kwargs)


__all__ = ["CELLS", "GRUCell", "LSTMCell", "RNNCell", "SimpleRNNCell", "make"]
