"""The frame of a user's own code in which an exception was raised."""

import sysconfig
import traceback
from pathlib import Path
from traceback import FrameSummary
from typing import Final

__all__ = ("find_user_frame", "format_frame", "format_user_frame")

_GATEWAY: Final = Path(__file__).parents[1]
_SAMPLE: Final = (_GATEWAY / "pipelines", _GATEWAY / "services")
"""Folders of the gateway with code such as users write it."""
_LIBRARIES: Final = tuple({Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib", "platlib")})


def find_user_frame(error: BaseException) -> FrameSummary | None:
    """Return the innermost frame of *error* outside the gateway, other libraries and Python itself."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_user_code(frame.filename)]
    return frames[-1] if frames else None


def format_user_frame(error: BaseException) -> str:
    """Return the user's frame as in a traceback, with a line break before it; "" if there is none."""
    frame = find_user_frame(error)
    return "" if frame is None else f"\n{format_frame(frame)}"


def format_frame(frame: FrameSummary) -> str:
    """Return *frame* as in a traceback: a line with its place, and a line of code."""
    return f'  File "{frame.filename}", line {frame.lineno}, in {frame.name}\n    {frame.line}'


def _is_user_code(filename: str) -> bool:
    path = Path(filename)
    if path.is_relative_to(_GATEWAY):
        return any(path.is_relative_to(folder) for folder in _SAMPLE)
    return path.is_file() and not any(path.is_relative_to(folder) for folder in _LIBRARIES)
