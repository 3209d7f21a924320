"""The algebra of combining, for whatever can go wrong."""

from itertools import pairwise
from typing import TypeVar, cast, get_args

from hypothesis import given
from hypothesis import strategies as st

from gateway.railway import Aggregate, Failure, Fault, Invalid, combine_failures

T = TypeVar("T")

SOURCES = st.sampled_from([None, "users.fetch", "stock.check"])
VIOLATIONS = st.lists(
    st.tuples(st.sampled_from(["", "x", "y"]), st.lists(st.sampled_from("123"), max_size=3).map(tuple)),
    max_size=3,
).map(tuple)
DETAILS = st.sampled_from(["", "a", "b", "c; d"])
INVALIDS = st.builds(Invalid, DETAILS, source=SOURCES, violations=VIOLATIONS)
KINDS: list[type[Fault]] = [*get_args(Fault)]
FAULTS: st.SearchStrategy[Failure] = INVALIDS | st.sampled_from(KINDS).flatmap(
    lambda kind: st.builds(kind, DETAILS, source=SOURCES)
)
AGGREGATES = st.lists(FAULTS, min_size=2, max_size=4).map(combine_failures)
SEVERAL = st.lists(FAULTS | AGGREGATES, min_size=1, max_size=6)


def flat(failures: list[Failure]) -> list[Fault]:
    parts = [failure.errors if isinstance(failure, Aggregate) else (failure,) for failure in failures]
    return [fault for part in parts for fault in part]


@st.composite
def groupings(draw: st.DrawFn, several: st.SearchStrategy[list[T]]) -> tuple[list[T], list[list[T]]]:
    """Give a list, and the same list cut into pieces."""
    items = draw(several)
    cuts = sorted(draw(st.sets(st.integers(1, len(items)), max_size=3)) | {0, len(items)})
    return items, [items[start:end] for start, end in pairwise(cuts)]


@given(groupings(SEVERAL))
def test_combining_is_associative(grouped: tuple[list[Failure], list[list[Failure]]]) -> None:
    failures, groups = grouped

    assert combine_failures(combine_failures(group) for group in groups) == combine_failures(failures)


@given(SEVERAL)
def test_combining_is_idempotent_on_one(failures: list[Failure]) -> None:
    once = combine_failures(failures)

    assert combine_failures([once]) == once


@given(SEVERAL)
def test_combining_keeps_the_order_and_loses_nothing_but_invalid(failures: list[Failure]) -> None:
    rest = [fault for fault in flat([combine_failures(failures)]) if not isinstance(fault, Invalid)]

    assert rest == [fault for fault in flat(failures) if not isinstance(fault, Invalid)]


@given(SEVERAL)
def test_an_aggregate_is_never_nested_has_two_or_more_and_one_invalid_at_most(
    failures: list[Failure],
) -> None:
    result = combine_failures(failures)

    if isinstance(result, Aggregate):
        assert len(result.errors) >= 2
        assert not any(isinstance(cast("object", fault), Aggregate) for fault in result.errors)
        assert sum(isinstance(fault, Invalid) for fault in result.errors) <= 1


@given(SEVERAL)
def test_the_merged_invalid_stands_where_the_first_one_stood(failures: list[Failure]) -> None:
    before, after = (
        [isinstance(f, Invalid) for f in flat(some)] for some in (failures, [combine_failures(failures)])
    )

    assert (True in before) == (True in after)
    if True in before:
        assert before.index(True) == after.index(True)


@given(st.lists(INVALIDS, min_size=2, max_size=5))
def test_merging_loses_no_violation_and_repeats_none(invalids: list[Invalid]) -> None:
    merged = combine_failures(invalids)

    assert isinstance(merged, Invalid)
    told = [(field, message) for field, messages in merged.violations for message in messages]
    assert {*told} == {(f, m) for one in invalids for f, messages in one.violations for m in messages}
    assert len(told) == len({*told})
    assert len({field for field, _ in merged.violations}) == len(merged.violations)
