"""Layers: recurrences that run a cell over time, and the layers around them.

All are Keras layers with masks, mixed precision and `.keras` files. `RNN`, `Bidirectional` and `recurrent_stack` run
the cells of `seqtasks.cells`; `loops.py` holds the loop over time that they share. The others embed (`embedding.py`,
`characters.py`), convolve and pool (`convolution.py`, `pooling.py`, `audio.py`, `video.py`, `dna.py`), attend
(`attention.py`), compare two sequences (`pairs.py`) or score the outputs (`crf.py`, `adaptive.py`, `nade.py`,
`ordinal.py`), or score n-grams beside them (`ngrams.py`). `reading_order.py` has what the layers of a pretrained
language model need in other models.

This package imports only `seqtasks.cells` and `seqtasks.ops`. Start with `rnn.py`, then `scan.py` and
`loops.py`.
"""

from seqtasks.layers.adaptive import AdaptiveSoftmax
from seqtasks.layers.attention import Attention, AttentionCell, AttentionRNN
from seqtasks.layers.audio import LogMel, SpecAugment, StridedConv1D
from seqtasks.layers.bidirectional import Bidirectional
from seqtasks.layers.characters import CharacterEncoder
from seqtasks.layers.convolution import MaskedConv1D, MaxPooling, PositionBias, PositionWeights
from seqtasks.layers.crf import CRF
from seqtasks.layers.dna import RandomSubstitution, ReverseComplementBatch, ReverseComplementMean
from seqtasks.layers.embedding import ReversibleEmbedding, ScheduledSampling, WordEmbedding
from seqtasks.layers.nade import NADE, IndependentBernoulli
from seqtasks.layers.ngrams import NgramScores
from seqtasks.layers.ordinal import CumulativeLogits
from seqtasks.layers.pairs import PairBatch, PairFeatures
from seqtasks.layers.pooling import Pooling
from seqtasks.layers.reading_order import AuxiliaryLoss, NextTokens, ReadingOrder, StepsAt, TextOrder
from seqtasks.layers.rnn import RNN
from seqtasks.layers.stack import recurrent_stack
from seqtasks.layers.stateful import StatefulRNN, TimeMajor
from seqtasks.layers.video import FlowStatistics, FrameDifference, OpticalFlow, TimeDistributed, image_stack

__all__ = [
    "CRF",
    "NADE",
    "RNN",
    "AdaptiveSoftmax",
    "Attention",
    "AttentionCell",
    "AttentionRNN",
    "AuxiliaryLoss",
    "Bidirectional",
    "CharacterEncoder",
    "CumulativeLogits",
    "FlowStatistics",
    "FrameDifference",
    "IndependentBernoulli",
    "LogMel",
    "MaskedConv1D",
    "MaxPooling",
    "NextTokens",
    "NgramScores",
    "OpticalFlow",
    "PairBatch",
    "PairFeatures",
    "Pooling",
    "PositionBias",
    "PositionWeights",
    "RandomSubstitution",
    "ReadingOrder",
    "ReverseComplementBatch",
    "ReverseComplementMean",
    "ReversibleEmbedding",
    "ScheduledSampling",
    "SpecAugment",
    "StatefulRNN",
    "StepsAt",
    "StridedConv1D",
    "TextOrder",
    "TimeDistributed",
    "TimeMajor",
    "WordEmbedding",
    "image_stack",
    "recurrent_stack",
]
