"""What can happen: callers ask, services break down and heal, an operator retries, and time passes."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from hypothesis import event

from tests.ledger.caller_records import WriteRequest
from tests.ledger.in_process_gateway import Disconnect, InProcessGateway

__all__ = ("Again", "Ask", "BreakDown", "Cut", "Heal", "Move", "Retry", "Wait", "play")


@dataclass(frozen=True)
class Ask:
    """Somebody asks; see `World.ask`."""

    request: WriteRequest
    patience: int | None = None
    disconnect: Disconnect = None


@dataclass(frozen=True)
class Again:
    """What was asked so many requests ago is asked again."""

    ago: int
    patience: int | None = None
    disconnect: Disconnect = None


@dataclass(frozen=True)
class Wait:
    """Time passes, which it does by nothing else."""

    milliseconds: int


@dataclass(frozen=True)
class BreakDown:
    """A service has these faults, and no others."""

    service: str
    faults: Sequence[Mapping[str, object]]


@dataclass(frozen=True)
class Cut:
    """A service cannot be reached, just when a crowd asks for what needs it: soon it is left alone."""

    service: str
    crowd: Sequence[WriteRequest] = ()


@dataclass(frozen=True)
class Heal:
    """All services work, and can be reached."""


@dataclass(frozen=True)
class Retry:
    """An operator retries what is stuck: this one in the list."""

    place: int


Move: TypeAlias = Ask | Again | Wait | BreakDown | Cut | Heal | Retry


async def play(moves: Sequence[Move]) -> None:
    """Make *moves*, and hold the world to what must be true then, as long as it lasts and in the end."""
    gateway = InProcessGateway()
    errors: list[Mapping[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
    for move in moves:
        await _make(gateway, move)
    await gateway.settle()
    assert not errors
    for what in {*gateway.observed, *(f"{one.request.path}: {one.summary}" for one in gateway.sent)}:
        event(what)


async def _make(gateway: InProcessGateway, move: Move) -> None:
    match move:
        case Ask(wanted, patience, hangs_up):
            gateway.send(wanted, patience, hangs_up)
        case Again(ago, patience, hangs_up):
            if asked := gateway.sent[-ago:]:
                gateway.send(asked[0].request, patience, hangs_up)
        case Wait(milliseconds):
            await asyncio.sleep(milliseconds / 1000)
            await gateway.books()
        case BreakDown(service, faults):
            await gateway.inject_faults(service, faults)
        case Cut(service, crowd):
            gateway.cut(service, crowd)
        case Heal():
            await gateway.clear_faults()
        case Retry(place):
            if stuck := (await gateway.executions("stuck"))[place:]:
                gateway.retry(stuck[0].execution_id)
        case _:
            assert_never(move)
