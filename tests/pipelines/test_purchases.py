"""What a purchase asks, who is told of it, and what becomes of the order if it cannot be kept."""

from decimal import Decimal
from itertools import permutations
from typing import Final

import httpx
import pytest

from gateway.pipelines.purchases import PurchaseRequest, PurchaseResult, purchases
from gateway.railway import (
    Aggregate,
    BadAnswer,
    Conflict,
    Err,
    Fault,
    Forbidden,
    NotFound,
    Ok,
    RunContext,
    Stuck,
    TimedOut,
    Unauthorized,
    Unavailable,
)
from gateway.services.analytics import Event
from gateway.services.inventory import Stock
from gateway.services.notifications import Notice
from gateway.services.orders import Order
from gateway.services.users import User
from tests.pipelines.scripted_services import FOREVER, InTurn, World, again, now

SESSION: Final = "/sessions"
USER: Final = "/users/user-1"
ORDER: Final = "/orders"
STOCK: Final = "/inventory/prod-1"
NOTIFICATION: Final = "/notifications"
EVENT: Final = "/events"
CANCEL: Final = "DELETE /orders"

IDENTITY: Final = (SESSION, USER)
COMMIT: Final = (ORDER, STOCK)
ANNOUNCE: Final = (NOTIFICATION, EVENT)

WANTED: Final = PurchaseRequest(user_id="user-1", product_id="prod-1", quantity=2)
BOUGHT: Final = PurchaseResult(
    order=Order(order_id="ord-7", status="created"),
    user=User(user_id="user-1", email="ada@example.com", is_active=True),
    inventory=Stock(product_id="prod-1", stock_level=5, available=True, unit_price=Decimal("10.10")),
    notification=Notice(notification_id="ntf-1"),
    analytics=Event(event_id="evt-1"),
)
TOKEN: Final = "token-1"  # noqa: S105 - nobody's
EXTRAS: Final = [
    (NOTIFICATION, "notification", "notifications.send"),
    (EVENT, "analytics", "analytics.track"),
]
AROUND: Final = RunContext(execution_id="exe-1", optional_budget=0.5)
purchase = purchases.on(AROUND)


@pytest.fixture
def world() -> World:
    return World(
        {
            SESSION: {"user_id": "user-1", "scopes": []},
            USER: BOUGHT.user.model_dump(),
            ORDER: BOUGHT.order.model_dump(),
            STOCK: BOUGHT.inventory.model_dump(mode="json"),
            NOTIFICATION: {"notification_id": "ntf-1"},
            EVENT: {"event_id": "evt-1"},
        }
    )


async def test_a_purchase_asks_in_three_stages_and_takes_as_long_as_the_slowest_of_each(world: World) -> None:
    world.delays = {SESSION: 0.125, USER: 0.5, ORDER: 0.5, STOCK: 0.25, NOTIFICATION: 0.125, EVENT: 0.25}

    assert await purchase(WANTED, TOKEN, world.up) == Ok(BOUGHT)
    assert world.asked == [*IDENTITY, *COMMIT, *ANNOUNCE]
    assert now() == 1.25


async def test_the_order_and_what_is_told_of_it_are_for_the_same_order_each_under_its_key(
    world: World,
) -> None:
    await purchase(WANTED, TOKEN, world.up)

    sent = {request.url.path: request.content for request in world.requests}
    assert sent[ORDER] == b'{"user_id":"user-1","product_id":"prod-1","quantity":2}'
    assert sent[NOTIFICATION] == b'{"user_id":"user-1","order_id":"ord-7"}'
    assert sent[EVENT] == b'{"event":"purchase","order_id":"ord-7"}'
    assert world.keys(ORDER) == ["exe-1.order.0.orders.create"]
    for path, name in ((NOTIFICATION, "0.notifications.send"), (EVENT, "1.analytics.track")):
        (key,) = world.keys(path)
        assert key.startswith("exe-1.")
        assert key.endswith(f"announce.{name}")


async def test_only_the_auth_service_is_shown_the_token(world: World) -> None:
    await purchase(WANTED, TOKEN, world.up)

    shown = [request.url.path for request in world.requests if "token-1" in str(request.headers.raw)]
    assert shown == [SESSION]


@pytest.mark.parametrize("delays", [*permutations((0.1, 0.2)), (0.1, 0.1)])
@pytest.mark.parametrize(
    ("session", "error"),
    [({"user_id": "user-2", "scopes": []}, Forbidden), (401, Unauthorized), (503, Unavailable)],
)
@pytest.mark.parametrize("user", [404, 503, BOUGHT.user.model_dump()])
async def test_who_cannot_show_to_be_the_user_never_learns_whether_there_is_one(
    world: World, session: object, error: type[Fault], user: object, delays: tuple[float, float]
) -> None:
    world.answers |= {SESSION: session, USER: user}
    world.delays = dict(zip(IDENTITY, delays, strict=True))
    result = await purchase(WANTED, TOKEN, world.up)

    attempts = 1 + len(again(SESSION, error))
    assert isinstance(result, Err)
    assert (type(result.error), result.error.source) == (error, "auth.verify")
    assert world.asked.count(SESSION) == attempts
    assert attempts * delays[0] <= now() <= attempts * delays[0] + (attempts - 1) * 0.1
    assert set(world.asked) == {*IDENTITY}


