"""Transfer order: a request to move money between two accounts."""

from typing import Annotated, TypedDict

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from mock_services.values.fields import Id, RequestModel
from mock_services.values.money import Money, format_money

__all__ = ["TransferOrder", "TransferTerms"]


class TransferTerms(TypedDict):
    """A transfer order as recorded."""

    from_account: str
    to_account: str
    amount: str
    currency: str
    reference: str | None


class TransferOrder(RequestModel):
    """A transfer to be made."""

    from_account: Id
    to_account: Id
    amount: Annotated[Money, Field(gt=0)]
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    reference: Annotated[str, Field(max_length=140)] | None = None

    @field_validator("to_account")
    @classmethod
    def _check_accounts_differ(cls, to_account: str, info: ValidationInfo) -> str:
        if to_account == info.data.get("from_account"):
            kind = "same_account"
            raise PydanticCustomError(kind, "Input should differ from from_account")
        return to_account

    @property
    def terms(self) -> TransferTerms:
        """The order as recorded, with the amount as a string."""
        return TransferTerms(
            from_account=self.from_account,
            to_account=self.to_account,
            amount=format_money(self.amount),
            currency=self.currency,
            reference=self.reference,
        )
