"""Compensation of a write: the request of an undo, built from the key of the write or from its answer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, cast, final

from gateway.client.operations.endpoint import Endpoint
from gateway.client.operations.key_placement import KeyPlacement
from gateway.client.operations.parameters import Parameters, Scalar
from gateway.client.operations.request import Request
from gateway.client.operations.request_body import ABSENT, Form
from gateway.railway import Gone, Key, Result, UpstreamFault

__all__ = ("Compensation", "RequestParts")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RequestParts:
    """Parts of the request of an undo, as in the call of an operation; *path* has the path parameters."""

    path: Mapping[str, str | int] = field(default_factory=dict[str, str | int])
    query: Parameters | None = None
    headers: Mapping[str, str] | None = field(default=None, repr=False)
    body: object = ABSENT
    form: Form | None = None


_NO_PARTS: Final = RequestParts()


@final
class Compensation:
    """Request of an undo, and its parts for a key or an answer; *build_parts* is None if it has no parts."""

    def __init__(
        self,
        endpoint: Endpoint[None, Gone],
        build_parts: Callable[[object], RequestParts] | None,
        keys: KeyPlacement | None,
    ) -> None:
        self._endpoint = endpoint
        self._build_parts = build_parts
        self._keys = keys

    @property
    def name(self) -> str:
        """Return the name of the undo."""
        return self._endpoint.name

    @property
    def answer_parameters(self) -> Sequence[str]:
        """Return the path parameters that are not the key of the write."""
        return [name for name in self._endpoint.path.parameters if name != "key"]

    async def make(self, request: Request[None, Gone]) -> Result[None, Gone | UpstreamFault]:
        """Make a *request* that this compensation has built; `Gone` if there is nothing to undo any more."""
        return await self._endpoint.connection.make(request)

    def build(self, key: Key) -> Request[None, Gone]:
        """Build the request for the write under *key*."""
        parts = _NO_PARTS if self._build_parts is None else self._build_parts(key)
        return self._build(key, key, parts, parts.path)

    def build_with_answer(self, key: Key, answer: object) -> Request[None, Gone]:
        """Build the request for the write under *key*, whose service has given *answer*.

        The path parameters that the parts lack are attributes of *answer*.
        """
        parts = _NO_PARTS if self._build_parts is None else self._build_parts(answer)
        missing = [name for name in self.answer_parameters if name not in parts.path]
        path = {**parts.path, **{name: _read_attribute(answer, name) for name in missing}}
        # Many services refuse the key of the write for another request.
        return self._build(key, Key(f"{key}.undo"), parts, path)

    def _build(
        self, key: Key, sent_key: Key, parts: RequestParts, path: Mapping[str, Scalar]
    ) -> Request[None, Gone]:
        if "key" in self._endpoint.path.parameters:
            path = {**path, "key": key}
        body = parts.body
        if self._keys is not None and body is ABSENT and parts.form is None:
            body = self._keys.default_body
        request = self._endpoint.build(body, parts.form, parts.query, parts.headers, path)
        if self._keys is None or self._keys.is_taken(parts.headers or {}, body, parts.form):
            return request
        return self._keys.add(request, sent_key)


def _read_attribute(answer: object, name: str) -> Scalar:
    # The type of the value is checked when the path is filled.
    if isinstance(answer, Mapping):
        return cast("Mapping[str, Scalar]", answer)[name]
    return cast("Scalar", getattr(answer, name))
