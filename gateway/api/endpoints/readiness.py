"""Whether the gateway can serve, and how its upstreams are (https://inadarei.github.io/rfc-healthcheck/)."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final, Literal, NotRequired, Protocol, TypeAlias, final

from typing_extensions import TypedDict  # pydantic wants this one before Python 3.12

from gateway.resilience.circuit_breaker import BreakerState

__all__ = ("STOPPING", "Check", "Health", "Readiness", "Status", "Upstream")

_log: Final = logging.getLogger(__name__)

Status: TypeAlias = Literal["pass", "warn", "fail"]

_SECONDS: Final = 1.0


class Upstream(Protocol):
    """A service that can be asked how it is."""

    @property
    def breaker(self) -> BreakerState:
        """Tell whether calls get through to it that an answer needs."""
        ...

    @property
    def optional_breaker(self) -> BreakerState:
        """Tell whether optional calls do."""
        ...

    @property
    def is_in_trouble(self) -> bool:
        """Say whether it has failed of late."""
        ...

    async def ping(self) -> bool:
        """Tell whether it answers."""
        ...


Breaker: TypeAlias = Literal["closed", "open", "half-open"]


class Check(TypedDict):
    """How one upstream was at a *time* (RFC 3339), and whether its breakers let calls through."""

    status: Status
    componentType: str
    time: str
    breaker: Breaker
    optionalBreaker: Breaker


class Health(TypedDict):
    """How the gateway is; *checks* has its upstreams by name, each a list of one."""

    status: Status
    checks: NotRequired[dict[str, list[Check]]]
    output: NotRequired[str]


STOPPING: Final[Health] = {"status": "fail", "output": "The gateway is stopping"}
"""Nothing more is to be sent to this gateway."""


@final
class Readiness:
    """Asks the upstreams, given by name, how they are.

    An upstream in trouble is a warning: to take every gateway out because one upstream is down would make it
    worse. However many want to know, every upstream is asked once a second at the most, all of them at once.
    One that has not answered within a second, or whose ping raises, is down: `fail`. One that answers, but
    has of late failed so often at what it was asked that it is left alone, is a `warn`.
    """

    def __init__(
        self, upstreams: Mapping[str, Upstream], now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._upstreams = upstreams
        self._now = now
        self._asking = asyncio.Lock()
        self._fresh_until = float("-inf")
        self._last: Health = {"status": "pass"}
        self._is_stopping = False

    def stop(self) -> None:
        """Say from now on that the gateway is stopping, so that it is sent no more requests."""
        self._is_stopping = True

    async def report(self) -> Health:
        """Give what is known now, or was less than a second ago."""
        if not self._is_stopping:
            await self._refresh()
        # It may have been told to stop meanwhile.
        return STOPPING if self._is_stopping else self._last

    async def _refresh(self) -> None:
        clock = asyncio.get_running_loop().time
        async with self._asking:
            if clock() < self._fresh_until:
                return
            self._last = await self._ask()
            self._fresh_until = clock() + _SECONDS

    async def _ask(self) -> Health:
        up = await asyncio.gather(*(_is_up(name, upstream) for name, upstream in self._upstreams.items()))
        time = self._now().isoformat()
        checks = {
            name: _check(upstream, time, is_up=is_up)
            for (name, upstream), is_up in zip(self._upstreams.items(), up, strict=True)
        }
        is_well = all(check["status"] == "pass" for check in checks.values())
        return {"status": "pass" if is_well else "warn", "checks": {name: [checks[name]] for name in checks}}


def _check(upstream: Upstream, time: str, *, is_up: bool) -> Check:
    answers: Status = "warn" if upstream.is_in_trouble else "pass"
    return {
        "status": answers if is_up else "fail",
        "componentType": "system",
        "time": time,
        "breaker": upstream.breaker.value,
        "optionalBreaker": upstream.optional_breaker.value,
    }


async def _is_up(name: str, upstream: Upstream) -> bool:
    try:
        async with asyncio.timeout(_SECONDS):
            return await upstream.ping()
    except TimeoutError:
        return False
    except Exception:  # noqa: BLE001 - a bug in a ping must not take the gateway out
        _log.exception("the ping of %s raised", name)
        return False
