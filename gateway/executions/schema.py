"""Tables of the journal, as numbered migrations."""

from collections.abc import Sequence

from gateway.executions.database.terms import Dialect

__all__ = ("build_migrations",)


def build_migrations(dialect: Dialect) -> Sequence[Sequence[str]]:
    """Return the migrations in *dialect*; a released migration never changes.

    Times are in seconds since 1970, by the clock of the database. The names of the tables have a prefix: in
    PostgreSQL they may share a schema with tables of others.

    - `gateway_executions` has a row for each execution. Its *owner* is the process that runs or undoes it,
      *attempt* counts the runs with the same idempotency key, *writes* is JSON, and *size* is about what the
      row takes, in bytes. *fingerprint* and *answer* are null if no request can repeat the execution.
    - `gateway_owners` has the processes, with the time at which each was last seen alive.
    - `gateway_secrets` has the secrets from which the apps derive execution ids.
    """
    text, integer, real, blob = "text", dialect.integer, dialect.real, dialect.blob
    return [
        [
            f"""create table gateway_executions (
                number {dialect.auto_key},
                app {text} not null,
                execution_id {text} not null,
                pipeline {text} not null,
                attempt {integer} not null,
                state {text} not null,
                owner {text} not null,
                caller {text} not null,
                fingerprint {blob},
                writes {text} not null,
                answer {blob},
                size {integer} not null,
                started_at {real} not null,
                ended_at {real},
                unique (app, execution_id)
            )""",
            "create index gateway_executions_size on gateway_executions (app, caller, size)",
            "create index gateway_executions_state on gateway_executions (app, state, number)",
            """create index gateway_executions_ended on gateway_executions (app, ended_at)
                where state <> 'stuck'""",
            f"""create table gateway_owners (
                app {text} not null,
                owner {text} not null,
                seen_at {real} not null,
                primary key (app, owner)
            )""",
            f"create table gateway_secrets (name {text} primary key, value {blob} not null)",
        ]
    ]
