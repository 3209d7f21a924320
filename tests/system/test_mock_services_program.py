"""The program `mock_services`, as a real process."""

import errno
import os
import signal
import socket
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from mock_services.catalogue import SERVICES
from tests.system.programs import Program, ProgramResult, free_port, is_answering, until

SIGNALS = [signal.SIGTERM, signal.SIGINT]


def urls_of(program: Program) -> Mapping[str, str]:
    """Return the URLs of the services by name, from the line that announces them."""
    name, *words, ready = program.read_line().split()
    assert (name, ready) == ("mock_services:", "ready")
    return dict(zip(words[::2], words[1::2], strict=True))


class RunningService:
    """A mock service in its own process."""

    def __init__(self, program: Program, name: str) -> None:
        self.program = program
        self.client = httpx.Client(base_url=urls_of(program)[name])

    def set_fault(self, kind: str, latency_ms: int | None = None, times: int | None = None) -> None:
        faults = [{"path_prefix": "/", "kind": kind, "latency_ms": latency_ms, "times": times}]
        self.client.put("/_mock/faults", json=faults).raise_for_status()

    def read_outcomes(self) -> Sequence[tuple[int | None, str]]:
        return [(call["status"], call["outcome"]) for call in self.client.get("/_mock/calls").json()]

    def connect(self, *, rest: bytes = b"\r\n") -> socket.socket:
        """Send a request on a plain socket, and return the socket, which the test can close at any time."""
        url = self.client.base_url
        connection = socket.create_connection((url.host, url.port))
        connection.sendall(b"GET /users/user-123 HTTP/1.1\r\nHost: mock\r\n" + rest)
        return connection


@contextmanager
def run_service(name: str, *options: str) -> Generator[RunningService, None, None]:
    with Program("mock_services", name, "--port", "0", *options) as program:
        service = RunningService(program, name)
        with service.client:
            yield service


@pytest.fixture
def users() -> Iterator[RunningService]:
    with run_service("user") as users:
        yield users


@pytest.fixture
def inventory() -> Iterator[RunningService]:
    with run_service("inventory") as inventory:
        yield inventory


def reserve_two(inventory: RunningService, timeout: float = 5) -> httpx.Response:
    reservation, key = {"product_id": "prod-456", "quantity": 2}, {"Idempotency-Key": "key-1"}
    return inventory.client.post("/reservations", json=reservation, headers=key, timeout=timeout)


def stock_of(inventory: RunningService) -> int:
    level: int = inventory.client.get("/_mock/state").json()["stock"]["prod-456"]
    return level


def assert_clean(result: ProgramResult) -> None:
    """Check that the program exited with code 0 and printed nothing more.

    `Program.wait` fails if the program waits for hanging calls.
    """
    assert (result.code, result.out, result.err) == (0, "", "")


def read_all(connection: socket.socket) -> bytes:
    with connection:
        return b"".join(iter(lambda: connection.recv(4096), b""))


def test_mock_answers_at_announced_url(users: RunningService) -> None:
    answer = users.client.get("/users/user-123")

    assert answer.json()["email"] == "user@example.com"
    assert_clean(users.program.end())


def test_dropped_call_gets_no_byte_and_is_logged(users: RunningService) -> None:
    users.set_fault("drop")

    received = read_all(users.connect())

    assert received == b""
    assert users.read_outcomes() == [(None, "disconnected")]
    assert_clean(users.program.end())


def test_write_with_dropped_answer_is_repeatable(inventory: RunningService) -> None:
    inventory.set_fault("drop_after_write", times=1)

    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        reserve_two(inventory)

    assert stock_of(inventory) == 98
    assert reserve_two(inventory).status_code == 201
    assert stock_of(inventory) == 98
    assert_clean(inventory.program.end())


def test_write_happens_after_client_disconnect(inventory: RunningService) -> None:
    inventory.set_fault("latency", latency_ms=300)

    with pytest.raises(httpx.ReadTimeout):
        reserve_two(inventory, timeout=0.1)

    until(lambda: stock_of(inventory) == 98)
    assert inventory.read_outcomes() == [(None, "disconnected")]
    assert_clean(inventory.program.end())


