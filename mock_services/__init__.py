"""The services behind the gateway, to run it against: stateful, seeded, with latency and faults."""
