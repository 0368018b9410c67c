"""What `predict` reads of odd inputs is what the exported graph reads: the same tensors, or a refusal."""

import itertools
import random

import numpy as np
import pytest
import tensorflow as tf

from seqtasks.capabilities import TextInputs
from seqtasks.data.token_ids import SPECIAL_TOKENS
from seqtasks.decoding.options import check_in_graph
from seqtasks.errors import UserError
from seqtasks.music import events
from seqtasks.recipe import load_recipe
from seqtasks.text.tokenizer import Tokenizer

BLANKS = [*"\x1c\x1d\x1e\x1f\x85\xa0\u2003\u3000\x0b\x0c \t\r\n", "\ufeff", "\u200b", ""]


def odd(parts, count=400):
    """Texts of these parts with blanks of all kinds around and between them."""
    draws = random.Random(0)
    yield from itertools.chain(BLANKS, map("".join, itertools.product(BLANKS, [parts[0]], BLANKS)))
    for _ in range(count):
        yield "".join(draws.choice([*parts, *BLANKS]) for _ in range(draws.randint(1, 6)))


@pytest.mark.parametrize(
    ("name", "fields", "parts"),
    [
        ("dna", {}, ["ACGT", "N", "acgt"]),
        ("music", {"representation": "frames"}, ["60", "64", ";", "C4", "999"]),
        ("music", {"representation": "events"}, ["on60", "off60", "shift5", "wait"]),
    ],
)
def test_predict_and_the_export_read_odd_inputs_alike(name, fields, parts):
    recipe, assets = load_recipe(name), {}
    if fields.get("representation") == "events":
        assets = {"tokens": Tokenizer("space", [*SPECIAL_TOKENS, *events.EVENTS])}
    config, parse = recipe.Config(**fields), recipe.capability(TextInputs).parse
    answered, raw = [], []
    for text in odd(parts):
        try:
            (query,) = parse(config, text)
        except UserError:
            continue
        answered.append(query.input)
        raw.append(text)
    assert len(raw) > 60
    here, served = (recipe.encode(config, assets, tf.constant(texts)) for texts in (answered, raw))
    for feature, values in here.items():
        if feature != "characters":
            pair = [v.to_list() if hasattr(v, "to_list") else v.numpy().tolist() for v in (values, served[feature])]
            assert [t for a, b, t in zip(*pair, raw, strict=True) if a != b] == []


@pytest.mark.parametrize(
    "wrong",
    [{"temperature": np.nan}, {"temperature": -1.0}, {"temperature": np.inf}, {"top_p": np.nan}, {"top_p": 0.0},
     {"top_p": 1.5}, {"top_k": -1}, {"length": 0}, {"length": -5}, {"seed": -1}],
)  # fmt: skip
def test_an_export_refuses_options_out_of_range(wrong):
    right = {"temperature": 1.0, "top_p": 0.9, "top_k": 3, "length": 5, "seed": 0}

    @tf.function
    def called(**given):
        check_in_graph(**given)
        return given["length"]

    assert called(**{name: tf.constant(value) for name, value in right.items()}) == 5
    (name,) = wrong
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"{name} is out of range; give a number"):
        called(**{name: tf.constant(value) for name, value in {**right, **wrong}.items()})
