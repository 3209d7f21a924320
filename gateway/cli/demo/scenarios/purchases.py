"""The ways in which a purchase ends that the contract names."""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from gateway.cli.demo.expected import Answer, Problem, alone, degraded, executed, undone, whole
from gateway.cli.demo.matchers import Due, Like
from gateway.cli.demo.scenario import Fault, Pipeline, Request, Scenario, post

__all__ = ("PURCHASES", "SCENARIOS")

IDENTITY: Final = ("auth.verify", "users.fetch")
ORDER: Final = ("orders.create", "inventory.check")
ANNOUNCE: Final = ("notifications.send", "analytics.track")
PURCHASES: Final = Pipeline("purchases", (IDENTITY, ORDER, ANNOUNCE), ("orders.cancel",))
CANCELLED: Final = (*IDENTITY, *ORDER, "orders.cancel")

EXAMPLE: Final[Mapping[str, str | int]] = {"user_id": "user-123", "product_id": "prod-456", "quantity": 1}
ORDER_ID: Final = Like("ord-[0-9a-f]+")

purchases: Final = partial(Scenario, PURCHASES)


def purchase(shown: str | None = "token-user-123", **changes: str) -> Request:
    """Buy something as whose token is *shown*, with *changes*."""
    headers = {} if shown is None else {"Authorization": f"Bearer {shown}"}
    return post("/purchases", json.dumps({**EXAMPLE, **changes}), headers)


def ordered(status: str, **changes: str) -> Mapping[str, Due]:
    """Say what is known of the order when it has *status*."""
    record: Mapping[str, Due] = {
        **EXAMPLE,
        **changes,
        "key": Like(".+"),
        "order_id": ORDER_ID,
        "status": status,
    }
    return {"order.orders": [record]}


BOUGHT: Final[Mapping[str, Due]] = {"order": {"order_id": ORDER_ID, "status": "created"}}
NOTIFICATION: Final[Mapping[str, Due]] = {"notification_id": Like("ntf-[0-9a-f]+")}
EVENT: Final[Mapping[str, Due]] = {"event_id": Like("evt-[0-9a-f]+")}
KNOWN: Final[Mapping[str, Due]] = {"key": Like(".+"), "order_id": ORDER_ID}
ANNOUNCED: Final[Mapping[str, Due]] = {
    **ordered("created"),
    "notification.notifications": [{**KNOWN, **NOTIFICATION, "user_id": "user-123"}],
    "analytics.events": [{**KNOWN, **EVENT, "event": "purchase"}],
}
SUCCESS: Final = executed(whole(201, **BOUGHT, notification=NOTIFICATION, analytics=EVENT, degraded=[]))
UNHEARD: Final = executed(degraded(201, "notification", "analytics", **BOUGHT))
NO_TOKEN: Final = Answer(
    401,
    "unauthorized",
    (Problem(401, "unauthorized"),),
    headers={"Gateway-Completed": "false", "WWW-Authenticate": "Bearer"},
)
EXPIRED: Final = Problem(401, "unauthorized", "auth.verify")
FOREIGN: Final = Problem(403, "forbidden", "auth.verify")
NO_PRODUCT: Final = Problem(404, "not-found", "inventory.check")
NO_USER: Final = Problem(404, "not-found", "users.fetch")
NO_STOCK: Final = Problem(409, "conflict", "inventory.check")

UNKNOWN_USER: Final = Fault("user", "/users", "status", status=404)
SLOW_USER: Final = Fault("user", "/users", "latency", latency_ms=400)
NOT_SAID: Final = Fault("notification", "/notifications", "garbage")

SCENARIOS: Final[Sequence[Scenario]] = (
    purchases("success", purchase(), SUCCESS, PURCHASES.calls, left=ANNOUNCED),
    purchases("no token", purchase(None), NO_TOKEN, ()),
    purchases(
        "token expired",
        purchase("token-expired"),
        alone(EXPIRED),
        IDENTITY,
        faults=(SLOW_USER,),
        cancelled=("users.fetch",),
    ),
    purchases(
        "somebody else's token",
        purchase("token-user-456"),
        alone(FOREIGN),
        IDENTITY,
        cancellable=("users.fetch",),
    ),
    purchases(
        "the same, unknown user",
        purchase("token-user-456", user_id="nonexistent-user"),
        alone(FOREIGN),
        IDENTITY,
        cancellable=("users.fetch",),
    ),
    purchases(
        "unknown user",
        purchase(),
        alone(NO_USER),
        IDENTITY,
        faults=(UNKNOWN_USER,),
        cancellable=("auth.verify",),
    ),
    purchases(
        "nobody is told",
        purchase(),
        UNHEARD,
        PURCHASES.calls,
        faults=(NOT_SAID,),
        dead=("analytics",),
        left=ordered("created"),
    ),
    purchases(
        "unknown product",
        purchase(product_id="prod-x"),
        undone(NO_PRODUCT),
        CANCELLED,
        left=ordered("cancelled", product_id="prod-x"),
    ),
    purchases(
        "out of stock",
        purchase(product_id="prod-out-of-stock"),
        undone(NO_STOCK),
        CANCELLED,
        left=ordered("cancelled", product_id="prod-out-of-stock"),
    ),
)
"""In the order in which they are played."""
