"""Addresses of host names: one look-up at a time, in threads; the last known are kept."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from gateway.http1.resolver import Resolver, look_up
from tests.clock import AutojumpLoop


class NameServer:
    """Name server that answers when it is told to."""

    def __init__(self, *answers: Sequence[str] | Exception) -> None:
        self.answers = [*answers]
        self.asked: list[str] = []
        self.may_answer = threading.Event()
        self.may_answer.set()

    def look_up(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        self.may_answer.wait(10)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_addresses_are_kept() -> None:
    server = NameServer(["10.0.0.1"])
    resolver = Resolver(60.0, server.look_up)

    assert [await resolver.resolve("users.test") for _ in range(3)] == [["10.0.0.1"]] * 3
    assert server.asked == ["users.test"]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_address_is_not_looked_up(host: str) -> None:
    server = NameServer(OSError())
    resolver = Resolver(0.0, server.look_up)

    assert (await resolver.resolve(host), await resolver.refresh(host)) == ((host,), (host,))
    assert server.asked == []


async def test_concurrent_requests_share_a_look_up() -> None:
    server = NameServer(["10.0.0.1"])
    resolver = Resolver(60.0, server.look_up)

    found = await asyncio.gather(*(resolver.resolve("users.test") for _ in range(20)))

    assert found == [["10.0.0.1"]] * 20
    assert server.asked == ["users.test"]


async def test_cancelled_request_leaves_look_up_to_others() -> None:
    server = NameServer(["10.0.0.1"])
    server.may_answer.clear()
    resolver = Resolver(60.0, server.look_up)
    first, second = [asyncio.create_task(resolver.resolve("users.test")) for _ in range(2)]
    await asyncio.sleep(0)
    first.cancel()
    server.may_answer.set()

    assert await second == ["10.0.0.1"]


async def test_last_addresses_are_used_during_look_up() -> None:
    server = NameServer(["10.0.0.1"], ["10.0.0.2"])
    resolver = Resolver(0.0, server.look_up)
    await resolver.resolve("users.test")
    server.may_answer.clear()

    assert await resolver.resolve("users.test") == ["10.0.0.1"]
    server.may_answer.set()
    assert await resolver.refresh("users.test") == ["10.0.0.2"]


async def test_last_addresses_are_used_after_failed_look_up() -> None:
    server = NameServer(["10.0.0.1"], OSError("no name server"))
    resolver = Resolver(0.0, server.look_up)
    await resolver.resolve("users.test")

    assert await resolver.refresh("users.test") == ["10.0.0.1"]
    assert await resolver.resolve("users.test") == ["10.0.0.1"]


@pytest.mark.parametrize(
    "answer",
    [OSError("unknown name"), UnicodeError("label too long"), []],
    ids=["unknown", "no name", "none"],
)
async def test_name_without_addresses_is_an_error(answer: Exception | list[str]) -> None:
    resolver = Resolver(60.0, NameServer(answer).look_up)

    with pytest.raises(OSError, match=r"unknown name|label too long|no address of users\.test"):
        await resolver.resolve("users.test")
    assert await resolver.refresh("users.test") == ()


async def test_failure_of_look_up_itself_is_an_error() -> None:
    """Requests that wait for the name are not left waiting."""
    resolver = Resolver(60.0, NameServer(ZeroDivisionError("bug")).look_up)

    with pytest.raises(OSError, match="bug"):
        await resolver.resolve("users.test")


async def test_silent_names_keep_no_other_waiting() -> None:
    silent = NameServer(["10.0.0.9"])
    silent.may_answer.clear()

    def find(host: str) -> Sequence[str]:
        return silent.look_up(host) if host.startswith("silent") else ["10.0.0.1"]

    resolver = Resolver(60.0, find)
    waiting = [asyncio.create_task(resolver.resolve(f"silent-{n}.test")) for n in range(20)]
    await asyncio.sleep(0.01)

    async with asyncio.timeout(2):
        assert await resolver.resolve("users.test") == ["10.0.0.1"]
    silent.may_answer.set()
    assert await asyncio.gather(*waiting) == [["10.0.0.9"]] * 20


async def refresh_often(resolver: Resolver) -> None:
    """Let many connections fail for a while, at 100 a second."""
    for _ in range(500):
        await resolver.refresh("users.test")
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("answer", [["10.0.0.1"], OSError("no name server")], ids=["found", "not found"])
def test_failed_connections_cause_few_look_ups(answer: Sequence[str] | Exception) -> None:
    server = NameServer(answer)
    with asyncio.Runner(loop_factory=AutojumpLoop) as runner:
        runner.run(refresh_often(Resolver(60.0, server.look_up, refresh_interval=1.0)))

    assert len(server.asked) == 5


async def resolve_twice(resolver: Resolver, pause: float) -> list[str]:
    """Resolve a name, which fails, and again after *pause* seconds; return the errors."""
    errors: list[str] = []
    for seconds in (0.0, pause):
        await asyncio.sleep(seconds)
        with pytest.raises(OSError, match="unknown") as raised:
            await resolver.resolve("users.test")
        errors.append(str(raised.value))
    return errors


@pytest.mark.parametrize(("pause", "look_ups"), [(0.9, 1), (1.1, 2)])
def test_failed_look_up_is_repeated_after_interval(pause: float, look_ups: int) -> None:
    server = NameServer(OSError("unknown name"))
    with asyncio.Runner(loop_factory=AutojumpLoop) as runner:
        errors = runner.run(resolve_twice(Resolver(60.0, server.look_up, refresh_interval=1.0), pause))

    assert errors == ["unknown name"] * 2
    assert len(server.asked) == look_ups


def test_look_up_of_closed_loop_is_started_again() -> None:
    server = NameServer(["10.0.0.1"])
    server.may_answer.clear()
    resolver = Resolver(60.0, server.look_up)

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await resolver.resolve("users.test")

    asyncio.run(give_up())
    server.may_answer.set()

    assert asyncio.run(resolver.resolve("users.test")) == ["10.0.0.1"]


def test_system_resolver_knows_localhost() -> None:
    assert set(look_up("localhost")) <= {"127.0.0.1", "::1"}
