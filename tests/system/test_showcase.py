"""The one checkout that is shown."""

import uvloop

from gateway.showcase import worked_checkout
from tests.system.programs import free_port


def test_a_gateway_that_has_stopped_is_said_to_have() -> None:
    said = uvloop.run(worked_checkout(f"http://127.0.0.1:{free_port()}"))

    assert said == "the gateway stopped before it had answered"
