"""A call that has not been made yet."""

import asyncio
import dataclasses
import gc
import inspect

import pytest

from gateway.railway import Err, NotFound, Ok, Result, UpstreamFault, call, constant
from tests.railway.scripted_calls import MISSING, World


@dataclasses.dataclass(frozen=True)
class Users:
    greeting: str

    @call
    async def fetch(self, user: str, *, title: str = "") -> Result[str, NotFound | UpstreamFault]:
        """Greet *user*."""
        return Ok(f"{self.greeting} {title}{user}") if user else Err(NotFound("nobody"))

    @staticmethod
    @call
    async def count() -> Result[int, UpstreamFault]:
        return Ok(2)

    @call(name="accounts.list")
    async def everybody(self) -> Result[list[str], UpstreamFault]:
        return Ok([self.greeting])


@call
async def cap(value: int) -> Result[int, NotFound]:
    return Ok(min(value, 10))


@pytest.fixture
def users() -> Users:
    return Users("hello")


def test_making_a_call_starts_nothing_and_it_is_dropped_without_a_warning(world: World) -> None:
    _ = world.call("a").map(str).within(1).optional()
    gc.collect()

    assert world.log == []


async def test_awaiting_a_call_gives_a_result(world: World) -> None:
    assert await world.call("a", Ok(7)) == Ok(7)
    assert await world.call("b", MISSING) == MISSING


async def test_a_call_is_made_once_each_time_it_is_awaited(world: World) -> None:
    again = world.call("a")

    assert [await again, await again] == [Ok(1), Ok(1)]
    assert world.log == ["a started", "a ended"] * 2


async def test_one_call_may_be_made_at_the_same_time_twice(world: World) -> None:
    again = world.call("a", after=1)

    await asyncio.gather(again.make(), again.make())

    assert world.log == ["a started", "a started", "a ended", "a ended"]


async def test_a_bug_in_a_call_outside_any_stage_propagates(world: World) -> None:
    with pytest.raises(ZeroDivisionError):
        await world.call("bug", ZeroDivisionError())


async def test_a_described_function_is_called_with_its_arguments(users: Users) -> None:
    assert await users.fetch("ada", title="Ms ") == Ok("hello Ms ada")
    assert await users.fetch("") == Err(NotFound("nobody"))


def test_a_call_of_a_method_is_named_after_its_class_and_itself(users: Users) -> None:
    assert users.fetch("ada").name == "users.fetch"
    assert Users.count().name == "users.count"


def test_a_call_of_a_function_is_named_after_its_module_and_itself() -> None:
    assert cap(1).name == "test_call.cap"


def test_a_call_of_a_function_in_a_function_is_named_after_both() -> None:
    @call
    async def inner() -> Result[int, NotFound]:
        return Ok(1)

    assert inner().name == "test_a_call_of_a_function_in_a_function_is_named_after_both.inner"


async def test_a_call_is_named_as_it_is_told(users: Users) -> None:
    assert users.everybody().name == "accounts.list"
    assert await users.everybody() == Ok(["hello"])


def test_a_described_function_keeps_its_name_and_its_words() -> None:
    assert Users.fetch.__name__ == "fetch"
    assert inspect.getdoc(Users.fetch) == "Greet *user*."


def test_a_shaped_call_keeps_the_name_of_its_leaf(world: World) -> None:
    shaped = world.call("a").map(str).within(1).recover(lambda _: Ok("b")).optional()

    assert (shaped.name, shaped.is_shaped) == ("a", True)


async def test_what_is_known_is_given_without_asking_anybody() -> None:
    assert constant("posts.list", (1, 2)).name == "posts.list"
    assert await constant("posts.list", (1, 2)) == Ok((1, 2))
    assert await constant("posts.list", 7).map(str).optional() == Ok("7")


def test_a_call_is_a_frozen_fact(world: World) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        world.call("a").name = "b"  # type: ignore[misc]
