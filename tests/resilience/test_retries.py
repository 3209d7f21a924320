"""What is made again, when, and how often."""

import asyncio
from collections.abc import Sequence

import httpx
import pytest

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
    Ok,
    RateLimited,
    RunContext,
    StageSpan,
    Unavailable,
    change_context,
)
from gateway.resilience.circuit_breaker import BreakerTerms
from gateway.resilience.policies import Policies
from tests.client.scripted_service import LAMP, UNUSABLE
from tests.resilience.scripted_upstream import (
    FINE,
    HANGS,
    HANGS_UP,
    ILL,
    IS_AWAY,
    REFUSES,
    WELL,
    Does,
    Service,
    away,
    client,
    crowd,
    fetch,
    have_left,
    late,
    makes,
    now,
    settle,
)

NEVER_OPENS = BreakerTerms(minimum=1_000_000)


@pytest.mark.parametrize(
    "does",
    [
        pytest.param(REFUSES, id="refuses"),
        pytest.param(HANGS_UP, id="hangs up"),
        pytest.param(HANGS, id="hangs"),
        pytest.param(Does(raised=httpx.ConnectTimeout("")), id="cannot be connected to"),
        *(pytest.param(Does(status), id=str(status)) for status in (408, 429, 503, 504)),
    ],
)
async def test_a_call_that_failed_is_made_again(does: Does) -> None:
    service = Service(does, FINE)

    assert await fetch(client(service)) == Ok(LAMP)
    assert len(service.requests) == 2


async def test_a_call_makes_three_attempts_at_the_most() -> None:
    service = Service(IS_AWAY)

    assert await fetch(client(service)) == away()
    assert len(service.requests) == 3


@pytest.mark.parametrize("status", [300, 307, 400, 401, 403, 404, 409, 410, 418, 422, 499, 500, 501, 502])
async def test_an_answer_that_makes_no_sense_is_the_last(status: int) -> None:
    service = Service(Does(status))

    assert await fetch(client(service)) == Err(BadAnswer(UNUSABLE, source="things.fetch"))
    assert len(service.requests) == 1


async def test_garbage_is_the_last_answer_too() -> None:
    service = Service(Does(content=b"lamp"))

    assert await fetch(client(service)) == Err(BadAnswer(UNUSABLE, source="things.fetch"))
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
async def test_what_the_service_declares_is_its_last_word(status: int, kind: type[Fault]) -> None:
    service = Service(Does(status))
    result = await fetch(client(service), {status: kind})

    assert isinstance(result, Err)
    assert isinstance(result.error, kind)
    assert len(service.requests) == 1


async def test_the_failure_is_that_of_the_last_attempt() -> None:
    service = Service(REFUSES, IS_AWAY, Does(504))
    result = await fetch(client(service))

    assert isinstance(result, Err)
    assert (result.error.code, len(service.requests)) == ("timed-out", 3)


async def test_an_answer_that_is_no_use_ends_the_attempts() -> None:
    service = Service(REFUSES, Does(500))

    assert await fetch(client(service)) == Err(BadAnswer(UNUSABLE, source="things.fetch"))
    assert len(service.requests) == 2


async def test_an_attempt_that_was_not_made_leaves_the_failure_of_the_one_before() -> None:
    """Together they open the breaker, while each of them pauses."""
    service = Service(Does(504))
    things = client(service)
    results = await crowd(20, lambda: fetch(things))

    assert [result.error.code for result in results if isinstance(result, Err)] == ["timed-out"] * 20
    assert things.policies.counts.opened == 1
    assert len(service.requests) == 20


async def test_the_pauses_are_random_and_short() -> None:
    pauses: list[tuple[float, float]] = []
    for _ in range(200):
        service = Service(IS_AWAY)
        await fetch(client(service))
        first, second = service.pauses
        pauses.append((first, second))

    _are_spread([first for first, _ in pauses], 0.05)
    _are_spread([second for _, second in pauses], 0.1)


