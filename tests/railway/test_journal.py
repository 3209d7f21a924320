"""Keys, and the journal that remembers nothing."""

import string

from hypothesis import given
from hypothesis import strategies as st

from gateway.railway import NO_JOURNAL, CommitStart, CommitState, CommitTerms, Ok, RunContext, WriteOutcome
from gateway.railway.journal import derive_key
from tests.railway.scripted_writes import Bank, committing

SAFE = {*string.ascii_letters, *string.digits, *"_.-"}


def test_a_key_names_execution_stage_position_and_operation() -> None:
    assert derive_key("exe-1", "settlement", 2, "accounts.post") == "exe-1.settlement.2.accounts.post"


@given(st.text(), st.text(), st.integers(0, 9), st.text())
def test_a_key_has_only_what_a_header_and_a_path_can_carry(
    execution: str, stage: str, position: int, name: str
) -> None:
    assert {*derive_key(execution, stage, position, name)} <= SAFE


def test_the_parts_of_a_key_that_cannot_be_carried_are_replaced() -> None:
    assert derive_key("exe-1", "core data/x", 0, "übung.make") == "exe-1.core-data-x.0.-bung.make"


@given(st.integers(0, 9), st.integers(0, 9), st.text())
def test_keys_of_different_positions_are_different(one: int, other: int, name: str) -> None:
    assert (derive_key("exe-1", "s", one, name) == derive_key("exe-1", "s", other, name)) == (one == other)


async def test_without_a_journal_a_commit_is_made_all_the_same(bank: Bank) -> None:
    assert await committing(bank.write("a")) == Ok((1,))
    assert RunContext().journal is NO_JOURNAL
    assert RunContext().commit_terms == CommitTerms(reserve=0.5, budget=10, undo_budget=30)


async def test_the_journal_that_remembers_nothing_takes_all_there_is() -> None:
    await NO_JOURNAL.begin(CommitStart("exe-1", "checkout", "settlement", ()))
    await NO_JOURNAL.note("exe-1", derive_key("exe-1", "settlement", 0, "a"), WriteOutcome.DONE, 1)
    await NO_JOURNAL.end("exe-1", CommitState.COMMITTED)
