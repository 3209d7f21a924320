"""What has become of commits, over HTTP."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import httpx
import pytest

from gateway.railway import BadAnswer, Conflict, Err, Ok, Unavailable
from tests.api.fake_bank import Bank, client_of, gateway, posted

LIST = "/executions"
ASKED = {"Authorization": "Bearer secret"}
DOWN = Err(Unavailable("down"))


@pytest.fixture
async def bank() -> Bank:
    return Bank()


@pytest.fixture
async def client(bank: Bank) -> AsyncIterator[httpx.AsyncClient]:
    """A client on the gateway's own machine, and no token."""
    async with client_of(gateway(bank, deadline=60)) as client:
        yield client


async def stuck(bank: Bank, client: httpx.AsyncClient) -> str:
    """Make an execution whose write can neither be understood nor taken back; give its id."""
    bank.pay.answer, bank.repay.answer = Err(BadAnswer("what?")), DOWN
    answer = await posted(client)
    execution_id: str = answer.json()["execution_id"]
    bank.repay.answer = Ok("gone")
    bank.repay.asked.clear()
    return execution_id


async def id_of(client: httpx.AsyncClient, key: str | None = None) -> str:
    return (await posted(client, key)).headers["location"].removeprefix("/executions/")


def ids(page: httpx.Response) -> list[str]:
    return [one["execution_id"] for one in page.json()["executions"]]


async def test_an_execution_is_told_as_the_contract_has_it(client: httpx.AsyncClient) -> None:
    execution_id = await id_of(client)

    answer = await client.get(f"/executions/{execution_id}")

    body: dict[str, Any] = answer.json()
    started_at, ended_at = body.pop("started_at"), body.pop("ended_at")
    assert body == {
        "execution_id": execution_id,
        "pipeline": "pay",
        "state": "committed",
        "writes": [{"name": "bank.pay", "outcome": "done"}],
    }
    assert datetime.fromisoformat(started_at) <= datetime.fromisoformat(ended_at)
    assert (answer.headers["content-type"], answer.headers["cache-control"]) == (
        "application/json",
        "no-store",
    )


async def test_an_execution_that_is_not_known_is_a_404(client: httpx.AsyncClient) -> None:
    answer = await client.get("/executions/exe-1")

    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
    assert answer.json()["instance"] == "/executions/exe-1"


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_what_is_no_id_is_a_422(client: httpx.AsyncClient, method: str) -> None:
    path = "/executions/exe%201" + ("/retry" if method == "POST" else "")

    answer = await client.request(method, path)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert [violation["field"] for violation in answer.json()["violations"]] == ["execution_id"]


async def test_a_failure_before_a_commit_is_no_execution(bank: Bank, client: httpx.AsyncClient) -> None:
    bank.check.answer = Err(Conflict("no"))
    await posted(client, "rent")

    assert (await client.get(LIST)).json() == {"executions": [], "cursor": None}


async def test_executions_are_listed_the_latest_first_page_by_page(client: httpx.AsyncClient) -> None:
    made = [await id_of(client) for _ in range(5)]

    first = await client.get(LIST, params={"limit": 3})
    await posted(client)
    second = await client.get(LIST, params={"limit": 3, "cursor": first.json()["cursor"]})

    assert ids(first) + ids(second) == made[::-1]
    assert second.json()["cursor"] is None
    assert first.headers["cache-control"] == "no-store"


async def test_a_page_has_twenty_unless_it_is_said_otherwise_and_a_hundred_at_most(
    client: httpx.AsyncClient,
) -> None:
    for _ in range(101):
        await posted(client)

    assert len(ids(await client.get(LIST))) == 20
    assert len(ids(await client.get(LIST, params={"limit": 100}))) == 100


async def test_those_in_one_state_are_listed_alone(bank: Bank, client: httpx.AsyncClient) -> None:
    committed = await id_of(client)
    unlucky = await stuck(bank, client)
    bank.pay.answer = Err(Conflict("frozen"))
    undone = (await posted(client)).json()["execution_id"]

    listed = [ids(await client.get(LIST, params={"state": state})) for state in STATES]
    assert listed == [[], [committed], [undone], [unlucky]]


STATES = ("running", "committed", "undone", "stuck")


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"state": ""}, "state"),
        ({"state": "gone"}, "state"),
        ({"state": "STUCK"}, "state"),
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"limit": "-1"}, "limit"),
        ({"limit": "x"}, "limit"),
        ({"limit": ""}, "limit"),
        ({"cursor": ""}, "cursor"),
        ({"cursor": "0"}, "cursor"),
        ({"cursor": "-1"}, "cursor"),
        ({"cursor": "x"}, "cursor"),
        ({"cursor": "1\n"}, "cursor"),
        ({"cursor": "9" * 19}, "cursor"),
    ],
)
async def test_what_a_list_is_asked_for_must_make_sense(
    client: httpx.AsyncClient, params: dict[str, str], field: str
) -> None:
    answer = await client.get(LIST, params=params)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert [violation["field"] for violation in answer.json()["violations"]] == [field]


