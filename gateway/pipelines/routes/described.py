"""The pipelines that the gateway ships, each with what it is shown on."""

from typing import TypeVar

from fastapi import FastAPI
from pydantic import BaseModel, TypeAdapter

from gateway.api.endpoints.pipelines import describe
from gateway.client.examples import example_of
from gateway.pipelines.checkout import CheckoutRequest, checkout
from gateway.pipelines.feed import feed
from gateway.pipelines.orders import OrderRequest, orders
from gateway.pipelines.purchases import PurchaseRequest, purchases
from gateway.pipelines.transfers import TransferRequest, transfers
from gateway.services import Upstreams

__all__ = ("describe_shipped",)

R = TypeVar("R", bound=BaseModel)


def describe_shipped(app: FastAPI, up: Upstreams) -> None:
    """Have `GET /pipelines` of *app* describe them."""
    describe(app, "POST /checkout", checkout, _an(CheckoutRequest), up)
    describe(app, "POST /orders", orders, _an(OrderRequest), up)
    describe(app, "GET /feed/{user_id}", feed, "user-123", up)
    describe(app, "POST /transfers", transfers, _an(TransferRequest), up)
    describe(app, "POST /purchases", purchases, _an(PurchaseRequest), "token-user-123", up)


def _an(request: type[R]) -> R:
    return example_of(TypeAdapter(request))
