"""The gateway in this process, its services over HTTP, and the one who plays scenarios on it."""

from collections.abc import Callable, Sequence
from typing import TypeAlias, final

import httpx
from starlette.applications import Starlette

from gateway.app import create_app
from gateway.cli.demo.expected import Answer, NoAnswer, read
from gateway.cli.demo.mocks import Mocks
from gateway.cli.demo.outcome import Outcome, Record
from gateway.cli.demo.scenario import Request, Scenario
from gateway.observability.trace import Trace
from gateway.settings import Settings

__all__ = ("MakeApp", "Runner")

MakeApp: TypeAlias = Callable[
    [Settings, httpx.AsyncBaseTransport, Callable[[str, Trace], None]],
    Starlette,
]
"""Makes a gateway; the last argument is to hear what each request did."""

_Wiring: TypeAlias = tuple[tuple[str, ...], tuple[tuple[str, int], ...]]
"""Which services are dead, and which settings are not the defaults."""


@final
class Runner:
    """Plays scenarios on gateways in this process, with their settings, else the defaults, none from outside.

    The services are *mocks*, and as new for each scenario; one that it wants dead is looked for at *nowhere*
    instead. *transport* is left open.
    """

    def __init__(
        self,
        mocks: Mocks,
        nowhere: str,
        transport: httpx.AsyncBaseTransport,
        make_app: MakeApp = create_app,
    ) -> None:
        self._mocks = mocks
        self._nowhere = nowhere
        self._transport = transport
        self._make_app = make_app
        self._heard: list[Record] = []
        self._apps: dict[_Wiring, Starlette] = {}

    async def play(self, scenario: Scenario) -> Outcome:
        """Make the scenario's requests; tell what came of them."""
        self._heard.clear()
        app = self._app_for(scenario.dead, scenario.settings)
        before = await self._mocks.state()
        await self._mocks.put(scenario.faults)
        answers = tuple([await _asked(app, request) for request, _ in scenario.exchanges])
        after = await self._mocks.state()
        changed = {name: value for name, value in after.items() if value != before[name]}
        touched = {name.partition(".")[0] for name in changed}
        await self._mocks.reset(touched | {fault.service for fault in scenario.faults})
        return Outcome(scenario, answers, _sum(self._heard), changed)

    def _app_for(self, *wiring: *_Wiring) -> Starlette:
        if wiring not in self._apps:
            self._apps[wiring] = self._made_app(*wiring)
        return self._apps[wiring]

    def _made_app(self, dead: tuple[str, ...], settings: tuple[tuple[str, int], ...]) -> Starlette:
        urls = {**self._mocks.urls, **dict.fromkeys(dead, self._nowhere)}
        update = {**{f"{service}_url": url for service, url in urls.items()}, **dict(settings)}
        return self._make_app(
            Settings.model_construct().model_copy(update=update), self._transport, self._hear
        )

    def _hear(self, _: str, trace: Trace) -> None:
        self._heard.append(
            Record(
                made=tuple(call.name for call in trace.calls),
                cancelled=tuple(call.name for call in trace.calls if call.verdict == "cancelled"),
                seconds=trace.wall,
                sequential=trace.sequential,
            )
        )


async def _asked(app: Starlette, request: Request) -> Answer | NoAnswer:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://gateway", headers=request.headers
    ) as client:
        try:
            return read(await client.request(request.method, request.path, content=request.body))
        except Exception as error:  # noqa: BLE001 - the other scenarios are played, whatever this one meets
            return NoAnswer(f"the gateway raised {error!r}")


def _sum(heard: Sequence[Record]) -> Record | None:
    return sum(heard[1:], start=heard[0]) if heard else None
