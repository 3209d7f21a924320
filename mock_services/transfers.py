"""The order to move money from one account to another."""

from typing import Annotated, TypedDict

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from mock_services.fields import Id, Strict
from mock_services.money import Money, money

__all__ = ["TransferOrder", "TransferTerms"]


class TransferTerms(TypedDict):
    """The order as it is written down."""

    from_account: str
    to_account: str
    amount: str
    currency: str
    reference: str | None


class TransferOrder(Strict):
    """How much is to go from where to where."""

    from_account: Id
    to_account: Id
    amount: Annotated[Money, Field(gt=0)]
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    reference: Annotated[str, Field(max_length=140)] | None = None

    @field_validator("to_account")
    @classmethod
    def _differs(cls, to_account: str, info: ValidationInfo) -> str:
        if to_account == info.data.get("from_account"):
            kind = "same_account"
            raise PydanticCustomError(kind, "Input should be another account than the one that pays")
        return to_account

    @property
    def terms(self) -> TransferTerms:
        """The order as it is written down."""
        return TransferTerms(
            from_account=self.from_account,
            to_account=self.to_account,
            amount=money(self.amount),
            currency=self.currency,
            reference=self.reference,
        )
