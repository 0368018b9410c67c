"""Sources: changed and joined streams, and what becomes of faulty records in training and in evaluation."""

import warnings

import pytest

from seqtasks.data.sources import Example, Faulty, Source, join, literal, tolerant
from seqtasks.errors import UserError


def example(number, text="a text"):
    return Example(text, "good", number)


def fault(number, repaired=None, counted=None):
    return Faulty(UserError("no label", where=f"a.csv:{number}", remedy="give it one"), repaired, counted)


def source(items):
    return Source(lambda: iter(items), "a.csv")


def places(stream):
    return [e.place for e in stream]


def test_iteration_stops_at_a_faulty_record():
    with pytest.raises(UserError, match=r"^a.csv:2: no label; give it one$"):
        list(source([example(1), fault(2), example(3)]))


def test_map_changes_what_stands_for_a_faulty_record_too():
    made = source([fault(1, example(1), example(1)), example(2)]).map(lambda e: e._replace(input=e.input.upper()))
    faulty, plain = made.read()
    assert (faulty.repaired.input, faulty.literal.input, plain.input) == ("A TEXT", "A TEXT", "A TEXT")
    dropped, kept = source([fault(1, example(1)), example(2)]).select(lambda e: e.place == 2).read()
    assert dropped.repaired is None and kept.place == 2


def test_joined_sources_keep_the_names_of_their_files():
    parts = [Source(lambda n=n: iter([example(1), example(2)]), f"{n}.csv", 10) for n in "ab"]
    joined = join(parts, "*.csv")
    assert places(joined) == ["a.csv:1", "a.csv:2", "b.csv:1", "b.csv:2"] and joined.size == 20
    assert joined.where(next(iter(joined))) == "a.csv:1"


def test_training_leaves_out_or_repairs_a_share_and_says_so_once():
    items = [fault(1), fault(2, example(2)), *(example(n) for n in range(3, 301))]
    made = tolerant(source(items), 0.01)
    with pytest.warns(
        UserWarning, match=r"^a.csv: of 300 records 1 left out and 1 repaired: a.csv:1: no label, a.csv:2: no"
    ):
        assert places(made) == list(range(2, 301))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(list(made)) == 299


def test_more_than_the_share_stops_after_the_pass_and_names_three():
    items = [*(fault(n) for n in range(1, 5)), *(example(n) for n in range(5, 101))]
    with pytest.raises(UserError) as error:
        list(tolerant(source(items), 0.03))
    assert str(error.value) == (
        "a.csv: 4 of 100 records are faulty, more than --max_bad 0.03 allows: a.csv:1: no label, a.csv:2: no label, "
        "a.csv:3: no label, ...; correct them, or raise --max_bad"
    )
    with pytest.warns(UserWarning, match="of 100 records 4 left out"):
        assert len(list(tolerant(source(items), 0.04))) == 96


@pytest.mark.parametrize(
    ("bad", "of", "allowed"), [(1, 10, True), (1, 9, False), (3, 30, True), (3, 29, False), (4, 60, False)]
)
def test_small_data_may_lack_up_to_three_records_of_ten_times_as_many(bad, of, allowed):
    made = tolerant(source([*(fault(n) for n in range(bad)), *(example(n) for n in range(bad, of))]), 0.01)
    if allowed:
        with pytest.warns(UserWarning, match=f"of {of} records {bad} left out"):
            assert len(list(made)) == of - bad
    else:
        with pytest.raises(
            UserError, match=f"{bad} of {of} records are faulty" if bad > 1 else "a.csv:0: no label; give"
        ):
            list(made)


def test_strict_stops_at_the_first_and_wholly_faulty_data_gives_its_own_error():
    with pytest.raises(UserError, match=r"^a.csv:3: no label; give it one$"):
        list(tolerant(source([example(n) for n in range(3)] + [fault(3)]), 0.5, strict=True))
    with pytest.raises(UserError, match=r"^a.csv:1: no label; give it one$"):
        list(tolerant(source([fault(1), fault(2)]), 0.01))


def test_evaluation_counts_records_as_they_stand_or_stops():
    as_it_is = Example("", "good", 1)
    made = literal(source([fault(1, example(1), as_it_is), example(2)]))
    with pytest.warns(
        UserWarning, match="a.csv: 1 of 2 records are not right and count as they stand: a.csv:1: no label"
    ):
        assert list(made) == [as_it_is, example(2)]
    with pytest.raises(UserError, match="a.csv:1: no label"):
        list(literal(source([fault(1, example(1))])))
