"""Bank whose writes answer as a test says, and traces of orders that it settles."""

import asyncio
from typing import Final

from gateway.observability.trace import Trace
from gateway.railway import (
    Aggregate,
    Conflict,
    Err,
    Failure,
    Key,
    Ok,
    Result,
    Run,
    RunContext,
    SentWrite,
    Stuck,
    Unavailable,
    Undo,
    Write,
    railway,
)

__all__ = ("LOST", "PAID", "TAKEN", "Bank", "order", "trace_order")

PAID: Final = Ok("paid")
LOST: Final = Err(Unavailable("reset", was_sent=True))
TAKEN: Final = Err(Conflict("taken"))


class Bank:
    """Service with writes that take 100 ms and answer with *results*, one after the other."""

    def __init__(self, *results: Result[str, Unavailable | Conflict], is_undoable: bool = True) -> None:
        self._results = [*results]
        self._is_undoable = is_undoable

    def write(self, name: str) -> Write[str, Unavailable | Conflict]:
        return Write(name, self._write, Undo(f"{name}.undo", self._undo))

    async def _write(self, _: Key) -> Result[str, Unavailable | Conflict]:
        await asyncio.sleep(0.1)
        return self._results.pop(0)

    async def _undo(self, _: SentWrite) -> Result[object, Failure]:
        await asyncio.sleep(0.1)
        return Ok(None) if self._is_undoable else Err(Unavailable("down"))


@railway
async def order(run: Run[Unavailable | Conflict | Aggregate | Stuck], bank: Bank) -> None:
    await run.commit("settlement", bank.write("bank.pay"), bank.write("shop.ship"), bank.write("shop.bill"))


async def trace_order(bank: Bank) -> Trace:
    """Return the trace of an order, whose commit makes three writes in sequence."""
    trace = Trace(asyncio.get_running_loop().time)
    await order.on(RunContext(observer=trace))(bank)
    return trace
