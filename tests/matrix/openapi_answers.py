"""Validation of responses against the gateway's OpenAPI document."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeAlias, cast, final

import httpx
import jsonschema_rs

__all__ = ("Document",)

_Object: TypeAlias = dict[str, Any]

_GENERIC: Final = frozenset({"content-length", "content-type", "cache-control"})


@final
class Document:
    """The OpenAPI document; a validator for a schema is created when the schema is first used."""

    def __init__(self, document: _Object) -> None:
        self._document = document
        self._validators: dict[tuple[str, str, int, str], jsonschema_rs.Draft202012Validator] = {}

    def success_of(self, method: str, route: str) -> int:
        """Return the status of a success: the lowest declared status."""
        return min(self.statuses(method, route))

    def statuses(self, method: str, route: str) -> Sequence[int]:
        """Return every declared status."""
        return [int(status) for status in self._operation(method, route)["responses"]]

    def find_violations(self, method: str, route: str, answer: httpx.Response) -> Iterator[str]:
        """Yield the parts of *answer* that the document does not declare."""
        declared = self._operation(method, route)["responses"].get(str(answer.status_code))
        if declared is None:
            yield f"{answer.status_code} is not declared"
            return
        kind = answer.headers.get("content-type")
        content = declared.get("content", {})
        if kind not in (content or {None}):
            yield f"{answer.status_code} is not declared as {kind}"
            return
        if kind is not None:
            validator = self._validator(method, route, answer.status_code, kind)
            for error in validator.iter_errors(answer.json()):
                yield f"{answer.status_code}: {error.message}"
        headers = {name.lower(): header for name, header in declared["headers"].items()}
        for name, value in answer.headers.items():
            if name not in headers and name not in _GENERIC:
                yield f"{answer.status_code}: the header {name} is not declared"
            elif name in headers and not self._fits(headers[name], value):
                yield f"{answer.status_code}: {name}: {value}"

    def _operation(self, method: str, route: str) -> _Object:
        return cast("_Object", self._document["paths"][route][method.lower()])

    def _validator(
        self, method: str, route: str, status: int, kind: str
    ) -> jsonschema_rs.Draft202012Validator:
        known = (method, route, status, kind)
        if known not in self._validators:
            schema = self._operation(method, route)["responses"][str(status)]["content"][kind]["schema"]
            self._validators[known] = self._compile(schema)
        return self._validators[known]

    def _fits(self, declared: _Object, value: str) -> bool:
        """Return whether *value* fits a header that is *declared* by a reference, or by its own schema."""
        name = declared.get("$ref", "").rpartition("/")[2]
        header = self._document["components"]["headers"][name] if name else declared
        schema = header["schema"]
        if schema["type"] == "integer":
            return value.isdecimal()
        return value in schema.get("enum", (value,))

    def _compile(self, schema: _Object) -> jsonschema_rs.Draft202012Validator:
        return jsonschema_rs.Draft202012Validator(
            {**schema, "components": self._document["components"]}, validate_formats=True
        )
