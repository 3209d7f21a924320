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
    "documents": "code blocks and tables of the documentation, in process",
    "system/hostile": "clients and services on raw sockets",
    "system/journal": "gateways whose journal is in trouble",
    "typing": "checked by mypy and pyright, not run",
    "matrix": "every fault of every call, in process",
    "matrix/sockets": "the same as bytes on connections, by each transport",
    "ledger": "random sequences of operations, in process",
    "examples": "gateways in front of APIs that were not designed for them",
    "storms": "the instruments of benchmarks/storms",
    "performance": "the instruments of benchmarks/performance",
    "client/wire": "real sockets, on a real clock",
}
"""Folders of tests that mirror no folder of code, with the subject of their tests."""

SHARED_NAMES: Final = {"__init__", "__main__", "conftest"}
MEANINGLESS_NAMES: Final = {"common", "helpers", "misc", "shared", "support", "util", "utils", "world"}

MOST_MODULES: Final = 13
MOST_MODULES_OF: Final[Mapping[str, int]] = {
    "gateway/railway": 17,  # one module per concept of a pipeline
    "gateway/services": 14,  # one module per service
}


def list_folders(package: Path) -> Iterator[Path]:
    """Yield the folders of *package* that contain modules."""
    yield from sorted({module.parent for module in package.rglob("*.py")})


def list_modules(folder: Path) -> list[Path]:
    return [module for module in folder.glob("*.py") if module.stem != "__init__"]


def test_folders_of_tests_mirror_code() -> None:
    tests = {path.relative_to(ROOT / "tests").as_posix() for path in list_folders(ROOT / "tests")} - {"."}
    mirrored = {path.relative_to(ROOT / "gateway").as_posix() for path in list_folders(ROOT / "gateway")}
    others = {path.relative_to(ROOT).as_posix() for name in PACKAGES for path in list_folders(ROOT / name)}

    assert tests - mirrored - others - WITHOUT_COUNTERPART.keys() == set()
    assert WITHOUT_COUNTERPART.keys() - tests == set()


def test_modules_of_tests_have_unique_names() -> None:
    names = Counter(module.stem for module in (ROOT / "tests").rglob("*.py"))

    assert [name for name, count in names.items() if count > 1 and name not in SHARED_NAMES] == []


def test_modules_of_tests_have_clear_names() -> None:
    names = {module.stem for module in (ROOT / "tests").rglob("*.py")}

    assert names & MEANINGLESS_NAMES == set()


@pytest.mark.parametrize(
    "folder", [path.relative_to(ROOT).as_posix() for name in PACKAGES for path in list_folders(ROOT / name)]
)
def test_folder_has_at_most_13_modules(folder: str) -> None:
    """A folder has at most 13 modules, unless `MOST_MODULES_OF` allows it more."""
    assert len(list_modules(ROOT / folder)) <= MOST_MODULES_OF.get(folder, MOST_MODULES)
