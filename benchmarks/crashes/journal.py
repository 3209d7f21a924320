"""Databases for the journals of the gateways."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal, Protocol, TypeAlias, final

from typing_extensions import override

from tests.postgres import PostgresServer, run_postgres

__all__ = ("JOURNALS", "JournalName", "Journals", "run_journals")

JournalName: TypeAlias = Literal["sqlite", "postgresql"]
JOURNALS: Final[tuple[JournalName, ...]] = ("sqlite", "postgresql")


class Journals(Protocol):
    """Source of empty journals."""

    def create(self, folder: Path) -> str:
        """Return the URL of an empty journal, which may be a file in *folder*."""
        ...


@final
class _SqliteJournals(Journals):
    @override
    def create(self, folder: Path) -> str:
        return f"sqlite:///{folder}/journal.sqlite"


@final
class _PostgresJournals(Journals):
    def __init__(self, server: PostgresServer) -> None:
        self._server = server

    @override
    def create(self, folder: Path) -> str:
        return self._server.url(self._server.create_schema())


@contextmanager
def run_journals(name: JournalName) -> Generator[Journals]:
    """Run the server of the database, if it has one."""
    if name == "sqlite":
        yield _SqliteJournals()
    else:
        with run_postgres() as server:
            yield _PostgresJournals(server)
