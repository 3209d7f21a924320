"""Structured log."""

import json
import logging

from gateway.observability.log_format import JsonFormatter


def build_record(message: str, /, *args: object, **fields: object) -> logging.LogRecord:
    record = logging.LogRecord("gateway.access", logging.INFO, "x.py", 1, message, args, None)
    record.created = 1_767_225_600.25
    record.fields = fields
    return record


def read(record: logging.LogRecord) -> dict[str, object]:
    line = JsonFormatter().format(record)
    assert line.isascii()
    assert "\n" not in line
    parsed: dict[str, object] = json.loads(line)
    return parsed


def test_record_is_an_object_in_one_line() -> None:
    record = build_record("caf\u00e9\n%s", "forged", status=200, caller=None)

    assert read(record) == {
        "time": "2026-01-01T00:00:00.250Z",
        "level": "info",
        "logger": "gateway.access",
        "process": record.process,
        "message": "caf\u00e9\nforged",
        "status": 200,
        "caller": None,
    }


def test_record_without_fields_has_its_message() -> None:
    record = logging.LogRecord("gateway", logging.WARNING, "x.py", 1, "slow", (), None)

    assert read(record)["message"] == "slow"


def test_fields_do_not_replace_others() -> None:
    entry = read(build_record("slow", message="forged", level="debug", status=200))

    assert (entry["message"], entry["level"], entry["status"]) == ("slow", "info", 200)


def test_fields_of_other_libraries_are_ignored() -> None:
    record = build_record("slow")
    record.fields = ["a"]

    assert read(record)["message"] == "slow"


def test_exception_is_a_field() -> None:
    bug = ZeroDivisionError()
    caught = (ZeroDivisionError, bug, None)
    record = logging.LogRecord("gateway", logging.ERROR, "x.py", 1, "a bug", (), caught)

    assert str(read(record)["exception"]).endswith("ZeroDivisionError")


def test_field_of_any_type_is_text() -> None:
    assert read(build_record("slow", at=ZeroDivisionError("x")))["at"] == "x"
