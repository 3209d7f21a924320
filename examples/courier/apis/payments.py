"""Stand-in for a payment provider, in the manner of Stripe (https://docs.stripe.com/api).

- Requests are form-encoded, and authenticated with `Authorization: Bearer sk_...`.
- `POST /v1/charges` honours `Idempotency-Key`: a repeated key gets the charge of the first request.
- A refund names the charge by its id, so a client that has lost the response must find the charge first.
- `GET /v1/charges/search?query=idempotency_key:'...'` finds it, some time after it was created: a search lags
  behind (https://docs.stripe.com/search#data-freshness). `GET /v1/charges/{id}` does not.
- Errors are nested: `{"error": {"type", "code", "message"}}`.
"""

import re
import time
from collections.abc import Callable, Iterable
from secrets import compare_digest, token_hex
from typing import Annotated, Final, Literal, TypeVar
from urllib.parse import parse_qsl

from fastapi import Depends, FastAPI, Header, HTTPException, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field, ValidationError

__all__ = ("DECLINED_CUSTOMER", "SECRET_KEY", "Charge", "create_payments_api")

SECRET_KEY: Final = "sk_test_courier"  # noqa: S105 - of a stand-in
DECLINED_CUSTOMER: Final = "cus_declined"

T = TypeVar("T", bound=BaseModel)

_SEARCH: Final = re.compile(r"idempotency_key:'([^']*)'")


class NewCharge(BaseModel):
    """Form of a request for a charge."""

    amount: Annotated[int, Field(gt=0)]
    currency: Annotated[str, Field(pattern="^[a-z]{3}$")]
    customer: str


class NewRefund(BaseModel):
    """Form of a request for a refund; *charge* is the id of the charge."""

    charge: str


class Charge(BaseModel):
    """A charge; *amount* is in the smallest unit of the currency."""

    id: str
    object: Literal["charge"] = "charge"
    amount: int
    currency: str
    customer: str
    refunded: bool = False
    status: Literal["succeeded"] = "succeeded"


class Refund(BaseModel):
    """A refund of a whole charge."""

    id: str
    object: Literal["refund"] = "refund"
    charge: str
    amount: int


class ChargeList(BaseModel):
    """A page of charges."""

    object: Literal["list"] = "list"
    data: list[Charge]
    has_more: bool = False


class FoundCharge(Charge):
    """A charge with the idempotency key of its request."""

    idempotency_key: str


class SearchResult(BaseModel):
    """The charges that a search has found."""

    object: Literal["search_result"] = "search_result"
    data: list[FoundCharge]
    has_more: bool = False


class _Payments:
    """The endpoints, with the charges and refunds of one account."""

    def __init__(self, charges: Iterable[Charge], search_delay: float, now: Callable[[], float]) -> None:
        self._search_delay = search_delay
        self._now = now
        self._charges = {charge.id: charge for charge in charges}
        self._created: dict[str, float] = {}
        self._refunds: dict[str, Refund] = {}
        self._charge_by_key: dict[str, str] = {}

    async def create_charge(
        self, request: Request, idempotency_key: Annotated[str | None, Header()] = None
    ) -> Charge:
        """Charge a customer, at most once per idempotency key."""
        wanted = await _read_form(request, NewCharge)
        if idempotency_key in self._charge_by_key:
            return self._find_earlier(idempotency_key, wanted)
        if wanted.customer == DECLINED_CUSTOMER:
            raise _build_error(402, "card_error", "card_declined", "Your card was declined.")
        charge = Charge(id=f"ch_{token_hex(12)}", **wanted.model_dump())
        self._charges[charge.id] = charge
        self._created[charge.id] = self._now()
        if idempotency_key is not None:
            self._charge_by_key[idempotency_key] = charge.id
        return charge

    async def list_charges(self) -> ChargeList:
        """List all charges."""
        return ChargeList(data=[*self._charges.values()])

    async def search_charges(self, query: Annotated[str, Query()]) -> SearchResult:
        """Find the charge that was created with an idempotency key."""
        match = _SEARCH.fullmatch(query)
        if match is None:
            raise _build_error(400, "invalid_request_error", "parameter_invalid", "Invalid search query.")
        charge_id = self._charge_by_key.get(match[1])
        if charge_id is None or self._created[charge_id] > self._now() - self._search_delay:
            return SearchResult(data=[])
        charge = self._charges[charge_id].model_dump()
        return SearchResult(data=[FoundCharge(**charge, idempotency_key=match[1])])

    async def get_charge(self, charge_id: str) -> Charge:
        """Return a charge."""
        if charge_id not in self._charges:
            raise _build_missing(charge_id)
        return self._charges[charge_id]

    async def create_refund(self, request: Request) -> Refund:
        """Refund a charge; a second refund of a charge changes nothing."""
        charge = (await _read_form(request, NewRefund)).charge
        if charge not in self._charges:
            raise _build_missing(charge)
        if charge not in self._refunds:
            refunded = self._charges[charge].model_copy(update={"refunded": True})
            self._charges[charge] = refunded
            self._refunds[charge] = Refund(id=f"re_{token_hex(12)}", charge=charge, amount=refunded.amount)
        return self._refunds[charge]

    def _find_earlier(self, key: str, wanted: NewCharge) -> Charge:
        charge = self._charges[self._charge_by_key[key]]
        if (charge.amount, charge.currency, charge.customer) != tuple(wanted.model_dump().values()):
            raise _build_error(
                400, "idempotency_error", "idempotency_key_in_use", "The key belongs to another request."
            )
        return charge


def create_payments_api(
    *,
    charges: Iterable[Charge] = (),
    search_delay: float = 0.0,
    now: Callable[[], float] = time.monotonic,
) -> FastAPI:
    """Create the API with *charges* of earlier requests.

    A new charge can be found by search *search_delay* seconds after it was created; *now* returns the time.
    """
    payments = _Payments(charges, search_delay, now)
    app = FastAPI(title="Payments", dependencies=[Depends(_authenticate)])

    @app.exception_handler(HTTPException)
    async def nest_error(_: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse({"error": error.detail}, error.status_code)

    app.add_api_route("/v1/charges", payments.create_charge, methods=["POST"])
    app.add_api_route("/v1/charges", payments.list_charges, methods=["GET"])
    app.add_api_route("/v1/charges/search", payments.search_charges, methods=["GET"])
    app.add_api_route("/v1/charges/{charge_id}", payments.get_charge, methods=["GET"])
    app.add_api_route("/v1/refunds", payments.create_refund, methods=["POST"])
    return app


# Not FastAPI's `Form`, which needs another package, python-multipart.
async def _read_form(request: Request, kind: type[T]) -> T:
    try:
        return kind.model_validate(dict(parse_qsl((await request.body()).decode())))
    except ValidationError as error:
        message = f"Invalid {error.errors()[0]['loc'][0]}."
        raise _build_error(400, "invalid_request_error", "parameter_invalid", message) from None


async def _authenticate(authorization: Annotated[str, Header()] = "") -> None:
    if not compare_digest(authorization, f"Bearer {SECRET_KEY}"):
        raise _build_error(401, "invalid_request_error", "api_key_invalid", "Invalid API key.")


def _build_missing(charge_id: str) -> HTTPException:
    return _build_error(404, "invalid_request_error", "resource_missing", f"No such charge: {charge_id}")


def _build_error(status: int, kind: str, code: str, message: str) -> HTTPException:
    return HTTPException(status, {"type": kind, "code": code, "message": message})
