"""Gate that admits or denies a commit."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field, replace

import pytest
from typing_extensions import override

from gateway.railway import Err, Failure, JournalUnavailableError, Ok, Result, RunContext, Unavailable
from tests.railway.scripted_writes import Bank, Gate, Values, payment


@dataclass
class GuardedBank(Bank):
    """Bank with a gate for its commits."""

    gate: Gate = field(init=False)

    @override
    def __post_init__(self) -> None:
        super().__post_init__()
        self.gate = Gate(self.log)

    @property
    def context(self) -> RunContext:
        return replace(self.build_context(), gate=self.gate)

    def pay(self) -> Awaitable[Result[Values, Failure]]:
        return payment.on(self.context)(self.write("a"))


@pytest.fixture
def guarded_bank() -> GuardedBank:
    return GuardedBank()


async def test_commit_passes_gate_before_journal_begins(guarded_bank: GuardedBank) -> None:
    assert await guarded_bank.pay() == Ok((1,))
    assert guarded_bank.log[:3] == ["exe-1 at the gate", "begin settlement", "a sent"]


async def test_commit_denied_by_gate_cancels_run(guarded_bank: GuardedBank) -> None:
    guarded_bank.gate.is_open = False
    run = asyncio.ensure_future(guarded_bank.pay())
    await asyncio.wait((run,))

    assert run.cancelled()
    assert guarded_bank.log == ["exe-1 at the gate"]


async def test_failed_journal_begin_revokes_gate_pass(guarded_bank: GuardedBank) -> None:
    guarded_bank.journal.bugs["begin settlement"] = ZeroDivisionError()

    with pytest.raises(ZeroDivisionError):
        await guarded_bank.pay()
    assert guarded_bank.log == ["exe-1 at the gate", "exe-1 revoked"]


async def test_unavailable_journal_fails_run_and_revokes_gate_pass(guarded_bank: GuardedBank) -> None:
    guarded_bank.journal.bugs["begin settlement"] = JournalUnavailableError("the disk is full", retry_after=2)

    detail = "The gateway cannot record the commit at present, so nothing was sent"
    assert await guarded_bank.pay() == Err(Unavailable(detail, retry_after=2, was_sent=False))
    assert guarded_bank.log == ["exe-1 at the gate", "exe-1 revoked"]


async def test_unretryable_undo_refuses_commit_before_gate(guarded_bank: GuardedBank) -> None:
    context = replace(guarded_bank.context, retryable_undos={"a.undo", "b.undo"})

    with pytest.raises(LookupError, match=r"unregistered undo c\.undo, d\.undo: an operator"):
        await payment.on(context)(*map(guarded_bank.write, "abdc"))
    assert guarded_bank.log == []


async def test_commit_with_retryable_undos_is_accepted(guarded_bank: GuardedBank) -> None:
    context = replace(guarded_bank.context, retryable_undos={"a.undo", "b.undo"})

    assert await payment.on(context)(guarded_bank.write("a"), guarded_bank.call("b")) == Ok((1, 1))
