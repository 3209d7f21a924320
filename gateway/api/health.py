"""Whether the gateway can serve, and how its upstreams are (https://inadarei.github.io/rfc-healthcheck/)."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Final, Literal, NotRequired, TypeAlias, final

from typing_extensions import TypedDict  # pydantic wants this one before Python 3.12

__all__ = ("STOPPING", "Check", "Health", "Ping", "Readiness", "Status")

_log: Final = logging.getLogger(__name__)

Ping: TypeAlias = Callable[[], Awaitable[bool]]
"""Tells whether an upstream answers."""

Status: TypeAlias = Literal["pass", "warn", "fail"]

_SECONDS: Final = 1.0


class Check(TypedDict):
    """How one upstream was at a *time* (RFC 3339)."""

    status: Status
    componentType: str
    time: str


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
    One that has not answered within a second, or whose ping raises, is down.
    """

    def __init__(
        self, pings: Mapping[str, Ping], now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._pings = pings
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
        if self._is_stopping:
            return STOPPING
        clock = asyncio.get_running_loop().time
        async with self._asking:
            if clock() >= self._fresh_until:
                self._last = await self._ask()
                self._fresh_until = clock() + _SECONDS
            return self._last

    async def _ask(self) -> Health:
        up = await asyncio.gather(*(_is_up(name, ping) for name, ping in self._pings.items()))
        time = self._now().isoformat()
        checks: dict[str, list[Check]] = {
            name: [{"status": "pass" if is_up else "fail", "componentType": "system", "time": time}]
            for name, is_up in zip(self._pings, up, strict=True)
        }
        return {"status": "pass" if all(up) else "warn", "checks": checks}


async def _is_up(name: str, ping: Ping) -> bool:
    try:
        async with asyncio.timeout(_SECONDS):
            return await ping()
    except TimeoutError:
        return False
    except Exception:  # noqa: BLE001 - a bug in a ping must not take the gateway out
        _log.exception("the ping of %s raised", name)
        return False
