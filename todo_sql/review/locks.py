"""Runs the statements of a migration and observes what each does to objects in use.

In a transaction, locks stay until the end: what a statement took is what is held after it
and was not before. What commits by itself (CONCURRENTLY, VACUUM) is observed from beside:
sessions that read and write its tables make it wait, so that each lock that it takes or
waits for can be seen.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from todo_sql.catalog.read import ours, rows
from todo_sql.review.linting.tree import of_type, qualified, relation
from todo_sql.sql.grammar import Statement

if TYPE_CHECKING:
    from psycopg import Connection

MODES = (
    "AccessShareLock",
    "RowShareLock",
    "RowExclusiveLock",
    "ShareUpdateExclusiveLock",
    "ShareLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
)
_POLL = 0.002
_SETTLED = 0.02
_LONGEST = 60.0


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock on a relation that was there before the migrations.

    Attributes:
        relation: Its qualified name, unquoted.
        kind: PostgreSQL's relkind.
        mode: Such as ``AccessExclusiveLock``.
    """

    relation: str
    kind: str
    mode: str

    @property
    def blocks(self) -> tuple[str, ...]:
        """What others cannot do meanwhile: reads, writes, changes of schema."""
        strength = MODES.index(self.mode)
        blocked = ("schema changes",) if strength >= 3 else ()
        if strength >= 4:
            blocked = ("writes", *blocked)
        return ("reads", *blocked) if strength == 7 else blocked


@dataclass(frozen=True, slots=True)
class Trace:
    """What one statement did.

    Attributes:
        locks: Those that it took on relations that were there before, the strongest of each.
        rewritten: Tables that were copied or emptied.
        built: Indexes that were built or rebuilt, each with its table; only of tables that
            were there before.
        scanned: Tables that were read from end to end by something other than a query.
        under: Relations on which an ACCESS EXCLUSIVE lock was held when it began.
    """

    statement: Statement
    locks: tuple[Lock, ...] = ()
    rewritten: tuple[str, ...] = ()
    built: tuple[tuple[str, str], ...] = ()
    scanned: tuple[str, ...] = ()
    under: tuple[str, ...] = ()


