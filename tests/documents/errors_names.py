"""Names that `docs/errors.md` does not define."""

from datetime import date
from decimal import Decimal
from typing import Final, Literal

from tests.documents.services_names import Charges

__all__ = ("CHARGES", "Charges", "Decimal", "Literal", "date")

CHARGES: Final = "http://charges.example"
