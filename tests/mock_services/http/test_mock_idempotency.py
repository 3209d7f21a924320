from urllib.parse import quote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mock_services.http.idempotency import IdempotentWrites
from mock_services.http.request import Request
from mock_services.http.response import Problem
from mock_services.values.fields import RequestModel
from mock_services.values.ids import make_id
from tests.mock_services.in_process_client import create_client, fetch_state, write

TWO = {"product_id": "prod-456", "quantity": 2}
THREE = {"product_id": "prod-456", "quantity": 3}
TOO_MANY = {"product_id": "prod-456", "quantity": 101}
ALL = {"product_id": "prod-456", "quantity": 100}

MALFORMED_KEYS = ["", '""', '"key', "a b", "a,b, c", "ключ", "a/b", ".", "..", "x" * 256, "\x7f"]


@pytest.fixture
def inventory() -> httpx.AsyncClient:
    return create_client("inventory")


async def reserve(inventory: httpx.AsyncClient, key: str, body: object = TWO) -> httpx.Response:
    return await write(inventory, "/reservations", key, body)


async def release(inventory: httpx.AsyncClient, key: str) -> int:
    return (await inventory.delete(f"/reservations/{key}")).status_code


async def fetch_stock(inventory: httpx.AsyncClient) -> int:
    level: int = (await inventory.get("/_mock/state")).json()["stock"]["prod-456"]
    return level


async def test_missing_key_is_reported_before_invalid_body(inventory: httpx.AsyncClient) -> None:
    answer = await inventory.post("/reservations", content=b"{")

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == "Idempotency-Key is required"


@pytest.mark.parametrize("key", MALFORMED_KEYS)
async def test_malformed_key_is_rejected(inventory: httpx.AsyncClient, key: str) -> None:
    answer = await inventory.post(
        "/reservations", json=TWO, headers=[(b"Idempotency-Key", key.encode("utf-8"))]
    )

    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("Idempotency-Key should be 1 to 255 visible ASCII characters")
    assert await fetch_stock(inventory) == 100


async def test_two_key_headers_are_rejected(inventory: httpx.AsyncClient) -> None:
    headers = [("Idempotency-Key", "key-1"), ("Idempotency-Key", "key-2")]

    answer = await inventory.post("/reservations", json=TWO, headers=headers)

    assert answer.status_code == 400


async def test_undo_of_malformed_key_is_rejected(inventory: httpx.AsyncClient) -> None:
    assert await release(inventory, "x" * 256) == 400


@pytest.mark.parametrize("key", ["k", "x" * 255, "a,b", "!~#%&?=;", "exe-1:inventory.reserve"])
async def test_write_with_visible_ascii_key_can_be_undone(inventory: httpx.AsyncClient, key: str) -> None:
    answer = await reserve(inventory, key)
    released = await release(inventory, quote(key, safe=""))

    assert answer.status_code == 201
    assert released == 204
    assert await fetch_stock(inventory) == 100


async def test_quoted_and_bare_keys_are_equal(inventory: httpx.AsyncClient) -> None:
    bare = await reserve(inventory, "key-1")
    quoted = await reserve(inventory, '"key-1"')

    assert bare.content == quoted.content
    assert await fetch_stock(inventory) == 98


async def test_repeat_of_write_gets_first_response(
    inventory: httpx.AsyncClient,
) -> None:
    first = await reserve(inventory, "key-1")
    second = await reserve(inventory, "key-1")

    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert first.status_code == 201
    assert await fetch_stock(inventory) == 98


async def test_repeat_of_failed_write_gets_first_response(
    inventory: httpx.AsyncClient,
) -> None:
    """The repeat gets the first failure, even if the write would succeed now."""
    await reserve(inventory, "key-1")
    first = await reserve(inventory, "key-2", ALL)
    await release(inventory, "key-1")
    second = await reserve(inventory, "key-2", ALL)

    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert first.status_code == 409
    assert await fetch_stock(inventory) == 100


async def test_new_key_writes_again(inventory: httpx.AsyncClient) -> None:
    first = await reserve(inventory, "key-1")
    second = await reserve(inventory, "key-2")

    assert first.json()["reservation_id"] != second.json()["reservation_id"]
    assert await fetch_stock(inventory) == 96