def _are_spread(pauses: Sequence[float], longest: float) -> None:
    """Hold *pauses* to be uniform from nothing to *longest*: each quarter has its share, give or take."""
    assert all(0 <= pause <= longest + 1e-9 for pause in pauses)
    quarters = [min(int(4 * pause / longest), 3) for pause in pauses]
    assert all(20 <= quarters.count(quarter) <= 85 for quarter in range(4))


async def test_a_service_that_says_when_is_not_asked_before() -> None:
    service = Service(Does(503, retry_after="2"), Does(429, retry_after="1"), FINE)
    have_left(5.0)

    assert await fetch(client(service)) == Ok(LAMP)
    first, second = service.pauses
    assert 2 <= first <= 2.05
    assert 1 <= second <= 1.1


async def test_a_service_that_wants_more_time_than_there_is_is_not_asked_again() -> None:
    service = Service(Does(503, retry_after="2"))
    have_left(2.0)

    assert await fetch(client(service)) == away(2.0)
    assert (len(service.requests), now()) == (1, 0.0)


async def test_without_a_deadline_a_service_may_want_ten_seconds_and_no_more() -> None:
    patient, impatient = Service(Does(503, retry_after="9"), FINE), Service(Does(503, retry_after="11"), FINE)

    assert await fetch(client(patient)) == Ok(LAMP)
    assert 9 <= now() <= 9.05
    assert await fetch(client(impatient)) == away(11)


@pytest.mark.parametrize("calls", [1, 19, 50, 200])
async def test_of_calls_that_all_fail_a_fifth_is_made_again_and_ten_more(calls: int) -> None:
    policies = Policies("things", breaker=NEVER_OPENS)
    await asyncio.gather(*(policies.call(makes(ILL), CallMode.NORMAL) for _ in range(calls)))
    counts = policies.counts

    assert counts.calls == calls
    assert counts.retries == min(2 * calls, int(10 + 0.2 * calls))
    assert counts.attempts == calls + counts.retries
    assert (counts.unaffordable == 0) is (counts.retries == 2 * calls)


async def test_the_budget_recovers_after_ten_seconds() -> None:
    policies = Policies("things", breaker=NEVER_OPENS)
    calls = [makes(ILL)] * 50
    await asyncio.gather(*(policies.call(make, CallMode.NORMAL) for make in calls))
    spent = policies.counts.retries
    await policies.call(makes(ILL), CallMode.NORMAL)
    unspent = policies.counts.retries
    await asyncio.sleep(11)
    await asyncio.gather(*(policies.call(make, CallMode.NORMAL) for make in calls))

    assert spent == unspent == 20
    assert policies.counts.retries == 2 * 20


async def test_what_one_service_has_spent_another_has_not() -> None:
    things, others = Policies("things", breaker=NEVER_OPENS), Policies("others", breaker=NEVER_OPENS)
    await asyncio.gather(*(things.call(makes(ILL), CallMode.NORMAL) for _ in range(50)))
    await others.call(makes(ILL), CallMode.NORMAL)

    assert things.counts.unaffordable > 0
    assert (others.counts.retries, others.counts.unaffordable) == (2, 0)


async def test_a_retry_that_the_breaker_would_refuse_costs_nothing_and_nobody_waits_for_it() -> None:
    service = Service(FINE)
    things = client(service)
    service.does = [Does(500)] * 19 + [IS_AWAY]
    results = await crowd(20, lambda: fetch(things))

    assert results[-1] == away()
    assert now() == 0.0
    assert (things.policies.counts.retries, things.policies.counts.unaffordable) == (0, 0)


async def test_a_call_cancelled_in_its_pause_ends_at_once_and_leaves_nothing() -> None:
    service = Service(Does(503, retry_after="9"), FINE)
    things = client(service)
    call = asyncio.create_task(fetch(things).make())
    await asyncio.sleep(3)
    call.cancel()

    with pytest.raises(asyncio.CancelledError):
        await call
    assert now() == 3
    assert (things.policies.in_flight, things.policies.waiting, len(service.requests)) == (0, 0, 1)
    assert await fetch(things) == Ok(LAMP)


