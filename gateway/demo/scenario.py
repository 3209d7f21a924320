"""What can be played: a request to a pipeline, and what must come of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias, final

from gateway.demo.answer import Answer
from gateway.demo.broken import Breakage

__all__ = ("Calls", "Pipeline", "Request", "Scenario", "post")

Calls: TypeAlias = tuple[str, ...]
"""Names of calls, in the order in which the pipeline names them."""

_JSON: Final[Mapping[str, str]] = {"Content-Type": "application/json"}


@final
@dataclass(frozen=True, slots=True)
class Pipeline:
    """The calls that a pipeline can make, stage by stage."""

    name: str
    stages: tuple[Calls, ...]

    @property
    def calls(self) -> Calls:
        """Name every call."""
        return tuple(name for stage in self.stages for name in stage)

    def without(self, made: Calls) -> Calls:
        """Name the calls that are not among *made*."""
        return tuple(name for name in self.calls if name not in made)


@final
@dataclass(frozen=True, slots=True)
class Request:
    """What is sent to the gateway."""

    method: str
    path: str
    body: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@final
@dataclass(frozen=True, slots=True)
class Scenario:
    """A request, the answer that is due, and the calls that must be made for it: those and no others.

    Of these, the *cancellable* may be cut short, if they have not answered when another fails. *broken* names
    the services that are out of order, and how.
    """

    pipeline: Pipeline
    name: str
    request: Request
    answer: Answer
    calls: Calls
    cancellable: Calls = ()
    broken: Mapping[str, Breakage] = field(default_factory=dict[str, Breakage])


def post(path: str, body: str, headers: Mapping[str, str] | None = None) -> Request:
    """Make a request that sends *body* as JSON, with *headers*."""
    return Request("POST", path, body, {**_JSON, **(headers or {})})
