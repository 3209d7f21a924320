"""Order pipeline: checks an order, then reserves the goods."""

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
from gateway.services.fraud import Fraud, Risk
from gateway.services.inventory import Inventory, Reservation, Stock
from gateway.services.money import Money
from gateway.services.payments import Payment, Payments
from gateway.services.shipping import Quote, Shipping
from gateway.services.users import User, Users

__all__ = ("OrderError", "OrderRequest", "OrderResult", "orders")

OrderError: TypeAlias = NotFound | Forbidden | Conflict | Invalid | UpstreamFault | Stuck | Aggregate


class OrderRequest(RequestBody):
    """The order to create; *payment_id* is the payment method."""

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
    """The confirmed order. *total* is the price of the goods and shipping."""

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
async def orders(
    run: Run[OrderError],
    order: OrderRequest,
    users: Users,
    inventory: Inventory,
    payments: Payments,
    fraud: Fraud,
    shipping: Shipping,
) -> OrderResult:
    """Create an order: check the buyer and the payment method, then reserve the goods.

    The last stage commits: it reserves the goods while shipping is quoted, and releases them if the quote
    fails.
    """
    user, stock = await run.stage(
        "core data",
        users.fetch(order.user_id),
        inventory.check(order.product_id, order.quantity),
        policy=FAIL_FAST,
    )
    payment, risk = await run.stage(
        "verification",
        payments.validate(order.payment_id),
        fraud.screen(user, stock),
    )
    quote, reservation = await run.commit(
        "fulfilment",
        shipping.quote(order.address, stock),
        inventory.reserve(order.product_id, order.quantity),
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
