"""How many requests are answered at the same time."""

from gateway.api.admission.in_flight import InFlight


def test_as_many_are_let_in_as_there_may_be_and_one_more_when_one_has_left() -> None:
    requests = InFlight(2)
    assert [requests.enter() for _ in range(3)] == [True, True, False]

    requests.leave()

    assert [requests.enter() for _ in range(2)] == [True, False]


def test_who_is_not_let_in_is_not_counted() -> None:
    requests = InFlight(1)

    for _ in range(3):
        requests.enter()

    assert requests.count == 1
