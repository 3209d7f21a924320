"""The five routes of the gateway, written well with FastAPI, httpx and `asyncio.gather` alone.

The code follows the documentation of FastAPI and httpx: `async def` routes, pydantic models, a single
`httpx.AsyncClient` for the life of the process with the default transport, the default pool and a timeout,
`gather` for concurrent calls, `raise_for_status`, and handlers that map httpx's exceptions to statuses.
Concurrent calls are cancelled when one of them fails, except beside a write. Optional calls may fail. A
transfer is reversed if its posting fails, and a reservation is released if the shipping quote fails. There
are no retries, no circuit breaker, no concurrency limit, no deadline and no journal.
"""

import asyncio
import os
import socket
from collections.abc import AsyncGenerator, Coroutine, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Annotated, Any, Final, TypeVar
from uuid import uuid4

import httpx
import uvicorn
from fastapi import FastAPI, Header, HTTPException, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from benchmarks.storms.targets.inspection import add_inspection

T = TypeVar("T")
Json = dict[str, Any]

TIMEOUT: Final = 1.0
URLS: Final[Mapping[str, str]] = {
    name.removeprefix("GATEWAY_").removesuffix("_URL").lower(): url
    for name, url in os.environ.items()
    if name.startswith("GATEWAY_") and name.endswith("_URL")
}


class Checkout(BaseModel):
    """The body of POST /checkout."""

    user_id: str
    product_id: str
    payment_id: str
    address: str
    quantity: int = 1
    discount_code: str | None = None


class Order(BaseModel):
    """The body of POST /orders."""

    user_id: str
    product_id: str
    payment_id: str
    address: str
    quantity: int = 1


class Transfer(BaseModel):
    """The body of POST /transfers."""

    from_account: str
    to_account: str
    amount: Decimal
    currency: str
    reference: str | None = None


class Purchase(BaseModel):
    """The body of POST /purchases."""

    user_id: str
    product_id: str
    quantity: int = 1


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    async with httpx.AsyncClient(timeout=TIMEOUT) as client:
        app.state.client = client
        yield


app = FastAPI(lifespan=lifespan)


@app.exception_handler(httpx.HTTPStatusError)
async def handle_status_error(_: Request, error: httpx.HTTPStatusError) -> JSONResponse:
    status = error.response.status_code
    if status >= 500:  # noqa: PLR2004 - server errors
        return JSONResponse({"detail": "An upstream failed"}, 502)
    return JSONResponse({"detail": error.response.json()["detail"]}, status)


@app.exception_handler(httpx.TimeoutException)
async def handle_timeout(_: Request, __: httpx.TimeoutException) -> JSONResponse:
    return JSONResponse({"detail": "An upstream did not answer in time"}, 504)


@app.exception_handler(httpx.TransportError)
async def handle_transport_error(_: Request, __: httpx.TransportError) -> JSONResponse:
    return JSONResponse({"detail": "An upstream is unavailable"}, 503)


async def get(service: str, path: str, **query: Any) -> Any:  # noqa: ANN401 - any JSON
    response = await app.state.client.get(f"{URLS[service]}{path}", params=query)
    response.raise_for_status()
    return response.json()


async def post(service: str, path: str, body: Json, key: str | None = None) -> Any:  # noqa: ANN401 - any JSON
    headers = {} if key is None else {"Idempotency-Key": key}
    response = await app.state.client.post(f"{URLS[service]}{path}", json=body, headers=headers)
    response.raise_for_status()
    return response.json()


async def delete(service: str, path: str) -> None:
    (await app.state.client.delete(f"{URLS[service]}{path}")).raise_for_status()


async def gather(*calls: Coroutine[Any, Any, T]) -> list[T]:
    """Run calls concurrently; after a failure, cancel the other calls."""
    tasks = [asyncio.create_task(call) for call in calls]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        raise


async def optional(call: Coroutine[Any, Any, T]) -> T | None:
    try:
        return await call
    except httpx.HTTPError:
        return None


@app.post("/checkout")
async def checkout(order: Checkout) -> Json:
    user, stock, payment = await gather(
        get("user", f"/users/{order.user_id}"),
        get("inventory", f"/inventory/{order.product_id}", quantity=order.quantity),
        get("payment", f"/payments/{order.payment_id}"),
    )
    assessment = {
        "user_id": user["user_id"],
        "product_id": stock["product_id"],
        "stock_level": stock["stock_level"],
        "payment_id": payment["payment_id"],
    }
    risk, quote = await gather(
        post("fraud", "/assessments", assessment),
        post("shipping", "/quotes", {"address": order.address, "stock_level": stock["stock_level"]}),
    )
    subtotal = Decimal(stock["unit_price"]) * order.quantity
    tax, discount = await gather(
        post("pricing", "/tax", {"subtotal": str(subtotal)}),
        post("pricing", "/discounts", {"code": order.discount_code, "subtotal": str(subtotal)}),
    )
    return {
        "user": user,
        "inventory": stock,
        "payment": payment,
        "fraud_check": risk,
        "shipping": quote,
        "tax": tax,
        "discount": discount,
        "subtotal": subtotal,
        "total": subtotal + Decimal(quote["rate"]) + Decimal(tax["amount"]) - Decimal(discount["amount"]),
    }


