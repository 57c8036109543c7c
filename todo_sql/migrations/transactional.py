"""Runs a file as one transaction, with its ledger rows, in one flight.

The transaction opens with our settings and the proof that this backend holds the
migration lock; it ends with deferred constraints, with the session's state as it was,
and with the rows of the ledger. A lock that cannot be had is tried for again: the
transaction gives way to traffic in between.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import psycopg

from todo_sql.migrations import explain
from todo_sql.migrations.connection import Link
from todo_sql.migrations.errors import LockNotHeld
from todo_sql.migrations.files import Script
from todo_sql.migrations.flight import Command, Flight
from todo_sql.migrations.progress import Events
from todo_sql.migrations.target import CHECK_INTERVAL

LOCK_TIMEOUT = 2.0
MAX_LOCK_HOLD = 5.0
RETRY_FOR = 300.0  # seconds that a migration goes on trying for its locks
_BACKOFF = (0.5, 5.0)

# Roles are of the cluster, our lock is of the database: other databases may be migrated now.
_CLUSTER_CATALOGS = ("pg_authid", "pg_auth_members", "pg_shdepend", "pg_db_role_setting")

_RESET = (
    "set constraints all immediate",
    "reset session authorization",
    "reset role",
    "reset all",
    "discard temp",
    "unlisten *",
    "close all",
    "deallocate all",
)


def settings(script: Script, *, notices_death: bool) -> Command:
    """Return the command that sets, for one transaction, what a file runs under."""
    directives = script.directives
    lock_timeout = directives.lock_timeout or LOCK_TIMEOUT
    values = {"lock_timeout": f"{round(lock_timeout * 1000)}ms", "row_security": "off"}
    if directives.statement_timeout is not None:
        values["statement_timeout"] = f"{round(directives.statement_timeout * 1000)}ms"
    if notices_death:
        values[CHECK_INTERVAL] = "500ms"
    calls = (f"pg_catalog.set_config('{name}', '{value}', true)" for name, value in values.items())
    return Command("select " + ", ".join(calls))


def run(
    link: Link,
    script: Script,
    bookkeeping: Callable[[], list[Command]],
    events: Events,
    again: str,
) -> None:
    """Run a file and its bookkeeping in one transaction.

    Args:
        link: The connection, which holds the migration lock.
        script: The file.
        bookkeeping: Makes the commands that change the ledger.
        events: Is told what is at work and what is waited for.
        again: The command that one runs when the file is mended.

    Raises:
        MigrationFailed: A statement failed; the transaction was rolled back.
        LockNotHeld: This backend does not hold the migration lock.
        psycopg.OperationalError: The connection was lost; the ledger knows what happened.
    """
    deadline = time.monotonic() + RETRY_FOR
    pause = _BACKOFF[0]
    while True:
        error, number = _try(link, script, bookkeeping, events)
        if error is None:
            return
        if not _passing(error) or time.monotonic() + pause > deadline:
            state = "the transaction was rolled back, nothing changed"
            raise explain.failed(error, script, number, state, again)
        events.waiting(f"{error.diag.message_primary}; gives way, then tries again")
        time.sleep(pause * random.uniform(0.75, 1.25))
        pause = min(pause * 2, _BACKOFF[1])


def _try(
    link: Link, script: Script, bookkeeping: Callable[[], list[Command]], events: Events
) -> tuple[psycopg.Error | None, int | None]:
    """Try once; return the error and the number of its statement."""
    ours = settings(script, notices_death=link.target.notices_death)
    statements = script.statements
    commands = [
        Command("begin read write"),
        ours,
        link.lock.require(),
        *(Command(s.text, statement=number) for number, s in enumerate(statements)),
        *(Command(text) for text in _RESET),
        ours,
        *bookkeeping(),
        Command("commit"),
    ]
    proof = 2

    def watch(flight: Flight) -> None:
        command = flight.at_work
        number = command.statement if command else None
        events.at_work(None if number is None else statements[number], flight)

    flight = Flight(link.connection, commands, watch)
    answers = flight.fly()
    for index, answer in enumerate(answers):
        if answer.error is None:
            continue
        link.roll_back()
        if index == proof:
            raise LockNotHeld(
                "this session lost the migration lock",
                code="M312",
                cause="a pooler, a reconnect or an unlock came between; nothing changed",
                fix="connect to the server directly and run the command again",
            )
        return answer.error, commands[index].statement
    return None, None


def _passing(error: psycopg.Error) -> bool:
    """Tell whether another try may succeed where this one failed."""
    state, table = error.sqlstate, error.diag.table_name
    if state in ("55P03", "40P01", "40001"):
        return True
    if state == "23505" and error.diag.schema_name == "pg_catalog":
        return table in _CLUSTER_CATALOGS
    return state == "XX000" and "tuple concurrently" in str(error)