class Tracer:
    """Runs statements on a scratch database and traces them.

    Args:
        url: Of the database.
    """

    def __init__(self, url: str) -> None:
        import psycopg

        self._url = url
        self.connection: Connection[Any] = psycopg.connect(url, autocommit=True)
        self._known = {row["oid"]: row for row in rows(self.connection, "relations")}
        self._held: set[tuple[int, str]] = set()

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def begin(self) -> None:
        """Begin a transaction, as the migrator does."""
        self.connection.execute("begin")
        self.connection.execute("set local row_security = off")
        self._held = set()

    def commit(self) -> None:
        """Make deferred constraints immediate and commit."""
        self.connection.execute("set constraints all immediate")
        self.connection.execute("commit")

    def roll_back(self) -> None:
        """Roll back what is open."""
        if not self.connection.closed:
            self.connection.execute("rollback")

    def run(self, statement: Statement) -> Trace:
        """Run one statement in the open transaction.

        Raises:
            psycopg.Error: It failed.
        """
        before, scans = self._relations(), self._scans()
        under = tuple(
            sorted(
                self._name(oid)
                for oid, mode in self._held
                if mode == MODES[-1] and oid in self._known
            )
        )
        self.connection.execute(statement.text.encode())
        held = {(row["oid"], row["mode"]) for row in rows(self.connection, "held_locks", pid=None)}
        taken = held - self._held
        self._held = held
        return self._trace(statement, taken, before, self._relations(), scans, self._scans(), under)

    def run_alone(self, statement: Statement, tables: tuple[str, ...]) -> Trace:
        """Run one statement outside a transaction.

        Args:
            statement: It.
            tables: Qualified names of the relations that it names.
        """
        before = self._relations()
        names = {row["name"]: row for row in self._known.values()}
        involved = {names[name]["table_oid"] for name in tables if name in names}
        involved |= self._partitions(involved)
        targets = [self._known[oid] for oid in sorted(involved) if oid in self._known]
        taken = self._observed(statement, [t for t in targets if t["kind"] in "rpm"])
        if statement.kind == "drop_stmt":
            # At the end, when nobody uses the index any more, and too short to be seen.
            taken |= {(names[name]["oid"], MODES[-1]) for name in tables if name in names}
        return self._trace(statement, taken, before, self._relations(), {}, {}, ())

    def _observed(
        self, statement: Statement, targets: list[Mapping[str, Any]]
    ) -> set[tuple[int, str]]:
        import psycopg

        pid = self.connection.info.backend_pid
        failure: list[BaseException] = []

        def work() -> None:
            try:
                self.connection.execute(statement.text.encode())
            except BaseException as error:
                failure.append(error)

        taken: set[tuple[int, str]] = set()
        with ExitStack() as stack:
            observer: Connection[Any] = stack.enter_context(
                psycopg.connect(self._url, autocommit=True)
            )
            blockers = [
                stack.enter_context(_user(self._url, target, mode))
                for mode in ("share update exclusive", "row exclusive")
                for target in targets
            ]
            worker = threading.Thread(target=work, daemon=True)
            worker.start()
            for blocker in [*blockers, None]:
                taken |= _watch(observer, pid, worker)
                if blocker is not None:
                    blocker.execute("rollback")
            worker.join(_LONGEST)
        if failure:
            raise failure[0]
        return taken

    def _trace(
        self,
        statement: Statement,
        taken: set[tuple[int, str]],
        before: Mapping[int, Mapping[str, Any]],
        after: Mapping[int, Mapping[str, Any]],
        scans: Mapping[int, int],
        scans_after: Mapping[int, int],
        under: tuple[str, ...],
    ) -> Trace:
        strongest: dict[int, str] = {}
        for oid, mode in taken:
            if oid in self._known:
                strongest[oid] = max(strongest.get(oid, mode), mode, key=MODES.index)
        locks = (Lock(self._name(o), self._known[o]["kind"], m) for o, m in strongest.items())
        tables = [oid for oid, row in self._known.items() if row["kind"] in "rm"]
        rewritten = [
            self._name(oid)
            for oid in tables
            if oid in before and oid in after and before[oid]["file"] != after[oid]["file"]
        ]
        # An index may be made anew around the file that it had.
        files = {row["file"] for row in before.values()}
        built = [
            (row["name"], self._name(row["table_oid"]))
            for row in after.values()
            if row["kind"] == "i" and row["table_oid"] in self._known and row["file"] not in files
        ]
        # What a query of the migration reads says nothing on an empty copy.
        scanned = []
        if statement.kind not in ("select_stmt", *WRITES):
            scanned = [
                self._name(oid) for oid in tables if scans_after.get(oid, 0) > scans.get(oid, 0)
            ]
        return Trace(
            statement,
            tuple(sorted(locks, key=lambda lock: (-MODES.index(lock.mode), lock.relation))),
            tuple(sorted(rewritten)),
            tuple(sorted(built)),
            tuple(sorted(scanned)),
            under,
        )

    def _name(self, oid: int) -> str:
        return str(self._known[oid]["name"])

    def _relations(self) -> dict[int, dict[str, Any]]:
        return {row["oid"]: row for row in rows(self.connection, "relations")}

    def _scans(self) -> dict[int, int]:
        return {row["oid"]: row["scans"] for row in rows(self.connection, "scans")}

    def _partitions(self, oids: set[int]) -> set[int]:
        with ours(self.connection):
            found = self.connection.execute(
                "select inhrelid::bigint from pg_inherits"
                " where inhparent::bigint = any(%s::bigint[])",
                [list(oids)],
            )
            return {row[0] for row in found}


WRITES = ("insert_stmt", "update_stmt", "delete_stmt", "merge_stmt", "copy_stmt")


def named_relations(statement: Statement) -> tuple[str, ...]:
    """Return the qualified names of the relations that a statement names."""
    named = [relation(node) for node in of_type(statement.node, "RangeVar")]
    # What is dropped stands as a list of words.
    lists = (node.list for node in of_type(statement.node, "Node") if node.HasField("list"))
    named += [qualified(words.items) for words in lists]
    return tuple(name for name in named if name)


@contextmanager
def _user(url: str, target: Mapping[str, Any], mode: str) -> Iterator[Connection[Any]]:
    """Yield a session that is in the middle of writing a table, or of maintaining it."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("begin")
        text = f"lock table only {{}} in {mode} mode"
        if target["kind"] == "m":
            text = "select from {} limit 0"  # nobody writes a materialized view
        table = psycopg.sql.Identifier(*str(target["name"]).split(".", 1))
        connection.execute(psycopg.sql.SQL(text).format(table))
        yield connection


def _watch(observer: Connection[Any], pid: int, worker: threading.Thread) -> set[tuple[int, str]]:
    """Collect the locks of a backend until it has waited for a while, or is done."""
    seen: set[tuple[int, str]] = set()
    waiting_since: float | None = None
    deadline = time.monotonic() + _LONGEST
    while worker.is_alive() and time.monotonic() < deadline:
        seen |= {(row["oid"], row["mode"]) for row in rows(observer, "held_locks", pid=pid)}
        state = rows(observer, "waiting", pid=pid)
        if state and state[0]["wait_event_type"] == "Lock":
            waiting_since = waiting_since or time.monotonic()
            if time.monotonic() - waiting_since > _SETTLED:
                break
        else:
            waiting_since = None
        time.sleep(_POLL)
    return seen
