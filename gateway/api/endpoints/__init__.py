"""Endpoints other than pipelines: health, problem types, pipelines, executions."""
