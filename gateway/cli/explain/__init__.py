"""`gateway explain`: what a pipeline does, how long it takes, and which calls make it take so long.

`options` is what was asked, `measuring` finds out how long calls take, `report` and `data` say it all in a
table or in JSON, and `command` is all of it.
"""
