"""Tagging schemes: every sequence against those written by hand, by brute force, and as seqeval reads them."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities

from seqtasks.errors import UserError
from seqtasks.ner.tag_schemes import (
    constraints,
    faults,
    iobes,
    lettered,
    parse,
    recognise,
    repair,
    scheme_named,
    spans,
    tag_names,
    tagset,
    write,
)

SCHEMES = ["IOB1", "IOB2", "IOBES"]
LETTERS = {"IOB1": "BI", "IOB2": "BI", "IOBES": "BIES"}
TYPES = ["PER", "creative-work"]


@st.composite
def layouts(draw, types=TYPES):
    """Entities and the length of their sentence."""
    entities, length = [], 0
    for kind, gap, size in draw(st.lists(st.tuples(st.sampled_from(types), st.integers(0, 2), st.integers(1, 4)))):
        entities.append((kind, length + gap, length + gap + size))
        length += gap + size
    return entities, length + draw(st.integers(0, 2))


def any_tags(scheme, types=TYPES):
    return st.lists(st.sampled_from(["O", *(f"{x}-{t}" for x in LETTERS[scheme] for t in types)]), max_size=12)


def seqeval(tags):
    return [(kind, start, last + 1) for kind, start, last in get_entities(tags)]


@pytest.mark.parametrize(
    ("scheme", "tags"),
    [
        ("IOB1", "I-A I-A B-A O I-A I-B O"),
        ("IOB2", "B-A I-A B-A O B-A B-B O"),
        ("IOBES", "B-A E-A S-A O S-A S-B O"),
        ("BILOU", "B-A L-A U-A O U-A U-B O"),
        ("BMES", "B-A E-A S-A O S-A S-B O"),
    ],
)
def test_one_sentence_in_every_scheme(scheme, tags):
    entities = [("A", 0, 2), ("A", 2, 3), ("A", 4, 5), ("B", 5, 6)]
    ours = scheme_named(scheme)
    assert spans(tags.split(), ours) == entities
    assert recognise([tags.split()]) == ours
    assert iobes(entities, 7) == ["B-A", "E-A", "S-A", "O", "S-A", "S-B", "O"]
    if scheme == ours:
        assert write(entities, 7, scheme) == tags.split()


@pytest.mark.parametrize("scheme", SCHEMES)
@given(layouts())
def test_entities_survive_writing_and_reading_in_every_scheme(scheme, layout):
    entities, length = layout
    tags = write(entities, length, scheme)
    assert spans(tags, scheme) == entities == seqeval(tags)
    assert faults(tags, scheme) == [] and repair(tags, scheme) == tags


@pytest.mark.parametrize("scheme", SCHEMES)
@given(st.data())
def test_any_sequence_is_repaired_to_what_seqeval_reads(scheme, data):
    tags = data.draw(any_tags(scheme))
    repaired = repair(tags, scheme)
    assert spans(repaired, scheme) == seqeval(tags)
    assert (repaired == tags) == (faults(tags, scheme) == [])


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_valid_sequences_are_exactly_the_written_ones(scheme, length):
    pieces = [(kind, size) for kind in ["O", "A", "B"] for size in range(1, length + 1) if kind != "O" or size == 1]
    written = set()
    for count in range(1, length + 1):
        for chosen in itertools.product(pieces, repeat=count):
            ends = list(itertools.accumulate(size for _, size in chosen))
            if ends[-1] == length:
                entities = [(kind, end - size, end) for (kind, size), end in zip(chosen, ends, strict=True)]
                written.add(tuple(write([e for e in entities if e[0] != "O"], length, scheme)))
    known = ["O", *(f"{letter}-{kind}" for kind in "AB" for letter in LETTERS[scheme])]
    assert written == {tags for tags in itertools.product(known, repeat=length) if not faults(tags, scheme)}
    if scheme != "IOB1":
        start, transitions, end = constraints(known)
        allowed = set()
        for numbers in itertools.product(range(len(known)), repeat=length):
            if (
                start[numbers[0]]
                and end[numbers[-1]]
                and all(transitions[i, j] for i, j in itertools.pairwise(numbers))
            ):
                allowed.add(tuple(known[i] for i in numbers))
        assert written == allowed


def test_constraints_of_iobes_counted_by_hand():
    types = 5
    start, transitions, end = constraints(tagset([f"T{i}" for i in range(types)]))
    assert (start.dtype, transitions.dtype, end.dtype) == (np.bool_,) * 3
    assert start.sum() == 1 + 2 * types and end.sum() == 1 + 2 * types  # O, B, S; O, E, S
    assert transitions.sum() == (1 + 2 * types) * (1 + 2 * types) + 2 * types * 2  # closed tags; B and I go to I and E
    assert transitions.any(0).all() and transitions.any(1).all()


@pytest.mark.parametrize(
    ("scheme", "tags", "expected"),
    [
        ("IOB2", "I-A", [(0, "I-A at the beginning")]),
        ("IOB2", "O I-A", [(1, "I-A after O")]),
        ("IOB2", "B-B I-A", [(1, "I-A after B-B")]),
        ("IOB2", "B-A E-A", [(1, "E-A after B-A")]),
        ("IOB1", "B-A", [(0, "B-A at the beginning")]),
        ("IOB1", "I-A B-B", [(1, "B-B after I-A")]),
        ("IOBES", "B-A O", [(0, "B-A before O")]),
        ("IOBES", "B-A E-A I-A", [(2, "I-A after E-A"), (2, "I-A at the end")]),
        ("IOBES", "B-A B-A E-A", [(0, "B-A before B-A")]),
        ("IOBES", "B-A L-A U-A M-A", [(3, "M-A after U-A"), (3, "M-A at the end")]),
    ],
)
def test_faults_of_sequences(scheme, tags, expected):
    assert faults(tags.split(), scheme) == expected
    with pytest.raises(ValueError, match=f"not valid {scheme}: {expected[0][1]} at index {expected[0][0]}"):
        spans(tags.split(), scheme)


@given(st.lists(layouts(), max_size=4), st.sampled_from(SCHEMES))
def test_the_scheme_of_written_tags_is_recognised(sentences, scheme):
    written = [write(*layout, scheme) for layout in sentences]
    found = recognise(iter(written))
    assert all(faults(tags, found) == [] for tags in written)
    assert found == scheme if any(entities for entities, _ in sentences) else found == "IOB2"


def test_the_scheme_with_the_fewest_faults_is_recognised():
    assert recognise([["B-A", "I-A", "O"], ["B-A"], ["O", "I-A"]]) == "IOB2"
    assert recognise([["I-A", "I-A", "O"], ["I-A", "B-B"]]) == "IOB1"
    assert recognise([["B-A", "I-A"], ["B-A", "E-A"]]) == "IOBES"
    assert recognise([]) == recognise([["O", "O"]]) == "IOB2"


@pytest.mark.parametrize("tag", ["PER", "X-PER", "B", "B-", "BPER", "", "0", "3", "B- "])
def test_invalid_tags_raise(tag):
    with pytest.raises(UserError) as fault:
        parse(tag, "a.conll:7")
    remedy = "tags are O, or B-, I-, E- or S- and a type (B-PER)"
    assert str(fault.value) == f"a.conll:7: {tag!r} is not a tag of a known scheme; {remedy}"


@pytest.mark.parametrize("separator", "-_")
@pytest.mark.parametrize("change", [str.upper, str.lower])
def test_letters_of_both_cases_and_both_separators(separator, change):
    for letter, expected in {"B": "B", "M": "I", "L": "E", "U": "S", "W": "S", "I": "I", "E": "E", "S": "S"}.items():
        assert parse(change(letter) + separator + "Per") == (expected, "Per")
    assert parse(change("O")) == ("O", "")


def test_one_tag_of_another_scheme_does_not_change_the_scheme():
    many = [["B-A", "I-A", "O"]] * 50
    assert recognise([*many, ["E-A", "S-A"]]) == recognise([*many, ["A", "O"]]) == "IOB2"


def test_tags_without_letters():
    assert recognise([["A", "O"], ["B-A"]]) == "IO" or recognise([["A", "O"], ["A"]]) == "IO"
    assert lettered(["A", "A", "O", "I-B"], "IO") == (["I-A", "I-A", "O", "I-B"], "IOB1")
    assert lettered([",", "B-X", "O"], "POS") == (["S-,", "S-B-X", "O"], "IOBES")
    assert lettered(["B-A", "I-A"], "IOB2") == (["B-A", "I-A"], "IOB2")
    with pytest.raises(UserError, match="a.conll: the tags are numbers; name them in their order with --tag_names"):
        recognise([["0", "1"]], "a.conll")
    with pytest.raises(
        UserError, match="a.conll: 60 different tags .'w0', 'w1', 'w2', .... among 60 tokens are no tags"
    ):
        recognise([[f"w{i}"] for i in range(60)], "a.conll")


def test_names_of_tags_from_a_list_or_a_file(tmp_path):
    names = ("O", "B-PER", "I-PER")
    (tmp_path / "a.txt").write_text("O\nB-PER\nI-PER\n")
    (tmp_path / "a.json").write_text(json.dumps(names))
    given = ("O, B-PER,I-PER", str(tmp_path / "a.txt"), str(tmp_path / "a.json"))
    assert [tag_names(one) for one in given] == [names] * 3
    with pytest.raises(UserError, match="--tag_names: 'tags.txt' names no tags; write O,B-PER"):
        tag_names("tags.txt")


def test_names_of_schemes():
    assert [scheme_named(n) for n in ("bio", "BILOU", "BMES", "IO")] == ["IOB2", "IOBES", "IOBES", "IO"]
    with pytest.raises(UserError, match=r"--scheme: unknown scheme 'BLUE'; did you mean 'BILOU'\?|known are: IOB1"):
        scheme_named("BLUE")


def test_invalid_entities_raise():
    for entities in ([("A", 0, 2), ("B", 1, 3)], [("A", 1, 1)], [("A", 2, 4)], [("A", -1, 1)]):
        with pytest.raises(ValueError, match="is empty, outside the 3 tokens, or overlaps another entity"):
            iobes(entities, 3)
