"""Explanation of a pipeline whose dry run has not succeeded."""

import io
import json
from typing import Never

import pytest
from rich.console import Console

from gateway.api.application import Gateway
from gateway.api.pipeline_route.registration import Route
from gateway.cli.explain.command import explain
from gateway.cli.explain.measurement import MeasurementError, measure
from gateway.cli.explain.options import Options
from gateway.railway import Run, railway
from tests.api.sample_gateway import build_gateway


@railway
async def grant(_: Run[Never], wish: int) -> int:
    """Grant a wish."""
    return wish


@pytest.fixture
def app() -> Gateway:
    return build_gateway(Route("POST", "/wishes/{wish}", grant), services={}, has_dry_runs=True)


async def print_explanation(app: Gateway, options: Options) -> str:
    out = io.StringIO()
    assert await explain(Console(file=out, width=500, highlight=False, markup=False), options, app) == 0
    return out.getvalue()


async def test_explanation_has_notes(app: Gateway) -> None:
    text = await print_explanation(app, Options("grant"))

    assert (
        "\nnote: the documentation is incomplete, because the dry run of grant did not succeed: no " in text
    )


async def test_json_explanation_has_notes(app: Gateway) -> None:
    explained = json.loads(await print_explanation(app, Options("grant", as_json=True)))

    (note,) = explained["pipeline"]["notes"]
    assert note.startswith("the documentation is incomplete")


async def test_pipeline_without_example_cannot_be_measured(app: Gateway) -> None:
    with pytest.raises(MeasurementError, match="no example for wish: integer has no example"):
        await measure(app.pipelines[0], app.shared, runs=1)
