"""Requests for the load tests and their expected responses; only `locustfile.py` imports locust.

- `case`: one kind of request with its expected response
- `comparison`: differences between a response and the expected one
- `order_budget`: how many orders can be placed
- `problems`: expected problems (RFC 9457), and the cases that end in one
- `seeds`: seed data of the mock services, as the gateway returns it
- `checkout`, `feed`, `orders`, `purchases`, `transfers`: the cases of each pipeline
"""
