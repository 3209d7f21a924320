"""FastAPI with aiohttp, written by hand and with care.

One `aiohttp.ClientSession` with keep-alive and without a limit of connections, a timeout for each call,
pydantic models that read JSON without detours, and `asyncio.gather`. A failed call ends the request with the
status of the service, 502, 503 or 504. There are no retries, no circuit breaker, no limits and no deadline.
CPython's garbage collector has its default thresholds.
"""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import aiohttp
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, ValidationError

from benchmarks.peers.models import (
    URLS,
    CheckoutRequest,
    CheckoutResult,
    Discount,
    Payment,
    Quote,
    Risk,
    Stock,
    Tax,
    User,
)
from benchmarks.peers.server import serve

Answer = TypeVar("Answer", bound=BaseModel)

TIMEOUT: Final = aiohttp.ClientTimeout(total=1.0)
HEADERS: Final = {"Content-Type": "application/json"}


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=TIMEOUT) as session:
        app.state.session = session
        yield


app: Final = FastAPI(lifespan=lifespan)


async def call(
    answer: type[Answer], method: str, service: str, path: str, body: dict[str, Any] | None = None
) -> Answer:
    session: aiohttp.ClientSession = app.state.session
    data, headers = (None, None) if body is None else (json.dumps(body), HEADERS)
    try:
        async with session.request(method, URLS[service] + path, data=data, headers=headers) as response:
            content = await response.read()
    except TimeoutError as error:
        raise HTTPException(504, "A service did not answer in time") from error
    except aiohttp.ClientError as error:
        raise HTTPException(503, "A service is unavailable") from error
    if not response.ok:
        raise HTTPException(response.status, f"The {service} service refused the request")
    try:
        return answer.model_validate_json(content)
    except ValidationError as error:
        raise HTTPException(502, "A service gave an invalid answer") from error


@app.post("/checkout")
async def checkout(order: CheckoutRequest) -> CheckoutResult:
    user, stock, payment = await asyncio.gather(
        call(User, "GET", "user", f"/users/{order.user_id}"),
        call(Stock, "GET", "inventory", f"/inventory/{order.product_id}?quantity={order.quantity}"),
        call(Payment, "GET", "payment", f"/payments/{order.payment_id}"),
    )
    assessment = {
        "user_id": user.user_id,
        "product_id": stock.product_id,
        "stock_level": stock.stock_level,
        "payment_id": payment.payment_id,
    }
    risk, quote = await asyncio.gather(
        call(Risk, "POST", "fraud", "/assessments", assessment),
        call(
            Quote, "POST", "shipping", "/quotes", {"address": order.address, "stock_level": stock.stock_level}
        ),
    )
    subtotal = stock.unit_price * order.quantity
    amount = str(subtotal)
    tax, discount = await asyncio.gather(
        call(Tax, "POST", "pricing", "/tax", {"subtotal": amount}),
        call(Discount, "POST", "pricing", "/discounts", {"code": order.discount_code, "subtotal": amount}),
    )
    return CheckoutResult(
        user=user,
        inventory=stock,
        payment=payment,
        fraud_check=risk,
        shipping=quote,
        tax=tax,
        discount=discount,
        subtotal=subtotal,
        total=subtotal + quote.rate + tax.amount - discount.amount,
    )


if __name__ == "__main__":
    serve(app)
