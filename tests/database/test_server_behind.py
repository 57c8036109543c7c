"""A server that answers that another one, which it asked, is away: the advice is about that one.

A coordinator with Citus, a server of foreign tables and a pooler do so, over a connection that
stays. Here PostgreSQL raises what they raise.
"""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from support.migrations import migrator, write

from todo_sql import Database, DatabaseError, Unavailable
from todo_sql.migrations.migration_errors import MigrationFailed
from todo_sql.wire.connect_errors import explain

pytestmark = pytest.mark.database

REFUSED = "connection to the remote node app@node:5432 failed with the following error: "
BEHIND = [
    ("08000", 'could not connect to server "far"'),
    ("08001", "could not establish connection"),
    ("08003", 'connection "far" not available'),
    ("08006", f"{REFUSED}Connection refused"),
    ("08006", f'{REFUSED}FATAL: role "app" is not permitted to log in'),
    ("08006", f'{REFUSED}FATAL: no pg_hba.conf entry for host "10.0.0.1"'),
    ("08006", f'{REFUSED}FATAL: password authentication failed for user "app"'),
    ("08006", f'{REFUSED}FATAL: database "app" does not exist'),
    ("57P01", "terminating connection due to administrator command"),
    ("57P03", "the database system is starting up"),
    ("XX000", "SSL SYSCALL error: EOF detected"),
    ("XX000", "failure on connection marked as essential: node:5432"),
    ("XX000", "could not commit transaction for shard 102008 on at least one active node"),
    ("58030", "failed to complete COPY on node:5432"),
]
ITSELF = [
    ("08P01", "invalid message format"),
    ("53300", "too many connections"),
    ("42501", "permission denied"),
    ("XX000", "cache lookup failed for type 1"),
    ("58030", "could not read block 0 of relation"),
    ("57014", "canceling statement due to user request"),
]


def raising(sqlstate: str, message: str) -> str:
    """Return a statement that ends in an error."""
    said = message.replace("'", "''")
    return f"do $$ begin raise exception using errcode = '{sqlstate}', message = '{said}'; end $$"


def told(url: str, sqlstate: str, message: str, folder: Path) -> list[DatabaseError]:
    """Return the error of a command, of a migration and of a call."""
    statement = raising(sqlstate, message)
    with psycopg.connect(url, autocommit=True) as connection:
        with pytest.raises(psycopg.Error) as caught:
            connection.execute(statement.encode())
        assert not connection.closed
    write(folder, "20260101000000_fails", f"{statement};")
    with pytest.raises(MigrationFailed) as failed:
        migrator(url, folder).migrate()
    with Database.connect(url) as db, pytest.raises(DatabaseError) as called:
        db.session().sql(statement)
    return [explain(caught.value), failed.value, called.value]


@pytest.mark.parametrize(("sqlstate", "message"), BEHIND)
def test_the_other_server_is_to_be_started(
    empty_database: str, tmp_path: Path, sqlstate: str, message: str
) -> None:
    """Not the URL, nor the migration: both are right."""
    errors = told(empty_database, sqlstate, message, tmp_path)
    assert [error.finding.code for error in errors] == ["D107", "M301", "D221"]
    assert isinstance(errors[2], Unavailable)
    for error in errors:
        shown = str(error.finding)
        assert "start the other server" in (error.finding.fix or ""), shown
        assert message.rpartition(": ")[2] in shown
        assert error.sqlstate == sqlstate


@pytest.mark.parametrize(("sqlstate", "message"), ITSELF)
def test_what_is_its_own(empty_database: str, tmp_path: Path, sqlstate: str, message: str) -> None:
    """Of any other error no other server is blamed."""
    for error in told(empty_database, sqlstate, message, tmp_path):
        assert error.finding.code not in ("D107", "D221")
        assert "other server" not in str(error.finding)
