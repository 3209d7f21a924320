"""In-flight limit: slots for concurrent requests."""

import pytest

from gateway.api.admission.in_flight import InFlightLimit


def test_released_slot_can_be_reacquired() -> None:
    in_flight = InFlightLimit(2)
    assert [in_flight.try_acquire() for _ in range(3)] == [True, True, False]

    in_flight.release()

    assert [in_flight.try_acquire() for _ in range(2)] == [True, False]


def test_failed_acquire_is_not_counted() -> None:
    in_flight = InFlightLimit(1)

    for _ in range(3):
        in_flight.try_acquire()

    assert in_flight.count == 1


@pytest.mark.parametrize("limit", [0, -1])
def test_in_flight_limit_below_one_is_refused(limit: int) -> None:
    with pytest.raises(ValueError, match=f"limit must be a whole number of at least 1, got {limit}"):
        InFlightLimit(limit)
