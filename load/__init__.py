"""Requests for the load tests and their expected responses; only `locustfile.py` imports locust.

- `case`: a kind of request with its expected response
- `comparison`: differences between the received and the expected response
- `order_budget`: number of orders that can still be placed
- `problems`: expected problems (RFC 9457), and functions that build the cases that end in a problem
- `seeds`: seed data of the mock services, request bodies that refer to it, and the expected responses
- `checkout`, `feed`, `orders`, `purchases`, `transfers`: the cases of each pipeline
"""
