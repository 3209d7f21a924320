"""Checkout pipeline: checks and prices an order, and changes nothing."""

from typing import TypeAlias

from gateway.api.pipeline_route.models import Id, RequestBody, ResponseBody
from gateway.client.models import example
from gateway.pipelines.fields import Address, DiscountCode, Quantity
from gateway.railway import Aggregate, Conflict, Forbidden, Invalid, NotFound, Run, UpstreamFault, railway
from gateway.services.fraud import Fraud, Risk
from gateway.services.inventory import Inventory, Stock
from gateway.services.money import Money
from gateway.services.payments import Payment, Payments
from gateway.services.pricing import Discount, Pricing, Tax
from gateway.services.shipping import Quote, Shipping
from gateway.services.users import User, Users

__all__ = ("CheckoutError", "CheckoutRequest", "CheckoutResult", "checkout")

CheckoutError: TypeAlias = NotFound | Forbidden | Conflict | Invalid | UpstreamFault | Aggregate


class CheckoutRequest(RequestBody):
    """The order to check; *payment_id* is the payment method."""

    model_config = example(
        user_id="user-123",
        product_id="prod-456",
        payment_id="pm-789",
        address="123 Main St",
        quantity=1,
        discount_code=None,
    )

    user_id: Id
    product_id: Id
    payment_id: Id
    address: Address
    quantity: Quantity = 1
    discount_code: DiscountCode | None = None


class CheckoutResult(ResponseBody):
    """The checks and prices of an order. *total* is *subtotal*, shipping and tax less the discount."""

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
async def checkout(
    run: Run[CheckoutError],
    order: CheckoutRequest,
    users: Users,
    inventory: Inventory,
    payments: Payments,
    fraud: Fraud,
    shipping: Shipping,
    pricing: Pricing,
) -> CheckoutResult:
    """Check that an order can be paid and shipped, and calculate its total.

    Nothing is reserved or paid. The calls of a stage run in parallel; if any of them fails, the later stages
    do not run, and the answer has every failure of the stage.
    """
    user, stock, payment = await run.stage(
        "core data",
        users.fetch(order.user_id),
        inventory.check(order.product_id, order.quantity),
        payments.validate(order.payment_id),
    )
    risk, quote = await run.stage(
        "assessment",
        fraud.assess(user, payment, stock),
        shipping.quote(order.address, stock),
    )
    subtotal = stock.unit_price * order.quantity
    tax, discount = await run.stage(
        "pricing",
        pricing.tax(subtotal),
        pricing.discount(order.discount_code, subtotal),
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
