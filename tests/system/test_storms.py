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


def test_a_service_that_flaps_costs_its_requests_and_no_others() -> None:
    report = uvloop.run(flapping(OURS, 6))

    assert report.broken == []


def test_what_is_more_than_can_be_answered_is_refused_and_nothing_else() -> None:
    report = uvloop.run(overload(OURS, 8))

    assert report.broken == []


def test_a_service_that_hangs_fails_those_who_need_it_alone() -> None:
    report = uvloop.run(hanging(OURS, 6))

    assert report.broken == []


def test_services_that_are_killed_are_found_again_and_their_books_agree_with_what_was_answered() -> None:
    report = uvloop.run(killing(OURS, 3))

    assert report.broken == []


def test_requests_leave_no_memory_in_use() -> None:
    report = uvloop.run(memory(OURS, 4000))

    assert report.broken == []
