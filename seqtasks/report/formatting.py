"""Numbers, durations and names in a report."""

import math
from collections.abc import Mapping
from typing import Any

LONGEST = 600  # characters of an input that are shown before it is shortened
EXAMPLES_SHOWN = 12  # examples in a section of the report
ACRONYMS = (
    "f1",
    "roc",
    "auc",
    "pr",
    "mcc",
    "bleu",
    "wer",
    "cer",
    "nll",
    "rnn",
    "crf",
    "hmm",
    "lstm",
    "gru",
    "nas",
    "mae",
    "rmse",
)
SPELLING = {word: word.upper() for word in ACRONYMS} | {"tfidf": "TF-IDF", "chrf": "chrF", "r2": "R²"}


def number(value: Any, sign: bool = False) -> str:
    """Formats a number with about three significant digits and thousands separators.

    Args:
        value: the number; anything else, NaN included, gives a dash.
        sign: whether a positive number has a plus sign.

    Example:
        >>> [number(v) for v in (0.91249, 27.354, 1234567, 0.00046, None)]
        ['0.912', '27.35', '1,234,567', '0.00046', '–']
        >>> number(0.0421, sign=True), number(-0.5)
        ('+0.042', '−0.500')
    """
    if not known(value):
        return "–"
    size = abs(value)
    if isinstance(value, int) or size == 0:
        text = f"{size:,.0f}"
    elif size < 0.01:
        text = f"{size:.2g}"
    else:
        text = f"{size:,.{3 if size < 10 else 2 if size < 100 else 1 if size < 1000 else 0}f}"
    return ("−" if value < 0 else "+" if sign and value > 0 else "") + text


def duration(seconds: Any) -> str:
    """Formats seconds as seconds, minutes or hours; anything that is not a number gives a dash.

    Example:
        >>> duration(0.214), duration(75), duration(7400)
        ('0.21 s', '1 min 15 s', '2 h 3 min')
    """
    if not known(seconds):
        return "–"
    if seconds < 59.5:
        return f"{seconds:.2g} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def words(name: str) -> str:
    """The words of a name with underscores, acronyms in their usual spelling.

    Example:
        >>> words("macro_f1"), words("tfidf_logistic_regression")
        ('macro F1', 'TF-IDF logistic regression')
    """
    return " ".join(SPELLING.get(word, word) for word in str(name).split("_"))


def shorten(text: str, longest: int = LONGEST) -> str:
    """Cuts a text after at most `longest` characters, between words where possible, and adds an ellipsis.

    Example:
        >>> shorten("one two three", 9)
        'one two…'
    """
    if len(text) <= longest:
        return text
    gap = max(text.rfind(character, 0, longest + 1) for character in " \n")
    return text[: gap if gap > 0.7 * longest else longest].rstrip() + "…"


def known(value: Any) -> bool:
    """Whether a value is a number, NaN excluded.

    Example:
        >>> [known(value) for value in (0.5, 3, None, float("nan"), True)]
        [True, True, False, False, False]
    """
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)


def interval(values: Mapping[str, Any], name: str) -> list[float]:
    """The bounds of the confidence interval of a metric; an empty list if there is none.

    Args:
        values: name -> value; the interval is that of `{name}_interval`.
        name: the metric.

    Example:
        >>> interval({"f1": 0.5, "f1_interval": [0.4, 0.6]}, "f1"), interval({"f1": 0.5}, "f1")
        ([0.4, 0.6], [])
    """
    bounds = values.get(f"{name}_interval") or []
    return bounds if all(map(known, bounds)) else []
