"""Outbound policies: deadline, retries with a budget, circuit breakers, concurrency limit.

- `policies`: the policies of a service, which begin the `attempts` of a call.
- `guards`: the circuit breakers and the retry budget of an operation (`circuit_breaker`, `host_breaker`,
  `retry_budget`).
- `concurrency_limit`, `deadline`, `timer_wheel`: slots and times of attempts.
- `terms`: the settings of all of them.
"""
