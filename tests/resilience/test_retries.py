"""Retries: their conditions, backoff and budget."""

import asyncio
from collections.abc import Sequence

import httpx
import pytest
from typing_extensions import override

from gateway.railway import (
    BadAnswer,
    CallMode,
    CallOutcome,
    CallSpan,
    Conflict,
    Err,
    Fault,
    Forbidden,
    Invalid,
    NotFound,
    Observer,
    Ok,
    RateLimited,
    RunContext,
    Unavailable,
    change_context,
)
from gateway.resilience.terms import BreakerTerms
from tests.client.scripted_service import LAMP, UNUSABLE
from tests.resilience.scripted_upstream import (
    FINE,
    HANGS,
    HANGS_UP,
    IS_UNAVAILABLE,
    REFUSES,
    Service,
    Step,
    build_client,
    build_timed_out,
    build_unavailable,
    call_at_once,
    fetch,
    now,
    set_deadline,
    settle,
)

NEVER_OPENS = BreakerTerms(volume=1_000_000, minimum=1_000_000)


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(REFUSES, id="connection refused"),
        pytest.param(HANGS_UP, id="connection lost"),
        pytest.param(HANGS, id="hangs"),
        pytest.param(Step(raised=httpx.ConnectTimeout("")), id="connect timeout"),
        *(pytest.param(Step(status), id=str(status)) for status in (408, 429, 502, 503, 504)),
        *(pytest.param(Step(status), id=str(status)) for status in (520, 522, 524)),
    ],
)
async def test_transient_failure_is_retried(step: Step) -> None:
    service = Service(step, FINE)

    assert await fetch(build_client(service)) == Ok(LAMP)
    assert len(service.requests) == 2


async def test_call_makes_at_most_three_attempts() -> None:
    service = Service(IS_UNAVAILABLE)

    assert await fetch(build_client(service)) == build_unavailable()
    assert len(service.requests) == 3


@pytest.mark.parametrize(
    "status", [300, 307, 400, 401, 403, 404, 409, 410, 418, 422, 499, 500, 501, 505, 521]
)
async def test_non_transient_status_is_not_retried(status: int) -> None:
    service = Service(Step(status))

    assert await fetch(build_client(service)) == Err(BadAnswer(UNUSABLE, source="things.fetch"))
    assert len(service.requests) == 1


async def test_unusable_answer_is_not_retried() -> None:
    service = Service(Step(content=b"lamp"))

    assert await fetch(build_client(service)) == Err(BadAnswer(UNUSABLE, source="things.fetch"))
    assert len(service.requests) == 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (403, Forbidden),
        (404, NotFound),
        (408, Conflict),
        (409, Conflict),
        (422, Invalid),
        (429, RateLimited),
        (429, Unavailable),
        (503, Unavailable),
    ],
)
async def test_declared_status_is_not_retried(status: int, kind: type[Fault]) -> None:
    service = Service(Step(status))
    result = await fetch(build_client(service), {status: kind})

    assert isinstance(result, Err)
    assert isinstance(result.error, kind)
    assert len(service.requests) == 1


async def test_call_fails_with_failure_of_last_attempt() -> None:
    service = Service(REFUSES, IS_UNAVAILABLE, Step(504))
    result = await fetch(build_client(service))

    assert isinstance(result, Err)
    assert (result.error.code, len(service.requests)) == ("timed-out", 3)


async def test_unusable_answer_ends_retries() -> None:
    service = Service(REFUSES, Step(500))

    assert await fetch(build_client(service)) == Err(BadAnswer(UNUSABLE, source="things.fetch"))
    assert len(service.requests) == 2


async def test_rejected_retry_keeps_earlier_failure() -> None:
    """Twenty failures open the breaker while every call waits for its retry."""
    service = Service(Step(504))
    things = build_client(service)
    results = await call_at_once(20, lambda: fetch(things))

    assert [result.error.code for result in results if isinstance(result, Err)] == ["timed-out"] * 20
    assert things.policies.counts.breaker_opened == 1
    assert len(service.requests) == 20


async def test_backoff_has_full_jitter() -> None:
    pauses: list[tuple[float, float]] = []
    for _ in range(200):
        service = Service(IS_UNAVAILABLE)
        await fetch(build_client(service))
        first, second = service.pauses
        pauses.append((first, second))

    _assert_uniform([first for first, _ in pauses], 0.05)
    _assert_uniform([second for _, second in pauses], 0.1)


