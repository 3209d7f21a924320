"""Path template of an operation, such as `/users/{user_id}`: parsed at declaration, filled for each call."""

import re
from collections.abc import Collection, Mapping
from typing import Final, final
from urllib.parse import quote

from gateway.client.operations.parameters import Scalar, format_scalar

__all__ = ("PathTemplate",)

_PARTS: Final = re.compile(r"\{([^{}]*)\}")
_LITERAL: Final = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*")
"""Characters that a path may contain unencoded (RFC 3986, 3.3), and percent-encoded ones."""
_UNRESERVED: Final = re.compile(r"[A-Za-z0-9._~-]+")
"""Usual ids: text without characters to encode, which this expression finds faster than `quote`."""
_RESERVED: Final = frozenset({"form", "query", "headers", "fits"})
_DOTS: Final = frozenset({".", ".."})


@final
class PathTemplate:
    """Path template of the operation *name*; *parameters* are the names in braces, in order.

    Raise `ValueError` if *template* is not a path, or if a parameter is repeated or reserved.
    """

    __slots__ = ("_literals", "_name", "_names", "_pattern", "parameters", "template")

    def __init__(self, name: str, template: str) -> None:
        self._name = name
        self.template: Final = template
        self._literals = tuple(_PARTS.split(template)[::2])
        self.parameters: Final[tuple[str, ...]] = tuple(_PARTS.findall(template))
        self._names: Final = {*self.parameters}
        if (problem := self._find_problem()) is not None:
            msg = f"{name}: invalid path {template!r}: {problem}"
            raise ValueError(msg)
        self._pattern = "%s".join(literal.replace("%", "%%") for literal in self._literals)

    def fill(self, values: Mapping[str, Scalar]) -> str:
        """Return the path with *values*, each percent-encoded as one segment.

        Raise `TypeError` unless *values* has exactly the parameters of the template. Raise `ValueError` for a
        value that would change the path: an empty string, `.` or `..`.
        """
        if len(values) != len(self._names) or not self._names.issuperset(values):
            expected, given = _list_names(self.parameters), _list_names(values)
            msg = f"{self._name} takes {expected} for its path {self.template}, got {given}"
            raise TypeError(msg)
        return self._pattern % tuple([self._encode(name, values[name]) for name in self.parameters])

    def _encode(self, name: str, value: Scalar) -> str:
        text = value if type(value) is str else self._format(name, value)
        # Percent-encoding does not protect dots: `%2E%2E` means the same as `..`, and servers
        # and proxies resolve both.
        # https://www.rfc-editor.org/rfc/rfc3986#section-2.3
        if not text or text in _DOTS:
            msg = f"{self._name}: a path segment must not be empty, '.' or '..', got {name}={text!r}"
            raise ValueError(msg)
        return text if _UNRESERVED.fullmatch(text) else quote(text, safe="")

    def _format(self, name: str, value: Scalar) -> str:
        text = format_scalar(f"{self._name}: {name}", value)
        if text is None:
            msg = f"{self._name}: {name} is part of the path, and must not be None"
            raise TypeError(msg)
        return text

    def _find_problem(self) -> str | None:
        template, names = self.template, self.parameters
        if not template.startswith("/"):
            return "it must begin with '/'"
        if any(_LITERAL.fullmatch(literal) is None for literal in self._literals):
            return "expected a path with parameters such as {user_id}, without query and fragment"
        bare = _PARTS.sub("{}", template)
        if "//" in bare or _DOTS.intersection(bare.replace("{}", "").split("/")):
            return "a path segment must not be empty, '.' or '..'"
        if "{}{}" in bare:
            return "two parameters need a character between them"
        return _find_invalid_name(names)


def _find_invalid_name(names: Collection[str]) -> str | None:
    seen: set[str] = set()
    for name in names:
        if not name.isidentifier():
            return f"{{{name}}} is no name of a parameter"
        if name in _RESERVED:
            return f"the name {{{name}}} is reserved for an argument of every operation"
        if name in seen:
            return f"{{{name}}} is repeated"
        seen.add(name)
    return None


def _list_names(names: Collection[str]) -> str:
    return ", ".join(sorted(names)) or "no parameters"
