"""`gateway demo`: every scenario of a checkout, played for real and held against what the contract says.

`scenarios` says what is played and what must come of it, as `answer` and `outcome` put it; `mocks` and
`broken` are the services behind the gateway, `runner` plays, `report` prints, and `command` is all of it.
"""
