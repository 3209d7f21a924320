"""How many requests are answered at the same time."""

import pytest

from gateway.api.admission.in_flight import InFlightLimit


def test_as_many_are_let_in_as_there_may_be_and_one_more_when_one_has_left() -> None:
    requests = InFlightLimit(2)
    assert [requests.try_acquire() for _ in range(3)] == [True, True, False]

    requests.release()

    assert [requests.try_acquire() for _ in range(2)] == [True, False]


def test_who_is_not_let_in_is_not_counted() -> None:
    requests = InFlightLimit(1)

    for _ in range(3):
        requests.try_acquire()

    assert requests.count == 1


@pytest.mark.parametrize("limit", [0, -1])
def test_limit_below_one_is_refused(limit: int) -> None:
    with pytest.raises(ValueError, match=f"limit must be a whole number of at least 1, got {limit}"):
        InFlightLimit(limit)
