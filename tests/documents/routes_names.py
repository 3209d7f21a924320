"""Names that `docs/routes.md` does not define."""

from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import Field

from gateway import Id, RequestBody, ResponseBody, Service, ServiceClient, UpstreamResponse, example
from gateway.pipelines.purchases import PurchaseRequest, purchases
from gateway.railway import Aggregate, Call, Conflict, NotFound, Run, UpstreamFault, Write, railway
from gateway.services import SERVICES
from gateway.services.users import Users

__all__ = ("PurchaseRequest", "purchases")

OrderId = Annotated[Id, Field(description="id of the order", examples=["order-1"])]
UserId = Annotated[Id, Field(description="id of the user", examples=["user-123"])]


class Book(UpstreamResponse):
    model_config = example(title="Dune")

    title: str


class Loaned(UpstreamResponse):
    model_config = example(book_id="book-1")

    book_id: str


class Waiting(UpstreamResponse):
    model_config = example(count=3)

    count: int


class Library:
    def __init__(self, client: ServiceClient) -> None:
        self._book = client.get("library.book", "/books/{book_id}", answer=Book, declared={404: NotFound})
        self._waiting = client.get("library.waiting", "/books/{book_id}/waiting", answer=Waiting)
        undo = client.undo.delete("library.take_back", "/loans/{key}")
        self._lend = client.write.post(
            "library.lend", "/loans", answer=Loaned, undo=undo, declared={409: Conflict}
        )

    def book(self, book_id: str) -> Call[Book, NotFound | UpstreamFault]:
        return self._book(book_id=book_id)

    def count_waiting(self, book_id: str) -> Call[int, UpstreamFault]:
        return self._waiting(book_id=book_id).map(lambda waiting: waiting.count)

    def lend(self, book_id: str) -> Write[Loaned, Conflict | UpstreamFault]:
        return self._lend({"book_id": book_id})


SERVICES_OF_PAGE: Final = [*SERVICES, Service("library", Library, url="http://127.0.0.1:8202")]
"""Services that the routes of the page need."""


class Shelf(RequestBody):
    book_ids: list[Annotated[Id, Field(examples=["book-1"])]]


class Membership(ResponseBody):
    email: str


@railway
async def membership(
    run: Run[NotFound | UpstreamFault | Aggregate], user_id: UserId, users: Users
) -> Membership:
    """Stand for the pipeline of the tutorial."""
    (user,) = await run.stage("member", users.fetch(user_id))
    return Membership(email=user.email)


class NewOrder(RequestBody):
    user_id: UserId


class Order(ResponseBody):
    version: int
    note: str | None = None


class PublicOrder(ResponseBody):
    version: int


@railway
async def order(run: Run[NotFound | UpstreamFault], order_id: OrderId) -> Order:
    """Return an order."""
    return Order(version=len(order_id), note=run.execution_id)


@railway
async def change_order(run: Run[NotFound | UpstreamFault], order_id: OrderId, changed: NewOrder) -> Order:
    """Change an order."""
    return Order(version=len(order_id) + len(changed.user_id), note=run.execution_id)


@railway
async def cancel_order(run: Run[NotFound], order_id: OrderId) -> None:
    """Cancel an order."""
    assert run.execution_id != order_id


@railway
async def orders(run: Run[NotFound | UpstreamFault], wanted: NewOrder) -> Order:
    """Place an order."""
    return Order(version=len(wanted.user_id), note=run.execution_id)


@railway
async def feed(run: Run[NotFound | UpstreamFault | Aggregate], user_id: UserId, users: Users) -> Membership:
    """Return a feed."""
    (user,) = await run.stage("profile", users.fetch(user_id))
    return Membership(email=user.email)


@dataclass(frozen=True)
class Member:
    name: str = ""


ANONYMOUS: Final = Member()


async def find_member() -> Member:
    return ANONYMOUS


@railway
async def places(
    run: Run[NotFound | UpstreamFault], q: str, limit: int, language: str, member: Member
) -> list[str]:
    """Search places."""
    return [q, language, member.name, f"{run.execution_id}"][:limit]


@dataclass(frozen=True)
class Claims:
    subject: str


def verify(token: str) -> Claims:
    return Claims(token)
