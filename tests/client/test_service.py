"""Registration of a service."""

import asyncio
from typing import Any, Final

import httpx
import pytest

from gateway.client.service import Service
from gateway.client.service_client import ServiceClient
from gateway.railway import Call, Err, NotFound, Ok, Unavailable, UpstreamFault
from gateway.resilience.terms import BreakerTerms, RetryTerms
from tests.client.scripted_service import LAMP_JSON, PROBLEM, THING, Answering, Hanging, Thing

NO_RETRIES: Final = RetryTerms(attempts=1)


class Loyalty:
    def __init__(self, client: ServiceClient) -> None:
        self.client = client


def fetch(
    service: Service[Loyalty], transport: httpx.AsyncBaseTransport, *, max_concurrency: int = 200
) -> Call[Thing, UpstreamFault]:
    """Connect *service* through *transport*, and return a call to it."""
    connection = service.connect(transport, url=service.url, timeout=1.0, max_concurrency=max_concurrency)
    return connection.client.get("loyalty.fetch", "/members/1", answer=THING)()


@pytest.mark.parametrize("name", ["loyalty", "loyalty2", "loyalty_points"])
def test_service_accepts_snake_case_name(name: str) -> None:
    assert Service(name, Loyalty, url="http://loyalty.test").name == name


@pytest.mark.parametrize(
    "name", ["", "Loyalty", "loyalty-points", "2loyalty", "loyalty_", "_loyalty", "a__b"]
)
def test_service_refuses_invalid_name(name: str) -> None:
    with pytest.raises(ValueError, match=f"invalid service name '{name}'"):
        Service(name, Loyalty, url="http://loyalty.test")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "loyalty:8201",
        "ftp://loyalty",
        "http://",
        "http://[::1",
        "http://loyalty points",
        "http://loyalty:99999",
        "http://loyalty/?key=1",
        "http://loyalty/#top",
        "http://me@loyalty/",
    ],
)
def test_service_refuses_invalid_url(url: str) -> None:
    with pytest.raises(ValueError, match=r"^invalid URL of service 'loyalty': a service's URL must "):
        Service("loyalty", Loyalty, url=url)


def test_service_refuses_timeout_below_one() -> None:
    with pytest.raises(
        ValueError, match="timeout_ms of service 'loyalty' must be a whole number of at least 1, got 0"
    ):
        Service("loyalty", Loyalty, url="http://loyalty.test", timeout_ms=0)


def test_service_refuses_concurrency_below_one() -> None:
    with pytest.raises(
        ValueError, match="max_concurrency of service 'loyalty' must be a whole number of at least 1, got -1"
    ):
        Service("loyalty", Loyalty, url="http://loyalty.test", max_concurrency=-1)


@pytest.mark.parametrize("argument", ["timeout_ms", "max_concurrency", "queue_ms", "max_answer_bytes"])
@pytest.mark.parametrize("value", [1.5, "300", True])
def test_service_refuses_non_integer_limit(argument: str, value: object) -> None:
    arguments: dict[str, Any] = {argument: value}

    message = f"^{argument} of service 'loyalty' must be a whole number of at least [01], got {value!r}$"
    with pytest.raises(ValueError, match=message):
        Service("loyalty", Loyalty, url="http://loyalty.test", **arguments)


@pytest.mark.parametrize(("argument", "terms"), [("breaker", "BreakerTerms"), ("retries", "RetryTerms")])
@pytest.mark.parametrize("value", [3, None])
def test_service_refuses_terms_of_wrong_type(argument: str, terms: str, value: object) -> None:
    arguments: dict[str, Any] = {argument: value}

    with pytest.raises(TypeError, match=f"^{argument} of service 'loyalty' must be {terms}, got {value}$"):
        Service("loyalty", Loyalty, url="http://loyalty.test", **arguments)


async def test_breaker_opens_by_terms_of_service() -> None:
    """The breaker opens after two failures, so that the third call is not sent."""
    transport = Answering(httpx.Response(503))
    terms = BreakerTerms(minimum=2)
    call = fetch(
        Service("loyalty", Loyalty, url="http://loyalty.test", breaker=terms, retries=NO_RETRIES), transport
    )
    results = [await call for _ in range(3)]

    assert [type(result.error) for result in results if isinstance(result, Err)] == [Unavailable] * 3
    assert len(transport.requests) == 2


@pytest.mark.parametrize("attempts", [1, 2])
async def test_retry_terms_limit_attempts_of_call(attempts: int) -> None:
    transport = Answering(httpx.Response(503))
    terms = RetryTerms(attempts=attempts)
    await fetch(Service("loyalty", Loyalty, url="http://loyalty.test", retries=terms), transport)

    assert len(transport.requests) == attempts


@pytest.mark.parametrize("queue_ms", [0, 250])
async def test_call_queues_for_queue_ms_of_service(queue_ms: int) -> None:
    """At the concurrency limit, a call is unavailable after *queue_ms*: at once if that is 0."""
    loop = asyncio.get_running_loop()
    transport = Hanging()
    service = Service("loyalty", Loyalty, url="http://loyalty.test", queue_ms=queue_ms, retries=NO_RETRIES)
    call = fetch(service, transport, max_concurrency=1)
    running = asyncio.create_task(call.make())
    await transport.has_request.wait()
    start = loop.time()
    result = await call
    running.cancel()

    detail = "The loyalty service is at its concurrency limit"
    assert result == Err(Unavailable(detail, source="loyalty.fetch", retry_after=1.0, was_sent=False))
    assert loop.time() - start == queue_ms / 1000


@pytest.mark.parametrize(
    ("registered", "connected", "is_read"),
    [(None, 27, True), (None, 26, False), (27, 26, True), (26, 27, False)],
)
async def test_registration_limits_bytes_of_answer(
    registered: int | None, connected: int, *, is_read: bool
) -> None:
    service = Service("loyalty", Loyalty, url="http://loyalty.test", max_answer_bytes=registered)
    connection = service.connect(
        Answering(), url=service.url, timeout=1.0, max_concurrency=9, max_answer_bytes=connected
    )
    result = await connection.client.get("loyalty.fetch", "/members/1", answer=THING)()

    assert len(LAMP_JSON) == 27
    assert isinstance(result, Ok) is is_read


async def test_registration_limits_bytes_of_problem() -> None:
    service = Service("loyalty", Loyalty, url="http://loyalty.test", max_answer_bytes=20)
    refusal = httpx.Response(404, json={"detail": "No such member"}, headers=PROBLEM)
    connection = service.connect(Answering(refusal), url=service.url, timeout=1.0, max_concurrency=9)
    fetch_member = connection.client.get(
        "loyalty.fetch", "/members/1", answer=THING, declared={404: NotFound}
    )

    assert await fetch_member() == Err(
        NotFound("loyalty.fetch was refused: not found", source="loyalty.fetch")
    )


def test_service_refuses_empty_answers() -> None:
    with pytest.raises(ValueError, match=r"^max_answer_bytes of service 'loyalty' must be a whole number of"):
        Service("loyalty", Loyalty, url="http://loyalty.test", max_answer_bytes=0)
