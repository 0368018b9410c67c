"""RNN cells: the mathematics of one time step, one cell per file.

`cell.py` defines `RNNCell`, the interface that every cell implements: start there, then read `lstm.py`. `weights.py`
makes its weights with the options of Keras' cells, and `masks.py` holds the dropout masks of single steps. `affine.py`
and `normalise.py` hold the operations that cells share. `CELLS` maps the names of the option `--cell` to the classes,
and `make` builds a cell by name. The loop over time, with masks and dropout, is in `seqtasks.layers`.

The package imports TensorFlow and Keras, and nothing else of this project. README.md lists what a new cell needs.
"""

import typing

from seqtasks.cells.cell import RNNCell
from seqtasks.cells.coupled_lstm import CoupledLSTMCell
from seqtasks.cells.echo_state import EchoStateCell
from seqtasks.cells.gru import GRUCell
from seqtasks.cells.layer_norm_gru import LayerNormGRUCell
from seqtasks.cells.layer_norm_lstm import LayerNormLSTMCell
from seqtasks.cells.layer_norm_simple_rnn import LayerNormSimpleRNNCell
from seqtasks.cells.lstm import LSTMCell
from seqtasks.cells.nas import NASCell
from seqtasks.cells.peephole_lstm import PeepholeLSTMCell
from seqtasks.cells.simple_rnn import SimpleRNNCell
from seqtasks.cells.simplified_gru import SimplifiedGRUCell

CELLS: dict[str, type[RNNCell]] = {
    "simple_rnn": SimpleRNNCell,
    "simplified_gru": SimplifiedGRUCell,
    "gru": GRUCell,
    "lstm": LSTMCell,
    "peephole_lstm": PeepholeLSTMCell,
    "coupled_lstm": CoupledLSTMCell,
    "layer_norm_simple_rnn": LayerNormSimpleRNNCell,
    "layer_norm_gru": LayerNormGRUCell,
    "layer_norm_lstm": LayerNormLSTMCell,
    "nas": NASCell,
    "echo_state": EchoStateCell,
}


def make(kind: str, units: int, **kwargs: typing.Any) -> RNNCell:
    """Builds the cell that is called `kind` in options (`--cell lstm`).

    Args:
        kind: a key of `CELLS`.
        units: size of the state.
        kwargs: further arguments of the cell.

    Raises:
        ValueError: if no cell has this name.

    Example:
        >>> make("gru", 8).units
        8
    """
    if kind not in CELLS:
        raise ValueError(f"unknown cell {kind!r}: the cells are {', '.join(CELLS)}.")
    return CELLS[kind](units, **kwargs)


__all__ = ["CELLS", "RNNCell", "make", *(cell.__name__ for cell in CELLS.values())]
