"""Idempotency-Key: one key, one execution."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime

import httpx
import pytest

from gateway.api.idempotency.key import compute_fingerprint, derive_execution_id, parse_key
from gateway.api.problems.refusal import Refusal
from gateway.executions.execution import RETENTION_SECONDS
from gateway.pipelines.orders import OrderRequest
from gateway.pipelines.transfers import TransferRequest
from gateway.railway import Conflict, Err, NotFound, Unavailable
from tests.api.fake_bank import PAID, PAYMENT, Bank, client_of, gateway, keyed, posted
from tests.api.sample_gateway import BASKET, World
from tests.api.sample_gateway import client_of as reader_of
from tests.api.sample_gateway import gateway as reading

JSON = {"Content-Type": "application/json"}
LONGEST = "x" * 255
BEARER = "Bearer token-1"


@pytest.fixture
async def bank() -> Bank:
    return Bank()


@pytest.fixture
async def client(bank: Bank) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(gateway(bank)) as client:
        yield client


def said(answer: httpx.Response) -> tuple[int, bytes, Mapping[str, str | None]]:
    """Give all of an answer that must be the same when it is given again."""
    same = ("content-type", "content-length", "location", "gateway-completed", "cache-control")
    return answer.status_code, answer.content, {name: answer.headers.get(name) for name in same}


@pytest.mark.parametrize(
    "key", ["k", "!", "~", "a,b", 'a"b', LONGEST, "8e03978e-40d5-43e8-bc93-6894a57f9324"]
)
def test_a_key_may_stand_bare_or_in_quotes_and_is_the_same(key: str) -> None:
    bare, quoted = key.encode(), f'"{key}"'.encode()

    assert parse_key({b"idempotency-key": bare}) == parse_key({b"idempotency-key": quoted}) == bare


@pytest.mark.parametrize(
    "key",
    [
        b"", b'""', b" ", b"a b", b"a\tb", b"a\x00", b"a\n", b"\x7f", "clé".encode(), "clé".encode("latin-1"),
        b"a, a", b'"a", "a"', b"x" * 256, b'"' + b"x" * 256 + b'"',
    ],
)  # fmt: skip
def test_what_is_no_key_is_refused(key: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        parse_key({b"idempotency-key": key})

    assert refused.value.code == "invalid-header"


def test_without_the_header_there_is_no_key() -> None:
    assert parse_key({}) is None


def test_without_a_key_every_execution_has_a_name_of_its_own() -> None:
    first, second = (derive_execution_id("POST /payments", {}, None) for _ in range(2))

    assert first != second
    assert len(first) == len(second) == len("exe-") + 32


def test_a_caller_is_the_same_however_the_scheme_of_a_bearer_token_is_spelled() -> None:
    spelled = (b"Bearer a", b"bearer a", b"BEARER  a")

    assert len({derive_execution_id("POST /a", {b"authorization": one}, b"key") for one in spelled}) == 1


def test_a_key_names_the_execution_with_endpoint_and_caller() -> None:
    names = {
        derive_execution_id(endpoint, {b"authorization": caller}, key)
        for endpoint in ("POST /payments", "POST /orders")
        for caller in (b"", b"Bearer a", b"Bearer b")
        for key in (b"rent", b"food")
    }

    assert len(names) == 12
    assert derive_execution_id("POST /payments", {}, b"rent") in names  # nobody is who sends nothing
    assert all(name.startswith("exe-") for name in names)


ORDER = {"user_id": "user-1", "product_id": "p", "payment_id": "pm", "address": "1 Main St"}
TRANSFER = {"from_account": "a", "to_account": "b", "amount": "25", "currency": "USD"}


@pytest.mark.parametrize(
    ("kind", "one", "same"),
    [
        (OrderRequest, ORDER, {**ORDER, "quantity": 1}),
        (OrderRequest, ORDER, dict(reversed(ORDER.items()))),
        (TransferRequest, TRANSFER, {**TRANSFER, "amount": "25.00"}),
        (TransferRequest, TRANSFER, {**TRANSFER, "amount": "25.0", "reference": None}),
    ],
)
def test_requests_are_the_same_that_are_equal_once_they_are_validated(
    kind: type[OrderRequest | TransferRequest], one: dict[str, object], same: dict[str, object]
) -> None:
    first, second = kind.model_validate(one), kind.model_validate(same)

    assert compute_fingerprint({"body": first}) == compute_fingerprint({"body": second})


def test_requests_are_not_the_same_that_differ_in_a_body_or_in_a_path() -> None:
    order = OrderRequest.model_validate(ORDER)
    others = [order, OrderRequest.model_validate({**ORDER, "quantity": 2})]

    assert (
        len({compute_fingerprint({"body": body, "shop": shop}) for body in others for shop in ("a", "b")})
        == 4
    )


@pytest.mark.parametrize(
    ("told", "answer", "wanted"),
    [
        (None, None, (201, "true")),
        ("note", Err(Unavailable("down")), (201, "false")),
        ("pay", Err(Conflict("frozen")), (409, "false")),
        ("pay", KeyError("a bug"), (500, "false")),
    ],
)
async def test_once_a_commit_began_its_answer_comes_back_to_the_byte(
    bank: Bank,
    client: httpx.AsyncClient,
    told: str | None,
    answer: Err[Conflict] | Exception,
    wanted: tuple[int, str],
) -> None:
    if told is not None:
        getattr(bank, told).answer = answer

    first, again = await posted(client, "rent"), await posted(client, '"rent"')

    assert said(again) == said(first)
    assert (first.status_code, first.headers["gateway-completed"]) == wanted
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert first.headers["x-request-id"] != again.headers["x-request-id"]
    assert len(bank.pay.asked) == 1


async def test_a_key_names_the_same_execution_for_the_services_again(
    bank: Bank, client: httpx.AsyncClient
) -> None:
    location = (await posted(client, "rent")).headers["location"]

    today = datetime.now(UTC).date()
    known_as = f"{location.removeprefix('/executions/')}.{today}"
    assert bank.pay.asked == [f"{known_as}.settlement.0.bank.pay"]


async def test_services_do_not_take_a_request_for_one_whose_answer_has_been_forgotten(bank: Bank) -> None:
    days = iter(range(1, 32))
    async with client_of(gateway(bank, now=lambda: datetime(2026, 1, next(days), tzinfo=UTC))) as client:
        await posted(client, "rent")
        await asyncio.sleep(RETENTION_SECONDS)
        again = await posted(client, "rent")

    assert again.status_code == 201
    assert "idempotent-replayed" not in again.headers
    assert len({*bank.pay.asked}) == 2


async def test_a_failure_before_the_commit_began_frees_the_key(bank: Bank, client: httpx.AsyncClient) -> None:
    bank.check.answer = Err(NotFound("nobody"))
    assert (await posted(client, "rent")).status_code == 404
    bank.check.answer = Bank().check.answer

    other = await client.post("/payments", json={"payer": "user-2"}, headers=keyed("rent"))

    assert other.status_code == 201
    assert "idempotent-replayed" not in other.headers


@pytest.mark.parametrize("header", ["", " ", "a b", "é", "x" * 256])
async def test_what_is_no_key_is_a_400_and_nothing_is_done(
    bank: Bank, client: httpx.AsyncClient, header: str
) -> None:
    answer = await client.post("/payments", json=PAYMENT, headers=[(b"Idempotency-Key", header.encode())])

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid-header")
    assert "Idempotency-Key" in answer.json()["detail"]
    assert bank.check.asked == []


async def test_a_key_that_is_sent_twice_is_none(client: httpx.AsyncClient) -> None:
    twice = [("Idempotency-Key", "rent"), ("Idempotency-Key", "rent")]

    answer = await client.post("/payments", json=PAYMENT, headers=twice)

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid-header")


async def test_the_same_key_for_something_else_is_a_422(bank: Bank, client: httpx.AsyncClient) -> None:
    await posted(client, "rent")

    answer = await client.post("/payments", json={**PAYMENT, "amount": "26.00"}, headers=keyed("rent"))

    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency-mismatch")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["gateway-completed"] == "false"
    assert "execution_id" not in answer.json()
    assert len(bank.pay.asked) == 1


async def test_the_same_key_for_something_else_is_a_422_while_the_first_runs(
    bank: Bank, client: httpx.AsyncClient
) -> None:
    bank.pay.seconds = 3
    first = asyncio.create_task(posted(client, "rent"))
    await bank.pay.is_asked.wait()

    answer = await client.post("/payments", json={"payer": "user-2"}, headers=keyed("rent"))

    assert (answer.status_code, asyncio.get_running_loop().time()) == (422, 0)
    assert (await first).status_code == 201


@pytest.mark.parametrize("body", [PAYMENT, {"amount": "25", "payer": "user-1"}])
async def test_the_same_request_written_differently_is_the_same(
    client: httpx.AsyncClient, body: dict[str, object]
) -> None:
    await posted(client, "rent")

    assert (await client.post("/payments", json=body, headers=keyed("rent"))).status_code == 201


async def test_keys_of_different_callers_and_endpoints_are_different(
    bank: Bank, client: httpx.AsyncClient
) -> None:
    answers = [
        await client.post(path, json=PAYMENT, headers=keyed("rent", Authorization=caller))
        for path, caller in [
            ("/payments", ""), ("/payments", BEARER), ("/payments", "Bearer token-2"), ("/sealed", BEARER),
        ]
    ]  # fmt: skip

    assert [answer.status_code for answer in answers] == [201] * 4
    assert len({answer.headers["location"] for answer in answers}) == 4
    assert len(bank.pay.asked) == 4


async def test_of_many_at_once_one_makes_the_run_and_all_have_its_answer(
    bank: Bank, client: httpx.AsyncClient
) -> None:
    bank.pay.seconds = 3

    answers = await asyncio.gather(*(posted(client, "rent") for _ in range(20)))

    assert {said(answer)[:2] for answer in answers} == {(201, answers[0].content)}
    assert answers[0].json() == PAID
    assert sum("idempotent-replayed" not in answer.headers for answer in answers) == 1
    assert (len(bank.check.asked), len(bank.pay.asked), len(bank.note.asked)) == (1, 1, 1)


async def test_who_waits_is_told_at_its_deadline_that_it_runs(bank: Bank, client: httpx.AsyncClient) -> None:
    bank.pay.seconds = 3
    first = asyncio.create_task(posted(client, "rent"))
    await bank.pay.is_asked.wait()

    answer = await posted(client, "rent", **{"X-Request-Timeout-Ms": "1000"})

    assert (answer.status_code, asyncio.get_running_loop().time()) == (202, 1)
    assert answer.json()["state"] == "running"
    assert "idempotent-replayed" not in answer.headers
    assert answer.headers["location"] == (await first).headers["location"]


PLAIN = {"Content-Type": "text/plain"}
BAD_KEY = {**JSON, "Idempotency-Key": "a b"}
GOOD = b'{"payer": "user-1", "amount": "25.00"}'
OTHER = b'{"payer": "user-2"}'
TOKEN = {"Authorization": BEARER}


@pytest.mark.parametrize(
    ("headers", "body", "wanted"),
    [
        ({**BAD_KEY, **PLAIN}, b"{" * 70_000, "unsupported-media-type"),
        ({**BAD_KEY}, b"{" * 70_000, "too-large"),
        ({**BAD_KEY}, b"{", "invalid-header"),
        ({**BAD_KEY}, b"{}", "invalid-header"),
        ({**BAD_KEY}, OTHER, "invalid-header"),
        ({**JSON}, b"{", "unauthorized"),
        ({**JSON}, b"{}", "unauthorized"),
        ({**JSON}, OTHER, "unauthorized"),
        ({**JSON, **TOKEN}, b"{", "malformed"),
        ({**JSON, **TOKEN}, b"{}", "invalid"),
        ({**JSON, **TOKEN}, OTHER, "idempotency-mismatch"),
    ],
)
async def test_checks_are_made_in_the_order_of_the_contract(
    client: httpx.AsyncClient, headers: dict[str, str], body: bytes, wanted: str
) -> None:
    await client.post("/sealed", content=GOOD, headers={**JSON, **TOKEN, **keyed("rent")})

    answer = await client.post("/sealed", content=body, headers={**keyed("rent"), **headers})

    assert answer.json()["code"] == wanted


@pytest.mark.parametrize("key", ["rent", "", "a b"])
async def test_a_pipeline_that_does_not_write_ignores_the_header(key: str) -> None:
    world = World()
    async with reader_of(reading(world)) as client:
        answers = [await client.post("/baskets", json=BASKET, headers=keyed(key)) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert not any("idempotent-replayed" in answer.headers for answer in answers)
    assert len(world.seen) == 2
