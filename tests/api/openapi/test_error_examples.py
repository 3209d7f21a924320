"""Example errors, compared with the errors of real calls."""

from typing import Final, get_args

import httpx
import pytest
from pydantic import TypeAdapter

from gateway.api.openapi.error_examples import EXAMPLES, build_refusal, build_stuck, build_upstream_fault
from gateway.client.models import UpstreamResponse, example
from gateway.plan.dry_run import dry_run
from gateway.plan.plan import PlannedCall
from gateway.railway import (
    Aggregate,
    BadAnswer,
    Call,
    CommitTerms,
    Conflict,
    Err,
    Fault,
    Invalid,
    NotFound,
    Ok,
    Result,
    Run,
    RunContext,
    TimedOut,
    Unavailable,
    Undo,
    UpstreamFault,
    Write,
    railway,
)
from tests.client.scripted_service import Answering, Declared, Hanging, Raising
from tests.service_clients import service_client


class Lamp(UpstreamResponse):
    model_config = example(size=3)

    size: int


LAMP: Final = TypeAdapter(Lamp)
LAMP_CALL: Final = PlannedCall("lamps.fetch", service="lamp")


def fetch(transport: httpx.AsyncBaseTransport) -> Call[Lamp, Fault]:
    """Return a call of the service `lamp`; its operations are named `lamps.*`."""
    lamps = service_client("lamp", "http://lamp.test", transport)
    declared: Declared = {404: NotFound, 409: Conflict, 422: Invalid}
    return lamps.get("lamps.fetch", "/lamps/1", answer=LAMP, declared=declared)()


@pytest.mark.parametrize(
    ("transport", "kind"),
    [
        (Answering(httpx.Response(500)), BadAnswer),
        (Raising(httpx.ConnectError("refused")), Unavailable),
        (Hanging(), TimedOut),
    ],
    ids=["bad answer", "unavailable", "timed out"],
)
async def test_upstream_fault_examples_match_real_calls(
    transport: httpx.AsyncBaseTransport, kind: type[UpstreamFault]
) -> None:
    result = await fetch(transport)

    assert isinstance(result, Err)
    assert type(result.error) is kind
    shown = build_upstream_fault(kind, LAMP_CALL)
    assert (shown.detail, shown.source) == (result.error.detail, result.error.source)
    assert shown.detail.startswith("The lamp service ")


@pytest.mark.parametrize(("status", "kind"), [(404, NotFound), (409, Conflict), (422, Invalid)])
async def test_refusal_examples_match_real_calls(status: int, kind: type[Fault]) -> None:
    result = await fetch(Answering(httpx.Response(status, json={})))

    assert result == Err(build_refusal(kind, LAMP_CALL))


async def test_stuck_example_matches_a_real_commit() -> None:
    async def refuse(_: object) -> Result[None, Fault]:
        return Err(NotFound("no"))

    async def accept(_: object) -> Result[None, Fault]:
        return Ok(None)

    @railway
    async def light(run: Run[Fault | Aggregate]) -> None:
        write = Write("lamps.light", accept, undo=Undo("lamps.dim", refuse))
        failing = Write("lamps.break", refuse, undo=Undo("lamps.mend", refuse))
        await run.commit("do", write, failing)

    result = await light.on(RunContext(commit_terms=CommitTerms(budget=1, undo_budget=1)))()

    assert result == Err(build_stuck(PlannedCall("lamps.light")))


def test_example_uses_registered_service_name() -> None:
    """The plan of a dry run has the registered name of each call's service: `lamp`, not `lamps`."""

    @railway
    async def light(run: Run[Fault | Aggregate]) -> None:
        await run.stage("one", fetch(Raising(AssertionError("the network"))))

    (call,) = dry_run(light).plan.calls

    assert call.service == "lamp"
    assert build_upstream_fault(Unavailable, call).detail == "The lamp service is unavailable"


def test_missing_service_name_comes_from_operation() -> None:
    fault = build_upstream_fault(TimedOut, PlannedCall("lamps.fetch"))

    assert fault.detail == "The lamps service did not answer in time"


@pytest.mark.parametrize("kind", get_args(Fault))
def test_general_fault_examples_name_no_service(kind: type[Fault]) -> None:
    assert type(EXAMPLES[kind]) is kind
    assert EXAMPLES[kind].source is None


def test_refusal_is_not_an_upstream_fault() -> None:
    with pytest.raises(TypeError, match="Conflict is not an UpstreamFault"):
        build_upstream_fault(Conflict, LAMP_CALL)
