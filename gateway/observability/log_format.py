"""Format of a structured log: a JSON object in each line."""

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias, cast, final

from typing_extensions import override

__all__ = ("JsonFormatter", "LogFormat")

LogFormat: TypeAlias = Literal["text", "json"]

_NO_FIELDS: Final[Mapping[object, object]] = {}


@final
class JsonFormatter(logging.Formatter):
    """Formatter of log records as JSON objects in ASCII.

    Each has `time` (RFC 3339, UTC), `level`, `logger`, `process` and `message`, and `exception` with the
    traceback, if any. A mapping that the record has in `extra={"fields": ...}` adds others.
    """

    @override
    def format(self, record: logging.LogRecord) -> str:
        """Return *record* as JSON."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields = getattr(record, "fields", None)
        own = cast("Mapping[object, object]", fields) if isinstance(fields, Mapping) else _NO_FIELDS
        entry: dict[str, object] = {
            **{str(name): value for name, value in own.items()},
            "time": time.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "process": record.process,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str)
