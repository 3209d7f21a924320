"""Payment provider: charges, and their refunds."""

from typing import Final, final

from pydantic import BaseModel

from gateway import RequestParts, ServiceClient, UpstreamResponse, example
from gateway.railway import Call, Conflict, Key, NotFound, UpstreamFault, Write

__all__ = ("CardDeclined", "Charge", "Payments", "read_payment_error")


class CardDeclined(Conflict, code="card-declined"):
    """The customer's card was declined. Ask for another card."""


class Charge(UpstreamResponse):
    """A charge; *amount* is in cents."""

    model_config = example(id="ch_8d2f1c7a", amount=1250, refunded=False)

    id: str
    amount: int
    refunded: bool


class _FoundCharge(Charge):
    model_config = example(id="ch_8d2f1c7a", amount=1250, refunded=False, idempotency_key="a")

    idempotency_key: str


class _SearchResult(UpstreamResponse):
    data: list[_FoundCharge]


@final
class Payments:
    """Client of the payment provider.

    A refund names the charge by its id. If the response to a charge was lost, the charge is searched by the
    idempotency key of its request.
    """

    def __init__(self, client: ServiceClient) -> None:
        self._fetch = client.get(
            "payments.fetch", "/v1/charges/{charge_id}", answer=Charge, declared={404: NotFound}
        )
        self._search = client.get("payments.search", "/v1/charges/search", answer=_SearchResult)
        self.refund: Final = client.undo.post(
            "payments.refund",
            "/v1/refunds",
            find=self._find,
            request=lambda charge: RequestParts(form={"charge": charge.id}),
        )
        """Undo of `charge`: refunds the charge (`POST /v1/refunds`)."""
        self._charge = client.write.post(
            "payments.charge", "/v1/charges", answer=Charge, undo=self.refund, declared={402: CardDeclined}
        )

    def fetch(self, charge_id: str) -> Call[Charge, NotFound | UpstreamFault]:
        """Fetch a charge (`GET /v1/charges/{id}`)."""
        return self._fetch(charge_id=charge_id)

    def charge(self, customer: str, cents: int) -> Write[Charge, CardDeclined | UpstreamFault]:
        """Charge a customer (`POST /v1/charges`)."""
        return self._charge(form={"customer": customer, "amount": cents, "currency": "eur"})

    def _find(self, key: Key) -> Call[Charge | None, UpstreamFault]:
        found = self._search(query={"query": f"idempotency_key:'{key}'"})
        # A search that does not know the field may find the charges of others.
        return found.map(
            lambda result: next((one for one in result.data if one.idempotency_key == key), None)
        )


class _Error(BaseModel):
    message: str


class _ErrorBody(BaseModel):
    error: _Error


def read_payment_error(body: object) -> str:
    """Return the message of an error body, `{"error": {"message": ...}}`."""
    return _ErrorBody.model_validate(body).error.message
