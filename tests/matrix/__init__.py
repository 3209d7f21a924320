"""The failure matrix: every way in which the calls of a pipeline can fail, alone and two at a time.

What is called, when, and how it may be refused is found out by running the pipelines (`discovery`). Each cell
is an HTTP request through the whole gateway, with faults where the network would be (`services`), and its answer
is held to a model of a few rules (`model`). `python -m tests.matrix` writes the page that shows it all.
"""
