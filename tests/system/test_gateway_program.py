"""The command `gateway`, as a real process."""

import signal
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence

import httpx
import pytest

from tests.system.programs import Program, answers, free_ports, until
from tests.system.stack import ORDER, SERVICES, mocks

FREE = {"GATEWAY_PORT": "0"}


@pytest.fixture(scope="module")
def services() -> Iterator[Mapping[str, str]]:
    with mocks("all", "--base-port", "0", MOCK_LATENCY_SCALE="0") as services:
        yield services


def url_of(program: Program) -> str:
    return program.read_line().split()[1]


def test_it_says_where_it_is_and_where_its_documentation_is() -> None:
    with Program("gateway", "serve", environment=FREE) as program:
        said = program.read_line()
        url = said.split()[1]

        assert said == f"gateway: {url} (documentation: {url}/docs)\n"
        assert httpx.get(f"{url}/docs").status_code == 200
        assert httpx.get(f"{url}/health/live").json() == {"status": "pass"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_code_0_and_not_a_word(number: signal.Signals) -> None:
    with Program("gateway", "serve", environment=FREE) as program:
        program.wait_until_answers(f"{url_of(program)}/health/live")
        ended = program.end(number)

    assert (ended.code, ended.err) == (0, "")


def test_a_request_under_way_is_answered_before_the_end(services: Mapping[str, str]) -> None:
    slow = [{"path_prefix": "/", "kind": "latency", "latency_ms": 500}]
    httpx.put(f"{services['user']}/_mock/faults", json=slow).raise_for_status()
    urls = {f"GATEWAY_{name.upper()}_URL": services[name] for name in SERVICES}
    answers: list[int] = []
    with Program("gateway", "serve", environment={**FREE, **urls}) as program:
        url = url_of(program)
        asking = threading.Thread(
            target=lambda: answers.append(httpx.post(f"{url}/checkout", json=ORDER).status_code)
        )
        asking.start()
        until(lambda: bool(httpx.get(f"{services['inventory']}/_mock/calls").json()))
        ended = program.end()
        asking.join()

    assert (answers, ended.code) == ([200], 0)


def test_while_it_drains_readiness_fails_and_requests_are_served() -> None:
    with Program("gateway", "serve", environment={**FREE, "GATEWAY_DRAIN_MS": "60000"}) as program:
        url = url_of(program)
        program.process.send_signal(signal.SIGTERM)
        until(lambda: httpx.get(f"{url}/health/ready").status_code == 503)
        stopped = time.monotonic()

        # Without a drain, uvicorn would refuse connections a tenth of a second later.
        until(lambda: time.monotonic() > stopped + 1)
        assert httpx.get(f"{url}/health/ready").json()["status"] == "fail"
        assert httpx.get(f"{url}/pipelines").headers["connection"] == "close"
        assert program.end().code == 0  # a second signal ends the drain


def test_ctrl_c_is_somebody_who_waits_and_so_there_is_no_drain() -> None:
    with (
        Program("gateway", "serve", environment={**FREE, "GATEWAY_DRAIN_MS": "60000"}) as program,
        httpx.Client(base_url=url_of(program)) as browser,
    ):
        browser.get("/health/live")  # whose connection stays open
        ended = program.end(signal.SIGINT)

    assert (ended.code, ended.err) == (0, "")


def test_two_signals_leave_a_request_under_way_its_time(services: Mapping[str, str]) -> None:
    slow = [{"path_prefix": "/", "kind": "latency", "latency_ms": 900}]
    httpx.put(f"{services['shipping']}/_mock/faults", json=slow).raise_for_status()
    urls = {f"GATEWAY_{name.upper()}_URL": services[name] for name in SERVICES}
    answers: list[int] = []
    with Program("gateway", "serve", environment={**FREE, **urls, "GATEWAY_DRAIN_MS": "60000"}) as program:
        url = url_of(program)
        asking = threading.Thread(
            target=lambda: answers.append(httpx.post(f"{url}/checkout", json=ORDER).status_code)
        )
        asking.start()
        until(lambda: bool(httpx.get(f"{services['fraud']}/_mock/calls").json()))
        program.process.send_signal(signal.SIGTERM)
        ended = program.end(signal.SIGINT)
        asking.join()

    assert (answers, ended.code, ended.err) == ([200], 0, "")


def test_a_port_that_is_taken_is_one_clear_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with Program("gateway", "serve", "--port", port) as program:
            ended = program.wait()

    assert ended.code == 1
    assert ended.err.startswith(f"gateway: cannot listen on 127.0.0.1:{port}: ")
    assert ended.err.count("\n") == 1


def test_settings_that_make_no_sense_are_named_one_line_each() -> None:
    wrong = {"GATEWAY_DEADLINE_MS": "soon", "GATEWAY_USER_URL": "ftp://users"}
    with Program("gateway", "serve", environment=wrong) as program:
        ended = program.wait()

    assert ended.code == 2
    assert [line.split(":")[:2] for line in ended.err.splitlines()] == [
        ["gateway", " invalid GATEWAY_DEADLINE_MS 'soon'"],
        ["gateway", " invalid GATEWAY_USER_URL 'ftp"],
    ]


@pytest.mark.parametrize("arguments", [["serve"], ["serve", "--help"]])
def test_a_secret_is_shown_nowhere_whether_it_is_right_or_wrong(arguments: list[str]) -> None:
    with Program("gateway", *arguments, environment={"GATEWAY_OPERATOR_TOKEN": "s3cret word"}) as program:
        ended = program.wait()

    assert "GATEWAY_OPERATOR_TOKEN" in ended.out + ended.err
    assert "s3cret" not in ended.out + ended.err


def test_the_password_in_a_url_is_not_shown() -> None:
    url = "http://ada:s3cret@127.0.0.1:8101"
    with Program("gateway", "serve", environment={"GATEWAY_USER_URL": url}) as program:
        ended = program.wait()

    assert "invalid GATEWAY_USER_URL: " in ended.err
    assert "s3cret" not in ended.out + ended.err


def test_a_variable_that_is_no_setting_is_pointed_out() -> None:
    with Program("gateway", "serve", environment={**FREE, "GATEWAY_DEADLNE_MS": "1"}) as program:
        url_of(program)
        ended = program.end()

    assert "unknown setting GATEWAY_DEADLNE_MS; did you mean GATEWAY_DEADLINE_MS?" in ended.err


def test_settings_with_which_nothing_can_be_written_are_pointed_out() -> None:
    with Program("gateway", "serve", environment={**FREE, "GATEWAY_DEADLINE_MS": "500"}) as program:
        url_of(program)
        ended = program.end()

    assert "no commit can start; set GATEWAY_COMMIT_RESERVE_MS below GATEWAY_DEADLINE_MS" in ended.err


def test_services_whose_silence_can_show_nothing_are_pointed_out() -> None:
    settings = {**FREE, "GATEWAY_USER_TIMEOUT_MS": "5000", "GATEWAY_FRAUD_TIMEOUT_MS": "6000"}
    with Program("gateway", "serve", environment=settings) as program:
        url_of(program)
        ended = program.end()

    assert "timeouts cannot open the circuit breakers of these services: user, fraud; set " in ended.err


@pytest.mark.parametrize("wrong", [["--prot", "1"], ["--with-mocks", "0"], ["--with-mocks", "65530"]])
def test_a_wrong_option_is_a_usage_error(wrong: list[str]) -> None:
    with Program("gateway", "serve", *wrong) as program:
        assert program.wait().code == 2


def test_a_client_that_offers_another_protocol_is_answered_in_this_one(services: Mapping[str, str]) -> None:
    urls = {f"GATEWAY_{name.upper()}_URL": services[name] for name in SERVICES}
    offer = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAAQAAP__"}
    with Program("gateway", "serve", environment={**FREE, **urls}) as program:
        answer = httpx.post(f"{url_of(program)}/checkout", json=ORDER, headers=offer)
        ended = program.end()

    assert (answer.status_code, ended.err) == (200, "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--help"], "COMMAND"), (["serve", "--help"], "GATEWAY_CALL_TIMEOUT_MS"), (["--version"], "0.")],
)
def test_it_tells_about_itself(arguments: list[str], said: str) -> None:
    with Program("gateway", *arguments) as program:
        ended = program.wait()

    assert ended.code == 0
    assert said in ended.out


