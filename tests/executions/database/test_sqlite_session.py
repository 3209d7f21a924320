"""Jobs whose callers have gone before they begin."""

import math
from pathlib import Path

import pytest

from gateway.executions.database import Statement
from gateway.executions.database.sqlite_file import SqliteFile
from gateway.executions.database.sqlite_session import Job, SqliteSession

READ = "select name from sqlite_schema"
WRITE = "create table item (name text)"


@pytest.mark.parametrize(("sql", "is_read"), [(READ, True), (WRITE, False)])
def test_overdue_job_does_not_begin(tmp_path: Path, sql: str, *, is_read: bool) -> None:
    session = SqliteSession(SqliteFile(tmp_path / "journal.sqlite"))
    overdue = Job((Statement(sql),), is_read, deadline=-math.inf)
    other = Job((Statement(READ),), is_read=False, deadline=math.inf)
    session.execute([overdue, other])
    session.close()

    assert not overdue.is_done
    assert other.outcome == ([],)


@pytest.mark.parametrize(("sql", "is_read"), [(READ, True), (WRITE, False)])
def test_abandoned_job_does_not_begin(tmp_path: Path, sql: str, *, is_read: bool) -> None:
    session = SqliteSession(SqliteFile(tmp_path / "journal.sqlite"))
    abandoned = Job((Statement(sql),), is_read, deadline=math.inf)
    abandoned.is_abandoned = True
    other = Job((Statement(READ),), is_read=False, deadline=math.inf)
    session.execute([abandoned, other])
    session.close()

    assert not abandoned.is_done
    assert other.outcome == ([],)
