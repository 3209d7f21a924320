"""Which policies apply to the writes, repeats and undos of a commit."""

import asyncio
from collections.abc import Sequence
from typing import Final, TypeAlias

import pytest

from gateway.client.service_client import ServiceClient
from gateway.executions.memory_journal import MemoryJournal
from gateway.executions.registry import ExecutionRegistry
from gateway.railway import (
    Aggregate,
    Call,
    CallMode,
    CommitStart,
    CommitState,
    CommitTerms,
    Conflict,
    Err,
    Fault,
    Intent,
    Key,
    Ok,
    Run,
    RunContext,
    TimedOut,
    Unavailable,
    UpstreamFault,
    Write,
    WriteOutcome,
    railway,
)
from gateway.resilience.circuit_breaker import BreakerState
from gateway.resilience.policies import Policies, Rejection
from gateway.resilience.terms import BreakerTerms
from tests.client.scripted_service import AT_LIMIT, LAMP, LATE, THING, UNAVAILABLE, Thing, Wish
from tests.resilience.scripted_upstream import (
    FINE,
    FOREVER,
    HANGS,
    HANGS_UP,
    HEALTHY,
    IS_UNAVAILABLE,
    REFUSES,
    UNHEALTHY,
    Service,
    Step,
    attempt,
    client,
    crowd,
    fetch,
    now,
    open_breaker,
    policy_terms,
    set_deadline,
    settle,
)

MakeError: TypeAlias = Fault | Aggregate


def make(things: ServiceClient) -> Write[Thing, Conflict | UpstreamFault]:
    return things.write(
        "things.make",
        ("things",),
        Wish(text="a lamp"),
        answer=THING,
        undo=things.undos.get("things.unmake") or things.undo("things.unmake", ("things",)),
        declared={409: Conflict},
    )


STAYS_OPEN: Final = BreakerTerms(pause=9.0, max_pause=9.0)


@railway
async def one(run: Run[MakeError], write: Write[Thing, MakeError]) -> Thing:
    (thing,) = await run.commit("making", write)
    return thing


@railway
async def two(run: Run[MakeError], first: Write[Thing, MakeError], second: Write[Thing, MakeError]) -> Thing:
    thing, _ = await run.commit("making", first, second)
    return thing


@railway
async def with_a_read(
    run: Run[MakeError], write: Write[Thing, MakeError], read: Call[Thing, MakeError]
) -> tuple[Thing, Thing]:
    return await run.commit("making", write, read)


@railway
async def with_announcement(
    run: Run[MakeError], write: Write[Thing, MakeError], announcement: Write[Thing, MakeError]
) -> Thing | None:
    await run.commit("making", write)
    (announced,) = await run.stage("announce", announcement.best_effort(None))
    return announced


class Records:
    """A journal, and the record of the one execution in it."""

    def __init__(self) -> None:
        self.journal = MemoryJournal()
        self.context = RunContext(execution_id="exe-1", journal=self.journal)

    async def show(self) -> tuple[CommitState, Sequence[WriteOutcome]]:
        found = await self.journal.find("exe-1")
        assert found is not None
        return found.state, [write.outcome for write in found.writes]


@pytest.fixture
async def records() -> Records:
    return Records()


def methods(service: Service) -> Sequence[str]:
    """Return the methods of the requests that change something."""
    return [request.method for request in service.requests if request.method != "GET"]


def keys(service: Service) -> set[str]:
    return {request.headers["idempotency-key"] for request in service.requests if request.method == "POST"}


async def test_policies_retry_a_write_that_was_never_sent(records: Records) -> None:
    service = Service(REFUSES, REFUSES, FINE)
    things = client(service)

    assert await one.on(records.context)(make(things)) == Ok(LAMP)
    assert (len(service.requests), len(keys(service))) == (3, 1)
    assert things.policies.counts.retries == 2
    assert await records.show() == (CommitState.COMMITTED, [WriteOutcome.DONE])


