"""The gateway in this process, over real HTTP to its services, and the one who plays scenarios on it."""

from collections.abc import Mapping
from typing import Final, final

import httpx

from gateway.app import create_app
from gateway.demo.answer import read
from gateway.demo.broken import Breakage
from gateway.demo.outcome import Outcome
from gateway.demo.scenarios import Scenario
from gateway.settings import Settings
from gateway.telemetry.trace import Trace

__all__ = ("Runner",)

_HEADERS: Final[Mapping[str, str]] = {"Content-Type": "application/json"}


@final
class Runner:
    """Plays scenarios on gateways with the defaults of every setting, whatever the environment says.

    The services are the mocks on *mocks_port* and those after it, but where a scenario has one that is out of
    order it is at the URL that *broken* has for that. *transport* is left open.
    """

    def __init__(
        self, mocks_port: int, broken: Mapping[Breakage, str], transport: httpx.AsyncBaseTransport
    ) -> None:
        self._settings = Settings.model_construct().on_this_machine(mocks_port)
        self._broken = broken
        self._transport = transport

    async def play(self, scenario: Scenario) -> Outcome:
        """Make the scenario's request; tell what came of it."""
        heard = list[tuple[Trace, float]]()
        app = create_app(
            self._with_broken(scenario),
            self._transport,
            on_trace=lambda _, trace: heard.append((trace, trace.wall)),
        )
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
            said = await client.post("http://gateway/checkout", content=scenario.request, headers=_HEADERS)
        ((trace, seconds),) = heard
        return Outcome(
            scenario,
            read(said.status_code, said.content),
            made=tuple(call.name for call in trace.calls),
            cancelled=tuple(call.name for call in trace.calls if call.verdict == "cancelled"),
            seconds=seconds,
            sequential=trace.sequential,
        )

    def _with_broken(self, scenario: Scenario) -> Settings:
        urls = {f"{service}_url": self._broken[how] for service, how in scenario.broken.items()}
        return self._settings.model_copy(update=urls)
