"""Commits from outside their runs: what is known of each, who may wait for it, and what is left to undo."""
