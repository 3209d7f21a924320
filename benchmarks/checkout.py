"""Latency of a checkout on real processes: in stages through the gateway, and as direct calls in sequence.

    .venv/bin/python benchmarks/checkout.py

The calls of the three stages take 50, 50 and 50 ms, then 30 and 40 ms, then 20 and 20 ms. That is 260 ms in
sequence, and 110 ms on the critical path. Figures are milliseconds: the median over the rounds, and their
spread from the 10th to the 90th percentile. Each round measures both ways, and the ratio is calculated per
round.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import IO, NamedTuple, cast

import httpx
import uvloop

from gateway.app import connect
from gateway.client.transport import create_transport
from gateway.pipelines.checkout import CheckoutRequest
from gateway.railway import Err, Ok, Result
from gateway.services import SERVICES
from gateway.services.fraud import Fraud
from gateway.services.inventory import Inventory
from gateway.services.payments import Payments
from gateway.services.pricing import Pricing
from gateway.services.shipping import Shipping
from gateway.services.users import Users
from gateway.settings import default_settings

ROUNDS = 60
WARM_UP = 5
MOCKS_PORT = 18101
ORDER = CheckoutRequest(user_id="user-123", product_id="prod-456", payment_id="pm-789", address="123 Main St")


class Checkout(NamedTuple):
    """The services that a checkout calls."""

    users: Users
    inventory: Inventory
    payments: Payments
    fraud: Fraud
    shipping: Shipping
    pricing: Pricing


@contextmanager
def run_gateway() -> Generator[str]:
    program = (sys.executable, "-m", "gateway", "serve", "--port", "0", "--with-mocks", str(MOCKS_PORT))
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own program
        lines = iter(cast("IO[str]", process.stdout).readline, "")
        yield (
            next(line for line in lines if line.startswith("documentation: "))
            .split()[1]
            .removesuffix("/docs")
        )
        process.terminate()


def unwrap(result: Result[object, object]) -> object:
    match result:
        case Ok(value):
            return value
        case Err(error):
            msg = f"a call of the benchmark failed: {error}"
            raise RuntimeError(msg)


async def call_sequentially(up: Checkout) -> None:
    user = await up.users.fetch(ORDER.user_id)
    stock = await up.inventory.check(ORDER.product_id, ORDER.quantity)
    payment = await up.payments.validate(ORDER.payment_id)
    if isinstance(user, Err) or isinstance(stock, Err) or isinstance(payment, Err):
        msg = "the benchmark's call to the user, inventory or payment service failed"
        raise RuntimeError(msg)  # noqa: TRY004 - not a wrong type
    subtotal = stock.value.unit_price * ORDER.quantity
    unwrap(await up.fraud.assess(user.value, payment.value, stock.value))
    unwrap(await up.shipping.quote(ORDER.address, stock.value))
    unwrap(await up.pricing.tax(subtotal))
    unwrap(await up.pricing.discount(ORDER.discount_code, subtotal))


async def measure(url: str) -> None:
    urls = {service.name: f"http://127.0.0.1:{MOCKS_PORT + n}" for n, service in enumerate(SERVICES)}
    settings = default_settings(SERVICES).with_urls(urls)
    async with create_transport() as transport, httpx.AsyncClient(base_url=url, trust_env=False) as client:
        clients = {
            connection.name: connection.client for connection in connect(SERVICES, settings, transport)
        }
        up = Checkout(
            Users(clients["user"]),
            Inventory(clients["inventory"]),
            Payments(clients["payment"]),
            Fraud(clients["fraud"]),
            Shipping(clients["shipping"]),
            Pricing(clients["pricing"]),
        )
        rounds = [await measure_round(client, up) for _ in range(WARM_UP + ROUNDS)][WARM_UP:]
    report(rounds)


async def measure_round(client: httpx.AsyncClient, up: Checkout) -> tuple[float, float, float]:
    start = time.perf_counter()
    answer = await client.post(
        "/checkout", content=ORDER.model_dump_json(), headers={"content-type": "application/json"}
    )
    staged = (time.perf_counter() - start) * 1000
    answer.raise_for_status()
    start = time.perf_counter()
    await call_sequentially(up)
    sequential = (time.perf_counter() - start) * 1000
    return staged, sequential, float(answer.headers["server-timing"].rpartition("gateway;dur=")[2])


def report(rounds: Sequence[tuple[float, float, float]]) -> None:
    staged, sequential, overhead = zip(*rounds, strict=True)
    ratios = [slow / quick for quick, slow, _ in rounds]
    for name, figures, unit in (
        ("POST /checkout, in stages", staged, "ms"),
        ("the same calls, in sequence", sequential, "ms"),
        ("POST /checkout, gateway overhead", overhead, "ms"),
        ("in sequence / in stages", ratios, "times"),
    ):
        low, *_, high = statistics.quantiles(figures, n=10)
        print(f"{name:34} {statistics.median(figures):7.2f} {unit}  ({low:.2f} to {high:.2f})")


if __name__ == "__main__":
    with run_gateway() as url:
        uvloop.run(measure(url))
