"""`gateway demo`: every scenario, played on real services and held against what the contract says.

`scenario` says what one is; `checkout`, `orders`, `feed`, `transfers` and `purchases` have those of their
pipeline, `keys` those of the Idempotency-Key, and `scenarios` all there are. `answer` is what the gateway
says, `like` what is due where nobody can know a value, `outcome` what came of a scenario. `mocks` are the
services behind the gateway, `runner` plays, `report` prints, and `command` is all of it.
"""
