"""Seal: the journal records a commit durably before the first stage after it."""

from collections.abc import Awaitable, Callable

import pytest

from gateway.railway import Call, Failure, JournalUnavailableError, Ok, Run, StageRecord
from tests.railway.scripted_calls import TAKEN
from tests.railway.scripted_writes import Bank

COMMITTED = ["begin settlement", "a sent", "a is done", "end committed"]


async def test_commit_is_sealed_before_next_stage(bank: Bank) -> None:
    async def body(run: Run[Failure]) -> None:
        await run.commit("settlement", bank.write("a"))
        await run.stage("announce", bank.write("mail").best_effort())

    await bank.run(body)

    assert bank.log == [*COMMITTED, "seal exe-1", "mail sent"]


async def test_commit_is_sealed_once(bank: Bank) -> None:
    async def body(run: Run[Failure]) -> None:
        await run.commit("settlement", bank.write("a"))
        for name in ("mail", "event"):
            await run.stage("announce", bank.write(name).best_effort())

    await bank.run(body)

    assert bank.log[4:] == ["seal exe-1", "mail sent", "event sent"]


async def make_empty_stage(run: Run[Failure]) -> object:
    return await run.stage("announce")  # type: ignore[misc]


async def make_empty_list(run: Run[Failure]) -> object:
    return await run.each("announce", list[Call[int, Failure]]())


@pytest.mark.parametrize("make_stage", [make_empty_stage, make_empty_list])
async def test_commit_is_sealed_before_empty_stage(
    bank: Bank, make_stage: Callable[[Run[Failure]], Awaitable[object]]
) -> None:
    async def body(run: Run[Failure]) -> None:
        await run.commit("settlement", bank.write("a"))
        await make_stage(run)

    await bank.run(body)

    assert bank.log == [*COMMITTED, "seal exe-1"]


async def test_run_without_later_stage_is_not_sealed(bank: Bank) -> None:
    async def body(run: Run[Failure]) -> None:
        await run.stage("core", bank.call("x"))
        await run.commit("settlement", bank.write("a"))

    await bank.run(body)

    assert bank.journal.reruns == []


async def test_seal_has_records_of_stages_and_commit(bank: Bank) -> None:
    async def body(run: Run[Failure]) -> None:
        await run.stage("core", bank.call("x", Ok(2)), bank.call("y", TAKEN).map(str).optional("none"))
        await run.commit("settlement", bank.write("a"), bank.call("b", Ok(3)))
        await run.stage("announce", bank.write("mail").best_effort())

    await bank.run(body)

    (rerun,) = bank.journal.reruns
    assert rerun.past == (
        StageRecord("core", ("x", "y"), Ok((2, "none"), lacks=("y",))),
        StageRecord("settlement", ("a", "b"), Ok((1, 3))),
    )


@pytest.mark.parametrize("error", [ZeroDivisionError(), JournalUnavailableError("down")], ids=repr)
async def test_failed_seal_ends_run_before_stage(bank: Bank, error: Exception) -> None:
    bank.journal.bugs["seal exe-1"] = error

    async def body(run: Run[Failure]) -> None:
        await run.commit("settlement", bank.write("a"))
        await run.stage("announce", bank.write("mail").best_effort())

    with pytest.raises(type(error)):
        await bank.run(body)
    assert bank.log == COMMITTED


async def test_failed_seal_is_repeated_before_another_stage(bank: Bank) -> None:
    """No stage is made without the seal, even if the pipeline catches the exception."""
    bank.journal.bugs["seal exe-1"] = JournalUnavailableError("down")

    async def body(run: Run[Failure]) -> None:
        await run.commit("settlement", bank.write("a"))
        with pytest.raises(JournalUnavailableError):
            await run.stage("announce", bank.write("mail").best_effort())
        await run.stage("announce", bank.write("mail").best_effort())

    with pytest.raises(JournalUnavailableError):
        await bank.run(body)
    assert bank.log == COMMITTED


async def test_misused_stage_is_not_sealed(bank: Bank) -> None:
    async def body(run: Run[Failure]) -> None:
        await run.commit("settlement", bank.write("a"))
        await run.stage("announce", bank.call("x"))

    with pytest.raises(RuntimeError, match="can fail: make the call optional"):
        await bank.run(body)
    assert bank.log == COMMITTED


async def test_failed_commit_is_not_sealed(bank: Bank) -> None:
    async def body(run: Run[Failure]) -> None:
        await run.commit("settlement", bank.write("a", TAKEN))
        await run.stage("announce", bank.write("mail").best_effort())

    assert await bank.run(body) == TAKEN
    assert bank.journal.reruns == []
