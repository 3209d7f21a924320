"""A gateway whose journal is in its memory must be the only worker of its server."""

import fcntl
import multiprocessing
import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

__all__ = ("NotAloneError", "alone", "family")

_TWO: Final = (
    "the journal of commits is in memory, and another worker process would not know of them: "
    "run one worker for each gateway (uvicorn --workers 1)"
)


class NotAloneError(RuntimeError):
    """Another worker of the same server runs already."""


def family() -> int | None:
    """Give the id of the process that has made this one to be a worker; None if it is nobody's worker."""
    if (parent := multiprocessing.parent_process()) is not None:  # uvicorn
        return parent.pid
    if os.environ.get("SERVER_SOFTWARE", "").startswith("gunicorn"):
        return os.getppid()
    return None


@contextmanager
def alone(of: int | None) -> Generator[None]:
    """Be the only worker of the family *of*, or raise `NotAloneError`; who has no family is alone anyway."""
    if of is None:
        yield
        return
    with (Path(tempfile.gettempdir()) / f"fanout-gateway-{of}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the kernel lets go of it if we are killed
        except BlockingIOError:
            raise NotAloneError(_TWO) from None
        yield
