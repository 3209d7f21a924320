"""`gateway serve`: serves the gateway, or a custom app, until a signal stops it."""

import argparse
import asyncio
import logging
import signal
import socket
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from pydantic import SecretStr

from gateway.api.application import Gateway
from gateway.app import create_app, create_server
from gateway.cli.app_loader import AppLoadError, load_app
from gateway.cli.dev_stack import MOCKS_PORT, MocksFailedError
from gateway.cli.messages import (
    FAILURE,
    USAGE_ERROR,
    changed_environment,
    describe_unknown_settings,
    fail,
)
from gateway.cli.reload import run_with_reload
from gateway.cli.serving import serve_alone, serve_as_worker, serve_with_workers
from gateway.cli.workers.supervisor import Supervisor
from gateway.cli.workers.supervisor_link import SupervisorLink
from gateway.client.service import Service
from gateway.observability.log_format import JsonFormatter
from gateway.observability.waterfall import Waterfall
from gateway.server import event_loop
from gateway.server.descriptors import raise_descriptor_limit
from gateway.server.listener import ListenError, format_url, open_listener
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
        "--app-dir", metavar="FOLDER", help="folder of the module of --app (default: the current folder)"
    )
    parser.add_argument(
        "--workers",
        type=_parse_workers,
        default=1,
        metavar="N",
        help="number of worker processes on the same port (default: %(default)s); limits, rate limits and "
        "circuit breakers are those of each worker",
    )
    parser.add_argument("--supervised", help=argparse.SUPPRESS)  # what a worker inherits
    parser.add_argument(
        "--reload",
        action="store_true",
        help="start again when a Python file in the current folder, or that of --app-dir, changes",
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
        "and send one sample checkout; with --app, for the services of the sample that the app has",
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
        default: object = field.default
        shown = default.get_secret_value() if isinstance(default, SecretStr) else default
        yield PREFIX + name.upper(), field.description or "", shown


def _service_rows(services: Sequence[Service[object]]) -> Iterator[tuple[str, str, object]]:
    for service in services:
        for name, field in ServiceSettings.model_fields.items():
            default: object = getattr(service, name)
            yield f"{PREFIX}{service.name}_{name}".upper(), field.description or "", default


def _parse_workers(text: str) -> int:
    if not text.isdecimal() or not int(text):
        msg = f"invalid number of workers {text!r}: expected a positive integer"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


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
        return _print_help(parser, with_mocks, options)
    is_worker = options.supervised is not None
    _configure_logging(options.log_level.upper(), is_worker=is_worker)
    if (conflict := _find_conflict(options)) is not None:
        return fail(USAGE_ERROR, conflict)
    if options.reload:
        return run_with_reload(_build_command(options), Path(options.app_dir or "."))
    # Until the server handles signals, Ctrl-C ends the process without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        settings = _load_settings(options)
        if settings.log_format == "json":
            _use_json_log()
        app = _create_sample(settings, options) if options.app is None else _load_app(options)
    except InvalidSettingsError as error:
        return fail(USAGE_ERROR, *error.messages)
    except AppLoadError as error:
        return fail(USAGE_ERROR, str(error))
    return (_serve_as_worker if is_worker else _serve)(settings, app, options)


def _find_conflict(options: argparse.Namespace) -> str | None:
    """Return what is wrong with a combination of *options*, if anything is."""
    if options.app_dir is not None and options.app is None:
        return "--app-dir needs --app"
    if options.reload and options.workers > 1:
        return "--reload serves with a single process; leave out --workers"
    return None


def _build_command(options: argparse.Namespace) -> Sequence[str]:
    """Return the command line for these *options* without `--reload`."""
    given = {
        "--host": options.host,
        "--port": options.port,
        "--app": options.app,
        "--app-dir": options.app_dir,
        "--with-mocks": options.with_mocks,
        "--workers": options.workers,
        "--log-level": options.log_level,
    }
    arguments = [f"{option}={value}" for option, value in given.items() if value is not None]
    flags = ["--waterfall"] if options.waterfall else []
    return [sys.executable, "-P", "-m", "gateway", "serve", *arguments, *flags]


def _create_sample(settings: Settings, options: argparse.Namespace) -> Gateway:
    """Create the sample gateway, with `--with-mocks` for the mock services."""
    port: int | None = options.with_mocks
    return create_app(settings if port is None else settings.with_urls(_list_mock_urls(port)))


def _load_app(options: argparse.Namespace) -> Gateway:
    """Load the app of `--app`; `--waterfall` and `--with-mocks` change the environment while it is created.

    Raise `AppLoadError` if one of them has no effect on the app.
    """
    port: int | None = options.with_mocks
    mocks: Mapping[str, str] = {} if port is None else _list_mock_urls(port)
    changes = {f"{PREFIX}{name.upper()}_URL": url for name, url in mocks.items()}
    if options.waterfall:
        changes[f"{PREFIX}WATERFALL"] = "true"
    with changed_environment(changes):
        app = load_app(options.app, options.app_dir)
    if options.waterfall and not isinstance(app.shared.on_trace, Waterfall):
        msg = (
            f"--waterfall has no effect on {options.app!r}, which is created with other settings or with an"
            " on_trace of its own"
        )
        raise AppLoadError(msg)
    if mocks and not _has_mocks(app.services):
        msg = f"--with-mocks has no effect on {options.app!r}: it has none of the services of the sample"
        raise AppLoadError(msg)
    return app


def _has_mocks(services: Iterable[Service[object]]) -> bool:
    """Return whether a mock service can take the place of one of *services*."""
    return not {service.name for service in SERVICES}.isdisjoint(service.name for service in services)


def _list_mock_urls(port: int) -> Mapping[str, str]:
    """Return the URLs of the mock services by service, the first of them on *port*."""
    return {service.name: f"http://127.0.0.1:{port + n}" for n, service in enumerate(SERVICES)}


def _print_help(
    parser: argparse.ArgumentParser, with_mocks: argparse.Action, options: argparse.Namespace
) -> int:
    """Print the help with the settings of the app, or of the sample gateway without `--app`."""
    try:
        services = SERVICES if options.app is None else load_app(options.app, options.app_dir).services
    except InvalidSettingsError as error:
        return fail(USAGE_ERROR, *error.messages)
    except AppLoadError as error:
        return fail(USAGE_ERROR, str(error))
    if not _has_mocks(services):
        with_mocks.help = argparse.SUPPRESS
    parser.epilog = "environment:\n" + "\n".join(_list_settings(services))
    parser.print_help()
    return 0


def _configure_logging(level: str, *, is_worker: bool) -> None:
    process = "[%(process)d] " if is_worker else ""
    logging.basicConfig(level=level, format=f"%(asctime)s {process}%(levelname)s %(name)s: %(message)s")
    if level == "INFO":  # at this level uvicorn logs each start and stop, and httpx each request
        logging.getLogger("uvicorn").setLevel(logging.ERROR)
        logging.getLogger("httpx").setLevel(logging.WARNING)


def _use_json_log() -> None:
    for handler in logging.getLogger().handlers:
        handler.setFormatter(JsonFormatter())


def _load_settings(options: argparse.Namespace) -> Settings:
    overrides: Mapping[str, object] = {
        "host": options.host,
        "port": options.port,
        "waterfall": options.waterfall,
    }
    services = SERVICES if options.app is None else ()  # a custom app loads the settings of its services
    return load_settings(services, **{name: value for name, value in overrides.items() if value})


def _serve(settings: Settings, app: Gateway, options: argparse.Namespace) -> int:
    _log_warnings(describe_unknown_settings(app.services))
    # A custom app was created with its own settings, which may differ from *settings*.
    _log_warnings(settings.describe_ineffective() if options.app is None else app.warnings)
    if options.workers > 1 and app.journal is not None and not app.journal.is_shared:
        return fail(
            USAGE_ERROR,
            f"--workers {options.workers} needs a journal that the workers share, but {PREFIX}JOURNAL_URL is"
            " in the memory of one process; choose a file or PostgreSQL",
        )
    try:
        listener = open_listener(settings.host, settings.port)
    except ListenError as error:
        advice = f"choose another address with --host and --port, or {PREFIX}HOST and {PREFIX}PORT"
        return fail(FAILURE, f"{error}; {advice}")
    try:
        if options.workers > 1:
            return _serve_with_workers(listener, app, options)
        raise_descriptor_limit()
        server = create_server(settings, listener, app)
        refusal = event_loop.run(serve_alone(server, app, options.with_mocks))
    except MocksFailedError:  # pragma: no cover - tested, but coverage loses its place in uvloop
        return fail(FAILURE, "the mock services did not start; choose other ports with --with-mocks PORT")
    return 0 if refusal is None else fail(FAILURE, refusal)


def _serve_with_workers(listener: socket.socket, app: Gateway, options: argparse.Namespace) -> int:
    async def supervise(folder: Path) -> int | str:
        supervisor = Supervisor(_build_command(options), listener, options.workers, folder)
        return await serve_with_workers(supervisor, format_url(listener), app, options.with_mocks)

    with TemporaryDirectory(prefix="gateway-metrics-", ignore_cleanup_errors=True) as folder:
        # The event loop of asyncio: uvloop cannot start a process in a process group of its own.
        end = asyncio.run(supervise(Path(folder)))
    return end if isinstance(end, int) else fail(FAILURE, end)


def _serve_as_worker(settings: Settings, app: Gateway, options: argparse.Namespace) -> int:
    *numbers, folder = options.supervised.split(",", 2)
    listener, end = (socket.socket(fileno=int(number)) for number in numbers)
    app.metrics.share(Path(folder))
    raise_descriptor_limit()
    link = SupervisorLink(end)
    server = create_server(
        settings, listener, app, stop_accepting=link.report_closing, workers=options.workers
    )
    refusal = event_loop.run(serve_as_worker(server, app, link))
    return 0 if refusal is None else fail(FAILURE, refusal)


def _log_warnings(lines: Iterable[str]) -> None:
    for line in lines:
        _log.warning("%s", line)
