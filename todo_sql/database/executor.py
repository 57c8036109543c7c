"""How a call is made: a connection, the flight, its answer, and what to do when it fails.

Written once, as generators, for threads and for tasks (`todo_sql.wire.waiting`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from time import monotonic
from typing import TypeVar

from psycopg import pq

from todo_sql.database.call import Call
from todo_sql.database.events import Listener
from todo_sql.database.exchange import Exchange, clear
from todo_sql.database.replica import Replica
from todo_sql.database.scope import WRITTEN, Freshness
from todo_sql.errors import TodoSqlError
from todo_sql.wire import retry
from todo_sql.wire.call_errors import DatabaseError, ServerError, Unavailable, translate
from todo_sql.wire.connection import Link
from todo_sql.wire.pipeline import ConnectionLost, Failed
from todo_sql.wire.pool import Pool
from todo_sql.wire.residue import outlasts
from todo_sql.wire.statement import OURS, Step, texts
from todo_sql.wire.waiting import Work

T = TypeVar("T")

# Turns the result of a call's statement into what the caller gets.
Shape = Callable[[Link, Call, pq.abc.PGresult], T]

# After the server's own statement_timeout should have struck.
GRACE = 1.0

BROKE = "the connection broke"
_BEFORE_REPEATING = "read before you repeat it, or create with a public_id of your own"

_COLUMNS = texts(
    """
    select array(
        select a.attname::text
        from unnest(k.numbers) with ordinality as n (number, place)
        join pg_catalog.pg_attribute as a on a.attrelid = k.relation and a.attnum = n.number
        order by n.place
    ) as columns, (select c.relname::text from pg_catalog.pg_class as c where c.oid = k.relation)
    from (
        select conrelid as relation, conkey as numbers
        from pg_catalog.pg_constraint
        where conname = $3 and (conrelid = to_regclass(format('%I.%I', $1, $2)) or $1 = '')
        union all
        select i.indrelid, i.indkey::smallint[] || array(
            select d.refobjsubid::smallint -- what an expression of the index reads
            from pg_catalog.pg_depend as d
            where d.classid = 'pg_catalog.pg_class'::regclass
                and d.objid = i.indexrelid
                and d.refclassid = 'pg_catalog.pg_class'::regclass
                and d.refobjid = i.indrelid
                and d.refobjsubid <> all (i.indkey::smallint[])
            order by d.refobjsubid
        )
        from pg_catalog.pg_index as i
        join pg_catalog.pg_class as c on c.oid = i.indexrelid
        where c.relname = $3 and (i.indrelid = to_regclass(format('%I.%I', $1, $2)) or $1 = '')
    ) as k
    limit 1
    """,
    "schema",
    "table",
    "constraint",
    label="columns of a constraint",
)


class Engine(Exchange):
    """Makes calls on a pool, which take `timeout` seconds where nothing says otherwise."""

    def __init__(self, pool: Pool, timeout: float, replica: Replica | None = None) -> None:
        super().__init__(pool)
        self.replica = replica
        self.timeout = timeout
        self.listeners: list[Listener] = []
        self._columns: dict[tuple[str, str, str], tuple[tuple[str, ...], str | None]] = {}

    def deadline(self, timeout: float | None) -> float:
        """Return when a call that starts now has to be answered."""
        return monotonic() + (self.timeout if timeout is None else timeout + GRACE)

    def call(self, call: Call, shape: Shape[T], freshness: Freshness) -> Work[T]:
        """Make one call as a transaction of its own."""
        deadline = self.deadline(call.timeout)
        if self.replica is not None and call.query.read_only:
            try:
                found = yield from self.replica.read(
                    (call,), freshness, deadline, lambda link, got: shape(link, call, got[0])
                )
            except Failed as failed:
                raise self.explain(failed, call) from None
            if found is not None:
                return found[0]
        attempt = 1
        doubt = False  # whether an earlier attempt may have changed something
        while True:
            try:
                return (yield from self._attempt(call, shape, freshness, deadline))
            except ConnectionLost as lost:
                repeatable = call.repeatable or lost.untouched
                if not repeatable or not retry.time_left(deadline, attempt):
                    raise broke(lost, changed=not call.query.read_only) from None
                doubt = doubt or not (lost.untouched or call.query.read_only)
                why = BROKE
            except Unavailable as away:
                raise unavailable(away.message, changed=True) if doubt else away from None
            except Failed as failed:
                if not may_redo(failed.error) or not retry.time_left(deadline, attempt):
                    raise self.explain(failed, call, doubt=doubt) from None
                why = f"SQLSTATE {failed.error.sqlstate}"
            yield self.pool.retry(attempt, f"{call.query.name}: {why}")
            attempt += 1

    def _attempt(
        self, call: Call, shape: Shape[T], freshness: Freshness, deadline: float
    ) -> Work[T]:
        wrote = self.replica is not None and not call.query.read_only
        resets = call.text.resets
        link = yield from self.acquire((call,), deadline)
        try:
            unit = call.unit(citus=link.citus)
            at = len(unit) - 2
            if wrote:
                unit.append(WRITTEN)
            unit += resets
            (answer,) = yield from self.flight(link, [unit], deadline, taints=bool(resets))
            if resets:
                clear(link, resets, answer)
                if len(answer.results) > at and outlasts(answer.results[at]):
                    link.broken = True
            if answer.failed is not None:
                yield from self.recover(link, answer.failed, deadline, resets)
                yield from self.look_up(link, answer.failed)
            results = answer.check()
            if wrote:
                note_position(link, freshness, results[at + 2])
            return shape(link, call, results[at])
        finally:
            self.pool.release(link)

    def explain(self, failed: Failed, call: Call | None, *, doubt: bool = False) -> DatabaseError:
        """Return the exception for a failed call, or for a failed COMMIT without one.

        Args:
            doubt: Whether an earlier attempt may have changed something.
        """
        error = failed.error
        columns, table = self._columns.get(_key(error), ((), None))
        if error.far and error.table is None:
            error = replace(error, table=table)
        if call is None:
            return translate(error, columns=columns, unknown=True)
        own = failed.step.statement is call.statement
        at_fault = [column for column in columns if column != call.bound]
        return translate(
            error,
            place=call.text.place(error, at_fault) if own else call.query.named.place(),
            columns=columns,
            tenant_parameter=call.bound,
            unknown=(doubt or not own) and not call.query.read_only,
        )

    def knows(self, failed: Failed) -> bool:
        """Say whether nothing has to be looked up to explain a failure."""
        error, key = failed.error, _key(failed.error)
        asks = error.constraint if error.far else all(key)
        return not asks or key in self._columns

    def look_up(self, link: Link, failed: Failed, back: Sequence[Step] = ()) -> Work[None]:
        """Learn which columns a violated constraint covers, on the connection that told of it.

        Args:
            link: Fit for a statement, or made so by `back`.
            failed: The violation; nothing is looked up for another failure.
            back: What leads to a state fit for the look-up, and ends its traces behind it.
        """
        if self.knows(failed) or link.broken:
            return
        key = _key(failed.error)
        steps = [*back, OURS, Step(_COLUMNS, key), *back]
        with suppress(ConnectionLost, Failed, TodoSqlError):  # the failure itself is the news
            (answer,) = yield from self.flight(link, [steps], monotonic() + 1.0)
            found = answer.check()[len(back) + 1]
            rows = link.prepared(_COLUMNS).rows(found, tuple, "columns")
            self._columns[key] = (tuple(rows[0][0]), rows[0][1]) if rows else ((), None)


def _key(error: ServerError) -> tuple[str, str, str]:
    return error.schema or "", error.table or "", error.constraint or ""


def note_position(link: Link, freshness: Freshness, result: pq.abc.PGresult) -> None:
    """Record how far the primary was after a COMMIT."""
    (position,) = link.prepared(WRITTEN.statement).rows(result, int, "position")
    freshness.note(position)


def broke(lost: ConnectionLost, *, changed: bool) -> Unavailable:
    """Return the exception for a connection that broke in a call."""
    return unavailable(f"the connection broke: {lost}", changed=changed)


def unavailable(message: str, *, changed: bool) -> Unavailable:
    """Return the exception for a call that may have changed something, or may not."""
    return Unavailable(
        message,
        outcome_unknown=changed,
        cause="the change may have been made: COMMIT had been sent" if changed else None,
        fix=_BEFORE_REPEATING if changed else "try again",
    )


def may_redo(error: ServerError) -> bool:
    """Say whether a call that the server refused so is to be made again as it is."""
    return error.sqlstate in retry.CONFLICTS or error.is_stale_plan
