"""Constraints with the lowest versions of the dependencies, for `scripts/test-lowest`."""

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]
PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def versions() -> dict[str, str]:
    """The version of each package in the constraints."""
    command = [sys.executable, str(ROOT / "scripts/lowest_versions.py")]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603
    return dict(line.split("==") for line in printed.splitlines())


def test_every_dependency_has_its_lowest_version(versions: dict[str, str]) -> None:
    requirements = [requirement.split(";")[0].split(",")[0] for requirement in PROJECT["dependencies"]]

    assert {f"{name}>={version}" for name, version in versions.items()} >= set(requirements)


def test_tools_have_their_pinned_versions(versions: dict[str, str]) -> None:
    pins = set((ROOT / "constraints.txt").read_text().splitlines())
    tools = [name for name, version in versions.items() if f"{name}=={version}" in pins]

    assert set(tools) >= {"pytest", "PyYAML", "jsonschema_rs"}
    assert len(tools) >= len(PROJECT["optional-dependencies"]["test"])
