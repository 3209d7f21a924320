"""`gateway serve`: serves the gateway, or a custom app, until a signal stops it."""

import argparse
import logging
import signal
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final

import uvloop

from gateway.api.application import Gateway
from gateway.app import create_app, create_server
from gateway.cli.app_loader import AppLoadError, load_app
from gateway.cli.dev_stack import MOCKS_PORT, MocksFailedError, run_mock_services, send_sample_checkout
from gateway.cli.messages import (
    FAILURE,
    USAGE_ERROR,
    describe_unknown_settings,
    fail,
)
from gateway.client.service import Service
from gateway.server.gc_tuning import tune_gc
from gateway.server.listener import ListenError, open_listener
from gateway.server.server import Server
from gateway.services import SERVICES
from gateway.settings import (
    OWN_FIELDS,
    PREFIX,
    InvalidSettingsError,
    ServiceSettings,
    Settings,
    load_settings,
)

__all__ = ("configure",)

_log: Final = logging.getLogger("gateway")
_LARGEST_MOCKS_PORT: Final = 65536 - len(SERVICES)
_DESCRIPTION: Final = """\
Serve the gateway, or an app of your own, until SIGINT (Ctrl-C) or SIGTERM.

After SIGTERM, the gateway first drains: readiness fails, and new requests are still served for
GATEWAY_DRAIN_MS. After either signal, it finishes the requests and commits in progress, and exits with code
0.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Define the arguments of the command."""
    parser.description = _DESCRIPTION
    parser.add_argument(
        "-h",
        "--help",
        action="store_true",
        help="show this help and the settings (with --app, the settings of the app)",
    )
    parser.add_argument("--host", help=f"address to listen on ({PREFIX}HOST)")
    parser.add_argument("--port", help=f"port to listen on, 0 for a free port ({PREFIX}PORT)")
    parser.add_argument(
        "--app", metavar="MODULE:NAME", help="serve your own app, created by create_app, such as main:app"
    )
    parser.add_argument(
        "--waterfall", action="store_true", help=f"draw a waterfall of requests on stderr ({PREFIX}WATERFALL)"
    )
    with_mocks = parser.add_argument(
        "--with-mocks",
        nargs="?",
        type=_parse_mocks_port,
        const=MOCKS_PORT,
        metavar="PORT",
        help=f"start the mock services too, on PORT and the ports that follow (default: {MOCKS_PORT}), "
        "and send one sample checkout",
    )
    parser.add_argument(
        "--log-level",
        default="info",
        choices=("debug", "info", "warning", "error"),
        help="least severe log level written to stderr (default: %(default)s)",
    )
    parser.set_defaults(run=partial(_run, parser, with_mocks))


def _list_settings(services: Sequence[Service[object]]) -> Iterator[str]:
    rows = [*_gateway_rows(), *_service_rows(services)]
    width = max(len(name) for name, _, _ in rows)
    for name, description, default in rows:
        yield f"  {name:{width}}  {description} [{'unset' if default in {None, ()} else default}]"


def _gateway_rows() -> Iterator[tuple[str, str, object]]:
    for name, field in OWN_FIELDS.items():
        yield PREFIX + name.upper(), field.description or "", field.default


def _service_rows(services: Sequence[Service[object]]) -> Iterator[tuple[str, str, object]]:
    for service in services:
        for name, field in ServiceSettings.model_fields.items():
            default: object = getattr(service, name)
            yield f"{PREFIX}{service.name}_{name}".upper(), field.description or "", default


def _parse_mocks_port(text: str) -> int:
    """Parse the port of the first mock service; the others take the ports that follow, which must exist."""
    if not text.isdecimal() or not 0 < int(text) <= _LARGEST_MOCKS_PORT:
        msg = (
            f"invalid port {text!r}: expected a number from 1 to {_LARGEST_MOCKS_PORT}, "
            f"because {len(SERVICES)} consecutive ports are needed"
        )
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def _run(parser: argparse.ArgumentParser, with_mocks: argparse.Action, options: argparse.Namespace) -> int:
    if options.help:
        if options.app is not None:  # the option starts the services of the sample only
            with_mocks.help = argparse.SUPPRESS
        return _print_help(parser, options.app)
    _configure_logging(options.log_level.upper())
    if conflicts := _find_conflicts(options):
        return fail(USAGE_ERROR, *conflicts)
    # Until the server handles signals, Ctrl-C ends the process without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        settings = _load_settings(options)
        app = None if options.app is None else load_app(options.app)
    except InvalidSettingsError as error:
        return fail(USAGE_ERROR, *error.messages)
    except AppLoadError as error:
        return fail(USAGE_ERROR, str(error))
    return _serve(settings, app, options.with_mocks)


