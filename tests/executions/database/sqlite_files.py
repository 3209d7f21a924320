"""Files of SQLite databases in trouble: locked, damaged, or used without permission."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.postgres import UNPRIVILEGED

__all__ = ("acting_unprivileged", "connected", "execute", "locked", "overwrite")


@contextmanager
def connected(path: Path) -> Generator[sqlite3.Connection]:
    """Connect to the file beside the database under test."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


@contextmanager
def locked(path: Path) -> Generator[None]:
    """Hold the lock for writing for the time of the block."""
    with connected(path) as connection:
        connection.execute("begin immediate")
        yield
        connection.execute("rollback")


def execute(path: Path, *statements: str) -> None:
    """Execute *statements* in another process."""
    program = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
for statement in sys.argv[2:]:
    connection.execute(statement).fetchall()
connection.close()
"""
    subprocess.run([sys.executable, "-c", program, path, *statements], check=True)  # noqa: S603 - our arguments


def overwrite(path: Path, offset: int, content: bytes) -> bytes:
    """Overwrite a part of the file in another process; return what was there.

    Closing the file in this process would release the locks of the database under test.
    """
    program = """
import sys
with open(sys.argv[1], "r+b") as file:
    content = sys.stdin.buffer.read()
    file.seek(int(sys.argv[2]))
    sys.stdout.buffer.write(file.read(len(content)))
    file.seek(int(sys.argv[2]))
    file.write(content)
"""
    command = [sys.executable, "-c", program, str(path), str(offset)]
    return subprocess.run(command, input=content, stdout=subprocess.PIPE, check=True).stdout  # noqa: S603


@contextmanager
def acting_unprivileged() -> Generator[None]:
    """Act as another user for the time of the block if the tests are root, who may write everywhere."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(UNPRIVILEGED)
    try:
        yield
    finally:
        os.seteuid(0)
