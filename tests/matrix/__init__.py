"""The failure matrix: every way in which the calls of a pipeline can fail, alone and two at a time.

`discovery` runs the pipelines to find what they call, when, and how each call may be refused. Each cell of
the matrix is an HTTP request to the whole gateway, with faults in place of the network (`faulty_services`).
The outcome is compared with a model of a few rules (`expected_answers`) and with what must hold in every cell
(`invariants`).

`python -m tests.matrix` writes `docs/failures.md`, which shows it all.
"""
