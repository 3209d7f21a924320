"""Lock that keeps a server to one worker process, since the journal is in memory."""

import fcntl
import multiprocessing
import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

__all__ = ("SecondWorkerError", "find_supervisor", "hold_worker_lock")

_MESSAGE: Final = (
    "the journal of commits is in memory, and another worker process would not know of them: "
    "run one worker for each gateway (uvicorn --workers 1)"
)


class SecondWorkerError(RuntimeError):
    """Another worker of the same server is running."""


def find_supervisor() -> int | None:
    """Return the id of the process that started this one as a worker; None if this is no worker."""
    if (parent := multiprocessing.parent_process()) is not None:  # uvicorn
        return parent.pid
    if os.environ.get("SERVER_SOFTWARE", "").startswith("gunicorn"):
        return os.getppid()
    return None


@contextmanager
def hold_worker_lock(supervisor: int | None, folder: Path | None = None) -> Generator[None]:
    """Hold the lock of the workers of *supervisor*; raise `SecondWorkerError` if another worker holds it.

    The lock is a file in *folder*, by default that of temporary files. Without a *supervisor* there is none.
    """
    if supervisor is None:
        yield
        return
    name = f"fanout-gateway-{os.getuid()}-{supervisor}.lock"
    # Opened for appending: a file that someone else may have put there is not truncated.
    with ((folder or Path(tempfile.gettempdir())) / name).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the kernel releases it when the process dies
        except BlockingIOError:
            raise SecondWorkerError(_MESSAGE) from None
        yield