@pytest.mark.parametrize("step", [HANGS_UP, IS_UNAVAILABLE, HANGS, Step(429), Step(408), Step(504)])
async def test_commit_repeats_a_write_that_may_have_been_sent(step: Step, records: Records) -> None:
    service = Service(step, FINE)
    things = client(service)

    assert await one.on(records.context)(make(things)) == Ok(LAMP)
    assert (len(service.requests), len(keys(service))) == (2, 1)
    assert (things.policies.counts.retries, things.policies.counts.calls) == (0, 2)
    assert await records.show() == (CommitState.COMMITTED, [WriteOutcome.DONE])


async def test_repeats_of_a_commit_bypass_an_open_breaker(records: Records) -> None:
    service = Service(Step(raised=HANGS_UP.raised, after=0.2), *[Step(500)] * 20, HANGS_UP, FINE)
    things = client(service, breaker=STAYS_OPEN)
    writing = asyncio.create_task(one.on(records.context)(make(things)))
    await asyncio.sleep(0.1)
    await crowd(20, lambda: fetch(things))
    result = await writing

    assert result == Ok(LAMP)
    assert things.breaker is BreakerState.OPEN
    assert (methods(service), len(keys(service))) == (["POST"] * 3, 1)
    assert await records.show() == (CommitState.COMMITTED, [WriteOutcome.DONE])


async def test_repeats_of_a_commit_bypass_a_full_limit(records: Records) -> None:
    service = Service(Step(raised=HANGS_UP.raised, after=0.01), HANGS, FINE)
    things = client(service, timeout=FOREVER, max_concurrency=1)
    writing = asyncio.create_task(one.on(records.context)(make(things)))
    await settle()
    reading = asyncio.create_task(fetch(things).make())
    result = await writing

    assert result == Ok(LAMP)
    assert (things.policies.in_flight, service.in_flight, reading.done()) == (1, 1, False)
    reading.cancel()


async def test_undos_bypass_an_open_breaker(records: Records) -> None:
    service = Service(FINE, Step(409, after=0.2), *[Step(500)] * 20, IS_UNAVAILABLE, FINE)
    things = client(service, breaker=STAYS_OPEN)
    writing = asyncio.create_task(two.on(records.context)(make(things), make(things)))
    await asyncio.sleep(0.1)
    await crowd(20, lambda: fetch(things))
    result = await writing

    assert isinstance(result, Err)
    assert isinstance(result.error, Conflict)
    assert things.breaker is BreakerState.OPEN
    assert methods(service) == ["POST", "POST", "DELETE", "DELETE"]
    assert await records.show() == (CommitState.UNDONE, [WriteOutcome.UNDONE, WriteOutcome.REFUSED])


async def test_undo_after_the_deadline_is_not_sent() -> None:
    service = Service(FINE)
    set_deadline(0.0005)
    result = await client(service).undo("things.unmake", ("things",)).attempt(Key("exe-1"))

    assert result == Err(TimedOut(LATE, source="things.unmake", budget=0.0, was_sent=False))
    assert service.requests == []


async def test_undo_retried_by_an_operator_bypasses_an_open_breaker() -> None:
    service, journal = Service(FINE), MemoryJournal()
    things = client(service)
    undo = things.undo("things.unmake", ("things",))
    key = Key("exe-1.making.0.things.make")
    await journal.begin(CommitStart("exe-1", "one", "making", (Intent("things.make", key, undo=undo.name),)))
    await journal.note("exe-1", key, WriteOutcome.STUCK, None)
    await journal.end("exe-1", CommitState.STUCK)
    await open_breaker(things, service)
    retried = await ExecutionRegistry[str](journal, {undo.name: undo}, CommitTerms()).retry("exe-1")

    assert isinstance(retried, Ok)
    assert retried.value.state is CommitState.UNDONE
    assert (methods(service), things.breaker) == (["DELETE"], BreakerState.OPEN)


async def test_write_rejected_by_the_breaker_needs_no_undo(records: Records) -> None:
    service = Service(FINE)
    things = client(service)
    await open_breaker(things, service)
    result = await one.on(records.context)(make(things))

    assert result == Err(Unavailable(UNAVAILABLE, source="things.make", retry_after=0.1, was_sent=False))
    assert (service.requests, now()) == ([], 0.0)
    assert await records.show() == (CommitState.UNDONE, [WriteOutcome.REFUSED])