def _assert_uniform(pauses: Sequence[float], longest: float) -> None:
    """Assert that about a quarter of *pauses* falls into each quarter of the range up to *longest*."""
    assert all(0 <= pause <= longest + 1e-9 for pause in pauses)
    quarters = [min(int(4 * pause / longest), 3) for pause in pauses]
    assert all(20 <= quarters.count(quarter) <= 85 for quarter in range(4))


async def test_retry_after_extends_backoff() -> None:
    service = Service(Step(503, retry_after="2"), Step(429, retry_after="1"), FINE)
    set_deadline(5.0)

    assert await fetch(build_client(service)) == Ok(LAMP)
    first, second = service.pauses
    assert 2 <= first <= 2.05
    assert 1 <= second <= 1.1


async def test_retry_after_of_proxy_extends_backoff() -> None:
    service = Service(Step(502, retry_after="2"), FINE)

    assert await fetch(build_client(service)) == Ok(LAMP)
    assert 2 <= service.pauses[0] <= 2.05


async def test_lasting_proxy_failure_is_bad_answer() -> None:
    service = Service(Step(522))
    result = await fetch(build_client(service))

    assert result == Err(BadAnswer(UNUSABLE, source="things.fetch", is_transient=True))
    assert len(service.requests) == 3


async def test_retry_after_past_deadline_ends_call() -> None:
    service = Service(Step(503, retry_after="2"))
    set_deadline(2.0)

    assert await fetch(build_client(service)) == build_unavailable(2.0)
    assert (len(service.requests), now()) == (1, 0.0)


async def test_retry_after_over_maximum_ends_call() -> None:
    """A call is not retried if the service asks for more than ten seconds."""
    within, beyond = Service(Step(503, retry_after="9"), FINE), Service(Step(503, retry_after="11"), FINE)

    assert await fetch(build_client(within)) == Ok(LAMP)
    assert 9 <= now() <= 9.05
    assert await fetch(build_client(beyond)) == build_unavailable(11)


@pytest.mark.parametrize("calls", [1, 19, 50, 200])
async def test_retries_stay_within_budget(calls: int) -> None:
    """At most a fifth of the calls plus ten are retried."""
    things = build_client(Service(IS_UNAVAILABLE), breaker=NEVER_OPENS)
    await call_at_once(calls, lambda: fetch(things))
    counts = things.policies.counts

    assert counts.calls == calls
    assert counts.retries == min(2 * calls, int(10 + 0.2 * calls))
    assert counts.attempts == calls + counts.retries
    assert (counts.retries_denied == 0) is (counts.retries == 2 * calls)


async def test_retry_budget_recovers_after_window() -> None:
    things = build_client(Service(IS_UNAVAILABLE), breaker=NEVER_OPENS)
    counts = things.policies.counts
    await call_at_once(50, lambda: fetch(things))
    spent = counts.retries
    await fetch(things)
    unspent = counts.retries
    await asyncio.sleep(11)
    await call_at_once(50, lambda: fetch(things))

    assert spent == unspent == 20
    assert counts.retries == 2 * 20


async def test_services_have_own_retry_budgets() -> None:
    things, others = (build_client(Service(IS_UNAVAILABLE), breaker=NEVER_OPENS) for _ in range(2))
    await call_at_once(50, lambda: fetch(things))
    await fetch(others)
    counts = others.policies.counts

    assert things.policies.counts.retries_denied > 0
    assert (counts.retries, counts.retries_denied) == (2, 0)


async def test_open_breaker_prevents_retries() -> None:
    """A retry that the breaker would reject costs neither time nor budget."""
    service = Service(FINE)
    things = build_client(service)
    service.steps = [Step(500)] * 19 + [IS_UNAVAILABLE]
    results = await call_at_once(20, lambda: fetch(things))

    assert results[-1] == build_unavailable()
    assert now() == 0.0
    assert (things.policies.counts.retries, things.policies.counts.retries_denied) == (0, 0)


async def test_cancelled_backoff_leaks_nothing() -> None:
    service = Service(Step(503, retry_after="9"), FINE)
    things = build_client(service)
    call = asyncio.create_task(fetch(things).make())
    await asyncio.sleep(3)
    call.cancel()

    with pytest.raises(asyncio.CancelledError):
        await call
    assert now() == 3
    assert (things.policies.in_flight, things.policies.waiting, len(service.requests)) == (0, 0, 1)
    assert await fetch(things) == Ok(LAMP)


