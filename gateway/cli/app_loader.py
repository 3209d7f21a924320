"""Where an app of one's own is found: `MODULE:NAME`."""

import sys
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from types import ModuleType

from fastapi import FastAPI

__all__ = ("AppNotFoundError", "load_app")


class AppNotFoundError(Exception):
    """What was named is no app that `create_app` has made; the message says why."""


def load_app(name: str) -> FastAPI:
    """Import the app *name* (`module:attribute`), from the current directory too.

    Raises `AppNotFoundError` if there is none, and whatever the module raises while it is imported.
    """
    sys.path.insert(0, str(Path.cwd()))
    module, _, attribute = name.partition(":")
    if not module or not attribute or module.startswith("."):
        raise _no_app(name, "it is named as MODULE:NAME")
    imported = _imported(name, module)
    try:
        app: object = attrgetter(attribute)(imported)
    except AttributeError as error:
        raise _no_app(name, str(error)) from error
    if not isinstance(app, FastAPI):
        msg = f"{name!r} is no FastAPI app, but of type {type(app).__name__}"
        raise AppNotFoundError(msg)
    if not hasattr(app.state, "readiness"):
        msg = f"{name!r} is an app that create_app has not made (gateway.app.create_app)"
        raise AppNotFoundError(msg)
    return app


def _imported(name: str, module: str) -> ModuleType:
    try:
        return import_module(module)
    except ModuleNotFoundError as missing:
        if not f"{module}.".startswith(f"{missing.name}."):  # the module is there, and misses another one
            raise
        raise _no_app(name, str(missing)) from missing


def _no_app(name: str, reason: str) -> AppNotFoundError:
    return AppNotFoundError(f"there is no app {name!r}: {reason}")
