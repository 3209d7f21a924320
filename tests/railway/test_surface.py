"""Exports and imports of the railway."""

import ast
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from gateway import railway

PATHS = [*Path(railway.__path__[0]).glob("*.py")]
MODULES = [
    import_module(f"gateway.railway.{path.stem}" if path.stem != "__init__" else "gateway.railway")
    for path in PATHS
]
INTERNAL = {
    "AttemptNotifier",
    "RunWithoutAggregate",
    "RunWithoutStuck",
    "WriteOutsideCommit",
    "WrongCommitArgument",
    "WrongStageArgument",
    "refuse_no_result",
    "Replay",
    "RunState",
    "attempt_in_time",
    "build_intents",
    "check_policy",
    "check_seconds",
    "commit",
    "derive_key",
    "generate_pauses",
    "map_result",
    "mark_item",
    "merge_bugs",
    "observe",
    "on_error",
    "on_value",
    "resolve",
    "run_stage",
    "set_budget",
    "sleep_before_deadline",
}
"""Names that only the modules of the railway use."""

every_module = pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)


def list_imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


def list_definitions(module: ModuleType) -> set[str]:
    """Return the public names that the module itself defines: no imports, no type variables."""
    source = Path(f"{module.__file__}").read_text(encoding="utf-8")
    names: set[str] = set()
    for node in ast.parse(source).body:
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                names.add(name)
            case ast.AnnAssign(target=ast.Name(id=name)):
                names.add(name)
            case _:
                pass
    return {name for name in names if not name.startswith("_")}


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_railway_imports_only_standard_library(path: Path) -> None:
    foreign = {
        name
        for name in list_imports(ast.parse(path.read_text(encoding="utf-8")))
        if name.split(".")[0] not in sys.stdlib_module_names and not name.startswith("gateway.railway")
    }

    assert foreign == set()


@every_module
def test_module_exports_its_public_names(module: ModuleType) -> None:
    assert list_definitions(module) - INTERNAL <= {*module.__all__}
    assert all(hasattr(module, name) for name in module.__all__)


@every_module
def test_module_exports_are_sorted(module: ModuleType) -> None:
    def build_sort_key(name: str) -> tuple[int, str]:
        kind = 0 if name.isupper() else 1 if name[0].isupper() else 2
        return kind, name

    assert [*module.__all__] == sorted({*module.__all__}, key=build_sort_key)


@every_module
def test_railway_exports_names_of_modules(module: ModuleType) -> None:
    assert {*module.__all__} - INTERNAL <= {*railway.__all__}


def test_railway_exports_no_other_names() -> None:
    exported = {name for module in MODULES if module is not railway for name in module.__all__}

    assert {*railway.__all__} == exported - INTERNAL


@every_module
def test_module_docstring_starts_with_sentence(module: ModuleType) -> None:
    first_line = f"{module.__doc__}".splitlines()[0]

    assert first_line.endswith((".", ":"))
