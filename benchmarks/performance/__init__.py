"""CPU and latency of the gateway and its peers, measured side by side in one run.

    scripts/bench --help

A peer is a server that answers `POST /checkout`, see `benchmarks/peers`. Each scenario is a kind of load;
each of its rounds measures all peers, one after the other, in changing order. So slow changes of the machine
affect all peers alike, and ratios are calculated within a round.

- `scenarios`, `peers`: the loads, and the servers
- `installation`: the packages of npm, and the programs that must be present
- `upstream`: the services behind the peers, a program
- `load`, `wrk.lua`: the load generator, and its report
- `process`, `bench`: processes on their cores, and the run
- `measurements`: figures of all runs, with median and spread
- `targets`: the goals of the gateway, and the values reached
- `chart`, `machine`, `page`: docs/performance.svg and docs/performance.md
"""
