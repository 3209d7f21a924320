"""Policies for the writes, retries and undos of a commit."""

import asyncio
from collections.abc import Sequence
from typing import Final, TypeAlias

import pytest

from gateway.client.service_client import ServiceClient
from gateway.executions.execution import ExecutedWrite
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
    Rerun,
    Run,
    RunContext,
    SentWrite,
    TimedOut,
    Unavailable,
    Undo,
    UpstreamFault,
    Write,
    WriteOutcome,
    change_context,
    railway,
)
from gateway.resilience.circuit_breaker import BreakerState
from gateway.resilience.terms import BreakerTerms, RetryTerms
from tests.client.scripted_service import AT_LIMIT, LAMP, LATE, THING, UNAVAILABLE, Thing, Wish
from tests.executions.scripted_runs import ScriptedRegistry, build_attempt
from tests.resilience.scripted_upstream import (
    FINE,
    FOREVER,
    HANGS,
    HANGS_UP,
    IS_UNAVAILABLE,
    REFUSES,
    Service,
    Step,
    build_client,
    build_shed,
    build_unavailable,
    call_at_once,
    fetch,
    now,
    open_breaker,
    open_host_breaker,
    set_deadline,
    settle,
)

MakeError: TypeAlias = Fault | Aggregate


def make_thing(things: ServiceClient) -> Write[Thing, Conflict | UpstreamFault]:
    undo = things.undos.get("things.unmake") or declare_undo(things)
    make = things.write.post("things.make", "/things", answer=THING, undo=undo, declared={409: Conflict})
    return make(Wish(text="a lamp"))


def declare_undo(things: ServiceClient) -> Undo:
    return things.undo.delete("things.unmake", "/things/{key}")


STAYS_OPEN: Final = BreakerTerms(pause=9.0, max_pause=9.0)


@railway
async def commit_one(run: Run[MakeError], write: Write[Thing, MakeError]) -> Thing:
    (thing,) = await run.commit("making", write)
    return thing


@railway
async def commit_two(
    run: Run[MakeError], first: Write[Thing, MakeError], second: Write[Thing, MakeError]
) -> Thing:
    thing, _ = await run.commit("making", first, second)
    return thing


@railway
async def commit_with_read(
    run: Run[MakeError], write: Write[Thing, MakeError], read: Call[Thing, MakeError]
) -> tuple[Thing, Thing]:
    return await run.commit("making", write, read)


@railway
async def commit_and_announce(
    run: Run[MakeError], write: Write[Thing, MakeError], announcement: Write[Thing, MakeError]
) -> Thing | None:
    await run.commit("making", write)
    (announced,) = await run.stage("announce", announcement.best_effort(None))
    return announced


class Records:
    """Journal with the record of a single execution."""

    def __init__(self) -> None:
        self._outcomes: dict[Key, WriteOutcome] = {}
        self._state = CommitState.RUNNING
        self.context = RunContext(execution_id="exe-1", journal=self)

    async def begin(self, commit: CommitStart, /) -> None:
        self._outcomes = {intent.key: WriteOutcome.PENDING for intent in commit.intents if intent.undo}

    def note(self, _: str, key: Key, outcome: WriteOutcome, /) -> None:
        if key in self._outcomes:
            self._outcomes[key] = outcome

    def end(self, _: str, state: CommitState, /) -> None:
        self._state = state

    async def seal(self, execution_id: str, rerun: Rerun, /) -> None:
        """Do nothing: the record has no answer."""

    async def read(self) -> tuple[CommitState, Sequence[WriteOutcome]]:
        return self._state, [*self._outcomes.values()]


@pytest.fixture
async def records() -> Records:
    return Records()


def list_methods(service: Service) -> Sequence[str]:
    """Return the methods of the requests that change state."""
    return [request.method for request in service.requests if request.method != "GET"]


def list_keys(service: Service) -> set[str]:
    return {request.headers["idempotency-key"] for request in service.requests if request.method == "POST"}


async def test_policies_retry_unsent_write(records: Records) -> None:
    service = Service(REFUSES, REFUSES, FINE)
    things = build_client(service)

    assert await commit_one.on(records.context)(make_thing(things)) == Ok(LAMP)
    assert (len(service.requests), len(list_keys(service))) == (3, 1)
    assert things.policies.counts.retries == 2
    assert await records.read() == (CommitState.COMMITTED, [WriteOutcome.DONE])


