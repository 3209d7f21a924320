"""Laws of combining failures."""

from itertools import pairwise
from typing import TypeVar, cast, get_args

from hypothesis import given
from hypothesis import strategies as st

from gateway.railway import Aggregate, Failure, Fault, Invalid, combine_failures
from gateway.railway.errors import mark_item

T = TypeVar("T")

SOURCES = st.sampled_from([None, "users.fetch", "stock.check"])
VIOLATIONS = st.lists(
    st.tuples(st.sampled_from(["", "x", "y"]), st.lists(st.sampled_from("123"), max_size=3).map(tuple)),
    max_size=3,
).map(tuple)
DETAILS = st.sampled_from(["", "a", "b", "c; d"])
ITEMS = st.none() | st.integers(0, 2)
INVALIDS = st.builds(Invalid, DETAILS, source=SOURCES, violations=VIOLATIONS, item=ITEMS)
KINDS: list[type[Fault]] = [*get_args(Fault)]
FAULTS: st.SearchStrategy[Failure] = INVALIDS | st.sampled_from(KINDS).flatmap(
    lambda kind: st.builds(kind, DETAILS, source=SOURCES, item=ITEMS)
)
AGGREGATES = st.lists(FAULTS, min_size=2, max_size=4).map(combine_failures)
FAILURES = st.lists(FAULTS | AGGREGATES, min_size=1, max_size=6)


def flatten(failures: list[Failure]) -> list[Fault]:
    parts = [failure.errors if isinstance(failure, Aggregate) else (failure,) for failure in failures]
    return [fault for part in parts for fault in part]


@st.composite
def draw_groupings(draw: st.DrawFn, several: st.SearchStrategy[list[T]]) -> tuple[list[T], list[list[T]]]:
    """Draw a list, and the same list cut into pieces."""
    items = draw(several)
    cuts = sorted(draw(st.sets(st.integers(1, len(items)), max_size=3)) | {0, len(items)})
    return items, [items[start:end] for start, end in pairwise(cuts)]


@given(draw_groupings(FAILURES))
def test_combining_failures_is_associative(grouped: tuple[list[Failure], list[list[Failure]]]) -> None:
    failures, groups = grouped

    assert combine_failures(combine_failures(group) for group in groups) == combine_failures(failures)


@given(FAILURES)
def test_combining_failures_is_idempotent(failures: list[Failure]) -> None:
    once = combine_failures(failures)

    assert combine_failures([once]) == once


@given(FAILURES)
def test_combining_keeps_order_of_unmerged_faults(failures: list[Failure]) -> None:
    rest = [fault for fault in flatten([combine_failures(failures)]) if not isinstance(fault, Invalid)]

    assert rest == [fault for fault in flatten(failures) if not isinstance(fault, Invalid)]


@given(FAILURES)
def test_aggregate_is_flat_with_at_most_one_invalid(
    failures: list[Failure],
) -> None:
    """The aggregate has two faults or more, none of which is an aggregate."""
    result = combine_failures(failures)

    if isinstance(result, Aggregate):
        assert len(result.errors) >= 2
        assert not any(isinstance(cast("object", fault), Aggregate) for fault in result.errors)
        assert sum(isinstance(fault, Invalid) for fault in result.errors) <= 1


@given(FAILURES)
def test_merged_invalid_takes_position_of_first(failures: list[Failure]) -> None:
    before, after = (
        [isinstance(f, Invalid) for f in flatten(part)] for part in (failures, [combine_failures(failures)])
    )

    assert (True in before) == (True in after)
    if True in before:
        assert before.index(True) == after.index(True)


def list_violations(invalid: Invalid) -> list[tuple[int | None, str, str]]:
    """Return the item, the field and the message of each violation."""
    items = invalid.items or [invalid.item] * len(invalid.violations)
    return [
        (item, field, message)
        for item, (field, messages) in zip(items, invalid.violations, strict=True)
        for message in messages
    ]


@given(st.lists(INVALIDS, min_size=2, max_size=5))
def test_merging_invalids_keeps_each_violation_once(invalids: list[Invalid]) -> None:
    """The detail of an item without violations becomes its violation."""
    merged = combine_failures(invalids)

    assert isinstance(merged, Invalid)
    bare = [f for f in invalids if not f.violations and f.item is not None and f.detail]
    expected = {(f.item, "", f.detail) for f in bare} | {v for f in invalids for v in list_violations(f)}
    assert {*list_violations(merged)} == expected
    assert len(list_violations(merged)) == len(expected)
    assert merged.item is None


@given(FAILURES, st.integers(0, 3))
def test_marked_failure_has_item_in_every_fault(failures: list[Failure], item: int) -> None:
    marked = flatten([mark_item(combine_failures(failures), item)])

    assert {fault.item for fault in marked} == {item}
    assert [fault.detail for fault in marked] == [f.detail for f in flatten([combine_failures(failures)])]
