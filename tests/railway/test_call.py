"""Calls: their names, and when they are made."""

import asyncio
import dataclasses
import gc
import inspect

import pytest

from gateway.railway import Err, NotFound, Ok, Result, UpstreamFault, call, constant
from tests.railway.scripted_calls import MISSING, Services


@dataclasses.dataclass(frozen=True)
class Users:
    greeting: str

    @call
    async def fetch(self, user: str, *, title: str = "") -> Result[str, NotFound | UpstreamFault]:
        """Greet *user*."""
        return Ok(f"{self.greeting} {title}{user}") if user else Err(NotFound("unknown user"))

    @staticmethod
    @call
    async def count() -> Result[int, UpstreamFault]:
        return Ok(2)

    @call(name="accounts.list")
    async def list_all(self) -> Result[list[str], UpstreamFault]:
        return Ok([self.greeting])


@call
async def cap(value: int) -> Result[int, NotFound]:
    return Ok(min(value, 10))


@pytest.fixture
def users() -> Users:
    return Users("hello")


def test_unawaited_call_sends_nothing(services: Services) -> None:
    """Dropping the call raises no warning either."""
    _ = services.call("a").map(str).within(1).optional()
    gc.collect()

    assert services.log == []


async def test_awaited_call_returns_result(services: Services) -> None:
    assert await services.call("a", Ok(7)) == Ok(7)
    assert await services.call("b", MISSING) == MISSING


async def test_each_await_makes_call_once(services: Services) -> None:
    twin = services.call("a")

    assert [await twin, await twin] == [Ok(1), Ok(1)]
    assert services.log == ["a started", "a ended"] * 2


async def test_call_can_run_twice_concurrently(services: Services) -> None:
    twin = services.call("a", after=1)

    await asyncio.gather(twin.make(), twin.make())

    assert services.log == ["a started", "a started", "a ended", "a ended"]


async def test_call_outside_stage_propagates_bug(services: Services) -> None:
    with pytest.raises(ZeroDivisionError):
        await services.call("bug", ZeroDivisionError())


async def test_call_passes_arguments_to_function(users: Users) -> None:
    assert await users.fetch("ada", title="Ms ") == Ok("hello Ms ada")
    assert await users.fetch("") == Err(NotFound("unknown user"))


def test_method_call_is_named_after_class(users: Users) -> None:
    assert users.fetch("ada").name == "users.fetch"
    assert Users.count().name == "users.count"


def test_function_call_is_named_after_module() -> None:
    assert cap(1).name == "test_call.cap"


def test_nested_function_call_has_outer_function_name() -> None:
    @call
    async def inner() -> Result[int, NotFound]:
        return Ok(1)

    assert inner().name == "test_nested_function_call_has_outer_function_name.inner"


async def test_call_accepts_explicit_name(users: Users) -> None:
    assert users.list_all().name == "accounts.list"
    assert await users.list_all() == Ok(["hello"])


def test_call_keeps_function_name_and_docstring() -> None:
    assert Users.fetch.__name__ == "fetch"
    assert inspect.getdoc(Users.fetch) == "Greet *user*."


def test_derived_call_keeps_original_name(services: Services) -> None:
    shaped = services.call("a").map(str).within(1).recover(lambda _: Ok("b")).optional()

    assert (shaped.name, shaped.is_shaped) == ("a", True)


async def test_constant_returns_value_without_request() -> None:
    assert constant("posts.list", (1, 2)).name == "posts.list"
    assert await constant("posts.list", (1, 2)) == Ok((1, 2))
    assert await constant("posts.list", 7).map(str).optional() == Ok("7")


def test_call_is_immutable(services: Services) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        services.call("a").name = "b"  # type: ignore[misc]
