"""Client of the operator endpoints of a gateway."""

import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final, TypeVar, final

import httpx
from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict  # pydantic refuses typing.TypedDict before Python 3.12

from gateway.api.endpoints.executions import ExecutionPage, ExecutionRecord, StateName
from gateway.client.sanitize import sanitize_text

__all__ = ("OperatorClient", "OperatorError", "open_client")

T = TypeVar("T")

_TIMEOUT: Final = httpx.Timeout(60.0, connect=5.0)
"""Seconds for a response: a retry takes up to 10, and the journal a few more."""

_LARGEST_PAGE: Final = 100
_LONGEST_DETAIL: Final = 300
_NOT_A_GATEWAY: Final = "and not as a gateway does; name the gateway with --url"


class _Problem(TypedDict):
    """The part of a problem that is shown."""

    detail: str


_PROBLEM: Final = TypeAdapter(_Problem)
_PAGE: Final = TypeAdapter(ExecutionPage)
_RECORD: Final = TypeAdapter(ExecutionRecord)


class OperatorError(Exception):
    """The gateway has not done what was requested; the message is a sentence that says why."""


@final
class OperatorClient:
    """Operator of the gateway that *client* has as its base URL; *has_token* says whether it sends a token.

    Each method raises `OperatorError` if the gateway cannot be reached, refuses the request, or if its
    response is not that of a gateway.
    """

    def __init__(self, client: httpx.AsyncClient, *, has_token: bool) -> None:
        self._client = client
        self._has_token = has_token
        self._url: Final = str(client.base_url).rstrip("/")

    async def find(self, execution_id: str) -> ExecutionRecord:
        """Return an execution."""
        return self._parse(_RECORD, await self._send("GET", f"/executions/{execution_id}"))

    async def retry(self, execution_id: str) -> ExecutionRecord:
        """Retry the undos of a stuck execution; return it as it is afterwards."""
        return self._parse(_RECORD, await self._send("POST", f"/executions/{execution_id}/retry"))

    async def list(self, state: StateName | None, limit: int | None) -> ExecutionPage:
        """Return the latest executions in *state* (None: all), at most *limit* (None: no limit)."""
        found: list[ExecutionRecord] = []
        cursor: str | None = None
        while True:
            size = _LARGEST_PAGE if limit is None else min(limit - len(found), _LARGEST_PAGE)
            parameters = {"state": state, "limit": str(size), "cursor": cursor}
            given = {name: value for name, value in parameters.items() if value is not None}
            page = self._parse(_PAGE, await self._send("GET", "/executions", given))
            found += page["executions"]
            cursor = page["cursor"]
            if cursor is None or not page["executions"] or len(found) == limit:
                return {"executions": found, "cursor": cursor}

    async def _send(self, method: str, path: str, query: dict[str, str] | None = None) -> httpx.Response:
        try:
            response = await self._client.request(method, path, params=query)
        except httpx.TimeoutException:
            msg = f"the gateway at {self._url} does not answer; try again later"
            raise OperatorError(msg) from None
        except httpx.TransportError as error:
            msg = f"cannot reach the gateway at {self._url} ({error}); name another one with --url"
            raise OperatorError(msg) from None
        if response.is_success:
            return response
        raise OperatorError(self._explain(response))

    def _parse(self, adapter: TypeAdapter[T], response: httpx.Response) -> T:
        try:
            return adapter.validate_json(response.content)
        except ValidationError:
            msg = f"{self._url} answered, {_NOT_A_GATEWAY}"
            raise OperatorError(msg) from None

    def _explain(self, response: httpx.Response) -> str:
        try:
            problem = _PROBLEM.validate_json(response.content)
        except ValidationError:
            return f"{self._url} answered with status {response.status_code}, {_NOT_A_GATEWAY}"
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            reason = "is not the token sent" if self._has_token else "is required"
            return f"the gateway's operator token {reason}; set GATEWAY_OPERATOR_TOKEN or --token to it"
        return f"{sanitize_text(problem['detail'], _LONGEST_DETAIL)} (status {response.status_code})"


@asynccontextmanager
async def open_client(
    url: str, token: str | None, transport: httpx.AsyncBaseTransport | None = None
) -> AsyncGenerator[OperatorClient]:
    """Open a client for the gateway at *url* with the operator's *token*.

    *transport* sends the requests, by default over the network. The environment has no influence: a proxy
    would make requests look as if they came from another host.
    """
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(
        base_url=url,
        headers=headers,
        timeout=_TIMEOUT,
        transport=transport,
        trust_env=False,
        verify=ssl.create_default_context(),
    ) as client:
        yield OperatorClient(client, has_token=token is not None)
