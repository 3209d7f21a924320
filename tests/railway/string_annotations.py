"""Annotations that are strings, of names that come later or are never there at run time."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from gateway.railway import Gone, NotFound, Run, railway

if TYPE_CHECKING:
    from decimal import Decimal


@railway
async def refund(run: Run[LateError], amount: Decimal) -> Decimal:
    """Know `Decimal` by name only."""
    return amount or run.fail(Gone())


LateError: TypeAlias = NotFound | Gone
