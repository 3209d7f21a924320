"""Stand-in for a geocoder, in the manner of Nominatim (https://nominatim.org/release-docs/latest/api/Search/).

- `GET /search?q=...&limit=...` returns a list of places; an unknown address has no place.
- Coordinates are strings, as Nominatim sends them.
- The API key is sent in `X-Api-Key`.
- More requests than the quota get 429 with `Retry-After`.
"""

import time
from collections.abc import Callable
from secrets import compare_digest
from typing import Annotated, Final

from fastapi import Depends, FastAPI, Header, HTTPException, Query
from pydantic import BaseModel

__all__ = ("API_KEY", "Place", "create_geocoder_api")

API_KEY: Final = "geo-courier"


class Place(BaseModel):
    """A place with its coordinates in degrees, as strings."""

    place_id: int
    lat: str
    lon: str
    display_name: str


PLACES: Final[tuple[Place, ...]] = (
    Place(place_id=1, lat="52.5163", lon="13.3777", display_name="Brandenburg Gate, Berlin"),
    Place(place_id=2, lat="52.5208", lon="13.4094", display_name="Television Tower, Berlin"),
    Place(place_id=3, lat="52.5186", lon="13.3762", display_name="Reichstag, Berlin"),
    Place(place_id=4, lat="53.5413", lon="9.9841", display_name="Elbphilharmonie, Hamburg"),
    Place(place_id=5, lat="48.1374", lon="11.5755", display_name="Marienplatz, Munich"),
    Place(
        place_id=6,
        lat="53.2235",
        lon="-4.2000",
        display_name="Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch, Anglesey, Wales",
    ),
)


def create_geocoder_api(
    *, requests_per_second: int = 1000, now: Callable[[], float] = time.monotonic
) -> FastAPI:
    """Create the API, which accepts *requests_per_second*; *now* returns the time in seconds."""
    accepted: dict[int, int] = {}

    async def take_quota() -> None:
        second = int(now())
        accepted[second] = accepted.pop(second, 0) + 1
        if accepted[second] > requests_per_second:
            raise HTTPException(429, "Too many requests", {"Retry-After": "1"})

    app = FastAPI(title="Geocoder", dependencies=[Depends(_authenticate), Depends(take_quota)])

    @app.get("/search")
    async def search(
        q: Annotated[str, Query(min_length=1)], limit: Annotated[int, Query(ge=1, le=40)] = 10
    ) -> list[Place]:
        return [place for place in PLACES if q.casefold() in place.display_name.casefold()][:limit]

    return app


async def _authenticate(x_api_key: Annotated[str, Header()] = "") -> None:
    if not compare_digest(x_api_key, API_KEY):
        raise HTTPException(401, "Invalid API key")
