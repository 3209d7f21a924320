"""Executions as text, for people: a row for each, or one in full. Times are in UTC."""

from collections.abc import Iterator, Sequence
from typing import Final

from gateway.api.endpoints.executions import ExecutionRecord, WriteRecord
from gateway.client.sanitize import sanitize_text

__all__ = ("format_execution", "format_table")

_HEADINGS: Final = ("EXECUTION", "PIPELINE", "STATE", "STARTED (UTC)", "ENDED (UTC)", "WRITES")
_GAP: Final = "  "
_TIME: Final = len("2026-01-31 12:00:00")
_LONGEST_NAME: Final = 100


def format_table(records: Sequence[ExecutionRecord]) -> Iterator[str]:
    """Yield the lines of a table of *records*, whose last column is as long as it needs to be."""
    rows = [_HEADINGS, *map(_build_row, records)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        *cells, last = row
        yield _GAP.join([*(f"{cell:{width}}" for cell, width in zip(cells, widths, strict=False)), last])


def format_execution(record: ExecutionRecord) -> Iterator[str]:
    """Yield the lines that show an execution, with a line for each write."""
    *values, _ = _build_row(record)
    width = max(map(len, _HEADINGS))
    for heading, value in zip(_HEADINGS, values, strict=False):
        yield f"{heading:{width}}{_GAP}{value}"
    writes = record["writes"]
    names = max((len(_format_name(write["name"])) for write in writes), default=0)
    for heading, write in zip((_HEADINGS[-1], *[""] * len(writes)), writes, strict=False):
        yield f"{heading:{width}}{_GAP}{_format_name(write['name']):{names}}{_GAP}{write['outcome']}"


def _build_row(record: ExecutionRecord) -> tuple[str, ...]:
    return (
        _format_name(record["execution_id"]),
        _format_name(record["pipeline"]),
        record["state"],
        _format_time(record["started_at"]),
        _format_time(record["ended_at"]),
        ", ".join(map(_format_write, record["writes"])) or "-",
    )


def _format_write(write: WriteRecord) -> str:
    return f"{_format_name(write['name'])} {write['outcome']}"


def _format_name(text: str) -> str:
    return sanitize_text(text, _LONGEST_NAME)


def _format_time(text: str | None) -> str:
    return "-" if text is None else sanitize_text(text.replace("T", " "), _LONGEST_NAME)[:_TIME]
