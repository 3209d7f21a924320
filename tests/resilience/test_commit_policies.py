"""What the policies do for the writes of a commit, and what they must not do."""

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
from gateway.resilience.circuit_breaker import BreakerState, BreakerTerms
from gateway.resilience.policies import Policies, Refused
from tests.client.scripted_service import BUSY, LAMP, LATE, THING, UNAVAILABLE, Thing, Wish
from tests.resilience.scripted_upstream import (
    FINE,
    FOREVER,
    HANGS,
    HANGS_UP,
    ILL,
    IS_AWAY,
    REFUSES,
    WELL,
    Does,
    Service,
    client,
    crowd,
    fetch,
    have_left,
    makes,
    now,
    open_breaker,
    settle,
)

MakeError: TypeAlias = Fault | Aggregate
TAKEN: Final = Does(409, content=b"{}")


def make(things: ServiceClient) -> Write[Thing, Conflict | UpstreamFault]:
    return things.write(
        "things.make",
        ("things",),
        Wish(text="a lamp"),
        answer=THING,
        undo=things.undo("things.unmake", ("things",)),
        declared={409: Conflict},
    )


STAYS_OPEN: Final = BreakerTerms(pause=9.0, longest_pause=9.0)


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
async def with_a_word_to_others(
    run: Run[MakeError], write: Write[Thing, MakeError], word: Write[Thing, MakeError]
) -> Thing | None:
    await run.commit("making", write)
    (told,) = await run.stage("announce", word.best_effort(None))
    return told


class Records:
    """A journal, and what is on record of the one execution in it."""

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
    """Give the methods of the requests that change something."""
    return [request.method for request in service.requests if request.method != "GET"]


def keys(service: Service) -> set[str]:
    return {request.headers["idempotency-key"] for request in service.requests if request.method == "POST"}


async def test_a_write_that_was_certainly_not_sent_is_made_again_by_the_policies(records: Records) -> None:
    service = Service(REFUSES, REFUSES, FINE)
    things = client(service)

    assert await one.on(records.context)(make(things)) == Ok(LAMP)
    assert (len(service.requests), len(keys(service))) == (3, 1)
    assert things.policies.counts.retries == 2
    assert await records.show() == (CommitState.COMMITTED, [WriteOutcome.DONE])


@pytest.mark.parametrize("does", [HANGS_UP, IS_AWAY, HANGS, Does(429), Does(408), Does(504)])
async def test_a_write_that_may_have_been_sent_is_made_again_by_the_commit(
    does: Does, records: Records
) -> None:
    service = Service(does, FINE)
    things = client(service)

    assert await one.on(records.context)(make(things)) == Ok(LAMP)
    assert (len(service.requests), len(keys(service))) == (2, 1)
    assert (things.policies.counts.retries, things.policies.counts.calls) == (0, 2)
    assert await records.show() == (CommitState.COMMITTED, [WriteOutcome.DONE])


async def test_the_repeats_of_a_commit_pass_an_open_breaker_by(records: Records) -> None:
    service = Service(Does(raised=HANGS_UP.raised, after=0.2), *[Does(500)] * 20, HANGS_UP, FINE)
    things = client(service, breaker=STAYS_OPEN)
    writing = asyncio.create_task(one.on(records.context)(make(things)))
    await asyncio.sleep(0.1)
    await crowd(20, lambda: fetch(things))
    result = await writing

    assert result == Ok(LAMP)
    assert things.breaker is BreakerState.OPEN
    assert (methods(service), len(keys(service))) == (["POST"] * 3, 1)
    assert await records.show() == (CommitState.COMMITTED, [WriteOutcome.DONE])


async def test_the_repeats_of_a_commit_pass_a_full_limit_by(records: Records) -> None:
    service = Service(Does(raised=HANGS_UP.raised, after=0.01), HANGS, FINE)
    things = client(service, timeout=FOREVER, at_once=1)
    writing = asyncio.create_task(one.on(records.context)(make(things)))
    await settle()
    reading = asyncio.create_task(fetch(things).make())
    result = await writing

    assert result == Ok(LAMP)
    assert (things.policies.in_flight, service.in_flight, reading.done()) == (1, 1, False)
    reading.cancel()


async def test_undos_pass_an_open_breaker_by(records: Records) -> None:
    service = Service(FINE, Does(409, after=0.2), *[Does(500)] * 20, IS_AWAY, FINE)
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


async def test_an_undo_for_which_no_time_is_left_is_not_sent() -> None:
    service = Service(FINE)
    have_left(0.0005)
    result = await client(service).undo("things.unmake", ("things",)).attempt(Key("exe-1"))

    assert result == Err(TimedOut(LATE, source="things.unmake", budget=0.0, was_sent=False))
    assert service.requests == []