@pytest.mark.parametrize("cursor", ["1", "9" * 18])
async def test_a_cursor_that_nobody_gave_is_a_place_in_the_list_all_the_same(
    client: httpx.AsyncClient, cursor: str
) -> None:
    execution_id = await id_of(client)

    assert ids(await client.get(LIST, params={"cursor": cursor})) == [execution_id]


async def test_what_is_stuck_can_be_undone_later(bank: Bank, client: httpx.AsyncClient) -> None:
    execution_id = await stuck(bank, client)

    answer = await client.post(f"/executions/{execution_id}/retry")

    assert (answer.status_code, answer.json()["state"]) == (200, "undone")
    assert answer.json()["writes"] == [{"name": "bank.pay", "outcome": "undone"}]
    assert answer.json() == (await client.get(f"/executions/{execution_id}")).json()
    assert len(bank.repay.asked) == 1


async def test_what_still_cannot_be_undone_stays_stuck(bank: Bank, client: httpx.AsyncClient) -> None:
    execution_id = await stuck(bank, client)
    bank.repay.answer = DOWN

    answer = await client.post(f"/executions/{execution_id}/retry")

    assert (answer.status_code, answer.json()["state"]) == (200, "stuck")
    assert ids(await client.get(LIST, params={"state": "stuck"})) == [execution_id]


async def test_the_answer_of_a_request_stays_what_it_was_though_it_is_undone_later(
    bank: Bank, client: httpx.AsyncClient
) -> None:
    bank.pay.answer, bank.repay.answer = Err(BadAnswer("what?")), DOWN
    first = await posted(client, "rent")
    bank.repay.answer = Ok("gone")
    await client.post(f"/executions/{first.json()['execution_id']}/retry")

    again = await posted(client, "rent")

    assert (again.status_code, again.content) == (500, first.content)


async def test_what_is_not_stuck_is_a_409(client: httpx.AsyncClient) -> None:
    answer = await client.post(f"/executions/{await id_of(client)}/retry")

    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


async def test_a_retry_of_what_is_not_known_is_a_404(client: httpx.AsyncClient) -> None:
    answer = await client.post("/executions/exe-1/retry")

    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


@pytest.mark.parametrize(("method", "path"), [("GET", LIST), ("POST", "/executions/exe-1/retry")])
async def test_list_and_retry_are_for_operators_before_anything_else(
    bank: Bank, method: str, path: str
) -> None:
    async with client_of(gateway(bank, operator_token="secret")) as client:  # noqa: S106 - so it is called
        refused = await client.request(method, f"{path}?limit=0")
        let_in = await client.request(method, path, headers=ASKED)

    assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized")
    assert refused.headers["www-authenticate"] == "Bearer"
    assert refused.headers["cache-control"] == "no-store"
    assert let_in.status_code in {200, 404}


@pytest.mark.parametrize(("method", "path"), [("GET", LIST), ("POST", "/executions/exe-1/retry")])
async def test_without_a_token_list_and_retry_are_for_this_machine_only(
    bank: Bank, method: str, path: str
) -> None:
    async with client_of(gateway(bank), peer="10.0.0.1") as client:
        answer = await client.request(method, path, headers=ASKED)

    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


async def test_one_execution_is_for_whoever_knows_its_id(bank: Bank) -> None:
    app = gateway(bank, operator_token="secret")  # noqa: S106 - so it is called
    async with client_of(app, peer="10.0.0.1") as client:
        answer = await client.get(f"/executions/{await id_of(client)}")

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        (LIST, "GET, HEAD, OPTIONS"),
        ("/executions/exe-1", "GET, HEAD, OPTIONS"),
        ("/executions/exe-1/retry", "POST, OPTIONS"),
    ],
)
async def test_each_path_says_what_it_allows(client: httpx.AsyncClient, path: str, allowed: str) -> None:
    asked, refused = await client.options(path), await client.put(path)

    assert (asked.status_code, asked.headers["allow"]) == (204, allowed)
    assert (refused.status_code, refused.headers["allow"]) == (405, allowed)


async def test_head_is_get_without_a_body(client: httpx.AsyncClient) -> None:
    for path in (LIST, f"/executions/{await id_of(client)}"):
        got, head = await client.get(path), await client.head(path)

        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == got.headers["content-length"]


@pytest.mark.parametrize("path", ["/executions/", "/executions/exe-1/", "/executions/exe-1/undo"])
async def test_what_is_next_to_it_is_nothing(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)

    assert (answer.status_code, answer.json()["code"]) == (404, "route-not-found")
