"""Endpoints beside the pipelines: health, problem types, pipelines, executions."""
