"""Attempts of calls, as the trace of a run records them."""

import asyncio
from itertools import pairwise

import pytest

from gateway.observability.outcome import Outcome
from gateway.observability.trace import Trace, TracedCall
from gateway.railway import CallMode, RejectedBy, RunContext, change_context
from gateway.resilience.terms import BreakerTerms, RetryTerms
from tests.resilience.scripted_upstream import (
    FINE,
    HANGS,
    IS_UNAVAILABLE,
    REFUSES,
    Service,
    Step,
    build_client,
    fetch,
    now,
    settle,
)

NO_RETRIES = RetryTerms(attempts=1)
SLOW = Step(after=0.05)


@pytest.fixture
async def trace() -> Trace:
    """The trace of the calls that the test makes."""
    trace = Trace(asyncio.get_running_loop().time)
    change_context(RunContext(observer=trace))
    return trace


def list_outcomes(call: TracedCall) -> list[tuple[int, Outcome]]:
    return [(attempt.number, attempt.outcome) for attempt in call.attempts]


async def test_attempts_are_numbered(trace: Trace) -> None:
    await fetch(build_client(Service(REFUSES, IS_UNAVAILABLE, FINE)))

    (call,) = trace.calls
    assert list_outcomes(call) == [(1, Outcome.FAILED), (2, Outcome.FAILED), (3, Outcome.DONE)]
    assert (call.retries, call.outcome, call.rejected_by) == (2, Outcome.DONE, None)


async def test_backoff_is_a_wait_between_attempts(trace: Trace) -> None:
    service = Service(Step(after=0.1, status=503), Step(after=0.2))
    await fetch(build_client(service))

    (call,) = trace.calls
    (wait,) = call.list_waits(now())
    first, second = call.attempts
    assert wait == (first.end, second.start) == (0.1, second.sent)
    assert call.end == pytest.approx(wait[1] + 0.2)


async def test_queue_is_a_wait_of_the_attempt(trace: Trace) -> None:
    things = build_client(Service(SLOW), max_concurrency=1)
    await asyncio.gather(fetch(things), fetch(things))

    first, second = trace.calls
    assert (first.list_waits(now()), second.list_waits(now())) == ([], [(0.0, 0.05)])
    assert second.attempts[0].sent == 0.05
    assert second.retries == 0


async def test_running_attempt_waits_for_nothing(trace: Trace) -> None:
    calling = asyncio.create_task(fetch(build_client(Service(HANGS))).make())
    await asyncio.sleep(0.5)

    (call,) = trace.calls
    assert (call.outcome, call.attempts[0].outcome) == (Outcome.RUNNING, Outcome.RUNNING)
    assert call.list_waits(now()) == []
    calling.cancel()
    await asyncio.wait((calling,))
    assert (call.outcome, call.attempts[0].outcome) == (Outcome.CANCELLED, Outcome.CANCELLED)


async def test_timeout_of_attempt_is_shown(trace: Trace) -> None:
    await fetch(build_client(Service(HANGS), retries=NO_RETRIES))

    (call,) = trace.calls
    assert list_outcomes(call) == [(1, Outcome.TIMED_OUT)]


async def test_full_limit_rejects_attempt(trace: Trace) -> None:
    things = build_client(Service(HANGS), max_concurrency=1)
    calls = [asyncio.create_task(fetch(things).make()) for _ in range(3)]
    await settle()

    shed = trace.calls[2]
    assert list_outcomes(shed) == [(1, Outcome.REJECTED)]
    assert (shed.rejected_by, shed.attempts[0].sent, shed.retries) == (RejectedBy.LIMIT, None, 0)
    for call in calls:
        call.cancel()
    await asyncio.wait(calls)
    assert [call.outcome for call in trace.calls] == [Outcome.CANCELLED, Outcome.CANCELLED, Outcome.FAILED]


async def test_open_breaker_rejects_attempt(trace: Trace) -> None:
    breaker = BreakerTerms(minimum=2)
    things = build_client(Service(IS_UNAVAILABLE), breaker=breaker, retries=NO_RETRIES)
    for _ in range(3):
        await fetch(things)

    assert [call.rejected_by for call in trace.calls] == [None, None, RejectedBy.BREAKER]


@pytest.mark.parametrize("mode", [CallMode.NORMAL, CallMode.BYPASS_POLICIES])
async def test_passed_deadline_rejects_attempt(trace: Trace, mode: CallMode) -> None:
    change_context(deadline=now(), mode=mode)
    await fetch(build_client(Service(FINE)))

    assert trace.calls[0].rejected_by is RejectedBy.DEADLINE


async def test_attempt_that_bypasses_policies_is_recorded(trace: Trace) -> None:
    change_context(mode=CallMode.BYPASS_POLICIES)
    await fetch(build_client(Service(IS_UNAVAILABLE)))

    assert list_outcomes(trace.calls[0]) == [(1, Outcome.FAILED)]


@pytest.mark.parametrize("mode", [CallMode.NORMAL, CallMode.BYPASS_POLICIES])
async def test_bug_ends_attempt(trace: Trace, mode: CallMode) -> None:
    change_context(mode=mode)
    with pytest.raises(ZeroDivisionError):
        await fetch(build_client(Service(Step(raised=ZeroDivisionError()))))

    assert list_outcomes(trace.calls[0]) == [(1, Outcome.FAILED)]


async def test_attempts_without_observer_are_not_recorded(trace: Trace) -> None:
    change_context(observer=None)
    await fetch(build_client(Service(FINE)))

    assert trace.calls == []


async def test_attempts_of_concurrent_calls_are_told_apart(trace: Trace) -> None:
    things = build_client(Service(Step(after=0.1), Step(after=0.2), Step(after=0.3)))
    await asyncio.gather(*(fetch(things) for _ in range(3)))

    ends = [call.attempts[0].end for call in trace.calls]
    assert ends == [call.end for call in trace.calls]
    assert all(first < second for first, second in pairwise(end or 0 for end in ends))
