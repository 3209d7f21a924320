"""Event loops with a jumping clock and connections inside the process."""

from collections.abc import Mapping

import pytest

from tests.matrix.sockets.loopback_loop import LoopbackLoop


@pytest.hookimpl
def pytest_asyncio_loop_factories() -> Mapping[str, type[LoopbackLoop]]:
    return {"loopback": LoopbackLoop}
