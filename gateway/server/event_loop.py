"""The event loop of the process."""

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

__all__ = ("run",)

T = TypeVar("T")


def run(main: Coroutine[object, object, T]) -> T:
    """Run *main* on a new event loop: that of uvloop, or of asyncio where uvloop is not installed.

    uvloop has no releases for Windows and PyPy.
    """
    try:
        import uvloop  # noqa: PLC0415 - optional
    except ImportError:
        return asyncio.run(main)
    return uvloop.run(main)
