"""Layers: what runs a cell over time, and what stands around it."""

from seqtasks.layers.adaptive import AdaptiveSoftmax
from seqtasks.layers.attention import Attention, AttentionCell, AttentionRNN
from seqtasks.layers.audio import LogMel, SpecAugment, StridedConvolution
from seqtasks.layers.carried import CarriedRNN, TimeMajor
from seqtasks.layers.characters import CharacterEncoder
from seqtasks.layers.convolution import MaxPooling, Neighbourhood, Places, PositionBias
from seqtasks.layers.crf import CRF
from seqtasks.layers.embedding import ScheduledSampling, TokenEmbedding, WordEmbedding
from seqtasks.layers.frames import NADE, IndependentFrames
from seqtasks.layers.images import Differences, EachFrame, FlowStatistics, OpticalFlow, image_stack
from seqtasks.layers.pooling import Pooling
from seqtasks.layers.rnn import RNN, Bidirectional
from seqtasks.layers.stack import recurrent_stack
from seqtasks.layers.strands import BothStrands, StrandMean, Substitution

__all__ = [
    "CRF",
    "NADE",
    "RNN",
    "AdaptiveSoftmax",
    "Attention",
    "AttentionCell",
    "AttentionRNN",
    "Bidirectional",
    "BothStrands",
    "CarriedRNN",
    "CharacterEncoder",
    "Differences",
    "EachFrame",
    "FlowStatistics",
    "IndependentFrames",
    "LogMel",
    "MaxPooling",
    "Neighbourhood",
    "OpticalFlow",
    "Places",
    "Pooling",
    "PositionBias",
    "ScheduledSampling",
    "SpecAugment",
    "StrandMean",
    "StridedConvolution",
    "Substitution",
    "TimeMajor",
    "TokenEmbedding",
    "WordEmbedding",
    "image_stack",
    "recurrent_stack",
]
