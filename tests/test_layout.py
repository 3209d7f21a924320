"""Layout of the code and its tests: folders, their sizes and the names in them."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]
PACKAGES: Final = ("gateway", "mock_services", "load")
WITHOUT_COUNTERPART: Final[Mapping[str, str]] = {
    "integration": "the whole gateway, in process",
    "system": "real processes",
    "typing": "checked by mypy and pyright, not run",
    "matrix": "every fault of every call, in process",
    "ledger": "random games, in process",
    "storms": "the instruments of benchmarks/storms",
    "client/wire": "real sockets, on a real clock",
}
"""Folders of tests that mirror no folder of code, and what is tested there."""

SHARED_NAMES: Final = {"__init__", "__main__", "conftest"}
NAMES_THAT_SAY_NOTHING: Final = {"common", "helpers", "misc", "shared", "support", "util", "utils", "world"}

MOST_MODULES: Final = 13
MOST_MODULES_OF: Final[Mapping[str, int]] = {
    "gateway/railway": 14,  # the vocabulary of a pipeline, a module a word
    "gateway/services": 14,  # one module per service
}


def folders(package: Path) -> Iterator[Path]:
    """Yield the folders that contain modules."""
    yield from sorted({module.parent for module in package.rglob("*.py")})


def modules(folder: Path) -> list[Path]:
    return [module for module in folder.glob("*.py") if module.stem != "__init__"]


def test_folders_of_tests_mirror_folders_of_code() -> None:
    tests = {path.relative_to(ROOT / "tests").as_posix() for path in folders(ROOT / "tests")} - {"."}
    mirrored = {path.relative_to(ROOT / "gateway").as_posix() for path in folders(ROOT / "gateway")}
    others = {path.relative_to(ROOT).as_posix() for name in PACKAGES for path in folders(ROOT / name)}

    assert tests - mirrored - others - WITHOUT_COUNTERPART.keys() == set()
    assert WITHOUT_COUNTERPART.keys() - tests == set()


def test_no_two_modules_of_tests_share_a_name() -> None:
    names = Counter(module.stem for module in (ROOT / "tests").rglob("*.py"))

    assert [name for name, count in names.items() if count > 1 and name not in SHARED_NAMES] == []


def test_modules_of_tests_say_what_they_are() -> None:
    names = {module.stem for module in (ROOT / "tests").rglob("*.py")}

    assert names & NAMES_THAT_SAY_NOTHING == set()


@pytest.mark.parametrize(
    "folder", [path.relative_to(ROOT).as_posix() for name in PACKAGES for path in folders(ROOT / name)]
)
def test_a_folder_has_about_a_dozen_modules_at_most(folder: str) -> None:
    assert len(modules(ROOT / folder)) <= MOST_MODULES_OF.get(folder, MOST_MODULES)
