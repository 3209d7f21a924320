"""Loader of the app for `--app MODULE:NAME`."""

import logging
import sys
from collections.abc import Iterator
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from types import ModuleType
from typing import Final

from gateway.api.application import Gateway
from gateway.plan.user_frame import find_user_frame, format_frame
from gateway.settings import InvalidSettingsError

__all__ = ("AppLoadError", "load_app")

_log: Final = logging.getLogger(__name__)


class AppLoadError(Exception):
    """The app cannot be loaded; the message has the name as it was given, and the reason.

    If the reason is in the user's own code, two more lines show where: the file and the line.
    """


def load_app(name: str, folder: str | None = None) -> Gateway:
    """Import the app *name* (`module:attribute`); *folder*, or the current one, is first on `sys.path`.

    Raise `AppLoadError` if *name* has another form, does not name an app created by `create_app`, or if its
    module raises an exception; the whole traceback is logged at level debug. Raise `InvalidSettingsError` for
    invalid settings.
    """
    path = Path.cwd() if folder is None else Path(folder).resolve()
    if not path.is_dir():
        raise _load_error(name, f"{folder} is not a folder; choose another --app-dir")
    sys.path.insert(0, str(path))
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
    except InvalidSettingsError:
        raise
    except Exception as error:
        _log.debug("cannot load app %r", name, exc_info=error)
        is_missing = isinstance(error, ModuleNotFoundError) and f"{module}.".startswith(f"{error.name}.")
        place = [] if is_missing else _locate(error)
        raise _load_error(name, "\n".join((_describe(error, is_missing=is_missing), *place))) from error


def _describe(error: Exception, *, is_missing: bool) -> str:
    """Return *error* in one line, with its class unless the message says enough."""
    if type(error).__module__.startswith("gateway."):
        return str(error).partition("\n")[0]  # the lines that follow show a frame, as `_locate` does
    text = " ".join((error.msg if isinstance(error, SyntaxError) else str(error)).split())
    return text if is_missing else f"{type(error).__name__}: {text}".removesuffix(": ")


def _locate(error: Exception) -> list[str]:
    """Return the lines that show the innermost frame in the user's own code; none if there is no frame."""
    if isinstance(error, SyntaxError) and error.filename is not None:
        return [f'  File "{error.filename}", line {error.lineno}', f"    {(error.text or '').strip()}"]
    frames = [*filter(None, map(find_user_frame, _list_causes(error)))]
    return [format_frame(frame) for frame in frames[-1:]]


def _list_causes(error: BaseException) -> Iterator[BaseException]:
    """Yield *error*; if it is the gateway's own, also its cause, whose frames show more."""
    yield error
    if error.__cause__ is not None and type(error).__module__.startswith("gateway."):
        yield from _list_causes(error.__cause__)


def _load_error(name: str, reason: str) -> AppLoadError:
    return AppLoadError(f"cannot load app {name!r}: {reason}")
