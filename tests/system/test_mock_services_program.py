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
from tests.system.programs import Ended, Program, answers, free_port, until

SIGNALS = [signal.SIGTERM, signal.SIGINT]


def urls_of(program: Program) -> Mapping[str, str]:
    """Read where the services are from the line that says that they are ready."""
    said, *words, ready = program.read_line().split()
    assert (said, ready) == ("mock_services:", "ready")
    return dict(zip(words[::2], words[1::2], strict=True))


class Running:
    """One service in a process of its own."""

    def __init__(self, program: Program, name: str) -> None:
        self.program = program
        self.client = httpx.Client(base_url=urls_of(program)[name])

    def fault(self, kind: str, latency_ms: int | None = None, times: int | None = None) -> None:
        faults = [{"path_prefix": "/", "kind": kind, "latency_ms": latency_ms, "times": times}]
        self.client.put("/_mock/faults", json=faults).raise_for_status()

    def outcomes(self) -> Sequence[tuple[int | None, str]]:
        return [(call["status"], call["outcome"]) for call in self.client.get("/_mock/calls").json()]

    def connect(self, *, rest: bytes = b"\r\n") -> socket.socket:
        """Send a request by hand, so that its connection can be treated badly."""
        url = self.client.base_url
        connection = socket.create_connection((url.host, url.port))
        connection.sendall(b"GET /users/user-123 HTTP/1.1\r\nHost: mock\r\n" + rest)
        return connection


@contextmanager
def running(name: str, *options: str) -> Generator[Running, None, None]:
    with Program("mock_services", name, "--port", "0", *options) as program:
        service = Running(program, name)
        with service.client:
            yield service


@pytest.fixture
def users() -> Iterator[Running]:
    with running("user") as users:
        yield users


@pytest.fixture
def inventory() -> Iterator[Running]:
    with running("inventory") as inventory:
        yield inventory


def reserve_two(inventory: Running, timeout: float = 5) -> httpx.Response:
    reservation, key = {"product_id": "prod-456", "quantity": 2}, {"Idempotency-Key": "key-1"}
    return inventory.client.post("/reservations", json=reservation, headers=key, timeout=timeout)


def stock_of(inventory: Running) -> int:
    level: int = inventory.client.get("/_mock/state").json()["stock"]["prod-456"]
    return level


def assert_clean(ended: Ended) -> None:
    """Check how a program ended; that it did not wait for hanging calls is the patience of `Program.wait`."""
    assert (ended.code, ended.out, ended.err) == (0, "", "")


def read_to_the_end(connection: socket.socket) -> bytes:
    with connection:
        return b"".join(iter(lambda: connection.recv(4096), b""))


def test_a_service_answers_where_it_says_that_it_is_ready(users: Running) -> None:
    answer = users.client.get("/users/user-123")

    assert answer.json()["email"] == "user@example.com"
    assert_clean(users.program.end())


def test_a_dropped_call_gets_not_one_byte_and_no_complaint(users: Running) -> None:
    users.fault("drop")

    received = read_to_the_end(users.connect())

    assert received == b""
    assert users.outcomes() == [(None, "disconnected")]
    assert_clean(users.program.end())


def test_a_write_whose_answer_is_dropped_has_happened_and_can_be_repeated(inventory: Running) -> None:
    inventory.fault("drop_after_write", times=1)

    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        reserve_two(inventory)

    assert stock_of(inventory) == 98
    assert reserve_two(inventory).status_code == 201
    assert stock_of(inventory) == 98
    assert_clean(inventory.program.end())


def test_a_write_happens_after_its_caller_has_left(inventory: Running) -> None:
    inventory.fault("latency", latency_ms=300)

    with pytest.raises(httpx.ReadTimeout):
        reserve_two(inventory, timeout=0.1)

    until(lambda: stock_of(inventory) == 98)
    assert inventory.outcomes() == [(None, "disconnected")]
    assert_clean(inventory.program.end())


def test_a_write_that_waits_does_not_keep_the_program_from_ending(inventory: Running) -> None:
    inventory.fault("latency", latency_ms=60_000)

    with pytest.raises(httpx.ReadTimeout):
        reserve_two(inventory, timeout=0.1)

    assert_clean(inventory.program.end())


def test_a_truncated_answer_promises_more_than_it_sends(users: Running) -> None:
    users.fault("truncate")

    head, _, body = read_to_the_end(users.connect()).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"content-length: 66" in head
    assert len(body) == 33
    assert_clean(users.program.end())


def test_a_call_that_hangs_is_logged_when_its_caller_has_left(users: Running) -> None:
    users.fault("hang")

    with users.connect():
        assert users.outcomes() == []

    until(lambda: users.outcomes() == [(None, "disconnected")])
    assert_clean(users.program.end())


def test_a_caller_who_leaves_before_the_answer_is_logged(users: Running) -> None:
    users.fault("latency", latency_ms=60_000)

    with pytest.raises(httpx.ReadTimeout):
        users.client.get("/users/user-123", timeout=0.1)

    until(lambda: users.outcomes() == [(None, "disconnected")])
    assert_clean(users.program.end())


def test_a_request_that_breaks_off_is_logged(users: Running) -> None:
    users.connect(rest=b"Content-Length: 9\r\n\r\nhalf").close()

    until(lambda: users.outcomes() == [(None, "disconnected")])
    assert_clean(users.program.end())


