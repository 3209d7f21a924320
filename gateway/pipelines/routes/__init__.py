"""HTTP routes of the shipped pipelines."""