async def test_cancelled_queueing_leaks_nothing() -> None:
    service = Service(HANGS)
    things = build_client(service, max_concurrency=1)
    calls = [asyncio.create_task(fetch(things).make()) for _ in range(2)]
    await settle()
    queued = things.policies.waiting
    for call in calls:
        call.cancel()
    await asyncio.wait(calls)

    assert queued == 1
    assert (now(), things.policies.in_flight, things.policies.waiting, service.in_flight) == (0, 0, 0, 0)


async def test_cancelled_retry_is_counted() -> None:
    service = Service(IS_UNAVAILABLE, HANGS)
    things = build_client(service)
    call = asyncio.create_task(fetch(things).make())
    await asyncio.sleep(0.5)
    call.cancel()
    await asyncio.wait([call])

    assert (things.policies.counts.attempts, things.policies.counts.retries) == (2, 1)


class RecordingObserver(Observer):
    """Observer that records the calls that start and end."""

    def __init__(self) -> None:
        self.events: list[str] = []

    @override
    def call_started(self, call: CallSpan, /) -> None:
        self.events.append(f"{call.name} started")

    @override
    def call_ended(self, call: CallSpan, outcome: CallOutcome, /) -> None:
        self.events.append(f"{call.name} ended: {outcome}")


async def test_observer_sees_retries_as_one_call() -> None:
    service, observer = Service(REFUSES, REFUSES, FINE), RecordingObserver()
    change_context(RunContext(observer=observer))
    await fetch(build_client(service))

    assert len(service.requests) == 3
    assert observer.events == ["things.fetch started", f"things.fetch ended: {Ok(LAMP)}"]


@pytest.mark.parametrize("step", [REFUSES, Step(raised=httpx.PoolTimeout(""))])
async def test_send_once_mode_retries_unsent_request(step: Step) -> None:
    service = Service(step, FINE)
    change_context(RunContext(mode=CallMode.SEND_ONCE))

    assert await fetch(build_client(service)) == Ok(LAMP)
    assert len(service.requests) == 2


@pytest.mark.parametrize(
    "step", [HANGS_UP, IS_UNAVAILABLE, HANGS, *map(Step, (408, 429, 502, 504, 520, 522, 524))]
)
async def test_send_once_mode_never_retries_sent_request(step: Step) -> None:
    service = Service(step, FINE)
    change_context(RunContext(mode=CallMode.SEND_ONCE))
    result = await fetch(build_client(service))

    assert isinstance(result, Err)
    assert len(service.requests) == 1


async def test_deadline_ends_retries() -> None:
    service = Service(HANGS)
    set_deadline(1.0)

    assert await fetch(build_client(service)) == build_timed_out(1.0)
    assert (len(service.requests), now()) == (1, 1.0)


async def test_shed_calls_add_no_retry_budget() -> None:
    service = Service(Step(after=9.0))
    things = build_client(service, timeout=10.0, max_concurrency=20, breaker=NEVER_OPENS)
    await call_at_once(1000, lambda: fetch(things))
    service.steps = [IS_UNAVAILABLE]
    await call_at_once(20, lambda: fetch(things))
    counts = things.policies.counts

    assert (counts.shed, counts.calls) == (980, 1020)
    assert counts.retries == 10 + 0.2 * (20 + 20)


async def test_optional_calls_have_own_retry_budget() -> None:
    things = build_client(Service(IS_UNAVAILABLE), breaker=NEVER_OPENS)
    await call_at_once(50, lambda: fetch(things).optional())
    spent = things.policies.counts.retries
    await fetch(things)

    assert (spent, things.policies.counts.retries) == (20, 22)


async def test_cancelled_backoff_costs_no_budget() -> None:
    """A call that is cancelled during its pause takes nothing from the budget."""
    things = build_client(Service(IS_UNAVAILABLE), breaker=NEVER_OPENS)
    calls = [asyncio.create_task(fetch(things).make()) for _ in range(10)]
    await settle()
    for call in calls:
        call.cancel()
    await asyncio.wait(calls)
    await call_at_once(5, lambda: fetch(things))

    assert things.policies.counts.retries == 10
