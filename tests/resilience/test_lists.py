"""Lists of calls to a service (`Run.each`): the deadline and the limits hold for every item."""

import pytest

from gateway.client.service_client import ServiceClient
from gateway.railway import SETTLE, Aggregate, Err, Failure, Fault, Ok, Result, Run, railway
from tests.client.scripted_service import LAMP, Thing
from tests.resilience.scripted_upstream import (
    FINE,
    HANGS,
    Service,
    Step,
    build_client,
    build_shed,
    build_timed_out,
    fetch,
    now,
    set_deadline,
)


@railway
async def fetch_all(run: Run[Failure], things: ServiceClient, count: int, at_once: int) -> list[Thing]:
    return await run.each("things", (fetch(things) for _ in range(count)), at_once=at_once, policy=SETTLE)


def get_faults(result: Result[object, Failure]) -> tuple[Fault, ...]:
    """Return the faults of a failed *result*, which must be several."""
    assert isinstance(result, Err)
    assert isinstance(result.error, Aggregate)
    return result.error.errors


async def test_list_within_concurrency_limit_is_not_shed() -> None:
    service = Service(Step(after=0.5))

    result = await fetch_all(build_client(service, max_concurrency=10), 500, 10)

    assert result == Ok([LAMP] * 500)
    assert now() == 25


async def test_list_beyond_concurrency_limit_is_shed_by_item() -> None:
    service = Service(Step(after=0.5))

    faults = get_faults(await fetch_all(build_client(service, max_concurrency=2), 6, 6))

    assert [fault.item for fault in faults] == [2, 3, 4, 5]
    assert {(fault.code, fault.source) for fault in faults} == {(build_shed().error.code, "things.fetch")}


async def test_list_ends_at_deadline() -> None:
    service = Service(FINE, FINE, FINE, HANGS)
    set_deadline(0.5)

    faults = get_faults(await fetch_all(build_client(service), 20, 2))

    assert now() == pytest.approx(0.5)
    assert len(service.requests) == 5
    assert [fault.item for fault in faults] == [*range(3, 20)]
    assert {fault.code for fault in faults} == {build_timed_out(0.5).error.code}
