"""Comparison of the received with the expected response."""

import json
import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Final, NamedTuple

from load.case import ANY, Body, Case, Headers, Json
from load.order_budget import INITIAL_STOCK, LOW_STOCK, PRODUCT

__all__ = ("HEADERS", "VARYING", "Response", "find_differences")

VARYING: Final = {
    "request_id": re.compile(".+"),
    "execution_id": re.compile("exe-[0-9a-f]{32}"),
    "order_id": re.compile("ord-[0-9a-f]+"),
    "reservation_id": re.compile("res-[0-9a-f]+"),
    "transfer_id": re.compile("trf-[0-9a-f]+"),
    "notification_id": re.compile("ntf-[0-9a-f]+"),
    "event_id": re.compile("evt-[0-9a-f]+"),
    "balance": re.compile(r"\d+\.\d\d"),  # depends on concurrent transfers
    "detail": re.compile(r"Out of stock: only \d+ left"),  # depends on concurrent orders
}
HEADERS: Final = ("Gateway-Completed", "Idempotent-Replayed", "Location")
"""The headers that are compared."""

_LOCATION: Final = re.compile("/executions/exe-[0-9a-f]{32}")


class Response(NamedTuple):
    """A received response, with its `HEADERS` only; *status* is 0 if there was no response."""

    status: int
    text: str
    headers: Headers


def find_differences(response: Response, case: Case, first: Response | None = None) -> Iterator[str]:
    """Yield the differences between *response* and the expected response of *case*.

    For a repeated request, also yield the differences from the *first* response. If the status is wrong, that
    is the only difference yielded.
    """
    if response.status != case.status:
        yield f"status {response.status} instead of {case.status}"
        return
    try:
        body: Json = json.loads(response.text, object_hook=_mask_varying)
    except ValueError:
        yield "the body is not JSON"
        return
    if isinstance(body, Mapping):
        yield from _compare_fields(body, case.response_body)
    else:
        yield "the body is not a JSON object"
    yield from _compare_headers(response, case, first)
    if first is not None and response.text != first.text:
        yield "the body differs from the first response's"


def _compare_fields(body: Body, expected: Body) -> Iterator[str]:
    for name in expected.keys() - body.keys():
        yield f"{name} is missing"
    for name in body.keys() - expected.keys():
        yield f"{name} is not expected"
    for name in body.keys() & expected.keys():
        # Compared as JSON: in Python, 1 and True are equal.
        found, wanted = (json.dumps(fields[name], sort_keys=True) for fields in (body, expected))
        if found != wanted:
            yield f"{name} is {found} instead of {wanted}"


def _compare_headers(response: Response, case: Case, first: Response | None) -> Iterator[str]:
    completed = "true" if case.status in {HTTPStatus.OK, HTTPStatus.CREATED} else "false"
    replayed = None if first is None else "true"
    for name, expected in (("Gateway-Completed", completed), ("Idempotent-Replayed", replayed)):
        if response.headers.get(name) != expected:
            yield f"{name} is {response.headers.get(name)} instead of {expected}"
    location = response.headers.get("Location")
    if first is not None and location != first.headers.get("Location"):
        yield f"Location is {location} instead of {first.headers.get('Location')}"
    if (case.status == HTTPStatus.CREATED) != (_LOCATION.fullmatch(location or "") is not None):
        yield f"unexpected Location: {location}"


def _mask_varying(fields: dict[str, Json]) -> Body:
    """Normalize *fields* in place, and return them.

    Values that vary become `ANY`. The stock level varies with concurrent orders, but the order budget keeps
    it above `LOW_STOCK`.
    """
    for name, pattern in VARYING.items():
        value = fields.get(name)
        if isinstance(value, str) and pattern.fullmatch(value):
            fields[name] = ANY
    level = fields.get("stock_level")
    if fields.get("product_id") == PRODUCT and type(level) is int and LOW_STOCK < level <= INITIAL_STOCK:
        fields["stock_level"] = ANY
    return fields
