"""Refusal of a request by the gateway itself."""

from collections.abc import Mapping
from typing import Final, final

from starlette.exceptions import HTTPException

from gateway.api.problems.catalogue import CATALOGUE

__all__ = ("NO_ENDPOINT", "Refusal")

NO_ENDPOINT: Final = "No endpoint has this path"
"""The detail of `route-not-found`."""


@final
class Refusal(HTTPException):
    """Refusal of a request by the gateway itself; *code* is a key of the catalogue."""

    def __init__(self, *, code: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(CATALOGUE[code].status, detail, headers)
        self.code = code
