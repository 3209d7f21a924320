"""Crash tests: kill gateways with SIGKILL during commits, and check services and answers afterwards.

    .venv/bin/python -m benchmarks.crashes storm --executions 250 --kills 50
    .venv/bin/python -m benchmarks.crashes points --journal postgresql --gateways 2
    .venv/bin/python -m benchmarks.crashes pauses --workload courier

Every program is a process of its own: the gateways, and the services behind them, which are not killed. Their
state is compared with the answers of the gateways and with `GET /executions`: the command prints counts and
the violations, and exits with 1 if there are any.

- `write_request`, `answer`, `client`: requests with an idempotency key, and clients that repeat them
- `seeded_random`: random choices, reproducible from a seed
- `gateways`, `journal`: the processes under test, and the database that they share
- `killable_gateway`: a gateway that kills or suspends itself at a named point
- `workload`, `shop`, `courier`, `courier_apis`: the services of the sample, and those of `examples/courier`
- `judge`: what must hold for the answers, the executions and the services
- `storm`, `points`, `pauses`: kills at random moments, kills at named points, suspended processes
- `report`: counts, figures and violations
"""
