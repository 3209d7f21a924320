import pytest

from tests.mock_services.in_process_client import create_client, fetch_state, write

NOTIFICATION = {"user_id": "user-123", "order_id": "ord-1"}
EVENT = {"event": "order created", "order_id": "ord-1"}

each_announcement = pytest.mark.parametrize(
    ("service", "path", "body"),
    [("notification", "/notifications", NOTIFICATION), ("analytics", "/events", EVENT)],
)


@pytest.mark.parametrize(
    ("service", "path", "body", "id_name", "prefix"),
    [
        ("notification", "/notifications", NOTIFICATION, "notification_id", "ntf-"),
        ("analytics", "/events", EVENT, "event_id", "evt-"),
    ],
)
async def test_announcement_is_accepted(
    service: str, path: str, body: dict[str, str], id_name: str, prefix: str
) -> None:
    client = create_client(service)

    answer = await write(client, path, "key-1", body)
    accepted = answer.json()

    assert answer.status_code == 202
    assert list(accepted) == [id_name]
    assert accepted[id_name].startswith(prefix)
    assert await fetch_state(client) == {path[1:]: [{"key": "key-1", **accepted, **body}]}


@each_announcement
async def test_announcement_is_recorded_once_per_key(service: str, path: str, body: dict[str, str]) -> None:
    client = create_client(service)
    first = await write(client, path, "key-1", body)
    before = await fetch_state(client)

    again = await write(client, path, "key-1", body)
    other = await write(client, path, "key-1", {**body, "order_id": "ord-2"})
    without = await client.post(path, json=body)

    assert again.content == first.content
    assert [answer.status_code for answer in (again, other, without)] == [202, 422, 400]
    assert await fetch_state(client) == before


@each_announcement
async def test_announcement_cannot_be_undone(service: str, path: str, body: dict[str, str]) -> None:
    client = create_client(service)
    await write(client, path, "key-1", body)

    assert (await client.delete(f"{path}/key-1")).status_code == 404


@each_announcement
@pytest.mark.parametrize("changes", [{"order_id": 1}, {"order_id": ""}, {"colour": "red"}])
async def test_invalid_announcement_is_rejected(
    service: str, path: str, body: dict[str, str], changes: dict[str, object]
) -> None:
    answer = await write(create_client(service), path, "key-1", {**body, **changes})

    assert answer.status_code == 422


@pytest.mark.parametrize("event", ["", "x" * 101, 1, None])
async def test_event_without_valid_name_is_rejected(event: object) -> None:
    answer = await write(create_client("analytics"), "/events", "key-1", {**EVENT, "event": event})

    assert answer.status_code == 422
