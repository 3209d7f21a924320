"""Load test for the gateway: successful and failing requests, each with its exact expected response.

    scripts/load --headless --users 50 --spawn-rate 25 --run-time 30s
    scripts/load LuckyShopper UnluckyShopper    (checkouts only)

An expected 4xx is a success. Another status, or a body that differs in any field, is a failure. `load/`
contains the requests and the expected responses.

Reads change nothing, transfers go back and forth, and purchases reserve no stock. Orders do reserve stock: of
the initial 100 items of prod-456, 60 are left for the other requests. After 40 orders, Orderer only repeats
orders that it has placed. The stock stays reserved after a run, so a run that starts with 60 items cannot
place any order, and logs a warning. `curl -X DELETE http://127.0.0.1:8102/_mock` resets the inventory. Each
process would count the stock by itself, so `--processes` requires a list of users without Orderer.

Memory limits the duration of a run. The gateway stores the response to each key for a day, in 2 to 4 kB: 50
users send about 70 000 keys an hour, which is about 200 MB. The mock services keep all writes and the latest
calls until they are reset with `DELETE /_mock` or stopped.
"""

import logging
import sys
import uuid
from collections import deque
from collections.abc import Sequence
from itertools import cycle
from typing import ClassVar, Final

from locust import FastHttpUser, between, events, task
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment

from load import checkout, feed, orders, purchases, transfers
from load.case import Case, draw, repeat_of
from load.comparison import HEADERS, Response, find_differences
from load.order_budget import OrderBudget

_log: Final = logging.getLogger(__name__)


class GatewayUser(FastHttpUser):
    """A user that sends *cases* and compares each response with the expected response."""

    abstract = True
    host = "http://127.0.0.1:8000"
    wait_time = between(0.1, 0.5)
    cases: ClassVar[Sequence[Case]]

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self._cases = draw(self.cases)
        self._is_repeated = {case.name: cycle((True, False, False, False)) for case in self.cases}

    @task
    def call(self) -> None:
        """Send the next case."""
        self.run_case(next(self._cases))

    def run_case(self, case: Case) -> None:
        """Send *case*, with a new key if it is a write."""
        if case.is_write:
            self.write(case, uuid.uuid4().hex)
        else:
            self.send(case)

    def write(self, case: Case, key: str) -> Response | None:
        """Send *case* with *key*; the first time and every fourth time after it, send it twice.

        Return the first response, or None if that was unexpected.
        """
        first = self.send(case, key)
        if first is not None and next(self._is_repeated[case.name]):
            self.send(repeat_of(case), key, first)
        return first

    def send(self, case: Case, key: str | None = None, first: Response | None = None) -> Response | None:
        """Send *case* with *key*, and report its success or failure to locust.

        For a repeat, *first* is the response to the first request. Return the response, or None if it was
        unexpected.
        """
        headers = {**case.headers} if key is None else {**case.headers, "Idempotency-Key": key}
        with self.client.request(
            case.method,
            case.path,
            name=case.title,
            json=case.request_body,
            headers=headers,
            catch_response=True,
        ) as received:
            all_headers = received.headers or {}  # None if there was no response
            compared = {name: str(all_headers.get(name)) for name in HEADERS if name in all_headers}
            response = Response(received.status_code, received.text or "", compared)
            differences = sorted(find_differences(response, case, first))
            if differences:
                received.failure("; ".join(differences))
                return None
            received.success()
            return response


class LuckyShopper(GatewayUser):
    """A shopper whose checkouts succeed: 90 % of the shoppers."""

    weight = 9
    cases = checkout.SUCCESSES


class UnluckyShopper(GatewayUser):
    """A shopper whose checkouts fail: 10 % of the shoppers."""

    weight = 1
    cases = checkout.FAILURES


class Reader(GatewayUser):
    """A reader of feeds."""

    weight = 3
    cases = feed.CASES


class Payer(GatewayUser):
    """A user that transfers the same amount of money back and forth."""

    weight = 2
    cases = transfers.CASES


class Buyer(GatewayUser):
    """A user that makes purchases, which reserve no stock."""

    weight = 2
    cases = purchases.CASES


class Orderer(GatewayUser):
    """A user that places orders while the order budget lasts, then repeats placed orders."""

    weight = 2
    cases = orders.CASES
    budget: ClassVar[OrderBudget] = OrderBudget()

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self._placed = deque[tuple[str, Response]](maxlen=20)

    def run_case(self, case: Case) -> None:
        """Send *case*, but place an order only if the order budget allows it."""
        if not self.budget.is_known:
            self.update_budget()
        match case:
            case orders.ONE_PIECE:
                self.place_order()
            case orders.TOO_MANY:
                self.update_budget()
            case orders.OTHER_BODY:
                self.reuse_key()
            case _:
                self.send(case)

    def place_order(self) -> None:
        """Place an order if the budget allows it, else repeat a placed order if there is one."""
        if self.budget.take():
            key = uuid.uuid4().hex
            response = self.write(orders.ONE_PIECE, key)
            self.budget.complete(is_placed=response is not None)
            if response is not None:
                self._placed.append((key, response))
        elif self._placed:
            self._placed.rotate()
            self.send(repeat_of(orders.ONE_PIECE), *self._placed[0])

    def update_budget(self) -> None:
        """Order more than is in stock, and update the budget with the stock level in the response."""
        completed = self.budget.completed
        response = self.send(orders.TOO_MANY)
        warning = response and self.budget.update(orders.parse_stock_level(response.text), completed)
        if warning:
            _log.warning(warning)

    def reuse_key(self) -> None:
        """Send a different order with the key of a placed order; send nothing if no order was placed."""
        if self._placed:
            key, _ = self._placed[0]
            self.send(orders.OTHER_BODY, key)


@events.init_command_line_parser.add_listener
def refuse_several_processes(parser: LocustArgumentParser, **_: object) -> None:
    """Exit if Orderer would run in several processes, each with an order budget of its own.

    Checked here because locust starts the processes before any later event.
    """
    options, _unknown = parser.parse_known_args()
    users = {user.__name__ for user in GatewayUser.__subclasses__()}
    if (options.processes or options.master) and Orderer.__name__ in (options.user_classes or users):
        sys.exit(
            "Orderer cannot run in several processes; omit --processes and --master, or select users: "
            f"scripts/load --processes N {' '.join(sorted(users - {Orderer.__name__}))}"
        )


@events.test_start.add_listener
def reset_budget(**_: object) -> None:
    """Start each run with an unknown stock level."""
    Orderer.budget = OrderBudget()


@events.test_stop.add_listener
def warn_without_orders(environment: Environment, **_: object) -> None:
    """Log a warning if no order was placed."""
    if Orderer in environment.user_classes and not Orderer.budget.placed:
        _log.warning("No order was placed in this run")
