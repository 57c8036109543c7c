"""A transaction of several calls on one connection, and savepoints within it.

Nothing is sent before the first call: BEGIN and the scope ride in its flight, savepoints
and their ends in the flight of the call after them.
"""

from __future__ import annotations

import os
from contextlib import suppress
from enum import StrEnum
from time import monotonic
from typing import TypeVar

from psycopg import pq

from todo_sql.database.call import Call
from todo_sql.database.exchange import clear
from todo_sql.database.executor import BROKE, Engine, Shape, broke, note_position
from todo_sql.database.scope import WRITTEN, Freshness, Settings, scope_steps
from todo_sql.errors import TodoSqlError, UsageError
from todo_sql.wire import retry
from todo_sql.wire.call_errors import BadParameter, DatabaseError, TransactionAborted
from todo_sql.wire.connection import Link
from todo_sql.wire.pipeline import Answer, ConnectionLost, Failed
from todo_sql.wire.residue import outlasts, refused
from todo_sql.wire.statement import COMMIT, ROLLBACK, Step, command
from todo_sql.wire.waiting import Work

T = TypeVar("T")

# The value of a setting that may have been changed; no setting holds U+0000.
_UNKNOWN = "\0"
_CAUGHT = "an earlier statement of it had failed, and its error was caught"
_LEAVE = "let the error leave the `with` block"


class Isolation(StrEnum):
    """How much a transaction sees of others."""

    READ_COMMITTED = "read committed"
    REPEATABLE_READ = "repeatable read"
    SERIALIZABLE = "serializable"


def _isolation(name: Isolation | str) -> Isolation:
    try:
        return Isolation(name)
    except ValueError:
        fix = f"use one of {', '.join(Isolation)}"
        raise UsageError(f"there is no isolation level `{name}`", fix=fix) from None


class Savepoint:
    """The state of a transaction where a nested one began.

    Attributes:
        begin: The step that sets it.
        settings: What held then, and holds again after a rollback to it.
    """

    def __init__(self, name: str, settings: dict[str, str | None]) -> None:
        self.name = name
        self.begin = command(f"savepoint {name}")
        self.settings = settings


