"""HTTP in, HTTP out.

The map, in the order in which a request travels:

- `application`     the FastAPI application: routes, middleware, exception handlers, OpenAPI document
- `middleware`      request id, unhandled errors, HEAD and OPTIONS (with `allowed_methods`)
- `pipeline_route`  the route of a pipeline: read and validate the request, run the pipeline, respond
- `admission`       load shedding and rate limiting of requests for pipelines
- `headers`         the request headers that the gateway reads
- `idempotency`     idempotency keys, and responses that are stored for them
- `problems`        failures and exceptions as RFC 9457 problems

Beside them: `endpoints` (health, problem types, pipelines, executions), `openapi` (the OpenAPI document and
/docs), `request_scope` (id and path of a request) and `state` (what the routes of one gateway share).
"""