def test_with_mocks_it_shows_one_checkout_and_ends_them_with_itself() -> None:
    port = free_ports(12)
    options = ("--waterfall", "--log-level", "debug", "--with-mocks", str(port))
    with Program("gateway", "serve", *options, environment=FREE) as program:
        said = said_until_ready(program)
        assert answers(f"http://127.0.0.1:{port}/health")
        ended = program.end(signal.SIGINT)

    assert "200 OK\n" in said
    assert '  "total": "67.10"\n' in said
    assert "    users.fetch " in ended.err
    assert ended.code == 0
    assert not answers(f"http://127.0.0.1:{port}/health")


def test_ctrl_c_before_it_serves_ends_it_without_a_traceback() -> None:
    port = free_ports(12)
    with Program("gateway", "serve", "--with-mocks", str(port), environment=FREE) as program:
        until(lambda: answers(f"http://127.0.0.1:{port}/health"))
        ended = program.end(signal.SIGINT)

    assert "Traceback" not in ended.err
    until(lambda: not answers(f"http://127.0.0.1:{port}/health"))


def test_mocks_end_even_if_the_gateway_is_killed() -> None:
    port = free_ports(12)
    with Program("gateway", "serve", "--with-mocks", str(port), environment=FREE) as program:
        said_until_ready(program)
        program.process.kill()

        until(lambda: not answers(f"http://127.0.0.1:{port}/health"))


def test_a_port_that_the_mocks_need_and_somebody_has_is_named() -> None:
    port = free_ports(12)
    with (
        socket.create_server(("127.0.0.1", port + 2)),
        Program("gateway", "serve", "--with-mocks", str(port), environment=FREE) as program,
    ):
        ended = program.wait()

    assert ended.code == 1
    assert f"port {port + 2} (payment) is taken" in ended.err
    assert "gateway: the mock services did not start; choose other ports with --with-mocks PORT" in ended.err


def test_mocks_of_somebody_else_are_not_taken_for_its_own() -> None:
    port = free_ports(12)
    with (
        mocks("all", "--base-port", str(port)),
        Program("gateway", "serve", "--with-mocks", str(port), environment=FREE) as program,
    ):
        ended = program.wait()

    assert ended.code == 1
    assert f"port {port} (user) is taken" in ended.err


def said_until_ready(program: Program) -> Sequence[str]:
    said: list[str] = []
    while not (said and said[-1].startswith("documentation: ")):
        said.append(program.read_line())
        assert said[-1], "it ended"
    return said
