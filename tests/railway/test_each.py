"""`Run.each`: a stage of one call for each item of a list."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

import pytest

from gateway.railway import (
    FAIL_FAST,
    SETTLE,
    Aggregate,
    Call,
    Conflict,
    Err,
    Failure,
    Invalid,
    Key,
    Missing,
    NotFound,
    Ok,
    Policy,
    Result,
    Run,
    RunContext,
    RunMisused,
    Write,
    railway,
)
from tests.railway.recording_observer import RecordingObserver
from tests.railway.scripted_calls import MISSING, TAKEN, Answer, Services, now
from tests.railway.scripted_writes import Bank

BOTH_POLICIES = pytest.mark.parametrize("policy", [SETTLE, FAIL_FAST])


@railway
async def make_calls(
    run: Run[Failure], calls: Iterable[Call[int, Failure]], at_once: int = 10, policy: Policy = SETTLE
) -> list[int]:
    """Run a single stage of *calls*."""
    return await run.each("places", calls, at_once=at_once, policy=policy)


@dataclass
class Load:
    """Calls in progress: how many are running, and the most that ever were."""

    running: int = 0
    most: int = 0

    def call(self, number: int) -> Call[int, Failure]:
        async def attempt() -> Answer:
            self.running += 1
            self.most = max(self.most, self.running)
            await asyncio.sleep(1)
            self.running -= 1
            return Ok(number)

        return Call("geo.place", attempt)


def fail(number: int) -> Err[NotFound]:
    return Err(NotFound(f"{number}"))


@BOTH_POLICIES
@pytest.mark.parametrize("count", [0, 1, 500])
async def test_each_returns_list_in_item_order(services: Services, policy: Policy, count: int) -> None:
    calls = (services.call("geo.place", Ok(n), after=count - n) for n in range(count))

    assert await make_calls(calls, policy=policy) == Ok([*range(count)])


@pytest.mark.parametrize(("at_once", "most", "seconds"), [(1, 1, 7), (3, 3, 3), (7, 7, 1), (99, 7, 1)])
async def test_each_limits_concurrent_calls(at_once: int, most: int, seconds: int) -> None:
    load = Load()

    await make_calls([load.call(n) for n in range(7)], at_once)

    assert load.most == most
    assert now() == seconds


async def test_each_makes_ten_calls_at_once_by_default() -> None:
    load = Load()

    @railway
    async def pipeline(run: Run[Failure]) -> list[int]:
        return await run.each("places", map(load.call, range(25)))

    assert await pipeline() == Ok([*range(25)])
    assert load.most == 10


async def test_each_starts_next_call_when_one_ends(services: Services) -> None:
    calls = [services.call("a", after=2), services.call("b", after=1), services.call("c")]

    await make_calls(calls, at_once=2)

    assert services.log == ["a started", "b started", "b ended", "c started", "c ended", "a ended"]


@pytest.mark.parametrize("at_once", [0, -1, True, 1.5, None])
async def test_each_refuses_invalid_limit(services: Services, at_once: int) -> None:
    with pytest.raises(ValueError, match=f"^at_once must be a positive integer, got {at_once!r}$"):
        await make_calls([services.call("a")], at_once)
    assert services.log == []


@pytest.mark.parametrize("at_once", [1, 2, 4])
async def test_each_settles_with_all_failures(services: Services, at_once: int) -> None:
    answers: list[Answer] = [Ok(0), TAKEN, Ok(2), MISSING]
    calls = [services.call("geo.place", answer, after=9 - n) for n, answer in enumerate(answers)]

    result = await make_calls(calls, at_once)

    assert result == Err(Aggregate((Conflict("taken", item=1), NotFound("missing", item=3))))


async def test_single_failure_of_each_has_item(services: Services) -> None:
    calls = [services.call("a"), services.call("b", MISSING), services.call("c")]

    assert await make_calls(calls) == Err(NotFound("missing", item=1))


async def test_aggregate_of_each_item_has_item_in_every_part(services: Services) -> None:
    both = Err(Aggregate((NotFound("a"), Conflict("b"))))

    result = await make_calls([services.call("a"), services.call("b", both)])

    assert result == Err(Aggregate((NotFound("a", item=1), Conflict("b", item=1))))


async def test_merged_violations_of_each_have_items(services: Services) -> None:
    answers = [Err(Invalid(f"{n}", violations=(("x", (f"{n}",)),))) for n in range(2)]

    result = await make_calls([services.call("a"), *(services.call("b", answer) for answer in answers)])

    violations = (("x", ("0",)), ("x", ("1",)))
    assert result == Err(Invalid("0; 1", violations=violations, items=(1, 2)))


async def test_outer_each_sets_item_of_inner_each(services: Services) -> None:
    """The position is that in the list of the outer pipeline."""

    async def inner() -> Result[int, Failure]:
        invalid = services.call("b", Err(Invalid("no", violations=(("x", ("no",)),))))
        return (await make_calls([services.call("a"), invalid, invalid])).map(len)

    result = await make_calls([services.call("a"), services.call("b"), Call("inner", inner)])

    assert result == Err(Invalid("no; no", violations=(("x", ("no",)), ("x", ("no",))), item=2))


async def test_stage_leaves_faults_without_item(services: Services) -> None:
    @railway
    async def pipeline(run: Run[Failure]) -> object:
        return await run.stage("core", services.call("a"), services.call("b", MISSING))

    assert await pipeline() == MISSING


async def test_failing_fast_each_returns_first_failed_item(services: Services) -> None:
    calls = [services.call("a", after=3), services.call("b", TAKEN, after=2), services.call("c", MISSING)]

    assert await make_calls(calls, policy=FAIL_FAST) == Err(Conflict("taken", item=1))


async def test_failing_fast_each_starts_no_more_calls(services: Services) -> None:
    calls = [services.call("a", after=2), services.call("b", MISSING, after=1), services.hang("c")]

    result = await make_calls([*calls, services.call("d")], at_once=3, policy=FAIL_FAST)

    assert result == Err(NotFound("missing", item=1))
    assert services.log[-3:] == ["b ended", "c cleaned up", "a ended"]


async def test_optional_items_of_each_never_fail(services: Services) -> None:
    calls = [services.call("geo.place", answer).optional() for answer in (Ok(0), MISSING, Ok(2))]

    @railway
    async def pipeline(run: Run[Aggregate]) -> list[int | Missing]:
        return await run.each("places", calls)

    missing = Missing("geo.place", NotFound("missing", item=1))
    assert await pipeline() == Ok([0, missing, 2], lacks=("geo.place",))


async def test_optional_items_of_each_can_have_default(services: Services) -> None:
    @railway
    async def pipeline(run: Run[Aggregate]) -> list[int | None]:
        return await run.each("places", [services.call("a", MISSING).optional(None)])

    assert await pipeline() == Ok([None], lacks=("a",))


async def test_bug_in_each_stops_stage(services: Services) -> None:
    calls = [services.call("a", ZeroDivisionError()), services.hang("b"), services.call("c")]

    with pytest.raises(ZeroDivisionError):
        await make_calls(calls, at_once=2)
    assert services.log == ["a started", "b started", "a ended", "b cleaned up"]


async def test_cancelled_each_stops_stage(services: Services) -> None:
    task = asyncio.create_task(make_calls([services.hang("a"), services.hang("b")], at_once=1))
    await asyncio.sleep(1)

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert services.log == ["a started", "a cleaned up"]


async def test_error_in_items_of_each_makes_no_call(services: Services) -> None:
    with pytest.raises(ZeroDivisionError):
        await make_calls(services.call(f"{1 // n}") for n in (1, 0))
    assert services.log == []


async def test_each_refuses_writes(bank: Bank) -> None:
    @railway
    async def pipeline(run: Run[Failure]) -> object:
        return await run.each("core", [bank.write("a")])  # type: ignore[arg-type]

    with pytest.raises(RunMisused, match=r"^a in stage 'core' is a write: make it in a commit$"):
        await pipeline()


async def test_each_after_commit_makes_best_effort_writes(bank: Bank) -> None:
    keys: list[Key] = []

    async def send(key: Key) -> Answer:
        keys.append(key)
        return MISSING

    @railway
    async def pipeline(run: Run[Failure]) -> list[int | None]:
        await run.commit("order", bank.write("a"))
        return await run.each("announce", [Write("send", send).best_effort(None)] * 3, at_once=1)

    result = await pipeline.on(RunContext(execution_id="exe"))()

    assert result == Ok([None] * 3, lacks=("send",) * 3)
    assert keys == [f"exe.1-announce.{n}.send" for n in range(3)]


async def test_observer_sees_each_as_stage_of_its_calls(services: Services) -> None:
    observer = RecordingObserver()
    calls = [services.call("geo.place") for _ in range(3)]

    await make_calls.on(RunContext(observer=observer))(calls, at_once=2)

    assert observer.events == [
        "+places",
        *("+geo.place", "+geo.place", "-geo.place", "-geo.place", "+geo.place", "-geo.place"),
        "-places",
    ]
    assert all(call.stage is observer.stages[0] for call in observer.calls)
    assert (observer.stages[0].at_once, len(observer.stages[0].calls)) == (2, 3)