def test_delayed_write_does_not_block_exit(inventory: RunningService) -> None:
    inventory.set_fault("latency", latency_ms=60_000)

    with pytest.raises(httpx.ReadTimeout):
        reserve_two(inventory, timeout=0.1)

    assert_clean(inventory.program.end())


def test_truncated_response_has_half_of_its_body(users: RunningService) -> None:
    users.set_fault("truncate")

    head, _, body = read_all(users.connect()).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"content-length: 66" in head
    assert len(body) == 33
    assert_clean(users.program.end())


def test_hanging_call_is_logged_at_disconnect(users: RunningService) -> None:
    users.set_fault("hang")

    with users.connect():
        assert users.read_outcomes() == []

    until(lambda: users.read_outcomes() == [(None, "disconnected")])
    assert_clean(users.program.end())


def test_disconnect_before_answer_is_logged(users: RunningService) -> None:
    users.set_fault("latency", latency_ms=60_000)

    with pytest.raises(httpx.ReadTimeout):
        users.client.get("/users/user-123", timeout=0.1)

    until(lambda: users.read_outcomes() == [(None, "disconnected")])
    assert_clean(users.program.end())


def test_incomplete_request_is_logged(users: RunningService) -> None:
    users.connect(rest=b"Content-Length: 9\r\n\r\nhalf").close()

    until(lambda: users.read_outcomes() == [(None, "disconnected")])
    assert_clean(users.program.end())


def test_mock_keeps_connections_alive(users: RunningService) -> None:
    with users.connect() as connection, connection.makefile("rb") as received:
        assert received.readline() == b"HTTP/1.1 200 OK\r\n"
        connection.sendall(b"GET /nowhere HTTP/1.1\r\nHost: mock\r\n\r\n")

        assert any(line.endswith(b"HTTP/1.1 404 Not Found\r\n") for line in received)


@pytest.mark.parametrize("number", SIGNALS)
def test_signal_ends_program_while_calls_hang(users: RunningService, number: signal.Signals) -> None:
    users.set_fault("hang")

    with users.connect() as connection:
        assert users.read_outcomes() == []
        result = users.program.end(number)
        rest = connection.recv(4096)

    assert rest == b""
    assert_clean(result)


def test_exit_with_stdin_option_ignores_sigint() -> None:
    """With `--exit-with-stdin` the parent process ends the program, so it ignores Ctrl-C."""
    with Program("mock_services", "user", "--port", "0", "--exit-with-stdin") as program:
        url = urls_of(program)["user"]
        program.process.send_signal(signal.SIGINT)

        assert is_answering(f"{url}/health")
        assert_clean(program.wait())


def test_all_mocks_run_in_one_process() -> None:
    with Program("mock_services", "all", "--base-port", "0") as program:
        urls = urls_of(program)

        assert list(urls) == list(SERVICES)
        assert all(is_answering(f"{url}/health") for url in urls.values())
        assert_clean(program.end(signal.SIGINT))


def test_mock_service_uses_given_port_and_latency_scale() -> None:
    port = free_port()

    with Program(
        "mock_services", "user", "--port", str(port), environment={"MOCK_LATENCY_SCALE": "1000"}
    ) as program:
        program.wait_until_answers(f"http://127.0.0.1:{port}/health")
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(f"http://127.0.0.1:{port}/users/user-123", timeout=0.2)


def test_mock_service_ports_follow_base_port() -> None:
    port = free_port()

    with Program("mock_services", "payment", "--base-port", str(port - 2)) as program:
        assert urls_of(program) == {"payment": f"http://127.0.0.1:{port}"}


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="needs IPv6")
def test_mock_service_listens_on_ipv6() -> None:
    with Program("mock_services", "user", "--port", "0", "--host", "::1") as program:
        assert is_answering(f"{urls_of(program)['user']}/health")


