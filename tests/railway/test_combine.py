"""Several results as one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.railway import (
    Aggregate,
    Conflict,
    Err,
    Failure,
    Gone,
    Invalid,
    NotFound,
    Ok,
    Result,
    combine,
    combine_failures,
    traverse,
    traverse_all,
)


def ok(value: int) -> Result[int, Failure]:
    return Ok(value)


def err(error: Failure) -> Result[int, Failure]:
    return Err(error)


ERRORS = st.builds(NotFound, st.sampled_from("ab")) | st.builds(Invalid, st.sampled_from("cd"))
OUTCOMES = st.integers().map(ok) | ERRORS.map(err)


def test_values_combine_into_a_tuple() -> None:
    assert combine(Ok(1), Ok("two"), Ok(None)) == Ok((1, "two", None))


def test_one_result_combines_into_a_tuple_of_one() -> None:
    assert combine(Ok(1)) == Ok((1,))


def test_one_failure_alone_stays_itself() -> None:
    assert combine(Ok(1), Err(Gone("b")), Ok(3)) == Err(Gone("b"))


def test_several_failures_combine_in_argument_order() -> None:
    result = combine(err(Gone("a")), ok(2), err(Conflict("c")))

    assert result == Err(Aggregate((Gone("a"), Conflict("c"))))


def test_invalid_results_merge() -> None:
    assert combine(Err(Invalid("a")), Err(Invalid("b"))) == Err(Invalid("a; b"))


def test_what_the_results_lack_is_lacking_in_argument_order() -> None:
    result = combine(Ok(1, lacks=("a",)), Ok(2), Ok(3, lacks=("b", "c")))

    assert result == Ok((1, 2, 3), lacks=("a", "b", "c"))


@given(st.lists(OUTCOMES, min_size=1, max_size=5))
def test_combining_results_is_combining_their_failures(results: list[Result[int, Failure]]) -> None:
    errors = [result.error for result in results if isinstance(result, Err)]
    values = [result.value for result in results if isinstance(result, Ok)]
    expected = Err(combine_failures(errors)) if errors else Ok(tuple(values))

    assert traverse_all(results, lambda result: result) == expected


@pytest.fixture
def tried() -> list[int]:
    return []


def checked(number: int, tried: list[int]) -> Result[str, NotFound]:
    tried.append(number)
    return Ok(f"{number}", lacks=(f"l{number}",)) if number > 0 else Err(NotFound(f"{number}"))


def test_traverse_applies_the_function_to_one_item_after_the_other(tried: list[int]) -> None:
    assert traverse([1, 2], lambda n: checked(n, tried)) == Ok(("1", "2"), lacks=("l1", "l2"))


def test_traverse_stops_at_the_first_failure(tried: list[int]) -> None:
    assert traverse([1, -2, -3], lambda n: checked(n, tried)) == Err(NotFound("-2"))
    assert tried == [1, -2]


def test_traverse_all_applies_the_function_to_every_item(tried: list[int]) -> None:
    result = traverse_all([-1, 2, -3], lambda n: checked(n, tried))

    assert result == Err(Aggregate((NotFound("-1"), NotFound("-3"))))
    assert tried == [-1, 2, -3]


def test_traverse_all_gives_all_values_and_what_they_lack(tried: list[int]) -> None:
    assert traverse_all([1, 2], lambda n: checked(n, tried)) == Ok(("1", "2"), lacks=("l1", "l2"))


def test_nothing_traversed_is_nothing(tried: list[int]) -> None:
    nothing: list[int] = []

    assert traverse(nothing, lambda n: checked(n, tried)) == Ok(())
    assert traverse_all(iter(nothing), lambda n: checked(n, tried)) == Ok(())
