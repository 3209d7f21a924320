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

KEYS_THAT_ARE_MALFORMED = ["", '""', '"key', "a b", "a,b, c", "ключ", "a/b", ".", "..", "x" * 256, "\x7f"]


@pytest.fixture
def inventory() -> httpx.AsyncClient:
    return create_client("inventory")


async def reserve(inventory: httpx.AsyncClient, key: str, body: object = TWO) -> httpx.Response:
    return await write(inventory, "/reservations", key, body)


async def release(inventory: httpx.AsyncClient, key: str) -> int:
    return (await inventory.delete(f"/reservations/{key}")).status_code


async def stock_of(inventory: httpx.AsyncClient) -> int:
    level: int = (await inventory.get("/_mock/state")).json()["stock"]["prod-456"]
    return level


async def test_a_write_without_a_key_is_refused_before_its_body_is_read(inventory: httpx.AsyncClient) -> None:
    answer = await inventory.post("/reservations", content=b"{")

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == "Idempotency-Key is required"


@pytest.mark.parametrize("key", KEYS_THAT_ARE_MALFORMED)
async def test_a_malformed_key_is_refused(inventory: httpx.AsyncClient, key: str) -> None:
    answer = await inventory.post(
        "/reservations", json=TWO, headers=[(b"Idempotency-Key", key.encode("utf-8"))]
    )

    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("Idempotency-Key should be 1 to 255 visible ASCII characters")
    assert await stock_of(inventory) == 100


async def test_two_keys_are_none(inventory: httpx.AsyncClient) -> None:
    headers = [("Idempotency-Key", "key-1"), ("Idempotency-Key", "key-2")]

    answer = await inventory.post("/reservations", json=TWO, headers=headers)

    assert answer.status_code == 400


async def test_an_undo_of_a_malformed_key_is_refused(inventory: httpx.AsyncClient) -> None:
    assert await release(inventory, "x" * 256) == 400


@pytest.mark.parametrize("key", ["k", "x" * 255, "a,b", "!~#%&?=;", "exe-1:inventory.reserve"])
async def test_visible_ascii_is_a_key_by_which_a_write_can_be_undone(
    inventory: httpx.AsyncClient, key: str
) -> None:
    answer = await reserve(inventory, key)
    released = await release(inventory, quote(key, safe=""))

    assert answer.status_code == 201
    assert released == 204
    assert await stock_of(inventory) == 100


async def test_a_key_is_the_same_quoted_and_bare(inventory: httpx.AsyncClient) -> None:
    bare = await reserve(inventory, "key-1")
    quoted = await reserve(inventory, '"key-1"')

    assert bare.content == quoted.content
    assert await stock_of(inventory) == 98


async def test_a_repeated_write_gets_the_same_answer_and_writes_nothing_more(
    inventory: httpx.AsyncClient,
) -> None:
    first = await reserve(inventory, "key-1")
    second = await reserve(inventory, "key-1")

    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert first.status_code == 201
    assert await stock_of(inventory) == 98


async def test_a_repeated_failure_fails_the_same_way_though_it_might_now_succeed(
    inventory: httpx.AsyncClient,
) -> None:
    await reserve(inventory, "key-1")
    first = await reserve(inventory, "key-2", ALL)
    await release(inventory, "key-1")
    second = await reserve(inventory, "key-2", ALL)

    assert (first.status_code, first.content) == (second.status_code, second.content)
    assert first.status_code == 409
    assert await stock_of(inventory) == 100


async def test_other_keys_write_again(inventory: httpx.AsyncClient) -> None:
    first = await reserve(inventory, "key-1")
    second = await reserve(inventory, "key-2")

    assert first.json()["reservation_id"] != second.json()["reservation_id"]
    assert await stock_of(inventory) == 96


