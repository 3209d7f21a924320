"""The command line: one module or folder per command, and what several commands share."""
