"""HTTP methods that a path supports."""

from typing import TYPE_CHECKING, Final, cast

from starlette.routing import BaseRoute, Match, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ("list_allowed_methods",)

_WHOLE: Final = "*"
_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")


def list_allowed_methods(scope: Scope) -> tuple[str, ...]:
    """Return the methods that the path of *scope* supports; empty for an unknown path.

    OPTIONS is always included, and HEAD if GET is. Static files support GET. Other mounted apps are ignored,
    because their methods are unknown. The path `*` is the gateway as a whole (RFC 9110, 9.3.7).
    """
    routes = cast("Sequence[BaseRoute]", scope["app"].routes)
    # A mount appends its own path to root_path and saves the original in app_root_path.
    root = scope.get("app_root_path", scope.get("root_path", ""))
    request = {"type": "http", "path": scope["path"], "root_path": root}
    supported = [
        method
        for method in _METHODS
        if any(_supports(route, {**request, "method": method}) for route in routes)
    ]
    if "GET" in supported:
        supported.insert(1, "HEAD")
    return (*supported, "OPTIONS") if supported else ()


def _supports(route: BaseRoute, request: Scope) -> bool:
    if request["path"] == _WHOLE:
        return isinstance(route, Route) and request["method"] in (route.methods or ())
    if isinstance(route, Mount) and not (isinstance(route.app, StaticFiles) and request["method"] == "GET"):
        return False
    match, _ = route.matches(request)
    return match is Match.FULL
