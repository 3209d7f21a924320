"""Misuse of a commit, which raises `RunMisused`."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

import pytest

from gateway.railway import SETTLE, Call, Failure, Gone, Ok, Run, RunMisused, constant, parallel
from tests.railway.scripted_calls import FINE, MISSING, Answer
from tests.railway.scripted_writes import LATE, Bank, Reply, payment

Misuse = Callable[[Run[Failure], Bank], Awaitable[object]]


async def make_write_in_stage(run: Run[Failure], bank: Bank) -> object:
    return await run.stage("core", bank.call("b"), bank.write("a"))  # type: ignore[misc]


async def make_best_effort_before_commit(run: Run[Failure], bank: Bank) -> object:
    return await run.stage("core", bank.call("b"), bank.write("a").best_effort())


async def await_best_effort(_run: Run[Failure], bank: Bank) -> object:
    return await bank.write("a").best_effort()


async def make_best_effort_in_parallel(_run: Run[Failure], bank: Bank) -> object:
    return await parallel(bank.write("a").best_effort())


async def commit_best_effort(run: Run[Failure], bank: Bank) -> object:
    return await run.commit("settlement", bank.write("b"), bank.write("a").best_effort())


async def commit_without_write(run: Run[Failure], bank: Bank) -> object:
    return await run.commit("settlement", bank.call("b"))


async def commit_write_without_undo(run: Run[Failure], bank: Bank) -> object:
    return await run.commit("settlement", bank.write("b"), replace(bank.write("a"), undo=None))


async def commit_inside_other_run(run: Run[Failure], bank: Bank) -> object:
    return run.unwrap(await payment(bank.write("a")))


async def commit_inside_stage(run: Run[Failure], bank: Bank) -> object:
    return await run.stage("core", Call("inner", partial(payment, bank.write("a"))))


async def commit_list(run: Run[Failure], bank: Bank) -> object:
    return await run.commit("settlement", [bank.write("a")])  # type: ignore[misc]


@pytest.mark.parametrize(
    ("misuse", "message"),
    [
        (
            commit_list,
            "commit 'settlement' was given a list, which is not a call: pass its writes as arguments",
        ),
        (
            commit_inside_other_run,
            "commit 'settlement' is in a nested run, and the outer run could still fail",
        ),
        (commit_inside_stage, "commit 'settlement' is in a nested run, and the outer run could still fail"),
        (make_write_in_stage, "a in stage 'core' is a write: make it in a commit"),
        (
            make_best_effort_before_commit,
            "a in stage 'core' is a best-effort write: make it in a stage after the commit",
        ),
        (
            await_best_effort,
            "a has no idempotency key: make it in a stage after the commit, and call map before",
        ),
        (make_best_effort_in_parallel, "a has no idempotency key: make it in a stage after the commit"),
        (
            commit_best_effort,
            "a in commit 'settlement' is a best-effort write: make it in a stage after the commit",
        ),
        (commit_without_write, "commit 'settlement' has no write: make its calls in a stage"),
        (
            commit_write_without_undo,
            "a in commit 'settlement' has no undo: add one, or make it `best_effort` in a later stage",
        ),
    ],
)
async def test_misused_commit_raises_and_sends_nothing(bank: Bank, misuse: Misuse, message: str) -> None:
    with pytest.raises(RunMisused, match=message):
        await bank.run(lambda run: misuse(run, bank))
    assert bank.log == []


async def make_fallible_call(run: Run[Failure], bank: Bank) -> object:
    return await run.stage("after", bank.call("b").optional(), bank.call("c"))


async def make_recovered_call(run: Run[Failure], bank: Bank) -> object:
    return await run.stage("after", bank.call("c").recover(lambda _: Ok(0)))


async def fail_run(run: Run[Failure], _bank: Bank) -> object:
    run.fail(Gone("c"))


async def unwrap_failure(run: Run[Failure], _bank: Bank) -> object:
    return run.unwrap(MISSING)


async def commit_again(run: Run[Failure], bank: Bank) -> object:
    return await run.commit("again", bank.write("c"))


async def make_mapped_best_effort(run: Run[Failure], bank: Bank) -> object:
    return await run.stage("after", bank.write("c").best_effort().map(str))


@pytest.mark.parametrize(
    ("misuse", "message"),
    [
        (
            make_fallible_call,
            "c in stage 'after', after the commit, can fail: make the call optional",
        ),
        (make_recovered_call, "c in stage 'after', after the commit, can fail"),
        (fail_run, "`fail` after the commit began: from then on a run must not fail"),
        (unwrap_failure, "`unwrap` of an error after the commit began: from then on a run must not fail"),
        (commit_again, "commit 'again' follows another commit: a run has at most one commit"),
        (make_mapped_best_effort, "c has no idempotency key: make it in a stage after the commit"),
    ],
)
async def test_misuse_after_commit_raises_and_sends_nothing(bank: Bank, misuse: Misuse, message: str) -> None:
    async def body(run: Run[Failure]) -> object:
        await run.commit("settlement", bank.write("a"))
        return await misuse(run, bank)

    with pytest.raises(RunMisused, match=message):
        await bank.run(body)
    assert [line for line in bank.log if line.endswith("sent")] == ["a sent"]


async def test_infallible_calls_may_follow_commit(bank: Bank) -> None:
    async def body(run: Run[Failure]) -> object:
        await run.commit("settlement", bank.write("a"))
        values = await run.stage(
            "after", bank.call("b", MISSING).optional(0), constant("c", 7), bank.call("d").optional().map(str)
        )
        return values, run.unwrap(FINE), await bank.call("e", MISSING)

    assert await bank.run(body) == Ok(((0, 7, "1"), 1, MISSING), lacks=("b",))


async def test_second_commit_after_caught_bug_raises(bank: Bank) -> None:
    async def body(run: Run[Failure]) -> object:
        with pytest.raises(ZeroDivisionError):
            await run.commit("settlement", bank.write("a", ZeroDivisionError()))
        return await run.commit("again", bank.write("b"))

    with pytest.raises(RunMisused, match="commit 'again' follows another commit"):
        await bank.run(body)
    assert "b" not in bank.keys


async def test_stage_inside_commit_raises_and_undoes_writes(bank: Bank) -> None:
    async def body(run: Run[Failure]) -> object:
        async def nested() -> Answer:
            (value,) = await run.stage("inner", bank.call("c"))
            return Ok(value)

        return await run.commit("settlement", bank.write("a"), Call("nested", nested))

    with pytest.raises(RunMisused, match="'inner' begins while stage 'settlement' of the same run is open"):
        await bank.run(body)
    assert bank.ledger.standing == set()


async def test_failed_commit_ends_run(bank: Bank) -> None:
    async def body(run: Run[Failure]) -> None:
        await run.commit("settlement", bank.write("a", Reply(LATE)))
        bank.log.append("continued")

    assert await bank.run(body) == LATE
    assert "continued" not in bank.log


async def commit_with_policy_of_stage(run: Run[Failure], bank: Bank) -> object:
    return await run.commit("settlement", bank.write("a"), policy=SETTLE)  # type: ignore[misc]


async def test_unknown_commit_policy_is_refused_before_sending(bank: Bank) -> None:
    with pytest.raises(TypeError, match=r"^policy must be SEQUENTIAL or CONCURRENT, got <Policy\.SETTLE"):
        await bank.run(lambda run: commit_with_policy_of_stage(run, bank))
    assert bank.log == []
