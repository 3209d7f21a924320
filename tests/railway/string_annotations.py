"""Pipeline with string annotations: names that are defined later, or for type checkers only."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from gateway.railway import Gone, NotFound, Run, railway

if TYPE_CHECKING:
    from decimal import Decimal


@railway
async def refund(run: Run[LateError], amount: Decimal) -> Decimal:
    """Refund *amount*; `Decimal` is not defined at run time."""
    return amount or run.fail(Gone())


LateError: TypeAlias = NotFound | Gone
