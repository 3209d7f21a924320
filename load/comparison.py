"""In what an answer is not the one that is due."""

import json
import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Final, NamedTuple

from load.case import SOME, Body, Case, Headers, Json
from load.shelf import CHEAP_UP_TO, PRODUCT, SEEDED

__all__ = ("HEADERS", "VARYING", "Answer", "differences")

VARYING: Final = {
    "request_id": re.compile(".+"),
    "execution_id": re.compile("exe-[0-9a-f]{32}"),
    "order_id": re.compile("ord-[0-9a-f]+"),
    "reservation_id": re.compile("res-[0-9a-f]+"),
    "transfer_id": re.compile("trf-[0-9a-f]+"),
    "notification_id": re.compile("ntf-[0-9a-f]+"),
    "event_id": re.compile("evt-[0-9a-f]+"),
    "balance": re.compile(r"\d+\.\d\d"),  # others move money meanwhile
    "detail": re.compile(r"Out of stock: only \d+ left"),  # others order meanwhile
}
HEADERS: Final = ("Gateway-Completed", "Idempotent-Replayed", "Location")
"""The headers that are compared, spelt so."""

_LOCATION: Final = re.compile("/executions/exe-[0-9a-f]{32}")


class Answer(NamedTuple):
    """What came: a *status* (0 for none at all), a body, and those of `HEADERS` that there were."""

    status: int
    text: str
    headers: Headers


def differences(answer: Answer, case: Case, before: Answer | None = None) -> Iterator[str]:
    """Say in what *answer* is not what *case* must come to, nor what the same request came to *before*."""
    if answer.status != case.status:
        yield f"status {answer.status} instead of {case.status}"
        return
    try:
        body: Json = json.loads(answer.text, object_hook=_settled)
    except ValueError:
        yield "the body is not JSON"
        return
    if isinstance(body, Mapping):
        yield from _differing_fields(body, case.body)
    else:
        yield "the body is no JSON object"
    yield from _differing_headers(answer, case, before)
    if before is not None and answer.text != before.text:
        yield "the body is another one than the first time"


def _differing_fields(body: Body, due: Body) -> Iterator[str]:
    for name in due.keys() - body.keys():
        yield f"{name} is missing"
    for name in body.keys() - due.keys():
        yield f"{name} does not belong there"
    for name in body.keys() & due.keys():
        # Compared as JSON: in Python, 1 and true are equal.
        came, wanted = (json.dumps(fields[name], sort_keys=True) for fields in (body, due))
        if came != wanted:
            yield f"{name} is {came} instead of {wanted}"


def _differing_headers(answer: Answer, case: Case, before: Answer | None) -> Iterator[str]:
    completed = "true" if case.status in {HTTPStatus.OK, HTTPStatus.CREATED} else "false"
    replayed = None if before is None else "true"
    for name, due in (("Gateway-Completed", completed), ("Idempotent-Replayed", replayed)):
        if answer.headers.get(name) != due:
            yield f"{name} is {answer.headers.get(name)} instead of {due}"
    location = answer.headers.get("Location")
    if before is not None and location != before.headers.get("Location"):
        yield f"Location is {location} instead of {before.headers.get('Location')}"
    if (case.status == HTTPStatus.CREATED) != (_LOCATION.fullmatch(location or "") is not None):
        yield f"Location is {location}"


def _settled(part: dict[str, Json]) -> Body:
    """Put one value for what may vary in an object of the answer's JSON.

    The title of 422 is Unprocessable Entity before Python 3.13, and the Python of the gateway need not be
    this one. How many there are of a product depends on how many were ordered; never so few are left that
    anything else does.
    """
    for name, pattern in VARYING.items():
        value = part.get(name)
        if isinstance(value, str) and pattern.fullmatch(value):
            part[name] = SOME
    if part.get("title") == "Unprocessable Entity":
        part["title"] = "Unprocessable Content"
    level = part.get("stock_level")
    if part.get("product_id") == PRODUCT and type(level) is int and CHEAP_UP_TO < level <= SEEDED:
        part["stock_level"] = SOME
    return part
