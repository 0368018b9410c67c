"""Layers: what runs a cell over time, and what stands around it."""

from seqtasks.layers.embedding import WordEmbedding
from seqtasks.layers.pooling import Pooling
from seqtasks.layers.rnn import RNN, Bidirectional
from seqtasks.layers.stack import recurrent_stack

__all__ = ["RNN", "Bidirectional", "Pooling", "WordEmbedding", "recurrent_stack"]
