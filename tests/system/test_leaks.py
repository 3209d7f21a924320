"""What a real gateway keeps of requests that were cancelled: nothing."""

from itertools import cycle
from typing import Final

import uvloop

from benchmarks.storms.answers import LEFT
from benchmarks.storms.request import CHECKOUT, FEED, REFUSED_ORDER
from benchmarks.storms.stand import OURS, Stand, eventually, stand

PATIENCE: Final = 30.0


async def cancel_orders(site: Stand) -> set[int]:
    """Send orders of which half are refused by a sibling call and half abandoned; return their statuses."""
    await site.services.break_down("inventory", "latency", "/inventory", latency_ms=400)
    orders = cycle((REFUSED_ORDER, REFUSED_ORDER.leaving(0.025)))
    answers = await site.client.busily(orders, workers=16, seconds=PATIENCE, count=200)
    await site.services.heal("inventory")
    return {answer.status for answer in answers}


def test_cancelled_requests_leave_no_task_connection_or_open_breaker() -> None:
    async def play() -> None:
        # Nothing times out, so a call that ends early has been cancelled.
        async with stand(OURS, GATEWAY_CALL_TIMEOUT_MS="60000", GATEWAY_DEADLINE_MS="60000") as site:
            await site.warm_up(FEED, REFUSED_ORDER, CHECKOUT)
            tasks = await site.tasks()

            async def has_no_task_left() -> bool:
                return await site.tasks() <= tasks

            async def has_no_connection() -> bool:
                return site.connections == 0

            assert await cancel_orders(site) <= {404, LEFT}
            assert await eventually(has_no_task_left, PATIENCE)
            assert await site.open_breakers() == []
            assert await eventually(has_no_connection, PATIENCE)
            assert site.tracebacks == 0

    uvloop.run(play())
