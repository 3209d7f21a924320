"""Readiness of the gateway and health of its upstreams (https://inadarei.github.io/rfc-healthcheck/)."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, Literal, NotRequired, Protocol, TypeAlias, final

from typing_extensions import TypedDict  # pydantic refuses typing.TypedDict before Python 3.12

from gateway.executions.health import JournalHealth
from gateway.resilience.guards import BreakerStates

__all__ = (
    "JOURNAL",
    "STOPPING",
    "Breakers",
    "Check",
    "Health",
    "JournalCheck",
    "Readiness",
    "Status",
    "Upstream",
)

_log: Final = logging.getLogger(__name__)

Status: TypeAlias = Literal["pass", "warn", "fail"]

JOURNAL: Final = "journal"
"""Name of the check of the journal."""

_MAX_SECONDS: Final = 1.0
"""Maximum age of a report, and timeout of a ping."""


class Upstream(Protocol):
    """Service with a health check."""

    @property
    def breakers(self) -> BreakerStates:
        """Return the states of the circuit breakers for required calls."""
        ...

    @property
    def optional_breakers(self) -> BreakerStates:
        """Return the states of the circuit breakers for optional calls."""
        ...

    @property
    def has_failed_recently(self) -> bool:
        """Return whether any circuit breaker is open, or was open recently."""
        ...

    async def ping(self) -> bool:
        """Return whether the service responds."""
        ...


Breaker: TypeAlias = Literal["closed", "open", "half-open"]


class Breakers(TypedDict):
    """States of the circuit breaker of an upstream's host, and of those of its operations called so far."""

    host: Breaker
    operations: dict[str, Breaker]


class Check(TypedDict):
    """Health of an upstream at a *time* (RFC 3339), with the states of its circuit breakers.

    *breaker* and *optionalBreaker* are the worst states among *breakers* and among *optionalBreakers*, which
    are those of required and of optional calls.
    """

    status: Status
    componentType: str
    time: str
    breaker: Breaker
    optionalBreaker: Breaker
    breakers: Breakers
    optionalBreakers: Breakers


class JournalCheck(TypedDict):
    """Health of the journal at a *time* (RFC 3339); *output* explains a warning."""

    status: Status
    componentType: str
    time: str
    output: NotRequired[str]


class Health(TypedDict):
    """Health of the gateway. *checks* has a list of one check for each upstream, and for the journal.

    *output* explains `fail`.
    """

    status: Status
    checks: NotRequired[dict[str, list[Check | JournalCheck]]]
    output: NotRequired[str]


STOPPING: Final[Health] = {"status": "fail", "output": "The gateway is stopping"}
"""The report during shutdown: a load balancer must send no more requests."""


@final
class Readiness:
    """Readiness of the gateway, from the health of its *upstreams* (by name).

    An upstream is `fail` if its ping returns False, raises, or takes longer than a second. It is `warn` if it
    responds but `has_failed_recently`. In both cases the gateway is only `warn`: if load balancers took every
    gateway out of service, requests that do not need this upstream would fail too. The upstreams are pinged
    in parallel, at most once per second, however many reports are requested.

    The *journal*, if the gateway writes, is `warn` if it has warnings.
    """

    def __init__(
        self,
        upstreams: Mapping[str, Upstream],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        journal: JournalHealth | None = None,
    ) -> None:
        self._upstreams = upstreams
        self._journal = journal
        self._now = now
        self._refreshing = asyncio.Lock()
        self._fresh_until = float("-inf")
        self._last: Health = {"status": "pass"}
        self._is_stopping = False

    @property
    def names(self) -> Sequence[str]:
        """Return the names of the upstreams."""
        return tuple(self._upstreams)

    def stop(self) -> None:
        """Report from now on that the gateway is stopping, so that it gets no more requests."""
        self._is_stopping = True

    async def report(self) -> Health:
        """Return a report that is at most a second old; ping the upstreams if the last report is older."""
        if not self._is_stopping:
            await self._refresh()
        # `stop` may have been called during the refresh.
        return STOPPING if self._is_stopping else self._last

    async def _refresh(self) -> None:
        clock = asyncio.get_running_loop().time
        async with self._refreshing:
            if clock() < self._fresh_until:
                return
            self._last = await self._check_upstreams()
            self._fresh_until = clock() + _MAX_SECONDS

    async def _check_upstreams(self) -> Health:
        pings = await asyncio.gather(*(_ping(name, upstream) for name, upstream in self._upstreams.items()))
        time = self._now().isoformat()
        checks: dict[str, Check | JournalCheck] = {
            name: _build_check(upstream, time, is_up=is_up)
            for (name, upstream), is_up in zip(self._upstreams.items(), pings, strict=True)
        }
        if self._journal is not None:
            checks[JOURNAL] = _build_journal_check(self._journal, time)
        is_healthy = all(check["status"] == "pass" for check in checks.values())
        return {
            "status": "pass" if is_healthy else "warn",
            "checks": {name: [checks[name]] for name in checks},
        }


def _build_check(upstream: Upstream, time: str, *, is_up: bool) -> Check:
    status_if_up: Status = "warn" if upstream.has_failed_recently else "pass"
    required, optional = upstream.breakers, upstream.optional_breakers
    return {
        "status": status_if_up if is_up else "fail",
        "componentType": "system",
        "time": time,
        "breaker": required.worst.value,
        "optionalBreaker": optional.worst.value,
        "breakers": _list_states(required),
        "optionalBreakers": _list_states(optional),
    }


def _build_journal_check(journal: JournalHealth, time: str) -> JournalCheck:
    check: JournalCheck = {"status": "pass", "componentType": "datastore", "time": time}
    if warnings := journal.warnings:
        check["status"] = "warn"
        check["output"] = "; ".join(warnings)
    return check


def _list_states(breakers: BreakerStates) -> Breakers:
    operations: dict[str, Breaker] = {name: state.value for name, state in breakers.operations.items()}
    return {"host": breakers.host.value, "operations": operations}


async def _ping(name: str, upstream: Upstream) -> bool:
    try:
        async with asyncio.timeout(_MAX_SECONDS):
            return await upstream.ping()
    except TimeoutError:
        return False
    except Exception:  # noqa: BLE001 - a bug in a ping must not take the gateway out of service
        _log.exception(
            "the health check of service %s raised an exception; the service is reported as failing", name
        )
        return False
