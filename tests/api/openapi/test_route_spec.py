"""Derived properties of a `RouteSpec`."""

import pytest

from gateway.api.openapi.route_spec import RouteSpec
from gateway.railway import Aggregate, Failure, NotFound, Stuck


@pytest.mark.parametrize(
    ("promised", "expected"), [((Stuck, Aggregate), True), ((NotFound, Aggregate), False)]
)
def test_has_commit_requires_promise_of_stuck(promised: tuple[type[Failure], ...], *, expected: bool) -> None:
    assert RouteSpec(method="POST", path="/lamps", pipeline="light", promised=promised).has_commit is expected


def test_path_format_has_no_converters() -> None:
    spec = RouteSpec(method="GET", path="/files/{name:path}", pipeline="read")

    assert spec.path_format == "/files/{name}"
