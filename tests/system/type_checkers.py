"""mypy and pyright, both strict, on the modules of a page of `docs/`."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

__all__ = ["CHECKERS", "check", "select_output", "write_modules"]

ROOT: Final = Path(__file__).parents[2]
CHECKERS: Final = ("mypy", "pyright")
_SUMMARY: Final = re.compile(r"\d+ errors?, ")


def write_modules(folder: Path, modules: Mapping[str, str]) -> None:
    """Write *modules*, which map names to code, to *folder*, with the settings that `check` needs."""
    for name, code in modules.items():
        (folder / f"{name}.py").write_text(code)
    project = {"include": ["."], "extraPaths": [f"{ROOT}"], "typeCheckingMode": "strict"}
    (folder / "pyrightconfig.json").write_text(json.dumps(project))


@cache
def check(checker: str, folder: Path) -> str:
    """Return what *checker* prints about all modules in *folder*."""
    commands = {
        "mypy": ["--no-error-summary", *map(str, sorted(folder.glob("*.py")))],
        "pyright": ["--pythonpath", sys.executable, "--project", f"{folder}"],
    }
    program = Path(sys.executable).parent / checker
    environment = {**os.environ, "MYPYPATH": f"{folder}"}
    found = subprocess.run(  # noqa: S603 - the checkers of the development environment
        [program, *commands[checker]], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    return found.stdout + found.stderr


def select_output(output: str, name: str, lines: range | None = None) -> str:
    """Return the lines of *output* about the module *name*, with the lines that explain them.

    With *lines*, return only what is about these lines of the module.
    """
    selected: list[str] = []
    is_about = False
    for line in output.splitlines():
        if place := re.match(r"\s*/\S*?(\w+)\.py(?::(\d+)|$)", line):
            is_about = place[1] == name and (lines is None or int(place[2] or 0) in lines)
        if is_about and not _SUMMARY.match(line):
            selected.append(line.strip())
    return "\n".join(selected)
