"""Help desk: a ticket for each delivery."""

from typing import Final, Literal, final

from pydantic import BaseModel

from gateway import (
    NO_CONTENT,
    ReadOperation,
    RequestParts,
    ServiceClient,
    UpstreamRequest,
    UpstreamResponse,
    example,
)
from gateway.railway import Call, Conflict, Invalid, Key, NotFound, UpstreamFault, Write

__all__ = ("Ticket", "Tickets", "read_ticket_error")


@final
class Ticket(UpstreamResponse):
    """A ticket; *address* is where the courier goes."""

    model_config = example(id=1001, address="Elbphilharmonie, Hamburg", status="open")

    id: int
    address: str
    status: Literal["open", "assigned", "closed"]


class _NewTicket(UpstreamRequest):
    subject: str
    address: str


class _Assignment(UpstreamRequest):
    assignee: str


@final
class Tickets:
    """Client of the help desk, which has no idempotency keys: the key of a write is its `external_id`."""

    def __init__(self, client: ServiceClient) -> None:
        self._fetch = client.get(
            "tickets.fetch", "/tickets/{ticket_id}", answer=Ticket, declared={404: NotFound}
        )
        self._list = client.get("tickets.list", "/tickets", answer=list[Ticket])
        self.close: Final = client.undo.delete(
            "tickets.close",
            "/tickets/{ticket_id}",
            find=self._find,
            request=lambda ticket: RequestParts(path={"ticket_id": ticket.id}),
        )
        """Undo of `create`: closes the ticket."""
        self._create = client.write.post(
            "tickets.create", "/tickets", answer=Ticket, undo=self.close, declared={422: Invalid}
        )
        # Declared as a read, which is retried: an assignment may be repeated, and need not be undone.
        self._assign: ReadOperation[None, NotFound | Conflict] = client.patch(
            "tickets.assign",
            "/tickets/{ticket_id}",
            answer=NO_CONTENT,
            declared={404: NotFound, 409: Conflict},
        )

    def fetch(self, ticket_id: int) -> Call[Ticket, NotFound | UpstreamFault]:
        """Fetch a ticket (`GET /tickets/{id}`)."""
        return self._fetch(ticket_id=ticket_id)

    def create(self, subject: str, address: str) -> Write[Ticket, Invalid | UpstreamFault]:
        """Create a ticket (`POST /tickets`); `Invalid` if the subject is too long."""
        return self._create(_NewTicket(subject=subject, address=address))

    def assign(self, ticket_id: int, assignee: str) -> Call[None, NotFound | Conflict | UpstreamFault]:
        """Assign a ticket (`PATCH /tickets/{id}`); a closed ticket is a `Conflict`."""
        return self._assign(_Assignment(assignee=assignee), ticket_id=ticket_id)

    def _find(self, key: Key) -> Call[Ticket | None, UpstreamFault]:
        return self._list(query={"external_id": key}).map(lambda tickets: tickets[0] if tickets else None)


class _Error(BaseModel):
    message: str


class _Errors(BaseModel):
    errors: list[_Error]


def read_ticket_error(body: object) -> str:
    """Return the messages of an error body, `{"errors": [{"message": ...}]}`."""
    return "; ".join(error.message for error in _Errors.model_validate(body).errors)
