"""The failure matrix: every way in which the calls of a pipeline can fail, alone and two at a time.

`discovery` runs the pipelines to find their stages, their calls and the statuses that each call declares. A
cell of the matrix is an HTTP request to the whole gateway, with faulty services in place of the network
(`faulty_services`). The result is compared with a model of a few rules (`expected_answers`), and checked
against the `invariants` of all cells.

A `subject` is an app with stand-ins for its services and a request for each of its pipelines. The matrix runs
on two: the shipped pipelines (`shipped_subject`), and the courier's gateway (`courier_subject`), in front of
APIs that were not designed for it.

`sockets` runs the cells with one fault once more by the gateway's own transport and by httpx's: as bytes on
connections, which faults cut off or refuse.

`python -m tests.matrix` writes `docs/failures.md`, which shows the expected results of the shipped pipelines.
"""
