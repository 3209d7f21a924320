"""Declarations of writes."""

import pytest

from gateway.railway import Conflict
from tests.client.scripted_service import Answering, Thing, client


@pytest.mark.parametrize("status", [200, 204, 302, 500, 503])
def test_write_declares_only_refusals(status: int) -> None:
    """Any other status leaves open whether the write was made."""
    things = client(Answering()).write

    with pytest.raises(ValueError, match=rf"^things\.make: {status} cannot mean that nothing has changed"):
        things.post("things.make", "/things", answer=Thing, undo=None, declared={status: Conflict})
