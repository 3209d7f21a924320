"""Stateful mock services for the gateway, with seed data, latency, injected faults and a call log.

The path of a request: `http.server` (sockets) -> `app` (latency, faults, call log) -> `http.connection` ->
`http.endpoints` (routing) -> a module of `services`, and back as an `http.response`.

- `catalogue`: the services and their ports
- `control`: health check, call log, state, reset and faults, for tests
- `instance`: the state of a service between two resets; `write_log` persists its writes in a file
- `http.idempotency`: each Idempotency-Key takes effect at most once
- `values`: field types of requests and responses
"""
