"""Figures and names from the files of a run as a person wants to read them."""

import math

LONGEST = 600  # characters of an input that are shown at once
EXAMPLES_SHOWN = 12  # examples of a section of the report
CAPITALS = ("f1", "roc", "auc", "pr", "mcc", "bleu", "wer", "cer", "nll", "rnn", "crf", "hmm", "lstm", "gru", "nas")
SPELLING = {word: word.upper() for word in CAPITALS} | {"tfidf": "TF-IDF", "chrf": "chrF"}


def number(value, sign=False):
    """A number as a person wants to read it: about three digits, thousands apart, a dash for none.

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


def duration(seconds):
    """Seconds in the units of a clock.

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


def words(name):
    """A name from the files as words.

    Example:
        >>> words("macro_f1"), words("tfidf_logistic_regression")
        ('macro F1', 'TF-IDF logistic regression')
    """
    return " ".join(SPELLING.get(word, word) for word in str(name).split("_"))


def shorten(text, longest=LONGEST):
    """The beginning of a long text, cut between words where possible.

    Example:
        >>> shorten("one two three", 9)
        'one two…'
    """
    if len(text) <= longest:
        return text
    between = max(text.rfind(gap, 0, longest + 1) for gap in " \n")
    return text[: between if between > 0.7 * longest else longest].rstrip() + "…"


def known(value):
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)


def interval(figures, name):
    bounds = figures.get(f"{name}_interval") or []
    return bounds if all(map(known, bounds)) else []
