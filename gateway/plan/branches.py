"""Branches of a pipeline, of which a dry run takes one."""

import ast
import inspect
from collections.abc import Callable, Iterator
from textwrap import dedent
from typing import Final

__all__ = ("has_branches",)

_CONDITIONAL: Final = (ast.If, ast.IfExp, ast.Match, ast.BoolOp, ast.For, ast.While, ast.Try)


def has_branches(function: Callable[..., object]) -> bool:
    """Return whether a run of the pipeline *function* may make other calls than its dry run.

    It may if the function calls another function, returns or awaits on a condition or in a loop, other than
    to fail the run, or if it passes its run to another function. A function whose source is not available
    may too. What the functions that it calls decide is not seen.
    """
    try:
        definition = ast.parse(dedent(inspect.getsource(function))).body[0]
    except (OSError, SyntaxError, TypeError):
        return True
    run = next(iter(inspect.signature(function).parameters), "")
    return any(_decides(node, run) or _passes_on(node, run) for node in ast.walk(definition))


def _decides(node: ast.AST, run: str) -> bool:
    if not isinstance(node, _CONDITIONAL):
        return False
    parts = [part for part in ast.iter_child_nodes(node) if part is not getattr(node, "test", None)]
    return any(_acts(part, run) for part in parts)


def _acts(node: ast.AST, run: str) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="fail")) if name == run:
            return False
        case ast.Await() | ast.Return() | ast.Call():
            return True
        case _:
            return any(_acts(child, run) for child in ast.iter_child_nodes(node))


def _passes_on(node: ast.AST, run: str) -> bool:
    return isinstance(node, ast.Call) and any(
        isinstance(argument, ast.Name) and argument.id == run for argument in _list_arguments(node)
    )


def _list_arguments(call: ast.Call) -> Iterator[ast.expr]:
    yield from call.args
    yield from (keyword.value for keyword in call.keywords)
