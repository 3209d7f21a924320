"""Tasks, connections and circuit breakers of a real gateway after cancelled requests."""

from itertools import cycle
from typing import Final

import uvloop

from benchmarks.storms.client.outcomes import DISCONNECTED
from benchmarks.storms.client.request import CHECKOUT, FEED, REFUSED_ORDER
from benchmarks.storms.deployment import GATEWAY, Deployment, deploy, wait_until

PATIENCE: Final = 30.0


async def cancel_orders(deployment: Deployment) -> set[int]:
    """Send 200 orders, and return the set of their statuses.

    The client disconnects from every second order, and the others are refused. Either cancels a slow call.
    """
    await deployment.services.inject_fault("inventory", "latency", "/inventory", latency_ms=400)
    orders = cycle((REFUSED_ORDER, REFUSED_ORDER.with_disconnect(0.025)))
    answers = await deployment.client.send_with_workers(orders, workers=16, seconds=PATIENCE, count=200)
    await deployment.services.clear_faults("inventory")
    return {answer.status for answer in answers}


def test_cancelled_requests_leak_nothing() -> None:
    """Cancelled requests leave no task, no connection and no open circuit breaker."""

    async def play() -> None:
        # Nothing times out, so a call that ends early has been cancelled.
        async with deploy(
            GATEWAY, GATEWAY_CALL_TIMEOUT_MS="60000", GATEWAY_DEADLINE_MS="60000"
        ) as deployment:
            await deployment.warm_up(FEED, REFUSED_ORDER, CHECKOUT)
            tasks = await deployment.count_tasks()

            async def has_no_task_left() -> bool:
                return await deployment.count_tasks() <= tasks

            async def has_no_connection() -> bool:
                return deployment.connections == 0

            assert await cancel_orders(deployment) <= {404, DISCONNECTED}
            assert await wait_until(has_no_task_left, PATIENCE)
            assert await deployment.find_open_breakers() == []
            assert await wait_until(has_no_connection, PATIENCE)
            assert deployment.tracebacks == 0

    uvloop.run(play())
