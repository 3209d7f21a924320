"""Lock that allows a server a single worker process, since the journal of commits is in memory."""

import multiprocessing
import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final

__all__ = ("SecondWorkerError", "find_supervisor", "hold_worker_lock")

_MESSAGE: Final = (
    "another worker process is running, and workers cannot share the journal of commits, which is in memory: "
    "run one worker for each gateway (uvicorn --workers 1)"
)


class SecondWorkerError(RuntimeError):
    """The server of this worker process already has another worker."""


def find_supervisor() -> int | None:
    """Return the process id of the supervisor if this process is a uvicorn or gunicorn worker, else None."""
    if (parent := multiprocessing.parent_process()) is not None:  # uvicorn
        return parent.pid
    if os.environ.get("SERVER_SOFTWARE", "").startswith("gunicorn"):
        return os.getppid()
    return None


@contextmanager
def hold_worker_lock(supervisor: int | None, folder: Path | None = None) -> Generator[None]:
    """Hold the lock of the workers of *supervisor* (a process id), or no lock if *supervisor* is None.

    Raise `SecondWorkerError` if another worker holds the lock. The lock is a file in *folder*, by default the
    system's folder for temporary files. On systems without `fcntl`, such as Windows, there is no lock: a
    gateway can be developed there, but not operated.
    """
    if supervisor is None or find_spec("fcntl") is None:
        yield
        return
    import fcntl  # noqa: PLC0415 - not on every system

    name = f"fanout-gateway-{os.getuid()}-{supervisor}.lock"
    # Opened for appending, so that a file or link of another user is not truncated.
    with ((folder or Path(tempfile.gettempdir())) / name).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the kernel releases it when the process dies
        except BlockingIOError:
            raise SecondWorkerError(_MESSAGE) from None
        yield
