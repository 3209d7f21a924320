"""A checkout as an ASGI application, with a protocol client and no framework: the practical floor in Python.

It does the same work as the other peers: it validates the request and seven answers with pydantic, and
serializes the result. It has no routing, no policies and no handling of failures: those are a 500.
"""

import asyncio
import json
from collections.abc import Mapping
from functools import cache
from typing import Final, TypeVar

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
from benchmarks.peers.protocol_client import Pool
from benchmarks.peers.server import Receive, Scope, Send, serve

Answer = TypeVar("Answer", bound=BaseModel)

REFUSAL: Final = b'{"detail":"The request is not valid"}'


@cache
def find_pool(service: str) -> Pool:
    return Pool(URLS[service])


async def get(answer: type[Answer], service: str, path: str) -> Answer:
    return answer.model_validate_json(await find_pool(service).get(path))


async def post(answer: type[Answer], service: str, path: str, body: Mapping[str, object]) -> Answer:
    return answer.model_validate_json(await find_pool(service).post(path, json.dumps(body).encode()))


async def checkout(order: CheckoutRequest) -> CheckoutResult:
    user, stock, payment = await asyncio.gather(
        get(User, "user", f"/users/{order.user_id}"),
        get(Stock, "inventory", f"/inventory/{order.product_id}?quantity={order.quantity}"),
        get(Payment, "payment", f"/payments/{order.payment_id}"),
    )
    assessment = {
        "user_id": user.user_id,
        "product_id": stock.product_id,
        "stock_level": stock.stock_level,
        "payment_id": payment.payment_id,
    }
    risk, quote = await asyncio.gather(
        post(Risk, "fraud", "/assessments", assessment),
        post(Quote, "shipping", "/quotes", {"address": order.address, "stock_level": stock.stock_level}),
    )
    subtotal = stock.unit_price * order.quantity
    amount = str(subtotal)
    tax, discount = await asyncio.gather(
        post(Tax, "pricing", "/tax", {"subtotal": amount}),
        post(Discount, "pricing", "/discounts", {"code": order.discount_code, "subtotal": amount}),
    )
    return CheckoutResult.model_construct(
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


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await serve_lifespan(receive, send)
        return
    try:
        order = CheckoutRequest.model_validate_json(await read_body(receive))
    except ValidationError:
        await respond(send, 422, REFUSAL)
        return
    result = await checkout(order)
    await respond(send, 200, result.__pydantic_serializer__.to_json(result))


async def serve_lifespan(receive: Receive, send: Send) -> None:
    for event in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{event}.complete"})


async def read_body(receive: Receive) -> bytes:
    body, is_unfinished = b"", True
    while is_unfinished:
        message = await receive()
        body += message.get("body", b"")
        is_unfinished = message.get("more_body", False)
    return body


async def respond(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    serve(app)
