"""Identity of a request: the call, the undo or the look-up that it belongs to, and its idempotency key."""

import json
import re
from collections.abc import Mapping
from typing import Final, cast
from urllib.parse import parse_qsl

import httpx

from gateway.client.service import Service
from tests.matrix.call_graph import CallGraph

__all__ = ("format_content", "identify_request", "read_key", "without_ids")

_GENERATED_ID: Final = re.compile(r"\b([a-z]{2,3})[-_][0-9a-f]{24,32}\b")


def identify_request(graph: CallGraph, request: httpx.Request) -> str:
    """Return the name of the call, undo or look-up of *graph* that *request* belongs to."""
    method, path = request.method, without_ids(request.url.path)
    for call in graph.calls:
        if (call.method, call.path) == (method, path) and call.content in {None, format_content(request)}:
            return call.name
    for undo in graph.undos:
        if undo.method == method and path.startswith(undo.path):
            return undo.name
        if (lookup := undo.lookup) and (lookup.method, lookup.path) == (method, path):
            return lookup.name
    raise AssertionError(request)


def format_content(request: httpx.Request) -> str:
    """Return the query and the body of *request*."""
    return f"{request.url.query.decode()} {request.content.decode()}"


def read_key(service: Service[object], request: httpx.Request) -> str | None:
    """Return the idempotency key of *request*, None if it has none."""
    if service.key_field is None:
        return cast("str | None", request.headers.get(service.key_header))
    return _parse_body(request).get(service.key_field)


def without_ids(text: str) -> str:
    """Return *text* without generated ids."""
    return _GENERATED_ID.sub(r"\1-", text)


def _parse_body(request: httpx.Request) -> Mapping[str, str]:
    if not request.content:
        return {}
    if request.headers["content-type"] == "application/json":
        return cast("Mapping[str, str]", json.loads(request.content))
    return dict(parse_qsl(request.content.decode()))
