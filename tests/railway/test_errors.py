"""Failures as info, and several of them as one."""

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

EVERY_FAULT = pytest.mark.parametrize("fault", get_args(Fault))


@EVERY_FAULT
def test_a_fault_says_nothing_unless_told(fault: type[Fault]) -> None:
    assert (fault().detail, fault().source) == ("", None)


@EVERY_FAULT
def test_a_fault_carries_a_detail_and_its_source(fault: type[Fault]) -> None:
    told = fault("no such user", source="users.fetch")

    assert (told.detail, told.source) == ("no such user", "users.fetch")


@EVERY_FAULT
def test_a_fault_is_a_frozen_fact(fault: type[Fault]) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        fault().detail = "changed"  # type: ignore[misc]
    assert len({fault("a"), fault("a"), fault("b")}) == 2


@EVERY_FAULT
def test_every_failure_stands_in_the_tree_of_the_family(fault: type[Fault]) -> None:
    assert f"── {fault.__name__} " in f"{errors.__doc__}"


def test_every_failure_has_a_code_of_its_own_that_reads_like_its_name() -> None:
    words = {"".join(failure.code.split("-")): failure.__name__.lower() for failure in get_args(Failure)}

    assert len(words) == len(get_args(Failure)) == 14
    assert [*words] == [*words.values()]


def test_what_can_befall_every_call_is_part_of_the_family() -> None:
    assert {*get_args(UpstreamFault)} < {*get_args(Fault)} < {*get_args(Failure)}


def test_faults_carry_what_their_answer_needs() -> None:
    assert Unauthorized().scheme == "Bearer"
    assert Invalid(violations=(("x", ("1",)),)).violations == (("x", ("1",)),)
    assert (RateLimited().retry_after, Unavailable(retry_after=2).retry_after) == (None, 2)
    assert (TimedOut(budget=1.5).budget, Unexpected(fault="f00").fault) == (1.5, "f00")


def test_an_aggregate_counts_its_faults_and_leaves_the_source_to_them() -> None:
    both = Aggregate((NotFound(), Gone()))

    assert (both.code, both.detail, both.source) == ("aggregate", "2 calls failed", None)


@pytest.mark.parametrize("faults", [(), (NotFound(),)])
def test_fewer_than_two_faults_are_no_aggregate(faults: tuple[Fault, ...]) -> None:
    with pytest.raises(ValueError, match="an aggregate has two or more faults"):
        Aggregate(faults)


def test_one_failure_combined_stays_itself() -> None:
    lonely = NotFound("a", source="x.y")

    assert combine_failures([lonely]) is lonely


def test_faults_of_one_kind_are_neither_merged_nor_de_duplicated() -> None:
    assert combine_failures([Gone("a"), Gone("a")]) == Aggregate((Gone("a"), Gone("a")))


def test_aggregates_are_flattened_in_place() -> None:
    failures: list[Failure] = [NotFound("a"), Aggregate((Gone("b"), Conflict("c"))), NotFound("d")]

    assert combine_failures(failures) == Aggregate((NotFound("a"), Gone("b"), Conflict("c"), NotFound("d")))


def test_all_invalid_merge_into_the_place_of_the_first_one() -> None:
    faults: list[Failure] = [Gone("a"), Invalid("b", source="b.x"), Conflict("c"), Invalid("d", source="d.x")]

    assert combine_failures(faults) == Aggregate((Gone("a"), Invalid("b; d", source="b.x"), Conflict("c")))


def test_invalid_inside_aggregates_merge_too() -> None:
    left, right = Aggregate((Gone(), Invalid("a"))), Aggregate((Invalid("b"), Conflict()))

    assert combine_failures([left, right]) == Aggregate((Gone(), Invalid("a; b"), Conflict()))


def test_merged_violations_are_in_first_seen_order_without_repetition() -> None:
    first = Invalid(violations=(("x", ("short", "odd")), ("", ("late",))))
    second = Invalid(violations=(("y", ("odd",)), ("x", ("odd", "long", "short"))))

    assert combine_failures([first, second]) == Invalid(
        violations=(("x", ("short", "odd", "long")), ("", ("late",)), ("y", ("odd",)))
    )


def test_merged_details_leave_out_what_says_nothing() -> None:
    assert combine_failures([Invalid(), Invalid("b"), Invalid("")]) == Invalid("b")


def test_the_source_of_the_first_invalid_stands_even_if_it_is_none() -> None:
    assert combine_failures([Invalid("a"), Invalid("b", source="b.x")]) == Invalid("a; b")


def test_merged_invalid_and_nothing_else_is_no_aggregate() -> None:
    assert combine_failures([Invalid("a"), Invalid("b"), Invalid("c")]) == Invalid("a; b; c")
