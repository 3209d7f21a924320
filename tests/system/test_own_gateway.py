"""A custom gateway in a folder outside the repository, as real processes, without the sample."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import httpx
import pytest

from gateway.api.problems.catalogue import CATALOGUE
from gateway.pipelines import PIPELINES
from gateway.services import SERVICES
from tests.system.programs import Program, free_port, until

LIBRARY: Final = """\
from pydantic import Field

from gateway import Id, ServiceClient, UpstreamRequest, UpstreamResponse, example
from gateway.railway import Call, Conflict, NotFound, UpstreamFault, Write


class Book(UpstreamResponse):
    model_config = example(title="Dune", copies=2)

    title: str
    copies: int


class Loan(UpstreamRequest):
    book_id: Id = Field(examples=["book-1"])


class Library:
    def __init__(self, client: ServiceClient) -> None:
        self._book = client.get(
            "library.book", "/books/{book_id}", answer=Book, declared={404: NotFound}
        )
        self._lend = client.write.post(
            "library.lend",
            "/loans",
            answer=Loan,
            undo=client.undo.delete("library.take_back", "/loans/{key}"),
            declared={409: Conflict},
        )

    def book(self, book_id: str) -> Call[Book, NotFound | UpstreamFault]:
        return self._book(book_id=book_id)

    def lend(self, book_id: str) -> Write[Loan, Conflict | UpstreamFault]:
        return self._lend(Loan(book_id=book_id))
