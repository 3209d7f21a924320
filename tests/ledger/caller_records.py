"""Requests and responses of all clients, and the invariants that hold for them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, cast

from pydantic_core import from_json

from tests.ledger.service_books import Books, Entry, Execution

__all__ = ("Response", "SentRequest", "WriteRequest", "assert_consistent", "find_repeatable")

_NOT_FINAL: Final = (202, 502, 503, 504)


@dataclass(frozen=True)
class WriteRequest:
    """A request to a pipeline that writes."""

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
        """Path, token, and key without quotes: requests that share all three belong to the same execution."""
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
        """True if the run has begun its commit, and its key is not free again, also after an undo of it."""
        is_stuck = self.json.get("code") == "stuck"
        return self.status not in _NOT_FINAL and not is_stuck and self.execution_id is not None

    @property
    def execution_id(self) -> str | None:
        location = self.headers.get("location")
        return self.json.get("execution_id") if location is None else location.removeprefix("/executions/")

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
    """A request that was sent; *answer* is None before the response, or if the client disconnected."""

    request: WriteRequest
    answer: Response | None = None
    has_disconnected: bool = field(default=False, kw_only=True)

    @property
    def summary(self) -> str:
        if self.answer is None:
            return "disconnected"
        return f"{self.answer.status}{' replayed' if self.answer.is_replayed else ''}"


def find_repeatable(sent: Sequence[SentRequest]) -> Sequence[WriteRequest]:
    """Return every distinct request that has a key."""
    found: list[WriteRequest] = []
    for item in sent:
        if item.request.key is not None and item.request not in found:
            found.append(item.request)
    return found


def assert_consistent(sent: Sequence[SentRequest], books: Books, executions: Iterable[Execution]) -> None:
    """Assert that all responses match the final state of the executions and the books."""
    states = {execution.execution_id: execution.state for execution in executions}
    for item in sent:
        if item.answer is None:
            assert item.has_disconnected
        else:
            _assert_response_true(item.request, item.answer, books, states)
    for repeats in _group_by_key(sent).values():
        _assert_same_response(repeats)
    known = {item.answer.execution_id for item in sent if item.answer is not None}
    unknown = [name for name, state in states.items() if state == "committed" and name not in known]
    assert len(unknown) <= sum(item.answer is None and item.request.key is None for item in sent)
    # An execution belongs to a single key or, without a key, to a single request.
    owners = Counter(_find_owners(sent).values())
    assert max(owners.values(), default=1) == 1


def _assert_response_true(
    request: WriteRequest, answer: Response, books: Books, states: Mapping[str, str]
) -> None:
    assert answer.json.get("code") != "unexpected"
    execution_id = answer.execution_id
    if execution_id is None:  # the request failed before its commit, or reused a key with another body
        assert answer.status >= 207
        assert not answer.is_replayed
        return
    if answer.status == 201:
        assert states[execution_id] == "committed"
        assert books.entries_in_effect[execution_id] == Counter(_list_expected_entries(request, answer.json))
    elif answer.status == 202:
        # The run that the request waited for may have failed before its commit.
        assert states.get(execution_id) in {None, "committed", "undone"}
    elif answer.is_final:
        assert answer.status >= 207
        assert states[execution_id] == "undone"
    else:  # a later attempt may have been committed
        assert states[execution_id] in {"committed", "undone"}


def _assert_same_response(repeats: Sequence[SentRequest]) -> None:
    """Assert that requests with the same key have the same response."""
    answered = [(item.request, item.answer) for item in repeats if item.answer is not None]
    final = [(request, answer) for request, answer in answered if answer.is_final]
    assert len({answer.stable_parts for _, answer in final}) <= 1
    assert sum(not answer.is_replayed for _, answer in final) <= 1
    assert all(request.body == final[0][0].body for request, _ in final)
    for request, answer in answered:
        assert not answer.is_mismatch or any(item.request.body != request.body for item in repeats)
    # The last request is sent after all others have ended.
    if final and repeats[-1].answer is not None:
        assert repeats[-1].answer.is_mismatch == (repeats[-1].request.body != final[0][0].body)


def _group_by_key(sent: Sequence[SentRequest]) -> Mapping[object, Sequence[SentRequest]]:
    found: dict[object, list[SentRequest]] = {}
    for item in sent:
        if item.request.key is not None:
            found.setdefault(item.request.idempotency_scope, []).append(item)
    return found


def _find_owners(sent: Sequence[SentRequest]) -> Mapping[object, str]:
    found: dict[object, str] = {}
    for item in sent:
        if item.answer is not None and (execution_id := item.answer.execution_id) is not None:
            owner = item if item.request.key is None else item.request.idempotency_scope
            assert found.setdefault(owner, execution_id) == execution_id
    return found


def _list_expected_entries(request: WriteRequest, response: Mapping[str, Any]) -> Sequence[Entry]:
    """Return the entries that must be in the books after *request* got a 201 with the body *response*."""
    body = {name: str(value) for name, value in request.body.items()}
    match request.path:
        case "/transfers":
            amount = str(Decimal(body["amount"]).quantize(Decimal("0.01")))
            terms = (body["from_account"], body["to_account"], amount)
            assert (response["amount"], response["status"]) == (amount, "completed")
            return [("postings", *terms), ("transfers", *terms, response["transfer_id"])]
        case "/orders":
            reservation = response["reservation"]
            assert reservation["quantity"] == request.body["quantity"]
            return [("reservations", body["product_id"], body["quantity"], reservation["reservation_id"])]
        case _:
            terms = (body["user_id"], body["product_id"], body["quantity"])
            return [("orders", *terms, response["order"]["order_id"])]
