"""Let PostgreSQL prepare statements, many in flight, and keep what it says of each.

Nothing is executed: Parse and Describe only, each statement with a Sync of its own, so
that one refusal doesn't spoil the next.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from psycopg import Connection, Error, errors, postgres
from psycopg.pq import DiagnosticField, ExecStatus
from psycopg.pq.abc import PGresult

from todo_sql.compiler.proof import nodes

_BATCH = 64


class ResultColumn(NamedTuple):
    """A column of a result as Describe reports it; `table` and `number` are 0 for none."""

    name: str
    type: int
    typmod: int
    table: int
    number: int


@dataclass(frozen=True)
class PreparedQuery:
    """What PostgreSQL says of a statement that it accepts.

    Attributes:
        tree: What it made of it, on one line.
        answer: To Describe.
    """

    parameters: tuple[int, ...]
    tree: str
    answer: PGresult

    @cached_property
    def columns(self) -> tuple[ResultColumn, ...]:
        """The columns of the result."""
        answer = self.answer
        return tuple(
            ResultColumn(
                (answer.fname(index) or b"").decode(),
                answer.ftype(index),
                answer.fmod(index),
                answer.ftable(index),
                answer.ftablecol(index),
            )
            for index in range(answer.nfields)
        )

    def parse(self) -> nodes.Tree:
        """Return the rewritten trees with an index of their nodes."""
        return nodes.parse(self.tree)


def configure(connection: Connection[Any]) -> None:
    """Make the server send the tree of every statement that this connection prepares."""
    connection.execute(
        "select pg_catalog.set_config('client_min_messages', 'log', false),"
        " pg_catalog.set_config('debug_pretty_print', 'off', false),"
        " pg_catalog.set_config('debug_print_rewritten', 'on', false)"
    )
    with suppress(errors.InsufficientPrivilege):  # the trees would fill the server's log, too
        connection.execute("set log_min_messages = fatal")


def signature(types: Iterable[str | None]) -> str:
    """Return the list of types for PREPARE; those of PostgreSQL by their full names.

    Args:
        types: As `format_type` names them; None: unknown.
    """
    written = []
    for name in [one or "unknown" for one in types]:
        known = postgres.types.get(name.removesuffix("[]"))
        own = known is not None and known.name == name.removesuffix("[]")
        written.append(f"pg_catalog.{name}" if own else name)
    return f" ({', '.join(written)})" if written else ""


def prepare_all(
    connection: Connection[Any], statements: Sequence[tuple[str, Sequence[int]]]
) -> Generator[PreparedQuery | Error, None, None]:
    """Yield what the server says of each pair of text and parameter types, in order.

    The server works on the next statements meanwhile: until the last answer the connection
    is good for nothing else.

    Args:
        connection: In autocommit mode, made ready by `configure`.
        statements: Texts with ``$n``; a type of 0 is inferred.
    """
    pgconn = connection.pgconn
    trees: deque[str] = deque()  # libpq may read a tree ahead of its statement's answer

    def receive(notice: PGresult) -> None:
        if notice.error_field(DiagnosticField.MESSAGE_PRIMARY) == b"rewritten parse tree:":
            tree = notice.error_field(DiagnosticField.MESSAGE_DETAIL) or b""
            trees.append(tree.replace(b"\n", b" ").decode())

    handler = pgconn.notice_handler
    pgconn.notice_handler = receive
    pgconn.enter_pipeline_mode()
    try:
        waiting = 0
        for start in range(0, len(statements) + _BATCH, _BATCH):  # the last one only waits
            batch = statements[start : start + _BATCH]
            for sql, types in batch:
                pgconn.send_prepare(b"", sql.encode(), types)
                pgconn.send_describe_prepared(b"")
                pgconn.pipeline_sync()
            for _ in range(waiting):
                yield _read(connection, trees)
            waiting = len(batch)
        if trees:
            raise AssertionError("PostgreSQL sent more trees than it accepted statements")
        pgconn.exit_pipeline_mode()
    except BaseException:
        connection.close()  # answers are still to come
        raise
    finally:
        pgconn.notice_handler = handler


def _read(connection: Connection[Any], trees: deque[str]) -> PreparedQuery | Error:
    pgconn = connection.pgconn
    refusal = described = None
    while (result := pgconn.get_result()) is None or result.status != ExecStatus.PIPELINE_SYNC:
        if result is None:
            continue
        if result.status == ExecStatus.FATAL_ERROR:
            refusal = refusal or errors.error_from_result(result)
        described = result
    if refusal is not None:
        return refusal
    assert described is not None
    parameters = tuple([described.param_type(index) for index in range(described.nparams)])
    return PreparedQuery(parameters, trees.popleft() if trees else "", described)
