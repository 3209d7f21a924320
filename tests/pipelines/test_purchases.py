"""Purchase pipeline: authentication, the order, and its announcements."""

from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import permutations
from typing import Final

import httpx
import pytest
from typing_extensions import override

from gateway.pipelines.purchases import PurchaseRequest, PurchaseResult, purchases
from gateway.railway import (
    Aggregate,
    BadAnswer,
    CommitStart,
    CommitState,
    Conflict,
    Err,
    Fault,
    Forbidden,
    Journal,
    Key,
    NotFound,
    Ok,
    Rerun,
    RunContext,
    Stuck,
    TimedOut,
    Unauthorized,
    Unavailable,
    WriteOutcome,
)
from gateway.services.analytics import Event
from gateway.services.inventory import Stock
from gateway.services.notifications import Notice
from gateway.services.orders import PlacedOrder
from gateway.services.users import User
from tests.pipelines.scripted_services import FOREVER, AnswerSequence, FakeServices, list_repeats, now

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

REQUEST: Final = PurchaseRequest(user_id="user-1", product_id="prod-1", quantity=2)
RESULT: Final = PurchaseResult(
    order=PlacedOrder(order_id="ord-7", status="created"),
    user=User(user_id="user-1", email="ada@example.com", is_active=True),
    inventory=Stock(product_id="prod-1", stock_level=5, available=True, unit_price=Decimal("10.10")),
    notification=Notice(notification_id="ntf-1"),
    analytics=Event(event_id="evt-1"),
)
TOKEN: Final = "token-1"  # noqa: S105 - no real token
ANNOUNCEMENTS: Final = [
    (NOTIFICATION, "notification", "notifications.send"),
    (EVENT, "analytics", "analytics.track"),
]
CONTEXT: Final = RunContext(execution_id="exe-1", optional_budget=0.5)
purchase = purchases.on(CONTEXT)


@pytest.fixture
def fake() -> FakeServices:
    return FakeServices(
        {
            SESSION: {"user_id": "user-1", "scopes": []},
            USER: RESULT.user.model_dump(),
            ORDER: RESULT.order.model_dump(),
            STOCK: RESULT.inventory.model_dump(mode="json"),
            NOTIFICATION: {"notification_id": "ntf-1"},
            EVENT: {"event_id": "evt-1"},
        }
    )


async def test_purchase_calls_run_in_three_stages(fake: FakeServices) -> None:
    fake.delays = {SESSION: 0.125, USER: 0.5, ORDER: 0.5, STOCK: 0.25, NOTIFICATION: 0.125, EVENT: 0.25}

    assert await fake.services.run(purchase, REQUEST, TOKEN) == Ok(RESULT)
    assert fake.paths == [*IDENTITY, *COMMIT, *ANNOUNCE]
    assert now() == 1.25


async def test_purchase_writes_have_distinct_keys(
    fake: FakeServices,
) -> None:
    await fake.services.run(purchase, REQUEST, TOKEN)

    sent = {request.url.path: request.content for request in fake.requests}
    assert sent[ORDER] == b'{"user_id":"user-1","product_id":"prod-1","quantity":2}'
    assert sent[NOTIFICATION] == b'{"user_id":"user-1","order_id":"ord-7"}'
    assert sent[EVENT] == b'{"event":"purchase","order_id":"ord-7"}'
    assert fake.list_keys(ORDER) == ["exe-1.order.0.orders.create"]
    for path, name in ((NOTIFICATION, "0.notifications.send"), (EVENT, "1.analytics.track")):
        (key,) = fake.list_keys(path)
        assert key.startswith("exe-1.")
        assert key.endswith(f"announce.{name}")


async def test_only_auth_service_receives_token(fake: FakeServices) -> None:
    await fake.services.run(purchase, REQUEST, TOKEN)

    shown = [request.url.path for request in fake.requests if "token-1" in str(request.headers.raw)]
    assert shown == [SESSION]


@pytest.mark.parametrize("delays", [*permutations((0.1, 0.2)), (0.1, 0.1)])
@pytest.mark.parametrize(
    ("session", "error"),
    [({"user_id": "user-2", "scopes": []}, Forbidden), (401, Unauthorized), (503, Unavailable)],
)
@pytest.mark.parametrize("user", [404, 503, RESULT.user.model_dump()])
async def test_wrong_token_hides_user_existence(
    fake: FakeServices, session: object, error: type[Fault], user: object, delays: tuple[float, float]
) -> None:
    fake.answers |= {SESSION: session, USER: user}
    fake.delays = dict(zip(IDENTITY, delays, strict=True))
    result = await fake.services.run(purchase, REQUEST, TOKEN)

    attempts = 1 + len(list_repeats(SESSION, error))
    assert isinstance(result, Err)
    assert (type(result.error), result.error.source) == (error, "auth.verify")
    assert fake.paths.count(SESSION) == attempts
    assert attempts * delays[0] <= now() <= attempts * delays[0] + (attempts - 1) * 0.1
    assert set(fake.paths) == {*IDENTITY}


