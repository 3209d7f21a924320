"""When the circuit breaker opens and closes, and what it does to calls."""

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
    client,
    crowd,
    fetch,
    now,
    open_breaker,
    set_deadline,
    settle,
    unavailable,
)

PAUSE: Final = BreakerTerms().pause
CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN
HEALTHY, UNHEALTHY, NO_SIGNAL = HealthSignal.HEALTHY, HealthSignal.UNHEALTHY, HealthSignal.NONE
TERMS: Final = BreakerTerms()


def new_breaker(
    terms: BreakerTerms = TERMS, on_change: Callable[[BreakerState], None] = lambda _: None
) -> CircuitBreaker:
    return CircuitBreaker(terms, on_change)


def record(breaker: CircuitBreaker, *signals: HealthSignal) -> BreakerState:
    """Make an attempt for each of *signals*, one after the other; return the state after that."""
    for signal in signals:
        generation = breaker.admit()
        assert generation is not None
        breaker.record(generation, signal)
    return breaker.state


def opened_breaker() -> CircuitBreaker:
    breaker = new_breaker()
    assert record(breaker, *repeat(UNHEALTHY, 20)) is OPEN
    return breaker


async def half_open_breaker() -> CircuitBreaker:
    breaker = opened_breaker()
    await asyncio.sleep(PAUSE)
    assert breaker.state is HALF_OPEN
    return breaker


async def test_breaker_opens_when_half_of_twenty_attempts_failed() -> None:
    assert record(new_breaker(), *repeat(HEALTHY, 10), *repeat(UNHEALTHY, 10)) is OPEN


async def test_breaker_stays_closed_below_the_failure_rate() -> None:
    assert record(new_breaker(), *repeat(HEALTHY, 51), *repeat(UNHEALTHY, 49)) is CLOSED


async def test_breaker_stays_closed_below_the_minimum() -> None:
    breaker = new_breaker()

    assert record(breaker, *repeat(UNHEALTHY, 19)) is CLOSED
    assert record(breaker, UNHEALTHY) is OPEN


async def test_only_the_last_hundred_attempts_count() -> None:
    breaker = new_breaker()
    record(breaker, *repeat(HEALTHY, 1000))

    assert record(breaker, *repeat(UNHEALTHY, 49)) is CLOSED
    assert record(breaker, UNHEALTHY) is OPEN


async def test_old_failures_leave_the_last_hundred() -> None:
    breaker = new_breaker()
    record(breaker, *repeat(HEALTHY, 60), *repeat(UNHEALTHY, 49), *repeat(HEALTHY, 100))

    assert record(breaker, *repeat(UNHEALTHY, 49)) is CLOSED


async def test_attempts_older_than_the_window_do_not_count() -> None:
    breaker = new_breaker()
    record(breaker, *repeat(UNHEALTHY, 19))
    await asyncio.sleep(10)

    assert record(breaker, *repeat(UNHEALTHY, 19)) is CLOSED
    await asyncio.sleep(9.9)
    assert record(breaker, UNHEALTHY) is OPEN


async def test_attempts_without_signal_do_not_count() -> None:
    breaker = new_breaker()

    assert record(breaker, *repeat(UNHEALTHY, 19), *repeat(NO_SIGNAL, 1000)) is CLOSED
    assert record(breaker, UNHEALTHY) is OPEN


async def test_open_breaker_admits_nothing_for_its_pause() -> None:
    breaker = opened_breaker()
    await asyncio.sleep(0.09)

    assert breaker.admit() is None
    assert breaker.retry_after == pytest.approx(0.01)
    await asyncio.sleep(0.02)
    assert (breaker.state, breaker.retry_after) == (HALF_OPEN, 0)


async def test_failed_probes_double_the_pause_up_to_the_maximum() -> None:
    breaker = opened_breaker()
    waits = [breaker.retry_after]
    for _ in range(5):
        await asyncio.sleep(breaker.retry_after)
        record(breaker, UNHEALTHY)
        waits.append(breaker.retry_after)

    assert waits == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.0, 1.0])


async def test_closing_resets_the_pause() -> None:
    breaker = opened_breaker()
    await asyncio.sleep(breaker.retry_after)
    record(breaker, UNHEALTHY)
    await asyncio.sleep(breaker.retry_after)
    record(breaker, HEALTHY, HEALTHY, HEALTHY, *repeat(UNHEALTHY, 20))

    assert breaker.retry_after == pytest.approx(PAUSE)


