"""Metadata of a client's calls and writes."""

from decimal import Decimal
from typing import Final

import pytest
from pydantic import TypeAdapter

from gateway.client.examples import NoExampleError
from gateway.client.models import UpstreamResponse, example
from gateway.railway import CallInfo, NotFound
from tests.client.scripted_service import THING, Answering, Wish, client


class Coin(UpstreamResponse):
    model_config = example(worth="0.10")

    worth: Decimal


COIN: Final = TypeAdapter(Coin)
DIME: Final = Coin(worth=Decimal("0.10"))


def list_infos() -> list[CallInfo | None]:
    """Return the metadata of a GET, a POST and a write."""
    things = client(Answering())
    undo = things.undo.delete("coins.melt", "/coins/{key}")
    mint = things.write.post("coins.mint", "/coins", answer=COIN, undo=undo, declared={404: NotFound})
    return [
        things.get("coins.fetch", "/coins", answer=COIN, declared={404: NotFound})().info,
        things.post("coins.count", "/count", answer=COIN, declared={404: NotFound})(Wish(text="")).info,
        mint(Wish(text="")).info,
    ]


@pytest.mark.parametrize("info", list_infos())
def test_call_info_has_example_and_refusals(info: CallInfo | None) -> None:
    assert info is not None
    assert (info.service, info.example, info.refusals) == ("things", DIME, (NotFound,))


def test_missing_example_raises_on_access() -> None:
    info = client(Answering()).get("things.fetch", "/things", answer=THING)().info

    assert info is not None
    with pytest.raises(NoExampleError, match="Name has no example"):
        _ = info.example
