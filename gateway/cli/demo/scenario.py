"""What can be played: a request to a pipeline or two, and what must come of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias, final

from gateway.cli.demo.expected import Again, Answer
from gateway.cli.demo.matchers import Due

__all__ = ("Calls", "Fault", "Pipeline", "Request", "Scenario", "post")

Calls: TypeAlias = tuple[str, ...]
"""Names of calls, in the order in which they are made: that of the pipeline."""

_JSON: Final[Mapping[str, str]] = {"Content-Type": "application/json"}


@final
@dataclass(frozen=True, slots=True)
class Pipeline:
    """The calls that a pipeline can make, stage by stage, and the *undos* of those that write."""

    name: str
    stages: tuple[Calls, ...]
    undos: Calls = ()

    @property
    def calls(self) -> Calls:
        """Name every call, but for the undos."""
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
class Fault:
    """Something that a *service* does wrong, in the words of its `/_mock/faults`."""

    service: str
    path_prefix: str
    kind: Literal["status", "latency", "hang", "drop", "garbage", "truncate", "drop_after_write"]
    method: Literal["GET", "POST", "DELETE"] | None = None
    status: int | None = None
    latency_ms: int | None = None
    times: int | None = None


@final
@dataclass(frozen=True, slots=True)
class Scenario:
    """A request, the answer that is due, and the calls that must be made for it: those and no others.

    Of these, the *cancelled* must be cut short, and the *cancellable* may be, if they have not answered when
    another fails. *faults* are what services do wrong; the *dead* are not there at all. *first* is sent
    before, and answered before; its calls count as well. *left* is what the services remember afterwards, by
    service and field; what it does not name must be as it was. *settings* are those of the gateway that are
    not the defaults.
    """

    pipeline: Pipeline
    name: str
    request: Request
    answer: Answer | Again
    calls: Calls
    cancelled: Calls = ()
    cancellable: Calls = ()
    faults: tuple[Fault, ...] = ()
    dead: tuple[str, ...] = ()
    first: tuple[Request, Answer] | None = None
    left: Mapping[str, Due] = field(default_factory=dict[str, Due])
    settings: tuple[tuple[str, int], ...] = ()

    @property
    def exchanges(self) -> tuple[tuple[Request, Answer | Again], ...]:
        """Give each request and its answer, in the order in which they are sent."""
        last = (self.request, self.answer)
        return (last,) if self.first is None else (self.first, last)


def post(path: str, body: str, headers: Mapping[str, str] | None = None) -> Request:
    """Make a request that sends *body* as JSON, with *headers*."""
    return Request("POST", path, body, {**_JSON, **(headers or {})})
