"""A write that has not been made yet."""

import dataclasses
from collections.abc import Awaitable, Callable

import pytest

from gateway.railway import Failure, Key, Missing, Ok, Run, Undo, Write
from tests.railway.scripted_calls import FINE, TAKEN
from tests.railway.scripted_writes import Bank

KEY = Key("exe-1.settlement.0.a")


def aloud(value: int) -> str:
    return f"{value}!"


async def aloud_in_time(value: int) -> str:
    return aloud(value)


@pytest.mark.parametrize("change", [aloud, aloud_in_time])
async def test_map_changes_the_value(bank: Bank, change: Callable[[int], str | Awaitable[str]]) -> None:
    assert await bank.write("a").map(change).attempt(KEY) == Ok("1!")
    assert await bank.write("b", TAKEN).map(change).attempt(KEY) == TAKEN
    assert bank.keys == {"a": [KEY], "b": [KEY]}


async def test_map_keeps_what_is_lacking(bank: Bank) -> None:
    lacking = bank.write("a", Ok(1, lacks=("extra",)))

    assert await lacking.map(str).attempt(KEY) == Ok("1", lacks=("extra",))


def test_map_keeps_name_arguments_and_undo(bank: Bank) -> None:
    write = bank.write("a")

    mapped = write.map(str)

    assert (mapped.name, mapped.arguments, mapped.undo) == (write.name, write.arguments, write.undo)


async def test_a_write_mapped_to_a_result_is_a_mistake_and_says_so(bank: Bank) -> None:
    with pytest.raises(TypeError, match="map was given a function that makes a call or a result"):
        await bank.write("a").map(Ok).attempt(KEY)


async def test_making_a_write_sends_nothing(bank: Bank) -> None:
    made = bank.write("a").map(str).best_effort()

    assert made.name == "a"
    assert bank.log == []


def test_a_write_is_a_frozen_fact(bank: Bank) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        bank.write("a").name = "b"  # type: ignore[misc]


def test_a_write_has_neither_arguments_nor_undo_unless_it_is_given_them() -> None:
    async def attempt(_key: Key) -> Ok[int]:
        return FINE

    write: Write[int, Failure] = Write("a", attempt)

    assert (write.arguments, write.undo) == ({}, None)
    assert write != Write("a", attempt, undo=Undo("a.undo", attempt))


def after_commit(
    bank: Bank, *names: str, stage: str = "after"
) -> Callable[[Run[Failure]], Awaitable[object]]:
    async def body(run: Run[Failure]) -> object:
        await run.commit("settlement", bank.write("a"))
        for name in names[:-1]:
            await run.stage(stage, bank.write(name).best_effort())
        return await run.stage(stage, bank.write(names[-1], TAKEN).best_effort())

    return body


async def test_after_a_commit_a_best_effort_write_is_made_under_a_key_of_its_own(bank: Bank) -> None:
    await bank.made(after_commit(bank, "mail", "event"))

    assert bank.keys["mail"] == ["exe-1.0-after.0.mail"]
    assert bank.log[-2:] == ["mail sent", "event sent"]


async def test_a_best_effort_write_that_fails_is_missing_and_lacking(bank: Bank) -> None:
    result = await bank.made(after_commit(bank, "mail"))

    assert result == Ok((Missing("mail", TAKEN.error),), lacks=("mail",))
    assert len(bank.keys["mail"]) == 1
    assert "mail.undo" not in bank.keys


async def test_a_best_effort_write_that_fails_is_what_it_is_given_instead(bank: Bank) -> None:
    async def body(run: Run[Failure]) -> object:
        await run.commit("settlement", bank.write("a"))
        return await run.stage(
            "after", bank.write("b", TAKEN).best_effort(None), bank.write("c").best_effort(0)
        )

    assert await bank.made(body) == Ok((None, 1), lacks=("b",))


async def test_best_effort_writes_of_one_name_have_different_keys(bank: Bank) -> None:
    async def body(run: Run[Failure]) -> None:
        mail = bank.write("mail")
        await run.commit("tell", mail)
        await run.stage("tell", mail.best_effort(), mail.best_effort())
        await run.stage("tell", mail.best_effort())

    await bank.made(body)

    assert len({*bank.keys["mail"]}) == 4


async def test_the_journal_hears_nothing_of_a_best_effort_write(bank: Bank) -> None:
    await bank.made(after_commit(bank, "mail"))

    assert bank.log == ["begin settlement", "a sent", "a is done", "end committed", "mail sent"]
