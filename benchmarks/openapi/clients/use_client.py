"""Use of a client that openapi-python-client generates, checked by mypy and run on a live gateway."""

import sys
from http import HTTPStatus
from uuid import uuid4

from gateway_client import AuthenticatedClient, Client
from gateway_client.api.executions import get_execution
from gateway_client.api.operations import get_problem, get_readiness, list_pipelines
from gateway_client.api.pipelines import get_feed, post_checkout, post_orders, post_purchase, post_transfers
from gateway_client.models import (
    AggregateProblem,
    CheckoutRequest,
    CheckoutResult,
    ExecutionRecord,
    FeedResult,
    Health,
    OrderRequest,
    OrderResult,
    PipelineList,
    Problem,
    ProblemType,
    PurchaseRequest,
    PurchaseResult,
    Running,
    TransferRequest,
    TransferResult,
)

ADDRESS = "123 Main St"


def check_out(client: Client) -> None:
    order = CheckoutRequest("user-123", "prod-456", "pm-789", ADDRESS, quantity=2)
    result = post_checkout.sync(client=client, body=order)
    assert isinstance(result, CheckoutResult), result
    assert (result.total, result.discount.code, result.user.is_active) == ("121.22", None, True)


def read_failures(client: Client) -> None:
    unknown = CheckoutRequest("unknown", "prod-456", "pm-789", ADDRESS)
    problem = post_checkout.sync(client=client, body=unknown)
    assert isinstance(problem, Problem), problem
    assert (problem.code, problem.source) == ("not-found", "users.fetch")

    several = CheckoutRequest("unknown", "nothing", "pm-789", ADDRESS)
    aggregate = post_checkout.sync(client=client, body=several)
    assert isinstance(aggregate, AggregateProblem), aggregate
    assert [part.source for part in aggregate.errors] == ["users.fetch", "inventory.check"]

    invalid = post_checkout.sync(client=client, body=CheckoutRequest("", "prod-456", "pm-789", ADDRESS))
    assert isinstance(invalid, Problem), invalid
    assert invalid.violations, invalid
    assert invalid.violations[0].field == "user_id"

    explanation = get_problem.sync(code=problem.code, client=client)
    assert isinstance(explanation, ProblemType), explanation
    assert explanation.status == problem.status


def place_orders(client: Client) -> None:
    order, key = OrderRequest("user-123", "prod-456", "pm-789", ADDRESS), uuid4().hex
    first, second = (post_orders.sync_detailed(client=client, body=order, idempotency_key=key) for _ in "ab")
    assert isinstance(first.parsed, OrderResult), first
    assert (first.status_code, second.parsed) == (HTTPStatus.CREATED, first.parsed)
    assert second.headers["Idempotent-Replayed"] == "true"

    execution_id = first.headers["Location"].removeprefix("/executions/")
    execution = get_execution.sync(execution_id, client=client)
    assert isinstance(execution, ExecutionRecord), execution
    assert (execution.state, execution.pipeline) == ("committed", "orders")


def transfer(client: Client) -> None:
    wanted = TransferRequest("acc-001", "acc-002", amount="0.01", currency="USD")
    result = post_transfers.sync(client=client, body=wanted)
    assert isinstance(result, TransferResult | Running), result

    frozen = TransferRequest("acc-frozen", "acc-002", amount="0.01", currency="USD")
    problem = post_transfers.sync(client=client, body=frozen)
    assert isinstance(problem, Problem), problem
    assert problem.code == "conflict"


def purchase(url: str) -> None:
    wanted = PurchaseRequest("user-123", "prod-456", quantity=1)
    result = post_purchase.sync(client=AuthenticatedClient(url, "token-user-123"), body=wanted)
    assert isinstance(result, PurchaseResult), result
    assert result.degraded == []

    expired = post_purchase.sync(client=AuthenticatedClient(url, "token-expired"), body=wanted)
    assert isinstance(expired, Problem), expired
    assert expired.code == "unauthorized"


def read(client: Client) -> None:
    feed = get_feed.sync("user-123", client=client)
    assert isinstance(feed, FeedResult), feed
    assert {friend.user_id for friend in feed.friends} == {"user-456", "user-789"}

    health, pipelines = get_readiness.sync(client=client), list_pipelines.sync(client=client)
    assert isinstance(health, Health), health
    assert isinstance(pipelines, PipelineList), pipelines
    assert health.status == "pass"
    assert len(pipelines.pipelines) == 5


def main() -> None:
    url = sys.argv[1]
    with Client(url, raise_on_unexpected_status=True) as client:
        check_out(client)
        read_failures(client)
        place_orders(client)
        transfer(client)
        read(client)
    purchase(url)


if __name__ == "__main__":
    main()
