"""The documented outcomes of a checkout."""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from gateway.cli.demo.expected import Problem, Violation, aggregate, failure, success
from gateway.cli.demo.scenario import Calls, Fault, Pipeline, Request, Scenario, post
from gateway.cli.dev_stack import SAMPLE_ORDER

__all__ = ("CHECKOUT", "SCENARIOS")

NONE: Final[Calls] = ()
STAGE_1: Final = ("users.fetch", "inventory.check", "payments.validate")
STAGE_2: Final = ("fraud.assess", "shipping.quote")
STAGE_3: Final = ("pricing.tax", "pricing.discount")
STAGES_1_2: Final = (*STAGE_1, *STAGE_2)
CHECKOUT: Final = Pipeline("checkout", (STAGE_1, STAGE_2, STAGE_3))


def order(**changes: str) -> Request:
    """Build the sample checkout, with *changes* to its fields."""
    return post_checkout(json.dumps({**SAMPLE_ORDER, **changes}))


def post_checkout(body: str) -> Request:
    """Build a request that posts *body* to `/checkout`."""
    return post("/checkout", body)


checkout: Final = partial(Scenario, CHECKOUT)

UNKNOWN_USER: Final = Problem(404, "not-found", "users.fetch")
UNKNOWN_PRODUCT: Final = Problem(404, "not-found", "inventory.check")
OUT_OF_STOCK: Final = Problem(409, "conflict", "inventory.check")
UNKNOWN_PAYMENT: Final = Problem(404, "not-found", "payments.validate")
EXPIRED_PAYMENT: Final = Problem(422, "invalid", "payments.validate", (Violation("payment_id"),))
REFUSED_ADDRESS: Final = Problem(422, "invalid", "shipping.quote", (Violation(""),))
UNKNOWN_DISCOUNT: Final = Problem(404, "not-found", "pricing.discount")
EXPIRED_DISCOUNT: Final = Problem(409, "conflict", "pricing.discount")
SUSPECTED_FRAUD: Final = Problem(403, "forbidden", "fraud.assess")
PAYMENT_DOWN: Final = Problem(503, "unavailable", "payments.validate")
PAYMENT_TIMEOUT: Final = Problem(504, "timed-out", "payments.validate")
INVALID_RESPONSE: Final = Problem(502, "bad-answer", "inventory.check")
TRUNCATED_RESPONSE: Final = Problem(503, "unavailable", "users.fetch")
BLANK_ADDRESS: Final = Problem(422, "invalid", violations=(Violation("address"),))
UNKNOWN_FIELD: Final = Problem(422, "invalid", violations=(Violation("adress"),))
MALFORMED: Final = Problem(400, "malformed")
TOO_LARGE: Final = Problem(413, "too-large")
NOT_JSON: Final = Problem(415, "unsupported-media-type")
INVALID_HEADER: Final = Problem(400, "invalid-header")

ZERO_TIMEOUT: Final = post("/checkout", json.dumps(SAMPLE_ORDER), {"X-Request-Timeout-Ms": "0"})
BAD_USER: Final = order(user_id="nonexistent-user")
BAD_USER_AND_PRODUCT: Final = order(user_id="nonexistent-user", product_id="prod-x")
BAD_USER_AND_PAYMENT: Final = order(user_id="nonexistent-user", payment_id="pm-expired")
ALL_BAD: Final = order(user_id="nonexistent-user", product_id="prod-out-of-stock", payment_id="pm-expired")
DISCOUNTED: Final = success(200, discount={"code": "SAVE10", "amount": "5.00"}, total="62.10")

SCENARIOS: Final[Sequence[Scenario]] = (
    checkout("success", order(), success(200, total="67.10"), CHECKOUT.calls),
    checkout("with a discount", order(discount_code="SAVE10"), DISCOUNTED, CHECKOUT.calls),
    checkout("user not found", BAD_USER, failure(UNKNOWN_USER), STAGE_1),
    checkout("unknown product", order(product_id="prod-x"), failure(UNKNOWN_PRODUCT), STAGE_1),
    checkout("out of stock", order(product_id="prod-out-of-stock"), failure(OUT_OF_STOCK), STAGE_1),
    checkout("payment expired", order(payment_id="pm-expired"), failure(EXPIRED_PAYMENT), STAGE_1),
    checkout("unknown payment", order(payment_id="pm-x"), failure(UNKNOWN_PAYMENT), STAGE_1),
    checkout(
        "three failures at once",
        ALL_BAD,
        aggregate(207, UNKNOWN_USER, OUT_OF_STOCK, EXPIRED_PAYMENT),
        STAGE_1,
    ),
    checkout("two unknown ids", BAD_USER_AND_PRODUCT, aggregate(207, UNKNOWN_USER, UNKNOWN_PRODUCT), STAGE_1),
    checkout("high-risk user", order(user_id="user-high-risk"), failure(SUSPECTED_FRAUD), STAGES_1_2),
    checkout("expensive product", order(product_id="prod-expensive"), failure(SUSPECTED_FRAUD), STAGES_1_2),
    checkout(
        "address refused",
        order(),
        failure(REFUSED_ADDRESS),
        STAGES_1_2,
        faults=(Fault("shipping", "/quotes", "status", status=422),),
    ),
    checkout("unknown discount", order(discount_code="NONE"), failure(UNKNOWN_DISCOUNT), CHECKOUT.calls),
    checkout("discount expired", order(discount_code="EXPIRED"), failure(EXPIRED_DISCOUNT), CHECKOUT.calls),
    checkout(
        "two different failures", BAD_USER_AND_PAYMENT, aggregate(207, UNKNOWN_USER, EXPIRED_PAYMENT), STAGE_1
    ),
    checkout("service down", order(), failure(PAYMENT_DOWN), STAGE_1, down=("payment",)),
    checkout(
        "hanging service",
        order(),
        failure(PAYMENT_TIMEOUT),
        STAGE_1,
        faults=(Fault("payment", "/payments", "hang"),),
    ),
    checkout(
        "garbage response",
        order(),
        failure(INVALID_RESPONSE),
        STAGE_1,
        faults=(Fault("inventory", "/inventory", "garbage"),),
    ),
    checkout(
        "truncated response",
        order(),
        failure(TRUNCATED_RESPONSE),
        STAGE_1,
        faults=(Fault("user", "/users", "truncate"),),
    ),
    checkout(
        "service down and a 404",
        BAD_USER,
        aggregate(503, UNKNOWN_USER, PAYMENT_DOWN),
        STAGE_1,
        down=("payment",),
    ),
    checkout("blank address", order(address="   "), failure(BLANK_ADDRESS), NONE),
    checkout("unknown field", order(adress="1 Main St"), failure(UNKNOWN_FIELD), NONE),
    checkout("malformed JSON", post_checkout("{"), failure(MALFORMED), NONE),
    checkout("body too large", post_checkout(" " * 65_537), failure(TOO_LARGE), NONE),
    checkout("not declared as JSON", replace(order(), headers={}), failure(NOT_JSON), NONE),
    checkout("timeout of zero", ZERO_TIMEOUT, failure(INVALID_HEADER), NONE),
)
"""The scenarios, in the order in which they are played."""
