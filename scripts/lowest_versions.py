"""Print pip constraints: the lowest versions that pyproject.toml allows, and the pinned test tools."""

import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]


def find_lowest(requirements: Iterable[str]) -> Iterator[str]:
    """Yield a constraint for each requirement, such as "httpx==0.28.1" for "httpx>=0.28.1,<1"."""
    for requirement in requirements:
        if not (found := re.match(r"([\w.-]+)>=([\w.]+)", requirement)):
            sys.exit(f"pyproject.toml: {requirement!r} does not begin with NAME>=VERSION")
        yield "{}=={}".format(*found.groups())


def find_pins(requirements: Iterable[str], constraints: Iterable[str]) -> Iterator[str]:
    """Yield the lines of *constraints* for the packages of *requirements*."""
    names = {normalize_name(re.split(r"\[|>=", requirement)[0]) for requirement in requirements}
    return (line for line in constraints if normalize_name(line.split("==")[0]) in names)


def normalize_name(name: str) -> str:
    """Normalize the name of a package: https://packaging.python.org/en/latest/specifications/name-normalization/."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    print(*find_lowest(project["dependencies"]), sep="\n")
    print(*find_pins(project["optional-dependencies"]["test"], pins), sep="\n")
