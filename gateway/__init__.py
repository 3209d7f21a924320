"""A fan-out gateway: one request becomes staged, parallel service calls; every failure an exact HTTP answer.

The map, in the order in which a request travels:

- `server`         the process: uvicorn server, HTTP protocol, listening socket, graceful shutdown
- `api`            HTTP in and out: admission, pipeline routes, idempotency keys, problems, OpenAPI, health
- `pipelines`      the shipped pipelines, one screen each
- `railway`        results, errors, calls, writes, stages and commits; the standard library only
- `services`       the shipped services, one module each
- `client`         HTTP to one service
- `resilience`     policies for the calls to a service: deadline, retries, circuit breaker, concurrency limit
- `http1`          the HTTP/1.1 transport that sends the calls; depends on nothing else here

Beside them: `executions` (runs that outlive their request), `plan` (the calls of a pipeline, from a dry run),
`observability` (traces), `settings` with `service_links`, `cli` (the `gateway` command) and `app`, which puts
everything together.

The names below are the public API for a gateway with services and pipelines of its own; the vocabulary of
pipelines (`railway`, `Run`, `Call`, the errors) is in `gateway.railway`. Each name is imported when it is
first used, so that `import gateway.railway` loads the standard library only.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.api.application import Gateway
    from gateway.api.pipeline_route.commit_request import CommitRequest
    from gateway.api.pipeline_route.models import Id, RequestBody, ResponseBody, null_fields
    from gateway.api.pipeline_route.registration import RegistrationError, Route
    from gateway.api.pipeline_route.request import PipelineRequest
    from gateway.app import create_app
    from gateway.client.answers.leniency import OrNone, Text, unknown
    from gateway.client.chunks import Chunks
    from gateway.client.models import UpstreamRequest, UpstreamResponse, example
    from gateway.client.operations.compensation import RequestParts
    from gateway.client.operations.endpoint import NO_CONTENT
    from gateway.client.operations.read_operation import ReadOperation
    from gateway.client.operations.write_operation import WriteOperation
    from gateway.client.service import Service
    from gateway.client.service_client import ServiceClient
    from gateway.resilience.terms import BreakerTerms, RetryTerms
    from gateway.settings import Settings, load_settings
else:

    def __getattr__(name: str) -> object:
        """Import a public name when it is first used (PEP 562)."""
        if name not in _MODULES:
            msg = f"module {__name__!r} has no attribute {name!r}"
            raise AttributeError(msg)
        value = getattr(import_module(_MODULES[name]), name)
        globals()[name] = value
        return value


__all__ = (
    "NO_CONTENT",
    "BreakerTerms",
    "Chunks",
    "CommitRequest",
    "Gateway",
    "Id",
    "OrNone",
    "PipelineRequest",
    "ReadOperation",
    "RegistrationError",
    "RequestBody",
    "RequestParts",
    "ResponseBody",
    "RetryTerms",
    "Route",
    "Service",
    "ServiceClient",
    "Settings",
    "Text",
    "UpstreamRequest",
    "UpstreamResponse",
    "WriteOperation",
    "create_app",
    "example",
    "load_settings",
    "null_fields",
    "unknown",
)

_MODULES = {
    "NO_CONTENT": "gateway.client.operations.endpoint",
    "Chunks": "gateway.client.chunks",
    "CommitRequest": "gateway.api.pipeline_route.commit_request",
    "BreakerTerms": "gateway.resilience.terms",
    "Gateway": "gateway.api.application",
    "Id": "gateway.api.pipeline_route.models",
    "OrNone": "gateway.client.answers.leniency",
    "PipelineRequest": "gateway.api.pipeline_route.request",
    "ReadOperation": "gateway.client.operations.read_operation",
    "RegistrationError": "gateway.api.pipeline_route.registration",
    "RequestBody": "gateway.api.pipeline_route.models",
    "RequestParts": "gateway.client.operations.compensation",
    "ResponseBody": "gateway.api.pipeline_route.models",
    "RetryTerms": "gateway.resilience.terms",
    "Route": "gateway.api.pipeline_route.registration",
    "Service": "gateway.client.service",
    "ServiceClient": "gateway.client.service_client",
    "Settings": "gateway.settings",
    "Text": "gateway.client.answers.leniency",
    "UpstreamRequest": "gateway.client.models",
    "UpstreamResponse": "gateway.client.models",
    "WriteOperation": "gateway.client.operations.write_operation",
    "create_app": "gateway.app",
    "example": "gateway.client.models",
    "load_settings": "gateway.settings",
    "null_fields": "gateway.api.pipeline_route.models",
    "unknown": "gateway.client.answers.leniency",
}
"""The module of each public name."""
