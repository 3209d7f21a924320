"""Checkout: who buys what, whether it is safe, and what it costs. Reads only."""

from typing import TypeAlias

from gateway.api.pipeline_route.models import Id, RequestBody, ResponseBody
from gateway.client.models import example
from gateway.pipelines.fields import Address, DiscountCode, Quantity
from gateway.railway import Aggregate, Conflict, Forbidden, Invalid, NotFound, Run, UpstreamFault, railway
from gateway.services import Upstreams
from gateway.services.fraud import Risk
from gateway.services.inventory import Stock
from gateway.services.money import Money
from gateway.services.payments import Payment
from gateway.services.pricing import Discount, Tax
from gateway.services.shipping import Quote
from gateway.services.users import User

__all__ = ("CheckoutError", "CheckoutRequest", "CheckoutResult", "checkout")

CheckoutError: TypeAlias = NotFound | Forbidden | Conflict | Invalid | UpstreamFault | Aggregate


class CheckoutRequest(RequestBody):
    """Who wants how many of what, paid how, and sent where."""

    model_config = example(
        user_id="user-123",
        product_id="prod-456",
        payment_id="pm-789",
        address="123 Main St",
        quantity=1,
        discount_code="SAVE10",
    )

    user_id: Id
    product_id: Id
    payment_id: Id
    address: Address
    quantity: Quantity = 1
    discount_code: DiscountCode | None = None


class CheckoutResult(ResponseBody):
    """Everything a buyer needs to see before the order."""

    user: User
    inventory: Stock
    payment: Payment
    fraud_check: Risk
    shipping: Quote
    tax: Tax
    discount: Discount
    subtotal: Money
    total: Money


@railway
async def checkout(run: Run[CheckoutError], order: CheckoutRequest, up: Upstreams) -> CheckoutResult:
    """Gather the core data, assess fraud and shipping with it, then price the order."""
    user, stock, payment = await run.stage(
        "core data",
        up.users.fetch(order.user_id),
        up.inventory.check(order.product_id, order.quantity),
        up.payments.validate(order.payment_id),
    )
    risk, quote = await run.stage(
        "assessment",
        up.fraud.assess(user, payment, stock),
        up.shipping.quote(order.address, stock),
    )
    subtotal = stock.unit_price * order.quantity
    tax, discount = await run.stage(
        "pricing",
        up.pricing.tax(subtotal),
        up.pricing.discount(order.discount_code, subtotal),
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