async def test_half_open_admits_three_probes() -> None:
    breaker = await half_open_breaker()

    assert [breaker.admit() is None for _ in range(5)] == [False, False, False, True, True]
    assert (breaker.state, breaker.retry_after) == (HALF_OPEN, PAUSE)


async def test_breaker_closes_when_every_probe_succeeds() -> None:
    breaker = await half_open_breaker()

    assert record(breaker, HEALTHY, HEALTHY) is HALF_OPEN
    assert record(breaker, HEALTHY) is CLOSED


async def test_succeeded_probes_are_not_replaced() -> None:
    breaker = await half_open_breaker()
    record(breaker, HEALTHY, HEALTHY)

    assert breaker.admit() is not None
    assert breaker.admit() is None


async def test_first_failed_probe_reopens_the_breaker() -> None:
    breaker = await half_open_breaker()

    assert record(breaker, HEALTHY, HEALTHY, UNHEALTHY) is OPEN
    assert breaker.retry_after == pytest.approx(2 * PAUSE)
    assert breaker.admit() is None


async def test_probe_without_signal_is_replaced() -> None:
    breaker = await half_open_breaker()
    generations = [breaker.admit() for _ in range(3)]
    full = breaker.admit()
    breaker.record(generations[0] or 0, NO_SIGNAL)

    assert full is None
    assert breaker.admit() is not None
    assert breaker.admit() is None


async def test_closed_breaker_forgets_earlier_failures() -> None:
    breaker = await half_open_breaker()
    record(breaker, HEALTHY, HEALTHY, HEALTHY)

    assert record(breaker, *repeat(UNHEALTHY, 19)) is CLOSED
    assert record(breaker, UNHEALTHY) is OPEN


async def test_outcomes_from_an_earlier_generation_are_ignored() -> None:
    breaker = new_breaker()
    generations = [breaker.admit() or 0 for _ in range(100)]
    record(breaker, *repeat(UNHEALTHY, 20))
    await asyncio.sleep(PAUSE)
    for evidence in (HEALTHY, UNHEALTHY):
        for generation in generations:
            breaker.record(generation, evidence)

    assert breaker.state is HALF_OPEN
    assert record(breaker, HEALTHY, HEALTHY) is HALF_OPEN
    for generation in generations:
        breaker.record(generation, UNHEALTHY)
    assert record(breaker, HEALTHY) is CLOSED
    for generation in generations:
        breaker.record(generation, UNHEALTHY)
    assert breaker.state is CLOSED


async def test_on_change_is_called_with_every_state() -> None:
    states: list[BreakerState] = []
    breaker = new_breaker(on_change=states.append)
    record(breaker, *repeat(UNHEALTHY, 20))
    await asyncio.sleep(PAUSE)
    record(breaker, UNHEALTHY)
    await asyncio.sleep(2 * PAUSE)
    record(breaker, HEALTHY, HEALTHY, HEALTHY)

    assert states == [OPEN, HALF_OPEN, OPEN, HALF_OPEN, CLOSED]


async def test_shortest_pause_admits_probes_only() -> None:
    breaker = new_breaker(BreakerTerms(pause=1e-9))
    record(breaker, *repeat(UNHEALTHY, 20))
    await asyncio.sleep(1e-9)

    assert [breaker.admit() is None for _ in range(4)] == [False, False, False, True]


@dataclass
class Model:
    """A circuit breaker that keeps the whole history and recomputes its state each time."""

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
                is_free = self.probes + len(self.log) < self.terms.probes
                self.probes += is_free
                return is_free

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
"""Wait so long, end the oldest attempt with a signal, or begin an attempt."""

FEW: Final = BreakerTerms(
    volume=6, window=10.0, minimum=3, failure_rate=0.5, pause=0.5, max_pause=1.5, probes=2
)
MOVES: Final = st.one_of(
    st.none(),
    st.sampled_from([UNHEALTHY, UNHEALTHY, HEALTHY, NO_SIGNAL]),
    st.sampled_from([0.25, 0.5, 1.0, 4.0]),
)


