"""Answers and records as they are stored."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.executions.answer import Answer
from gateway.executions.record import RecordState
from gateway.railway import CommitState

TOKENS: Final = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1)


@given(st.integers(100, 599), st.dictionaries(TOKENS, st.text()), st.binary())
def test_stored_answer_is_equal_to_the_byte(status: int, headers: dict[str, str], body: bytes) -> None:
    answer = Answer(status, headers, body)

    assert Answer.decode(answer.encode()) == answer


@pytest.mark.parametrize("state", [*RecordState])
def test_clients_see_a_state_of_the_contract(state: RecordState) -> None:
    hidden = {RecordState.UNDOING: CommitState.RUNNING, RecordState.SEALED: CommitState.COMMITTED}

    assert state.public is (hidden.get(state) or CommitState(state.value))
