"""When a service is left alone, and when it is asked again."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import repeat
from typing import Final, TypeAlias

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.railway import Err, Ok, change_context, current_context
from gateway.resilience.circuit_breaker import Breaker, BreakerState, BreakerTerms
from gateway.resilience.evidence import Evidence
from gateway.resilience.policies import Policies
from tests.client.scripted_service import LAMP
from tests.resilience.scripted_upstream import (
    FINE,
    HANGS,
    HANGS_UP,
    REFUSES,
    Does,
    Service,
    away,
    client,
    crowd,
    fetch,
    have_left,
    now,
    open_breaker,
    settle,
)

PAUSE: Final = BreakerTerms().pause
CLOSED, OPEN, HALF_OPEN = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN
WELL, ILL, NONE = Evidence.WELL, Evidence.ILL, Evidence.NONE
TERMS: Final = BreakerTerms()


def shows(breaker: Breaker, *evidence: Evidence) -> BreakerState:
    """Make an attempt for each piece of *evidence*, one after the other; give the state after that."""
    for piece in evidence:
        era = breaker.admit()
        assert era is not None
        breaker.settle(era, piece)
    return breaker.state


def opened() -> Breaker:
    breaker = Breaker()
    assert shows(breaker, *repeat(ILL, 20)) is OPEN
    return breaker


async def half_open() -> Breaker:
    breaker = opened()
    await asyncio.sleep(PAUSE)
    assert breaker.state is HALF_OPEN
    return breaker


async def test_a_breaker_opens_when_half_of_twenty_attempts_have_failed() -> None:
    assert shows(Breaker(), *repeat(WELL, 10), *repeat(ILL, 10)) is OPEN


async def test_a_breaker_stays_closed_below_the_failure_rate() -> None:
    assert shows(Breaker(), *repeat(WELL, 51), *repeat(ILL, 49)) is CLOSED


async def test_nineteen_failures_are_too_few_to_say() -> None:
    breaker = Breaker()

    assert shows(breaker, *repeat(ILL, 19)) is CLOSED
    assert shows(breaker, ILL) is OPEN


async def test_only_the_last_hundred_attempts_count() -> None:
    breaker = Breaker()
    shows(breaker, *repeat(WELL, 1000))

    assert shows(breaker, *repeat(ILL, 49)) is CLOSED
    assert shows(breaker, ILL) is OPEN


async def test_failures_are_forgotten_by_number_too() -> None:
    breaker = Breaker()
    shows(breaker, *repeat(WELL, 60), *repeat(ILL, 49), *repeat(WELL, 100))

    assert shows(breaker, *repeat(ILL, 49)) is CLOSED


async def test_what_is_ten_seconds_old_does_not_count() -> None:
    breaker = Breaker()
    shows(breaker, *repeat(ILL, 19))
    await asyncio.sleep(10)

    assert shows(breaker, *repeat(ILL, 19)) is CLOSED
    await asyncio.sleep(9.9)
    assert shows(breaker, ILL) is OPEN


async def test_what_shows_nothing_counts_for_nothing() -> None:
    breaker = Breaker()

    assert shows(breaker, *repeat(ILL, 19), *repeat(NONE, 1000)) is CLOSED
    assert shows(breaker, ILL) is OPEN


async def test_an_open_breaker_lets_nobody_through_for_a_tenth_of_a_second() -> None:
    breaker = opened()
    await asyncio.sleep(0.09)

    assert breaker.admit() is None
    assert breaker.wait == pytest.approx(0.01)
    await asyncio.sleep(0.02)
    assert (breaker.state, breaker.wait) == (HALF_OPEN, 0)


async def test_each_probe_that_fails_has_the_breaker_open_for_twice_as_long_up_to_a_second() -> None:
    breaker = opened()
    waits = [breaker.wait]
    for _ in range(5):
        await asyncio.sleep(breaker.wait)
        shows(breaker, ILL)
        waits.append(breaker.wait)

    assert waits == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.0, 1.0])


async def test_a_breaker_that_has_closed_begins_with_the_shortest_pause_again() -> None:
    breaker = opened()
    await asyncio.sleep(breaker.wait)
    shows(breaker, ILL)
    await asyncio.sleep(breaker.wait)
    shows(breaker, WELL, WELL, WELL, *repeat(ILL, 20))

    assert breaker.wait == pytest.approx(PAUSE)


async def test_half_open_lets_three_through() -> None:
    breaker = await half_open()

    assert [breaker.admit() is None for _ in range(5)] == [False, False, False, True, True]
    assert (breaker.state, breaker.wait) == (HALF_OPEN, PAUSE)


async def test_a_breaker_closes_when_every_probe_succeeds() -> None:
    breaker = await half_open()

    assert shows(breaker, WELL, WELL) is HALF_OPEN
    assert shows(breaker, WELL) is CLOSED


async def test_probes_that_have_succeeded_keep_their_places() -> None:
    breaker = await half_open()
    shows(breaker, WELL, WELL)

    assert breaker.admit() is not None
    assert breaker.admit() is None


async def test_a_breaker_opens_again_at_the_first_probe_that_fails() -> None:
    breaker = await half_open()

    assert shows(breaker, WELL, WELL, ILL) is OPEN
    assert breaker.wait == pytest.approx(2 * PAUSE)
    assert breaker.admit() is None


async def test_a_probe_that_shows_nothing_gives_its_place_to_another() -> None:
    breaker = await half_open()
    eras = [breaker.admit() for _ in range(3)]
    full = breaker.admit()
    breaker.settle(eras[0] or 0, NONE)

    assert full is None
    assert breaker.admit() is not None
    assert breaker.admit() is None


async def test_a_breaker_that_has_closed_starts_afresh() -> None:
    breaker = await half_open()
    shows(breaker, WELL, WELL, WELL)

    assert shows(breaker, *repeat(ILL, 19)) is CLOSED
    assert shows(breaker, ILL) is OPEN


async def test_what_comes_late_of_attempts_from_before_a_change_counts_for_nothing() -> None:
    breaker = Breaker()
    eras = [breaker.admit() or 0 for _ in range(100)]
    shows(breaker, *repeat(ILL, 20))
    await asyncio.sleep(PAUSE)
    for evidence in (WELL, ILL):
        for era in eras:
            breaker.settle(era, evidence)

    assert breaker.state is HALF_OPEN
    assert shows(breaker, WELL, WELL) is HALF_OPEN
    for era in eras:
        breaker.settle(era, ILL)
    assert shows(breaker, WELL) is CLOSED
    for era in eras:
        breaker.settle(era, ILL)
    assert breaker.state is CLOSED


async def test_who_wants_to_hear_of_every_change_does() -> None:
    heard: list[BreakerState] = []
    breaker = Breaker(on_change=heard.append)
    shows(breaker, *repeat(ILL, 20))
    await asyncio.sleep(PAUSE)
    shows(breaker, ILL)
    await asyncio.sleep(2 * PAUSE)
    shows(breaker, WELL, WELL, WELL)

    assert heard == [OPEN, HALF_OPEN, OPEN, HALF_OPEN, CLOSED]


async def test_without_a_pause_no_more_get_through_half_open() -> None:
    breaker = Breaker(BreakerTerms(pause=0.0))
    shows(breaker, *repeat(ILL, 20))

    assert [breaker.admit() is None for _ in range(4)] == [False, False, False, True]


@dataclass
class Model:
    """A breaker that remembers everything and works it out anew each time."""

    terms: BreakerTerms
    state: BreakerState = CLOSED
    since: float = 0.0
    log: list[tuple[float, bool]] = field(default_factory=list[tuple[float, bool]])
    probes: int = 0
    changes: int = 0
    pause: float = 0.0

    def look(self) -> BreakerState:
        if self.state is OPEN and now() >= self.since + self.pause:
            self.become(HALF_OPEN)
        return self.state

    def lets_through(self) -> bool:
        match self.look():
            case BreakerState.CLOSED:
                return True
            case BreakerState.OPEN:
                return False
            case BreakerState.HALF_OPEN:
                is_free = self.probes + len(self.log) < self.terms.probes
                self.probes += is_free
                return is_free

    def hears(self, evidence: Evidence) -> None:
        self.probes -= self.state is HALF_OPEN
        if evidence is not NONE:
            self.log.append((now(), evidence is ILL))
        is_ill = [is_ill for at, is_ill in self.log if at > now() - self.terms.seconds][-self.terms.volume :]
        if self.state is HALF_OPEN:
            if evidence is ILL:
                self.pause = min(2 * self.pause, self.terms.longest_pause)
                self.become(OPEN)
            elif len(self.log) == self.terms.probes:
                self.become(CLOSED)
        elif (
            evidence is not NONE
            and len(is_ill) >= self.terms.minimum
            and sum(is_ill) / len(is_ill) >= self.terms.failure_rate
        ):
            self.pause = self.terms.pause
            self.become(OPEN)

    def become(self, state: BreakerState) -> None:
        self.state, self.since = state, now()
        self.log, self.probes = [], 0
        self.changes += 1


Move: TypeAlias = float | Evidence | None
"""To wait so long, to end the attempt that has been under way for longest, or to begin one."""

FEW: Final = BreakerTerms(
    volume=6, seconds=10.0, minimum=3, failure_rate=0.5, pause=0.5, longest_pause=1.5, probes=2
)
MOVES: Final = st.one_of(
    st.none(), st.sampled_from([ILL, ILL, WELL, NONE]), st.sampled_from([0.25, 0.5, 1.0, 4.0])
)


@given(st.lists(MOVES, max_size=120))
async def test_a_breaker_does_what_its_description_says(moves: Sequence[Move]) -> None:
    breaker, model = Breaker(FEW), Model(FEW)
    under_way: list[tuple[int, int]] = []
    for move in moves:
        match move:
            case None:
                era = breaker.admit()
                assert (era is not None) is model.lets_through()
                under_way += [] if era is None else [(era, model.changes)]
            case Evidence() if under_way:
                era, change = under_way.pop(0)
                breaker.settle(era, move)
                if change == model.changes:
                    model.hears(move)
            case float():
                await asyncio.sleep(move)
            case _:
                continue

        assert breaker.state is model.look()


# The rest is about the breaker in its place: between a call and a service.


ANSWERS_OF_THE_WELL: Final = [200, 307, 400, 401, 404, 418, 422]
ILLNESSES: Final = [
    pytest.param(REFUSES, id="refuses"),
    pytest.param(HANGS_UP, id="hangs up"),
    pytest.param(HANGS, id="hangs"),
    pytest.param(Does(content=b"lamp"), id="garbage"),
    pytest.param(Does(raised=httpx.ReadTimeout("")), id="times out"),
    pytest.param(Does(raised=httpx.DecodingError("")), id="no HTTP"),
    *(pytest.param(Does(status), id=str(status)) for status in (408, 500, 502, 503, 504, 599)),
]


@pytest.mark.parametrize("does", ILLNESSES)
async def test_a_service_that_fails_is_left_alone(does: Does) -> None:
    things = client(Service(does))
    await crowd(20, lambda: fetch(things))

    assert things.policies.counts.opened == 1


@pytest.mark.parametrize("status", ANSWERS_OF_THE_WELL)
async def test_a_service_that_answers_is_well_whatever_it_says(status: int) -> None:
    service = Service(Does(status))
    things = client(service)
    await crowd(50, lambda: fetch(things))
    service.does = [Does(500)]
    await crowd(49, lambda: fetch(things))

    assert things.breaker is CLOSED


async def test_to_be_asked_too_often_is_no_illness() -> None:
    things = client(Service(Does(429)))
    await crowd(100, lambda: fetch(things))

    assert things.breaker is CLOSED


async def test_silence_for_less_than_the_timeout_shows_nothing() -> None:
    """As with `X-Request-Timeout-Ms`: impatient callers must not have a slow service left alone."""
    service = Service(HANGS)
    things = client(service)
    have_left(0.9)
    await crowd(100, lambda: fetch(things))

    assert len(service.requests) == 100
    assert things.breaker is CLOSED


async def test_a_service_is_in_trouble_until_ten_seconds_after_it_was_last_left_alone() -> None:
    breaker = opened()
    seen = [Breaker().is_in_trouble, breaker.is_in_trouble]
    await asyncio.sleep(9)
    seen.append(breaker.is_in_trouble)
    await asyncio.sleep(2)

    assert [*seen, breaker.is_in_trouble] == [False, True, True, False]
    assert breaker.state is HALF_OPEN


async def test_who_has_hardly_time_to_connect_is_late_and_shows_nothing() -> None:
    things = client(Service(Does(raised=httpx.ConnectTimeout(""))))
    have_left(0.02)
    results = await crowd(100, lambda: fetch(things))

    assert {result.match(str, lambda failure: failure.code) for result in results} == {"timed-out"}
    assert things.breaker is CLOSED


@pytest.mark.parametrize("status", [408, 504])
async def test_a_service_that_says_so_when_it_has_too_little_time_shows_nothing(status: int) -> None:
    """It is told how long it has, and some answer before the time is up rather than be silent."""
    things = client(Service(Does(status)))
    have_left(0.9)
    await crowd(100, lambda: fetch(things))

    assert things.breaker is CLOSED


@pytest.mark.parametrize(("left", "state"), [(0.44, CLOSED), (0.46, OPEN)])
async def test_silence_for_nine_tenths_of_what_an_optional_call_has_shows_that_a_service_is_ill(
    left: float, state: BreakerState
) -> None:
    service = Service(HANGS)
    things = client(service)
    change_context(replace(current_context(), optional_budget=0.5, is_optional=True))
    have_left(left)
    await crowd(100, lambda: fetch(things))

    assert (things.optional_breaker, things.breaker) == (state, CLOSED)


async def test_optional_calls_have_a_breaker_of_their_own() -> None:
    things = client(Service(Does(500)))
    await crowd(20, lambda: fetch(things).optional())

    assert (things.optional_breaker, things.breaker) == (OPEN, CLOSED)
    assert (things.policies.counts.optional_opened, things.policies.counts.opened) == (1, 0)
    assert isinstance((await fetch(things)), Err)
    assert things.policies.counts.broken == 0


async def test_an_open_breaker_answers_at_once_and_says_when_to_come_back() -> None:
    service = Service(FINE)
    things = client(service)
    await open_breaker(things, service)
    result = await fetch(things)

    assert result == away(PAUSE, was_sent=False)
    assert (service.requests, now()) == ([], 0.0)
    assert (things.policies.counts.broken, things.policies.counts.attempts) == (1, 20)


async def test_a_service_that_is_well_again_is_asked_as_before() -> None:
    service = Service(FINE)
    things = client(service)
    await open_breaker(things, service)
    await asyncio.sleep(PAUSE)
    results = await crowd(3, lambda: fetch(things))

    assert results == [Ok(LAMP)] * 3
    assert things.breaker is CLOSED
    assert things.policies.counts.opened == 1


async def test_of_a_crowd_that_comes_half_open_three_get_through() -> None:
    service = Service(FINE)
    things = client(service)
    await open_breaker(things, service)
    await asyncio.sleep(PAUSE)
    service.does = [Does(after=0.9)]
    results = await crowd(100, lambda: fetch(things))

    assert results.count(Ok(LAMP)) == len(service.requests) == 3
    assert results.count(away(PAUSE, was_sent=False)) == 97
    assert things.breaker is CLOSED


async def test_a_probe_that_is_cancelled_gives_its_place_to_another() -> None:
    service = Service(FINE)
    things = client(service)
    await open_breaker(things, service)
    await asyncio.sleep(PAUSE)
    service.does = [HANGS, HANGS, HANGS, FINE]
    probes = [asyncio.create_task(fetch(things).make()) for _ in range(3)]
    await settle()
    refused = await fetch(things)
    probes[0].cancel()
    await settle()

    assert refused == away(PAUSE, was_sent=False)
    assert await fetch(things) == Ok(LAMP)
    await asyncio.wait(probes)


async def test_who_has_waited_for_a_turn_is_refused_if_the_breaker_has_opened_meanwhile() -> None:
    service = Service(Does(500, after=0.05))
    things = client(service, at_once=20)
    results = await crowd(40, lambda: fetch(things))

    assert len(service.requests) == 20
    assert [result.match(str, lambda failure: failure.code) for result in results[20:]] == [
        "unavailable"
    ] * 20
    assert (things.policies.counts.broken, things.policies.in_flight) == (20, 0)


async def test_nobody_waits_for_a_place_to_be_refused_by_the_breaker() -> None:
    service = Service(Does(500))
    things = client(service, at_once=3)
    while things.breaker is CLOSED:
        await fetch(things)
    await asyncio.sleep(PAUSE)
    service.does = [HANGS]
    probes = [asyncio.create_task(fetch(things).make()) for _ in range(3)]
    await settle()
    began = now()

    assert await fetch(things) == away(PAUSE, was_sent=False)
    assert (now(), things.policies.in_flight) == (began, 3)
    await asyncio.wait(probes)


async def test_every_change_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    service = Service(FINE)
    things = client(service)
    await open_breaker(things, service)
    await asyncio.sleep(PAUSE)
    await crowd(3, lambda: fetch(things))
    said = [record for record in caplog.records if "breaker" in record.message]

    assert [record.message for record in said] == [
        f"the breaker of things is {state}" for state in ("open", "half-open", "closed")
    ]
    assert {record.levelno for record in said} == {logging.WARNING}


async def test_what_happens_is_counted() -> None:
    service = Service(REFUSES, FINE)
    things = client(service)
    await fetch(things)
    await open_breaker(things, service)
    await fetch(things)
    counts = things.policies.counts

    assert (counts.calls, counts.attempts, counts.retries) == (22, 22, 1)
    assert (counts.unaffordable, counts.broken, counts.shed, counts.opened) == (0, 1, 0, 1)


def test_a_breaker_can_be_had_on_other_terms() -> None:
    assert Policies("things", breaker=FEW).breaker is CLOSED
