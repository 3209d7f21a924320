"""PostgreSQL and PgBouncer for tests: real ones, in temporary folders, on free ports of 127.0.0.1."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlencode

import psycopg

__all__ = ("PASSWORD", "UNPRIVILEGED", "PostgresServer", "run_pgbouncer", "run_postgres")

UNPRIVILEGED: Final = 65534
"""Id of the user that programs run as if the tests are root."""

USER: Final = "gateway"
PASSWORD: Final = "s3cret%pass"  # noqa: S105 - of a server that only the tests can reach
_BINARIES: Final = Path("/usr/lib/postgresql")


class PostgresServer:
    """Server with its files in *folder*; `fsync` is off. Its programs refuse to be root."""

    def __init__(self, folder: Path) -> None:
        self._programs = _find_programs()
        self._folder = folder
        self._data = folder / "data"
        self._numbers = count(1)
        self.port: Final = _find_free_port()

    def create(self) -> None:
        """Create the files of the server."""
        password = self._folder / "password"
        password.write_text(PASSWORD)
        self._run(
            "initdb", "-D", self._data, "-U", USER, "-A", "scram-sha-256", "--pwfile", password, "-N", "-k"
        )

    def start(self) -> None:
        """Start the server, and wait until it accepts connections."""
        options = f"-F -p {self.port} -k {self._folder} -c listen_addresses=127.0.0.1"
        self._run("pg_ctl", "start", "-w", "-D", self._data, "-l", self._folder / "log", "-o", options)

    def stop(self) -> None:
        """Stop the server; calls in progress are aborted."""
        self._run("pg_ctl", "stop", "-w", "-m", "fast", "-D", self._data)

    @contextmanager
    def stopped(self) -> Generator[None]:
        """Stop the server for the time of the block."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    @contextmanager
    def suspended(self) -> Generator[None]:
        """Suspend all processes of the server for the time of the block."""
        main = int((self._data / "postmaster.pid").read_text().split()[0])
        os.kill(main, signal.SIGSTOP)
        children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
        processes = [main, *map(int, children)]
        for process in processes:
            os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            for process in processes:
                os.kill(process, signal.SIGCONT)

    def url(
        self,
        schema: str = "public",
        *,
        user: str = USER,
        password: str = PASSWORD,
        database: str = "postgres",
        options: str = "",
    ) -> str:
        """Return the URL of the tables in *schema*; *options* are options of the server's program."""
        query = urlencode({"options": f"-csearch_path={schema} {options}"}, quote_via=quote)
        return f"postgresql://{user}:{quote(password)}@127.0.0.1:{self.port}/{database}?{query}"

    def create_schema(self) -> str:
        """Create a schema, which is as good as an empty database and faster; return its name."""
        name = f"test_{next(self._numbers)}"
        self.execute(f"create schema {name}")
        return name

    def execute(self, sql: str) -> list[tuple[object, ...]]:
        """Execute a statement on a connection of its own; return its rows."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []

    def find_file(self, table: str) -> Path:
        """Return the file of *table* after a checkpoint."""
        self.execute("checkpoint")
        ((path,),) = self.execute(f"select pg_relation_filepath('{table}')")
        return self._data / str(path)

    def _run(self, program: str, *arguments: str | Path) -> None:
        _run_unprivileged(self._programs / program, *arguments, log=self._folder / "programs.log")


@contextmanager
def run_postgres() -> Generator[PostgresServer]:
    """Run a server; raise `RuntimeError` if PostgreSQL is not installed."""
    with _make_folder() as folder:
        server = PostgresServer(folder)
        server.create()
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def run_pgbouncer(server: PostgresServer, database: str, size: int) -> Generator[str]:
    """Run a PgBouncer that pools the transactions of *database* on *size* connections; yield its URL.

    Raise `RuntimeError` if PgBouncer is not installed.
    """
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        msg = "the tests need PgBouncer; on Debian and Ubuntu: apt-get install pgbouncer"
        raise RuntimeError(msg)
    port = _find_free_port()
    with _make_folder() as folder:
        settings = folder / "pgbouncer.ini"
        settings.write_text(f"""
[databases]
{database} = host=127.0.0.1 port={server.port} user={USER} password={PASSWORD}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {size}
logfile = {folder}/log
pidfile = {folder}/pid
""")
        _run_unprivileged(Path(program), "-d", settings, log=folder / "output")
        try:
            _wait_until_listening(port)
            yield f"postgresql://127.0.0.1:{port}/{database}"
        finally:
            os.kill(int((folder / "pid").read_text()), signal.SIGTERM)


@contextmanager
def _make_folder() -> Generator[Path]:
    """Make a temporary folder that belongs to another user if the tests are root."""
    with tempfile.TemporaryDirectory(prefix="gateway-postgres-") as name:
        if os.geteuid() == 0:
            shutil.chown(name, UNPRIVILEGED)
        yield Path(name)


def _run_unprivileged(program: Path, *arguments: str | Path, log: Path) -> None:
    """Run *program*, which refuses root, as another user if the tests are root."""
    user = UNPRIVILEGED if os.geteuid() == 0 else None
    with log.open("ab") as output:
        status = subprocess.run(  # noqa: S603 - our own arguments
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            user=user,
            extra_groups=None if user is None else [],
            check=False,
        ).returncode
    if status:
        msg = f"{program} failed with status {status}:\n{log.read_text()}"
        raise RuntimeError(msg)


def _find_programs() -> Path:
    found = sorted(_BINARIES.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        msg = "the tests need PostgreSQL; on Debian and Ubuntu: apt-get install postgresql"
        raise RuntimeError(msg)
    return found[-1].parent


def _find_free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _wait_until_listening(port: int) -> None:
    give_up_at = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(0.01)
        else:
            return
