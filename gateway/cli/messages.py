"""Messages, exit codes and the console that several commands share."""

import os
import sys
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from rich.console import Console

from gateway.client.service import Service
from gateway.settings import unknown_variables

__all__ = (
    "FAILURE",
    "USAGE_ERROR",
    "changed_environment",
    "create_console",
    "describe_unknown_settings",
    "fail",
    "print_to_stderr",
)

FAILURE: Final = 1
"""Exit code of a command that failed."""
USAGE_ERROR: Final = 2
"""Exit code of a command with invalid arguments or settings; argparse exits with the same code."""


def fail(code: int, *lines: str) -> int:
    """Print *lines* to stderr and return the exit *code*."""
    print_to_stderr(lines)
    return code


def print_to_stderr(lines: Iterable[str]) -> None:
    """Print *lines* to stderr, each prefixed with the name of the program."""
    for line in lines:
        print(f"gateway: {line}", file=sys.stderr)


def describe_unknown_settings(services: Iterable[Service[object]]) -> Sequence[str]:
    """Return a line for each `GATEWAY_*` variable that is no setting of the gateway or of *services*."""
    return [*unknown_variables(os.environ, [service.name for service in services])]


@contextmanager
def changed_environment(changes: Mapping[str, str]) -> Generator[None]:
    """Set the variables in *changes*, and restore them afterwards."""
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def create_console() -> Console:
    """Create a console for stdout that prints text as it is, without markup."""
    return Console(highlight=False, markup=False, emoji=False)
