"""The shipped pipelines, with the mock services."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final, TypeAlias, cast, final

import httpx
from typing_extensions import override

from gateway.pipelines import PIPELINES
from gateway.services import SERVICES
from mock_services.catalogue import SERVICES as MOCK_SERVICES
from mock_services.http.request import Request
from mock_services.http.response import Problem, Response
from mock_services.instance import Instance
from tests.matrix.subject import Sample, StandIns, Subject

__all__ = ("SHIPPED",)

_State: TypeAlias = Mapping[str, object]

_USER: Final = "user-123"
_TOKEN: Final = f"token-{_USER}"
_ORDER: Final = {
    "user_id": _USER,
    "product_id": "prod-456",
    "payment_id": "pm-789",
    "address": "123 Main St",
}
_TRANSFER: Final = {
    "from_account": "acc-001",
    "to_account": "acc-002",
    "amount": "25.00",
    "currency": "USD",
}
_PURCHASE: Final = {"user_id": _USER, "product_id": "prod-456"}
_UNDONE_STATUSES: Final = frozenset({"cancelled", "reversed"})
_SEEDS: Final = {name: create().state() for name, create in MOCK_SERVICES.items()}


@final
class _MockServices(StandIns):
    """The mock services with their seed data."""

    def __init__(self) -> None:
        self._instances: dict[str, Instance] = {}

    @override
    async def handle(self, service: str, request: httpx.Request) -> httpx.Response:
        instance = self._instances.setdefault(service, Instance(MOCK_SERVICES[service]()))
        method, path = request.method, request.url.path
        endpoint, params = instance.routes.find(method, path)
        headers = [(header.lower(), value) for header, value in request.headers.raw]
        return _to_httpx_response(
            endpoint.handle(Request(method, path, request.url.query, headers, params, request.content))
        )

    @override
    def build_error(self, service: str, status: int, detail: str) -> httpx.Response:
        return _to_httpx_response(Problem(status, detail).to_response())

    @override
    async def list_effects(self, keys: Collection[str]) -> Sequence[str]:
        return [key for state in self._states.values() for key in _list_keys_in_effect(state)]

    @override
    async def measure(self) -> Mapping[tuple[str, str], object]:
        return {
            (service, name): dict(cast("Mapping[str, object]", amounts))
            for service, state in {**_SEEDS, **self._states}.items()
            for name, amounts in state.items()
            if isinstance(amounts, dict)
        }

    @property
    def _states(self) -> Mapping[str, _State]:
        return {name: instance.service.state() for name, instance in self._instances.items()}


def _to_httpx_response(response: Response) -> httpx.Response:
    return httpx.Response(response.status, headers=[*response.headers], content=response.body)


def _list_keys_in_effect(state: _State) -> Iterator[str]:
    for records in state.values():
        if isinstance(records, list):
            for record in cast("list[Mapping[str, str]]", records):
                if record.get("status") not in _UNDONE_STATUSES:
                    yield record["key"]


_CHECKOUT, _ORDERS, _FEED, _TRANSFERS, _PURCHASES = PIPELINES

SHIPPED: Final = Subject(
    "shipped",
    SERVICES,
    PIPELINES,
    samples=(
        Sample(_CHECKOUT, body=_ORDER),
        Sample(_ORDERS, body=_ORDER),
        Sample(_FEED, path={"user_id": _USER}),
        Sample(_TRANSFERS, body=_TRANSFER),
        Sample(
            _PURCHASES,
            body=_PURCHASE,
            headers={"Authorization": f"Bearer {_TOKEN}"},
            arguments={"token": _TOKEN},
        ),
    ),
    create_stand_ins=_MockServices,
)
