"""Replacements of dependencies in tests (FastAPI, "Testing Dependencies with Overrides")."""

from collections.abc import Callable, Mapping
from typing import Any, final

from fastapi.routing import APIRoute

__all__ = ("DependencyOverrides",)


@final
class DependencyOverrides:
    """Provider of the `dependency_overrides` of the app that serves *route*, which joins its app later."""

    def __init__(self, route: APIRoute) -> None:
        self._route = route

    @property
    def dependency_overrides(self) -> Mapping[Callable[..., Any], Callable[..., Any]]:
        """Return the replacements by dependency."""
        provider = self._route.dependency_overrides_provider
        return {} if provider is None else provider.dependency_overrides
