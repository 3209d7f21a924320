"""Metrics of the edge of the gateway.

- `response_code`: the code of a response.
- `gateway_metrics`: admission, executions and their journal.
- `policy_metrics`: the policies for calls of services.
"""
