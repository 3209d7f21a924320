"""Requests and responses of all clients, and the invariants that hold for them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, cast

from pydantic_core import from_json

from tests.ledger.service_books import Books, Entry, Execution

__all__ = ("Response", "SentRequest", "WriteRequest", "assert_consistent", "find_repeatable")


@dataclass(frozen=True)
class WriteRequest:
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
    def idempotency_scope(self) -> tuple[str, str | None, str]:
        """The scope of the key, without quotes; requests with the same scope are repeats."""
        assert self.key is not None
        return (self.path, self.token, self.key.strip('"'))


@dataclass(frozen=True)
class Response:
    """A whole response; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Mapping[str, Any]:
        return cast("Mapping[str, Any]", from_json(self.body))

    @property
    def is_final(self) -> bool:
        """Whether this is the response of a run whose commit has begun and ended."""
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
    def stable_parts(self) -> tuple[object, ...]:
        """The parts that every later response to the same request must share."""
        names = ("content-type", "location", "gateway-completed")
        return (self.status, self.body, *(self.headers.get(name) for name in names))


@dataclass(eq=False)
class SentRequest:
    """A request that was sent; it has no response yet, or never gets one if the client disconnected."""

    request: WriteRequest
    answer: Response | None = None
    has_disconnected: bool = field(default=False, kw_only=True)

    @property
    def summary(self) -> str:
        if self.answer is None:
            return "disconnected"
        return f"{self.answer.status}{' again' if self.answer.is_replayed else ''}"


def find_repeatable(asked: Sequence[SentRequest]) -> Sequence[WriteRequest]:
    """Return every distinct request that has a key."""
    found: list[WriteRequest] = []
    for one in asked:
        if one.request.key is not None and one.request not in found:
            found.append(one.request)
    return found


def assert_consistent(asked: Sequence[SentRequest], books: Books, executions: Iterable[Execution]) -> None:
    """Assert that all responses match the final state of the executions and the books."""
    states = {one.execution_id: one.state for one in executions}
    for one in asked:
        if one.answer is None:
            assert one.has_disconnected
        else:
            _assert_response_true(one.request, one.answer, books, states)
    for several in _group_by_key(asked).values():
        _assert_same_response(several)
    known = {one.answer.execution_id for one in asked if one.answer is not None}
    unknown = [name for name, state in states.items() if state == "committed" and name not in known]
    assert len(unknown) <= sum(one.answer is None and one.request.key is None for one in asked)
    # An execution belongs to one key, or to one request.
    owners = Counter(_find_owners(asked).values())
    assert max(owners.values(), default=1) == 1


def _assert_response_true(
    wanted: WriteRequest, answer: Response, books: Books, states: Mapping[str, str]
) -> None:
    assert answer.json.get("code") != "unexpected"
    execution_id = answer.execution_id
    if execution_id is None:  # it failed before its commit, or has asked for something else
        assert answer.status >= 207
        assert not answer.is_replayed
        return
    if answer.status == 201:
        assert states[execution_id] == "committed"
        assert books.entries_in_effect[execution_id] == Counter(_expected_entries(wanted, answer.json))
    elif answer.status == 202:
        # The run that it waited for may have failed before its commit.
        assert states.get(execution_id) in {None, "committed", "undone"}
    else:
        assert answer.status >= 207
        assert states[execution_id] == "undone"


def _assert_same_response(several: Sequence[SentRequest]) -> None:
    """Assert that repeats of one request with one key have the same response."""
    told = [(one.request, one.answer) for one in several if one.answer is not None]
    final = [(wanted, answer) for wanted, answer in told if answer.is_final]
    assert len({answer.stable_parts for _, answer in final}) <= 1
    assert sum(not answer.is_replayed for _, answer in final) <= 1
    assert all(wanted.body == final[0][0].body for wanted, _ in final)
    for wanted, answer in told:
        assert not answer.is_mismatch or any(one.request.body != wanted.body for one in several)
    # The last answer of all is given when nothing is under way any more.
    if final and several[-1].answer is not None:
        assert several[-1].answer.is_mismatch == (several[-1].request.body != final[0][0].body)


def _group_by_key(asked: Sequence[SentRequest]) -> Mapping[object, Sequence[SentRequest]]:
    found: dict[object, list[SentRequest]] = {}
    for one in asked:
        if one.request.key is not None:
            found.setdefault(one.request.idempotency_scope, []).append(one)
    return found


def _find_owners(asked: Sequence[SentRequest]) -> Mapping[object, str]:
    found: dict[object, str] = {}
    for one in asked:
        if one.answer is not None and (execution_id := one.answer.execution_id) is not None:
            owner = one if one.request.key is None else one.request.idempotency_scope
            assert found.setdefault(owner, execution_id) == execution_id
    return found


def _expected_entries(wanted: WriteRequest, told: Mapping[str, Any]) -> Sequence[Entry]:
    """Return the entries in the books after a 201 to the request."""
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
