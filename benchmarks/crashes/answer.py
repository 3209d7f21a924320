"""Answers of the gateway, and exchanges of a client, which end with one."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from typing_extensions import override

from benchmarks.crashes.write_request import WriteRequest

__all__ = ("Answer", "Exchange")

_STABLE_HEADERS: Final = ("content-type", "location", "gateway-completed")
_CREATED: Final = 201
_ACCEPTED: Final = 202
_REPEATABLE: Final = frozenset({_ACCEPTED, 429, 502, 503, 504})
"""Statuses after which a client repeats its request."""


@dataclass(frozen=True)
class Answer:
    """A whole answer; the names of *headers* are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Mapping[str, Any]:
        """The body as JSON."""
        return cast("Mapping[str, Any]", json.loads(self.body))

    @property
    def is_final(self) -> bool:
        """True if a client need not repeat its request."""
        return self.status not in _REPEATABLE

    @property
    def is_stuck(self) -> bool:
        """True if the answer says that writes could not be undone."""
        return self.status == 500 and self.json.get("code") == "stuck"  # noqa: PLR2004 - a status

    @property
    def execution_id(self) -> str | None:
        """The execution, if a commit began."""
        location = self.headers.get("location")
        found: str | None = self.json.get("execution_id") if location is None else location.rpartition("/")[2]
        return found

    @property
    def stable_parts(self) -> tuple[object, ...]:
        """The parts that the answer to a repeated request must have in common.

        Not the body of a stuck execution: if a crash is the reason, there is no stored answer.
        """
        if self.is_stuck:
            return (self.status, "stuck")
        return (self.status, self.body, *(self.headers.get(name) for name in _STABLE_HEADERS))

    @override
    def __str__(self) -> str:
        return f"{self.status} {self.body.decode()[:300]}"


@dataclass(eq=False)
class Exchange:
    """A *request* and its *answer*, for which the client has waited *seconds*, in a number of *attempts*.

    If the client *is_faithful*, it repeats its request until it has a final answer. Otherwise it sends it
    once; *answer* is None if it has gone before the answer.
    """

    request: WriteRequest
    is_faithful: bool = True
    answer: Answer | None = None
    seconds: float = 0.0
    attempts: int = 0
    seen: list[Answer] = field(default_factory=list[Answer])
    """The answers before the last one."""

    @property
    def is_successful(self) -> bool:
        """True if the answer is 201."""
        return self.answer is not None and self.answer.status == _CREATED

    @property
    def body(self) -> Mapping[str, Any]:
        """The body of the answer, {} if there is none."""
        return {} if self.answer is None else self.answer.json

    @property
    def execution_id(self) -> str | None:
        """The execution, if an answer names it."""
        answers = [*self.seen, *([] if self.answer is None else [self.answer])]
        return next((answer.execution_id for answer in answers if answer.execution_id is not None), None)
