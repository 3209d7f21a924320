"""Geocoder: addresses to places."""

from typing import Annotated, TypeAlias, final

from pydantic import BeforeValidator

from gateway import ServiceClient, UpstreamResponse, example
from gateway.railway import Call, NotFound, UpstreamFault

__all__ = ("Geocoder", "Place")

Degrees: TypeAlias = Annotated[float, BeforeValidator(float)]
"""A coordinate, which the geocoder sends as a string."""


@final
class Place(UpstreamResponse):
    """A place with its coordinates in degrees."""

    model_config = example(display_name="Brandenburg Gate, Berlin", lat="52.5163", lon="13.3777")

    display_name: str
    lat: Degrees
    lon: Degrees


@final
class Geocoder:
    """Client of the geocoder.

    Its 429 is not declared: the quota is the gateway's, so it is no failure of the gateway's caller. The call
    is made again after the time in `Retry-After`, and is `Unavailable` if that is after the deadline.
    """

    def __init__(self, client: ServiceClient) -> None:
        self._search = client.get("geocoder.search", "/search", answer=list[Place])

    def find(self, address: str) -> Call[Place, NotFound | UpstreamFault]:
        """Find the best match for an address (`GET /search?q=&limit=1`); `NotFound` if there is none."""
        places = self._search(query={"q": address, "limit": 1})
        return places.ensure(bool, lambda _: _report_unknown(address)).map(lambda found: found[0])


def _report_unknown(address: str) -> NotFound:
    return NotFound(f"Unknown address: {address}", source="geocoder.search")