async def test_shed_write_needs_no_undo(records: Records) -> None:
    service = Service(HANGS)
    things = client(service, max_concurrency=1)
    reading = asyncio.create_task(fetch(things).make())
    await settle()
    result = await one.on(records.context)(make(things))

    assert result == Err(Unavailable(AT_LIMIT, source="things.make", retry_after=1.0, was_sent=False))
    assert methods(service) == []
    assert await records.show() == (CommitState.UNDONE, [WriteOutcome.REFUSED])
    reading.cancel()


async def test_rejected_write_undoes_the_writes_before_it(records: Records) -> None:
    """The breaker opens during the first write; the second is not sent, and the first is undone."""
    service = Service(Step(after=0.2), *[Step(500)] * 20, FINE)
    things = client(service, breaker=STAYS_OPEN)
    writing = asyncio.create_task(two.on(records.context)(make(things), make(things)))
    await asyncio.sleep(0.1)
    await crowd(20, lambda: fetch(things))
    result = await writing

    assert isinstance(result, Err)
    assert result.error.code == "unavailable"
    assert methods(service) == ["POST", "DELETE"]
    assert await records.show() == (CommitState.UNDONE, [WriteOutcome.UNDONE, WriteOutcome.REFUSED])


async def test_read_in_a_commit_is_retried_like_any_read(records: Records) -> None:
    service = Service(FINE, IS_UNAVAILABLE, HANGS_UP, FINE)
    things = client(service)

    assert await with_a_read.on(records.context)(make(things), fetch(things)) == Ok((LAMP, LAMP))
    assert [request.method for request in service.requests] == ["POST", "GET", "GET", "GET"]
    assert things.policies.counts.retries == 2


async def test_best_effort_write_is_retried_under_the_same_key(records: Records) -> None:
    service, others = Service(FINE), Service(IS_UNAVAILABLE, HANGS_UP, FINE)
    result = await with_announcement.on(records.context)(make(client(service)), make(client(others)))

    assert result == Ok(LAMP)
    assert (methods(others), len(keys(others))) == (["POST"] * 3, 1)
    assert keys(others).isdisjoint(keys(service))


async def test_bypassed_call_is_made_once_and_ignored_by_the_breaker() -> None:
    """The breaker is open, the retry budget spent, the limit full: the call is made, and not retried."""
    policies = Policies("things", policy_terms(max_concurrency=1, breaker=BreakerTerms(minimum=60)))
    hanging = asyncio.create_task(policies.call(attempt(HEALTHY, after=FOREVER), CallMode.NORMAL))
    await settle()
    full = await policies.call(attempt(HEALTHY), CallMode.NORMAL)
    hanging.cancel()
    await settle()
    while policies.breaker is not BreakerState.OPEN:
        await policies.call(attempt(UNHEALTHY), CallMode.NORMAL)
    before = policies.counts.attempts

    assert full == Rejection(1.0, is_at_limit=True)
    assert policies.counts.retries_denied > 0
    assert await policies.call(attempt(UNHEALTHY), CallMode.BYPASS_POLICIES) == UNHEALTHY
    assert await policies.call(attempt(HEALTHY), CallMode.BYPASS_POLICIES) == HEALTHY
    assert policies.counts.attempts == before + 2
    assert policies.breaker is BreakerState.OPEN


async def test_calls_within_a_shaped_write_are_retried(records: Records) -> None:
    """Such calls are retried like any read, although the write itself is sent once."""
    service, others = Service(FINE), Service(IS_UNAVAILABLE, HANGS_UP, FINE)

    async def look_up(_: Thing) -> Thing:
        return (await fetch(client(others))).value_or(Thing(name="nothing"))

    shaped: Write[Thing, MakeError] = make(client(service)).map(look_up)

    assert await one.on(records.context)(shaped) == Ok(LAMP)
    assert (len(service.requests), len(others.requests)) == (1, 3)
