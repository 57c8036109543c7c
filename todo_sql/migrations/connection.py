"""The one connection of a run: opened with patience, described, and locked."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from typing import Any, Self

import psycopg
from psycopg.conninfo import conninfo_to_dict

from todo_sql.errors import ConfigError, DatabaseError
from todo_sql.migrations import ledger as ledger_of
from todo_sql.migrations import target as target_of
from todo_sql.migrations.errors import LockNotHeld
from todo_sql.migrations.flight import Answer, Command, Flight
from todo_sql.migrations.ledger import Ledger
from todo_sql.migrations.lock import MigrationLock
from todo_sql.migrations.progress import Events
from todo_sql.migrations.target import Target

_APPLICATION = "todo-sql migrate"
_CONNECT_TIMEOUT = 10
LOCK_WAIT = 600.0  # seconds to wait for another migrator where `--wait` says nothing

# The server is not there yet, as opposed to: it is there and refuses us.
_NOT_YET = {"57P03", "53300", "57P01", "57P02"}


class Link:
    """A connection with the target and the ledger that it was opened on.

    Attributes:
        target: The database.
        ledger: The ledger when it was last read.
        lock: The migration lock of this ledger; see `take_lock`.
    """

    def __init__(self, connection: psycopg.Connection[Any], target: Target, ledger: Ledger) -> None:
        self.connection = connection
        self.target = target
        self.ledger = ledger
        self.lock = MigrationLock.of(target)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def fly(
        self, commands: Sequence[Command], watch: Callable[[Flight], None] | None = None
    ) -> list[Answer]:
        """Send commands, read their answers, and raise the first error."""
        answers = Flight(self.connection, commands, watch).fly()
        for answer in answers:
            if answer.error:
                raise answer.error
        return answers

    def roll_back(self) -> None:
        """End a failed transaction."""
        self.fly([Command("rollback")])

    def take_lock(self, wait: float | None, events: Events) -> None:
        """Take the migration lock and read the ledger again.

        Args:
            wait: Longest time in seconds; default: `LOCK_WAIT`.
            events: Is told who holds the lock.

        Raises:
            LockNotHeld: Somebody else held it all the time.
        """
        deadline = time.monotonic() + (LOCK_WAIT if wait is None else wait)
        pause = 0.05
        while True:
            commands = [*self.lock.take(), *ledger_of.read_commands(self._schema)]
            answers = Flight(self.connection, commands).fly()
            held, holder = self.lock.taken(answers[:2])
            if held:
                self.ledger = ledger_of.read(answers[2:])
                return
            if time.monotonic() >= deadline:
                raise LockNotHeld(
                    f"another migrator holds the lock of {self.target.database}: {holder}",
                    code="M311",
                    cause="nothing was changed",
                    fix="wait for it, give more time with `--wait SECONDS`, or end it with "
                    f"`select pg_terminate_backend({holder.pid if holder else 'pid'})`",
                )
            if holder and pause > 0.2:
                events.waiting(f"another migrator holds the lock: {holder}")
            time.sleep(pause * random.uniform(0.7, 1.3))
            pause = min(pause * 1.5, 1.0)

    @property
    def _schema(self) -> str:
        return self.target.schema


def open_link(
    url: str, *, writes: bool, wait: float | None = None, events: Events | None = None
) -> Link:
    """Connect, describe the target and read the ledger: one round trip after connecting.

    Args:
        url: A PostgreSQL URL or conninfo.
        writes: Whether the run will change anything; if not, every transaction is read-only.
        wait: How long to wait for a server that is not there yet, in seconds.
        events: Is told what is waited for.

    Raises:
        DatabaseError: No connection could be made.
        TargetRefused: The target is none for migrations.
        LedgerError: The ledger cannot be read.
    """
    connection = connect(url, wait=wait, events=events or Events())
    try:
        first = () if writes else (Command("set default_transaction_read_only = on", sync=True),)
        reading = (*target_of.COMMANDS, *ledger_of.read_commands())
        answers = Flight(connection, (*first, *reading)).fly()[len(first) :]
        facts = len(target_of.COMMANDS)
        target = target_of.read(answers[:facts], writes=writes)
        return Link(connection, target, ledger_of.read(answers[facts:]))
    except BaseException:
        connection.close()
        raise


def connect(url: str, *, wait: float | None, events: Events) -> psycopg.Connection[Any]:
    """Return a connection in autocommit, waiting for a server that is not there yet."""
    try:
        given = conninfo_to_dict(url)
    except psycopg.ProgrammingError as error:
        raise ConfigError(
            f"the database URL cannot be read: {str(error).strip()}",
            fix="write it like postgresql://user:password@host:5432/database",
        ) from None
    options: dict[str, Any] = {"client_encoding": "utf8"}
    if "connect_timeout" not in given:
        options["connect_timeout"] = _CONNECT_TIMEOUT
    if "application_name" not in given:
        options["application_name"] = _APPLICATION
    deadline = time.monotonic() + (wait or 0)
    pause = 0.1
    while True:
        try:
            connection = psycopg.connect(url, autocommit=True, prepare_threshold=None, **options)
        except psycopg.OperationalError as error:
            left = deadline - time.monotonic()
            if left <= 0 or not _may_come(error):
                raise refused(error) from None
            events.waiting(_reason(error))
            time.sleep(min(pause, max(left, 0)))
            pause = min(pause * 1.5, 2.0)
        else:
            return connection


def _may_come(error: psycopg.OperationalError) -> bool:
    words = str(error)
    final = ("authentication failed", "does not exist", "no pg_hba.conf entry", "no password")
    return error.sqlstate in _NOT_YET or not any(word in words for word in final)


def _reason(error: psycopg.Error) -> str:
    lines = [line for line in str(error).strip().splitlines() if line.strip()]
    return lines[-1].strip() if lines else "no answer"


def refused(error: psycopg.OperationalError) -> DatabaseError:
    """Return the error for a connection that could not be made."""
    reason = _reason(error)
    words = str(error)
    if "password" in words or "authentication" in words:
        fix = "check user and password of the URL"
    elif "does not exist" in words:
        fix = "create the database, or correct the URL"
    elif _may_come(error):
        fix = "start the server or correct the URL; `--wait SECONDS` waits for one that is starting"
    else:
        fix = "correct the URL or the server's settings"
    return DatabaseError(
        f"no connection to the database: {reason}", sqlstate=error.sqlstate, code="M510", fix=fix
    )
