"""The documented outcomes of a purchase."""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from gateway.cli.demo.expected import (
    Answer,
    Problem,
    degraded_success,
    failed_commit,
    failure,
    success,
    with_location,
)
from gateway.cli.demo.matchers import ExpectedJson, Matching
from gateway.cli.demo.scenario import Fault, Pipeline, Request, Scenario, post

__all__ = ("PURCHASES", "SCENARIOS")

IDENTITY: Final = ("auth.verify", "users.fetch")
ORDER: Final = ("orders.create", "inventory.check")
ANNOUNCE: Final = ("notifications.send", "analytics.track")
PURCHASES: Final = Pipeline("purchases", (IDENTITY, ORDER, ANNOUNCE), ("orders.cancel",))
CANCELLED: Final = (*IDENTITY, *ORDER, "orders.cancel")

EXAMPLE: Final[Mapping[str, str | int]] = {"user_id": "user-123", "product_id": "prod-456", "quantity": 1}
ORDER_ID: Final = Matching("ord-[0-9a-f]+")

purchases: Final = partial(Scenario, PURCHASES)


def purchase(token: str | None = "token-user-123", **changes: str) -> Request:  # noqa: S107 - of a mock service
    """Build a purchase with the bearer *token* (None for no token), and with *changes* to its fields."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return post("/purchases", json.dumps({**EXAMPLE, **changes}), headers)


def order_in_state(status: str, **changes: str) -> Mapping[str, ExpectedJson]:
    """Build the state of the order service with one order, which has *status*."""
    record: Mapping[str, ExpectedJson] = {
        **EXAMPLE,
        **changes,
        "key": Matching(".+"),
        "order_id": ORDER_ID,
        "status": status,
    }
    return {"order.orders": [record]}


CREATED: Final[Mapping[str, ExpectedJson]] = {"order": {"order_id": ORDER_ID, "status": "created"}}
NOTIFICATION: Final[Mapping[str, ExpectedJson]] = {"notification_id": Matching("ntf-[0-9a-f]+")}
EVENT: Final[Mapping[str, ExpectedJson]] = {"event_id": Matching("evt-[0-9a-f]+")}
REFERENCE: Final[Mapping[str, ExpectedJson]] = {"key": Matching(".+"), "order_id": ORDER_ID}
ANNOUNCED: Final[Mapping[str, ExpectedJson]] = {
    **order_in_state("created"),
    "notification.notifications": [{**REFERENCE, **NOTIFICATION, "user_id": "user-123"}],
    "analytics.events": [{**REFERENCE, **EVENT, "event": "purchase"}],
}
SUCCESS: Final = with_location(
    success(201, **CREATED, notification=NOTIFICATION, analytics=EVENT, degraded=[])
)
UNANNOUNCED: Final = with_location(degraded_success(201, "notification", "analytics", **CREATED))
NO_TOKEN: Final = Answer(
    401,
    "unauthorized",
    (Problem(401, "unauthorized"),),
    headers={"Gateway-Completed": "false", "WWW-Authenticate": "Bearer"},
)
EXPIRED_TOKEN: Final = Problem(401, "unauthorized", "auth.verify")
WRONG_USER: Final = Problem(403, "forbidden", "auth.verify")
UNKNOWN_PRODUCT: Final = Problem(404, "not-found", "inventory.check")
UNKNOWN_USER: Final = Problem(404, "not-found", "users.fetch")
OUT_OF_STOCK: Final = Problem(409, "conflict", "inventory.check")

LOSE_USER: Final = Fault("user", "/users", "status", status=404)
SLOW_USER: Final = Fault("user", "/users", "latency", latency_ms=400)
NOTIFICATION_GARBAGE: Final = Fault("notification", "/notifications", "garbage")

SCENARIOS: Final[Sequence[Scenario]] = (
    purchases("success", purchase(), SUCCESS, PURCHASES.calls, changes=ANNOUNCED),
    purchases("no token", purchase(None), NO_TOKEN, ()),
    purchases(
        "token expired",
        purchase("token-expired"),
        failure(EXPIRED_TOKEN),
        IDENTITY,
        faults=(SLOW_USER,),
        cancelled=("users.fetch",),
    ),
    purchases(
        "token of another user",
        purchase("token-user-456"),
        failure(WRONG_USER),
        IDENTITY,
        cancellable=("users.fetch",),
    ),
    purchases(
        "token of another, unknown user",
        purchase("token-user-456", user_id="nonexistent-user"),
        failure(WRONG_USER),
        IDENTITY,
        cancellable=("users.fetch",),
    ),
    purchases(
        "unknown user",
        purchase(),
        failure(UNKNOWN_USER),
        IDENTITY,
        faults=(LOSE_USER,),
        cancellable=("auth.verify",),
    ),
    purchases(
        "announcements fail",
        purchase(),
        UNANNOUNCED,
        PURCHASES.calls,
        faults=(NOTIFICATION_GARBAGE,),
        down=("analytics",),
        changes=order_in_state("created"),
    ),
    purchases(
        "unknown product",
        purchase(product_id="prod-x"),
        failed_commit(UNKNOWN_PRODUCT),
        CANCELLED,
        changes=order_in_state("cancelled", product_id="prod-x"),
    ),
    purchases(
        "out of stock",
        purchase(product_id="prod-out-of-stock"),
        failed_commit(OUT_OF_STOCK),
        CANCELLED,
        changes=order_in_state("cancelled", product_id="prod-out-of-stock"),
    ),
)
"""The scenarios, in the order in which they are played."""