@pytest.mark.parametrize("first", [TWO, TOO_MANY])
async def test_a_key_cannot_be_used_for_another_body(
    inventory: httpx.AsyncClient, first: dict[str, object]
) -> None:
    await reserve(inventory, "key-1", first)
    before = await fetch_state(inventory)

    answer = await reserve(inventory, "key-1", THREE)

    assert answer.status_code == 422
    assert answer.json()["detail"] == "Idempotency-Key has been used for another request"
    assert await fetch_state(inventory) == before


async def test_bodies_are_compared_as_they_are_understood(inventory: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "key-1"}
    first = await inventory.post(
        "/reservations", content=b'{"product_id":"prod-456","quantity":2}', headers=key
    )
    second = await inventory.post(
        "/reservations", content=b'{"quantity": 2, "product_id": "prod-456"}', headers=key
    )

    assert second.content == first.content


@pytest.mark.parametrize(("content", "status"), [(b"{", 400), (b"{}", 422)])
async def test_a_body_that_makes_no_sense_does_not_use_its_key_up(
    inventory: httpx.AsyncClient, content: bytes, status: int
) -> None:
    answer = await inventory.post("/reservations", content=content, headers={"Idempotency-Key": "key-1"})

    assert answer.status_code == status
    assert (await reserve(inventory, "key-1")).status_code == 201


async def test_an_undo_takes_the_write_back_once_however_often_it_comes(inventory: httpx.AsyncClient) -> None:
    await reserve(inventory, "key-1")

    assert await stock_of(inventory) == 98
    assert [await release(inventory, "key-1") for _ in range(3)] == [204, 204, 204]
    assert await stock_of(inventory) == 100


async def test_an_undo_of_a_write_that_failed_returns_nothing(inventory: httpx.AsyncClient) -> None:
    await reserve(inventory, "key-1", TOO_MANY)

    assert await release(inventory, "key-1") == 204
    assert await stock_of(inventory) == 100


@pytest.mark.parametrize("body", [TWO, THREE, TOO_MANY])
async def test_a_write_that_arrives_after_its_undo_is_refused(
    inventory: httpx.AsyncClient, body: dict[str, object]
) -> None:
    undone = await release(inventory, "key-1")
    answers = [await reserve(inventory, "key-1", body) for _ in range(2)]

    assert undone == 204
    assert [answer.status_code for answer in answers] == [409, 409]
    assert answers[0].json()["detail"] == "Idempotency-Key has been undone"
    assert await stock_of(inventory) == 100


@pytest.mark.parametrize("body", [TWO, THREE])
async def test_a_write_that_was_undone_is_not_repeated(
    inventory: httpx.AsyncClient, body: dict[str, object]
) -> None:
    await reserve(inventory, "key-1")
    await release(inventory, "key-1")

    answer = await reserve(inventory, "key-1", body)

    assert answer.status_code == 409
    assert await stock_of(inventory) == 100


async def test_a_reset_forgets_keys_and_undos(inventory: httpx.AsyncClient) -> None:
    await reserve(inventory, "key-1", TOO_MANY)
    await release(inventory, "key-2")

    await inventory.delete("/_mock")

    assert (await reserve(inventory, "key-1")).status_code == 201
    assert (await reserve(inventory, "key-2")).status_code == 201


def test_no_two_keys_have_the_same_id() -> None:
    ids = {make_id("res", f"key-{number}") for number in range(1000)}

    assert len(ids) == 1000
    assert all(one.startswith("res-") for one in ids)


class Nothing(RequestModel):
    """A body without fields."""


@given(st.text(max_size=300))
def test_every_text_is_a_key_by_which_a_write_can_be_undone_or_is_malformed(text: str) -> None:
    writes = IdempotentWrites()
    taken_back: list[str] = []
    header = (b"idempotency-key", text.encode())
    request = Request("POST", "/", b"", [header], {"key": text}, b"{}")

    written = writes.write(request, Nothing, lambda key, _: {"key": key})
    undone = writes.undo(request, taken_back.append)

    if isinstance(written, Problem):
        assert undone == written
        assert taken_back == []
    else:
        assert undone is None
        assert written == {"key": taken_back[0]}
