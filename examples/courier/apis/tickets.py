"""Stand-in for a help desk, in the manner of the common ticket systems.

- `POST /tickets` accepts an `external_id` of the client; the ticket that has it already gets 200.
- `GET /tickets?external_id=...` finds tickets; there are no idempotency keys.
- `PATCH /tickets/{id}` assigns a ticket, and `DELETE` closes it; both respond with 204 and no body.
- Errors are nested: `{"errors": [{"field", "message"}]}`.
"""

from collections.abc import Iterable
from itertools import count
from typing import Annotated, Final, Literal, TypeAlias

from fastapi import FastAPI, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

__all__ = ("MAX_SUBJECT", "Ticket", "create_tickets_api")

MAX_SUBJECT: Final = 80

Status: TypeAlias = Literal["open", "assigned", "closed"]


class NewTicket(BaseModel):
    """Body of a request for a ticket."""

    subject: Annotated[str, Field(min_length=1, max_length=MAX_SUBJECT)]
    address: str
    external_id: str | None = None


class TicketChange(BaseModel):
    """Body of a change."""

    assignee: str


class Ticket(BaseModel):
    """A ticket."""

    id: int
    subject: str
    address: str
    external_id: str | None
    assignee: str | None = None
    status: Status = "open"


class _HelpDesk:
    """The endpoints, with all tickets."""

    def __init__(self, tickets: Iterable[Ticket]) -> None:
        self._tickets = {ticket.id: ticket for ticket in tickets}
        self._ids = count(1001)

    async def create_ticket(self, ticket: NewTicket, response: Response) -> Ticket:
        """Create a ticket, unless its external id is taken."""
        if ticket.external_id is not None and (found := self._find(ticket.external_id)):
            response.status_code = 200
            return found[0]
        created = Ticket(id=next(self._ids), **ticket.model_dump())
        self._tickets[created.id] = created
        return created

    async def list_tickets(self, external_id: Annotated[str | None, Query()] = None) -> list[Ticket]:
        """List all tickets, or those with an external id."""
        return [*self._tickets.values()] if external_id is None else self._find(external_id)

    async def get_ticket(self, ticket_id: int) -> Ticket:
        """Return a ticket."""
        return self._get(ticket_id)

    async def assign_ticket(self, ticket_id: int, change: TicketChange) -> None:
        """Assign a ticket that is not closed."""
        ticket = self._get(ticket_id)
        if ticket.status == "closed":
            raise HTTPException(409, "The ticket is closed")
        update = {"assignee": change.assignee, "status": "assigned"}
        self._tickets[ticket_id] = ticket.model_copy(update=update)

    async def close_ticket(self, ticket_id: int) -> None:
        """Close a ticket; closing it again changes nothing."""
        self._tickets[ticket_id] = self._get(ticket_id).model_copy(update={"status": "closed"})

    def _get(self, ticket_id: int) -> Ticket:
        if ticket_id not in self._tickets:
            raise HTTPException(404, f"No ticket has the id {ticket_id}")
        return self._tickets[ticket_id]

    def _find(self, external_id: str) -> list[Ticket]:
        return [ticket for ticket in self._tickets.values() if ticket.external_id == external_id]


def create_tickets_api(tickets: Iterable[Ticket] = ()) -> FastAPI:
    """Create the API with *tickets* of earlier requests, whose ids must be below 1001."""
    desk = _HelpDesk(tickets)
    app = FastAPI(title="Tickets")

    @app.exception_handler(HTTPException)
    async def nest_error(_: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse({"errors": [{"field": None, "message": error.detail}]}, error.status_code)

    @app.exception_handler(RequestValidationError)
    async def nest_validation_errors(_: Request, error: RequestValidationError) -> JSONResponse:
        errors = [{"field": str(part["loc"][-1]), "message": part["msg"]} for part in error.errors()]
        return JSONResponse({"errors": errors}, 422)

    app.add_api_route("/tickets", desk.create_ticket, methods=["POST"], status_code=201)
    app.add_api_route("/tickets", desk.list_tickets, methods=["GET"])
    app.add_api_route("/tickets/{ticket_id}", desk.get_ticket, methods=["GET"])
    app.add_api_route("/tickets/{ticket_id}", desk.assign_ticket, methods=["PATCH"], status_code=204)
    app.add_api_route("/tickets/{ticket_id}", desk.close_ticket, methods=["DELETE"], status_code=204)
    return app
