"""`gateway demo`: every scenario, played for real and held against what the contract says.

`scenario` says what one is, `checkout` has those of that pipeline and `scenarios` all there are; `answer` is
what the gateway says, `outcome` what came of a scenario. `mocks` and `broken` are the services behind the
gateway, `runner` plays, `report` prints, and `command` is all of it.
"""
