"""Circuit breaker: its state changes, and its effect on calls."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import repeat
from typing import Final, TypeAlias

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.railway import Err, Ok, change_context, current_context
from gateway.resilience.attempt_outcome import HealthSignal
from gateway.resilience.circuit_breaker import BreakerState, CircuitBreaker
from gateway.resilience.terms import BreakerTerms
from tests.client.scripted_service import LAMP
from tests.resilience.scripted_upstream import (
    FINE,
    HANGS,
    HANGS_UP,
    REFUSES,
    Service,
    Step,
    build_client,
    build_unavailable,
    call_at_once,
    fetch,
    now,
    open_breaker,
    set_deadline,
    settle,
)

PAUSE: Final = BreakerTerms().pause
CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN
HEALTHY, UNHEALTHY, NO_SIGNAL = HealthSignal.HEALTHY, HealthSignal.UNHEALTHY, HealthSignal.NONE
TERMS: Final = BreakerTerms()


def build_breaker(
    terms: BreakerTerms = TERMS, on_change: Callable[[BreakerState], None] = lambda _: None
) -> CircuitBreaker:
    return CircuitBreaker(terms, on_change)


def record(breaker: CircuitBreaker, *signals: HealthSignal) -> BreakerState:
    """Make an attempt for each of *signals* in turn; return the state after the last."""
    for signal in signals:
        generation = breaker.admit()
        assert generation is not None
        breaker.record(generation, signal, now())
    return breaker.state


def build_open_breaker() -> CircuitBreaker:
    breaker = build_breaker()
    assert record(breaker, *repeat(UNHEALTHY, 20)) is OPEN
    return breaker


async def build_half_open_breaker() -> CircuitBreaker:
    breaker = build_open_breaker()
    await asyncio.sleep(PAUSE)
    assert breaker.state is HALF_OPEN
    return breaker


async def test_breaker_opens_when_half_of_attempts_fail() -> None:
    """The breaker opens when ten of twenty attempts have failed."""
    assert record(build_breaker(), *repeat(HEALTHY, 10), *repeat(UNHEALTHY, 10)) is OPEN


async def test_low_failure_rate_keeps_breaker_closed() -> None:
    assert record(build_breaker(), *repeat(HEALTHY, 51), *repeat(UNHEALTHY, 49)) is CLOSED


async def test_breaker_needs_twenty_attempts_to_open() -> None:
    breaker = build_breaker()

    assert record(breaker, *repeat(UNHEALTHY, 19)) is CLOSED
    assert record(breaker, UNHEALTHY) is OPEN


async def test_breaker_counts_last_hundred_attempts() -> None:
    breaker = build_breaker()
    record(breaker, *repeat(HEALTHY, 1000))

    assert record(breaker, *repeat(UNHEALTHY, 49)) is CLOSED
    assert record(breaker, UNHEALTHY) is OPEN


async def test_breaker_ignores_failures_before_last_hundred() -> None:
    breaker = build_breaker()
    record(breaker, *repeat(HEALTHY, 60), *repeat(UNHEALTHY, 49), *repeat(HEALTHY, 100))

    assert record(breaker, *repeat(UNHEALTHY, 49)) is CLOSED


async def test_breaker_ignores_expired_attempts() -> None:
    breaker = build_breaker()
    record(breaker, *repeat(UNHEALTHY, 19))
    await asyncio.sleep(10)

    assert record(breaker, *repeat(UNHEALTHY, 19)) is CLOSED
    await asyncio.sleep(9.9)
    assert record(breaker, UNHEALTHY) is OPEN


async def test_breaker_ignores_attempts_without_signal() -> None:
    breaker = build_breaker()

    assert record(breaker, *repeat(UNHEALTHY, 19), *repeat(NO_SIGNAL, 1000)) is CLOSED
    assert record(breaker, UNHEALTHY) is OPEN


async def test_open_breaker_rejects_during_pause() -> None:
    breaker = build_open_breaker()
    await asyncio.sleep(0.09)

    assert breaker.admit() is None
    assert breaker.retry_after == pytest.approx(0.01)
    await asyncio.sleep(0.02)
    assert (breaker.state, breaker.retry_after) == (HALF_OPEN, 0)


async def test_failed_probes_double_pause() -> None:
    """Each failed probe doubles the pause, up to the maximum."""
    breaker = build_open_breaker()
    waits = [breaker.retry_after]
    for _ in range(5):
        await asyncio.sleep(breaker.retry_after)
        record(breaker, UNHEALTHY)
        waits.append(breaker.retry_after)

    assert waits == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.0, 1.0])


async def test_pause_is_reset_when_breaker_closes() -> None:
    breaker = build_open_breaker()
    await asyncio.sleep(breaker.retry_after)
    record(breaker, UNHEALTHY)
    await asyncio.sleep(breaker.retry_after)
    record(breaker, HEALTHY, HEALTHY, HEALTHY, *repeat(UNHEALTHY, 20))

    assert breaker.retry_after == pytest.approx(PAUSE)


async def test_half_open_breaker_admits_three_probes() -> None:
    breaker = await build_half_open_breaker()

    assert [breaker.admit() is None for _ in range(5)] == [False, False, False, True, True]
    assert (breaker.state, breaker.retry_after) == (HALF_OPEN, PAUSE)


async def test_successful_probes_close_breaker() -> None:
    breaker = await build_half_open_breaker()

    assert record(breaker, HEALTHY, HEALTHY) is HALF_OPEN
    assert record(breaker, HEALTHY) is CLOSED


async def test_successful_probes_are_not_replaced() -> None:
    breaker = await build_half_open_breaker()
    record(breaker, HEALTHY, HEALTHY)

    assert breaker.admit() is not None
    assert breaker.admit() is None


async def test_failed_probe_reopens_breaker() -> None:
    breaker = await build_half_open_breaker()

    assert record(breaker, HEALTHY, HEALTHY, UNHEALTHY) is OPEN
    assert breaker.retry_after == pytest.approx(2 * PAUSE)
    assert breaker.admit() is None


async def test_probe_without_signal_is_replaced() -> None:
    breaker = await build_half_open_breaker()
    generations = [breaker.admit() for _ in range(3)]
    full = breaker.admit()
    breaker.record(generations[0] or 0, NO_SIGNAL, now())

    assert full is None
    assert breaker.admit() is not None
    assert breaker.admit() is None


async def test_breaker_forgets_failures_when_it_closes() -> None:
    breaker = await build_half_open_breaker()
    record(breaker, HEALTHY, HEALTHY, HEALTHY)

    assert record(breaker, *repeat(UNHEALTHY, 19)) is CLOSED
    assert record(breaker, UNHEALTHY) is OPEN


async def test_breaker_ignores_earlier_generations() -> None:
    """Outcomes of attempts from an earlier generation do not count."""
    breaker = build_breaker()
    generations = [breaker.admit() or 0 for _ in range(100)]
    record(breaker, *repeat(UNHEALTHY, 20))
    await asyncio.sleep(PAUSE)
    for signal in (HEALTHY, UNHEALTHY):
        for generation in generations:
            breaker.record(generation, signal, now())

    assert breaker.state is HALF_OPEN
    assert record(breaker, HEALTHY, HEALTHY) is HALF_OPEN
    for generation in generations:
        breaker.record(generation, UNHEALTHY, now())
    assert record(breaker, HEALTHY) is CLOSED
    for generation in generations:
        breaker.record(generation, UNHEALTHY, now())
    assert breaker.state is CLOSED


async def test_on_change_receives_every_state() -> None:
    states: list[BreakerState] = []
    breaker = build_breaker(on_change=states.append)
    record(breaker, *repeat(UNHEALTHY, 20))
    await asyncio.sleep(PAUSE)
    record(breaker, UNHEALTHY)
    await asyncio.sleep(2 * PAUSE)
    record(breaker, HEALTHY, HEALTHY, HEALTHY)

    assert states == [OPEN, HALF_OPEN, OPEN, HALF_OPEN, CLOSED]


async def test_breaker_probes_after_minimal_pause() -> None:
    breaker = build_breaker(BreakerTerms(pause=1e-9))
    record(breaker, *repeat(UNHEALTHY, 20))
    await asyncio.sleep(1e-9)

    assert [breaker.admit() is None for _ in range(4)] == [False, False, False, True]


@dataclass
class Model:
    """Reference circuit breaker, which keeps all outcomes and recomputes its state from them."""

    terms: BreakerTerms
    state: BreakerState = CLOSED
    since: float = 0.0
    log: list[tuple[float, bool]] = field(default_factory=list[tuple[float, bool]])
    probes: int = 0
    changes: int = 0
    pause: float = 0.0

    def current(self) -> BreakerState:
        if self.state is OPEN and now() >= self.since + self.pause:
            self.become(HALF_OPEN)
        return self.state

    def admits(self) -> bool:
        match self.current():
            case BreakerState.CLOSED:
                return True
            case BreakerState.OPEN:
                return False
            case BreakerState.HALF_OPEN:
                has_probe_left = self.probes + len(self.log) < self.terms.probes
                self.probes += has_probe_left
                return has_probe_left

    def record(self, signal: HealthSignal) -> None:
        self.probes -= self.state is HALF_OPEN
        if signal is not NO_SIGNAL:
            self.log.append((now(), signal is UNHEALTHY))
        recent = [is_failure for at, is_failure in self.log if at > now() - self.terms.window]
        failed = recent[-self.terms.volume :]
        if self.state is HALF_OPEN:
            if signal is UNHEALTHY:
                self.pause = min(2 * self.pause, self.terms.max_pause)
                self.become(OPEN)
            elif len(self.log) == self.terms.probes:
                self.become(CLOSED)
        elif (
            signal is not NO_SIGNAL
            and len(failed) >= self.terms.minimum
            and sum(failed) / len(failed) >= self.terms.failure_rate
        ):
            self.pause = self.terms.pause
            self.become(OPEN)

    def become(self, state: BreakerState) -> None:
        self.state, self.since = state, now()
        self.log, self.probes = [], 0
        self.changes += 1


Move: TypeAlias = float | HealthSignal | None
"""Seconds to wait, a signal that ends the oldest attempt, or None to begin an attempt."""

FEW: Final = BreakerTerms(
    volume=6, window=10.0, minimum=3, failure_rate=0.5, pause=0.5, max_pause=1.5, probes=2
)
MOVES: Final = st.one_of(
    st.none(),
    st.sampled_from([UNHEALTHY, UNHEALTHY, HEALTHY, NO_SIGNAL]),
    st.sampled_from([0.25, 0.5, 1.0, 4.0]),
)


@given(st.lists(MOVES, max_size=120))
async def test_breaker_matches_reference_model(moves: Sequence[Move]) -> None:
    breaker, model = build_breaker(FEW), Model(FEW)
    under_way: list[tuple[int, int]] = []
    for move in moves:
        match move:
            case None:
                generation = breaker.admit()
                assert (generation is not None) is model.admits()
                under_way += [] if generation is None else [(generation, model.changes)]
            case HealthSignal() if under_way:
                generation, change = under_way.pop(0)
                breaker.record(generation, move, now())
                if change == model.changes:
                    model.record(move)
            case float():
                await asyncio.sleep(move)
            case _:
                continue

        assert breaker.state is model.current()


# Circuit breaker of a client.


HEALTHY_STATUSES: Final = [200, 307, 400, 401, 404, 418, 422]
FAILURES: Final = [
    pytest.param(REFUSES, id="refuses"),
    pytest.param(HANGS_UP, id="hangs up"),
    pytest.param(HANGS, id="hangs"),
    pytest.param(Step(content=b"lamp"), id="garbage"),
    pytest.param(Step(raised=httpx.ReadTimeout("")), id="times out"),
    pytest.param(Step(raised=httpx.DecodingError("")), id="decoding error"),
    *(pytest.param(Step(status), id=str(status)) for status in (408, 500, 502, 503, 504, 599)),
]


@pytest.mark.parametrize("step", FAILURES)
async def test_upstream_failures_open_breaker(step: Step) -> None:
    things = build_client(Service(step))
    await call_at_once(20, lambda: fetch(things))

    assert things.policies.counts.breaker_opened == 1
    assert things.has_failed_recently


@pytest.mark.parametrize("status", HEALTHY_STATUSES)
async def test_most_statuses_below_500_count_as_healthy(status: int) -> None:
    """The exceptions are 408, which counts as a failure, and 429, which is no signal."""
    service = Service(Step(status))
    things = build_client(service)
    await call_at_once(50, lambda: fetch(things))
    service.steps = [Step(500)]
    await call_at_once(49, lambda: fetch(things))

    assert things.breaker is CLOSED


async def test_429_leaves_breaker_closed() -> None:
    things = build_client(Service(Step(429)))
    await call_at_once(100, lambda: fetch(things))

    assert things.breaker is CLOSED


async def test_short_deadline_leaves_breaker_closed() -> None:
    """A short `X-Request-Timeout-Ms` of some callers must not open the breaker for all callers."""
    service = Service(HANGS)
    things = build_client(service)
    set_deadline(0.9)
    await call_at_once(100, lambda: fetch(things))

    assert len(service.requests) == 100
    assert things.breaker is CLOSED


async def test_has_failed_recently_expires() -> None:
    """`has_failed_recently` is False again 10 s (the window) after the end of the pause."""
    breaker = build_open_breaker()
    seen = [build_breaker().has_failed_recently, breaker.has_failed_recently]
    await asyncio.sleep(9)
    seen.append(breaker.has_failed_recently)
    await asyncio.sleep(2)

    assert [*seen, breaker.has_failed_recently] == [False, True, True, False]
    assert breaker.state is HALF_OPEN


async def test_breaker_ignores_connect_timeout_at_deadline() -> None:
    things = build_client(Service(Step(raised=httpx.ConnectTimeout(""))))
    set_deadline(0.02)
    results = await call_at_once(100, lambda: fetch(things))

    assert {result.match(str, lambda failure: failure.code) for result in results} == {"timed-out"}
    assert things.breaker is CLOSED


@pytest.mark.parametrize("status", [408, 504])
async def test_breaker_ignores_408_and_504_at_deadline(status: int) -> None:
    """A service that knows its budget may answer 408 or 504 just before the budget is used up."""
    things = build_client(Service(Step(status)))
    set_deadline(0.9)
    await call_at_once(100, lambda: fetch(things))

    assert things.breaker is CLOSED


@pytest.mark.parametrize(("left", "state"), [(0.44, CLOSED), (0.46, OPEN)])
async def test_silence_opens_breaker_of_optional_calls(left: float, state: BreakerState) -> None:
    """A service that is silent for nine tenths of the optional budget counts as unhealthy."""
    service = Service(HANGS)
    things = build_client(service)
    change_context(replace(current_context(), optional_budget=0.5, is_optional=True))
    set_deadline(left)
    await call_at_once(100, lambda: fetch(things))

    assert (things.optional_breaker, things.breaker) == (state, CLOSED)


async def test_optional_calls_have_own_breaker() -> None:
    things = build_client(Service(Step(500)))
    await call_at_once(20, lambda: fetch(things).optional())

    assert (things.optional_breaker, things.breaker) == (OPEN, CLOSED)
    assert (things.policies.counts.optional_breaker_opened, things.policies.counts.breaker_opened) == (1, 0)
    assert isinstance((await fetch(things)), Err)
    assert things.policies.counts.short_circuited == 0


async def test_open_breaker_rejects_with_retry_after() -> None:
    service = Service(FINE)
    things = build_client(service)
    await open_breaker(things, service)
    result = await fetch(things)

    assert result == build_unavailable(PAUSE, was_sent=False)
    assert (service.requests, now()) == ([], 0.0)
    assert (things.policies.counts.short_circuited, things.policies.counts.attempts) == (1, 20)


async def test_recovered_service_gets_calls_again() -> None:
    service = Service(FINE)
    things = build_client(service)
    await open_breaker(things, service)
    await asyncio.sleep(PAUSE)
    results = await call_at_once(3, lambda: fetch(things))

    assert results == [Ok(LAMP)] * 3
    assert things.breaker is CLOSED
    assert things.policies.counts.breaker_opened == 1


async def test_client_sends_three_probes_when_half_open() -> None:
    """A half-open breaker rejects all calls of a crowd except three probes."""
    service = Service(FINE)
    things = build_client(service)
    await open_breaker(things, service)
    await asyncio.sleep(PAUSE)
    service.steps = [Step(after=0.9)]
    results = await call_at_once(100, lambda: fetch(things))

    assert results.count(Ok(LAMP)) == len(service.requests) == 3
    assert results.count(build_unavailable(PAUSE, was_sent=False)) == 97
    assert things.breaker is CLOSED


async def test_cancelled_probe_is_replaced() -> None:
    service = Service(FINE)
    things = build_client(service)
    await open_breaker(things, service)
    await asyncio.sleep(PAUSE)
    service.steps = [HANGS, HANGS, HANGS, FINE]
    probes = [asyncio.create_task(fetch(things).make()) for _ in range(3)]
    await settle()
    refused = await fetch(things)
    probes[0].cancel()
    await settle()

    assert refused == build_unavailable(PAUSE, was_sent=False)
    assert await fetch(things) == Ok(LAMP)
    await asyncio.wait(probes)


async def test_opening_breaker_rejects_queued_calls() -> None:
    """A breaker that opens while calls are queued rejects them."""
    service = Service(Step(500, after=0.05))
    things = build_client(service, max_concurrency=20)
    results = await call_at_once(40, lambda: fetch(things))

    assert len(service.requests) == 20
    assert [result.match(str, lambda failure: failure.code) for result in results[20:]] == [
        "unavailable"
    ] * 20
    assert (things.policies.counts.short_circuited, things.policies.in_flight) == (20, 0)


async def test_call_rejected_by_breaker_does_not_queue() -> None:
    service = Service(Step(500))
    things = build_client(service, max_concurrency=3)
    while things.breaker is CLOSED:
        await fetch(things)
    await asyncio.sleep(PAUSE)
    service.steps = [HANGS]
    probes = [asyncio.create_task(fetch(things).make()) for _ in range(3)]
    await settle()
    began = now()

    assert await fetch(things) == build_unavailable(PAUSE, was_sent=False)
    assert (now(), things.policies.in_flight) == (began, 3)
    await asyncio.wait(probes)


async def test_breaker_logs_every_state_change(caplog: pytest.LogCaptureFixture) -> None:
    service = Service(FINE)
    things = build_client(service)
    await open_breaker(things, service)
    await asyncio.sleep(PAUSE)
    await call_at_once(3, lambda: fetch(things))
    changes = [record for record in caplog.records if "breaker" in record.message]

    assert [record.message for record in changes] == [
        f"circuit breaker of required calls to things.fetch is {state}"
        for state in ("open", "half-open", "closed")
    ]
    assert {record.levelno for record in changes} == {logging.WARNING}


async def test_policies_count_calls_and_rejections() -> None:
    service = Service(REFUSES, FINE)
    things = build_client(service)
    await fetch(things)
    await open_breaker(things, service)
    await fetch(things)
    counts = things.policies.counts

    assert (counts.calls, counts.attempts, counts.retries) == (22, 22, 1)
    assert (counts.retries_denied, counts.short_circuited, counts.shed, counts.breaker_opened) == (0, 1, 0, 1)


async def test_breaker_uses_terms_of_its_service() -> None:
    things = build_client(Service(Step(500)), breaker=FEW)
    await call_at_once(3, lambda: fetch(things))

    assert things.breaker is OPEN
