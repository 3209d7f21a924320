"""Idempotency keys, and the journal that records nothing."""

import string

from hypothesis import given
from hypothesis import strategies as st

from gateway.railway import (
    NO_JOURNAL,
    CommitStart,
    CommitState,
    CommitTerms,
    Ok,
    Rerun,
    RunContext,
    WriteOutcome,
)
from gateway.railway.journal import derive_key
from tests.railway.scripted_writes import Bank, payment

SAFE = {*string.ascii_letters, *string.digits, *"_.-"}


def test_key_has_execution_id_stage_position_and_name() -> None:
    assert derive_key("exe-1", "settlement", 2, "accounts.post") == "exe-1.settlement.2.accounts.post"


@given(st.text(), st.text(), st.integers(0, 9), st.text())
def test_key_has_only_safe_characters(execution: str, stage: str, position: int, name: str) -> None:
    assert {*derive_key(execution, stage, position, name)} <= SAFE


def test_unsafe_characters_in_key_are_replaced() -> None:
    assert derive_key("exe-1", "core data/x", 0, "übung.make") == "exe-1.core-data-x.0.-bung.make"


@given(st.integers(0, 9), st.integers(0, 9), st.text())
def test_keys_differ_by_position(first: int, second: int, name: str) -> None:
    assert (derive_key("exe-1", "s", first, name) == derive_key("exe-1", "s", second, name)) == (
        first == second
    )


async def test_commit_works_without_journal(bank: Bank) -> None:
    assert await payment(bank.write("a")) == Ok((1,))
    assert RunContext().journal is NO_JOURNAL
    assert RunContext().commit_terms == CommitTerms(reserve=0.5, budget=10, undo_budget=30)


async def test_null_journal_accepts_every_record() -> None:
    await NO_JOURNAL.begin(CommitStart("exe-1", "checkout", "settlement", ()))
    NO_JOURNAL.note("exe-1", derive_key("exe-1", "settlement", 0, "a"), WriteOutcome.DONE)
    NO_JOURNAL.end("exe-1", CommitState.COMMITTED)
    await NO_JOURNAL.seal("exe-1", Rerun(()))
