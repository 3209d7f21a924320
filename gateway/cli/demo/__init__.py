"""`gateway demo`: runs scenarios against mock services, and compares each outcome with the expected one.

A `scenario` is a request with its `expected` answer, the calls made for it, and the changes it leaves in the
services; `matchers` stand for values that differ from run to run. `scenarios` has a module for each pipeline.
The `runner` plays the scenarios against the `mocks`, an `outcome` lists the differences, and `report` prints
them.
"""
