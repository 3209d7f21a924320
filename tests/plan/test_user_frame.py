"""The user's frame in a traceback."""

import asyncio
import json
from types import ModuleType

import pytest

from gateway import pipelines, railway, services
from gateway.plan.user_frame import find_user_frame, format_user_frame


def catch(text: str) -> ValueError:
    with pytest.raises(ValueError, match="Expecting") as caught:
        json.loads(text)
    return caught.value


def raise_in(filename: str) -> ValueError:
    """Return an error that was raised in code of *filename*."""
    with pytest.raises(ValueError, match="no") as caught:
        exec(compile("raise ValueError('no')", filename, "exec"))  # noqa: S102 - our own
    return caught.value


def find_file(error: BaseException) -> str:
    frame = find_user_frame(error)
    assert frame is not None
    return frame.filename


def test_frames_of_libraries_are_skipped() -> None:
    assert find_file(catch("{")) == __file__


@pytest.mark.parametrize("filename", [railway.__file__, pytest.__file__, asyncio.__file__, "<string>"])
def test_code_that_is_not_the_users_is_skipped(filename: str) -> None:
    assert find_file(raise_in(filename)) == __file__


@pytest.mark.parametrize("module", [services, pipelines])
def test_shipped_services_and_pipelines_count_as_user_code(module: ModuleType) -> None:
    filename = f"{module.__file__}"

    assert find_file(raise_in(filename)) == filename


def test_frame_is_formatted_as_in_a_traceback() -> None:
    _, place, code = format_user_frame(catch("{")).split("\n")

    assert place.startswith(f'  File "{__file__}", line ')
    assert place.endswith(", in catch")
    assert code == "    json.loads(text)"


def test_exception_without_traceback_has_no_frame() -> None:
    assert find_user_frame(ValueError()) is None
    assert format_user_frame(ValueError()) == ""
