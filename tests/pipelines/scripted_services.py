"""Fake services behind a scripted transport, which tests make slow or faulty."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import permutations
from typing import Final

import httpx
from typing_extensions import override

from gateway.railway import Failure, TimedOut, Unavailable
from tests.shipped_services import NAMES, ShippedServices

FOREVER: Final = 3600.0
"""An hour: longer than any test may wait."""

PERMUTED_DELAYS: Final = (*permutations((0.1, 0.2, 0.3)),)
"""Delays of three calls, in every order of their responses."""

_PROBLEM: Final = {"content-type": "application/problem+json"}
_LOWEST_REFUSAL: Final = 400


class AnswerSequence:
    """Answers to successive requests."""

    def __init__(self, *answers: object) -> None:
        self._answers = iter(answers)

    def next(self) -> object:
        return next(self._answers)


@dataclass
class FakeServices(httpx.AsyncBaseTransport):
    """Transport with *answers* and *delays* (in seconds) by path.

    An answer is JSON, a status, an exception to raise, or an `AnswerSequence` of these. The path of an undo
    is `DELETE /orders`, without the key; an undo without an answer succeeds.
    """

    answers: dict[str, object]
    delays: dict[str, float] = field(default_factory=dict[str, float])
    requests: list[httpx.Request] = field(default_factory=list[httpx.Request])

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        path = _path_of(request)
        await asyncio.sleep(self.delays.get(path, 0.0))
        answer = self.answers.get(path, 204) if request.method == "DELETE" else self.answers[path]
        match answer.next() if isinstance(answer, AnswerSequence) else answer:
            case int(status):
                return httpx.Response(status, headers=_PROBLEM if status >= _LOWEST_REFUSAL else None)
            case Exception() as error:
                raise error
            case value:
                return httpx.Response(200, json=value)

    @property
    def paths(self) -> list[str]:
        """Return the paths of the requests, in the order in which they were sent."""
        return [_path_of(request) for request in self.requests]

    def list_keys(self, path: str) -> Sequence[str]:
        """Return the key of each write to *path*."""
        return [request.headers["idempotency-key"] for request in self.requests if _path_of(request) == path]

    def list_undone_keys(self, path: str) -> Sequence[str]:
        """Return the key of each undo of a write to *path*."""
        undos = [request for request in self.requests if _path_of(request) == f"DELETE {path}"]
        return [undo.url.path.removeprefix(f"{path}/") for undo in undos]

    @property
    def services(self) -> ShippedServices:
        """Return the sample's services over this transport, with a timeout of one second."""
        return ShippedServices.over(self, {name: f"http://{name}.test" for name in NAMES})


def _path_of(request: httpx.Request) -> str:
    path = request.url.path
    return f"DELETE {path.rpartition('/')[0]}" if request.method == "DELETE" else path


def list_repeats(path: str, error: type[Failure]) -> Sequence[str]:
    """Return *path* once for each retry of a call to *path* that always fails with *error*."""
    return [path] * 2 if issubclass(error, TimedOut | Unavailable) else []


def now() -> float:
    """Return the seconds since the test began."""
    return asyncio.get_running_loop().time()
