"""Undos of a service, by the key of the write or by an id of the service's own."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl

import httpx
import pytest
from pydantic import BaseModel, Field
from typing_extensions import override

from gateway import NO_CONTENT, RequestParts, ServiceClient
from gateway.client.operations.conventions import Conventions
from gateway.railway import (
    UNANSWERED,
    Aggregate,
    BadAnswer,
    Call,
    CommitTerms,
    Conflict,
    Err,
    Key,
    Ok,
    Run,
    RunContext,
    SentWrite,
    Stuck,
    Unavailable,
    Undo,
    UpstreamFault,
    Write,
    railway,
)
from tests.client.scripted_service import PROBLEM, Answering
from tests.service_clients import CONVENTIONS, service_client

RESET: Final = httpx.ReadError("reset")
KEY: Final = Key("exe-1.pay.0.charges.create")
LOST: Final = SentWrite(KEY, age=9.0)
"""A write whose answer has been lost."""

PayError = Conflict | UpstreamFault | Stuck | Aggregate


class Charge(BaseModel):
    id: str = Field(examples=["ch-1"])


class Charges(BaseModel):
    data: list[Charge]


CHARGE: Final = Charge(id="ch-7")
ANSWERED: Final = SentWrite(KEY, CHARGE, age=9.0)


class Payments:
    """Client of a service that undoes a charge by its id."""

    def __init__(self, client: ServiceClient) -> None:
        self._search = client.get("charges.search", "/charges", answer=Charges)
        self.refund: Final = client.undo.post("charges.refund", "/refunds", find=self.find, request=refund)
        self._create = client.write.post(
            "charges.create", "/charges", answer=Charge, undo=self.refund, declared={409: Conflict}
        )

    def find(self, key: Key) -> Call[Charge | None, UpstreamFault]:
        return self._search(query={"key": key}).map(lambda found: found.data[0] if found.data else None)

    def create(self, amount: str) -> Write[Charge, Conflict | UpstreamFault]:
        return self._create(form={"amount": amount})


def refund(charge: Charge) -> RequestParts:
    return RequestParts(form={"charge": charge.id})


class Provider(httpx.AsyncBaseTransport):
    """Payment provider with *charges*; a charge whose amount is `lost` is made, but never answered."""

    def __init__(self, *charges: Charge) -> None:
        self.charges = [*charges]
        self.requests: list[httpx.Request] = []
        self.search_status = 200

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        match request.method, request.url.path:
            case "GET", _:
                found = {"data": [charge.model_dump() for charge in self.charges]}
                return httpx.Response(self.search_status, json=found)
            case _, "/charges" if request.content == b"amount=lost":
                raise RESET
            case _, "/charges" if request.content == b"amount=refused":
                return httpx.Response(409, json={"detail": "no"}, headers=PROBLEM)
            case _, "/charges":
                return httpx.Response(201, json={"id": "ch-7"})
            case _, "/gone/ch-7":
                return httpx.Response(404, json={"detail": "refunded long ago"})
            case _:
                return httpx.Response(200, json={})

    @property
    def lines(self) -> Sequence[str]:
        """Return the method and path of each request."""
        return [f"{request.method} {request.url.path}" for request in self.requests]


def build_client(
    transport: httpx.AsyncBaseTransport, conventions: Conventions = CONVENTIONS
) -> ServiceClient:
    return service_client("charge", "http://charges.test", transport, conventions=conventions)


async def send_undo(
    declare: Callable[[ServiceClient], Undo],
    write: SentWrite = LOST,
    conventions: Conventions = CONVENTIONS,
) -> httpx.Request:
    """Make the undo that *declare* declares for *write*; return its request."""
    transport = Answering(httpx.Response(204))
    assert await declare(build_client(transport, conventions)).attempt(write) == Ok(None)
    return transport.requests[-1]


@pytest.mark.parametrize("method", ["delete", "post", "put", "patch"])
async def test_undo_has_method_of_its_declaration(method: str) -> None:
    request = await send_undo(lambda client: getattr(client.undo, method)("a.undo", "/a/{key}/undo"))

    assert (request.method, request.url.path) == (method.upper(), f"/a/{KEY}/undo")
    assert request.headers.get("idempotency-key") == (None if method == "delete" else KEY)


async def test_undo_by_key_sends_its_parts() -> None:
    def build(key: Key) -> RequestParts:
        return RequestParts(body={"key": key}, query={"now": True}, headers={"X-Reason": "undo"})

    request = await send_undo(lambda client: client.undo.post("a.undo", "/cancellations", request=build))

    assert json.loads(request.content) == {"key": KEY}
    assert request.url.query == b"now=true"
    assert request.headers["x-reason"] == "undo"
    assert request.headers.get_list("idempotency-key") == [KEY]


async def test_key_of_undo_is_sent_as_service_expects() -> None:
    request = await send_undo(
        lambda client: client.undo.post("a.undo", "/cancellations"),
        conventions=Conventions(key_field="reference"),
    )

    assert json.loads(request.content) == {"reference": KEY}
    assert "idempotency-key" not in request.headers


@pytest.mark.parametrize(
    ("parts", "conventions"),
    [
        (RequestParts(headers={"Idempotency-Key": "other"}), CONVENTIONS),
        (RequestParts(form={"reference": "other"}), Conventions(key_field="reference")),
    ],
)
async def test_parts_may_set_key_themselves(parts: RequestParts, conventions: Conventions) -> None:
    request = await send_undo(
        lambda client: client.undo.post("a.undo", "/{key}", request=lambda _: parts), conventions=conventions
    )

    assert "other" in f"{request.headers.get('idempotency-key')} {request.content.decode()}"
    assert KEY not in f"{request.headers} {request.content.decode()}"


async def test_undo_success_statuses_can_be_set() -> None:
    transport = Answering(httpx.Response(404, json={"detail": "gone already"}))
    undo = build_client(transport).undo.delete("a.undo", "/a/{key}", success={204, 404})

    assert await undo.attempt(LOST) == Ok(None)


async def test_undo_accepts_202_where_declared() -> None:
    undo = build_client(Answering(httpx.Response(202))).undo.delete("a.undo", "/a/{key}", success={202, 204})

    assert await undo.attempt(LOST) == Ok(None)


@pytest.mark.parametrize("method", ["delete", "post", "put", "patch"])
@pytest.mark.parametrize("media_type", ["application/problem+json", "application/json"])
@pytest.mark.parametrize("status", [404, 410])
async def test_gone_means_undone(status: int, media_type: str, method: str) -> None:
    response = httpx.Response(status, headers={"content-type": media_type}, content=b'{"detail": "SECRET"}')
    undo = getattr(build_client(Answering(response)).undo, method)("a.undo", "/a/{key}", gone={404, 410})

    assert await undo.attempt(LOST) == Ok(None)


@pytest.mark.parametrize(
    ("status", "headers", "gone"),
    [
        (404, {"content-type": "text/html"}, {404, 410}),
        (410, {"content-type": "text/html; charset=utf-8"}, {404, 410}),
        (404, {}, {404, 410}),
        (410, {"content-type": "text/plain"}, {404, 410}),
        (404, PROBLEM, {410}),
        (409, PROBLEM, {404, 410}),
        (404, PROBLEM, ()),
    ],
)
async def test_foreign_or_undeclared_gone_is_not_undone(
    status: int, headers: Mapping[str, str], gone: Collection[int]
) -> None:
    client = build_client(Answering(httpx.Response(status, headers=headers)))
    result = await client.undo.delete("a.undo", "/a/{key}", gone=gone).attempt(LOST)

    assert result == Err(BadAnswer("The charge service sent an unusable answer", source="a.undo"))


async def test_gone_by_status_alone_can_be_declared() -> None:
    undos = build_client(Answering(httpx.Response(410))).undo
    undo = undos.delete("a.undo", "/a/{key}", gone={410}, refusals="any")

    assert await undo.attempt(LOST) == Ok(None)


async def test_gone_after_look_up_means_undone() -> None:
    provider = Provider(CHARGE)
    client = build_client(provider)
    undo = client.undo.delete("a.undo", "/gone/{id}", find=Payments(client).find, gone={404})

    assert await undo.attempt(LOST) == Ok(None)
    assert provider.lines == ["GET /charges", "DELETE /gone/ch-7"]


@pytest.mark.parametrize(("age", "is_undone"), [(0.0, False), (4.9, False), (5.0, True)])
async def test_gone_counts_after_settling(age: float, *, is_undone: bool) -> None:
    """A write whose answer was lost may still arrive after an undo that has found nothing."""
    client = build_client(Answering(httpx.Response(404, json={})), Conventions(settling_ms=5000))
    undo = client.undo.delete("a.undo", "/a/{key}", gone={404})

    assert isinstance(await undo.attempt(SentWrite(KEY, age=age)), Ok) is is_undone
    assert await undo.attempt(SentWrite(KEY, None, age)) == Ok(None)


@pytest.mark.parametrize("status", [200, 204, 302, 500, 503, 99])
def test_gone_must_be_4xx(status: int) -> None:
    with pytest.raises(
        ValueError, match=r"^a\.undo: \d+ cannot mean that there is nothing to undo: expected"
    ):
        build_client(Answering()).undo.delete("a.undo", "/a/{key}", gone={status})


async def test_undo_uses_answer_in_hand() -> None:
    provider = Provider()
    result = await Payments(build_client(provider)).refund.attempt(ANSWERED)
    (request,) = provider.requests

    assert result == Ok(None)
    assert (request.method, request.url.path) == ("POST", "/refunds")
    assert request.content == b"charge=ch-7"


async def test_undo_with_answer_has_key_of_its_own() -> None:
    """Many services refuse the key of the write for another request."""
    provider = Provider()
    await Payments(build_client(provider)).refund.attempt(ANSWERED)

    assert provider.requests[0].headers.get_list("idempotency-key") == [f"{KEY}.undo"]


async def test_undo_looks_up_lost_answer() -> None:
    provider = Provider(Charge(id="ch-9"))
    result = await Payments(build_client(provider)).refund.attempt(LOST)
    search, sent = provider.requests

    assert result == Ok(None)
    assert search.url.query == f"key={KEY}".encode()
    assert dict(parse_qsl(sent.content.decode())) == {"charge": "ch-9"}


async def test_absent_write_is_undone_without_request() -> None:
    provider = Provider()

    assert await Payments(build_client(provider)).refund.attempt(LOST) == Ok(None)
    assert provider.lines == ["GET /charges"]


@pytest.mark.parametrize(("age", "is_undone"), [(0.0, False), (4.9, False), (5.0, True), (60.0, True)])
async def test_absent_write_is_undone_after_settling(age: float, *, is_undone: bool) -> None:
    payments = Payments(build_client(Provider(), Conventions(settling_ms=5000)))
    result = await payments.refund.attempt(SentWrite(KEY, age=age))

    if is_undone:
        assert result == Ok(None)
    else:
        assert isinstance(result, Err)
        assert isinstance(result.error, Unavailable)
        assert result.error.source == "charges.refund"
        assert result.error.retry_after == pytest.approx(5.0 - age)


async def test_failed_look_up_fails_undo() -> None:
    provider = Provider()
    provider.search_status = 500
    result = await Payments(build_client(provider)).refund.attempt(LOST)

    assert isinstance(result, Err)
    assert (type(result.error), result.error.source) == (BadAnswer, "charges.search")


@pytest.mark.parametrize("answer", [Charge(id="ch/7"), {"id": "ch/7"}])
async def test_path_parameters_are_attributes_of_answer(answer: object) -> None:
    def find(_: Key) -> Call[Charge | None, UpstreamFault]:
        raise AssertionError

    request = await send_undo(
        lambda client: client.undo.delete("a.undo", "/charges/{id}", find=find), SentWrite(KEY, answer)
    )

    assert request.url.raw_path == b"/charges/ch%2F7"


async def test_path_parameters_of_parts_take_precedence() -> None:
    request = await send_undo(
        lambda client: client.undo.put(
            "a.undo",
            "/charges/{id}/{key}",
            find=Payments(client).find,
            request=lambda charge: RequestParts(path={"id": charge.id.upper()}),
        ),
        ANSWERED,
    )

    assert request.url.path == f"/charges/CH-7/{KEY}"


async def test_answer_none_is_looked_up() -> None:
    provider = Provider(CHARGE)
    await Payments(build_client(provider)).refund.attempt(SentWrite(KEY, None, age=9.0))

    assert provider.lines == ["GET /charges", "POST /refunds"]


def attribute_of_key(key: Any) -> RequestParts:  # noqa: ANN401 - used as if it were the answer
    return RequestParts(form={"charge": key.id})


def set_unknown_parameter(key: Key) -> RequestParts:
    return RequestParts(path={"id": key})


@pytest.mark.parametrize(
    ("path", "request_parts", "reason"),
    [
        ("/charges/{id}", None, "its path needs id"),
        ("/charges/{id}/{key}", None, "its path needs id"),
        ("/refunds", attribute_of_key, "its request fails for a key: AttributeError: 'str' object has no"),
        (
            "/refunds",
            set_unknown_parameter,
            "its request fails for a key: TypeError: a.undo takes no parameters for its path /refunds",
        ),
    ],
    ids=["path", "path with key", "request", "unknown parameter"],
)
def test_undo_that_needs_answer_needs_find(
    path: str, request_parts: Callable[[Key], RequestParts] | None, reason: str
) -> None:
    with pytest.raises(ValueError, match=r"^a\.undo cannot undo a write by its key: ") as refused:
        build_client(Answering()).undo.post("a.undo", path, request=request_parts)

    assert reason in str(refused.value)
    assert "needs find, a read that looks the write up by its key" in str(refused.value)


def test_undo_without_key_and_answer_is_refused() -> None:
    client = build_client(Answering())
    message = r"^a\.undo cannot undo a write: its request has neither the key nor the answer of the write$"

    with pytest.raises(ValueError, match=message):
        client.undo.delete("a.undo", "/charges")
    with pytest.raises(ValueError, match=message):
        client.undo.post("a.undo", "/charges", find=Payments(client).find)


def test_undo_must_fit_answer_of_write() -> None:
    client = build_client(Answering())
    refund_only = Payments(client).refund

    with pytest.raises(
        ValueError, match=r"^charges\.refund cannot undo a\.write: its request fails for the"
    ) as no:
        client.write.post("a.write", "/a", answer=NO_CONTENT, undo=refund_only)
    assert str(no.value).endswith("AttributeError: 'NoneType' object has no attribute 'id'")


def test_answer_without_example_is_not_checked() -> None:
    client = build_client(Answering())
    client.write.post("a.write", "/a", answer=int, undo=Payments(client).refund)


@railway
async def pay(run: Run[PayError], *writes: Write[object, Conflict | UpstreamFault]) -> None:
    first, second = writes
    await run.commit("pay", first, second)


async def run_commit(provider: Provider, first: str, conventions: Conventions = CONVENTIONS) -> Sequence[str]:
    """Commit a charge of *first*, and one that is refused; return the requests."""
    payments = Payments(build_client(provider, conventions))
    mapped = payments.create(first).map(lambda charge: charge.id)
    context = RunContext(commit_terms=CommitTerms(budget=1, undo_budget=30))
    await pay.on(context)(mapped, payments.create("refused"))
    return provider.lines


async def test_commit_undoes_with_answer_in_hand() -> None:
    """The undo gets the answer of the service, although the pipeline has mapped the value of the write."""
    assert await run_commit(Provider(), "1.00") == ["POST /charges", "POST /charges", "POST /refunds"]


async def test_commit_looks_up_unanswered_write() -> None:
    lines = await run_commit(Provider(CHARGE), "lost")

    assert lines[-2:] == ["GET /charges", "POST /refunds"]
    assert {*lines[:-2]} == {"POST /charges"}


async def test_commit_waits_until_absent_write_has_settled() -> None:
    provider = Provider()
    lines = await run_commit(provider, "lost", Conventions(settling_ms=3000))

    assert lines.count("GET /charges") > 2
    assert "POST /refunds" not in lines


def test_sent_write_has_no_answer_by_default() -> None:
    assert SentWrite(KEY).answer is UNANSWERED
