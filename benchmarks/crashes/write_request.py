"""Requests for pipelines that write."""

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ("Kind", "WriteRequest")


@dataclass(frozen=True)
class WriteRequest:
    """A request with an idempotency *key*; *token* is the bearer token, if it needs one."""

    path: str
    body: Mapping[str, object]
    key: str
    token: str | None = None

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers of the request."""
        token = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        return {"Idempotency-Key": self.key, **token}


@dataclass(frozen=True)
class Kind:
    """A kind of request, and the *status* of its answer if nothing fails.

    A status of 4xx is a refusal in the midst of the commit, whose earlier writes are undone. If there is a
    *mark*, this field has the key of the request, by which the services' records can be told apart.
    """

    path: str
    body: Mapping[str, object]
    status: int
    token: str | None = None
    mark: str | None = None

    def create(self, key: str) -> WriteRequest:
        """Return a request of this kind, with an idempotency *key* of its own."""
        mark = {} if self.mark is None else {self.mark: key}
        return WriteRequest(self.path, {**self.body, **mark}, key, self.token)
