"""One gateway for all hostile tests, which is healthy again after each of them."""

from collections.abc import Iterator

import pytest

from tests.system.hostile.target import Target, run_target


@pytest.fixture(scope="session")
def running_target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with run_target(tmp_path_factory.mktemp("hostile") / "gateway.log") as target:
        yield target


@pytest.fixture
def target(running_target: Target) -> Iterator[Target]:
    """Yield the gateway; after the test, successes outweigh failures, so that no circuit breaker opens."""
    yield running_target
    running_target.upstream.answers.clear()
    for _ in range(4):
        assert running_target.get_feed().status == 200
