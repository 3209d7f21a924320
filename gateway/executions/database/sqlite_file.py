"""File of a SQLite database: creation, checks and connections.

The file must be on a local file system. On NFS and the like, locks and shared memory do not work between
machines, and processes would damage the file: https://www.sqlite.org/wal.html.
"""

import os
import sqlite3
from pathlib import Path
from typing import Final, TypeAlias, final

from gateway.executions.database.errors import DatabaseCorruptError
from gateway.executions.database.sqlite_errors import DatabaseUnusableError

__all__ = ("SqliteFile",)

CHECKED_BYTES: Final = 64 * 1024 * 1024
"""Size up to which the whole file is checked when it is opened, which takes about 0.1 s for this size.

Damage to a larger file is found when it is read.
"""

WAL_BYTES: Final = 16 * 1024 * 1024
"""Size to which SQLite truncates a longer write-ahead log. It is written back every 1000 pages (4 MB)."""

_Identity: TypeAlias = tuple[int, int]


@final
class SqliteFile:
    """File at *path*, which is created with mode 0600 by the first connection.

    SQLite gives its `-wal` and `-shm` files the mode of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path: Final = path.resolve()
        self._identity: _Identity | None = None

    @property
    def name(self) -> str:
        """The absolute path, for messages."""
        return str(self._path)

    def connect(self) -> sqlite3.Connection:
        """Return a new connection, in autocommit mode, that never waits for a lock.

        Raise `sqlite3.Error`, `DatabaseUnusableError` or `DatabaseCorruptError`.
        """
        if self._identity is None:
            self._create()
        self.check()
        self._check_permissions()
        connection = sqlite3.connect(self._path, timeout=0, isolation_level=None)
        try:
            connection.execute("pragma journal_mode = wal")
            connection.execute("pragma synchronous = full")
            connection.execute(f"pragma journal_size_limit = {WAL_BYTES}")
            self._check_contents(connection)
            self._identity = self._identify()
        except BaseException:
            connection.close()
            raise
        return connection

    def check(self) -> None:
        """Raise `DatabaseUnusableError` if the connected file is no longer the one at its path.

        SQLite would write on to a file that has no name any more.
        """
        if self._identity is not None and self._identify() != self._identity:
            msg = f"{self._path} was deleted or replaced while in use; put it back, or restart the gateway"
            raise DatabaseUnusableError(msg)

    def _identify(self) -> _Identity | None:
        try:
            found = os.stat(self._path)  # noqa: PTH116 - twice as fast as Path.stat, before each transaction
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _create(self) -> None:
        """Create the file unless it exists.

        An existing file is not opened here: closing it would release the locks of SQLite in this process
        (https://www.sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_).
        """
        try:
            os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except FileExistsError:
            pass
        except FileNotFoundError as error:
            msg = f"the folder {self._path.parent} of the database file does not exist; create it"
            raise DatabaseUnusableError(msg) from error
        except OSError as error:
            msg = f"cannot create {self._path}: {error.strerror}; its folder must be writable"
            raise DatabaseUnusableError(msg) from error

    def _check_permissions(self) -> None:
        """Raise `DatabaseUnusableError` if the file cannot be written: SQLite would open it to read only."""
        for path in (self._path.parent, self._path):
            if not os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
                msg = f"{path} is not writable; the gateway must write the database file and its folder"
                raise DatabaseUnusableError(msg)

    def _check_contents(self, connection: sqlite3.Connection) -> None:
        ((pages, size),) = connection.execute(
            "select page_count, page_size from pragma_page_count, pragma_page_size"
        )
        if pages * size > CHECKED_BYTES:
            return
        ((result,),) = connection.execute("pragma quick_check(1)")
        if result != "ok":
            msg = f"{self._path} is damaged: {' '.join(result.split())}; restore it, or move it away"
            raise DatabaseCorruptError(msg)
