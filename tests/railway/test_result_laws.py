"""Laws of results: `bind` is a monad's bind, and the other combinators agree with it."""

from collections.abc import Callable
from typing import TypeAlias

from hypothesis import given
from hypothesis import strategies as st

from gateway.railway import Conflict, Err, NotFound, Ok, Result

Step: TypeAlias = Callable[[int], Result[int, NotFound]]

LACKS = st.lists(st.sampled_from("abc"), max_size=2).map(tuple)


def ok(value: int, lacks: tuple[str, ...]) -> Result[int, NotFound]:
    return Ok(value, lacks=lacks)


def err(detail: str) -> Result[int, NotFound]:
    return Err(NotFound(detail))


def absolute(value: int) -> int:
    return abs(value)


def positive(value: int) -> Result[int, NotFound]:
    return Ok(value) if value > 0 else Err(NotFound(f"{value}"))


def rescue(_: object) -> Result[int, NotFound]:
    return Ok(0, lacks=("rescue",))


RESULTS = st.builds(ok, st.integers(), LACKS) | st.builds(err, st.sampled_from("xyz"))
CHANGES = st.functions(like=absolute, returns=st.integers(), pure=True)
STEPS = st.functions(like=positive, returns=RESULTS, pure=True)


@given(st.integers(), STEPS)
def test_bind_satisfies_left_identity(value: int, step: Step) -> None:
    """Binding a value equals calling the function."""
    assert Ok(value).bind(step) == step(value)


@given(RESULTS)
def test_bind_satisfies_right_identity(result: Result[int, NotFound]) -> None:
    """Binding to `Ok` changes nothing."""
    assert result.bind(Ok) == result


@given(RESULTS, STEPS, STEPS)
def test_bind_is_associative(result: Result[int, NotFound], first: Step, second: Step) -> None:
    assert result.bind(first).bind(second) == result.bind(lambda value: first(value).bind(second))


@given(RESULTS, CHANGES)
def test_map_equals_bind_to_ok(result: Result[int, NotFound], change: Callable[[int], int]) -> None:
    assert result.map(change) == result.bind(lambda value: Ok(change(value)))


@given(RESULTS)
def test_map_of_identity_changes_nothing(result: Result[int, NotFound]) -> None:
    assert result.map(lambda value: value) == result
    assert result.map_error(lambda error: error) == result


@given(RESULTS, CHANGES, CHANGES)
def test_map_preserves_composition(
    result: Result[int, NotFound], first: Callable[[int], int], second: Callable[[int], int]
) -> None:
    assert result.map(first).map(second) == result.map(lambda value: second(first(value)))


@given(RESULTS, STEPS)
def test_check_is_bind_that_keeps_value(result: Result[int, NotFound], step: Step) -> None:
    assert result.check(step) == result.bind(lambda value: step(value).map(lambda _: value))


@given(RESULTS)
def test_ensure_of_true_changes_nothing(result: Result[int, NotFound]) -> None:
    assert result.ensure(lambda _: True, lambda _: Conflict()) == result


@given(RESULTS)
def test_recover_with_same_failure_changes_nothing(result: Result[int, NotFound]) -> None:
    assert result.recover(Err) == result
    assert result.recover(Err, when=lambda _: False) == result


@given(RESULTS, LACKS)
def test_every_combinator_keeps_names_of_missing_calls(
    result: Result[int, NotFound], lacks: tuple[str, ...]
) -> None:
    lacking = result.lacking(lacks).map(abs).tap(abs).tap_error(repr).map_error(lambda error: error)
    chained = (
        lacking.ensure(lambda _: True, lambda _: Conflict()).check(rescue).bind(lambda n: ok(n, ("end",)))
    )

    rescued = chained.recover(rescue)

    expected = (*lacks, *result.lacks, "rescue", "end") if isinstance(result, Ok) else ("rescue",)
    assert isinstance(rescued, Ok)
    assert rescued.lacks == expected