class Unit:
    """One transaction.

    Args:
        freshness: Where the position of the transaction's end is noted.
        isolation: None: the server's default.
        read_only: Whether the server is to refuse changes.
    """

    def __init__(
        self,
        engine: Engine,
        freshness: Freshness,
        *,
        isolation: Isolation | str | None = None,
        read_only: bool = False,
    ) -> None:
        words = ["begin"]
        if isolation is not None:
            words += ["isolation level", _isolation(isolation).value]
        if read_only:
            words.append("read only")
        self._engine = engine
        self._freshness = freshness
        self._read_only = read_only
        self._begin = command(" ".join(words))
        self._unsent = [self._begin]
        self._settings: dict[str, str | None] = {}
        self._resets: tuple[Step, ...] = ()
        self._link: Link | None = None
        self._closes = False
        self._savepoints: list[Savepoint] = []
        self._aborted = False
        self._over = False

    # -- calls --------------------------------------------------------------------------

    def call(self, call: Call, shape: Shape[T]) -> Work[T]:
        """Make one call within the transaction."""
        deadline = self._engine.deadline(call.timeout)
        attempt = 1
        while True:
            self._check_usable()
            unsent = tuple(self._unsent)
            is_first = self._begin in unsent
            why = BROKE
            try:
                return (yield from self._attempt(call, shape, deadline))
            except Failed as failed:
                redo = is_first and failed.error.is_stale_plan
                if not redo or not retry.time_left(deadline, attempt):
                    raise (yield from self.explain(failed, call)) from None
                yield from self._engine.recover(self.link, failed, deadline, self._resets)
                self._let_go()
                self._unsent, self._settings = list(unsent), {}
                self._aborted = False
                why = f"SQLSTATE {failed.error.sqlstate}"
            except ConnectionLost as lost:
                self._let_go()
                # COMMIT was not sent, so nothing of the transaction was done: where this
                # call is the first, it can be made again.
                if not is_first or not retry.time_left(deadline, attempt):
                    self._over = True
                    raise broke(lost, changed=False) from None
            yield self._engine.pool.retry(attempt, f"{call.query.name}: {why}")
            attempt += 1

    @property
    def link(self) -> Link:
        """The connection of a transaction that has begun."""
        assert self._link is not None
        return self._link

    def abort(self) -> None:
        """Record that something other than a call has made the transaction fail."""
        self._aborted = True

    def explain(self, failed: Failed, call: Call) -> Work[DatabaseError]:
        """Return the exception for a failed call of the transaction, which is aborted by it.

        What has to be looked up is, on this connection: within the innermost savepoint, which
        is rolled back to, or with the whole transaction rolled back.
        """
        engine, self._aborted = self._engine, True
        if engine.knows(failed):
            pass
        elif self._savepoints:
            back = command(f"rollback to savepoint {self._savepoints[-1].name}")
            yield from engine.look_up(self.link, failed, [back])
        else:
            link, deadline = self.link, engine.deadline(None)
            with suppress(TodoSqlError):
                yield from engine.recover(link, failed, deadline, self._resets)
                yield from engine.look_up(link, failed)
            self._let_go()
        return engine.explain(failed, call)

    def call_each(self, calls: list[Call], shape: Shape[T], start: int) -> Work[list[T]]:
        """Make calls of one query within the transaction, all in one flight.

        Args:
            calls: They differ in their values.
            start: The index of the first; an error says which one it is about.
        """
        first, *rest = calls
        try:
            results = [(yield from self.call(first, shape))]
        except TodoSqlError as error:
            error.at_index(start)
            raise
        if rest:
            deadline = self._engine.deadline(first.timeout)
            link = self.link
            try:
                answer = yield from self._fly(link, [call.step for call in rest], deadline)
            except BadParameter as error:
                error.at_index(start + 1 + _misfit(link, rest))
                raise
            except ConnectionLost as lost:
                self._let_go()
                self._over = True
                raise broke(lost, changed=False) from None
            if answer.failed is not None:
                violation = yield from self.explain(answer.failed, first)
                raise violation.at_index(start + 1 + len(answer.results)) from None
            results += [
                shape(link, call, result) for call, result in zip(rest, answer.results, strict=True)
            ]
        return results

    def _attempt(self, call: Call, shape: Shape[T], deadline: float) -> Work[T]:
        link = self._link
        if link is None:
            link = self._link = yield from self._engine.acquire((call,), deadline)
        if call.role and call.role not in link.vetted:
            raise UsageError(
                f"`{call.query.name}` runs as `{call.role}`, the transaction as another role",
                fix="call it in a transaction of its own",
            )
        steps = [*self._unsent, *self._scope_steps(call.settings), call.step]
        answer = yield from self._fly(link, steps, deadline, taints=bool(call.text.resets))
        self._unsent.clear()
        if call.text.resets:
            self._distrust(link, call, answer)
        if answer.failed is not None:
            self._aborted = True
            if answer.failed.error.is_stale_plan:
                self._engine.pool.outdate(link)
            raise answer.failed
        if not call.text.resets:
            self._settings.update(call.settings)
        return shape(link, call, answer.results[-1])

    def _distrust(self, link: Link, call: Call, answer: Answer) -> None:
        """Send the scope again with the next call: the statement may have changed it."""
        self._resets = call.text.resets
        self._settings = dict.fromkeys({**self._settings, **dict(call.settings)}, _UNKNOWN)
        if answer.failed is not None:
            return
        self._closes = self._closes or outlasts(answer.results[-1])
        if link.pgconn.transaction_status == pq.TransactionStatus.IDLE:
            self._over = self._closes = True
            self._let_go()
            raise refused(
                "end the transaction",
                "the connection and its transaction belong to the session",
                "use `with session.transaction()`, nested for a savepoint",
            )

    def _fly(
        self, link: Link, steps: list[Step], deadline: float, *, taints: bool = False
    ) -> Work[Answer]:
        try:
            (answer,) = yield from self._engine.flight(link, [steps], deadline, taints=taints)
        except ConnectionLost:
            raise
        except BaseException:
            if link.broken:
                self._over = True
                self._let_go()
            raise
        return answer

    def _scope_steps(self, settings: Settings) -> list[Step]:
        """Return what makes the settings of this call hold, and lifts those of the last."""
        wanted = dict(settings)
        for name in self._settings.keys() - wanted.keys():
            wanted[name] = None
        changes = {
            name: value
            for name, value in wanted.items()
            if name not in self._settings or self._settings[name] != value
        }
        return scope_steps(tuple(changes.items()), citus=self.link.citus)

    def _check_usable(self) -> None:
        if self._over:
            fix = "begin another with `session.transaction()`"
            raise UsageError("the transaction is over", fix=fix)
        if self._aborted and not self._unsent:
            raise _aborted(
                "an earlier statement of this transaction failed",
                "PostgreSQL ignores every statement until it is rolled back",
            )
        if self._link is not None and self._link.pid != os.getpid():
            fix = "begin another in the child"
            raise UsageError("the transaction belongs to the parent process", fix=fix)

    # -- the end ------------------------------------------------------------------------

    def commit(self) -> Work[None]:
        """Commit; `TransactionAborted`: a statement had failed, and all was rolled back."""
        link, self._over = self._link, True
        if self._aborted and not self._unsent:
            yield from self.rollback()
            raise _aborted("the transaction was rolled back, not committed", _CAUGHT)
        if link is None or self._begin in self._unsent:
            self._let_go()
            return
        deadline = self._engine.deadline(None)
        wrote = self._engine.replica is not None and not self._read_only
        steps = [*self._unsent, COMMIT, *([WRITTEN] if wrote else [])]
        last = len(steps) - 1
        try:
            answer = yield from self._fly(link, [*steps, *self._resets], deadline)
            clear(link, self._resets, answer)
            if answer.failed is not None:
                yield from self._engine.recover(link, answer.failed, deadline, self._resets)
                yield from self._engine.look_up(link, answer.failed)
                raise self._engine.explain(answer.failed, None) from None
            if wrote:
                note_position(link, self._freshness, answer.results[last])
        except ConnectionLost as lost:
            raise broke(lost, changed=not self._read_only) from None
        finally:
            self._let_go()

    def rollback(self) -> Work[None]:
        """Roll back; a connection that broke has done so already."""
        link, self._over = self._link, True
        if link is None or link.broken or self._begin in self._unsent:
            self._let_go()
            return
        try:
            deadline = min(self._engine.deadline(None), monotonic() + 5.0)
            answer = yield from self._fly(link, [ROLLBACK, *self._resets], deadline)
            clear(link, self._resets, answer)
        except ConnectionLost:
            pass
        finally:
            self._let_go()

    def undo(self, error: BaseException | None) -> Work[None]:
        """Roll back; work that is being closed waits for nothing and lets go."""
        if isinstance(error, GeneratorExit):
            self.abandon()
        else:
            yield from self.rollback()

    def abandon(self) -> None:
        """Hold no connection any more, whatever its end was interrupted by; does not wait."""
        if self._link is not None:
            self._link.broken = self._over = True
            self._let_go()

    def _let_go(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.broken = link.broken or self._closes
            self._engine.pool.release(link)

    # -- savepoints ---------------------------------------------------------------------

    def check_nested(self, isolation: Isolation | str | None, read_only: bool) -> None:
        """Refuse what a savepoint cannot have."""
        if isolation is not None or (read_only and not self._read_only):
            raise UsageError(
                "a nested transaction is a savepoint of the outer one",
                cause="isolation and read-only belong to the whole transaction",
                fix="give them to the outer `transaction()`",
            )

    def nest(self) -> Savepoint:
        """Begin a nested transaction."""
        self._check_usable()
        savepoint = Savepoint(f"nested_{len(self._savepoints) + 1}", dict(self._settings))
        self._savepoints.append(savepoint)
        self._unsent.append(savepoint.begin)
        return savepoint

    def end_nested(self, savepoint: Savepoint, *, keep: bool) -> None:
        """End a nested transaction; what it takes rides in the next flight.

        Raises:
            TransactionAborted: A statement in it had failed, and it was to be kept.
        """
        self._savepoints.remove(savepoint)
        if savepoint.begin in self._unsent:
            del self._unsent[self._unsent.index(savepoint.begin) :]
            return
        if self._over:
            return
        release = command(f"release savepoint {savepoint.name}")
        if keep and not self._aborted:
            self._unsent.append(release)
            return
        self._unsent = [command(f"rollback to savepoint {savepoint.name}"), release]
        self._settings = savepoint.settings
        was_aborted, self._aborted = self._aborted, False
        if keep and was_aborted:
            raise _aborted("the nested transaction was rolled back, not kept", _CAUGHT, _LEAVE)


def _aborted(
    message: str, cause: str, fix: str = f"{_LEAVE}, or nest `transaction()` around it"
) -> TransactionAborted:
    return TransactionAborted(message, sqlstate="25P02", cause=cause, fix=fix)


def _misfit(link: Link, calls: list[Call]) -> int:
    """Return which of some calls has the value that did not fit."""
    for number, call in enumerate(calls):
        try:
            link.prepared(call.statement).encoder.encode(call.values)
        except BadParameter:
            return number
    return 0
