"""Messages of mypy and pyright in `docs/type-errors.md`, which both checkers must give as shown."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from tests.system.type_checkers import CHECKERS, check, select_output, write_modules

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs" / "type-errors.md").read_text()
LONGEST: Final = {"mypy": 600, "pyright": 1800}
"""Characters that a checker may print about a mistake: more is no longer read."""

MODULES: Final[Mapping[str, str]] = {
    name: code for code, name in re.findall(r"```python\n(# (\w+)\.py\n.*?)```", PAGE, re.DOTALL)
}
"""Code of each module on the page, by name."""

MESSAGES: Final[Mapping[str, str]] = dict(
    re.findall(r"```python\n# (\w+)\.py\n(?:(?!```python).)*?```text\n(.*?)```", PAGE, re.DOTALL)
)
"""Messages shown for each mistake, by the name of its module."""

MISTAKES: Final = [name for name in MODULES if name != "services"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the modules of the page."""
    folder = tmp_path_factory.mktemp("mistakes")
    write_modules(folder, MODULES)
    return folder


def test_every_mistake_on_page_has_messages() -> None:
    assert [*MESSAGES] == MISTAKES
    assert len(MISTAKES) >= 7


@pytest.mark.parametrize("checker", CHECKERS)
@pytest.mark.parametrize("name", MISTAKES)
def test_checker_gives_documented_message(folder: Path, checker: str, name: str) -> None:
    shown = re.findall(rf"^{checker}: (.*)$", MESSAGES[name], re.MULTILINE)
    output = select_output(check(checker, folder), name)

    assert shown
    assert [message for message in shown if message not in output] == [], output
    assert len(output) < LONGEST[checker]


@pytest.mark.parametrize("checker", CHECKERS)
def test_checker_accepts_services_of_page(folder: Path, checker: str) -> None:
    assert select_output(check(checker, folder), "services") == ""


def test_page_describes_every_class_for_mistakes() -> None:
    source = (ROOT / "gateway" / "railway" / "run.py").read_text()

    classes = re.findall(r'class (\w+):\n    """Mistake: ', source)
    assert classes == re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