@given(st.lists(MOVES, max_size=120))
async def test_breaker_behaves_like_its_model(moves: Sequence[Move]) -> None:
    breaker, model = new_breaker(FEW), Model(FEW)
    under_way: list[tuple[int, int]] = []
    for move in moves:
        match move:
            case None:
                generation = breaker.admit()
                assert (generation is not None) is model.admits()
                under_way += [] if generation is None else [(generation, model.changes)]
            case HealthSignal() if under_way:
                generation, change = under_way.pop(0)
                breaker.record(generation, move)
                if change == model.changes:
                    model.record(move)
            case float():
                await asyncio.sleep(move)
            case _:
                continue

        assert breaker.state is model.current()


# From here on the breaker is used by a client.


HEALTHY_STATUSES: Final = [200, 307, 400, 401, 404, 418, 422]
FAILURES: Final = [
    pytest.param(REFUSES, id="refuses"),
    pytest.param(HANGS_UP, id="hangs up"),
    pytest.param(HANGS, id="hangs"),
    pytest.param(Step(content=b"lamp"), id="garbage"),
    pytest.param(Step(raised=httpx.ReadTimeout("")), id="times out"),
    pytest.param(Step(raised=httpx.DecodingError("")), id="no HTTP"),
    *(pytest.param(Step(status), id=str(status)) for status in (408, 500, 502, 503, 504, 599)),
]


@pytest.mark.parametrize("step", FAILURES)
async def test_failures_open_the_breaker(step: Step) -> None:
    things = client(Service(step))
    await crowd(20, lambda: fetch(things))

    assert things.policies.counts.breaker_opened == 1
    assert things.has_failed_recently


@pytest.mark.parametrize("status", HEALTHY_STATUSES)
async def test_answers_below_500_count_as_healthy(status: int) -> None:
    service = Service(Step(status))
    things = client(service)
    await crowd(50, lambda: fetch(things))
    service.steps = [Step(500)]
    await crowd(49, lambda: fetch(things))

    assert things.breaker is CLOSED


async def test_429_does_not_open_the_breaker() -> None:
    things = client(Service(Step(429)))
    await crowd(100, lambda: fetch(things))

    assert things.breaker is CLOSED


async def test_silence_below_the_timeout_is_no_signal() -> None:
    """A short `X-Request-Timeout-Ms` of some callers must not open the breaker for all."""
    service = Service(HANGS)
    things = client(service)
    set_deadline(0.9)
    await crowd(100, lambda: fetch(things))

    assert len(service.requests) == 100
    assert things.breaker is CLOSED


async def test_has_failed_recently_ends_a_window_after_the_pause() -> None:
    breaker = opened_breaker()
    seen = [new_breaker().has_failed_recently, breaker.has_failed_recently]
    await asyncio.sleep(9)
    seen.append(breaker.has_failed_recently)
    await asyncio.sleep(2)

    assert [*seen, breaker.has_failed_recently] == [False, True, True, False]
    assert breaker.state is HALF_OPEN


async def test_connect_timeout_near_the_deadline_is_no_signal() -> None:
    things = client(Service(Step(raised=httpx.ConnectTimeout(""))))
    set_deadline(0.02)
    results = await crowd(100, lambda: fetch(things))

    assert {result.match(str, lambda failure: failure.code) for result in results} == {"timed-out"}
    assert things.breaker is CLOSED


@pytest.mark.parametrize("status", [408, 504])
async def test_408_and_504_near_the_deadline_are_no_signal(status: int) -> None:
    """A service that knows its budget may answer 408 or 504 just before it ends."""
    things = client(Service(Step(status)))
    set_deadline(0.9)
    await crowd(100, lambda: fetch(things))

    assert things.breaker is CLOSED


@pytest.mark.parametrize(("left", "state"), [(0.44, CLOSED), (0.46, OPEN)])
async def test_silence_for_most_of_the_optional_budget_is_a_failure(left: float, state: BreakerState) -> None:
    service = Service(HANGS)
    things = client(service)
    change_context(replace(current_context(), optional_budget=0.5, is_optional=True))
    set_deadline(left)
    await crowd(100, lambda: fetch(things))

    assert (things.optional_breaker, things.breaker) == (state, CLOSED)