@pytest.mark.parametrize("step", [HANGS_UP, IS_UNAVAILABLE, HANGS, *map(Step, (408, 429, 502, 504, 520))])
async def test_commit_retries_write_that_may_have_arrived(step: Step, records: Records) -> None:
    service = Service(step, FINE)
    things = build_client(service)

    assert await commit_one.on(records.context)(make_thing(things)) == Ok(LAMP)
    assert (len(service.requests), len(list_keys(service))) == (2, 1)
    assert (things.policies.counts.retries, things.policies.counts.calls) == (0, 2)
    assert await records.read() == (CommitState.COMMITTED, [WriteOutcome.DONE])


async def test_commit_retries_bypass_open_breaker(records: Records) -> None:
    service = Service(Step(raised=HANGS_UP.raised, after=0.2), *[Step(500)] * 20, HANGS_UP, FINE)
    things = build_client(service, breaker=STAYS_OPEN)
    writing = asyncio.create_task(commit_one.on(records.context)(make_thing(things)))
    await asyncio.sleep(0.1)
    await call_at_once(20, lambda: fetch(things))
    result = await writing

    assert result == Ok(LAMP)
    assert things.breaker is BreakerState.OPEN
    assert (list_methods(service), len(list_keys(service))) == (["POST"] * 3, 1)
    assert await records.read() == (CommitState.COMMITTED, [WriteOutcome.DONE])


async def test_commit_retries_bypass_concurrency_limit(records: Records) -> None:
    service = Service(Step(raised=HANGS_UP.raised, after=0.01), HANGS, FINE)
    things = build_client(service, timeout=FOREVER, max_concurrency=1)
    writing = asyncio.create_task(commit_one.on(records.context)(make_thing(things)))
    await settle()
    reading = asyncio.create_task(fetch(things).make())
    result = await writing

    assert result == Ok(LAMP)
    assert (things.policies.in_flight, service.in_flight, reading.done()) == (1, 1, False)
    reading.cancel()


async def test_undos_bypass_open_breaker(records: Records) -> None:
    service = Service(FINE, Step(409, after=0.2), *[Step(500)] * 20, IS_UNAVAILABLE, FINE)
    things = build_client(service, breaker=STAYS_OPEN)
    writing = asyncio.create_task(commit_two.on(records.context)(make_thing(things), make_thing(things)))
    await asyncio.sleep(0.1)
    await call_at_once(20, lambda: fetch(things))
    result = await writing

    assert isinstance(result, Err)
    assert isinstance(result.error, Conflict)
    assert things.breaker is BreakerState.OPEN
    assert list_methods(service) == ["POST", "POST", "DELETE", "DELETE"]
    assert await records.read() == (CommitState.UNDONE, [WriteOutcome.UNDONE, WriteOutcome.REFUSED])


async def test_undo_after_deadline_is_not_sent() -> None:
    service = Service(FINE)
    set_deadline(0.0005)
    result = await declare_undo(build_client(service)).attempt(SentWrite(Key("exe-1")))

    assert result == Err(TimedOut(LATE, source="things.unmake", budget=0.0, was_sent=False))
    assert service.requests == []


async def test_operator_retry_bypasses_open_breaker() -> None:
    service, scripted = Service(FINE), ScriptedRegistry()
    things = build_client(service)
    undo = declare_undo(things)
    key = Key("exe-1.making.0.things.make")
    writes = [ExecutedWrite(Intent("things.make", key, undo=undo.name), WriteOutcome.STUCK)]
    await scripted.store.open()
    await scripted.store.begin(build_attempt(), writes)
    await scripted.store.settle(build_attempt(), CommitState.STUCK, writes, None)
    executions = ExecutionRegistry(scripted.store, {undo.name: undo}, CommitTerms(), scripted.health)
    await open_breaker(things, service)

    retried = await executions.retry("exe-1")

    assert isinstance(retried, Ok)
    assert retried.value.state is CommitState.UNDONE
    assert (list_methods(service), things.breaker) == (["DELETE"], BreakerState.OPEN)


