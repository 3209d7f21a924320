"""FastAPI with httpx and `asyncio.gather`, as their documentation shows.

`async def`, pydantic models, and one `httpx.AsyncClient` for the life of the process, with the default
transport, the default pool and a timeout. A failed call ends the request with the status of the service, 503
or 504. There are no retries, no circuit breaker, no limits and no deadline.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import httpx
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

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

TIMEOUT: Final = 1.0


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    async with httpx.AsyncClient(timeout=TIMEOUT) as client:
        app.state.client = client
        yield


app: Final = FastAPI(lifespan=lifespan)


async def call(
    answer: type[Answer], method: str, service: str, path: str, body: dict[str, Any] | None = None
) -> Answer:
    try:
        response: httpx.Response = await app.state.client.request(method, f"{URLS[service]}{path}", json=body)
    except httpx.TimeoutException as error:
        raise HTTPException(504, "A service did not answer in time") from error
    except httpx.TransportError as error:
        raise HTTPException(503, "A service is unavailable") from error
    if response.is_error:
        raise HTTPException(response.status_code, f"The {service} service refused the request")
    return answer.model_validate_json(response.content)


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
            Quote,
            "POST",
            "shipping",
            "/quotes",
            {"address": order.address, "stock_level": stock.stock_level},
        ),
    )
    subtotal = stock.unit_price * order.quantity
    tax, discount = await asyncio.gather(
        call(Tax, "POST", "pricing", "/tax", {"subtotal": str(subtotal)}),
        call(
            Discount,
            "POST",
            "pricing",
            "/discounts",
            {"code": order.discount_code, "subtotal": str(subtotal)},
        ),
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
