"""Runs the statements of a migration and observes what each does to objects in use.

In a transaction, locks stay until the end: what a statement took is what is held after it
and was not before. What commits by itself (CONCURRENTLY, VACUUM) is observed from beside:
sessions that read and write its tables make it wait, so that each lock that it takes or
waits for can be seen.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Set
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import Connection

from todo_sql.catalog.names import relation_name
from todo_sql.catalog.read import keep_prepared, many, ours, rows
from todo_sql.review.linting.tree import enum
from todo_sql.review.row_writes import WRITES, written
from todo_sql.review.table_shape import NOTHING, Found, ShapeChange, TableShape, queries
from todo_sql.sql.grammar import Statement, deparse_expression
from todo_sql.sql.trust import SAFE_LOCALLY

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
Taken = set[tuple[int, str]]
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
        found = (("reads", 7), ("writes", 4), ("schema changes", 3))
        return tuple(what for what, least in found if strength >= least)

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"relation": self.relation, "mode": self.mode, "blocks": list(self.blocks)}


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
        emptied: Those of the rewritten that it truncated.
        dropped: Tables that are gone.
        renamed: Tables and views, their old name and their new one.
        written: Oids of the tables that it wrote to, or may have.
        change: What it changed of the shape of the tables.
        using: By the name of a column, from what its new values are made.
    """

    statement: Statement
    locks: tuple[Lock, ...] = ()
    rewritten: tuple[str, ...] = ()
    built: tuple[tuple[str, str], ...] = ()
    scanned: tuple[str, ...] = ()
    under: tuple[str, ...] = ()
    emptied: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    written: frozenset[int] = frozenset()
    change: ShapeChange = NOTHING
    using: Mapping[str, str] = field(default_factory=dict)


