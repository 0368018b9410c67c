"""Which of the names of columns, fields, files or languages is the source, and which the target."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from seqtasks.data.columns import TEXT_NAMES
from seqtasks.errors import UserError

SIDES = (("source", "src"), ("target", "tgt", "trg"))  # usual names of the two sides
LANGUAGE = re.compile(r"[a-z]{2,3}([-_][a-z0-9]{2,8})*")  # de, deu, zh-hans, pt_br
CODE = re.compile(r"[a-z]{2}")
LANGUAGE_NAME = re.compile(
    "arabic|bengali|bulgarian|catalan|chinese|croatian|czech|danish|dutch|english|estonian|finnish|french|"
    "german|greek|hebrew|hindi|hungarian|icelandic|indonesian|irish|italian|japanese|khmer|korean|latin|"
    "latvian|lithuanian|malay|norwegian|persian|polish|portuguese|romanian|russian|serbian|slovak|slovenian|"
    "spanish|swahili|swedish|tamil|thai|turkish|ukrainian|urdu|vietnamese|welsh"
)  # in a first row of a table they are names


@dataclass(frozen=True)
class Options:
    """How pairs are read.

    Args:
        source: the language that is translated, as in the names of files, columns and fields (`train.en`), or the
            number of a column from 1; None if the data itself tells it.
        target: the language of the translations, in the same way.
        max_characters: length of the longest sentence, in code points.
        max_ratio: the largest ratio of the lengths of the two sides of a training pair, in code points; it does not
            apply if both are shorter than 20.
        header: whether the first line of a table holds names; None to detect it.
    """

    source: str | None = None
    target: str | None = None
    max_characters: int = 1000
    max_ratio: float = 9.0
    header: bool | None = None


def find_name(wanted: str | None, names: Sequence[str]) -> str | None:
    """The name that is wanted, in the spelling of the data: an equal one, one by its number, or a regional variant.

    Args:
        wanted: a name or a number from 1, or None.
        names: the names in order.

    Example:
        >>> find_name("EN", ["id", "en-US"]), find_name("pt_BR", ["pt"]), find_name("2", ["en", "de"])
        ('en-US', 'pt', 'de')
        >>> print(find_name("en", ["en-US", "en-GB"]))
        None
    """
    if not wanted:
        return None
    own, known = _plain(wanted), {_plain(name): name for name in reversed(names)}
    if own in known:
        return known[own]
    if own.isdigit() and 0 < int(own) <= len(names):
        return names[int(own) - 1]
    if LANGUAGE.fullmatch(own):
        variants = [name for key, name in known.items() if key.startswith(f"{own}-") or own.startswith(f"{key}-")]
        if len(variants) == 1:
            return variants[0]
    return wanted if own.split(".")[0] in known and "." in own else None  # a field inside a field


def _plain(name: str) -> str:
    return name.strip().lower().replace("_", "-")


def side_of(name: str) -> int | None:
    """0 if a name is usual for the source, 1 for the target, else None.

    Example:
        >>> side_of("src"), side_of("Target"), side_of("en")
        (0, 1, None)
    """
    return next((number for number, words in enumerate(SIDES) if name.strip().lower() in words), None)


def direction(names: Iterable[str], options: Options, where: str | Path, labelled: bool = True) -> tuple[str, str]:
    """Which of the names are source and target, in their own spelling.

    Args:
        names: the names in order.
        options: which are wanted.
        where: for the message.
        labelled: whether a target is needed; if not, it is empty where there is none.

    Raises:
        UserError: if they cannot be told.

    Example:
        >>> direction(["id", "de", "en-GB"], Options("en", "de"), "a.csv")
        ('en-GB', 'de')
    """
    known = [name for name in names if name.strip()]
    wanted = (options.source, options.target)
    found = [find_name(name, known) for name in wanted]
    usual = [next((name for name in known if side_of(name) == side), None) for side in (0, 1)]
    if not any(found) and (all(usual) or (usual[0] and not labelled)):
        found = usual
    others = [name for name in known if name not in found]
    if len(others) == 1 and any(found):
        found = [others[0] if name is None and not given else name for name, given in zip(found, wanted, strict=True)]
    if not labelled and found[0] is None:
        texts = [name for name in known if name.strip().lower() in TEXT_NAMES]
        found[0] = known[0] if len(known) == 1 else texts[0] if texts else None
    source, target = found
    if source and (not labelled or (target and source != target)):
        return source, target or ""
    raise _unclear(known, wanted, found, where, labelled)


def _unclear(
    known: Sequence[str], wanted: Sequence[str | None], found: Sequence[str | None], where: str | Path, labelled: bool
) -> UserError:
    listed = ", ".join(repr(name.strip()[:40]) for name in known) or "nothing"
    missing = next((name for name, own in zip(wanted, found, strict=True) if name and own is None), None)
    what = f"no {missing!r} among {listed}" if missing else f"cannot tell source and target among {listed}"
    if not labelled:
        return UserError(what, where=where, remedy="name the source with --source_language")
    if len(known) < 2:
        return UserError(what, where=where, remedy="give a source and a target")
    first = found[0] or next(name for name in known if name != found[1])
    second = found[1] if found[1] and found[1] != first else next(name for name in known if name != first)
    remedy = f"choose, e.g. --source_language {first.strip()} --target_language {second.strip()}"
    return UserError(what, where=where, remedy=remedy)
