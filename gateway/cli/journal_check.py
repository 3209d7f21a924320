"""Check of the journal before a gateway accepts requests."""

from gateway.executions.database.errors import DatabaseError, DatabaseUnavailableError
from gateway.executions.store import ExecutionStore
from gateway.settings import PREFIX

__all__ = ("find_journal_refusal",)


async def find_journal_refusal(journal: ExecutionStore | None) -> str | None:
    """Open *journal*, and return the reason if the gateway must not start with it.

    A database that is down is no reason: the gateway opens it once it is up. Without a pipeline that writes
    there is no journal, and nothing is opened.
    """
    if journal is None:
        return None
    try:
        await journal.open()
    except DatabaseUnavailableError:
        return None
    except DatabaseError as error:
        return f"cannot use the journal ({PREFIX}JOURNAL_URL): {error}"
    return None