class Tracer:
    """Runs statements on a scratch database and traces them.

    Attributes:
        known: The relations that were there before the migrations, by oid.
        now: The relations as of the last look, by oid.
    """

    def __init__(self, url: str, path: str | None = None) -> None:
        self._url = url
        self.connection: Connection[Any] = psycopg.connect(url, autocommit=True)
        keep_prepared(self.connection)
        if path is not None:
            self.connection.execute(
                "select pg_catalog.set_config('search_path', %s, false)", [path]
            )
        self._since: int | None = None
        self._scanned: dict[int, int] = {}
        self._held: Taken = set()
        self.adopt()

    def adopt(self) -> None:
        """Count what is there by now as if it had been there before."""
        self.look_again()
        self.known = self.now

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def begin(self) -> None:
        """Begin a transaction, as the migrator does."""
        self.connection.execute("begin")
        self.connection.execute("set local row_security = off")
        found = many(self.connection, {"scans": {}, "next_transaction": {}}, apart=True)
        self._since = found["next_transaction"][0]["id"]
        # Those of transactions before it are counted, too, until they are reported.
        self._held, self._scanned = set(), _counts(found["scans"])

    def commit(self) -> None:
        """Make deferred constraints immediate and commit."""
        self.settle()
        self.connection.execute("commit")

    def settle(self) -> None:
        """Make deferred constraints immediate."""
        self.connection.execute("set constraints all immediate")

    @contextmanager
    def transaction(self, *, alone: bool = False) -> Iterator[None]:
        """Run what is within in a transaction, or outside of one."""
        if alone:
            yield
            return
        self.begin()
        try:
            yield
            self.commit()
        except BaseException:
            self.roll_back()
            raise

    def roll_back(self) -> None:
        """Roll back what is open."""
        if not self.connection.closed:
            self.connection.execute("rollback")
            self.look_again()

    def execute(self, statement: Statement) -> None:
        """Run one statement without a look at what it does.

        Raises:
            psycopg.Error: It failed.
        """
        if statement.kind == "copy_stmt" and not statement.node.copy_stmt.filename:
            # What its rows are is no matter of locks; as the live ones, they are not copied.
            with self.connection.cursor().copy(statement.text.encode()):
                pass
        else:
            self.connection.execute(statement.text.encode())
        if statement.kind == "deallocate_stmt":
            keep_prepared(self.connection)

    def run(self, statement: Statement) -> Trace:
        """Run one statement in the open transaction.

        Raises:
            psycopg.Error: It failed.
        """
        held = (oid for oid, mode in self._held if mode == MODES[-1] and oid in self.known)
        under = tuple(sorted(map(self._name, held)))
        using = self._using(statement)
        self.execute(statement)
        found = many(self.connection, self._questions(), apart=True)
        before, self._held = self._held, _locks(found["held_locks"])
        scans = _counts(found["scans"])
        begun = {oid for oid, count in scans.items() if count > self._scanned.get(oid, 0)}
        self._scanned = scans
        return self._trace(statement, self._held - before, found, using, begun, under)

    def run_alone(self, statement: Statement, tables: tuple[str, ...]) -> Trace:
        """Run one statement outside a transaction; `tables` are the relations that it names."""
        named = [row for row in self.known.values() if row["name"] in tables]
        involved = self._with_partitions({row["table_oid"] for row in named})
        targets = [self.known[oid] for oid in sorted(involved) if oid in self.known]
        self._since = rows(self.connection, "next_transaction")[0]["id"]
        using = self._using(statement)
        taken = self._observed(statement, [t for t in targets if t["kind"] in "rpm"])
        if statement.kind == "drop_stmt":
            # At the end, when nobody uses the index any more, and too short to be seen.
            taken |= {(row["oid"], MODES[-1]) for row in named}
        return self._trace(statement, taken, self._look_apart(), using)

    def look_again(self) -> None:
        """Take in what was done on the connection beside the tracing."""
        self._since = None
        found = self._look_apart()
        self.now: Mapping[int, Mapping[str, Any]] = _by_oid(found["relations"])
        self.shape = TableShape(found, self.connection.info.server_version)

    def _questions(self) -> dict[str, dict[str, object]]:
        return {"relations": {}, "held_locks": {"pid": None}, "scans": {}, **queries(self._since)}

    def _look_apart(self) -> dict[str, list[dict[str, Any]]]:
        with self.connection.transaction():
            return many(self.connection, self._questions(), apart=True)

    def _using(self, statement: Statement) -> dict[str, str]:
        """Return, by column, the expressions of USING, with every name in them qualified."""
        if statement.kind != "alter_table_stmt":
            return {}
        command, found = statement.node.alter_table_stmt, {}
        target = relation_name(command.relation)
        for change in (node.alter_table_cmd for node in command.cmds):
            made = getattr(change, "def").column_def.raw_default
            if enum(change, "subtype") != "AT_AlterColumnType" or not made.WhichOneof("node"):
                continue
            text = f"select {deparse_expression(made)} as todo_sql_using from {target}"
            try:
                with self.connection.transaction(force_rollback=True):
                    self.connection.execute(
                        f"create temporary view todo_sql_using as {text}".encode()
                    )
                    self.connection.execute(SAFE_LOCALLY)
                    ((definition,),) = self.connection.execute(
                        "select pg_catalog.pg_get_viewdef('pg_temp.todo_sql_using'::regclass)"
                    )
            except psycopg.Error:
                continue  # the statement itself will say what is wrong
            body = definition.partition("SELECT")[2]
            found[change.name] = body[: body.rindex(" AS todo_sql_using")].strip()
        return found

    def _observed(self, statement: Statement, targets: list[Mapping[str, Any]]) -> Taken:
        pid = self.connection.info.backend_pid
        failure: list[BaseException] = []

        def work() -> None:
            try:
                self.execute(statement)
            except BaseException as error:
                failure.append(error)

        with ExitStack() as stack:
            observer = stack.enter_context(psycopg.connect(self._url, autocommit=True))
            blockers = [
                stack.enter_context(_user(self._url, target, mode))
                for mode in ("share update exclusive", "row exclusive")
                for target in targets
            ]
            worker = threading.Thread(target=work, daemon=True)
            worker.start()
            taken = _watch(observer, pid, worker)
            for blocker in blockers:
                blocker.execute("rollback")
                taken |= _watch(observer, pid, worker)
            worker.join(_LONGEST)
        if failure:
            raise failure[0]
        return taken

    def _trace(
        self,
        statement: Statement,
        taken: Taken,
        found: Found,
        using: Mapping[str, str],
        begun: Set[int] = frozenset(),
        under: tuple[str, ...] = (),
    ) -> Trace:
        before, after = self.now, _by_oid(found["relations"])
        self.now = after
        strongest: dict[int, str] = {}
        for oid, mode in taken:
            if oid in self.known:
                strongest[oid] = max(strongest.get(oid, mode), mode, key=MODES.index)
        locks = (Lock(self._name(o), self.known[o]["kind"], m) for o, m in strongest.items())
        known = [(oid, before[oid]) for oid in before if oid in self.known]
        kept = [(oid, was, after[oid]) for oid, was in known if oid in after]
        changed = sorted(
            self._name(oid)
            for oid, was, now in kept
            if self.known[oid]["kind"] in "rm" and was["file"] != now["file"]
        )
        # An index may be made anew around the file that it had.
        files = {row["file"] for row in before.values()}
        built = [
            (row["name"], self._name(row["table_oid"]))
            for row in after.values()
            if row["kind"] == "i" and row["table_oid"] in self.known and row["file"] not in files
        ]
        # What a query of the migration reads says nothing on an empty copy.
        asks = statement.kind in ("select_stmt", *WRITES)
        tables = [oid for oid, row in self.known.items() if row["kind"] in "rm" and not asks]
        gone = {oid for oid, was in known if oid not in after and was["kind"] in "rp"}
        return Trace(
            statement,
            tuple(sorted(locks, key=lambda lock: (-MODES.index(lock.mode), lock.relation))),
            tuple(changed),
            tuple(sorted(built)),
            tuple(sorted(self._name(oid) for oid in tables if oid in begun)),
            under,
            tuple(changed) if statement.kind == "truncate_stmt" else (),
            tuple(sorted(map(self._name, self.shape.topmost(gone)))),
            tuple(
                (was["name"], now["name"])
                for _, was, now in kept
                if was["kind"] in "rpmvf" and was["name"] != now["name"]
            ),
            written(self.connection, statement, taken, after, self.shape),
            self.shape.update(found),
            using,
        )

    def _name(self, oid: int) -> str:
        return str(self.known[oid]["name"])

    def _with_partitions(self, oids: set[int]) -> set[int]:
        with ours(self.connection):
            found = self.connection.execute(
                "select inhrelid::bigint from pg_inherits"
                " where inhparent::bigint = any(%s::bigint[])",
                [list(oids)],
            )
            return oids.union(row[0] for row in found)


