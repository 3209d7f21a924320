"""Gate of a commit: whether it may still begin."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field, replace

import pytest
from typing_extensions import override

from gateway.railway import CommitGate, Failure, Ok, Result, RunContext
from tests.railway.scripted_writes import Bank, Values, committing


@dataclass
class Gate(CommitGate):
    """Opens if it *is_open*, and logs what it is asked."""

    log: list[str]
    is_open: bool = True

    @override
    def try_begin(self, execution_id: str, /) -> bool:
        self.log.append(f"{execution_id} at the gate")
        return self.is_open

    @override
    def revoke(self, execution_id: str, /) -> None:
        self.log.append(f"{execution_id} revoked")


@dataclass
class GuardedBank(Bank):
    """A bank whose commits pass a gate."""

    gate: Gate = field(init=False)

    @override
    def __post_init__(self) -> None:
        super().__post_init__()
        self.gate = Gate(self.log)

    @property
    def context(self) -> RunContext:
        return replace(self.around(), gate=self.gate)

    def pay(self) -> Awaitable[Result[Values, Failure]]:
        return committing.on(self.context)(self.write("a"))


@pytest.fixture
def guarded() -> GuardedBank:
    return GuardedBank()


async def test_the_gate_is_asked_before_anything_is_recorded_or_sent(guarded: GuardedBank) -> None:
    assert await guarded.pay() == Ok((1,))
    assert guarded.log[:3] == ["exe-1 at the gate", "begin settlement", "a sent"]


async def test_a_denied_commit_ends_its_run_as_cancelled(guarded: GuardedBank) -> None:
    guarded.gate.is_open = False
    run = asyncio.ensure_future(guarded.pay())
    await asyncio.wait((run,))

    assert run.cancelled()
    assert guarded.log == ["exe-1 at the gate"]


async def test_a_commit_that_cannot_be_recorded_returns_its_pass(guarded: GuardedBank) -> None:
    guarded.journal.bugs["begin settlement"] = ZeroDivisionError()

    with pytest.raises(ZeroDivisionError):
        await guarded.pay()
    assert guarded.log == ["exe-1 at the gate", "exe-1 revoked"]


async def test_a_recorded_commit_keeps_its_pass_whatever_fails_later(guarded: GuardedBank) -> None:
    guarded.journal.bugs["a is done"] = ZeroDivisionError()

    with pytest.raises(ZeroDivisionError):
        await guarded.pay()
    assert "exe-1 revoked" not in guarded.log


async def test_an_undo_that_cannot_be_retried_is_refused_before_the_gate(guarded: GuardedBank) -> None:
    context = replace(guarded.context, retryable_undos={"a.undo", "b.undo"})

    with pytest.raises(LookupError, match=r"unknown undo c\.undo, d\.undo: register it"):
        await committing.on(context)(*map(guarded.write, "abdc"))
    assert guarded.log == []


async def test_undos_that_can_be_retried_are_accepted(guarded: GuardedBank) -> None:
    context = replace(guarded.context, retryable_undos={"a.undo", "b.undo"})

    assert await committing.on(context)(guarded.write("a"), guarded.call("b")) == Ok((1, 1))
