"""Writes before a commit makes them, and best-effort writes."""

import dataclasses
from collections.abc import Awaitable, Callable

import pytest

from gateway.railway import Failure, Key, Missing, Ok, Run, Undo, Write
from tests.railway.scripted_calls import FINE, TAKEN
from tests.railway.scripted_writes import Bank

KEY = Key("exe-1.settlement.0.a")


def exclaim(value: int) -> str:
    return f"{value}!"


async def exclaim_later(value: int) -> str:
    return exclaim(value)


@pytest.mark.parametrize("change", [exclaim, exclaim_later])
async def test_write_map_changes_value(bank: Bank, change: Callable[[int], str | Awaitable[str]]) -> None:
    assert await bank.write("a").map(change).attempt(KEY) == Ok("1!")
    assert await bank.write("b", TAKEN).map(change).attempt(KEY) == TAKEN
    assert bank.keys == {"a": [KEY], "b": [KEY]}


async def test_write_map_keeps_names_of_missing_calls(bank: Bank) -> None:
    lacking = bank.write("a", Ok(1, lacks=("extra",)))

    assert await lacking.map(str).attempt(KEY) == Ok("1", lacks=("extra",))


def test_write_map_keeps_name_and_undo(bank: Bank) -> None:
    write = bank.write("a")

    mapped = write.map(str)

    assert (mapped.name, mapped.undo) == (write.name, write.undo)


async def test_write_map_rejects_function_that_returns_result(bank: Bank) -> None:
    with pytest.raises(TypeError, match="map was given a function that returns a call or a result"):
        await bank.write("a").map(Ok).attempt(KEY)


async def test_creating_write_sends_nothing(bank: Bank) -> None:
    call = bank.write("a").map(str).best_effort()

    assert call.name == "a"
    assert bank.log == []


def test_write_is_immutable(bank: Bank) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        bank.write("a").name = "b"  # type: ignore[misc]


def test_write_has_no_undo_by_default() -> None:
    async def attempt(_: object) -> Ok[int]:
        return FINE

    write: Write[int, Failure] = Write("a", attempt)

    assert write.undo is None
    assert write != Write("a", attempt, undo=Undo("a.undo", attempt))


def build_best_effort_body(
    bank: Bank, *names: str, stage: str = "after"
) -> Callable[[Run[Failure]], Awaitable[object]]:
    async def body(run: Run[Failure]) -> object:
        await run.commit("settlement", bank.write("a"))
        for name in names[:-1]:
            await run.stage(stage, bank.write(name).best_effort())
        return await run.stage(stage, bank.write(names[-1], TAKEN).best_effort())

    return body


async def test_best_effort_write_key_names_its_stage(bank: Bank) -> None:
    await bank.run(build_best_effort_body(bank, "mail", "event"))

    assert bank.keys["mail"] == ["exe-1.1-after.0.mail"]
    assert bank.log[-2:] == ["mail sent", "event sent"]


async def test_failed_best_effort_write_is_missing(bank: Bank) -> None:
    result = await bank.run(build_best_effort_body(bank, "mail"))

    assert result == Ok((Missing("mail", TAKEN.error),), lacks=("mail",))
    assert len(bank.keys["mail"]) == 1
    assert "mail.undo" not in bank.keys


async def test_failed_best_effort_write_returns_default(bank: Bank) -> None:
    async def body(run: Run[Failure]) -> object:
        await run.commit("settlement", bank.write("a"))
        return await run.stage(
            "after", bank.write("b", TAKEN).best_effort(None), bank.write("c").best_effort(0)
        )

    assert await bank.run(body) == Ok((None, 1), lacks=("b",))


async def test_best_effort_writes_have_unique_keys(bank: Bank) -> None:
    async def body(run: Run[Failure]) -> None:
        mail = bank.write("mail")
        await run.commit("mail stage", mail)
        await run.stage("mail stage", mail.best_effort(), mail.best_effort())
        await run.stage("mail stage", mail.best_effort())

    await bank.run(body)

    assert len({*bank.keys["mail"]}) == 4


async def test_journal_ignores_best_effort_writes(bank: Bank) -> None:
    await bank.run(build_best_effort_body(bank, "mail"))

    assert bank.log == [
        "begin settlement",
        "a sent",
        "a is done",
        "end committed",
        "seal exe-1",
        "mail sent",
    ]
