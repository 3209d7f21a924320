"""What callers have asked for and been told, and what must be true of that whatever has happened."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, cast

from pydantic_core import from_json

from tests.ledger.service_books import Books, Entry, Execution

__all__ = ("Answer", "Asked", "Wanted", "assert_told_the_truth", "worth_asking_again")


@dataclass(frozen=True)
class Wanted:
    """A request for a pipeline that writes."""

    path: str
    body: Mapping[str, object]
    key: str | None = None
    token: str | None = None

    @property
    def headers(self) -> Mapping[str, str]:
        key = {} if self.key is None else {"Idempotency-Key": self.key}
        token = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        return {"Content-Type": "application/json", **key, **token}

    @property
    def binding(self) -> tuple[str, str | None, str]:
        """Give what the key, which may be quoted, is bound to: requests that share it are the same."""
        assert self.key is not None
        return (self.path, self.token, self.key.strip('"'))


@dataclass(frozen=True)
class Answer:
    """What came back, whole; the names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Mapping[str, Any]:
        return cast("Mapping[str, Any]", from_json(self.body))

    @property
    def is_final(self) -> bool:
        """Tell whether it is the answer of a run whose commit had begun and has ended."""
        return self.status != 202 and self.execution_id is not None

    @property
    def execution_id(self) -> str | None:
        where = self.headers.get("location")
        return self.json.get("execution_id") if where is None else where.removeprefix("/executions/")

    @property
    def is_replayed(self) -> bool:
        return self.headers.get("idempotent-replayed") == "true"

    @property
    def is_mismatch(self) -> bool:
        return bool(self.json.get("code") == "idempotency-mismatch")

    @property
    def kept(self) -> tuple[object, ...]:
        """Give what every later answer to the same has to have in common with it."""
        names = ("content-type", "location", "gateway-completed")
        return (self.status, self.body, *(self.headers.get(name) for name in names))


@dataclass(eq=False)
class Asked:
    """A request that was made; no answer yet, or none ever where the caller has hung up."""

    wanted: Wanted
    answer: Answer | None = None
    has_hung_up: bool = field(default=False, kw_only=True)

    @property
    def told(self) -> str:
        if self.answer is None:
            return "hung up"
        return f"{self.answer.status}{' again' if self.answer.is_replayed else ''}"


def worth_asking_again(asked: Sequence[Asked]) -> Sequence[Wanted]:
    """Give every request that has a key, once."""
    found: list[Wanted] = []
    for one in asked:
        if one.wanted.key is not None and one.wanted not in found:
            found.append(one.wanted)
    return found


def assert_told_the_truth(asked: Sequence[Asked], books: Books, executions: Iterable[Execution]) -> None:
    """Hold all answers to what has become of the executions in the end, and to the books."""
    states = {one.execution_id: one.state for one in executions}
    for one in asked:
        if one.answer is None:
            assert one.has_hung_up
        else:
            _assert_true(one.wanted, one.answer, books, states)
    for several in _by_key(asked).values():
        _assert_one_and_the_same(several)
    known = {one.answer.execution_id for one in asked if one.answer is not None}
    unknown = [name for name, state in states.items() if state == "committed" and name not in known]
    assert len(unknown) <= sum(one.answer is None and one.wanted.key is None for one in asked)
    # An execution belongs to one key, or to one request.
    owners = Counter(_owners(asked).values())
    assert max(owners.values(), default=1) == 1


def _assert_true(wanted: Wanted, answer: Answer, books: Books, states: Mapping[str, str]) -> None:
    assert answer.json.get("code") != "unexpected"
    execution_id = answer.execution_id
    if execution_id is None:  # it failed before its commit, or has asked for something else
        assert answer.status >= 207
        assert not answer.is_replayed
        return
    if answer.status == 201:
        assert states[execution_id] == "committed"
        assert books.standing[execution_id] == Counter(_written(wanted, answer.json))
    elif answer.status == 202:
        # The run that it waited for may have failed before its commit.
        assert states.get(execution_id) in {None, "committed", "undone"}
    else:
        assert answer.status >= 207
        assert states[execution_id] == "undone"


def _assert_one_and_the_same(several: Sequence[Asked]) -> None:
    """Hold requests that share a key to one answer for those that ask for the same."""
    told = [(one.wanted, one.answer) for one in several if one.answer is not None]
    final = [(wanted, answer) for wanted, answer in told if answer.is_final]
    assert len({answer.kept for _, answer in final}) <= 1
    assert sum(not answer.is_replayed for _, answer in final) <= 1
    assert all(wanted.body == final[0][0].body for wanted, _ in final)
    for wanted, answer in told:
        assert not answer.is_mismatch or any(one.wanted.body != wanted.body for one in several)
    # The last answer of all is given when nothing is under way any more.
    if final and several[-1].answer is not None:
        assert several[-1].answer.is_mismatch == (several[-1].wanted.body != final[0][0].body)


def _by_key(asked: Sequence[Asked]) -> Mapping[object, Sequence[Asked]]:
    found: dict[object, list[Asked]] = {}
    for one in asked:
        if one.wanted.key is not None:
            found.setdefault(one.wanted.binding, []).append(one)
    return found


def _owners(asked: Sequence[Asked]) -> Mapping[object, str]:
    found: dict[object, str] = {}
    for one in asked:
        if one.answer is not None and (execution_id := one.answer.execution_id) is not None:
            owner = one if one.wanted.key is None else one.wanted.binding
            assert found.setdefault(owner, execution_id) == execution_id
    return found


def _written(wanted: Wanted, told: Mapping[str, Any]) -> Sequence[Entry]:
    """Say what must stand in the books if *wanted* was answered with 201."""
    body = {name: str(value) for name, value in wanted.body.items()}
    match wanted.path:
        case "/transfers":
            amount = str(Decimal(body["amount"]).quantize(Decimal("0.01")))
            terms = (body["from_account"], body["to_account"], amount)
            assert (told["amount"], told["status"]) == (amount, "completed")
            return [("postings", *terms), ("transfers", *terms, told["transfer_id"])]
        case "/orders":
            reservation = told["reservation"]
            assert reservation["quantity"] == wanted.body["quantity"]
            return [("reservations", body["product_id"], body["quantity"], reservation["reservation_id"])]
        case _:
            terms = (body["user_id"], body["product_id"], body["quantity"])
            return [("orders", *terms, told["order"]["order_id"])]
