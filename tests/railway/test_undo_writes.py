"""Undos of writes outside of their run, such as after a crash, in rounds within a budget."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from gateway.railway import (
    UNANSWERED,
    CallMode,
    Err,
    Failure,
    Key,
    NotFound,
    Ok,
    Result,
    SentWrite,
    Undo,
    WriteOutcome,
    current_context,
    time_left,
    undo_writes,
)
from tests.railway.scripted_calls import FOREVER, now

GONE = Err(NotFound("gone"))
DONE = Ok(None)


@dataclass
class Shop:
    """Shop whose undos get *replies* in turn, by key, after *seconds*; the last reply repeats."""

    replies: dict[str, list[Result[object, Failure] | Exception]] = field(
        default_factory=dict[str, list[Result[object, Failure] | Exception]]
    )
    seconds: dict[str, float] = field(default_factory=dict[str, float])
    sent: list[SentWrite] = field(default_factory=list[SentWrite])
    budgets: list[float] = field(default_factory=list[float])
    log: list[str] = field(default_factory=list[str])

    async def undo(self, write: SentWrite) -> Result[object, Failure]:
        assert current_context().mode is CallMode.BYPASS_POLICIES
        self.sent.append(write)
        self.budgets.append(time_left())
        self.log.append(f"undo {write.key}")
        await asyncio.sleep(self.seconds.get(write.key, 0))
        replies = self.replies.get(write.key, [DONE])
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def undo_all(self, *keys: str, age: float = 0, budget: float = 30) -> Sequence[SentWrite]:
        """Undo writes with *keys*, whose last attempts ended *age* seconds ago."""
        writes = [(Undo(f"{key}.undo", self.undo), SentWrite(Key(key), age=age)) for key in keys]
        return await undo_writes(writes, budget, self.note)

    def note(self, write: SentWrite, outcome: WriteOutcome) -> None:
        self.log.append(f"{write.key} is {outcome.value} after {now():g} s")


@pytest.fixture
def shop() -> Shop:
    return Shop()


async def test_last_write_is_undone_first(shop: Shop) -> None:
    assert await shop.undo_all("a", "b") == []
    assert shop.log == ["undo b", "b is undone after 0 s", "undo a", "a is undone after 0 s"]


async def test_outcome_is_noted_as_it_happens(shop: Shop) -> None:
    shop.seconds = {"a": 2, "b": 1}
    await shop.undo_all("a", "b")

    assert shop.log == ["undo b", "b is undone after 1 s", "undo a", "a is undone after 3 s"]


@pytest.mark.parametrize("failure", [GONE, ZeroDivisionError()], ids=repr)
async def test_failed_undo_is_repeated_until_it_succeeds(
    shop: Shop, failure: Result[object, Failure] | Exception
) -> None:
    shop.replies = {"b": [failure, failure, DONE]}

    assert await shop.undo_all("a", "b") == []
    assert [line for line in shop.log if line.startswith("undo")] == ["undo b", "undo a", "undo b", "undo b"]
    assert 0 < now() < 1


async def test_writes_left_after_budget_are_stuck(shop: Shop) -> None:
    shop.replies = {"a": [GONE], "c": [GONE]}
    stuck = await shop.undo_all("a", "b", "c", budget=5)

    assert [write.key for write in stuck] == ["a", "c"]
    assert [line.partition(" after")[0] for line in shop.log[-2:]] == ["c is stuck", "a is stuck"]
    assert 4 <= now() <= 5


async def test_undos_share_time_equally(shop: Shop) -> None:
    shop.seconds = {"b": 4}
    await shop.undo_all("a", "b", "c", budget=12)

    assert shop.budgets == [4, 6, 8]


async def test_hanging_undo_leaves_time_for_other_undos(shop: Shop) -> None:
    shop.seconds = {"b": FOREVER}
    stuck = await shop.undo_all("a", "b", budget=10)

    assert [write.key for write in stuck] == ["b"]
    assert "a is undone after 6 s" in shop.log


async def test_age_grows_while_writes_are_undone(shop: Shop) -> None:
    shop.seconds = {"a": 2, "b": 3}
    shop.replies = {"a": [GONE]}
    (stuck,) = await shop.undo_all("a", "b", age=7, budget=5.01)

    assert [write.age for write in shop.sent] == [7, 10]
    assert stuck == SentWrite(Key("a"), UNANSWERED, age=12)


async def test_undo_of_nothing_takes_no_time(shop: Shop) -> None:
    assert await shop.undo_all() == []
    assert (shop.log, now()) == ([], 0)