@app.post("/orders", status_code=201)
async def place_order(order: Order) -> Json:
    user, stock = await gather(
        get("user", f"/users/{order.user_id}"),
        get("inventory", f"/inventory/{order.product_id}", quantity=order.quantity),
    )
    screening = {
        "user_id": user["user_id"],
        "product_id": stock["product_id"],
        "stock_level": stock["stock_level"],
    }
    payment, risk = await gather(
        get("payment", f"/payments/{order.payment_id}"), post("fraud", "/screenings", screening)
    )
    key = uuid4().hex
    results = await asyncio.gather(
        post("shipping", "/quotes", {"address": order.address, "stock_level": stock["stock_level"]}),
        post("inventory", "/reservations", order.model_dump(include={"product_id", "quantity"}), key),
        return_exceptions=True,
    )
    if errors := [result for result in results if isinstance(result, BaseException)]:
        await delete("inventory", f"/reservations/{key}")
        raise errors[0]
    quote, reservation = results
    return {
        "order_id": f"ord-{key}",
        "status": "confirmed",
        "user": user,
        "inventory": stock,
        "payment": payment,
        "fraud_check": risk,
        "shipping": quote,
        "reservation": reservation,
    }


@app.get("/feed/{user_id}")
async def feed(user_id: str) -> Json:
    user, friends, settings = await gather(
        get("user", f"/users/{user_id}"),
        get("social", f"/friends/{user_id}"),
        get("user", f"/users/{user_id}/settings"),
    )
    others, languages = [friend["user_id"] for friend in friends], settings["languages"]
    posts, notifications = await gather(
        get("social", "/posts", author=others, language=languages),
        optional(get("social", "/notifications", **{"from": others})),
    )
    engagement, recommended = await gather(
        optional(get("social", "/engagement", post_id=[post["post_id"] for post in posts])),
        optional(get("social", "/recommendations", user_id=user_id, language=languages)),
    )
    return {
        "profile": user,
        "friends": friends,
        "settings": settings,
        "posts": posts,
        "notifications": notifications,
        "engagement": engagement,
        "recommended": recommended,
    }


@app.post("/transfers", status_code=201)
async def move_money(transfer: Transfer) -> Json:
    account, history, profile = await gather(
        get("account", f"/accounts/{transfer.from_account}"),
        get("account", f"/accounts/{transfer.from_account}/transactions"),
        get("fraud", f"/risk-profiles/{transfer.from_account}"),
    )
    if Decimal(account["balance"]) < transfer.amount:
        raise HTTPException(409, "Insufficient funds")
    amount = str(transfer.amount)
    check = {
        "account_id": transfer.from_account,
        "risk_level": profile["risk_level"],
        "amount": amount,
        "recent_transactions": len(history),
    }
    parties = {"from_account": transfer.from_account, "to_account": transfer.to_account, "amount": amount}
    risk, compliance = await gather(
        post("fraud", "/transfer-checks", check), post("fraud", "/compliance-checks", parties)
    )
    key, terms = uuid4().hex, transfer.model_dump(mode="json")
    executed = await post("payment", "/transfers", terms, key)
    try:
        posting = await post("account", "/postings", terms, key)
    except httpx.HTTPError:
        await delete("payment", f"/transfers/{key}")
        raise
    return {
        "transfer_id": executed["transfer_id"],
        "status": "completed",
        "from_account": posting["from_account"],
        "to_account": posting["to_account"],
        "fraud_check": risk,
        "compliance_check": compliance,
    }


@app.post("/purchases", status_code=201)
async def purchase(order_request: Purchase, authorization: Annotated[str, Header()]) -> Json:
    session = await app.state.client.get(f"{URLS['auth']}/sessions", headers={"Authorization": authorization})
    session.raise_for_status()
    if session.json()["user_id"] != order_request.user_id:
        raise HTTPException(403, "The token belongs to another user")
    user, stock = await gather(
        get("user", f"/users/{order_request.user_id}"),
        get("inventory", f"/inventory/{order_request.product_id}", quantity=order_request.quantity),
    )
    order = await post("order", "/orders", order_request.model_dump(), uuid4().hex)
    notice = {"user_id": order_request.user_id, "order_id": order["order_id"]}
    event = {"event": "purchase", "order_id": order["order_id"]}
    notification, event_receipt = await gather(
        optional(post("notification", "/notifications", notice, uuid4().hex)),
        optional(post("analytics", "/events", event, uuid4().hex)),
    )
    return {
        "order": order,
        "user": user,
        "inventory": stock,
        "notification": notification,
        "analytics": event_receipt,
    }


if __name__ == "__main__":
    add_inspection(app)
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        uvicorn.Server(uvicorn.Config(app, access_log=False, log_level="warning")).run(sockets=[listener])
