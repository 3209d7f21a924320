"""The HTTP interface of the gateway.

The modules, in the order in which a request passes them:

- `application`     the FastAPI application: routes, middleware, exception handlers, OpenAPI document
- `middleware`      request id, unhandled errors, HEAD and OPTIONS (with `allowed_methods`); CORS is in `cors`
- `pipeline_route`  the route of a pipeline: read and validate the request, run the pipeline, respond
- `admission`       load shedding and rate limiting of requests for pipelines
- `headers`         parsing of the request headers that the gateway reads
- `idempotency`     idempotency keys, and responses that are stored for them
- `problems`        failures and exceptions as RFC 9457 problems

The other modules: `endpoints` (health, problem types, pipelines, executions), `openapi` (the OpenAPI document
and /docs), `request_scope` (id and path of a request) and `state` (the state that the routes share).
"""
