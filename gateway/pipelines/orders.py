"""Orders: who buys what and whether it is safe, then the goods are put aside."""

from typing import Literal, TypeAlias

from gateway.api.pipeline_route.models import Id, RequestBody, ResponseBody
from gateway.client.models import example
from gateway.pipelines.fields import Address, Quantity
from gateway.railway import (
    CONCURRENT,
    FAIL_FAST,
    Aggregate,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Run,
    Stuck,
    UpstreamFault,
    railway,
)
from gateway.services import Upstreams
from gateway.services.fraud import Risk
from gateway.services.inventory import Reservation, Stock
from gateway.services.money import Money
from gateway.services.payments import Payment
from gateway.services.shipping import Quote
from gateway.services.users import User

__all__ = ("OrderError", "OrderRequest", "OrderResult", "orders")

OrderError: TypeAlias = NotFound | Forbidden | Conflict | Invalid | UpstreamFault | Stuck | Aggregate


class OrderRequest(RequestBody):
    """Who wants how many of what, paid how, and sent where."""

    model_config = example(
        user_id="user-123",
        product_id="prod-456",
        payment_id="pm-789",
        address="123 Main St",
        quantity=1,
    )

    user_id: Id
    product_id: Id
    payment_id: Id
    address: Address
    quantity: Quantity = 1


class OrderResult(ResponseBody):
    """The order as it stands."""

    order_id: str
    status: Literal["confirmed"]
    user: User
    inventory: Stock
    payment: Payment
    fraud_check: Risk
    shipping: Quote
    reservation: Reservation
    total: Money


@railway
async def orders(run: Run[OrderError], order: OrderRequest, up: Upstreams) -> OrderResult:
    """Gather the core data, verify payment and buyer, then put the goods aside while shipping is priced."""
    user, stock = await run.stage(
        "core data",
        up.users.fetch(order.user_id),
        up.inventory.check(order.product_id, order.quantity),
        policy=FAIL_FAST,
    )
    payment, risk = await run.stage(
        "verification",
        up.payments.validate(order.payment_id),
        up.fraud.screen(user, stock),
    )
    quote, reservation = await run.commit(
        "fulfilment",
        up.shipping.quote(order.address, stock),
        up.inventory.reserve(order.product_id, order.quantity),
        policy=CONCURRENT,
    )
    return OrderResult(
        order_id=f"ord-{run.execution_id.removeprefix('exe-')}",
        status="confirmed",
        user=user,
        inventory=stock,
        payment=payment,
        fraud_check=risk,
        shipping=quote,
        reservation=reservation,
        total=stock.unit_price * order.quantity + quote.rate,
    )
