"""The one connection of a run: opened with patience, described, and locked."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any, Self

import psycopg
from psycopg import pq
from psycopg.abc import PQGen
from psycopg.waiting import wait

from todo_sql.errors import DatabaseError, TodoSqlError
from todo_sql.migrations import ledger as ledger_of
from todo_sql.migrations import target as target_of
from todo_sql.migrations import vetting
from todo_sql.migrations.files.from_outside import Settings
from todo_sql.migrations.ledger import Ledger
from todo_sql.migrations.lock import MigrationLock, held_by_another
from todo_sql.migrations.migration_errors import TargetRefused
from todo_sql.migrations.progress import Events
from todo_sql.migrations.surroundings import steady
from todo_sql.migrations.target import Target
from todo_sql.sql.trust import SAFE_LOCALLY
from todo_sql.wire.connect_errors import explain
from todo_sql.wire.flight import Flight, FlightCommand, Reply, rows_of
from todo_sql.wire.pipeline import next_result
from todo_sql.wire.url import DatabaseUrl

_READ_WRITE = (FlightCommand("begin read write"), FlightCommand(SAFE_LOCALLY))
_APPLICATION = "todo-sql migrate"
_CONNECT_TIMEOUT = 10
_SECOND_CLIENT = 2.0  # seconds for a pooler to serve a second client
LOCK_WAIT = 600.0  # seconds to wait for another migrator where `--wait` says nothing

# Codes of refusals that may pass: no server there (yet), no free connection; and D100
# where the server has given no reason, since it hung up.
_MAY_COME = {"D101", "D105"}


@dataclass(eq=False, repr=False)  # the URL may hold a password
class MigrationLink:
    """A connection with the target and the ledger that it was opened on.

    Attributes:
        lock: The migration lock of this ledger; see `take_lock`.
        settings: The values from outside, for a run that changes something.
        warned: Whether it was said that there is no second connection to watch from.
        unsettled: Whether a crash of the server could still undo what was committed here.
    """

    url: str
    connection: psycopg.Connection[Any]
    target: Target
    ledger: Ledger
    warned: bool = False
    unsettled: bool = False

    def __post_init__(self) -> None:
        self.lock = MigrationLock.of(self.target)
        self.settings = Settings()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def fly(
        self, commands: Sequence[FlightCommand], watch: Callable[[Flight], None] | None = None
    ) -> list[Reply]:
        """Send commands, read their answers, and raise the first error."""
        answers = Flight(self.connection, commands, watch).fly()
        for answer in answers:
            if answer.error:
                raise answer.error
        return answers

    def second_connection(self) -> psycopg.Connection[Any]:
        """Open a connection beside this one; see `ask`."""
        return connect(self.url, wait=None, events=Events(), timeout=2)

    def takes(self, sql: str) -> bool:
        """Tell whether the server's grammar takes a statement; nothing is run."""
        prepared = self.connection.pgconn.prepare(b"", sql.encode())
        return prepared.error_field(pq.DiagnosticField.SQLSTATE) != b"42601"

    def roll_back(self) -> None:
        """End a failed transaction."""
        self.fly([FlightCommand("rollback")])

    def settle(self, commands: Sequence[FlightCommand]) -> None:
        """Have the disk hold what was committed without waiting for it, unless it is known to."""
        if not self.unsettled or self.connection.closed:
            return
        whole = [*_READ_WRITE, *commands, FlightCommand("commit")]
        with suppress(psycopg.Error):  # the server itself sees to it within a second
            self.unsettled = any(answer.error for answer in Flight(self.connection, whole).fly())
            if self.unsettled:
                self.roll_back()

    def take_lock(self, wait: float | None, events: Events) -> None:
        """Set aside what is overridden, take the migration lock and read the ledger again."""
        if self.target.overridden:
            self.fly([FlightCommand(text) for text in steady(self.target.overridden)])
        deadline = time.monotonic() + (LOCK_WAIT if wait is None else wait)
        pause = 0.05
        while True:
            taking = self.lock.take()
            commands = [*taking, *ledger_of.read_commands(self.target.schema)]
            answers = Flight(self.connection, commands).fly()
            held, holder = self.lock.taken(answers[: len(taking)])
            if held:
                self.ledger = ledger_of.read(answers[len(taking) :])
                return
            if time.monotonic() >= deadline:
                raise held_by_another(holder, self.target)
            if holder and pause > 0.2:
                events.waiting(f"another migrator holds the lock: {holder}")
            time.sleep(pause * random.uniform(0.7, 1.3))
            pause = min(pause * 1.5, 1.0)