async def test_write_rejected_by_breaker_needs_no_undo(records: Records) -> None:
    service = Service(FINE)
    things = build_client(service, retries=RetryTerms(attempts=1))
    await open_host_breaker(things, service)
    result = await commit_one.on(records.context)(make_thing(things))

    assert result == Err(Unavailable(UNAVAILABLE, source="things.make", retry_after=0.1, was_sent=False))
    assert (service.requests, now()) == ([], 0.0)
    assert await records.read() == (CommitState.UNDONE, [WriteOutcome.REFUSED])


async def test_shed_write_needs_no_undo(records: Records) -> None:
    service = Service(HANGS)
    things = build_client(service, max_concurrency=1)
    reading = asyncio.create_task(fetch(things).make())
    await settle()
    result = await commit_one.on(records.context)(make_thing(things))

    assert result == Err(Unavailable(AT_LIMIT, source="things.make", retry_after=1.0, was_sent=False))
    assert list_methods(service) == []
    assert await records.read() == (CommitState.UNDONE, [WriteOutcome.REFUSED])
    reading.cancel()


async def test_rejected_write_undoes_earlier_writes(records: Records) -> None:
    """The breaker opens during the first write; the second is not sent, and the first is undone."""
    service = Service(Step(after=0.2), *[REFUSES] * 20, FINE)
    things = build_client(service, breaker=STAYS_OPEN)
    writing = asyncio.create_task(commit_two.on(records.context)(make_thing(things), make_thing(things)))
    await asyncio.sleep(0.1)
    await call_at_once(20, lambda: fetch(things))
    result = await writing

    assert isinstance(result, Err)
    assert result.error.code == "unavailable"
    assert list_methods(service) == ["POST", "DELETE"]
    assert await records.read() == (CommitState.UNDONE, [WriteOutcome.UNDONE, WriteOutcome.REFUSED])


async def test_policies_retry_read_in_commit(records: Records) -> None:
    """A read in a commit is retried like any other read."""
    service = Service(FINE, IS_UNAVAILABLE, HANGS_UP, FINE)
    things = build_client(service)

    assert await commit_with_read.on(records.context)(make_thing(things), fetch(things)) == Ok((LAMP, LAMP))
    assert [request.method for request in service.requests] == ["POST", "GET", "GET", "GET"]
    assert things.policies.counts.retries == 2


async def test_best_effort_retries_use_the_same_key(records: Records) -> None:
    """A best-effort write is retried under its own key, which differs from the keys of the commit."""
    service, others = Service(FINE), Service(IS_UNAVAILABLE, HANGS_UP, FINE)
    result = await commit_and_announce.on(records.context)(
        make_thing(build_client(service)), make_thing(build_client(others))
    )

    assert result == Ok(LAMP)
    assert (list_methods(others), len(list_keys(others))) == (["POST"] * 3, 1)
    assert list_keys(others).isdisjoint(list_keys(service))


async def test_call_bypassing_policies_is_made_once() -> None:
    """With a full queue, an open breaker and no retry budget, the call is made once, and is no evidence."""
    service = Service(HANGS)
    things = build_client(service, timeout=FOREVER, max_concurrency=1, breaker=BreakerTerms(minimum=60))
    counts = things.policies.counts
    hanging = asyncio.create_task(fetch(things).make())
    await settle()
    shed = await fetch(things)
    hanging.cancel()
    service.steps = [Step(503)]
    while things.breaker is not BreakerState.OPEN:
        await fetch(things)
    before, calls = counts.attempts, counts.calls
    change_context(RunContext(mode=CallMode.BYPASS_POLICIES))

    assert shed == build_shed()
    assert counts.retries_denied > 0
    assert await fetch(things) == build_unavailable()
    service.steps = [FINE]
    assert await fetch(things) == Ok(LAMP)
    assert (counts.attempts, counts.calls) == (before + 2, calls + 2)
    assert things.breaker is BreakerState.OPEN


async def test_calls_in_map_of_write_are_retried(records: Records) -> None:
    """A call made by the function that `Write.map` takes is retried, although the write is sent once."""
    service, others = Service(FINE), Service(IS_UNAVAILABLE, HANGS_UP, FINE)

    async def look_up(_: Thing) -> Thing:
        return (await fetch(build_client(others))).value_or(Thing(name="nothing"))

    shaped: Write[Thing, MakeError] = make_thing(build_client(service)).map(look_up)

    assert await commit_one.on(records.context)(shaped) == Ok(LAMP)
    assert (len(service.requests), len(others.requests)) == (1, 3)
