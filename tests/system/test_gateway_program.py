"""The command `gateway`, as a real process."""

import signal
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence

import httpx
import pytest

from tests.system.programs import Program, free_ports, is_answering, until
from tests.system.stack import ORDER, SERVICES, mocks

FREE_PORT = {"GATEWAY_PORT": "0"}


@pytest.fixture(scope="module")
def services() -> Iterator[Mapping[str, str]]:
    with mocks("all", "--base-port", "0", MOCK_LATENCY_SCALE="0") as services:
        yield services


def url_of(program: Program) -> str:
    return program.read_line().split()[1]


def test_serve_prints_url_and_docs_url() -> None:
    with Program("gateway", "serve", environment=FREE_PORT) as program:
        line = program.read_line()
        url = line.split()[1]

        assert line == f"gateway: {url} (documentation: {url}/docs)\n"
        assert httpx.get(f"{url}/docs").status_code == 200
        assert httpx.get(f"{url}/health/live").json() == {"status": "pass"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_serve_with_code_0(number: signal.Signals) -> None:
    with Program("gateway", "serve", environment=FREE_PORT) as program:
        program.wait_until_answers(f"{url_of(program)}/health/live")
        result = program.end(number)

    assert (result.code, result.err) == (0, "")


def test_serve_answers_request_before_exit(services: Mapping[str, str]) -> None:
    slow = [{"path_prefix": "/", "kind": "latency", "latency_ms": 500}]
    httpx.put(f"{services['user']}/_mock/faults", json=slow).raise_for_status()
    urls = {f"GATEWAY_{name.upper()}_URL": services[name] for name in SERVICES}
    statuses: list[int] = []
    with Program("gateway", "serve", environment={**FREE_PORT, **urls}) as program:
        url = url_of(program)
        client = threading.Thread(
            target=lambda: statuses.append(httpx.post(f"{url}/checkout", json=ORDER).status_code)
        )
        client.start()
        until(lambda: bool(httpx.get(f"{services['inventory']}/_mock/calls").json()))
        result = program.end()
        client.join()

    assert (statuses, result.code) == ([200], 0)


def test_drain_serves_requests_while_readiness_fails() -> None:
    with Program("gateway", "serve", environment={**FREE_PORT, "GATEWAY_DRAIN_MS": "60000"}) as program:
        url = url_of(program)
        program.process.send_signal(signal.SIGTERM)
        until(lambda: httpx.get(f"{url}/health/ready").status_code == 503)
        stopped = time.monotonic()

        # Without a drain, uvicorn would refuse connections a tenth of a second later.
        until(lambda: time.monotonic() > stopped + 1)
        assert httpx.get(f"{url}/health/ready").json()["status"] == "fail"
        assert httpx.get(f"{url}/pipelines").headers["connection"] == "close"
        assert program.end().code == 0  # a second signal ends the drain


def test_sigint_skips_drain() -> None:
    with (
        Program("gateway", "serve", environment={**FREE_PORT, "GATEWAY_DRAIN_MS": "60000"}) as program,
        httpx.Client(base_url=url_of(program)) as client,
    ):
        client.get("/health/live")  # its connection stays open
        result = program.end(signal.SIGINT)

    assert (result.code, result.err) == (0, "")


def test_second_signal_does_not_cancel_request(services: Mapping[str, str]) -> None:
    slow = [{"path_prefix": "/", "kind": "latency", "latency_ms": 900}]
    httpx.put(f"{services['shipping']}/_mock/faults", json=slow).raise_for_status()
    urls = {f"GATEWAY_{name.upper()}_URL": services[name] for name in SERVICES}
    earlier_calls = len(httpx.get(f"{services['fraud']}/_mock/calls").json())
    statuses: list[int] = []
    with Program(
        "gateway", "serve", environment={**FREE_PORT, **urls, "GATEWAY_DRAIN_MS": "60000"}
    ) as program:
        url = url_of(program)
        client = threading.Thread(
            target=lambda: statuses.append(httpx.post(f"{url}/checkout", json=ORDER).status_code)
        )
        client.start()
        until(lambda: len(httpx.get(f"{services['fraud']}/_mock/calls").json()) > earlier_calls)
        program.process.send_signal(signal.SIGTERM)
        result = program.end(signal.SIGINT)
        client.join()

    assert (statuses, result.code, result.err) == ([200], 0, "")


def test_port_in_use_is_reported_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        with Program("gateway", "serve", "--port", port) as program:
            result = program.wait()

    assert result.code == 1
    assert result.err.startswith(f"gateway: cannot listen on 127.0.0.1:{port}: ")
    assert result.err.count("\n") == 1


def test_serve_names_each_invalid_setting() -> None:
    invalid = {"GATEWAY_DEADLINE_MS": "soon", "GATEWAY_USER_URL": "ftp://users"}
    with Program("gateway", "serve", environment=invalid) as program:
        result = program.wait()

    assert result.code == 2
    assert [line.split(":")[:2] for line in result.err.splitlines()] == [
        ["gateway", " invalid GATEWAY_DEADLINE_MS 'soon'"],
        ["gateway", " invalid GATEWAY_USER_URL 'ftp"],
    ]


@pytest.mark.parametrize("arguments", [["serve"], ["serve", "--help"]])
def test_invalid_operator_token_is_never_printed(arguments: list[str]) -> None:
    with Program("gateway", *arguments, environment={"GATEWAY_OPERATOR_TOKEN": "s3cret word"}) as program:
        result = program.wait()

    assert "GATEWAY_OPERATOR_TOKEN" in result.out + result.err
    assert "s3cret" not in result.out + result.err


def test_password_in_url_is_never_printed() -> None:
    url = "http://ada:s3cret@127.0.0.1:8101"
    with Program("gateway", "serve", environment={"GATEWAY_USER_URL": url}) as program:
        result = program.wait()

    assert "invalid GATEWAY_USER_URL 'http://127.0.0.1': " in result.err
    assert "s3cret" not in result.out + result.err


def test_serve_warns_of_unknown_setting() -> None:
    with Program("gateway", "serve", environment={**FREE_PORT, "GATEWAY_DEADLNE_MS": "1"}) as program:
        url_of(program)
        result = program.end()

    assert "unknown setting GATEWAY_DEADLNE_MS; did you mean GATEWAY_DEADLINE_MS?" in result.err


def test_serve_warns_if_no_commit_can_start() -> None:
    with Program("gateway", "serve", environment={**FREE_PORT, "GATEWAY_DEADLINE_MS": "500"}) as program:
        url_of(program)
        result = program.end()

    assert "no commit can start; set GATEWAY_COMMIT_RESERVE_MS below GATEWAY_DEADLINE_MS" in result.err


def test_serve_warns_if_timeouts_cannot_open_breaker() -> None:
    """The warning names the services whose timeout is not below the deadline."""
    settings = {**FREE_PORT, "GATEWAY_USER_TIMEOUT_MS": "5000", "GATEWAY_FRAUD_TIMEOUT_MS": "6000"}
    with Program("gateway", "serve", environment=settings) as program:
        url_of(program)
        result = program.end()

    assert "timeouts cannot open the circuit breakers of these services: user, fraud; set " in result.err


@pytest.mark.parametrize("arguments", [["--prot", "1"], ["--with-mocks", "0"], ["--with-mocks", "65530"]])
def test_serve_refuses_invalid_option(arguments: list[str]) -> None:
    with Program("gateway", "serve", *arguments) as program:
        assert program.wait().code == 2


def test_offer_of_http2_upgrade_is_ignored(services: Mapping[str, str]) -> None:
    """A client that offers an upgrade to HTTP/2 is answered in HTTP/1.1, and its body is read."""
    urls = {f"GATEWAY_{name.upper()}_URL": services[name] for name in SERVICES}
    offer = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAAQAAP__"}
    patient = {"GATEWAY_CALL_TIMEOUT_MS": "4000"}  # a timeout on a busy machine would be logged
    with Program("gateway", "serve", environment={**FREE_PORT, **urls, **patient}) as program:
        answer = httpx.post(f"{url_of(program)}/checkout", json=ORDER, headers=offer)
        result = program.end()

    assert (answer.status_code, result.err) == (200, "")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [(["--help"], "COMMAND"), (["serve", "--help"], "GATEWAY_CALL_TIMEOUT_MS"), (["--version"], "0.")],
)
def test_gateway_prints_help_and_version(arguments: list[str], text: str) -> None:
    with Program("gateway", *arguments) as program:
        result = program.wait()

    assert result.code == 0
    assert text in result.out


