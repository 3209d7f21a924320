"""`gateway executions`: the arguments, and what each action prints."""

import argparse
import asyncio
import os
import re
from collections.abc import Iterable
from typing import Final, get_args

import httpx
from pydantic_core import to_json

from gateway.api.endpoints.executions import ExecutionRecord, StateName
from gateway.api.openapi.components import EXAMPLE_EXECUTION_ID
from gateway.cli.executions.operator_client import OperatorClient, OperatorError, open_client
from gateway.cli.executions.table import format_execution, format_table
from gateway.cli.messages import FAILURE, USAGE_ERROR, fail, print_to_stderr
from gateway.client.operations.request_headers import check_header
from gateway.client.url import normalize_base_url, redact_url

__all__ = ("configure", "run_action")

_TOKEN: Final = "GATEWAY_OPERATOR_TOKEN"  # noqa: S105 - the name of a variable
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_DESCRIPTION: Final = """\
List the executions of a running gateway, the latest first, show one of them, or retry the undos of a stuck
one. An execution is a run of a pipeline that writes; it is stuck if one of its writes could not be undone.
"""
_EPILOG: Final = """\
Without an operator token, a gateway accepts these requests from its own host only.

Exit code: 0; 1 if the gateway cannot be reached or refuses the request, or if an execution is still stuck
after a retry; 2 for invalid arguments.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Define the actions of the command and their arguments."""
    parser.description = _DESCRIPTION
    parser.epilog = _EPILOG
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="list executions")
    listing.add_argument("--state", choices=get_args(StateName), help="only executions in this state")
    number = listing.add_mutually_exclusive_group()
    number.add_argument(
        "--limit",
        type=_parse_limit,
        default=20,
        metavar="N",
        help="at most N executions (default: %(default)s)",
    )
    number.add_argument("--all", action="store_true", help="all executions that the gateway still keeps")
    showing = actions.add_parser("show", help="show an execution")
    retrying = actions.add_parser("retry", help="retry the undos of a stuck execution, for up to 10 seconds")
    for action in (showing, retrying):
        action.add_argument("id", type=_parse_id, metavar="ID", help="id of the execution")
    for action, act in ((listing, _list), (showing, _show), (retrying, _retry)):
        action.set_defaults(act=act)
        action.add_argument("--json", action="store_true", help="print JSON, as the gateway sends it")
        action.add_argument(
            "--url",
            type=_parse_url,
            default="http://127.0.0.1:8000",
            help="URL of the gateway (default: %(default)s)",
        )
        action.add_argument("--token", help=f"operator token of the gateway (default: {_TOKEN})")
    parser.set_defaults(run=_run)


async def run_action(options: argparse.Namespace, transport: httpx.AsyncBaseTransport | None = None) -> int:
    """Do what *options* ask for, print the result, and return the exit code.

    *transport* sends the requests, by default over the network.
    """
    token: str | None = options.token or os.environ.get(_TOKEN) or None
    try:
        if token is not None:
            check_header("token", token)
    except ValueError:
        return fail(USAGE_ERROR, "invalid operator token: expected visible ASCII characters")
    try:
        async with open_client(options.url, token, transport) as client:
            code: int = await options.act(client, options)
    except OperatorError as error:
        return fail(FAILURE, str(error))
    return code


def _run(options: argparse.Namespace) -> int:
    return asyncio.run(run_action(options))


async def _show(client: OperatorClient, options: argparse.Namespace) -> int:
    _print(await client.find(options.id), as_json=options.json)
    return 0


async def _retry(client: OperatorClient, options: argparse.Namespace) -> int:
    """Retry the undos of an execution; return the code of a failure if some of its writes are stuck again."""
    record = await client.retry(options.id)
    _print(record, as_json=options.json)
    if stuck := [write["name"] for write in record["writes"] if write["outcome"] == "stuck"]:
        return fail(FAILURE, f"still stuck, because the undo failed again: {', '.join(stuck)}")
    return 0


async def _list(client: OperatorClient, options: argparse.Namespace) -> int:
    page = await client.list(options.state, None if options.all else options.limit)
    if options.json:
        print(to_json(page, indent=2).decode())
    elif page["executions"]:
        _print_lines(format_table(page["executions"]))
    else:
        print("no executions" if options.state is None else f"no {options.state} executions")
    if page["cursor"] is not None:
        print_to_stderr(["there are more executions; list them with --limit or --all"])
    return 0


def _print(record: ExecutionRecord, *, as_json: bool) -> None:
    if as_json:
        print(to_json(record, indent=2).decode())
    else:
        _print_lines(format_execution(record))


def _print_lines(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)


def _parse_limit(text: str) -> int:
    if not text.isdecimal() or not int(text):
        msg = f"invalid number of executions {text!r}: expected a positive integer"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def _parse_id(text: str) -> str:
    if _ID.fullmatch(text) is None:
        msg = f"invalid id {text!r}: expected the id of an execution, such as {EXAMPLE_EXECUTION_ID}"
        raise argparse.ArgumentTypeError(msg)
    return text


def _parse_url(text: str) -> str:
    try:
        return normalize_base_url(text)
    except ValueError:
        msg = f"invalid URL {redact_url(text)!r}: expected the gateway's, such as http://127.0.0.1:8000"
        raise argparse.ArgumentTypeError(msg) from None
