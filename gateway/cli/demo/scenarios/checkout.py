"""The ways in which a checkout ends that the contract names."""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from gateway.cli.demo.expected import Problem, Violation, alone, several, whole
from gateway.cli.demo.scenario import Calls, Fault, Pipeline, Request, Scenario, post
from gateway.cli.dev_stack import ORDER

__all__ = ("CHECKOUT", "SCENARIOS")

NONE: Final[Calls] = ()
STAGE_1: Final = ("users.fetch", "inventory.check", "payments.validate")
STAGE_2: Final = ("fraud.assess", "shipping.quote")
STAGE_3: Final = ("pricing.tax", "pricing.discount")
STAGES_1_2: Final = (*STAGE_1, *STAGE_2)
CHECKOUT: Final = Pipeline("checkout", (STAGE_1, STAGE_2, STAGE_3))


def order(**changes: str) -> Request:
    """Send the example's checkout, with *changes*."""
    return sent(json.dumps({**ORDER, **changes}))


def sent(body: str) -> Request:
    """Send *body* for a checkout."""
    return post("/checkout", body)


checkout: Final = partial(Scenario, CHECKOUT)

NO_USER: Final = Problem(404, "not-found", "users.fetch")
NO_PRODUCT: Final = Problem(404, "not-found", "inventory.check")
NO_STOCK: Final = Problem(409, "conflict", "inventory.check")
NO_PAYMENT: Final = Problem(404, "not-found", "payments.validate")
EXPIRED: Final = Problem(422, "invalid", "payments.validate", (Violation(""),))
NO_WAY: Final = Problem(422, "invalid", "shipping.quote", (Violation(""),))
NO_CODE: Final = Problem(404, "not-found", "pricing.discount")
CODE_EXPIRED: Final = Problem(409, "conflict", "pricing.discount")
SUSPICIOUS: Final = Problem(403, "forbidden", "fraud.assess")
DEAD: Final = Problem(503, "unavailable", "payments.validate")
HANGS: Final = Problem(504, "timed-out", "payments.validate")
GARBAGE: Final = Problem(502, "bad-answer", "inventory.check")
HALF: Final = Problem(503, "unavailable", "users.fetch")
BLANK: Final = Problem(422, "invalid", violations=(Violation("address"),))
UNKNOWN: Final = Problem(422, "invalid", violations=(Violation("adress"),))
MALFORMED: Final = Problem(400, "malformed")
TOO_LARGE: Final = Problem(413, "too-large")
NOT_JSON: Final = Problem(415, "unsupported-media-type")
NO_TIME_AT_ALL: Final = Problem(400, "invalid-header")

WAITS_FOR_NOTHING: Final = post("/checkout", json.dumps(ORDER), {"X-Request-Timeout-Ms": "0"})
NOBODY: Final = order(user_id="nonexistent-user")
NOBODY_PAYS: Final = order(user_id="nonexistent-user", payment_id="pm-expired")
NOBODY_AND_NOTHING: Final = order(user_id="nonexistent-user", product_id="prod-x")
SAVED: Final = whole(200, discount={"code": "SAVE10", "amount": "5.00"}, total="62.10")
ALL_WRONG: Final = order(user_id="nonexistent-user", product_id="prod-out-of-stock", payment_id="pm-expired")

SCENARIOS: Final[Sequence[Scenario]] = (
    checkout("success", order(), whole(200, total="67.10"), CHECKOUT.calls),
    checkout("with a discount", order(discount_code="SAVE10"), SAVED, CHECKOUT.calls),
    checkout("user not found", NOBODY, alone(NO_USER), STAGE_1),
    checkout("unknown product", order(product_id="prod-x"), alone(NO_PRODUCT), STAGE_1),
    checkout("out of stock", order(product_id="prod-out-of-stock"), alone(NO_STOCK), STAGE_1),
    checkout("payment expired", order(payment_id="pm-expired"), alone(EXPIRED), STAGE_1),
    checkout("unknown payment", order(payment_id="pm-x"), alone(NO_PAYMENT), STAGE_1),
    checkout("three failures at once", ALL_WRONG, several(207, NO_USER, NO_STOCK, EXPIRED), STAGE_1),
    checkout("two of the same status", NOBODY_AND_NOTHING, several(207, NO_USER, NO_PRODUCT), STAGE_1),
    checkout("high-risk user", order(user_id="user-high-risk"), alone(SUSPICIOUS), STAGES_1_2),
    checkout("expensive product", order(product_id="prod-expensive"), alone(SUSPICIOUS), STAGES_1_2),
    checkout(
        "address refused",
        order(),
        alone(NO_WAY),
        STAGES_1_2,
        faults=(Fault("shipping", "/quotes", "status", status=422),),
    ),
    checkout("unknown discount", order(discount_code="NONE"), alone(NO_CODE), CHECKOUT.calls),
    checkout("discount expired", order(discount_code="EXPIRED"), alone(CODE_EXPIRED), CHECKOUT.calls),
    checkout("stage 1 failure", NOBODY_PAYS, several(207, NO_USER, EXPIRED), STAGE_1),
    checkout("dead service", order(), alone(DEAD), STAGE_1, dead=("payment",)),
    checkout(
        "hanging service", order(), alone(HANGS), STAGE_1, faults=(Fault("payment", "/payments", "hang"),)
    ),
    checkout(
        "garbage", order(), alone(GARBAGE), STAGE_1, faults=(Fault("inventory", "/inventory", "garbage"),)
    ),
    checkout("half an answer", order(), alone(HALF), STAGE_1, faults=(Fault("user", "/users", "truncate"),)),
    checkout("dead service and a 404", NOBODY, several(503, NO_USER, DEAD), STAGE_1, dead=("payment",)),
    checkout("blank address", order(address="   "), alone(BLANK), NONE),
    checkout("unknown field", order(adress="1 Main St"), alone(UNKNOWN), NONE),
    checkout("malformed JSON", sent("{"), alone(MALFORMED), NONE),
    checkout("body too large", sent(" " * 65_537), alone(TOO_LARGE), NONE),
    checkout("not declared as JSON", replace(order(), headers={}), alone(NOT_JSON), NONE),
    checkout("a wait of nothing", WAITS_FOR_NOTHING, alone(NO_TIME_AT_ALL), NONE),
)
"""In the order in which they are played."""
