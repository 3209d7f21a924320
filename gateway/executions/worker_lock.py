"""A gateway whose journal is in its memory must be the only worker of its server."""

import fcntl
import multiprocessing
import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

__all__ = ("SecondWorkerError", "alone", "family")

_TWO: Final = (
    "the journal of commits is in memory, and another worker process would not know of them: "
    "run one worker for each gateway (uvicorn --workers 1)"
)


class SecondWorkerError(RuntimeError):
    """Another worker of the same server runs already."""


def family() -> int | None:
    """Give the id of the process that has made this one to be a worker; None if it is nobody's worker."""
    if (parent := multiprocessing.parent_process()) is not None:  # uvicorn
        return parent.pid
    if os.environ.get("SERVER_SOFTWARE", "").startswith("gunicorn"):
        return os.getppid()
    return None


@contextmanager
def alone(of: int | None, folder: Path | None = None) -> Generator[None]:
    """Be the only worker of the family *of*, or raise `SecondWorkerError`; who has no family is alone anyway.

    A file in *folder*, by default where temporary files are, is locked for it.
    """
    if of is None:
        yield
        return
    name = f"fanout-gateway-{os.getuid()}-{of}.lock"
    # Opened to append: what somebody else may have put in its place is not emptied.
    with ((folder or Path(tempfile.gettempdir())) / name).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the kernel lets go of it if we are killed
        except BlockingIOError:
            raise SecondWorkerError(_TWO) from None
        yield
