"""Names that `docs/services.md` does not define."""

from enum import Enum

from pydantic import BaseModel

from gateway import ServiceClient

__all__ = ("Booking", "Charge", "ChargeList", "Charges", "Kind", "Loyalty", "Place", "Seat", "Way")


class Kind(Enum):
    CAFE = "cafe"
    PARK = "park"


class Place(BaseModel):
    name: str


class Way(BaseModel):
    profile: str


class Seat(BaseModel):
    row: int


class Booking(BaseModel):
    reference: str


class Charge(BaseModel):
    id: str
    reference: str


class ChargeList(BaseModel):
    data: list[Charge]


class Charges:
    """Stand for the class that the page defines later."""

    def __init__(self, client: ServiceClient) -> None:
        self.name = client.name


class Loyalty:
    """Stand for the service of the tutorial."""

    def __init__(self, client: ServiceClient) -> None:
        self.name = client.name
