"""Public names of the package, and the modules that are loaded when they are imported."""

import subprocess
import sys

import pytest

import gateway


@pytest.mark.parametrize("name", gateway.__all__)
def test_public_name_can_be_imported(name: str) -> None:
    namespace: dict[str, object] = {}
    exec(f"from gateway import {name}", namespace)  # noqa: S102 - as a module of a user does

    assert namespace[name] is not None


def test_unknown_public_name_raises_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'gateway' has no attribute 'Nothing'"):
        getattr(gateway, "Nothing")  # noqa: B009 - no such name for type checkers


def list_loaded_packages(module: str) -> set[str]:
    """Return the top-level packages outside the standard library that importing *module* loads."""
    program = f"import sys, {module}; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603 - our own
    return {name.partition(".")[0] for name in run.stdout.split()} - sys.stdlib_module_names - {"__main__"}


def test_railway_imports_stdlib_only() -> None:
    # A .pth file in the environment may load modules at every start of Python.
    assert list_loaded_packages("gateway.railway") - list_loaded_packages("json") == {"gateway"}


def test_railway_imports_no_other_gateway_module() -> None:
    program = "import sys, gateway.railway; print(*(n for n in sys.modules if n.startswith('gateway.')))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603 - our own

    assert all(name.startswith("gateway.railway") for name in run.stdout.split())