@pytest.mark.parametrize("delays", [*permutations((0.1, 0.2))])
async def test_who_is_who_they_say_learns_that_there_is_no_such_user(
    world: World, delays: tuple[float, float]
) -> None:
    world.answers[USER] = 404
    world.delays = dict(zip(IDENTITY, delays, strict=True))
    result = await purchase(WANTED, TOKEN, world.up)

    assert isinstance(result, Err)
    assert (type(result.error), result.error.source) == (NotFound, "users.fetch")
    assert world.asked == [*IDENTITY]


@pytest.mark.parametrize("delays", [*permutations((0.1, 0.2))])
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (404, NotFound),
        (409, Conflict),
        (503, Unavailable),
        ({"product_id": "prod-1", "stock_level": 0, "available": False, "unit_price": "1.00"}, Conflict),
    ],
)
async def test_an_order_that_cannot_be_kept_is_cancelled_and_nobody_is_told(
    world: World, answer: object, error: type[Fault], delays: tuple[float, float]
) -> None:
    world.answers[STOCK] = answer
    world.delays = dict(zip(COMMIT, delays, strict=True))
    result = await purchase(WANTED, TOKEN, world.up)

    assert isinstance(result, Err)
    assert (type(result.error), result.error.source) == (error, "inventory.check")
    assert world.asked == [*IDENTITY, *COMMIT, *again(STOCK, error), CANCEL]
    assert world.undone(ORDER) == world.keys(ORDER)


@pytest.mark.parametrize("answer", [409, 500, {"order_id": "ord-7", "status": "cancelled"}])
async def test_an_order_that_was_not_taken_is_told_to_nobody(world: World, answer: object) -> None:
    world.answers[ORDER] = answer
    result = await purchase(WANTED, TOKEN, world.up)

    assert isinstance(result, Err)
    assert (type(result.error), result.error.source) == (BadAnswer, "orders.create")
    assert world.asked == [*IDENTITY, *COMMIT, CANCEL]


async def test_an_order_that_reached_nobody_is_not_cancelled(world: World) -> None:
    world.answers[ORDER] = httpx.ConnectError("refused")
    result = await purchase(WANTED, TOKEN, world.up)

    assert isinstance(result, Err)
    assert isinstance(result.error, Unavailable)
    assert world.asked == [*IDENTITY, *COMMIT, *again(ORDER, Unavailable)]


async def test_an_order_whose_answer_was_lost_is_made_again_under_its_key(world: World) -> None:
    world.answers[ORDER] = InTurn(httpx.ReadError("reset"), BOUGHT.order.model_dump())

    assert await purchase(WANTED, TOKEN, world.up) == Ok(BOUGHT)
    assert world.keys(ORDER) == ["exe-1.order.0.orders.create"] * 2


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (404, BadAnswer),
        (422, BadAnswer),
        (500, BadAnswer),
        (503, Unavailable),
        ({"no": "id"}, BadAnswer),
        (httpx.ConnectError("refused"), Unavailable),
    ],
)
@pytest.mark.parametrize("extra", EXTRAS)
async def test_an_order_stands_whether_the_world_hears_of_it_or_not(
    world: World, extra: tuple[str, str, str], answer: object, error: type[Fault]
) -> None:
    path, field, source = extra
    world.answers[path] = answer

    expected = BOUGHT.model_copy(update={field: None, "degraded": (field,)})
    assert await purchase(WANTED, TOKEN, world.up) == Ok(expected, lacks=(source,))
    assert world.asked == [*IDENTITY, *COMMIT, *ANNOUNCE, *again(path, error)]


async def test_an_order_stands_if_nobody_hears_of_it(world: World) -> None:
    world.answers |= dict.fromkeys(ANNOUNCE, 503)
    result = await purchase(WANTED, TOKEN, world.up)

    assert isinstance(result, Ok)
    assert result.value.degraded == ("notification", "analytics")
    assert result.lacks == ("notifications.send", "analytics.track")


@pytest.mark.parametrize("path", ANNOUNCE)
async def test_what_is_told_to_a_service_that_hangs_costs_half_a_second(world: World, path: str) -> None:
    world.delays[path] = FOREVER
    result = await purchase(WANTED, TOKEN, world.up)

    assert isinstance(result, Ok)
    assert len(result.value.degraded) == 1
    assert now() == 0.5


async def test_what_is_told_is_told_under_one_key_and_never_taken_back(world: World) -> None:
    world.answers[EVENT] = 503
    await purchase(WANTED, TOKEN, world.up)

    assert (len(world.keys(EVENT)), len({*world.keys(EVENT)})) == (3, 1)
    assert not [path for path in world.asked if path.startswith("DELETE")]


async def test_an_order_that_cannot_be_cancelled_is_stuck(world: World) -> None:
    world.answers |= {STOCK: 409, CANCEL: 500}
    result = await purchase(WANTED, TOKEN, world.up)

    assert isinstance(result, Err)
    assert isinstance(result.error, Stuck)
    assert set(world.undone(ORDER)) == set(world.keys(ORDER))


def test_a_purchase_promises_what_can_go_wrong() -> None:
    assert purchases.promised == (
        Unauthorized,
        Forbidden,
        NotFound,
        Conflict,
        BadAnswer,
        Unavailable,
        TimedOut,
        Stuck,
        Aggregate,
    )