def test_mock_services_name_port_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        with Program("mock_services", "all", "--base-port", str(port)) as program:
            result = program.wait()

    assert (result.code, result.out) == (1, "")
    assert result.err == f"mock_services: port {port} (user) is taken: {os.strerror(errno.EADDRINUSE)}\n"


def test_mock_refuses_foreign_address() -> None:
    with Program("mock_services", "user", "--host", "192.0.2.1", "--port", "8101") as program:
        result = program.wait()

    assert result.code == 1
    assert result.err.startswith("mock_services: cannot listen on 192.0.2.1 port 8101 (user): ")
    assert result.err.count("\n") == 1


@pytest.mark.parametrize("scale", ["fast", "-1", "nan", "inf"])
def test_invalid_latency_scale_is_refused(scale: str) -> None:
    with Program("mock_services", "user", environment={"MOCK_LATENCY_SCALE": scale}) as program:
        result = program.wait()

    assert (result.code, result.out) == (2, "")
    assert result.err == (
        f"mock_services: invalid MOCK_LATENCY_SCALE '{scale}': expected a finite number of at least 0\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["unknown"], "invalid choice: 'unknown'"),
        (["user", "--port", "65536"], "invalid port '65536': expected a number from 0 to 65535"),
        (["user", "--port", "http"], "invalid port 'http': expected a number from 0 to 65535"),
        (["all", "--base-port", "65525"], "invalid port '65525': expected a number from 0 to 65524"),
        (["all", "--port", "8000"], '--port cannot be combined with "all"; use --base-port'),
        (
            ["all", "--state", "all.jsonl"],
            '--state cannot be combined with "all"; start the service by its name',
        ),
        ([], "the following arguments are required: NAME"),
    ],
)
def test_mocks_refuse_invalid_arguments(arguments: list[str], message: str) -> None:
    with Program("mock_services", *arguments) as program:
        result = program.wait()

    assert result.code == 2
    assert message in result.err
    assert "Traceback" not in result.err


def test_mock_service_ends_at_end_of_stdin() -> None:
    with Program("mock_services", "user", "--port", "0", "--exit-with-stdin") as program:
        url = urls_of(program)["user"]
        program.write_line("something")
        assert is_answering(f"{url}/health")
        assert_clean(program.wait())


def test_state_file_survives_sigkill(tmp_path: Path) -> None:
    with run_service("inventory", "--state", str(tmp_path / "inventory.jsonl")) as inventory:
        before = reserve_two(inventory)
        inventory.program.end(signal.SIGKILL)

    with run_service("inventory", "--state", str(tmp_path / "inventory.jsonl")) as inventory:
        assert stock_of(inventory) == 98
        assert reserve_two(inventory).content == before.content
        assert_clean(inventory.program.end())


def test_unusable_state_file_is_named(tmp_path: Path) -> None:
    with Program("mock_services", "order", "--state", str(tmp_path)) as program:
        result = program.wait()

    assert (result.code, result.out) == (1, "")
    assert (
        result.err
        == f"mock_services: cannot use {tmp_path} as the --state file: {os.strerror(errno.EISDIR)}\n"
    )


def test_mocks_help_lists_services() -> None:
    with Program("mock_services", "--help") as program:
        result = program.wait()

    assert result.code == 0
    assert all(name in result.out for name in SERVICES)
    assert "8101" in result.out
    assert "MOCK_LATENCY_SCALE" in result.out


def test_parent_that_ends_early_causes_no_traceback() -> None:
    """The parent reads no more when the services announce themselves; they end with standard input."""
    port = free_port()
    with Program("mock_services", "user", "--port", str(port), "--exit-with-stdin") as program:
        assert program.process.stdout
        assert program.process.stdin
        program.process.stdout.close()
        program.wait_until_answers(f"http://127.0.0.1:{port}/health")
        program.process.stdin.close()
        assert program.process.stderr
        errors = program.process.stderr.read()

        assert (program.process.wait(), errors) == (0, "")
