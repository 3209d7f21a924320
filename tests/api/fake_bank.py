"""A small gateway that writes: one pipeline of a check, a write and a note, and a bank where all is well."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Final, TypeAlias

import httpx
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from gateway.api.admission.admission import Admission
from gateway.api.application import Gateway
from gateway.api.endpoints import executions
from gateway.api.endpoints.readiness import Readiness
from gateway.api.idempotency.stored_response import StoredResponse
from gateway.api.pipeline_route.commit_request import CommitRequest
from gateway.api.pipeline_route.registration import Route
from gateway.api.pipeline_route.route import PipelineRoute
from gateway.executions.memory_journal import MemoryJournal
from gateway.executions.registry import ExecutionRegistry
from gateway.railway import (
    Aggregate,
    Call,
    CommitTerms,
    Conflict,
    Key,
    NotFound,
    Ok,
    Result,
    Run,
    Stuck,
    Undo,
    UpstreamFault,
    Write,
    railway,
)
from gateway.services.money import Money
from tests.api.asgi_connection import Connection
from tests.api.sample_gateway import state

PayError: TypeAlias = NotFound | Conflict | UpstreamFault | Stuck | Aggregate
Answer: TypeAlias = Result[str, PayError]

PAYMENT: Final[dict[str, Any]] = {"payer": "user-1", "amount": "25.00"}
PAID: Final[dict[str, Any]] = {"payer": "user-1", "receipt": "receipt-1", "note": "note-1"}
FINE: Final = Ok("fine")


class Payment(BaseModel):
    """Who pays how much."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra={"examples": [PAYMENT]})

    payer: str = Field(min_length=1)
    amount: Annotated[Money, Field(examples=["25.00"])] = Decimal(1)


class Paid(BaseModel):
    """What was paid."""

    payer: str
    receipt: str
    note: str | None


@dataclass
class Told:
    """What a service has been told to answer, and what it was asked; it answers once it *goes_on*."""

    answer: Answer | Exception
    seconds: float = 0.0
    asked: list[str] = field(default_factory=list[str])
    goes_on: asyncio.Event = field(default_factory=asyncio.Event)
    is_asked: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.goes_on.set()

    async def __call__(self, key: str = "") -> Answer:
        self.asked.append(key)
        self.is_asked.set()
        await self.goes_on.wait()
        await asyncio.sleep(self.seconds)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def _numbered(word: str) -> Told:
    return Told(Ok(f"{word}-1"))


@dataclass
class Bank:
    """What the pipeline asks for: *check*, then *pay* with *repay* against it, then *note*."""

    check: Told = field(default_factory=lambda: Told(FINE))
    pay: Told = field(default_factory=lambda: _numbered("receipt"))
    repay: Told = field(default_factory=lambda: Told(FINE))
    note: Told = field(default_factory=lambda: _numbered("note"))

    @property
    def undo(self) -> Undo:
        async def attempt(key: Key) -> Answer:
            return await self.repay(key)

        return Undo("bank.repay", attempt)

    @property
    def payment(self) -> Write[str, PayError]:
        async def attempt(key: Key) -> Answer:
            return await self.pay(key)

        return Write("bank.pay", attempt, undo=self.undo)

    @property
    def notice(self) -> Write[str, PayError]:
        async def attempt(key: Key) -> Answer:
            return await self.note(key)

        return Write("bank.note", attempt)


@railway
async def pay(run: Run[PayError], payment: Payment, bank: Bank) -> Paid:
    """Check who pays, pay, and tell them."""
    await run.stage("check", Call("bank.check", bank.check))
    (receipt,) = await run.commit("settlement", bank.payment)
    (note,) = await run.stage("announce", bank.notice.best_effort(None))
    return Paid(payer=payment.payer, receipt=receipt, note=note)


async def post_sealed(payment: Payment, request: CommitRequest) -> Response:
    """Pay on behalf of the token's user."""
    assert request.token
    return await request.commit(payment)


ROUTES: Final = (
    Route("POST", "/payments", pay, status=201),
    Route("POST", "/sealed", pay, status=201, endpoint=post_sealed, bearer=True),
)


def gateway(
    bank: Bank,
    *,
    operator_token: str | None = None,
    deadline: float = 5.0,
    admission: Admission | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Gateway:
    """Wire the app as the composition root does."""
    terms = CommitTerms(reserve=0.5, budget=10, undo_budget=30)
    made = ExecutionRegistry[StoredResponse](MemoryJournal(), {"bank.repay": bank.undo}, terms, now)
    shared = state(deadline=deadline, executions=made, admission=admission or Admission(256, None))
    return Gateway(
        shared,
        Readiness({}),
        title="bank",
        version="1.0",
        routes=[PipelineRoute(route, {"bank": bank}, shared) for route in ROUTES],
        pipelines=(),
        routers=(executions.build_router(made, operator_token),),
    )


@asynccontextmanager
async def client_of(app: FastAPI, peer: str = "127.0.0.1") -> AsyncGenerator[httpx.AsyncClient, None]:
    """Give a client at the address *peer* that talks to *app* without a network."""
    transport = httpx.ASGITransport(app, client=(peer, 50_000))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield client


def keyed(key: str, **headers: str) -> dict[str, str]:
    """Give the headers of a request under *key*."""
    return {"Idempotency-Key": key, **headers}


async def posted(client: httpx.AsyncClient, key: str | None = None, **headers: str) -> httpx.Response:
    """Pay, under *key* if there is one."""
    sent = headers if key is None else keyed(key, **headers)
    return await client.post("/payments", json=PAYMENT, headers=sent)


def connected(app: FastAPI, *headers: tuple[bytes, bytes]) -> tuple[Connection, "asyncio.Task[None]"]:
    """Send a payment from a client that can hang up; give its connection, and the request."""
    body = json.dumps(PAYMENT).encode()
    connection = Connection({"type": "http.request", "body": body, "more_body": False})
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/payments",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json"), *headers],
    }

    async def serve() -> None:
        await app(scope, connection.receive, connection.send)

    return connection, asyncio.create_task(serve())
