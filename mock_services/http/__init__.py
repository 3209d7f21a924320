"""HTTP for the mock services: server, connection, request, response, endpoints and idempotency keys."""
