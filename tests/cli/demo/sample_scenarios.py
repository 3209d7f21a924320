"""Scenarios of a shop and a forum that are nowhere, and what came of them."""

from dataclasses import replace
from typing import Final

from gateway.cli.demo.expected import Problem, executed, several, whole
from gateway.cli.demo.matchers import Like
from gateway.cli.demo.outcome import Outcome, Record
from gateway.cli.demo.scenario import Pipeline, Scenario, post

__all__ = (
    "BOTH",
    "BOUGHT",
    "BUY",
    "FAIL",
    "FAILURE",
    "FIRST",
    "FORUM",
    "NO_STOCK",
    "NO_USER",
    "SHOP",
    "STORE",
    "STORED",
    "SUCCESS",
    "did",
)

NO_USER: Final = Problem(404, "not-found", "users.fetch")
NO_STOCK: Final = Problem(409, "conflict", "inventory.check")

FIRST: Final = ("users.fetch", "inventory.check")
SHOP: Final = Pipeline("shop", (FIRST, ("pricing.tax",)), ("inventory.release",))
FORUM: Final = Pipeline("forum", (("social.posts",),))

BOUGHT: Final = whole(200, total="67.10")
BOTH: Final = several(207, NO_USER, NO_STOCK)
BUY: Final = Scenario(SHOP, "buy", post("/shop", "{}"), BOUGHT, SHOP.calls)
FAIL: Final = Scenario(SHOP, "two at once", post("/shop", "{}"), BOTH, FIRST)
STORE: Final = Scenario(SHOP, "store", post("/shop", "{}"), executed(whole(201, id=Like("a+"))), FIRST)

SUCCESS: Final = Outcome(BUY, (BOUGHT,), Record(SHOP.calls, (), 0.11, 0.264))
FAILURE: Final = Outcome(FAIL, (BOTH,), Record(FIRST, (), 0.05, 0.1))
_LOCATION: Final = f"/executions/exe-{'0' * 32}"
STORED: Final = Outcome(
    STORE,
    (replace(whole(201, id="aaa"), headers={"Gateway-Completed": "true", "Location": _LOCATION}),),
    Record(FIRST, (), 0.05, 0.1),
)


def did(outcome: Outcome, made: tuple[str, ...], cancelled: tuple[str, ...] = ()) -> Outcome:
    return replace(outcome, record=Record(made, cancelled, 0.05, 0.1))
