"""Details of upstream faults, as clients read them."""

import pytest

from gateway.client.messages import describe_concurrency_limit, describe_fault
from gateway.railway import BadAnswer, TimedOut, Unavailable, UpstreamFault
from tests.client.scripted_service import AT_LIMIT, LATE, UNAVAILABLE, UNUSABLE, Answering, client


@pytest.mark.parametrize(
    ("kind", "detail"), [(BadAnswer, UNUSABLE), (Unavailable, UNAVAILABLE), (TimedOut, LATE)]
)
def test_fault_detail_names_service(kind: type[UpstreamFault], detail: str) -> None:
    assert describe_fault(kind, "things") == detail


def test_concurrency_limit_has_own_detail() -> None:
    assert describe_concurrency_limit("things") == AT_LIMIT


def test_client_builds_bad_answer_for_its_service() -> None:
    bad_answer = client(Answering()).build_bad_answer("things.fetch")

    assert bad_answer == BadAnswer(UNUSABLE, source="things.fetch")
