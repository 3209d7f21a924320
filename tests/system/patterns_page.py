"""The code of `docs/patterns.md` as a module, and what the page shows of it."""

import ast
import inspect
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Final, TypeAlias, cast

from pydantic import BaseModel

from gateway import Route
from gateway.railway import Failure, Pipeline, Stuck

__all__ = [
    "BLOCKS",
    "CODE",
    "EXPLANATIONS",
    "MISTAKES",
    "NAME",
    "REQUESTS",
    "Block",
    "Explanation",
    "Json",
    "ShownRequest",
    "build_route",
    "list_functions",
    "list_pipelines",
    "load_module",
]

Json: TypeAlias = "Mapping[str, Json] | Sequence[Json] | str | int | bool | None"

PAGE: Final = (Path(__file__).parents[2] / "docs" / "patterns.md").read_text()
NAME: Final = "patterns"
"""Name of the module."""


@dataclass(frozen=True)
class Block:
    """A block of code, and the lines that the page shows below it."""

    code: str
    shown: Sequence[str]
    is_mistake: bool


@dataclass(frozen=True)
class ShownRequest:
    """A request to a pipeline, its response, and lines of the log; *fault* is a call and its status."""

    title: str
    method: str
    path: str
    body: str | None
    fault: tuple[str, int] | None
    status: int
    response: Json
    is_incomplete: bool
    logged: Sequence[str]

    @property
    def pipeline(self) -> str:
        """Return the name of the pipeline."""
        return self.path.split("/")[1]


@dataclass(frozen=True)
class Explanation:
    """A line that `gateway explain` prints about a pipeline."""

    title: str
    pipeline: str
    options: Sequence[str]
    line: str


_REQUEST: Final = re.compile(
    r"(?P<method>GET|POST) (?P<path>\S+)(?: (?P<body>\{.*?\}))?(?: \((?P<call>\S+): (?P<fault>\d+)\))?"
    r" -> (?P<status>\d+) (?P<response>.*?)(?P<incomplete>, incomplete)?"
)
_EXPLANATION: Final = re.compile(
    r"gateway explain (?P<pipeline>\w+)(?P<options>(?: --\S+ \S+)*): (?P<line>.*)"
)


def _read_blocks() -> Iterator[Block]:
    mistakes = PAGE.index("## Classic mistakes")
    for block in re.finditer(r"```python\n(.*?)```\n(?:\n```text\n(.*?)```)?", PAGE, re.DOTALL):
        yield Block(block[1], (block[2] or "").splitlines(), is_mistake=block.start() > mistakes)


def _read_requests(lines: Sequence[str]) -> Iterator[ShownRequest]:
    for number, line in enumerate(lines, start=1):
        if (found := _REQUEST.fullmatch(line)) is None:
            continue
        logged: list[str] = []
        for after in lines[number:]:
            if not after.startswith("log: "):
                break
            logged.append(after.removeprefix("log: "))
        yield ShownRequest(
            title=line.partition(" ->")[0],
            method=found["method"],
            path=found["path"],
            body=found["body"],
            fault=(found["call"], int(found["fault"])) if found["call"] else None,
            status=int(found["status"]),
            response=json.loads(found["response"]),
            is_incomplete=found["incomplete"] is not None,
            logged=logged,
        )


def _read_explanations(lines: Sequence[str]) -> Iterator[Explanation]:
    for line in lines:
        if found := _EXPLANATION.fullmatch(line):
            yield Explanation(line, found["pipeline"], found["options"].split(), found["line"])


BLOCKS: Final = [*_read_blocks()]
MISTAKES: Final = [block for block in BLOCKS if block.is_mistake]
CODE: Final = "\n\n".join(block.code for block in BLOCKS)
REQUESTS: Final = [request for block in BLOCKS for request in _read_requests(block.shown)]
EXPLANATIONS: Final = [line for block in BLOCKS for line in _read_explanations(block.shown)]


def load_module(folder: Path, code: str = CODE) -> ModuleType:
    """Write *code* to a module in *folder*, and import it; the caller removes it from `sys.modules`."""
    path = folder / f"{NAME}.py"
    path.write_text(code)
    spec = spec_from_file_location(NAME, path)
    assert spec
    assert spec.loader
    module = sys.modules[NAME] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def list_functions(code: str = CODE) -> Mapping[str, range]:
    """Return the lines of each function of *code*."""
    return {
        node.name: range(node.lineno, (node.end_lineno or node.lineno) + 1)
        for node in ast.parse(code).body
        if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef)
    }


def list_pipelines(module: ModuleType) -> Mapping[str, Pipeline[..., object, Failure]]:
    """Return the pipelines of *module* by name."""
    return {
        name: cast("Pipeline[..., object, Failure]", value)
        for name, value in vars(module).items()
        if isinstance(value, Pipeline)
    }


def build_route(pipeline: Pipeline[..., object, Failure]) -> Route:
    """Return the route of *pipeline*, as the page describes it."""
    annotations = inspect.get_annotations(pipeline.function)
    kinds = [kind for name, kind in annotations.items() if name != "return"]
    takes_body = any(isinstance(kind, type) and issubclass(kind, BaseModel) for kind in kinds)
    path = "".join(f"/{{{name}}}" for name in annotations if name.endswith("_id"))
    method = "POST" if takes_body or Stuck in pipeline.promised else "GET"
    return Route(method, f"/{pipeline.name}{path}", pipeline)
