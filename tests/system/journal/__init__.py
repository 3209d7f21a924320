"""The journal of a gateway in real processes, with its database in trouble."""
