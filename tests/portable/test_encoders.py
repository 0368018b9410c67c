"""Encoders that need NumPy alone give what the encoding in the graph gives."""

import json

import numpy as np
import pytest
import tensorflow as tf

from seqtasks.data.batches import pad
from seqtasks.data.vocabulary import Vocabulary
from seqtasks.options import make_options
from seqtasks.portable import bases, letters, words
from seqtasks.recipe import load_recipe
from seqtasks.text.tokenizer import Tokenizer

TEXTS = [
    "What a FILM!  I don't like 'it', we've said; 'Tis O'Neill's “best” 3.5/5 stars…",
    "",
    "\x00\x07 \n",
    "très ÉLÉGANT été naïve ŞEHİR ΣΟΦΟΣ straße",
    "好电影 とてもいい หนังดี e\u0301 👍🏽 🇩🇪 \u2028 nbsp\xa0here \x85",
    "supercalifragilisticexpialidocious " * 3 + "x" * 200,
    "a b c d e f g h i j k l m n",
]


def described(tmp_path, recipe, config, assets):
    from seqtasks.portable.capability import Portable

    encoding = load_recipe(recipe).capability(Portable).describe(config, assets)
    (tmp_path / "encoding.json").write_text(json.dumps(encoding), "utf-8")
    return tmp_path


@pytest.mark.parametrize(
    "options",
    [
        {"max_length": 5, "cut": "both", "ngrams": 2, "ngram_letters": [3], "ngram_buckets": 1000, "affixes": 50},
        {"max_length": 4, "cut": "tail", "ngrams": 0, "affixes": 0},
    ],
)
def test_words_affixes_and_n_grams(tmp_path, options):
    recipe = load_recipe("sentiment")
    config = make_options(recipe.Config, options)
    assets = {"words": Vocabulary(["[PAD]", "[UNK]", "a", "n't", "电", "film", "été", "!"])}
    found = words.Encoder(described(tmp_path, "sentiment", config, assets))(TEXTS)
    features = recipe.encode(config, assets, tf.constant(TEXTS))
    assert set(found) == set(features) - {"truncated"}
    for name, value in found.items():
        np.testing.assert_array_equal(value, pad(features[name], 1).numpy(), name)


@pytest.mark.parametrize("size", [0, 3, 4, 7, 8, 16, 17, 32, 33, 64, 65, 128, 129, 1000])
def test_the_hash_is_that_of_tensorflow(size, rng):
    text, rows = rng.bytes(size), 2**61 - 1
    assert words.fingerprint(text) % rows == int(tf.strings.to_hash_bucket_fast([text], rows)[0])


@pytest.mark.parametrize("backward", [False, True])
def test_characters(tmp_path, backward):
    recipe = load_recipe("language_model")
    options = {"document": "line", "direction": "backward" if backward else "forward", "lowercase": True}
    config = make_options(recipe.Config, options)
    assets = {"tokens": Tokenizer("character", ["[PAD]", "[UNK]", "[BOS]", "[EOS]", *"atf 好é"], None, True)}
    texts = [text for text in TEXTS if "\x00" not in text]  # a tokenizer in lower case has a space for it
    found = letters.Encoder(described(tmp_path, "language_model", config, assets))(texts)
    expected = pad(recipe.encode(config, assets, tf.constant(texts))["targets"], 1, -1)
    np.testing.assert_array_equal(found["targets"], expected.numpy())
    shown = recipe.task(config).add_decoder_inputs({}, expected)["decoder_inputs"]
    np.testing.assert_array_equal(found["decoder_inputs"], shown.numpy())


@pytest.mark.parametrize("options", [{}, {"input": "kmer", "k": 3}, {"alphabet": "protein"}])
def test_bases(tmp_path, options):
    recipe = load_recipe("dna")
    config = make_options(recipe.Config, options)
    texts = ["ACGTacgtNRYx*", "", "AC", "MKV"]
    found = bases.Encoder(described(tmp_path, "dna", config, {}))(texts)
    features = recipe.encode(config, {}, tf.constant(texts))
    (name,) = found
    np.testing.assert_array_equal(found[name], pad(features[name], 1).numpy())


def test_tokens_that_are_no_characters_have_no_such_encoding():
    assert Tokenizer("word", ["[PAD]", "[UNK]", "[BOS]", "[EOS]", "a"]).portable() is None
