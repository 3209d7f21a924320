"""Failures, and the combination of several failures into one."""

import dataclasses
from typing import get_args

import pytest

from gateway.railway import (
    Aggregate,
    Conflict,
    Failure,
    Fault,
    Gone,
    Invalid,
    NotFound,
    RateLimited,
    TimedOut,
    Unauthorized,
    Unavailable,
    Unexpected,
    UpstreamFault,
    combine_failures,
    errors,
)


class CardExpired(Invalid, code="card-expired"):
    """The card has expired."""


EVERY_FAULT = pytest.mark.parametrize("fault", get_args(Fault))


@EVERY_FAULT
def test_fault_has_empty_detail_by_default(fault: type[Fault]) -> None:
    assert (fault().detail, fault().source) == ("", None)


@EVERY_FAULT
def test_fault_carries_detail_and_source(fault: type[Fault]) -> None:
    failed = fault("no such user", source="users.fetch")

    assert (failed.detail, failed.source) == ("no such user", "users.fetch")


@EVERY_FAULT
def test_fault_is_immutable_and_hashable(fault: type[Fault]) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        fault().detail = "changed"  # type: ignore[misc]
    assert len({fault("a"), fault("a"), fault("b")}) == 2


@EVERY_FAULT
def test_docstring_tree_lists_every_fault(fault: type[Fault]) -> None:
    assert f"── {fault.__name__} " in f"{errors.__doc__}"


def test_failure_codes_match_class_names() -> None:
    words = {"".join(failure.code.split("-")): failure.__name__.lower() for failure in get_args(Failure)}

    assert len(words) == len(get_args(Failure)) == 14
    assert [*words] == [*words.values()]


def test_upstream_faults_are_faults_and_failures() -> None:
    assert {*get_args(UpstreamFault)} < {*get_args(Fault)} < {*get_args(Failure)}


def test_faults_carry_type_specific_fields() -> None:
    assert Unauthorized().scheme == "Bearer"
    assert Invalid(violations=(("x", ("1",)),)).violations == (("x", ("1",)),)
    assert (RateLimited().retry_after, Unavailable(retry_after=2).retry_after) == (None, 2)
    assert (TimedOut(budget=1.5).budget, Unexpected(fault="f00").fault) == (1.5, "f00")


def test_aggregate_has_fault_count_and_no_source() -> None:
    both = Aggregate((NotFound(), Gone()))

    assert (both.code, both.detail, both.source) == ("aggregate", "2 calls failed", None)


@pytest.mark.parametrize("faults", [(), (NotFound(),)])
def test_aggregate_requires_two_faults(faults: tuple[Fault, ...]) -> None:
    with pytest.raises(ValueError, match="an aggregate has two or more faults"):
        Aggregate(faults)


def test_combining_single_failure_returns_it() -> None:
    single = NotFound("a", source="x.y")

    assert combine_failures([single]) is single


def test_equal_faults_are_not_deduplicated() -> None:
    assert combine_failures([Gone("a"), Gone("a")]) == Aggregate((Gone("a"), Gone("a")))


def test_aggregates_are_flattened_in_place() -> None:
    failures: list[Failure] = [NotFound("a"), Aggregate((Gone("b"), Conflict("c"))), NotFound("d")]

    assert combine_failures(failures) == Aggregate((NotFound("a"), Gone("b"), Conflict("c"), NotFound("d")))


def test_invalids_merge_into_first_position() -> None:
    faults: list[Failure] = [Gone("a"), Invalid("b", source="b.x"), Conflict("c"), Invalid("d", source="d.x")]

    assert combine_failures(faults) == Aggregate((Gone("a"), Invalid("b; d", source="b.x"), Conflict("c")))


def test_invalids_inside_aggregates_merge() -> None:
    left, right = Aggregate((Gone(), Invalid("a"))), Aggregate((Invalid("b"), Conflict()))

    assert combine_failures([left, right]) == Aggregate((Gone(), Invalid("a; b"), Conflict()))


def test_merged_violations_keep_first_seen_order() -> None:
    first = Invalid(violations=(("x", ("short", "odd")), ("", ("late",))))
    second = Invalid(violations=(("y", ("odd",)), ("x", ("odd", "long", "short"))))

    assert combine_failures([first, second]) == Invalid(
        violations=(("x", ("short", "odd", "long")), ("", ("late",)), ("y", ("odd",)))
    )


def test_merged_details_skip_empty_details() -> None:
    assert combine_failures([Invalid(), Invalid("b"), Invalid("")]) == Invalid("b")


def test_merged_invalid_keeps_source_of_first() -> None:
    """The merged failure has no source if the first has none."""
    assert combine_failures([Invalid("a"), Invalid("b", source="b.x")]) == Invalid("a; b")


def test_invalids_with_own_code_are_not_merged() -> None:
    faults: list[Failure] = [Invalid("a"), CardExpired("b"), CardExpired("c"), Invalid("d")]

    assert combine_failures(faults) == Aggregate((Invalid("a; d"), CardExpired("b"), CardExpired("c")))


def test_combining_only_invalids_returns_invalid() -> None:
    assert combine_failures([Invalid("a"), Invalid("b"), Invalid("c")]) == Invalid("a; b; c")