def _print_help(parser: argparse.ArgumentParser, name: str | None) -> int:
    """Print the help with the settings of the app *name*, or of the sample gateway if *name* is None."""
    try:
        services = SERVICES if name is None else load_app(name).services
    except InvalidSettingsError as error:
        return fail(USAGE_ERROR, *error.messages)
    except AppLoadError as error:
        return fail(USAGE_ERROR, str(error))
    parser.epilog = "environment:\n" + "\n".join(_list_settings(services))
    parser.print_help()
    return 0


def _configure_logging(level: str) -> None:
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    if level == "INFO":  # at this level uvicorn logs each start and stop, and httpx each request
        logging.getLogger("uvicorn").setLevel(logging.ERROR)
        logging.getLogger("httpx").setLevel(logging.WARNING)


def _find_conflicts(options: argparse.Namespace) -> Sequence[str]:
    """Return a line for each option that cannot be combined with --app: the app has its own settings."""
    alternatives = {
        "--with-mocks": options.with_mocks and "start the mock services with python -m mock_services all",
        "--waterfall": options.waterfall and f"set {PREFIX}WATERFALL=true",
    }
    return [
        f"{option} cannot be combined with --app; {alternative} instead"
        for option, alternative in alternatives.items()
        if options.app and alternative
    ]


def _load_settings(options: argparse.Namespace) -> Settings:
    overrides: Mapping[str, object] = {
        "host": options.host,
        "port": options.port,
        "waterfall": options.waterfall,
    }
    services = SERVICES if options.app is None else ()  # a custom app loads the settings of its services
    return load_settings(services, **{name: value for name, value in overrides.items() if value})


def _serve(settings: Settings, app: Gateway | None, mocks_port: int | None) -> int:
    _log_warnings(describe_unknown_settings(SERVICES if app is None else app.services))
    # A custom app was created with its own settings, which may differ from *settings*.
    _log_warnings(settings.describe_ineffective() if app is None else app.warnings)
    try:
        listener = open_listener(settings.host, settings.port)
    except ListenError as error:
        advice = f"choose another address with --host and --port, or {PREFIX}HOST and {PREFIX}PORT"
        return fail(FAILURE, f"{error}; {advice}")
    try:
        if mocks_port is None:
            uvloop.run(_serve_alone(create_server(settings, listener, app or create_app(settings))))
        else:
            urls = {service.name: f"http://127.0.0.1:{mocks_port + n}" for n, service in enumerate(SERVICES)}
            uvloop.run(_serve_with_mocks(settings.with_urls(urls), listener, mocks_port))
    except MocksFailedError:  # pragma: no cover - tested, but coverage loses its place in uvloop
        return fail(FAILURE, "the mock services did not start; choose other ports with --with-mocks PORT")
    return 0


def _log_warnings(lines: Iterable[str]) -> None:
    for line in lines:
        _log.warning("%s", line)


async def _serve_alone(server: Server) -> None:
    async with server.serve_until_stopped():
        tune_gc()
        print(f"gateway: {server.url} (documentation: {server.url}/docs)", flush=True)


async def _serve_with_mocks(settings: Settings, listener: socket.socket, mocks_port: int) -> None:
    server = create_server(settings, listener, create_app(settings))
    async with run_mock_services(mocks_port) as announcement, server.serve_until_stopped():
        tune_gc()
        print(announcement)
        print(await send_sample_checkout(server.url))
        print(f"documentation: {server.url}/docs (press Ctrl-C to stop)", flush=True)
