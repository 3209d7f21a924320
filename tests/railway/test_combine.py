"""Combination of several results into one: `combine`, `traverse` and `traverse_all`."""

from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.railway import (
    Aggregate,
    Call,
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


def test_combine_returns_tuple_of_values() -> None:
    assert combine(Ok(1), Ok("two"), Ok(None)) == Ok((1, "two", None))


def test_combine_of_single_result_returns_tuple() -> None:
    assert combine(Ok(1)) == Ok((1,))


def test_combine_returns_single_failure_as_is() -> None:
    assert combine(Ok(1), Err(Gone("b")), Ok(3)) == Err(Gone("b"))


def test_combine_keeps_failures_in_argument_order() -> None:
    result = combine(err(Gone("a")), ok(2), err(Conflict("c")))

    assert result == Err(Aggregate((Gone("a"), Conflict("c"))))


def test_combine_merges_invalid_failures() -> None:
    assert combine(Err(Invalid("a")), Err(Invalid("b"))) == Err(Invalid("a; b"))


def test_combine_lists_missing_calls_in_argument_order() -> None:
    result = combine(Ok(1, lacks=("a",)), Ok(2), Ok(3, lacks=("b", "c")))

    assert result == Ok((1, 2, 3), lacks=("a", "b", "c"))


@given(st.lists(OUTCOMES, min_size=1, max_size=5))
def test_traverse_all_combines_failures(results: list[Result[int, Failure]]) -> None:
    errors = [result.error for result in results if isinstance(result, Err)]
    values = [result.value for result in results if isinstance(result, Ok)]
    expected = Err(combine_failures(errors)) if errors else Ok(tuple(values))

    assert traverse_all(results, lambda result: result) == expected


@pytest.fixture
def visited() -> list[int]:
    return []


def visit(number: int, visited: list[int]) -> Result[str, NotFound]:
    visited.append(number)
    return Ok(f"{number}", lacks=(f"l{number}",)) if number > 0 else Err(NotFound(f"{number}"))


def test_traverse_returns_values_and_lists_missing_calls(visited: list[int]) -> None:
    assert traverse([1, 2], lambda n: visit(n, visited)) == Ok(("1", "2"), lacks=("l1", "l2"))


def test_traverse_stops_at_first_failure(visited: list[int]) -> None:
    assert traverse([1, -2, -3], lambda n: visit(n, visited)) == Err(NotFound("-2"))
    assert visited == [1, -2]


def test_traverse_all_continues_after_failure(visited: list[int]) -> None:
    result = traverse_all([-1, 2, -3], lambda n: visit(n, visited))

    assert result == Err(Aggregate((NotFound("-1"), NotFound("-3"))))
    assert visited == [-1, 2, -3]


def test_traverse_all_returns_values_and_joins_lacks(visited: list[int]) -> None:
    assert traverse_all([1, 2], lambda n: visit(n, visited)) == Ok(("1", "2"), lacks=("l1", "l2"))


def test_traversing_nothing_returns_empty_tuple(visited: list[int]) -> None:
    nothing: list[int] = []

    assert traverse(nothing, lambda n: visit(n, visited)) == Ok(())
    assert traverse_all(iter(nothing), lambda n: visit(n, visited)) == Ok(())


async def look_up(_: object) -> Result[int, Failure]:
    raise AssertionError


def make_call(_: object) -> Call[int, Failure]:
    return Call("a", partial(look_up, 1))


@pytest.mark.parametrize("function", [traverse, traverse_all])
@pytest.mark.parametrize(("visit", "kind"), [(look_up, "coroutine"), (make_call, "Call"), (str, "str")])
def test_traverse_refuses_functions_without_result(
    function: Callable[..., object], visit: Callable[[object], object], kind: str
) -> None:
    with pytest.raises(TypeError, match=rf"^{function.__name__} takes results, not a {kind}: await it first"):
        function([1, 2], visit)


@pytest.mark.parametrize("function", [traverse, traverse_all])
def test_traverse_names_alternative_for_calls(function: Callable[..., object]) -> None:
    with pytest.raises(TypeError, match=r"use `Run\.each` for a list of calls$"):
        function([1], make_call)


def test_combine_refuses_calls() -> None:
    with pytest.raises(TypeError, match=r"^combine takes results, not a Call: await it first"):
        combine(Ok(1), make_call(1))  # type: ignore[call-overload]


@given(st.lists(st.integers(0, 20), min_size=10, max_size=12))
def test_combine_takes_any_number_of_results(values: list[int]) -> None:
    assert combine(*[ok(value) for value in values]) == Ok((*values,))
