"""A request that HTTP itself gives reason to refuse."""

from collections.abc import Mapping
from typing import final

from starlette.exceptions import HTTPException

from gateway.api.problems.catalogue import CATALOGUE

__all__ = ("Refusal",)


@final
class Refusal(HTTPException):
    """Raised where a request is refused before any pipeline sees it; *code* is one of the catalogue's."""

    def __init__(self, *, code: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(CATALOGUE[code].status, detail, headers)
        self.code = code
