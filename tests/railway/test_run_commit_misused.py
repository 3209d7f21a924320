"""What a pipeline must not do with a commit, and is told so."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

import pytest

from gateway.railway import Call, Failure, Gone, Ok, Run, RunMisused, constant, parallel
from tests.railway.scripted_calls import FINE, MISSING, Answer
from tests.railway.scripted_writes import LATE, Bank, Told, committing

Misuse = Callable[[Run[Failure], Bank], Awaitable[object]]


async def a_write_in_a_stage(run: Run[Failure], bank: Bank) -> object:
    return await run.stage("core", bank.call("b"), bank.write("a"))  # type: ignore[call-overload]


async def best_effort_before_a_commit(run: Run[Failure], bank: Bank) -> object:
    return await run.stage("core", bank.call("b"), bank.write("a").best_effort())


async def best_effort_alone(_run: Run[Failure], bank: Bank) -> object:
    return await bank.write("a").best_effort()


async def best_effort_in_parallel(_run: Run[Failure], bank: Bank) -> object:
    return await parallel(bank.write("a").best_effort())


async def best_effort_in_a_commit(run: Run[Failure], bank: Bank) -> object:
    return await run.commit("settlement", bank.write("b"), bank.write("a").best_effort())


async def a_commit_without_a_write(run: Run[Failure], bank: Bank) -> object:
    return await run.commit("settlement", bank.call("b"))


async def a_write_without_an_undo(run: Run[Failure], bank: Bank) -> object:
    return await run.commit("settlement", bank.write("b"), replace(bank.write("a"), undo=None))


async def a_commit_inside_another_run(run: Run[Failure], bank: Bank) -> object:
    return run.unwrap(await committing(bank.write("a")))


async def a_commit_inside_a_stage(run: Run[Failure], bank: Bank) -> object:
    return await run.stage("core", Call("inner", partial(committing, bank.write("a"))))


@pytest.mark.parametrize(
    ("misuse", "says"),
    [
        (a_commit_inside_another_run, "commit 'settlement' is inside another run, which may fail after it"),
        (a_commit_inside_a_stage, "commit 'settlement' is inside another run, which may fail after it"),
        (a_write_in_a_stage, "a in stage 'core': a write is made by a commit"),
        (best_effort_before_a_commit, "a in stage 'core': a best-effort write is made after a commit"),
        (best_effort_alone, "a is made only by a stage after a commit, and as `best_effort` returned it"),
        (best_effort_in_parallel, "a is made only by a stage after a commit"),
        (
            best_effort_in_a_commit,
            "a cannot be undone: no part of commit 'settlement', but best effort after",
        ),
        (a_commit_without_a_write, "commit 'settlement' has no write: it is a stage"),
        (
            a_write_without_an_undo,
            "a cannot be undone: no part of commit 'settlement', but best effort after",
        ),
    ],
)
async def test_it_raises_run_misused_and_nothing_is_sent(bank: Bank, misuse: Misuse, says: str) -> None:
    with pytest.raises(RunMisused, match=says):
        await bank.made(lambda run: misuse(run, bank))
    assert bank.log == []


async def a_call_that_can_fail(run: Run[Failure], bank: Bank) -> object:
    return await run.stage("after", bank.call("b").optional(), bank.call("c"))


async def a_call_that_is_recovered(run: Run[Failure], bank: Bank) -> object:
    return await run.stage("after", bank.call("c").recover(lambda _: Ok(0)))


async def failing(run: Run[Failure], _bank: Bank) -> object:
    run.fail(Gone("c"))


async def taking_a_failure(run: Run[Failure], _bank: Bank) -> object:
    return run.unwrap(MISSING)


async def another_commit(run: Run[Failure], bank: Bank) -> object:
    return await run.commit("again", bank.write("c"))


async def a_shaped_best_effort(run: Run[Failure], bank: Bank) -> object:
    return await run.stage("after", bank.write("c").best_effort().map(str))


@pytest.mark.parametrize(
    ("misuse", "says"),
    [
        (
            a_call_that_can_fail,
            "c, which can fail, in stage 'after' after a commit, which is the point of no return",
        ),
        (a_call_that_is_recovered, "c, which can fail, in stage 'after' after a commit"),
        (failing, "the run fails after a commit, which is the point of no return"),
        (taking_a_failure, "the run fails after a commit, which is the point of no return"),
        (another_commit, "another commit, 'again', after a commit, which is the point of no return"),
        (a_shaped_best_effort, "c is made only by a stage after a commit"),
    ],
)
async def test_after_a_commit_it_raises_run_misused_and_nothing_more_is_sent(
    bank: Bank, misuse: Misuse, says: str
) -> None:
    async def body(run: Run[Failure]) -> object:
        await run.commit("settlement", bank.write("a"))
        return await misuse(run, bank)

    with pytest.raises(RunMisused, match=says):
        await bank.made(body)
    assert bank.log[-1] == "end committed"


async def test_after_a_commit_what_cannot_fail_may_follow(bank: Bank) -> None:
    async def body(run: Run[Failure]) -> object:
        await run.commit("settlement", bank.write("a"))
        told = await run.stage(
            "after", bank.call("b", MISSING).optional(0), constant("c", 7), bank.call("d").optional().map(str)
        )
        return told, run.unwrap(FINE), await bank.call("e", MISSING)

    assert await bank.made(body) == Ok(((0, 7, "1"), 1, MISSING), lacks=("b",))


async def test_a_commit_that_was_swallowed_keeps_another_from_being_made(bank: Bank) -> None:
    async def body(run: Run[Failure]) -> object:
        with pytest.raises(ZeroDivisionError):
            await run.commit("settlement", bank.write("a", ZeroDivisionError()))
        return await run.commit("again", bank.write("b"))

    with pytest.raises(RunMisused, match="another commit, 'again', after a commit"):
        await bank.made(body)
    assert "b" not in bank.keys


async def test_a_stage_begun_inside_a_commit_raises_run_misused_and_all_is_undone(bank: Bank) -> None:
    async def body(run: Run[Failure]) -> object:
        async def nested() -> Answer:
            (value,) = await run.stage("inner", bank.call("c"))
            return Ok(value)

        return await run.commit("settlement", bank.write("a"), Call("nested", nested))

    with pytest.raises(RunMisused, match="'inner' begins while stage 'settlement' of the same run is open"):
        await bank.made(body)
    assert bank.ledger.standing == set()


async def test_a_failed_commit_leaves_the_run(bank: Bank) -> None:
    async def body(run: Run[Failure]) -> None:
        await run.commit("settlement", bank.write("a", Told(LATE)))
        bank.log.append("never")

    assert await bank.made(body) == LATE
    assert "never" not in bank.log
