"""The gateway in this process, over real HTTP to its services, and the one who plays scenarios on it."""

from collections.abc import Callable, Mapping
from typing import TypeAlias, final

import httpx
from starlette.applications import Starlette

from gateway.app import create_app
from gateway.demo.answer import Answer, NoAnswer, read
from gateway.demo.broken import Breakage
from gateway.demo.outcome import Outcome, Record
from gateway.demo.scenario import Request, Scenario
from gateway.settings import Settings
from gateway.telemetry.trace import Trace

__all__ = ("MakeApp", "Runner")

MakeApp: TypeAlias = Callable[
    [Settings, httpx.AsyncBaseTransport, Callable[[str, Trace], None]],
    Starlette,
]
"""Makes a gateway; the last argument is to hear what each request did."""


@final
class Runner:
    """Plays scenarios on gateways with the defaults of every setting, whatever the environment says.

    The services are the mocks on *mocks_port* and those after it, but where a scenario has one that is out of
    order it is at the URL that *broken* has for that. *transport* is left open.
    """

    def __init__(
        self,
        mocks_port: int,
        broken: Mapping[Breakage, str],
        transport: httpx.AsyncBaseTransport,
        make_app: MakeApp = create_app,
    ) -> None:
        self._settings = Settings.model_construct().on_this_machine(mocks_port)
        self._broken = broken
        self._transport = transport
        self._make_app = make_app

    async def play(self, scenario: Scenario) -> Outcome:
        """Make the scenario's request; tell what came of it."""
        heard = list[Record]()
        app = self._make_app(
            self._with_broken(scenario),
            self._transport,
            lambda _, trace: heard.append(_record(trace)),
        )
        answer = await _asked(app, scenario.request)
        return Outcome(scenario, answer, next(iter(heard), None))

    def _with_broken(self, scenario: Scenario) -> Settings:
        urls = {f"{service}_url": self._broken[how] for service, how in scenario.broken.items()}
        return self._settings.model_copy(update=urls)


async def _asked(app: Starlette, request: Request) -> Answer | NoAnswer:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://gateway", headers=request.headers
    ) as client:
        try:
            return read(await client.request(request.method, request.path, content=request.body))
        except Exception as error:  # noqa: BLE001 - the other scenarios are played, whatever this one meets
            return NoAnswer(f"the gateway raised {error!r}")


def _record(trace: Trace) -> Record:
    return Record(
        made=tuple(call.name for call in trace.calls),
        cancelled=tuple(call.name for call in trace.calls if call.verdict == "cancelled"),
        seconds=trace.wall,
        sequential=trace.sequential,
    )
