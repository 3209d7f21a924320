"""Small gateway with a writing pipeline (a check, a write and a notice), and a healthy fake bank."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, Final, TypeAlias

import httpx
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from gateway.api.admission.admission import Admission
from gateway.api.admission.caller import CallerDependency
from gateway.api.application import Gateway
from gateway.api.endpoints import executions
from gateway.api.endpoints.readiness import Readiness
from gateway.api.pipeline_route.commit_request import CommitRequest
from gateway.api.pipeline_route.registration import Route
from gateway.api.pipeline_route.route import build_routes
from gateway.executions.health import JournalHealth, StorageLimit
from gateway.executions.recovery import Recovery
from gateway.executions.registry import ExecutionRegistry
from gateway.executions.store import ExecutionStore
from gateway.observability.metrics.request_metrics import RequestMetrics
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
    SentWrite,
    Stuck,
    Undo,
    UpstreamFault,
    Write,
    railway,
)
from gateway.services.money import Money
from tests.api.asgi_connection import AsgiConnection
from tests.api.sample_gateway import build_state
from tests.executions.scripted_database import ScriptedDatabase

PayError: TypeAlias = NotFound | Conflict | UpstreamFault | Stuck | Aggregate
PayResult: TypeAlias = Result[str, PayError]

PAYMENT: Final[dict[str, Any]] = {"payer": "user-1", "amount": "25.00"}
PAID: Final[dict[str, Any]] = {"payer": "user-1", "receipt": "receipt-1", "note": "note-1"}
SUCCESS: Final = Ok("fine")


class Payment(BaseModel):
    """Request to pay an amount."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra={"examples": [PAYMENT]})

    payer: str = Field(min_length=1)
    amount: Annotated[Money, Field(examples=["25.00"])] = Decimal(1)


class Paid(BaseModel):
    """Response to a payment; *note* is null if the notice was not sent."""

    payer: str
    receipt: str
    note: str | None


@dataclass
class FakeOperation:
    """Operation that waits for *can_finish*, then for *seconds*, and returns or raises *outcome*.

    It records the idempotency key of each call in *keys*.
    """

    outcome: PayResult | Exception
    seconds: float = 0.0
    keys: list[str] = field(default_factory=list[str])
    can_finish: asyncio.Event = field(default_factory=asyncio.Event)
    has_started: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.can_finish.set()

    async def __call__(self, key: str = "") -> PayResult:
        self.keys.append(key)
        self.has_started.set()
        await self.can_finish.wait()
        await asyncio.sleep(self.seconds)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def _build_operation(result: str) -> FakeOperation:
    return FakeOperation(Ok(result))


@dataclass
class Bank:
    """Operations of the pipeline: *check*, then *pay* with its undo *repay*, then *note*."""

    check: FakeOperation = field(default_factory=lambda: FakeOperation(SUCCESS))
    pay: FakeOperation = field(default_factory=lambda: _build_operation("receipt-1"))
    repay: FakeOperation = field(default_factory=lambda: FakeOperation(SUCCESS))
    note: FakeOperation = field(default_factory=lambda: _build_operation("note-1"))

    @property
    def undo(self) -> Undo:
        async def attempt(write: SentWrite) -> PayResult:
            return await self.repay(write.key)

        return Undo("bank.repay", attempt)

    @property
    def payment(self) -> Write[str, PayError]:
        async def attempt(key: Key) -> PayResult:
            return await self.pay(key)

        return Write("bank.pay", attempt, undo=self.undo)

    @property
    def notice(self) -> Write[str, PayError]:
        async def attempt(key: Key) -> PayResult:
            return await self.note(key)

        return Write("bank.note", attempt)


@railway
async def pay(run: Run[PayError], payment: Payment, bank: Bank) -> Paid:
    """Check the payer, pay, and send a notice."""
    await run.stage("check", Call("bank.check", bank.check))
    (receipt,) = await run.commit("settlement", bank.payment)
    (note,) = await run.stage("announce", bank.notice.best_effort(None))
    return Paid(payer=payment.payer, receipt=receipt, note=note)


async def post_sealed(payment: Payment, request: CommitRequest) -> Response:
    """Pay with a bearer token."""
    assert request.token
    return await request.commit(payment)


ROUTES: Final = (
    Route("POST", "/payments", pay, status=201),
    Route("POST", "/sealed", pay, status=201, endpoint=post_sealed, bearer=True),
)


@dataclass
class BankProcess:
    """Process with the executions of *bank*, in a journal that it may share with other processes."""

    bank: Bank
    database: ScriptedDatabase = field(default_factory=ScriptedDatabase)
    max_bytes: int = 1_000_000
    store: ExecutionStore = field(init=False)
    health: JournalHealth = field(init=False)
    executions: ExecutionRegistry = field(init=False)
    recovery: Recovery = field(init=False)

    def __post_init__(self) -> None:
        undos = {"bank.repay": self.bank.undo}
        self.store = ExecutionStore(self.database, "bank")
        self.health = JournalHealth(StorageLimit(self.max_bytes))
        terms = CommitTerms(reserve=0.5, budget=10, undo_budget=30)
        self.executions = ExecutionRegistry(self.store, undos, terms, self.health)
        self.recovery = Recovery(self.store, undos, 30.0, self.health, self.executions)


def build_bank_gateway(  # noqa: PLR0913 - the parts that tests replace
    bank: Bank,
    *,
    operator_token: str | None = None,
    deadline: float = 5.0,
    admission: Admission | None = None,
    caller: CallerDependency | None = None,
    process: BankProcess | None = None,
    has_access_log: bool = False,
    metrics: RequestMetrics | None = None,
) -> Gateway:
    """Build the gateway of *bank*, as the composition root does, by default with a journal of its own."""
    process = process or BankProcess(bank)
    shared = build_state(
        deadline=deadline,
        executions=process.executions,
        admission=admission or Admission(256),
        caller=caller,
        clock=lambda: asyncio.get_running_loop().time(),
        has_access_log=has_access_log,
        metrics=metrics,
    )
    return Gateway(
        shared,
        Readiness({}),
        title="bank",
        version="1.0",
        routes=build_routes(ROUTES, {"bank": bank}, shared),
        pipelines=(),
        routers=(executions.build_router(process.executions, operator_token),),
    )


@asynccontextmanager
async def create_client(app: FastAPI, peer: str = "127.0.0.1") -> AsyncGenerator[httpx.AsyncClient, None]:
    """Yield a client of *app* that has the address *peer* and needs no network."""
    transport = httpx.ASGITransport(app, client=(peer, 50_000))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


def add_key(key: str, **headers: str) -> dict[str, str]:
    """Return the *headers* with an idempotency key."""
    return {"Idempotency-Key": key, **headers}


async def post_payment(client: httpx.AsyncClient, key: str | None = None, **headers: str) -> httpx.Response:
    """Post the payment, with the idempotency *key* unless it is None."""
    all_headers = headers if key is None else add_key(key, **headers)
    return await client.post("/payments", json=PAYMENT, headers=all_headers)


def start_payment(app: FastAPI, *headers: tuple[bytes, bytes]) -> tuple[AsgiConnection, "asyncio.Task[None]"]:
    """Start a payment by a client that can disconnect; return its connection, and the task of the request."""
    body = json.dumps(PAYMENT).encode()
    connection = AsgiConnection({"type": "http.request", "body": body, "more_body": False})
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
