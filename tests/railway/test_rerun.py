"""Rerun: a pipeline that is run again in memory, on the records of its run, for its answer so far."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias
from weakref import ref

import pytest

from gateway.railway import (
    FAIL_FAST,
    Call,
    CallSpan,
    Err,
    Failure,
    Key,
    Missing,
    Ok,
    Pipeline,
    Rerun,
    Result,
    Run,
    RunContext,
    Stub,
    Unavailable,
    constant,
    parallel,
    railway,
)
from tests.railway.recording_observer import RecordingObserver
from tests.railway.scripted_calls import MISSING, TAKEN, Answer, Services
from tests.railway.scripted_writes import Bank, Gate

Body: TypeAlias = Callable[[Run[Failure]], Awaitable[object]]


def answer_missing(_: CallSpan) -> Answer:
    return MISSING


def refuse(name: str) -> Unavailable:
    return Unavailable("The call was not made", source=name, was_sent=False)


@dataclass
class Rerunner:
    """Runs a pipeline, and then reruns it on the records with which its commit was sealed."""

    bank: Bank = field(default_factory=Bank)
    observer: RecordingObserver = field(default_factory=RecordingObserver)

    async def run_twice(self, body: Body) -> tuple[Result[object, Failure], Result[object, Failure]]:
        """Return the result of a run of *body*, and of its rerun, which must have no effect."""
        pipeline: Pipeline[[], object, Failure] = railway(body)
        first = await pipeline.on(self.bank.build_context())()
        return first, await self.rerun(pipeline, self.bank.journal.reruns[0])

    async def rerun(
        self,
        pipeline: Pipeline[[], object, Failure],
        rerun: Rerun,
        deadline: float | None = None,
        stub: Stub | None = None,
    ) -> Result[object, Failure]:
        """Return the result of a rerun, which must have no effect."""
        gate = Gate(self.bank.log, is_open=False)
        bare = self.bank.build_context(deadline=deadline)
        context = replace(bare, gate=gate, observer=self.observer, stub=stub, rerun=rerun)
        before = [*self.bank.log]
        again = await pipeline.on(context)()

        assert self.bank.log == before
        assert self.observer.events == []
        return again


@pytest.fixture
def rerunner() -> Rerunner:
    return Rerunner()


@pytest.fixture
def bank(rerunner: Rerunner) -> Bank:
    return rerunner.bank


async def announce(run: Run[Failure], bank: Bank) -> int | Missing:
    """Make the stage after a commit, before which the commit is sealed."""
    (sent,) = await run.stage("announce", bank.write("mail", TAKEN).best_effort())
    return sent


class Thing:
    """Value without equality."""


def give(name: str, value: Thing) -> Call[Thing, Failure]:
    async def attempt() -> Result[Thing, Failure]:
        return Ok(value)

    return Call(name, attempt)


async def test_rerun_returns_values_of_stages_and_commit(rerunner: Rerunner, bank: Bank) -> None:
    """The values are the same objects, not copies of them."""
    things = [Thing() for _ in range(3)]

    async def body(run: Run[Failure]) -> object:
        first, second = await run.stage("core", give("a", things[0]), give("b", things[1]), policy=FAIL_FAST)
        _, third = await run.commit("settlement", bank.write("w"), give("c", things[2]))
        await announce(run, bank)
        return first, second, third

    assert await rerunner.run_twice(body) == (Ok((*things,), lacks=("mail",)),) * 2


async def test_rerun_equals_run_whose_announcements_fail(rerunner: Rerunner, bank: Bank) -> None:
    async def body(run: Run[Failure]) -> object:
        (extra,) = await run.stage("core", bank.call("extra", MISSING).optional(0))
        await run.commit("settlement", bank.write("w"), bank.call("more", MISSING).optional(0))
        sent = await run.stage(
            "announce", bank.write("mail", TAKEN).best_effort(None), bank.write("event", TAKEN).best_effort(7)
        )
        return extra, sent

    first, again = await rerunner.run_twice(body)

    assert first == Ok((0, (None, 7)), lacks=("extra", "more", "mail", "event"))
    assert again == first


async def test_rerun_makes_no_successful_announcement(rerunner: Rerunner, bank: Bank) -> None:
    async def body(run: Run[Failure]) -> object:
        await run.commit("settlement", bank.write("w"))
        await run.stage("announce", bank.write("mail").best_effort())
        return await run.stage(
            "look", bank.call("a").optional(), bank.call("b").optional(0), constant("c", 3)
        )

    first, again = await rerunner.run_twice(body)

    assert first == Ok((1, 1, 3))
    assert again == Ok((Missing("a", refuse("a")), 0, 3), lacks=("mail", "a", "b"))


async def test_rerun_derives_no_write_key(rerunner: Rerunner, bank: Bank) -> None:
    keys: list[Key] = []

    def with_key(key: Key) -> Call[int, Failure]:
        keys.append(key)
        return bank.call("mail").optional(0)

    async def attempt() -> Answer:
        raise AssertionError

    async def body(run: Run[Failure]) -> None:
        await run.commit("settlement", bank.write("w"))
        await run.stage(
            "announce", Call("mail", attempt, is_shaped=True, is_optional=True, with_key=with_key)
        )

    await rerunner.run_twice(body)

    assert keys == ["exe-1.1-announce.0.mail", "unused"]


async def test_rerun_repeats_each(rerunner: Rerunner, bank: Bank) -> None:
    async def body(run: Run[Failure]) -> object:
        prices = await run.each("prices", [bank.call("price", Ok(n)) for n in range(5)], at_once=2)
        await run.commit("settlement", bank.write("w"))
        sent = await run.each("announce", [bank.write("mail", TAKEN).best_effort(n) for n in prices])
        return prices, sent

    first, again = await rerunner.run_twice(body)

    assert first == again == Ok(([0, 1, 2, 3, 4], [0, 1, 2, 3, 4]), lacks=("mail",) * 5)


def build_nested(services: Services, answer: Answer) -> Pipeline[[], int, Failure]:
    @railway
    async def nested(run: Run[Failure]) -> int:
        a, b = await run.stage("inner", services.call("a", Ok(2)), services.call("b", MISSING).optional(3))
        (c,) = await run.stage("inner", services.call("c", answer))
        return a + b + c

    return nested


async def test_rerun_repeats_nested_pipeline(rerunner: Rerunner, bank: Bank) -> None:
    async def body(run: Run[Failure]) -> object:
        (x,) = await run.stage("core", bank.call("x"))
        y = run.unwrap(await build_nested(bank, Ok(5))())
        (z,) = await run.stage("inner", bank.call("z", Ok(6)))
        await run.commit("settlement", bank.write("w"))
        after = run.unwrap(await build_nested(bank, Ok(7))())
        await announce(run, bank)
        return x, y, z, after

    first, again = await rerunner.run_twice(body)

    assert first == again == Ok((1, 10, 6, 12), lacks=("b", "b", "mail"))


async def test_rerun_repeats_failure_of_nested_pipeline(rerunner: Rerunner, bank: Bank) -> None:
    async def body(run: Run[Failure]) -> object:
        failed = await build_nested(bank, TAKEN)()
        await run.commit("settlement", bank.write("w"))
        await announce(run, bank)
        return failed

    first, again = await rerunner.run_twice(body)

    assert first == again == Ok(TAKEN, lacks=("mail",))


async def test_rerun_repeats_parallel_between_stages(rerunner: Rerunner, bank: Bank) -> None:
    async def body(run: Run[Failure]) -> object:
        total = run.unwrap(
            await parallel(bank.call("a", Ok(2)), bank.call("b", Ok(3))).bind(
                lambda a, b: parallel(bank.call("c", Ok(4))).map(lambda c: a + b + c)
            )
        )
        missing = run.unwrap(await parallel(bank.call("d", MISSING), name="more").optional(0))
        await run.commit("settlement", bank.write("w"))
        await announce(run, bank)
        return total, missing

    first, again = await rerunner.run_twice(body)

    assert first == again == Ok((9, 0), lacks=("more", "mail"))


async def test_rerun_of_parallel_in_stage_repeats_stage(rerunner: Rerunner, bank: Bank) -> None:
    async def body(run: Run[Failure]) -> object:
        nested = Call("nested", build_nested(bank, Ok(5)).__call__)
        values = await run.stage("core", parallel(bank.call("x"), bank.call("y")).map(max), nested)
        await run.commit("settlement", bank.write("w"))
        await announce(run, bank)
        return values

    first, again = await rerunner.run_twice(body)

    assert first == again == Ok((1, 10), lacks=("b", "mail"))
    assert [record.stage for record in bank.journal.reruns[0].past] == ["core", "settlement"]


async def test_parallel_after_sealed_stage_is_not_made_by_rerun(rerunner: Rerunner, bank: Bank) -> None:
    async def body(run: Run[Failure]) -> object:
        await run.commit("settlement", bank.write("w"))
        sent = await announce(run, bank)
        late = await parallel(bank.call("a"), bank.call("b").optional(0)).optional(None)
        return sent, run.unwrap(late)

    first, again = await rerunner.run_twice(body)

    assert first == Ok((Missing("mail", TAKEN.error), (1, 1)), lacks=("mail",))
    assert again == Ok((Missing("mail", refuse("mail")), None), lacks=("mail", "a & b"))


async def test_call_outside_of_stages_fails_rerun(rerunner: Rerunner, bank: Bank) -> None:
    async def body(run: Run[Failure]) -> object:
        (x,) = await run.stage("core", bank.call("x"))
        run.unwrap(await bank.call("y"))
        await run.commit("settlement", bank.write("w"))
        return x, await announce(run, bank)

    first, again = await rerunner.run_twice(body)

    assert isinstance(first, Ok)
    assert again == Err(refuse("y"))


@pytest.mark.parametrize("is_optional", [False, True])
async def test_call_after_commit_is_not_made_by_rerun(
    rerunner: Rerunner, bank: Bank, *, is_optional: bool
) -> None:
    async def body(run: Run[Failure]) -> object:
        await run.commit("settlement", bank.write("w"))
        await announce(run, bank)
        late = bank.call("late")
        return run.unwrap(await (late.optional(0) if is_optional else late))

    first, again = await rerunner.run_twice(body)

    assert first == Ok(1, lacks=("mail",))
    assert again == (Ok(0, lacks=("mail", "late")) if is_optional else Err(refuse("late")))


async def test_failed_nested_pipeline_after_commit_fails_rerun(rerunner: Rerunner, bank: Bank) -> None:
    async def body(run: Run[Failure]) -> object:
        await run.commit("settlement", bank.write("w"))
        await announce(run, bank)
        nested = await build_nested(bank, Ok(5))()
        if isinstance(nested, Err):
            run.fail(nested.error)
        return nested.value

    first, again = await rerunner.run_twice(body)

    assert first == Ok(10, lacks=("mail",))
    assert again == Err(refuse("a"))


async def test_rerun_has_no_stages_of_other_tasks(rerunner: Rerunner, bank: Bank) -> None:
    """Their order depends on the answers, so that a rerun could take the values of one for another."""

    def build_lookup(answer: int, after: float) -> Pipeline[[], int, Failure]:
        @railway
        async def look_up(run: Run[Failure]) -> int:
            return (await run.stage("user", bank.call("user", Ok(answer), after=after)))[0]

        return look_up

    async def body(run: Run[Failure]) -> object:
        found = await asyncio.gather(build_lookup(1, after=2)(), build_lookup(2, after=1)())
        await run.commit("settlement", bank.write("w"))
        await announce(run, bank)
        return [run.unwrap(each) for each in found]

    first, again = await rerunner.run_twice(body)

    assert first == Ok([1, 2], lacks=("mail",))
    assert [record.stage for record in bank.journal.reruns[0].past] == ["settlement"]
    assert again == Err(refuse("user"))


async def test_parallel_of_other_task_is_not_on_record(rerunner: Rerunner, bank: Bank) -> None:
    async def body(run: Run[Failure]) -> object:
        (found,) = await asyncio.gather(parallel(bank.call("a"), bank.call("b")).call.make())
        await run.commit("settlement", bank.write("w"))
        await announce(run, bank)
        return run.unwrap(found)

    first, again = await rerunner.run_twice(body)

    assert first == Ok((1, 1), lacks=("mail",))
    assert isinstance(again, Err)


DIVERGED: Final = [("stage", "x"), ("core", "y"), ("core", "x", "y")]


@pytest.mark.parametrize("changed", DIVERGED, ids=" ".join)
async def test_diverging_rerun_gets_no_values(
    rerunner: Rerunner, bank: Bank, changed: tuple[str, ...]
) -> None:
    """From a stage on that is not the next one on record, nothing is on record."""
    stages = [("core", "x"), changed]

    async def body(run: Run[Failure]) -> object:
        stage, *names = stages.pop(0)
        first = await run.stage(stage, *(bank.call(name).optional(0) for name in names))
        second = await run.stage("more", bank.call("z").optional(0))
        await run.commit("settlement", bank.write("w"))
        return first, second, await announce(run, bank)

    _, again = await rerunner.run_twice(body)

    assert again == Err(Unavailable("The commit was not made", was_sent=False))


async def test_rerun_without_records_makes_no_call(rerunner: Rerunner, bank: Bank) -> None:
    async def body(run: Run[Failure]) -> object:
        await run.stage("core", bank.call("x"))
        return await run.commit("settlement", bank.write("w"))

    pipeline: Pipeline[[], object, Failure] = railway(body)

    assert await rerunner.rerun(pipeline, Rerun(())) == Err(refuse("x"))


async def test_rerun_ignores_deadline_and_stub(rerunner: Rerunner, bank: Bank) -> None:
    async def body(run: Run[Failure]) -> object:
        (x,) = await run.stage("core", bank.call("x"))
        await run.commit("settlement", bank.write("w"))
        return x, await announce(run, bank)

    await rerunner.run_twice(body)
    again = await rerunner.rerun(railway(body), bank.journal.reruns[0], deadline=-1.0, stub=answer_missing)

    assert again == Ok((1, Missing("mail", refuse("mail"))), lacks=("mail",))


async def test_rerun_has_execution_id_of_context(rerunner: Rerunner, bank: Bank) -> None:
    async def body(run: Run[Failure]) -> str:
        await run.commit("settlement", bank.write("w"))
        await announce(run, bank)
        return run.execution_id

    assert await rerunner.run_twice(body) == (Ok("exe-1", lacks=("mail",)),) * 2


async def test_rerun_can_be_made_twice(rerunner: Rerunner, bank: Bank) -> None:
    async def body(run: Run[Failure]) -> object:
        (x,) = await run.stage("core", bank.call("x"))
        await run.commit("settlement", bank.write("w"))
        await announce(run, bank)
        return x

    first, again = await rerunner.run_twice(body)

    assert again == first
    assert await rerunner.rerun(railway(body), bank.journal.reruns[0]) == first


async def test_exception_in_pipeline_propagates_from_rerun(rerunner: Rerunner, bank: Bank) -> None:
    async def body(run: Run[Failure]) -> object:
        await run.commit("settlement", bank.write("w"))
        (sent,) = await run.stage("announce", bank.write("mail").best_effort(0))
        return 1 // sent

    with pytest.raises(ZeroDivisionError):
        await rerunner.run_twice(body)


async def test_values_are_dropped_after_run() -> None:
    """A task that outlives the run, such as that of a connection, has the state of the run in its context."""
    is_over = asyncio.Event()
    tasks: list[asyncio.Task[bool]] = []
    things: list[ref[Thing]] = []

    async def fetch() -> Result[Thing, Failure]:
        thing = Thing()
        things.append(ref(thing))
        tasks.append(asyncio.create_task(is_over.wait()))
        return Ok(thing)

    @railway
    async def pipeline(run: Run[Failure]) -> None:
        await run.stage("core", Call("a", fetch))

    await pipeline.on(RunContext())()

    assert [thing() for thing in things] == [None]
    is_over.set()
    await asyncio.gather(*tasks)
