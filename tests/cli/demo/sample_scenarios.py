"""Scenarios of two imaginary pipelines, a shop and a forum, and their outcomes."""

from dataclasses import replace
from typing import Final

from gateway.cli.demo.expected import Problem, aggregate, success, with_location
from gateway.cli.demo.matchers import Matching
from gateway.cli.demo.outcome import CallRecord, Outcome
from gateway.cli.demo.scenario import Pipeline, Scenario, post

__all__ = (
    "BOTH",
    "BOUGHT",
    "BUY",
    "FAIL",
    "FAILURE",
    "FIRST",
    "FORUM",
    "OUT_OF_STOCK",
    "SHOP",
    "STORE",
    "STORED",
    "SUCCESS",
    "UNKNOWN_USER",
    "with_calls",
)

UNKNOWN_USER: Final = Problem(404, "not-found", "users.fetch")
OUT_OF_STOCK: Final = Problem(409, "conflict", "inventory.check")

FIRST: Final = ("users.fetch", "inventory.check")
SHOP: Final = Pipeline("shop", (FIRST, ("pricing.tax",)), ("inventory.release",))
FORUM: Final = Pipeline("forum", (("social.posts",),))

BOUGHT: Final = success(200, total="67.10")
BOTH: Final = aggregate(207, UNKNOWN_USER, OUT_OF_STOCK)
BUY: Final = Scenario(SHOP, "buy", post("/shop", "{}"), BOUGHT, SHOP.calls)
FAIL: Final = Scenario(SHOP, "two at once", post("/shop", "{}"), BOTH, FIRST)
STORE: Final = Scenario(
    SHOP, "store", post("/shop", "{}"), with_location(success(201, id=Matching("a+"))), FIRST
)

SUCCESS: Final = Outcome(BUY, (BOUGHT,), CallRecord(SHOP.calls, (), 0.11, 0.264))
FAILURE: Final = Outcome(FAIL, (BOTH,), CallRecord(FIRST, (), 0.05, 0.1))
_LOCATION: Final = f"/executions/exe-{'0' * 32}"
STORED: Final = Outcome(
    STORE,
    (replace(success(201, id="aaa"), headers={"Gateway-Completed": "true", "Location": _LOCATION}),),
    CallRecord(FIRST, (), 0.05, 0.1),
)


def with_calls(outcome: Outcome, made: tuple[str, ...], cancelled: tuple[str, ...] = ()) -> Outcome:
    """Return *outcome* with other calls in its record."""
    return replace(outcome, record=CallRecord(made, cancelled, 0.05, 0.1))
