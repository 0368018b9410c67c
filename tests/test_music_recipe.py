"""The music recipe: what it learns and measures, variations, pieces that it writes, bad files, export, devices."""

import json
import os
import random
import subprocess
import sys
import wave

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import assume, given
from hypothesis import strategies as st

import seqtasks
from seqtasks.cli import main
from seqtasks.data import events, pieces, rolls
from seqtasks.data.midi import read_midi, write_midi
from seqtasks.data.notes import Note
from seqtasks.data.pipeline import pad
from seqtasks.data.segmenter import SPECIAL
from seqtasks.engine.serving import Responder
from seqtasks.errors import UserError
from seqtasks.music import analysis, writing
from seqtasks.recipe import find

CYCLE = ["60 64 67", "60 64 67", "", "53 57", "60 64 67", "", "48"]  # the frame before does not tell the next
STILL = {"embedding_dropout": 0.0, "output_dropout": 0.0, "recurrent_dropout": 0.0, "transpose": 0, "patience": 0}
SMALL = STILL | {"cell": "gru", "units": 32, "hidden": 8, "batch_size": 4, "step": 0.5}
TEXTS = ["60 64 67;;53 57;60 64 67", "", "48", "108;21 22;;", ";".join(CYCLE * 40)]


def cycles(count, seed):
    """Pieces of the cycle, each from another of its frames on."""
    draw = random.Random(seed)
    return [";".join((CYCLE * 5)[draw.randrange(7) :][: draw.randint(12, 24)]) for _ in range(count)]


def write(path, **splits):
    listed = {name: [[list(map(int, f.split())) for f in text.split(";")] for text in s] for name, s in splits.items()}
    path.write_text(json.dumps(listed))
    return path


def tune(seed, count=30):
    draw = random.Random(seed)
    return [Note(draw.choice([60, 64, 67]), i / 4, i / 4 + draw.choice([0.25, 0.5]), 64) for i in range(count)]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "cycles.json"
    return write(path, train=cycles(120, 0), valid=cycles(10, 1), test=cycles(20, 2))


@pytest.fixture(scope="module")
def run(corpus, tmp_path_factory):
    fields = SMALL | {"epochs": 8, "learning_rate": 0.03, "average": 0.9}
    return seqtasks.train("music", data=corpus, run=tmp_path_factory.mktemp("runs") / "cycles", **fields)


def test_it_learns_what_the_frame_before_does_not_tell(run):
    print(run.metrics)
