"""Programs and packages that the peers need, besides the Python packages in `.venv`."""

import json
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Final, cast

from benchmarks.performance.peers import FASTIFY, FASTIFY_DEADLINES, FASTIFY_FOLDER, ROOT

__all__ = ("MissingProgramError", "find_missing", "install_packages", "list_versions", "prepare_trees")

_LIBRARIES: Final = (
    "fastapi",
    "uvicorn",
    "httptools",
    "uvloop",
    "pydantic",
    "httpx",
    "aiohttp",
)
_PACKAGES: Final = ("fastify", "undici")
_NODE_PEERS: Final = frozenset({FASTIFY, FASTIFY_DEADLINES})
_MODULES: Final = FASTIFY_FOLDER / "node_modules"
_INSTALLED: Final = _MODULES / ".package-lock.json"
"""npm writes this file after an installation."""

_OLDEST_NODE: Final = 20


class MissingProgramError(Exception):
    """A program is missing; the message describes its installation."""


def prepare_trees(trees: Iterable[Path]) -> None:
    """Install each gateway but this one into its own environment.

    Raise `MissingProgramError` if that fails.
    """
    for tree in trees:
        if tree == ROOT:
            continue
        script = tree / "scripts" / "install"
        if not script.is_file():
            msg = f"invalid --gateway {tree}: expected a clone of this project"
            raise MissingProgramError(msg)
        if subprocess.run((str(script),), check=False).returncode:  # noqa: S603 - a script of this project
            msg = f"{script} failed; see its output above"
            raise MissingProgramError(msg)


def find_missing(peers: Collection[str]) -> Mapping[str, str]:
    """Return the *peers* that cannot run, each with the reason.

    Raise `MissingProgramError` without Linux and wrk.
    """
    if platform.system() != "Linux":
        msg = "Linux is required, because figures are read from /proc"
        raise MissingProgramError(msg)
    if shutil.which("wrk") is None:
        msg = "wrk is required; on Debian and Ubuntu: apt-get install wrk"
        raise MissingProgramError(msg)
    reason = _find_node_problem()
    return {} if reason is None else {peer: reason for peer in peers if peer in _NODE_PEERS}


def _find_node_problem() -> str | None:
    if shutil.which("node") is None or shutil.which("npm") is None:
        return f"Node.js {_OLDEST_NODE} or newer with npm is not installed"
    if int(_read_output("node", "--version").lstrip("v").partition(".")[0]) < _OLDEST_NODE:
        return f"Node.js is older than {_OLDEST_NODE}"
    return None


def install_packages(peers: Collection[str]) -> None:
    """Install the packages of npm if *peers* need them and package.json has changed since."""
    if _NODE_PEERS.isdisjoint(peers):
        return
    if _INSTALLED.exists() and _INSTALLED.stat().st_mtime > (FASTIFY_FOLDER / "package.json").stat().st_mtime:
        return
    print("scripts/bench: installing Fastify and undici", file=sys.stderr, flush=True)
    command = (
        "npm",
        "install",
        "--silent",
        "--no-package-lock",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
    )
    if subprocess.run(command, cwd=FASTIFY_FOLDER, check=False).returncode:  # noqa: S603 - no shell
        msg = "npm could not install Fastify and undici; see its output above, or leave them out with --peers"
        raise MissingProgramError(msg)


def list_versions(peers: Collection[str]) -> Iterator[str]:
    """Yield the names and versions of the libraries and programs of *peers*."""
    for name in _LIBRARIES:
        yield f"{name} {version(name)}"
    if not _NODE_PEERS.isdisjoint(peers):
        yield f"Node.js {_read_output('node', '--version').lstrip('v')}"
        for name in _PACKAGES:
            package = json.loads((_MODULES / name / "package.json").read_text())
            yield f"{name} {cast('str', package['version'])}"
    if found := re.search(r"\d+\.\d+\.\d+", _read_output("wrk", "--version")):
        yield f"wrk {found[0]}"


def _read_output(*command: str) -> str:
    """Return the output of *command*; wrk prints its version and fails."""
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603