async def test_an_undo_on_demand_passes_an_open_breaker_by() -> None:
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


async def test_a_write_that_the_breaker_refuses_is_refused_and_needs_no_undo(records: Records) -> None:
    service = Service(FINE)
    things = client(service)
    await open_breaker(things, service)
    result = await one.on(records.context)(make(things))

    assert result == Err(Unavailable(UNAVAILABLE, source="things.make", retry_after=0.1, was_sent=False))
    assert (service.requests, now()) == ([], 0.0)
    assert await records.show() == (CommitState.UNDONE, [WriteOutcome.REFUSED])


async def test_a_write_for_which_there_is_no_place_is_refused_and_needs_no_undo(records: Records) -> None:
    service = Service(HANGS)
    things = client(service, at_once=1)
    reading = asyncio.create_task(fetch(things).make())
    await settle()
    result = await one.on(records.context)(make(things))

    assert result == Err(Unavailable(BUSY, source="things.make", retry_after=1.0, was_sent=False))
    assert methods(service) == []
    assert await records.show() == (CommitState.UNDONE, [WriteOutcome.REFUSED])
    reading.cancel()


async def test_a_write_refused_by_the_policies_has_those_before_it_undone(records: Records) -> None:
    """The first is made; the breaker opens while it is; the second is not sent, and the first is undone."""
    service = Service(Does(after=0.2), *[Does(500)] * 20, FINE)
    things = client(service, breaker=STAYS_OPEN)
    writing = asyncio.create_task(two.on(records.context)(make(things), make(things)))
    await asyncio.sleep(0.1)
    await crowd(20, lambda: fetch(things))
    result = await writing

    assert isinstance(result, Err)
    assert result.error.code == "unavailable"
    assert methods(service) == ["POST", "DELETE"]
    assert await records.show() == (CommitState.UNDONE, [WriteOutcome.UNDONE, WriteOutcome.REFUSED])


async def test_a_read_that_rides_along_is_made_as_any_read(records: Records) -> None:
    service = Service(FINE, IS_AWAY, HANGS_UP, FINE)
    things = client(service)

    assert await with_a_read.on(records.context)(make(things), fetch(things)) == Ok((LAMP, LAMP))
    assert [request.method for request in service.requests] == ["POST", "GET", "GET", "GET"]
    assert things.policies.counts.retries == 2


async def test_a_best_effort_write_is_made_again_under_the_same_key(records: Records) -> None:
    service, others = Service(FINE), Service(IS_AWAY, HANGS_UP, FINE)
    result = await with_a_word_to_others.on(records.context)(make(client(service)), make(client(others)))

    assert result == Ok(LAMP)
    assert (methods(others), len(keys(others))) == (["POST"] * 3, 1)
    assert keys(others).isdisjoint(keys(service))


async def test_what_is_made_regardless_is_made_once_and_shows_nothing() -> None:
    """The breaker is open, the budget spent, and there is no place; it fails, and is not made again."""
    policies = Policies("things", max_concurrency=1, breaker=BreakerTerms(minimum=60))
    hanging = asyncio.create_task(policies.call(makes(WELL, after=FOREVER), CallMode.NORMAL))
    await settle()
    full = await policies.call(makes(WELL), CallMode.NORMAL)
    hanging.cancel()
    await settle()
    while policies.breaker is not BreakerState.OPEN:
        await policies.call(makes(ILL), CallMode.NORMAL)
    before = policies.counts.attempts

    assert full == Refused(1.0, is_full=True)
    assert policies.counts.unaffordable > 0
    assert await policies.call(makes(ILL), CallMode.BYPASS_POLICIES) == ILL
    assert await policies.call(makes(WELL), CallMode.BYPASS_POLICIES) == WELL
    assert policies.counts.attempts == before + 2
    assert policies.breaker is BreakerState.OPEN


async def test_calls_that_a_shaped_write_makes_are_made_as_any_call(records: Records) -> None:
    """They have the policies of reads, though the write is made only once by them."""
    service, others = Service(FINE), Service(IS_AWAY, HANGS_UP, FINE)

    async def looked_at(_: Thing) -> Thing:
        return (await fetch(client(others))).value_or(Thing(name="nothing"))

    shaped: Write[Thing, MakeError] = make(client(service)).map(looked_at)

    assert await one.on(records.context)(shaped) == Ok(LAMP)
    assert (len(service.requests), len(others.requests)) == (1, 3)
