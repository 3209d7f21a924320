"""Idempotency-Key: parsing, execution ids and replayed responses."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime

import httpx
import pytest

from gateway.api.idempotency.key import (
    create_execution_id,
    identify_caller,
    parse_key,
)
from gateway.api.pipeline_route.registration import Route
from gateway.api.problems.refusal import Refusal
from gateway.executions.execution import RETENTION_SECONDS
from gateway.railway import Conflict, Err, NotFound, Run, Unavailable, railway
from tests.api import sample_gateway
from tests.api.fake_bank import (
    PAID,
    PAYMENT,
    Bank,
    BankProcess,
    Paid,
    PayError,
    Payment,
    add_key,
    build_bank_gateway,
    create_client,
    post_payment,
)
from tests.api.sample_gateway import BASKET, FakeServices, build_gateway, build_sample_gateway, build_state

JSON = {"Content-Type": "application/json"}
LONGEST = "x" * 255
BEARER = "Bearer token-1"


@pytest.fixture
async def bank() -> Bank:
    return Bank()


@pytest.fixture
async def client(bank: Bank) -> AsyncIterator[httpx.AsyncClient]:
    async with create_client(build_bank_gateway(bank)) as client:
        yield client


def get_replayed_parts(response: httpx.Response) -> tuple[int, bytes, Mapping[str, str | None]]:
    """Return the status, the body and the headers that a replayed response must repeat."""
    names = ("content-type", "content-length", "location", "gateway-completed", "cache-control")
    return response.status_code, response.content, {name: response.headers.get(name) for name in names}


@pytest.mark.parametrize(
    "key", ["k", "!", "~", "a,b", 'a"b', LONGEST, "8e03978e-40d5-43e8-bc93-6894a57f9324"]
)
def test_bare_and_quoted_keys_are_equal(key: str) -> None:
    bare, quoted = key.encode(), f'"{key}"'.encode()

    assert parse_key({b"idempotency-key": bare}) == parse_key({b"idempotency-key": quoted}) == bare


@pytest.mark.parametrize(
    "key",
    [
        b"", b'""', b" ", b"a b", b"a\tb", b"a\x00", b"a\n", b"\x7f", "clé".encode(), "clé".encode("latin-1"),
        b"a, a", b'"a", "a"', b"x" * 256, b'"' + b"x" * 256 + b'"',
    ],
)  # fmt: skip
def test_malformed_key_is_refused(key: bytes) -> None:
    with pytest.raises(Refusal) as refused:
        parse_key({b"idempotency-key": key})

    assert refused.value.code == "invalid-header"


def test_missing_header_means_no_key() -> None:
    assert parse_key({}) is None


def test_execution_ids_are_random_without_key() -> None:
    first, second = create_execution_id(), create_execution_id()

    assert first != second
    assert len(first) == len(second) == len("exe-") + 32


@pytest.mark.parametrize("spelling", [b"bearer a", b"BEARER  a"])
def test_caller_ignores_bearer_spelling(spelling: bytes) -> None:
    assert identify_caller({b"authorization": spelling}) == identify_caller({b"authorization": b"Bearer a"})


def test_caller_without_credentials_is_anonymous() -> None:
    assert identify_caller({}) == identify_caller({b"authorization": b""}) == b""


def test_principal_is_caller_whatever_its_credentials() -> None:
    credentials = [{b"authorization": b"Bearer a"}, {b"authorization": b"Bearer b"}, {}]

    assert len({identify_caller(fields, "alice") for fields in credentials}) == 1
    assert identify_caller({}, "alice") != identify_caller({b"authorization": b"principal alice"})


@pytest.mark.parametrize(
    ("operation", "outcome", "expected"),
    [
        (None, None, (201, "true")),
        ("note", Err(Unavailable("down")), (201, "false")),
        ("pay", Err(Conflict("frozen")), (409, "false")),
        ("pay", KeyError("a bug"), (500, "false")),
    ],
)
async def test_response_of_a_commit_is_replayed_exactly(
    bank: Bank,
    client: httpx.AsyncClient,
    operation: str | None,
    outcome: Err[Conflict] | Exception,
    expected: tuple[int, str],
) -> None:
    if operation is not None:
        getattr(bank, operation).outcome = outcome

    first, replayed = await post_payment(client, "rent"), await post_payment(client, '"rent"')

    assert get_replayed_parts(replayed) == get_replayed_parts(first)
    assert (first.status_code, first.headers["gateway-completed"]) == expected
    assert "idempotent-replayed" not in first.headers
    assert replayed.headers["idempotent-replayed"] == "true"
    assert first.headers["x-request-id"] != replayed.headers["x-request-id"]
    assert len(bank.pay.keys) == 1


async def test_write_key_has_execution_id_and_date(bank: Bank, client: httpx.AsyncClient) -> None:
    location = (await post_payment(client, "rent")).headers["location"]

    today = datetime.now(UTC).date()
    scoped_id = f"{location.removeprefix('/executions/')}.{today}"
    assert bank.pay.keys == [f"{scoped_id}.settlement.0.bank.pay"]


async def test_expired_key_makes_a_new_payment(bank: Bank, client: httpx.AsyncClient) -> None:
    await post_payment(client, "rent")
    await asyncio.sleep(RETENTION_SECONDS + 1)

    second = await post_payment(client, "rent")

    assert second.status_code == 201
    assert "idempotent-replayed" not in second.headers
    assert len(bank.pay.keys) == 2


async def test_failure_before_commit_frees_key(bank: Bank, client: httpx.AsyncClient) -> None:
    bank.check.outcome = Err(NotFound("user-1"))
    assert (await post_payment(client, "rent")).status_code == 404
    bank.check.outcome = Bank().check.outcome

    second = await client.post("/payments", json={"payer": "user-2"}, headers=add_key("rent"))

    assert second.status_code == 201
    assert "idempotent-replayed" not in second.headers


@pytest.mark.parametrize("header", ["", " ", "a b", "é", "x" * 256])
async def test_malformed_key_is_400_and_starts_nothing(
    bank: Bank, client: httpx.AsyncClient, header: str
) -> None:
    response = await client.post("/payments", json=PAYMENT, headers=[(b"Idempotency-Key", header.encode())])

    assert (response.status_code, response.json()["code"]) == (400, "invalid-header")
    assert "Idempotency-Key" in response.json()["detail"]
    assert bank.check.keys == []


async def test_repeated_key_header_is_400(client: httpx.AsyncClient) -> None:
    twice = [("Idempotency-Key", "rent"), ("Idempotency-Key", "rent")]

    response = await client.post("/payments", json=PAYMENT, headers=twice)

    assert (response.status_code, response.json()["code"]) == (400, "invalid-header")


async def test_key_reuse_with_other_body_is_422(bank: Bank, client: httpx.AsyncClient) -> None:
    await post_payment(client, "rent")

    response = await client.post("/payments", json={**PAYMENT, "amount": "26.00"}, headers=add_key("rent"))

    assert (response.status_code, response.json()["code"]) == (422, "idempotency-mismatch")
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["gateway-completed"] == "false"
    assert "execution_id" not in response.json()
    assert len(bank.pay.keys) == 1


async def test_key_reuse_with_other_body_during_run_is_422(bank: Bank, client: httpx.AsyncClient) -> None:
    bank.pay.seconds = 3
    first = asyncio.create_task(post_payment(client, "rent"))
    await bank.pay.has_started.wait()

    response = await client.post("/payments", json={"payer": "user-2"}, headers=add_key("rent"))

    assert (response.status_code, asyncio.get_running_loop().time()) == (422, 0)
    assert (await first).status_code == 201


@pytest.mark.parametrize("body", [PAYMENT, {"amount": "25", "payer": "user-1"}])
async def test_equivalent_json_may_reuse_the_key(client: httpx.AsyncClient, body: dict[str, object]) -> None:
    await post_payment(client, "rent")

    assert (await client.post("/payments", json=body, headers=add_key("rent"))).status_code == 201


async def test_keys_are_scoped_to_caller_and_endpoint(bank: Bank, client: httpx.AsyncClient) -> None:
    responses = [
        await client.post(path, json=PAYMENT, headers=add_key("rent", Authorization=caller))
        for path, caller in [
            ("/payments", ""), ("/payments", BEARER), ("/payments", "Bearer token-2"), ("/sealed", BEARER),
        ]
    ]  # fmt: skip

    assert [response.status_code for response in responses] == [201] * 4
    assert len({response.headers["location"] for response in responses}) == 4
    assert len(bank.pay.keys) == 4


@railway
async def pay_account(run: Run[PayError], account: str, payment: Payment, bank: Bank) -> Paid:
    (receipt,) = await run.commit("settlement", bank.payment)
    return Paid(payer=f"{account} {payment.payer}", receipt=receipt, note=None)


@pytest.fixture
async def accounts(bank: Bank) -> AsyncIterator[httpx.AsyncClient]:
    route = Route("POST", "/accounts/{account}/payments", pay_account)
    shared = build_state(executions=BankProcess(bank).executions)
    async with create_client(build_gateway(route, services={"bank": bank}, shared=shared)) as client:
        yield client


@pytest.mark.parametrize("account", ["a-1", "%61-1", "a%2D1"])
async def test_key_is_bound_to_route_not_spelling(
    bank: Bank, accounts: httpx.AsyncClient, account: str
) -> None:
    await accounts.post("/accounts/a-1/payments", json=PAYMENT, headers=add_key("rent"))

    response = await accounts.post(f"/accounts/{account}/payments", json=PAYMENT, headers=add_key("rent"))

    assert (response.status_code, response.headers["idempotent-replayed"]) == (200, "true")
    assert len(bank.pay.keys) == 1


async def test_other_path_parameter_is_other_request(bank: Bank, accounts: httpx.AsyncClient) -> None:
    await accounts.post("/accounts/a-1/payments", json=PAYMENT, headers=add_key("rent"))

    response = await accounts.post("/accounts/a-2/payments", json=PAYMENT, headers=add_key("rent"))

    assert (response.status_code, response.json()["code"]) == (422, "idempotency-mismatch")
    assert len(bank.pay.keys) == 1


@pytest.mark.parametrize("path", ["/payments%0a", "/payments%0A", "/%70ayments%0a", "/payments%0a?x=1"])
async def test_line_feed_after_path_makes_no_payment(
    bank: Bank, client: httpx.AsyncClient, path: str
) -> None:
    response = await client.post(path, json=PAYMENT, headers=add_key("rent"))

    assert response.status_code == 404
    assert bank.check.keys == []


async def test_requests_with_same_key_share_one_run(bank: Bank, client: httpx.AsyncClient) -> None:
    bank.pay.seconds = 3

    responses = await asyncio.gather(*(post_payment(client, "rent") for _ in range(20)))

    assert {get_replayed_parts(response)[:2] for response in responses} == {(201, responses[0].content)}
    assert responses[0].json() == PAID
    assert sum("idempotent-replayed" not in response.headers for response in responses) == 1
    assert (len(bank.check.keys), len(bank.pay.keys), len(bank.note.keys)) == (1, 1, 1)


async def test_waiting_request_is_202_at_its_deadline(bank: Bank, client: httpx.AsyncClient) -> None:
    bank.pay.seconds = 3
    first = asyncio.create_task(post_payment(client, "rent"))
    await bank.pay.has_started.wait()

    response = await post_payment(client, "rent", **{"X-Request-Timeout-Ms": "1000"})

    assert (response.status_code, asyncio.get_running_loop().time()) == (202, 1)
    assert response.json()["state"] == "running"
    assert "idempotent-replayed" not in response.headers
    assert response.headers["location"] == (await first).headers["location"]


PLAIN = {"Content-Type": "text/plain"}
BAD_KEY = {**JSON, "Idempotency-Key": "a b"}
GOOD = b'{"payer": "user-1", "amount": "25.00"}'
OTHER = b'{"payer": "user-2"}'
TOKEN = {"Authorization": BEARER}


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
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
async def test_commit_request_checks_are_ordered(
    client: httpx.AsyncClient, headers: dict[str, str], body: bytes, expected: str
) -> None:
    await client.post("/sealed", content=GOOD, headers={**JSON, **TOKEN, **add_key("rent")})

    response = await client.post("/sealed", content=body, headers={**add_key("rent"), **headers})

    assert response.json()["code"] == expected


@pytest.mark.parametrize("key", ["rent", "", "a b"])
async def test_reading_pipeline_ignores_idempotency_key(key: str) -> None:
    services = FakeServices()
    async with sample_gateway.create_client(build_sample_gateway(services)) as client:
        responses = [await client.post("/baskets", json=BASKET, headers=add_key(key)) for _ in range(2)]

    assert [response.status_code for response in responses] == [200, 200]
    assert not any("idempotent-replayed" in response.headers for response in responses)
    assert len(services.contexts) == 2
