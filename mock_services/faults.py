"""What goes wrong on purpose."""

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field, RootModel

from mock_services.answers import Answer, Problem
from mock_services.fields import Count, Level, Strict

__all__ = ["Fault", "FaultList", "Faults"]


class Fault(Strict):
    """One kind of trouble for the calls that it matches.

    `latency_ms` is how long the call takes in place of its own latency. It is not scaled: a fault must
    be there also where all other latency has been scaled away. `times` null means until it is cleared.
    """

    path_prefix: Annotated[str, Field(pattern="^/")]
    kind: Literal["status", "latency", "hang", "drop", "garbage", "truncate", "drop_after_write"]
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] | None = None
    status: Annotated[int, Field(ge=200, le=599)] = 503
    latency_ms: Level | None = None
    times: Count | None = None
    retry_after: Level | None = None

    @property
    def reaches_handler(self) -> bool:
        """Whether the call is handled all the same."""
        return self.kind in {"latency", "truncate", "drop_after_write"}

    def matches(self, method: str, path: str) -> bool:
        """Whether a call has this trouble."""
        return path.startswith(self.path_prefix) and self.method in {None, method}

    def seconds(self, otherwise: float) -> float | None:
        """How long the call waits before anything is answered; None is forever."""
        if self.kind == "hang":
            return None
        if self.latency_ms is None:
            return 1.0 if self.kind == "latency" else otherwise
        return self.latency_ms / 1000

    def answer(self) -> Answer:
        """Make what is sent in the place of the real answer."""
        if self.kind == "garbage":
            return Answer.garbage()
        retry_after = () if self.retry_after is None else ((b"retry-after", str(self.retry_after).encode()),)
        return Problem(self.status, "This fault was asked for", retry_after).answer()


class FaultList(RootModel[list[Fault]]):
    """The body that replaces all faults."""


class Faults:
    """The faults that are in force, and how often each still applies."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._left = [(fault, fault.times) for fault in faults]

    def take(self, method: str, path: str) -> Fault | None:
        """Give the first fault that matches a call, and count it down."""
        for place, (fault, left) in enumerate(self._left):
            if fault.matches(method, path):
                self._count_down(place, fault, left)
                return fault
        return None

    def _count_down(self, place: int, fault: Fault, left: int | None) -> None:
        match left:
            case None:
                return
            case 1:
                del self._left[place]
            case _:
                self._left[place] = (fault, left - 1)
