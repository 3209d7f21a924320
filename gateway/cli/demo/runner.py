"""Plays scenarios on gateways in this process, which call mock services over HTTP."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias, final

import httpx
from starlette.applications import Starlette

from gateway.app import create_app
from gateway.cli.demo.expected import Answer, InvalidAnswer, parse_answer
from gateway.cli.demo.mocks import Mocks
from gateway.cli.demo.outcome import CallRecord, Outcome
from gateway.cli.demo.scenario import Request, Scenario
from gateway.observability.trace import Trace
from gateway.services import SERVICES
from gateway.settings import Settings, default_settings

__all__ = ("CreateApp", "Runner")


class CreateApp(Protocol):
    """Creates a gateway that calls *on_trace* with a title and the trace of each request."""

    def __call__(
        self,
        settings: Settings,
        *,
        transport: httpx.AsyncBaseTransport,
        on_trace: Callable[[str, Trace], None],
    ) -> Starlette:
        """Create the gateway."""
        ...


_Wiring: TypeAlias = tuple[tuple[str, ...], tuple[tuple[str, int], ...]]
"""The services that are down, and the settings that differ from their defaults."""


@final
class Runner:
    """Plays scenarios on gateways with default settings, except those that a scenario changes.

    The environment is ignored. Each scenario finds *mocks* in their initial state. A service that is down has
    the URL *dead_url*. The runner does not close *transport*.
    """

    def __init__(
        self,
        mocks: Mocks,
        dead_url: str,
        transport: httpx.AsyncBaseTransport,
        create_app: CreateApp = create_app,
    ) -> None:
        self._mocks = mocks
        self._dead_url = dead_url
        self._transport = transport
        self._create_app = create_app
        self._records: list[CallRecord] = []
        self._apps: dict[_Wiring, Starlette] = {}

    async def play(self, scenario: Scenario) -> Outcome:
        """Set the faults of *scenario*, send its requests, and return the outcome.

        Afterwards, reset the services that have changed or have faults.
        """
        self._records.clear()
        app = self._get_app(scenario.down, scenario.settings)
        before = await self._mocks.read_state()
        await self._mocks.set_faults(scenario.faults)
        answers = tuple([await _send(app, request) for request, _ in scenario.exchanges])
        after = await self._mocks.read_state()
        changes = {name: value for name, value in after.items() if value != before[name]}
        changed_services = {name.partition(".")[0] for name in changes}
        await self._mocks.reset(changed_services | {fault.service for fault in scenario.faults})
        return Outcome(scenario, answers, _add_up(self._records), changes)

    def _get_app(self, *wiring: *_Wiring) -> Starlette:
        if wiring not in self._apps:
            self._apps[wiring] = self._build_app(*wiring)
        return self._apps[wiring]

    def _build_app(self, down: tuple[str, ...], changed: tuple[tuple[str, int], ...]) -> Starlette:
        urls = {**self._mocks.urls, **dict.fromkeys(down, self._dead_url)}
        settings = default_settings(SERVICES, **dict(changed)).with_urls(urls)
        return self._create_app(settings, transport=self._transport, on_trace=self._record)

    def _record(self, _: str, trace: Trace) -> None:
        self._records.append(
            CallRecord(
                made=tuple(call.name for call in trace.calls for _ in range(call.made)),
                cancelled=tuple(call.name for call in trace.calls if call.status == "cancelled"),
                seconds=trace.elapsed,
                sequential=trace.sequential,
            )
        )


async def _send(app: Starlette, request: Request) -> Answer | InvalidAnswer:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://gateway", headers=request.headers
    ) as client:
        try:
            return parse_answer(await client.request(request.method, request.path, content=request.body))
        except Exception as error:  # noqa: BLE001 - a crash must not end the demo
            return InvalidAnswer(f"the gateway raised {error!r}")


def _add_up(records: Sequence[CallRecord]) -> CallRecord | None:
    return sum(records[1:], start=records[0]) if records else None
