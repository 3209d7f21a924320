"""The names that a gateway of one's own imports."""

import subprocess
import sys

import pytest

import gateway


@pytest.mark.parametrize("name", gateway.__all__)
def test_public_name_can_be_imported(name: str) -> None:
    namespace: dict[str, object] = {}
    exec(f"from gateway import {name}", namespace)  # noqa: S102 - as a user's module does

    assert namespace[name] is not None


def test_other_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'gateway' has no attribute 'Nothing'"):
        getattr(gateway, "Nothing")  # noqa: B009 - no such name for type checkers


def loaded_by(module: str) -> set[str]:
    """Return the top-level packages outside the standard library that importing *module* loads."""
    program = f"import sys, {module}; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603 - our own
    return {name.partition(".")[0] for name in ran.stdout.split()} - sys.stdlib_module_names - {"__main__"}


def test_railway_loads_the_standard_library_only() -> None:
    # A .pth file of the environment may load modules before any program.
    assert loaded_by("gateway.railway") - loaded_by("json") == {"gateway"}


def test_railway_loads_nothing_else_of_the_gateway() -> None:
    program = "import sys, gateway.railway; print(*(n for n in sys.modules if n.startswith('gateway.')))"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603 - our own

    assert all(name.startswith("gateway.railway") for name in ran.stdout.split())