async def test_a_call_cancelled_in_the_queue_ends_at_once_and_leaves_nothing() -> None:
    service = Service(HANGS)
    things = client(service, at_once=1)
    calls = [asyncio.create_task(fetch(things).make()) for _ in range(2)]
    await settle()
    queued = things.policies.waiting
    for call in calls:
        call.cancel()
    await asyncio.wait(calls)

    assert queued == 1
    assert (now(), things.policies.in_flight, things.policies.waiting, service.in_flight) == (0, 0, 0, 0)


async def test_a_retry_that_is_cancelled_was_one_all_the_same() -> None:
    service = Service(IS_AWAY, HANGS)
    things = client(service)
    call = asyncio.create_task(fetch(things).make())
    await asyncio.sleep(0.5)
    call.cancel()
    await asyncio.wait([call])

    assert (things.policies.counts.attempts, things.policies.counts.retries) == (2, 1)


class Watching:
    """Keeps the calls that it hears of."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def stage_started(self, stage: StageSpan, /) -> None: ...
    def stage_ended(self, stage: StageSpan, /) -> None: ...
    def call_started(self, call: CallSpan, /) -> None:
        self.heard.append(f"{call.name} started")

    def call_ended(self, call: CallSpan, outcome: CallOutcome, /) -> None:
        self.heard.append(f"{call.name} came to {outcome}")


async def test_who_observes_hears_of_one_call_however_many_attempts_it_makes() -> None:
    service, watching = Service(REFUSES, REFUSES, FINE), Watching()
    change_context(RunContext(observer=watching))
    await fetch(client(service))

    assert len(service.requests) == 3
    assert watching.heard == ["things.fetch started", f"things.fetch came to {Ok(LAMP)}"]


@pytest.mark.parametrize("does", [REFUSES, Does(raised=httpx.PoolTimeout(""))])
async def test_what_must_be_sent_once_is_made_again_if_it_was_not_sent(does: Does) -> None:
    service = Service(does, FINE)
    change_context(RunContext(mode=CallMode.SEND_ONCE))

    assert await fetch(client(service)) == Ok(LAMP)
    assert len(service.requests) == 2


@pytest.mark.parametrize("does", [HANGS_UP, IS_AWAY, HANGS, Does(408), Does(429), Does(504)])
async def test_what_must_be_sent_once_is_sent_once(does: Does) -> None:
    service = Service(does, FINE)
    change_context(RunContext(mode=CallMode.SEND_ONCE))
    result = await fetch(client(service))

    assert isinstance(result, Err)
    assert len(service.requests) == 1


async def test_an_attempt_without_answer_and_time_is_the_last() -> None:
    service = Service(HANGS)
    have_left(1.0)

    assert await fetch(client(service)) == late(1.0)
    assert (len(service.requests), now()) == (1, 1.0)


async def test_calls_that_are_not_made_give_nobody_a_retry() -> None:
    policies = Policies("things", max_concurrency=20, breaker=NEVER_OPENS)
    await asyncio.gather(*(policies.call(makes(WELL, 9.0), CallMode.NORMAL) for _ in range(1000)))
    await asyncio.gather(*(policies.call(makes(ILL), CallMode.NORMAL) for _ in range(20)))
    counts = policies.counts

    assert (counts.shed, counts.calls) == (980, 1020)
    assert counts.retries == 10 + 0.2 * (20 + 20)


async def test_retries_of_optional_calls_cost_the_others_none() -> None:
    policies = Policies("things", breaker=NEVER_OPENS)
    await asyncio.gather(*(policies.call(makes(ILL), CallMode.NORMAL, is_optional=True) for _ in range(50)))
    spent = policies.counts.retries
    await policies.call(makes(ILL), CallMode.NORMAL)

    assert (spent, policies.counts.retries) == (20, 22)


async def test_a_retry_is_paid_when_it_is_made() -> None:
    """Whoever leaves during the pause costs nothing."""
    policies = Policies("things", breaker=NEVER_OPENS)
    calls = [asyncio.create_task(policies.call(makes(ILL), CallMode.NORMAL)) for _ in range(10)]
    await settle()
    for call in calls:
        call.cancel()
    await asyncio.wait(calls)
    await asyncio.gather(*(policies.call(makes(ILL), CallMode.NORMAL) for _ in range(5)))

    assert policies.counts.retries == 10
