"""The task of the recipe `language_model`: that of all language models, with a check of the vocabulary."""

import itertools
import warnings
from collections.abc import Mapping
from typing import Any

from seqtasks.data.sources import Source
from seqtasks.data.token_ids import UNK
from seqtasks.tasks import LanguageModelling

CHECKED = 1000  # pieces of a split in which unknown tokens are counted
MANY_UNKNOWN = 0.1  # share of unknown tokens from which on a split is warned of


class TextModelling(LanguageModelling):
    """The likelihood of a text. A held-out split with many unknown tokens is warned of before training.

    All unknown tokens are one token, `[UNK]`, that is easily predicted: a model that knows none of the characters of a
    text has a perplexity near 1.
    """

    def check(self, assets: Mapping[str, Any], source: Source) -> None:
        import tensorflow as tf

        texts = [example.input.encode("utf-8", "surrogatepass") for example in itertools.islice(source, CHECKED)]
        numbers = assets["tokens"].encode(tf.constant(texts, tf.string)).flat_values.numpy()
        share = float((numbers == UNK).mean()) if len(numbers) else 0.0
        if share >= MANY_UNKNOWN:
            what = (
                f"{100 * share:.0f} % of the tokens are not in the vocabulary and count as one, easily predicted token"
            )
            remedy = "the figures say little; train a new run, or take another --vocabulary or --vocabulary_size"
            remedy += ", or fine-tune with --relearn tokens"
            warnings.warn(f"{source.name}: {what}: {remedy}", stacklevel=3)
