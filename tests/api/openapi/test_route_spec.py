"""`RouteSpec`."""

import pytest

from gateway.api.openapi.route_spec import RouteSpec
from gateway.railway import Aggregate, Failure, NotFound, Stuck


@pytest.mark.parametrize(("promised", "wanted"), [((Stuck, Aggregate), True), ((NotFound, Aggregate), False)])
def test_only_a_pipeline_that_can_get_stuck_has_a_commit(
    promised: tuple[type[Failure], ...], *, wanted: bool
) -> None:
    assert RouteSpec(method="POST", path="/lamps", pipeline="light", promised=promised).has_commit is wanted


def test_path_format_has_no_converters() -> None:
    spec = RouteSpec(method="GET", path="/files/{name:path}", pipeline="read")

    assert spec.path_format == "/files/{name}"