def test_with_mocks_option_prints_checkout_and_stops_mocks() -> None:
    port = free_ports(12)
    options = ("--waterfall", "--log-level", "debug", "--with-mocks", str(port))
    with Program("gateway", "serve", *options, environment=FREE_PORT) as program:
        lines = read_until_ready(program)
        assert is_answering(f"http://127.0.0.1:{port}/health")
        result = program.end(signal.SIGINT)

    assert "200 OK\n" in lines
    assert '  "total": "67.10"\n' in lines
    assert "    users.fetch " in result.err
    assert result.code == 0
    assert not is_answering(f"http://127.0.0.1:{port}/health")


def test_sigint_during_startup_has_no_traceback() -> None:
    port = free_ports(12)
    with Program("gateway", "serve", "--with-mocks", str(port), environment=FREE_PORT) as program:
        until(lambda: is_answering(f"http://127.0.0.1:{port}/health"))
        result = program.end(signal.SIGINT)

    assert "Traceback" not in result.err
    until(lambda: not is_answering(f"http://127.0.0.1:{port}/health"))


def test_mocks_end_if_gateway_is_killed() -> None:
    port = free_ports(12)
    with Program("gateway", "serve", "--with-mocks", str(port), environment=FREE_PORT) as program:
        read_until_ready(program)
        program.process.kill()

        until(lambda: not is_answering(f"http://127.0.0.1:{port}/health"))


def test_with_mocks_option_names_port_in_use() -> None:
    port = free_ports(12)
    with (
        socket.create_server(("127.0.0.1", port + 2)),
        Program("gateway", "serve", "--with-mocks", str(port), environment=FREE_PORT) as program,
    ):
        result = program.wait()

    assert result.code == 1
    assert f"port {port + 2} (payment) is taken" in result.err
    assert "gateway: the mock services did not start; choose other ports with --with-mocks PORT" in result.err


def test_with_mocks_option_refuses_ports_of_running_mocks() -> None:
    port = free_ports(12)
    with (
        mocks("all", "--base-port", str(port)),
        Program("gateway", "serve", "--with-mocks", str(port), environment=FREE_PORT) as program,
    ):
        result = program.wait()

    assert result.code == 1
    assert f"port {port} (user) is taken" in result.err


def read_until_ready(program: Program) -> Sequence[str]:
    """Read the lines of *program* up to the last line that it prints at its start."""
    lines: list[str] = []
    while not (lines and lines[-1].startswith("documentation: ")):
        lines.append(program.read_line())
        assert lines[-1], "the program ended"
    return lines