def open_link(
    url: str,
    *,
    writes: bool,
    ledger: str | None = None,
    wait: float | None = None,
    events: Events | None = None,
) -> MigrationLink:
    """Connect, describe the target and read the ledger: one round trip after connecting.

    Before `MigrationLink.take_lock` nothing is set in a session that may be others'; see `setting`.

    Args:
        writes: Whether the run will change anything; if not, every transaction is read-only.
        ledger: The schema of the ledger; default: where there is one, else the search path's first.
        wait: How long to wait for a server that is not there yet, in seconds.

    Raises:
        DatabaseError: No connection could be made.
        TargetRefused: The target is none for migrations.
        LedgerError: The ledger cannot be read, or `writes` and it is somebody else's.
    """
    connection = connect(url, wait=wait, events=events or Events())
    try:
        read_only = setting(connection, "default_transaction_read_only", "on")
        first = () if writes else (FlightCommand(read_only, sync=True),)
        describing = target_of.commands(ledger)
        reading = (*describing, *ledger_of.read_commands(ledger))
        answers = Flight(connection, (*first, *reading)).fly()[len(first) :]
        facts = len(describing)
        target = target_of.read(answers[:facts], writes=writes, said=ledger)
        if writes and target.untrusted:  # before its columns: those of others may be any
            raise vetting.refused(target.untrusted)
        return MigrationLink(url, connection, target, ledger_of.read(answers[facts:]))
    except BaseException:
        connection.close()
        raise


def setting(connection: psycopg.Connection[Any], name: str, value: str) -> str:
    """Return the statement that sets something in a session, unless a pooler lends it to us.

    It would be set for whoever gets that backend next. A pooler makes up the process id that it
    tells its clients.
    """
    return (
        f"select pg_catalog.set_config('{name}', '{value}', false) where "
        f"pg_catalog.pg_backend_pid() operator(pg_catalog.=) {connection.info.backend_pid}"
    )


def connect(
    url: str, *, wait: float | None, events: Events, timeout: int = _CONNECT_TIMEOUT
) -> psycopg.Connection[Any]:
    """Return a connection in autocommit, waiting for a server that is not there yet."""
    target = DatabaseUrl.parse(url)
    if target.is_neon_pooler:
        target = target.direct()
        events.note(f"bypassing the pooler: migrating through {target.shown}")
    defaults = {"connect_timeout": timeout, "application_name": _APPLICATION}
    options: dict[str, Any] = {k: v for k, v in defaults.items() if k not in target.parameters}
    options["client_encoding"] = "utf8"
    deadline = time.monotonic() + (wait or 0)
    pause = 0.1
    while True:
        try:
            return psycopg.connect(target.text, autocommit=True, prepare_threshold=None, **options)
        except psycopg.OperationalError as error:
            refused, left = explain(error, target), deadline - time.monotonic()
            code = refused.finding.code
            silent = code == DatabaseError.code and refused.sqlstate is None
            if left <= 0 or not (code in _MAY_COME or silent):
                raise refused from None
            events.waiting(refused.finding.message)
            time.sleep(min(pause, left))
            pause = min(pause * 1.5, 2.0)


def ask(
    connection: psycopg.Connection[Any], sql: str, seconds: float
) -> list[tuple[str | None, ...]] | None:
    """Return the rows of a query, or None if no answer comes in time or an error does.

    A pooler may let a query wait for minutes; after a wait in vain the connection is closed.
    """
    pgconn = connection.pgconn
    pgconn.send_query(sql.encode())

    def late() -> None:
        raise TimeoutError

    def read() -> PQGen[list[tuple[str | None, ...]] | None]:
        rows: list[tuple[str | None, ...]] | None = None
        while (result := (yield from next_result(pgconn, late))) is not None:
            if result.status == pq.ExecStatus.TUPLES_OK:
                rows = rows_of(result)
        return rows

    try:
        return wait(read(), pgconn.socket, seconds)
    except TimeoutError:
        connection.close()
        return None


def refuse_pooler(link: MigrationLink) -> None:
    """Refuse a transaction-mode pooler, where no session lock holds; a direct one costs nothing.

    A pooler makes up the process id that it tells its clients, so a backend that calls
    itself differently sits behind one. Whether it lends by transaction shows when a second
    client is served by our own backend, or we are served by another one while it is busy.
    """
    direct = link.connection.info.backend_pid == link.target.backend
    if not direct and _lends_by_transaction(link):
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
        rows = ask(other, "begin; select pg_catalog.pg_backend_pid()", _SECOND_CLIENT)
        if not rows:
            return False
        backend = str(link.target.backend)
        if rows[0][0] == backend:
            return True
        ours = link.fly([FlightCommand("select pg_catalog.pg_backend_pid()")])[0].rows[0][0]
        return ours != backend
