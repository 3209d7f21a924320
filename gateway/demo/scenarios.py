"""Every scenario there is, pipeline by pipeline."""

from collections.abc import Sequence
from typing import Final

from gateway.demo import checkout
from gateway.demo.scenario import Scenario

__all__ = ("SCENARIOS",)

SCENARIOS: Final[Sequence[Scenario]] = (*checkout.SCENARIOS,)
"""In the order in which they are played."""
