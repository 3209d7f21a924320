"""Programs and packages on systems without `fcntl` and uvloop, such as Windows."""

import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.system.programs import Program

HIDE: Final = """\
import runpy
import sys

sys.modules.update(dict.fromkeys(("fcntl", "uvloop")))  # an import of either raises ImportError
"""
RUN_PROGRAM: Final = f"{HIDE}runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=True)\n"


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)  # noqa: S603
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def list_modules(package: str) -> Iterator[str]:
    folder = Path(__file__).parents[2] / package
    for module in pkgutil.walk_packages([str(folder)], f"{package}."):
        if not module.name.endswith("__main__"):
            yield module.name


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "elsewhere.py").write_text(RUN_PROGRAM)
    return tmp_path


@pytest.mark.parametrize("package", ["gateway", "mock_services"])
def test_every_module_can_be_imported(package: str) -> None:
    modules = list(list_modules(package))
    lines = "".join(f"import {name}\n" for name in modules)

    assert run_python(f"{HIDE}{lines}print({len(modules)})") == f"{len(modules)}\n"
    assert len(modules) > 10


def test_uvloop_is_hidden() -> None:
    assert (
        run_python(f"{HIDE}\ntry:\n    import uvloop\nexcept ImportError:\n    print('hidden')") == "hidden\n"
    )


def test_gateway_serves_on_asyncio(folder: Path) -> None:
    environment = {"PYTHONPATH": str(folder), "GATEWAY_PORT": "0"}
    with Program("elsewhere", "gateway", "serve", environment=environment) as program:
        url = program.read_line().split()[1]
        response = httpx.get(f"{url}/health/live")
        result = program.end()

    assert response.json() == {"status": "pass"}
    assert (result.code, result.err) == (0, "")


def test_mock_service_serves_on_asyncio(folder: Path) -> None:
    arguments = ("elsewhere", "mock_services", "user", "--port", "0")
    with Program(*arguments, environment={"PYTHONPATH": str(folder)}) as program:
        url = program.read_line().split()[2]
        response = httpx.get(f"{url}/users/user-123")
        result = program.end()

    assert response.is_success
    assert (result.code, result.err) == (0, "")