@pytest.mark.parametrize("delays", [*permutations((0.1, 0.2))])
async def test_unknown_user_of_token_is_not_found(fake: FakeServices, delays: tuple[float, float]) -> None:
    fake.answers[USER] = 404
    fake.delays = dict(zip(IDENTITY, delays, strict=True))
    result = await fake.services.run(purchase, REQUEST, TOKEN)

    assert isinstance(result, Err)
    assert (type(result.error), result.error.source) == (NotFound, "users.fetch")
    assert fake.paths == [*IDENTITY]


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
async def test_failed_stock_check_cancels_order(
    fake: FakeServices, answer: object, error: type[Fault], delays: tuple[float, float]
) -> None:
    """The cancelled order is not announced."""
    fake.answers[STOCK] = answer
    fake.delays = dict(zip(COMMIT, delays, strict=True))
    result = await fake.services.run(purchase, REQUEST, TOKEN)

    assert isinstance(result, Err)
    assert (type(result.error), result.error.source) == (error, "inventory.check")
    assert fake.paths == [*IDENTITY, *COMMIT, *list_repeats(STOCK, error), CANCEL]
    assert fake.list_undone_keys(ORDER) == fake.list_keys(ORDER)


@pytest.mark.parametrize("answer", [409, 500, {"order_id": "ord-7", "status": "cancelled"}])
async def test_failed_order_is_cancelled_and_not_announced(fake: FakeServices, answer: object) -> None:
    fake.answers[ORDER] = answer
    result = await fake.services.run(purchase, REQUEST, TOKEN)

    assert isinstance(result, Err)
    assert (type(result.error), result.error.source) == (BadAnswer, "orders.create")
    assert fake.paths == [*IDENTITY, *COMMIT, CANCEL]


async def test_order_with_refused_connection_is_not_cancelled(fake: FakeServices) -> None:
    fake.answers[ORDER] = httpx.ConnectError("refused")
    result = await fake.services.run(purchase, REQUEST, TOKEN)

    assert isinstance(result, Err)
    assert isinstance(result.error, Unavailable)
    assert fake.paths == [*IDENTITY, *COMMIT, *list_repeats(ORDER, Unavailable)]


async def test_order_with_lost_response_is_repeated(fake: FakeServices) -> None:
    fake.answers[ORDER] = AnswerSequence(httpx.ReadError("reset"), RESULT.order.model_dump())

    assert await fake.services.run(purchase, REQUEST, TOKEN) == Ok(RESULT)
    assert fake.list_keys(ORDER) == ["exe-1.order.0.orders.create"] * 2


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
@pytest.mark.parametrize("announcement", ANNOUNCEMENTS)
async def test_failed_announcement_keeps_order(
    fake: FakeServices, announcement: tuple[str, str, str], answer: object, error: type[Fault]
) -> None:
    path, field, source = announcement
    fake.answers[path] = answer

    expected = RESULT.model_copy(update={field: None, "degraded": (field,)})
    assert await fake.services.run(purchase, REQUEST, TOKEN) == Ok(expected, lacks=(source,))
    assert fake.paths == [*IDENTITY, *COMMIT, *ANNOUNCE, *list_repeats(path, error)]


async def test_two_failed_announcements_keep_order(fake: FakeServices) -> None:
    fake.answers |= dict.fromkeys(ANNOUNCE, 503)
    result = await fake.services.run(purchase, REQUEST, TOKEN)

    assert isinstance(result, Ok)
    assert result.value.degraded == ("notification", "analytics")
    assert result.lacks == ("notifications.send", "analytics.track")


@pytest.mark.parametrize("path", ANNOUNCE)
async def test_hanging_announcement_costs_500_ms(fake: FakeServices, path: str) -> None:
    fake.delays[path] = FOREVER
    result = await fake.services.run(purchase, REQUEST, TOKEN)

    assert isinstance(result, Ok)
    assert len(result.value.degraded) == 1
    assert now() == 0.5


async def test_announcement_retries_keep_key(fake: FakeServices) -> None:
    """A failed announcement is retried with the same key, and never undone."""
    fake.answers[EVENT] = 503
    await fake.services.run(purchase, REQUEST, TOKEN)

    assert (len(fake.list_keys(EVENT)), len({*fake.list_keys(EVENT)})) == (3, 1)
    assert not [path for path in fake.paths if path.startswith("DELETE")]


async def test_failed_cancel_makes_purchase_stuck(fake: FakeServices) -> None:
    fake.answers |= {STOCK: 409, CANCEL: 500}
    result = await fake.services.run(purchase, REQUEST, TOKEN)

    assert isinstance(result, Err)
    assert isinstance(result.error, Stuck)
    assert set(fake.list_undone_keys(ORDER)) == set(fake.list_keys(ORDER))


@dataclass
class SealingJournal(Journal):
    """Journal that keeps the records with which a commit is sealed."""

    reruns: list[Rerun] = field(default_factory=list[Rerun])

    @override
    async def begin(self, commit: CommitStart, /) -> None:
        """Do nothing."""

    @override
    def note(self, execution_id: str, key: Key, outcome: WriteOutcome, /) -> None:
        """Do nothing."""

    @override
    def end(self, execution_id: str, state: CommitState, /) -> None:
        """Do nothing."""

    @override
    async def seal(self, execution_id: str, rerun: Rerun, /) -> None:
        self.reruns.append(rerun)


async def test_sealed_purchase_has_answer_without_announcements(fake: FakeServices) -> None:
    """The answer so far is that of a purchase whose announcements fail, and takes no request."""
    fake.answers |= dict.fromkeys(ANNOUNCE, 503)
    journal = SealingJournal()
    result = await fake.services.run(purchases.on(replace(CONTEXT, journal=journal)), REQUEST, TOKEN)
    sent = len(fake.requests)
    context = replace(CONTEXT, journal=journal, rerun=journal.reruns[0])
    again = await fake.services.run(purchases.on(context), REQUEST, TOKEN)

    assert isinstance(again, Ok)
    assert again.value.degraded == ("notification", "analytics")
    assert again == result
    assert len(journal.reruns) == 1
    assert len(fake.requests) == sent


def test_purchase_declares_every_class_of_purchase_error() -> None:
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
