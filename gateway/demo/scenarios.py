"""Every scenario there is, pipeline by pipeline."""

from collections.abc import Sequence
from typing import Final

from gateway.demo import checkout, feed, keys, orders, purchases, transfers
from gateway.demo.scenario import Scenario

__all__ = ("SCENARIOS",)

SCENARIOS: Final[Sequence[Scenario]] = (
    *checkout.SCENARIOS,
    *orders.SCENARIOS,
    *keys.SCENARIOS,
    *feed.SCENARIOS,
    *transfers.SCENARIOS,
    *purchases.SCENARIOS,
)
"""In the order in which they are played."""
