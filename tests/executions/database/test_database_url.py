"""URLs of databases, and the driver of PostgreSQL, which is optional."""

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.executions.database import DatabaseRefusedError, create_database
from gateway.executions.database.memory import MemoryDatabase
from gateway.executions.database.postgres import PostgresDatabase
from gateway.executions.database.sqlite import SqliteDatabase


def run_program(*lines: str) -> str:
    """Return what a Python program prints."""
    command = [sys.executable, "-c", "\n".join(lines)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603 - our own


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("sqlite:///:memory:", MemoryDatabase),
        ("sqlite:///journal.sqlite", SqliteDatabase),
        ("sqlite:////var/lib/gateway/journal.sqlite", SqliteDatabase),
        ("postgresql://", PostgresDatabase),
        ("postgresql:///journal?host=/run/postgresql", PostgresDatabase),
        ("postgresql:///journal?host=@abstract", PostgresDatabase),
        ("postgresql://gateway:p%40%2Fw@one:5432,two:5433/journal?sslmode=require", PostgresDatabase),
    ],
)
def test_url_has_its_database(url: str, kind: type) -> None:
    assert type(create_database(url)) is kind


@pytest.mark.parametrize(
    "url",
    [
        "",
        "secret",
        "sqlite://secret.sqlite",
        "sqlite:///",
        "sqlite:///secret/",
        "sqlite:///secret.sqlite?mode=ro",
        "mysql://user:secret@host/name",
        "postgres:/secret",
        "postgresql://user:secret%@host/name",
        "postgresql://user:sec@ret@host/name",
        "postgresql://user:sec/ret@host/name",
        "postgresql://user:123/ret@host/name",
        "postgresql://user@host:secret/name",
        "postgresql://host/name?secret=1",
    ],
)
def test_invalid_url_is_refused_without_its_secret(url: str) -> None:
    with pytest.raises(DatabaseRefusedError, match="expected ") as caught:
        create_database(url)

    assert not any(part in str(caught.value) for part in ("secret", "sec", "ret", "123"))
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or "secret" not in str(caught.value.__context__)


def test_refusal_names_the_forms_of_urls() -> None:
    with pytest.raises(DatabaseRefusedError) as caught:
        create_database("oracle://host")

    assert str(caught.value) == (
        "expected sqlite:///FILE, sqlite:////ABSOLUTE/FILE, sqlite:///:memory: or "
        "postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
    )


def test_missing_driver_is_refused_with_a_command() -> None:
    printed = run_program(
        "import sys",
        "sys.modules['psycopg'] = None  # as if it were not installed",
        "from gateway.executions.database import DatabaseRefusedError, create_database",
        "try:",
        "    create_database('postgresql://host/name')",
        "except DatabaseRefusedError as error:",
        "    print(error)",
    )

    assert "pip install 'fanout-gateway[postgres]'" in printed


def test_sqlite_does_not_import_the_driver_of_postgresql(tmp_path: Path) -> None:
    printed = run_program(
        "import sys",
        "from gateway.executions.database import create_database",
        f"create_database('sqlite:///{tmp_path}/journal.sqlite')",
        "print([name for name in sys.modules if name.startswith('psycopg')])",
    )

    assert printed == "[]\n"
