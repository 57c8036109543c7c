"""Recognises a pooler that lends its backends by transaction, where no session lock holds.

A pooler makes up the process id that it tells its clients, so a backend that calls
itself differently sits behind one. Whether it lends by transaction shows when a second
client is served by our own backend, or we are served by another one while it is busy.
"""

from __future__ import annotations

import select
import time
from typing import Any

import psycopg
from psycopg import pq

from todo_sql.migrations.connection import Link
from todo_sql.migrations.errors import TargetRefused
from todo_sql.migrations.flight import Command

_PATIENCE = 2.0  # seconds for the pooler to serve a second client


def refuse(link: Link) -> None:
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


def _lends_by_transaction(link: Link) -> bool:
    try:
        other = link.second_connection()
    except Exception:
        return False  # the pooler serves no second client while we are here: a session pool
    with other:
        theirs = _backend_in_transaction(other)
        if theirs is None:
            return False
        if theirs == link.target.backend:
            return True
        ours = link.fly([Command("select pg_catalog.pg_backend_pid()")])[0].rows[0][0]
        return ours != str(link.target.backend)


def _backend_in_transaction(connection: psycopg.Connection[Any]) -> int | None:
    """Begin a transaction and return who serves it, or None if nobody does for a while."""
    pgconn = connection.pgconn
    pgconn.send_query(b"begin; select pg_catalog.pg_backend_pid()")
    deadline = time.monotonic() + _PATIENCE
    backend = None
    while True:
        readable, _, _ = select.select([pgconn.socket], [], [], deadline - time.monotonic())
        if not readable:
            connection.close()
            return None
        pgconn.consume_input()
        while not pgconn.is_busy():
            result = pgconn.get_result()
            if result is None:
                return backend
            if result.status == pq.ExecStatus.TUPLES_OK:
                backend = int(result.get_value(0, 0) or b"0")