def test_connections_are_kept_between_calls(users: Running) -> None:
    with users.connect() as connection, connection.makefile("rb") as received:
        assert received.readline() == b"HTTP/1.1 200 OK\r\n"
        connection.sendall(b"GET /nowhere HTTP/1.1\r\nHost: mock\r\n\r\n")

        assert any(line.endswith(b"HTTP/1.1 404 Not Found\r\n") for line in received)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_the_program_promptly_and_cleanly_while_calls_hang(
    users: Running, number: signal.Signals
) -> None:
    users.fault("hang")

    with users.connect() as connection:
        assert users.outcomes() == []
        ended = users.program.end(number)
        rest = connection.recv(4096)

    assert rest == b""
    assert_clean(ended)


def test_ctrl_c_leaves_it_to_the_parent_that_holds_its_standard_input_to_end_it() -> None:
    with Program("mock_services", "user", "--port", "0", "--exit-with-stdin") as program:
        url = urls_of(program)["user"]
        program.process.send_signal(signal.SIGINT)

        assert answers(f"{url}/health")
        assert_clean(program.wait())


def test_all_services_run_in_one_process() -> None:
    with Program("mock_services", "all", "--base-port", "0") as program:
        urls = urls_of(program)

        assert list(urls) == list(SERVICES)
        assert all(answers(f"{url}/health") for url in urls.values())
        assert_clean(program.end(signal.SIGINT))


def test_a_service_can_be_given_a_port_and_a_latency_scale() -> None:
    port = free_port()

    with Program(
        "mock_services", "user", "--port", str(port), environment={"MOCK_LATENCY_SCALE": "1000"}
    ) as program:
        program.wait_until_answers(f"http://127.0.0.1:{port}/health")
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(f"http://127.0.0.1:{port}/users/user-123", timeout=0.2)


def test_the_ports_of_the_services_follow_the_base_port() -> None:
    port = free_port()

    with Program("mock_services", "payment", "--base-port", str(port - 2)) as program:
        assert urls_of(program) == {"payment": f"http://127.0.0.1:{port}"}


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="needs IPv6")
def test_a_service_listens_on_ipv6_as_well() -> None:
    with Program("mock_services", "user", "--port", "0", "--host", "::1") as program:
        assert answers(f"{urls_of(program)['user']}/health")


def test_a_port_that_is_taken_is_named_before_anything_is_served() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        with Program("mock_services", "all", "--base-port", str(port)) as program:
            ended = program.wait()

    assert (ended.code, ended.out) == (1, "")
    assert ended.err == f"mock_services: port {port} (user) is taken: {os.strerror(errno.EADDRINUSE)}\n"


def test_an_address_of_another_machine_is_refused() -> None:
    with Program("mock_services", "user", "--host", "192.0.2.1", "--port", "8101") as program:
        ended = program.wait()

    assert ended.code == 1
    assert ended.err.startswith("mock_services: cannot listen on 192.0.2.1 port 8101 (user): ")
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize("scale", ["fast", "-1", "nan", "inf"])
def test_a_latency_scale_that_is_not_a_number_from_zero_is_refused(scale: str) -> None:
    with Program("mock_services", "user", environment={"MOCK_LATENCY_SCALE": scale}) as program:
        ended = program.wait()

    assert (ended.code, ended.out) == (2, "")
    assert ended.err == f"mock_services: MOCK_LATENCY_SCALE must be a number from 0, not '{scale}'\n"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["nobody"], "invalid choice: 'nobody'"),
        (["user", "--port", "65536"], "not a port: '65536'"),
        (["user", "--port", "http"], "not a port: 'http'"),
        (["all", "--base-port", "65525"], "not a port: '65525'"),
        (["all", "--port", "8000"], '--port is for one service; "all" takes --base-port'),
        (["all", "--state", "all.jsonl"], "--state is for one service"),
        ([], "the following arguments are required: NAME"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_refused(arguments: list[str], complaint: str) -> None:
    with Program("mock_services", *arguments) as program:
        ended = program.wait()

    assert ended.code == 2
    assert complaint in ended.err
    assert "Traceback" not in ended.err


def test_the_program_ends_with_its_standard_input_if_asked_to() -> None:
    with Program("mock_services", "user", "--port", "0", "--exit-with-stdin") as program:
        url = urls_of(program)["user"]
        program.say("something")
        assert answers(f"{url}/health")
        assert_clean(program.wait())


def test_what_a_service_has_written_outlives_a_kill(tmp_path: Path) -> None:
    with running("inventory", "--state", str(tmp_path / "inventory.jsonl")) as inventory:
        before = reserve_two(inventory)
        inventory.program.end(signal.SIGKILL)

    with running("inventory", "--state", str(tmp_path / "inventory.jsonl")) as inventory:
        assert stock_of(inventory) == 98
        assert reserve_two(inventory).content == before.content
        assert_clean(inventory.program.end())


def test_a_file_that_cannot_keep_state_is_named_before_anything_is_served(tmp_path: Path) -> None:
    with Program("mock_services", "order", "--state", str(tmp_path)) as program:
        ended = program.wait()

    assert (ended.code, ended.out) == (1, "")
    assert ended.err == f"mock_services: cannot keep state in {tmp_path}: {os.strerror(errno.EISDIR)}\n"


def test_help_lists_services_ports_and_environment() -> None:
    with Program("mock_services", "--help") as program:
        ended = program.wait()

    assert ended.code == 0
    assert all(name in ended.out for name in SERVICES)
    assert "8101" in ended.out
    assert "MOCK_LATENCY_SCALE" in ended.out
