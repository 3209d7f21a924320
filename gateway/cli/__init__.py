"""Command line: a module or folder for each command, and shared modules."""
