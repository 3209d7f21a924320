"""Laws of `Run.each`: its result depends on the answers alone, not on their order of arrival."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

from hypothesis import given
from hypothesis import strategies as st

from gateway.railway import (
    FAIL_FAST,
    SETTLE,
    Aggregate,
    Conflict,
    Err,
    Failure,
    Fault,
    Invalid,
    NotFound,
    Ok,
    Result,
    combine_failures,
)
from tests.railway.scripted_calls import Services
from tests.railway.test_each import make_calls

Answers: TypeAlias = list[Result[int, Fault]]

VALUES: st.SearchStrategy[Result[int, Fault]] = st.integers().map(Ok)
FAULTS: st.SearchStrategy[Fault] = (
    st.builds(NotFound, st.sampled_from("ab"))
    | st.builds(Conflict, st.sampled_from("ab"))
    | st.sampled_from("xy").map(lambda field: Invalid(field, violations=((field, (f"bad {field}",)),)))
)
ANSWERS: st.SearchStrategy[Answers] = st.lists(VALUES | FAULTS.map(Err), max_size=6)
LIMITS = st.integers(1, 7)


@st.composite
def draw_arrivals(draw: st.DrawFn) -> tuple[Answers, list[float]]:
    """Draw answers, and the seconds until each arrives."""
    answers = draw(ANSWERS)
    return answers, draw(st.lists(st.floats(0, 10), min_size=len(answers), max_size=len(answers)))


def list_faults(answers: Answers) -> list[Fault]:
    """Return the faults of *answers*, each with its item."""
    return [
        replace(answer.error, item=position)
        for position, answer in enumerate(answers)
        if isinstance(answer, Err)
    ]


def get_faults(result: Result[object, Failure]) -> Sequence[Fault]:
    """Return the faults of *result*; none if it is a success."""
    if isinstance(result, Ok):
        return ()
    return result.error.errors if isinstance(result.error, Aggregate) else (result.error,)


@given(draw_arrivals(), LIMITS)
async def test_settled_each_ignores_order_of_arrival(
    arrivals: tuple[Answers, list[float]], at_once: int
) -> None:
    answers, delays = arrivals
    services, faults = Services(), list_faults(answers)
    calls = [services.call("a", answer, after=after) for answer, after in zip(answers, delays, strict=True)]

    result = await make_calls(calls, at_once, SETTLE)

    values = [answer.value for answer in answers if isinstance(answer, Ok)]
    assert result == (Err(combine_failures(faults)) if faults else Ok(values))


@given(draw_arrivals(), LIMITS)
async def test_failing_fast_each_ignores_order_of_arrival(
    arrivals: tuple[Answers, list[float]], at_once: int
) -> None:
    answers, delays = arrivals
    services, faults = Services(), list_faults(answers)
    calls = [services.call("a", answer, after=after) for answer, after in zip(answers, delays, strict=True)]

    result = await make_calls(calls, at_once, FAIL_FAST)

    values = [answer.value for answer in answers if isinstance(answer, Ok)]
    assert result == (Err(faults[0]) if faults else Ok(values))


@given(draw_arrivals(), LIMITS)
async def test_failures_of_each_name_their_items(arrivals: tuple[Answers, list[float]], at_once: int) -> None:
    """Each failed item is named exactly once, in item order among the violations and among other faults."""
    answers, delays = arrivals
    services, faults = Services(), list_faults(answers)
    calls = [services.call("a", answer, after=after) for answer, after in zip(answers, delays, strict=True)]

    found = get_faults(await make_calls(calls, at_once))
    invalid = [fault.item for fault in faults if isinstance(fault, Invalid)]
    others = [fault.item for fault in faults if not isinstance(fault, Invalid)]
    assert [fault.item for fault in found if not isinstance(fault, Invalid)] == others
    for merged in (fault for fault in found if isinstance(fault, Invalid)):
        assert ([merged.item] if len(invalid) == 1 else [*merged.items]) == invalid
