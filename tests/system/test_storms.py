"""Small storms over the gateway: what it answers and what they leave behind is as it must be."""

import uvloop

from benchmarks.storms.cancelled import cancelled
from benchmarks.storms.flapping import flapping
from benchmarks.storms.hanging import hanging
from benchmarks.storms.killing import killing
from benchmarks.storms.memory import memory
from benchmarks.storms.overload import overload
from benchmarks.storms.stand import OURS


def test_cancelled_requests_leave_no_task_no_connection_and_no_open_breaker() -> None:
    report = uvloop.run(cancelled(OURS, 500))

    assert report.broken == []


def test_of_what_is_asked_while_a_flapping_service_is_well_most_is_answered_well() -> None:
    report = uvloop.run(flapping(OURS, 6))

    assert report.broken == []


def test_of_twice_the_capacity_at_least_half_of_it_is_answered_and_the_rest_refused() -> None:
    report = uvloop.run(overload(OURS, 8, workers=(64,), limits=(128,)))

    assert report.broken == []


def test_a_service_that_hangs_costs_no_feed_and_holds_up_no_checkout_for_long() -> None:
    report = uvloop.run(hanging(OURS, 6))

    assert report.broken == []


def test_services_that_are_killed_are_found_again_and_their_books_agree_with_what_was_answered() -> None:
    report = uvloop.run(killing(OURS, 12, at_once=4))

    assert report.broken == []


def test_requests_of_every_kind_get_their_status_and_leave_hardly_any_memory_in_use() -> None:
    report = uvloop.run(memory(OURS, 6000))

    assert report.broken == []
