"""Labels of sequences: in headers of FASTA, in annotations and features of GenBank, a label for each letter."""

import contextlib
import json
import re
from typing import Any

from seqtasks.errors import UserError


class NoLabel(UserError):
    """A record has no label where it is looked for."""


def label_of_header(header: str, field: str | None, separator: str | None = None) -> str | None:
    """The label in the header of a record, or None.

    Args:
        header: without `>`.
        field: a name, a number, or None; see `seqtasks.dna.files.DnaOptions`.
        separator: what separates several labels, which does not end the field then.

    Example:
        >>> [label_of_header(header, None) for header in ("a|b|promoter", "a promoter", "a b c label=x", "a")]
        ['promoter', 'promoter', 'x', None]
        >>> label_of_header("a class=x", "class"), label_of_header("a b x d", "3"), label_of_header("a|b", "1")
        ('x', 'x', 'a')
        >>> label_of_header("a label=x;y", None), label_of_header("a label=x;y", None, ";")
        ('x', 'x;y')
    """
    fields = [part.strip() for part in header.split("|")] if "|" in header else header.split()
    if field is not None and field.isdecimal():
        return (fields[int(field) - 1] or None) if 0 < int(field) <= len(fields) else None
    end = r"\s|" if separator == ";" else r"\s|;"
    named = re.search(rf"(?:^|[\s|;]){re.escape(field or 'label')}=([^{end}]+)", header, re.I)
    if named or field is not None:
        return named and named[1]
    return (fields[-1] or None) if "|" in header or len(fields) == 2 else None


def label_of_features(record: Any, where: str, field: str | None, outside: str | None) -> str:
    """The label of an annotated record, or the labels of its letters.

    Args:
        record: a `SeqRecord` of Biopython.
        where: its place, for messages.
        field: the name of an annotation (`organism`) or of a qualifier of the source; for labels of letters the types
            of features, separated by commas, the first of which has precedence.
        outside: None for one label; else the label of letters in no such feature.

    Raises:
        UserError: if there is none.

    Example:
        >>> import types
        >>> record = types.SimpleNamespace(annotations={"organism": "E. coli"}, features=[])
        >>> label_of_features(record, "a.gb:1", "organism", None)
        'E. coli'
    """
    if outside is not None:
        if field is None:
            remedy = "name the types of features with --label_field, such as CDS,tRNA, or give --annotation"
            raise NoLabel("no labels of letters", where=where, remedy=remedy)
        labels = [outside] * len(record.seq)
        for kind in reversed([part.strip() for part in field.split(",")]):
            for part in (p for f in record.features if f.type == kind for p in f.location.parts):
                start, end = max(0, int(part.start)), min(len(labels), int(part.end))
                labels[start:end] = [kind] * (end - start)
        return " ".join(labels)
    sources = [feature.qualifiers for feature in record.features if feature.type == "source"]
    known = {name: value[0] for qualifiers in sources for name, value in qualifiers.items()}
    known |= {name: value for name, value in record.annotations.items() if isinstance(value, str)}
    label = known.get(field or "label", "")
    if not label.strip():
        what = f"no {field or 'label'} among the annotations {', '.join(sorted(known))}"
        remedy = "name one with --label_field, or give a folder with a file for each class"
        raise NoLabel(what, where=where, remedy=remedy)
    return label.strip()


def labels_of_letters(target: str, length: int, where: str) -> str:
    """Labels of letters, one for each, separated by spaces.

    Args:
        target: a JSON list, words, or a string of one character per letter.
        length: the number of letters.
        where: their place, for messages.

    Raises:
        UserError: if there are more or fewer, or a label contains white space.

    Example:
        >>> [labels_of_letters(target, 2, "") for target in ('["exon", 0]', "exon intron", "EI")]
        ['exon 0', 'exon intron', 'E I']
    """
    labels = target.split()
    labels = labels if len(labels) != 1 or length == 1 else list(labels[0])
    if target.startswith("["):
        with contextlib.suppress(json.JSONDecodeError):
            labels = [str(label) for label in json.loads(target)]
    if len(labels) != length:
        what = f"{len(labels)} labels for the {length} letters"
        raise UserError(what, where=where, remedy="give one per letter: 'EEIIN', or 'exon exon intron'")
    if (wrong := next((label for label in labels if label.split() != [label]), None)) is not None:
        raise UserError(f"the label {wrong!r} is not a word", where=where, remedy="write it without spaces")
    return " ".join(labels)
