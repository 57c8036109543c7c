"""Recognises a pooler that lends its backends by transaction, where no session lock holds.

A pooler makes up the process id that it tells its clients, so a backend that calls
itself differently sits behind one. Whether it lends by transaction shows when a second
client is served by our own backend, or we are served by another one while it is busy.
"""

from __future__ import annotations

from contextlib import closing

import psycopg

from todo_sql.errors import TodoSqlError
from todo_sql.migrations.connecting import MigrationLink, ask
from todo_sql.migrations.migration_errors import TargetRefused
from todo_sql.wire.flight import FlightCommand

_PATIENCE = 2.0  # seconds for the pooler to serve a second client


def refuse(link: MigrationLink) -> None:
    """Refuse a transaction-mode pooler; a direct connection costs nothing here.

    Raises:
        TargetRefused: With what to do instead.
    """
    if link.connection.info.backend_pid == link.target.backend:
        return
    if _lends_by_transaction(link):
        raise TargetRefused(
            f"{link.target.database} is reached through a pooler in transaction mode",
            code="M506",
            cause="the migration lock and the settings of a session do not hold there; "
            "nothing was changed",
            fix="set TODO_SQL_DIRECT_URL to the server itself, or to a pool in session mode",
        )


def _lends_by_transaction(link: MigrationLink) -> bool:
    try:
        other = link.second_connection()
    except (TodoSqlError, psycopg.Error):
        return False  # the pooler serves no second client while we are here: a session pool
    with closing(other):
        rows = ask(other, "begin; select pg_catalog.pg_backend_pid()", _PATIENCE)
        if not rows:
            return False
        backend = str(link.target.backend)
        if rows[0][0] == backend:
            return True
        ours = link.fly([FlightCommand("select pg_catalog.pg_backend_pid()")])[0].rows[0][0]
        return ours != backend
