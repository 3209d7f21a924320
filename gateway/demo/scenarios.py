"""What the demo plays, and what the contract says must come of it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias, final

from gateway.demo.answer import Answer, Problem, Violation, alone, several
from gateway.demo.broken import Breakage
from gateway.showcase import ORDER

__all__ = ("CALLS", "SCENARIOS", "STAGES", "Calls", "Scenario")

Calls: TypeAlias = tuple[str, ...]
"""Names of calls, in the order in which the pipeline names them."""

NONE: Final[Calls] = ()
STAGE_1: Final = ("users.fetch", "inventory.check", "payments.validate")
STAGE_2: Final = ("fraud.assess", "shipping.quote")
STAGE_3: Final = ("pricing.tax", "pricing.discount")
STAGES: Final[Sequence[Calls]] = (STAGE_1, STAGE_2, STAGE_3)
"""The calls of a checkout, stage by stage."""

STAGES_1_2: Final = (*STAGE_1, *STAGE_2)
CALLS: Final[Calls] = (*STAGES_1_2, *STAGE_3)
"""Every call that a checkout can make."""


@final
@dataclass(frozen=True, slots=True)
class Scenario:
    """A request, what must be answered, and the calls that must be made for it: those and no others.

    *broken* names the services that are out of order, and how.
    """

    name: str
    request: str
    answer: Answer
    calls: Calls
    broken: Mapping[str, Breakage] = field(default_factory=dict[str, Breakage])


def order(**changes: str) -> str:
    """Write the example's checkout, with *changes*, as JSON."""
    return json.dumps({**ORDER, **changes})


NO_USER: Final = Problem(404, "not-found", "users.fetch")
NO_PRODUCT: Final = Problem(404, "not-found", "inventory.check")
NO_STOCK: Final = Problem(409, "conflict", "inventory.check")
NO_PAYMENT: Final = Problem(404, "not-found", "payments.validate")
EXPIRED: Final = Problem(422, "invalid", "payments.validate", (Violation(""),))
SUSPICIOUS: Final = Problem(403, "forbidden", "fraud.assess")
DEAD: Final = Problem(503, "unavailable", "payments.validate")
HANGS: Final = Problem(504, "timed-out", "payments.validate")
GARBAGE: Final = Problem(502, "bad-answer", "inventory.check")
BLANK: Final = Problem(422, "invalid", violations=(Violation("address"),))
UNKNOWN: Final = Problem(422, "invalid", violations=(Violation("adress"),))
MALFORMED: Final = Problem(400, "malformed")

NOBODY: Final = order(user_id="nonexistent-user")
NOBODY_PAYS: Final = order(user_id="nonexistent-user", payment_id="pm-expired")
NOBODY_AND_NOTHING: Final = order(user_id="nonexistent-user", product_id="prod-x")
ALL_WRONG: Final = order(user_id="nonexistent-user", product_id="prod-out-of-stock", payment_id="pm-expired")

SCENARIOS: Final[Sequence[Scenario]] = (
    Scenario("success", order(), Answer(200, total="67.10"), CALLS),
    Scenario("user not found", NOBODY, alone(NO_USER), STAGE_1),
    Scenario("unknown product", order(product_id="prod-x"), alone(NO_PRODUCT), STAGE_1),
    Scenario("out of stock", order(product_id="prod-out-of-stock"), alone(NO_STOCK), STAGE_1),
    Scenario("payment expired", order(payment_id="pm-expired"), alone(EXPIRED), STAGE_1),
    Scenario("unknown payment", order(payment_id="pm-x"), alone(NO_PAYMENT), STAGE_1),
    Scenario("three failures at once", ALL_WRONG, several(207, NO_USER, NO_STOCK, EXPIRED), STAGE_1),
    Scenario("two of the same status", NOBODY_AND_NOTHING, several(207, NO_USER, NO_PRODUCT), STAGE_1),
    Scenario("high-risk user", order(user_id="user-high-risk"), alone(SUSPICIOUS), STAGES_1_2),
    Scenario("expensive product", order(product_id="prod-expensive"), alone(SUSPICIOUS), STAGES_1_2),
    Scenario("stage 1 failure", NOBODY_PAYS, several(207, NO_USER, EXPIRED), STAGE_1),
    Scenario("dead service", order(), alone(DEAD), STAGE_1, {"payment": "dead"}),
    Scenario("hanging service", order(), alone(HANGS), STAGE_1, {"payment": "hanging"}),
    Scenario("garbage", order(), alone(GARBAGE), STAGE_1, {"inventory": "garbage"}),
    Scenario("dead service and a 404", NOBODY, several(503, NO_USER, DEAD), STAGE_1, {"payment": "dead"}),
    Scenario("blank address", order(address="   "), alone(BLANK), NONE),
    Scenario("unknown field", order(adress="1 Main St"), alone(UNKNOWN), NONE),
    Scenario("malformed JSON", "{", alone(MALFORMED), NONE),
)
"""Every scenario, in the order in which they are played."""
