"""Operations of a random test: requests, faults, outages, retries by an operator, and waiting."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from hypothesis import event

from tests.ledger.caller_records import WriteRequest
from tests.ledger.in_process_gateway import Disconnect, InProcessGateway

__all__ = (
    "CutOff",
    "InjectFaults",
    "Operation",
    "RepeatRequest",
    "Restore",
    "Retry",
    "SendRequest",
    "Wait",
    "run_operations",
)


@dataclass(frozen=True)
class SendRequest:
    """A client sends a request; see `InProcessGateway.send`."""

    request: WriteRequest
    timeout_ms: int | None = None
    disconnect: Disconnect = None


@dataclass(frozen=True)
class RepeatRequest:
    """A client repeats one of the latest requests: 1 *ago* is the latest, 2 *ago* the one before."""

    ago: int
    timeout_ms: int | None = None
    disconnect: Disconnect = None


@dataclass(frozen=True)
class Wait:
    """Time passes, which it does in no other operation."""

    milliseconds: int


@dataclass(frozen=True)
class InjectFaults:
    """The faults of a service are replaced."""

    service: str
    faults: Sequence[Mapping[str, object]]


@dataclass(frozen=True)
class CutOff:
    """A service becomes unreachable while a *crowd* of requests needs it; its circuit breaker may open."""

    service: str
    crowd: Sequence[WriteRequest] = ()


@dataclass(frozen=True)
class Restore:
    """All faults and outages end."""


@dataclass(frozen=True)
class Retry:
    """An operator retries the stuck execution at *place* in the list."""

    place: int


Operation: TypeAlias = SendRequest | RepeatRequest | Wait | InjectFaults | CutOff | Restore | Retry


async def run_operations(operations: Sequence[Operation]) -> None:
    """Run *operations*, and assert the invariants after each wait and at the end."""
    gateway = InProcessGateway()
    errors: list[Mapping[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
    for operation in operations:
        await _run(gateway, operation)
    await gateway.settle()
    assert not errors
    for observed in {*gateway.observed, *(f"{sent.request.path}: {sent.summary}" for sent in gateway.sent)}:
        event(observed)


async def _run(gateway: InProcessGateway, operation: Operation) -> None:
    match operation:
        case SendRequest(request, timeout_ms, disconnect):
            gateway.send(request, timeout_ms, disconnect)
        case RepeatRequest(ago, timeout_ms, disconnect):
            if recent := gateway.sent[-ago:]:
                gateway.send(recent[0].request, timeout_ms, disconnect)
        case Wait(milliseconds):
            await asyncio.sleep(milliseconds / 1000)
            await gateway.books()
        case InjectFaults(service, faults):
            await gateway.inject_faults(service, faults)
        case CutOff(service, crowd):
            gateway.cut(service, crowd)
        case Restore():
            await gateway.clear_faults()
        case Retry(place):
            if stuck := (await gateway.executions("stuck"))[place:]:
                gateway.retry(stuck[0].execution_id)
        case _:
            assert_never(operation)
