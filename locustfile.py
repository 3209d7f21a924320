"""Load for the gateway: requests that go well and requests that fail, each held to what it must come to.

    scripts/load --headless --users 50 --spawn-rate 25 --run-time 30s
    scripts/load LuckyShopper UnluckyShopper    (checkouts only)

An expected 4xx is a success; another status, or a body that differs in any field, is a failure of the
gateway. `load/` says what is sent and what is due.

Reads change nothing, money goes there and back, and purchases put nothing aside. Orders do: of the 100 of
prod-456 that there are at first, 60 are left for the other requests. After the 40th order, in this run or in
earlier ones, those that were placed are sent again; a run that begins so has none, and says so on stderr.
`curl -X DELETE http://127.0.0.1:8102/_mock` makes the inventory as new. What has been ordered is counted in
one process: `--processes` is refused unless Orderer is left out.

How long it can go on is a matter of memory. The gateway keeps the answer to each key for a day, in 2 to 4
kB: 50 users have some 70 000 an hour, which is about 200 MB. The mock services keep what was written, and a
log of their calls, until `DELETE /_mock` or their end.
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
from load.case import Case, again, dealt
from load.comparison import HEADERS, Answer, differences
from load.shelf import Shelf

_log: Final = logging.getLogger(__name__)


class Caller(FastHttpUser):
    """Somebody who sends *cases* and holds each answer to what it must be."""

    abstract = True
    host = "http://127.0.0.1:8000"
    wait_time = between(0.1, 0.5)
    cases: ClassVar[Sequence[Case]]

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self._deck = dealt(self.cases)
        self._again = {case.name: cycle((True, False, False, False)) for case in self.cases}

    @task
    def call(self) -> None:
        """Play the next case."""
        self.play(next(self._deck))

    def play(self, case: Case) -> None:
        """Send *case*, under a key of its own if it writes."""
        if case.writes:
            self.write(case, uuid.uuid4().hex)
        else:
            self.send(case)

    def write(self, case: Case, key: str) -> Answer | None:
        """Send *case* under *key*, and sometimes once more; give what came, if it is what must come."""
        before = self.send(case, key)
        if before is not None and next(self._again[case.name]):
            self.send(again(case), key, before)
        return before

    def send(self, case: Case, key: str | None = None, before: Answer | None = None) -> Answer | None:
        """Send *case* under *key*; give what came, if it is what must come."""
        headers = {**case.headers} if key is None else {**case.headers, "Idempotency-Key": key}
        with self.client.request(
            case.method, case.path, name=case.title, json=case.sent, headers=headers, catch_response=True
        ) as came:
            had = came.headers or {}  # there are none if nothing came
            shown = {name: str(had.get(name)) for name in HEADERS if name in had}
            answer = Answer(came.status_code, came.text or "", shown)
            wrong = sorted(differences(answer, case, before))
            if wrong:
                came.failure("; ".join(wrong))
                return None
            came.success()
            return answer


class LuckyShopper(Caller):
    """Nine in ten look at something that can be had."""

    weight = 9
    cases = checkout.LUCKY


class UnluckyShopper(Caller):
    """One in ten looks at something that cannot be had."""

    weight = 1
    cases = checkout.UNLUCKY


class Reader(Caller):
    """Somebody who reads feeds."""

    weight = 3
    cases = feed.CASES


class Payer(Caller):
    """Somebody who moves as much money there as back."""

    weight = 2
    cases = transfers.CASES


class Buyer(Caller):
    """Somebody who buys, which puts nothing aside."""

    weight = 2
    cases = purchases.CASES


class Orderer(Caller):
    """Somebody who orders, as long as enough is left for others, and then orders again what was ordered."""

    weight = 2
    cases = orders.CASES
    shelf: ClassVar[Shelf] = Shelf()

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self._ordered = deque[tuple[str, Answer]](maxlen=20)

    def play(self, case: Case) -> None:
        """Send *case* as the state of the shelf allows."""
        if not self.shelf.is_known:
            self.count()
        match case:
            case orders.ONE_PIECE:
                self.order()
            case orders.TOO_MANY:
                self.count()
            case orders.OTHER_BODY:
                self.order_otherwise()
            case _:
                self.send(case)

    def order(self) -> None:
        """Order one if there is one to be had, else one of those that were ordered."""
        if self.shelf.take():
            key = uuid.uuid4().hex
            before = self.write(orders.ONE_PIECE, key)
            self.shelf.end(placed=before is not None)
            if before is not None:
                self._ordered.append((key, before))
        elif self._ordered:
            self._ordered.rotate()
            self.send(again(orders.ONE_PIECE), *self._ordered[0])

    def count(self) -> None:
        """Order more than there are, which tells how many there are."""
        ended = self.shelf.ended
        answer = self.send(orders.TOO_MANY)
        warning = answer and self.shelf.told(orders.level_in(answer.text), ended)
        if warning:
            _log.warning(warning)

    def order_otherwise(self) -> None:
        """Order something else under the key of what was ordered."""
        if self._ordered:
            key, _ = self._ordered[0]
            self.send(orders.OTHER_BODY, key)


@events.init_command_line_parser.add_listener
def refuse_to_share(parser: LocustArgumentParser, **_: object) -> None:
    """Refuse several processes if each of them would count for itself what can be ordered.

    It is done here because locust has begun the processes before any later event.
    """
    options, _unknown = parser.parse_known_args()
    users = {user.__name__ for user in Caller.__subclasses__()}
    if (options.processes or options.master) and Orderer.__name__ in (options.user_classes or users):
        sys.exit(
            "What can be ordered is counted in one process: leave out --processes and --master, or orders: "
            f"scripts/load --processes N {' '.join(sorted(users - {Orderer.__name__}))}"
        )


@events.test_start.add_listener
def begin(**_: object) -> None:
    """Know nothing yet of what can be ordered."""
    Orderer.shelf = Shelf()


@events.test_stop.add_listener
def end(environment: Environment, **_: object) -> None:
    """Say so if nothing was ordered that should have been."""
    if Orderer in environment.user_classes and not Orderer.shelf.placed:
        _log.warning("No order was placed in this run")
