"""Errors of the database layer; the text of each is a sentence for the log and for readiness.

::

    DatabaseError
    ├── DatabaseUnavailableError   down, locked, full, read-only or too slow: a later call may succeed
    ├── DatabaseCorruptError       the contents are damaged: an operator must act
    ├── DatabaseRefusedError       the gateway must not start with this database
    └── DatabaseStatementError     the statement is at fault: a bug in the gateway, not trouble there

No text contains a password or the values of a statement.
"""

from typing import final

__all__ = (
    "DatabaseCorruptError",
    "DatabaseError",
    "DatabaseRefusedError",
    "DatabaseStatementError",
    "DatabaseUnavailableError",
)


class DatabaseError(Exception):
    """Base of all errors of this package."""


class DatabaseUnavailableError(DatabaseError):
    """The database cannot serve at the moment; the text has the reason.

    The statement may have been executed, or may still be.
    """


@final
class DatabaseCorruptError(DatabaseError):
    """The contents of the database are damaged.

    Each later call tries again, but damaged contents are never repaired or replaced.
    """


@final
class DatabaseRefusedError(DatabaseError):
    """The gateway must not start with this database; the text names the reason and the remedy."""


@final
class DatabaseStatementError(DatabaseError):
    """The database refused the statement, for example because of a constraint; it has changed nothing."""
