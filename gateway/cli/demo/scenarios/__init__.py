"""All scenarios, pipeline by pipeline."""

from collections.abc import Sequence
from typing import Final

from gateway.cli.demo.scenario import Scenario
from gateway.cli.demo.scenarios import checkout, feed, idempotency, orders, purchases, transfers

__all__ = ("SCENARIOS",)

SCENARIOS: Final[Sequence[Scenario]] = (
    *checkout.SCENARIOS,
    *orders.SCENARIOS,
    *idempotency.SCENARIOS,
    *feed.SCENARIOS,
    *transfers.SCENARIOS,
    *purchases.SCENARIOS,
)
"""The scenarios, in the order in which they are played."""
