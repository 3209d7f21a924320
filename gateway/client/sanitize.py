"""Text from elsewhere as one line that is safe to show."""

import unicodedata
from typing import Final

__all__ = ("sanitize_text",)

_BREAKS: Final = frozenset({"Cc", "Zl", "Zp"})
_INVISIBLE: Final = frozenset({"Cf", "Cs"})
_GENEROUS: Final = 8


def sanitize_text(text: str, limit: int) -> str:
    """Give *text* as one line of at most *limit* characters.

    Control characters and line separators become spaces, and runs of spaces one; what has no shape of its
    own (format characters such as bidirectional overrides, lone surrogates) is dropped. A text that is cut
    ends in an ellipsis. It is read only as far as a sensible one would go.
    """
    seen = "".join(map(_visible, text[: limit * _GENEROUS]))
    line = " ".join(seen.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def _visible(character: str) -> str:
    category = unicodedata.category(character)
    if category in _BREAKS:
        return " "
    return "" if category in _INVISIBLE else character