async def test_optional_calls_have_their_own_breaker() -> None:
    things = client(Service(Step(500)))
    await crowd(20, lambda: fetch(things).optional())

    assert (things.optional_breaker, things.breaker) == (OPEN, CLOSED)
    assert (things.policies.counts.optional_breaker_opened, things.policies.counts.breaker_opened) == (1, 0)
    assert isinstance((await fetch(things)), Err)
    assert things.policies.counts.short_circuited == 0


async def test_open_breaker_rejects_at_once_with_retry_after() -> None:
    service = Service(FINE)
    things = client(service)
    await open_breaker(things, service)
    result = await fetch(things)

    assert result == unavailable(PAUSE, was_sent=False)
    assert (service.requests, now()) == ([], 0.0)
    assert (things.policies.counts.short_circuited, things.policies.counts.attempts) == (1, 20)


async def test_recovered_service_gets_all_calls_again() -> None:
    service = Service(FINE)
    things = client(service)
    await open_breaker(things, service)
    await asyncio.sleep(PAUSE)
    results = await crowd(3, lambda: fetch(things))

    assert results == [Ok(LAMP)] * 3
    assert things.breaker is CLOSED
    assert things.policies.counts.breaker_opened == 1


async def test_half_open_rejects_a_crowd_but_three() -> None:
    service = Service(FINE)
    things = client(service)
    await open_breaker(things, service)
    await asyncio.sleep(PAUSE)
    service.steps = [Step(after=0.9)]
    results = await crowd(100, lambda: fetch(things))

    assert results.count(Ok(LAMP)) == len(service.requests) == 3
    assert results.count(unavailable(PAUSE, was_sent=False)) == 97
    assert things.breaker is CLOSED


async def test_cancelled_probe_is_replaced() -> None:
    service = Service(FINE)
    things = client(service)
    await open_breaker(things, service)
    await asyncio.sleep(PAUSE)
    service.steps = [HANGS, HANGS, HANGS, FINE]
    probes = [asyncio.create_task(fetch(things).make()) for _ in range(3)]
    await settle()
    refused = await fetch(things)
    probes[0].cancel()
    await settle()

    assert refused == unavailable(PAUSE, was_sent=False)
    assert await fetch(things) == Ok(LAMP)
    await asyncio.wait(probes)


async def test_breaker_that_opens_meanwhile_rejects_queued_calls() -> None:
    service = Service(Step(500, after=0.05))
    things = client(service, max_concurrency=20)
    results = await crowd(40, lambda: fetch(things))

    assert len(service.requests) == 20
    assert [result.match(str, lambda failure: failure.code) for result in results[20:]] == [
        "unavailable"
    ] * 20
    assert (things.policies.counts.short_circuited, things.policies.in_flight) == (20, 0)


async def test_breaker_rejects_without_queueing() -> None:
    service = Service(Step(500))
    things = client(service, max_concurrency=3)
    while things.breaker is CLOSED:
        await fetch(things)
    await asyncio.sleep(PAUSE)
    service.steps = [HANGS]
    probes = [asyncio.create_task(fetch(things).make()) for _ in range(3)]
    await settle()
    began = now()

    assert await fetch(things) == unavailable(PAUSE, was_sent=False)
    assert (now(), things.policies.in_flight) == (began, 3)
    await asyncio.wait(probes)


async def test_every_state_change_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    service = Service(FINE)
    things = client(service)
    await open_breaker(things, service)
    await asyncio.sleep(PAUSE)
    await crowd(3, lambda: fetch(things))
    changes = [record for record in caplog.records if "breaker" in record.message]

    assert [record.message for record in changes] == [
        f"circuit breaker of things is {state}" for state in ("open", "half-open", "closed")
    ]
    assert {record.levelno for record in changes} == {logging.WARNING}


async def test_policies_count_calls_attempts_and_rejections() -> None:
    service = Service(REFUSES, FINE)
    things = client(service)
    await fetch(things)
    await open_breaker(things, service)
    await fetch(things)
    counts = things.policies.counts

    assert (counts.calls, counts.attempts, counts.retries) == (22, 22, 1)
    assert (counts.retries_denied, counts.short_circuited, counts.shed, counts.breaker_opened) == (0, 1, 0, 1)


async def test_breaker_terms_are_settable_per_service() -> None:
    things = client(Service(Step(500)), breaker=FEW)
    await crowd(3, lambda: fetch(things))

    assert things.breaker is OPEN
