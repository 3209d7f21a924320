"""Loader of the app for `--app MODULE:NAME`."""

import sys
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from types import ModuleType

from gateway.api.application import Gateway

__all__ = ("AppLoadError", "load_app")


class AppLoadError(Exception):
    """The app cannot be loaded; the message contains its name and the reason."""


def load_app(name: str) -> Gateway:
    """Put the current directory first on `sys.path`, then import the app *name* (`module:attribute`).

    Raises `AppLoadError` if *name* has another form, or does not name an app created by `create_app`. An
    exception that the module itself raises during the import is passed on.
    """
    sys.path.insert(0, str(Path.cwd()))
    module, _, attribute = name.partition(":")
    if not module or not attribute or module.startswith("."):
        raise _load_error(name, "expected MODULE:NAME, such as main:app")
    imported = _import_module(name, module)
    try:
        app: object = attrgetter(attribute)(imported)
    except AttributeError as error:
        raise _load_error(name, str(error)) from error
    if not isinstance(app, Gateway):
        raise _load_error(name, f"expected an app created by gateway.create_app, got {type(app).__name__}")
    return app


def _import_module(name: str, module: str) -> ModuleType:
    try:
        return import_module(module)
    except ModuleNotFoundError as missing:
        # If an import in the app's own code fails, the traceback shows that import.
        if not f"{module}.".startswith(f"{missing.name}."):
            raise
        raise _load_error(name, str(missing)) from missing


def _load_error(name: str, reason: str) -> AppLoadError:
    return AppLoadError(f"cannot load app {name!r}: {reason}")
