"""The `gateway` command: argument parsing and messages."""