def _counts(found: list[dict[str, Any]]) -> dict[int, int]:
    return {row["oid"]: row["scans"] for row in found}


def _locks(found: list[dict[str, Any]]) -> Taken:
    return {(row["oid"], row["mode"]) for row in found}


def _by_oid(found: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    return {row["oid"]: row for row in found}


@contextmanager
def _user(url: str, target: Mapping[str, Any], mode: str) -> Iterator[Connection[Any]]:
    """Yield a session that is in the middle of writing a table, or of maintaining it."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("begin")
        text = f"lock table only {{}} in {mode} mode"
        if target["kind"] == "m":
            text = "select from {} limit 0"  # nobody writes a materialized view
        table = psycopg.sql.Identifier(*str(target["name"]).split(".", 1))
        connection.execute(psycopg.sql.SQL(text).format(table))
        yield connection


def _watch(observer: Connection[Any], pid: int, worker: threading.Thread) -> Taken:
    """Collect the locks of a backend until it has waited for a while, or is done."""
    seen: Taken = set()
    waiting_since: float | None = None
    deadline = time.monotonic() + _LONGEST
    while worker.is_alive() and time.monotonic() < deadline:
        seen |= _locks(rows(observer, "held_locks", pid=pid))
        state = rows(observer, "waiting", pid=pid)
        if state and state[0]["wait_event_type"] == "Lock":
            waiting_since = waiting_since or time.monotonic()
            if time.monotonic() - waiting_since > _SETTLED:
                break
        else:
            waiting_since = None
        time.sleep(_POLL)
    return seen
