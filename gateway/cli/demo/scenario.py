"""A scenario: one or two requests to a pipeline, and the expected outcome."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias, final

from gateway.cli.demo.expected import Answer, Replay
from gateway.cli.demo.matchers import ExpectedJson

__all__ = ("Calls", "Fault", "Pipeline", "Request", "Scenario", "post")

Calls: TypeAlias = tuple[str, ...]
"""Names of calls, in the order in which the pipeline makes them."""

_JSON: Final[Mapping[str, str]] = {"Content-Type": "application/json"}


@final
@dataclass(frozen=True, slots=True)
class Pipeline:
    """The calls that a pipeline can make, stage by stage, and the *undos* of its writes."""

    name: str
    stages: tuple[Calls, ...]
    undos: Calls = ()

    @property
    def calls(self) -> Calls:
        """Return the names of all calls, without the undos."""
        return tuple(name for stage in self.stages for name in stage)

    def without(self, made: Calls) -> Calls:
        """Return the names of the calls that are not in *made*."""
        return tuple(name for name in self.calls if name not in made)


@final
@dataclass(frozen=True, slots=True)
class Request:
    """A request to the gateway."""

    method: str
    path: str
    body: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@final
@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of a mock *service*; the other fields are sent to the service's `/_mock/faults` endpoint."""

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
    """A request, its expected answer, and exactly the calls that must be made for it.

    - *cancelled*: the calls that must be cancelled.
    - *cancellable*: the calls that may be cancelled, if another call fails before they finish.
    - *faults*: the faults of services; the services in *down* refuse connections.
    - *first*: a request that is sent before *request*, and its expected answer; *calls* includes its calls.
    - *changes*: the state that the services have afterwards, by service and field. All other state must
      be unchanged.
    - *settings*: the gateway's settings that differ from their defaults.
    """

    pipeline: Pipeline
    name: str
    request: Request
    answer: Answer | Replay
    calls: Calls
    cancelled: Calls = ()
    cancellable: Calls = ()
    faults: tuple[Fault, ...] = ()
    down: tuple[str, ...] = ()
    first: tuple[Request, Answer] | None = None
    changes: Mapping[str, ExpectedJson] = field(default_factory=dict[str, ExpectedJson])
    settings: tuple[tuple[str, int], ...] = ()

    @property
    def exchanges(self) -> tuple[tuple[Request, Answer | Replay], ...]:
        """Return each request with its expected answer, in the order of sending."""
        last = (self.request, self.answer)
        return (last,) if self.first is None else (self.first, last)


def post(path: str, body: str, headers: Mapping[str, str] | None = None) -> Request:
    """Build a POST of the JSON *body*, with additional *headers*."""
    return Request("POST", path, body, {**_JSON, **(headers or {})})