"""

MAIN: Final = '''\
from typing import TypeAlias

from gateway import Id, ResponseBody, Route, Service, create_app
from gateway.railway import Aggregate, Conflict, NotFound, Run, Stuck, UpstreamFault, railway
from library import Library

LoanError: TypeAlias = NotFound | Conflict | UpstreamFault | Stuck | Aggregate


class Receipt(ResponseBody):
    title: str


@railway
async def lend(run: Run[LoanError], book_id: Id, library: Library) -> Receipt:
    """Borrow a book."""
    (book,) = await run.stage("find", library.book(book_id))
    await run.commit("lend", library.lend(book_id))
    return Receipt(title=book.title)


app = create_app(
    services=[Service("library", Library, url="http://127.0.0.1:8201", timeout_ms=700)],
    pipelines=[Route("POST", "/loans/{book_id}", lend, status=201, example={"book_id": "book-1"})],
    name="village",
    title="Village library",
    version="3.2",
)
'''

SERVICE: Final = """\
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Library(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    agents: set[str] = set()

    def do_GET(self):
        self.agents.add(self.headers["User-Agent"])
        match self.path:
            case "/books/book-1":
                self.respond(200, {"title": "Dune", "copies": 2})
            case "/health":
                self.respond(200, {"status": "pass"})
            case "/agents":
                self.respond(200, sorted(self.agents - {"python-urllib"}))
            case _:
                self.respond(404, {})

    def do_POST(self):
        self.respond(201, json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def do_DELETE(self):
        self.respond(200, {})

    def respond(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Library).serve_forever()
"""

SAMPLE: Final = re.compile(
    "|".join(
        [
            *(rf"\b{service.name}s?\b" for service in SERVICES if service.name not in {"order", "account"}),
            *(re.escape(route.path) for route in PIPELINES),
            "fanout",
            "order-",
            "checkout",
            "prod-",
            "user-1",
        ]
    ),
    re.IGNORECASE,
)
"""Words that only the sample contains; "order" and "account" also occur in plain sentences."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in (("library", LIBRARY), ("main", MAIN), ("service", SERVICE)):
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path


def serve(folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> Program:
    return Program(
        "gateway", "serve", "--app", "main:app", *arguments, environment=environment, folder=folder
    )


@pytest.fixture
def service(folder: Path) -> Iterator[str]:
    port = free_port()
    with Program("service", str(port), folder=folder) as program:
        program.wait_until_answers(f"http://127.0.0.1:{port}/health")
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def gateway(folder: Path, service: str) -> Iterator[str]:
    environment = {"GATEWAY_PORT": "0", "GATEWAY_LIBRARY_URL": service}
    with serve(folder, environment=environment) as program:
        url = program.read_line().split()[1]
        yield url
        result = program.end()
    assert (result.code, result.err) == (0, "")


def test_commit_of_custom_pipeline_creates_execution(gateway: str, service: str) -> None:
    lent = httpx.post(f"{gateway}/loans/book-1", headers={"Idempotency-Key": "1"})
    missing = httpx.post(f"{gateway}/loans/book-9")
    execution = httpx.get(gateway + lent.headers["location"])

    assert (lent.status_code, lent.json()) == (201, {"title": "Dune"})
    assert (missing.status_code, missing.json()["source"]) == (404, "library.book")
    assert (execution.json()["state"], execution.json()["pipeline"]) == ("committed", "lend")
    assert "village/3.2" in httpx.get(f"{service}/agents").json()


def test_custom_gateway_serves_nothing_of_the_sample(gateway: str) -> None:
    with ExitStack() as stack:
        client = stack.enter_context(httpx.Client(base_url=gateway))
        ready, pipelines, document, page = (
            client.get(path) for path in ("/health/ready", "/pipelines", "/openapi.json", "/docs")
        )
        problems = [client.get(f"/problems/{name}") for name in CATALOGUE]
        unknown = [client.post(route.path, json={}) for route in PIPELINES if route.method == "POST"]

    assert list(ready.json()["checks"]) == ["library", "journal"]
    assert [pipeline["name"] for pipeline in pipelines.json()["pipelines"]] == ["lend"]
    assert "Village library" in page.text
    for answer in (ready, pipelines, document, page, *problems):
        assert answer.status_code == 200
        assert SAMPLE.search(answer.text) is None
    assert {answer.json()["type"] for answer in unknown} == {"/problems/route-not-found"}


def test_help_lists_custom_settings_only(folder: Path) -> None:
    with serve(folder, "--help") as program:
        result = program.wait()

    names = set(re.findall(r"^  GATEWAY_(\w+?)_URL ", result.out, re.MULTILINE))
    assert (result.code, result.err, names) == (0, "", {"JOURNAL", "LIBRARY"})
    assert "GATEWAY_LIBRARY_TIMEOUT_MS" in result.out
    assert "[700]" in result.out
    assert SAMPLE.search(result.out) is None


def test_variable_of_unregistered_service_is_reported(folder: Path) -> None:
    environment = {"GATEWAY_PORT": "0", "GATEWAY_FRAUD_URL": "http://127.0.0.1:1"}
    with serve(folder, environment=environment) as program:
        program.read_line()
        result = program.end()

    assert result.code == 0
    assert "unknown setting GATEWAY_FRAUD_URL: no service named 'fraud' is registered\n" in result.err


def test_readiness_reports_unreachable_custom_service(folder: Path) -> None:
    environment = {"GATEWAY_PORT": "0", "GATEWAY_LIBRARY_URL": f"http://127.0.0.1:{free_port()}"}
    with serve(folder, environment=environment) as program:
        url = program.read_line().split()[1]
        until(lambda: httpx.get(f"{url}/health/ready").json()["checks"]["library"][0]["status"] == "fail")
        answer = httpx.post(f"{url}/loans/book-1")

    assert (answer.status_code, answer.json()["detail"]) == (503, "The library service is unavailable")


def test_custom_gateway_warns_of_ineffective_settings(folder: Path) -> None:
    with serve(folder, environment={"GATEWAY_PORT": "0", "GATEWAY_DEADLINE_MS": "300"}) as program:
        program.read_line()
        result = program.end()

    assert "circuit breakers of these services: library; set" in result.err
    assert "no commit can start; set" in result.err


@pytest.mark.parametrize("arguments", [(), ("--help",)])
def test_invalid_custom_service_setting_prints_one_line(folder: Path, arguments: Sequence[str]) -> None:
    with serve(folder, *arguments, environment={"GATEWAY_LIBRARY_TIMEOUT_MS": "x"}) as program:
        result = program.wait()

    assert (result.code, result.out, result.err.count("\n")) == (2, "", 1)
    assert result.err.startswith("gateway: invalid GATEWAY_LIBRARY_TIMEOUT_MS 'x': ")
