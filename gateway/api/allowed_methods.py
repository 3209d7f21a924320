"""The methods that a path knows."""

from typing import TYPE_CHECKING, Final, cast

from starlette.routing import BaseRoute, Match, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ("allowed",)

_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")


def allowed(scope: Scope) -> tuple[str, ...]:
    """Give the methods of the path that *scope* asks for, HEAD and OPTIONS among them; none if it is unknown.

    Static files are there to be got. What another mounted app allows is that app's business.
    """
    routes = cast("Sequence[BaseRoute]", scope["app"].routes)
    # A mount moves its own path into root_path, and keeps what was there before.
    root = scope.get("app_root_path", scope.get("root_path", ""))
    asked = {"type": "http", "path": scope["path"], "root_path": root}
    known = [
        method for method in _METHODS if any(_knows(route, {**asked, "method": method}) for route in routes)
    ]
    if "GET" in known:
        known.insert(1, "HEAD")
    return (*known, "OPTIONS") if known else ()


def _knows(route: BaseRoute, asked: Scope) -> bool:
    if isinstance(route, Mount) and not (isinstance(route.app, StaticFiles) and asked["method"] == "GET"):
        return False
    match, _ = route.matches(asked)
    return match is Match.FULL