@pytest.mark.parametrize("first", [TWO, TOO_MANY])
async def test_reused_key_with_other_body_is_rejected(
    inventory: httpx.AsyncClient, first: dict[str, object]
) -> None:
    await reserve(inventory, "key-1", first)
    before = await fetch_state(inventory)

    answer = await reserve(inventory, "key-1", THREE)

    assert answer.status_code == 422
    assert answer.json()["detail"] == "Idempotency-Key has been used for another request"
    assert await fetch_state(inventory) == before


async def test_repeat_with_reformatted_body_gets_first_response(inventory: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "key-1"}
    first = await inventory.post(
        "/reservations", content=b'{"product_id":"prod-456","quantity":2}', headers=key
    )
    second = await inventory.post(
        "/reservations", content=b'{"quantity": 2, "product_id": "prod-456"}', headers=key
    )

    assert second.content == first.content


@pytest.mark.parametrize(("content", "status"), [(b"{", 400), (b"{}", 422)])
async def test_invalid_body_leaves_key_unused(
    inventory: httpx.AsyncClient, content: bytes, status: int
) -> None:
    answer = await inventory.post("/reservations", content=content, headers={"Idempotency-Key": "key-1"})

    assert answer.status_code == status
    assert (await reserve(inventory, "key-1")).status_code == 201


async def test_repeated_undo_reverts_write_once(inventory: httpx.AsyncClient) -> None:
    await reserve(inventory, "key-1")

    assert await fetch_stock(inventory) == 98
    assert [await release(inventory, "key-1") for _ in range(3)] == [204, 204, 204]
    assert await fetch_stock(inventory) == 100


async def test_undo_of_failed_write_changes_nothing(inventory: httpx.AsyncClient) -> None:
    await reserve(inventory, "key-1", TOO_MANY)

    assert await release(inventory, "key-1") == 204
    assert await fetch_stock(inventory) == 100


@pytest.mark.parametrize("body", [TWO, THREE, TOO_MANY])
async def test_write_after_its_undo_is_rejected(
    inventory: httpx.AsyncClient, body: dict[str, object]
) -> None:
    undone = await release(inventory, "key-1")
    answers = [await reserve(inventory, "key-1", body) for _ in range(2)]

    assert undone == 204
    assert [answer.status_code for answer in answers] == [409, 409]
    assert answers[0].json()["detail"] == "Idempotency-Key has been undone"
    assert await fetch_stock(inventory) == 100


@pytest.mark.parametrize("body", [TWO, THREE])
async def test_undone_write_cannot_be_repeated(inventory: httpx.AsyncClient, body: dict[str, object]) -> None:
    await reserve(inventory, "key-1")
    await release(inventory, "key-1")

    answer = await reserve(inventory, "key-1", body)

    assert answer.status_code == 409
    assert await fetch_stock(inventory) == 100


async def test_reset_clears_keys_and_undos(inventory: httpx.AsyncClient) -> None:
    await reserve(inventory, "key-1", TOO_MANY)
    await release(inventory, "key-2")

    await inventory.delete("/_mock")

    assert (await reserve(inventory, "key-1")).status_code == 201
    assert (await reserve(inventory, "key-2")).status_code == 201


def test_different_keys_have_different_ids() -> None:
    ids = {make_id("res", f"key-{number}") for number in range(1000)}

    assert len(ids) == 1000
    assert all(record_id.startswith("res-") for record_id in ids)


class EmptyBody(RequestModel):
    """A body without fields."""


@given(st.text(max_size=300))
def test_write_with_any_accepted_key_can_be_undone(text: str) -> None:
    """A key is rejected by writes and undos alike, or a write with the key can be undone."""
    writes = IdempotentWrites()
    reverted: list[str] = []
    header = (b"idempotency-key", text.encode())
    request = Request("POST", "/", b"", [header], {"key": text}, b"{}")

    written = writes.write(request, EmptyBody, lambda key, _: {"key": key})
    undone = writes.undo(request, reverted.append)

    if isinstance(written, Problem):
        assert undone == written
        assert reverted == []
    else:
        assert undone is None
        assert written == {"key": reverted[0]}
