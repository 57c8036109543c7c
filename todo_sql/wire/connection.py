"""One physical connection: its prepared statements and what is known of its server."""

from __future__ import annotations

import os
import socket
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from time import monotonic
from types import MappingProxyType
from typing import Any

import psycopg
from psycopg import pq
from psycopg.adapt import Transformer

from todo_sql.wire.instances import Make, loaded
from todo_sql.wire.loaders import Form, register_void, transformer_for
from todo_sql.wire.parameters import Encoder
from todo_sql.wire.rows import column_names, load, make_rows, maker
from todo_sql.wire.statement import WireStatement

MOST_PREPARED = 300
NO_FORMS: Mapping[str, Form] = MappingProxyType({})

AnyConnection = psycopg.Connection[Any] | psycopg.AsyncConnection[Any]


class Prepared:
    """A statement as this connection knows it.

    Attributes:
        name: Its name on the server, or empty: it is sent whole on every call.
        ready: Whether the server holds it under that name.
        result_format: Text until the first result shows that every column loads from binary.
    """

    def __init__(self, statement: WireStatement, name: bytes, connection: AnyConnection) -> None:
        self.name = name
        self.ready = False
        self.result_format = pq.Format.TEXT
        self.transformer = Transformer(connection)
        self.encoder = Encoder(statement.parameters, self.transformer)
        self._makers: dict[Any, Make] = {}
        self._columns: tuple[()] | tuple[tuple[str, ...], tuple[int, ...]] = ()
        self._learnt = False

    def pairs(
        self, result: pq.abc.PGresult, row: Any, label: str, extra: int, forms: Mapping[str, Form]
    ) -> list[tuple[Any, tuple[Any, ...]]]:
        """Return the rows as objects of `row`, each with its last `extra` columns apart."""
        names = column_names(result)[:-extra]
        self._learn(result, forms)
        tuples = load(result, self.transformer, maker(tuple, ("", "")), label)
        make = maker(row, names, self._types(result)[:-extra])
        items = make_rows(make, [values[:-extra] for values in tuples], label)
        return [(item, values[-extra:]) for item, values in zip(items, tuples, strict=True)]

    def rows(
        self, result: pq.abc.PGresult, row: Any, label: str, forms: Mapping[str, Form] = NO_FORMS
    ) -> list[Any]:
        """Return the rows of a result as objects of `row`; `forms`: of types not psycopg's."""
        columns = (column_names(result), _oids(result)) if not self.name else ()
        if columns != self._columns:  # sent whole, it may return other columns than last time
            self._makers.clear()
            self._columns, self._learnt = columns, False
        make = self._makers.get(row)
        if make is None:
            make = self._makers[row] = maker(row, column_names(result), self._types(result))
            self._learn(result, forms)
            if not forms:
                find, oids = self.transformer.adapters.get_loader, set(_oids(result))
                known = all(find(oid, pq.Format.BINARY) for oid in oids)
                self.result_format = pq.Format.BINARY if known else pq.Format.TEXT
        return load(result, self.transformer, make, label)

    def _learn(self, result: pq.abc.PGresult, forms: Mapping[str, Form]) -> None:
        """Load the columns that psycopg does not know by their forms; once."""
        if forms and not self._learnt:
            self._learnt = True
            names = enumerate(column_names(result))
            known = {result.ftype(index): forms[name] for index, name in names if name in forms}
            self.transformer = transformer_for(self.transformer, known)

    def _types(self, result: pq.abc.PGresult) -> tuple[type | None, ...]:
        """Return the only class of each column's values, where that is known."""
        adapters = self.transformer.adapters
        return tuple(loaded(adapters, oid) for oid in _oids(result))


def _oids(result: pq.abc.PGresult) -> tuple[int, ...]:
    """Return the types of a result's columns."""
    return tuple(result.ftype(index) for index in range(result.nfields))


class Link:
    """A connection of the pool.

    Attributes:
        used: When it was last given back, on the monotonic clock.
        expires: When it is to be replaced.
        pooled: Whether a pooler stands between, as far as is known.
        prepares: Whether named prepared statements survive from call to call.
        citus: Whether the server hands the rows' work on to others, by Citus.
        greeted: Whether the server has been asked who it is.
        vetted: The roles found fit to serve tenants.
        steadied: Whether settings of its login's role were set aside, which RESET ALL brings back.
        broken: Whether the connection must not be used again.
        closing: Whether the pool is ending the call at work on it.
        tainted: Whether a statement may have left something that nothing has ended yet.
        outdated: Whether its prepared statements are to be forgotten when it is given back.
        replayed: Of a replica: how far it was known to have replayed, as an LSN.
    """

    def __init__(self, connection: AnyConnection, lifetime: float = 1800.0) -> None:
        self.connection = connection
        register_void(connection)
        self.pgconn = connection.pgconn
        self.pid = os.getpid()
        self.used = monotonic()
        self.expires = self.used + lifetime
        self.pooled = True
        self.prepares = False
        self.citus = False
        self.greeted = False
        self.vetted: set[str] = set()
        self.steadied = False
        self.broken = False
        self.closing = False
        self.tainted = False
        self.outdated = False
        self.replayed = 0
        self._prepared: OrderedDict[WireStatement, Prepared] = OrderedDict()
        self._doomed: list[bytes] = []
        self._once: tuple[WireStatement, Prepared] | None = None
        self._count = 0

    def __repr__(self) -> str:
        return f"Link({self.pgconn.backend_pid})"

    def prepared(self, statement: WireStatement) -> Prepared:
        """Return this connection's form of a statement, making it if it is new."""
        found = self._prepared.get(statement)
        if found is None and statement.once:
            if self._once is None or self._once[0] is not statement:
                self._once = statement, Prepared(statement, b"", self.connection)
            return self._once[1]
        if found is None:
            self._count += 1
            name = b"ts%d" % self._count if self.prepares else b""
            found = self._prepared[statement] = Prepared(statement, name, self.connection)
            if len(self._prepared) > MOST_PREPARED:
                _, oldest = self._prepared.popitem(last=False)
                if oldest.ready:
                    self._doomed.append(oldest.name)
                oldest.name = b""  # a flight that holds it yet sends it whole
        elif len(self._prepared) == MOST_PREPARED:
            self._prepared.move_to_end(statement)
        return found

    @property
    def is_clean(self) -> bool:
        """Whether another caller may have it: no answer is due, no transaction is open."""
        return (
            not self.broken
            and not self.tainted
            and self.pgconn.transaction_status == pq.TransactionStatus.IDLE
            and self.pgconn.pipeline_status == pq.PipelineStatus.OFF
        )

    def forget(self) -> None:
        """Forget every prepared statement, because the schema below them changed."""
        self._doomed += [entry.name for entry in self._prepared.values() if entry.ready]
        self._prepared.clear()
        self.outdated = False

    def queue(self, entry: Prepared, sql: bytes, wire: list[Any]) -> int:
        """Queue a statement in pipeline mode; return how many answers stand before its own."""
        before = 0
        oids, formats = entry.encoder.oids, entry.encoder.formats
        if not entry.name:
            self.pgconn.send_query_params(sql, wire, oids, formats, entry.result_format)
            return before
        if not entry.ready:
            before = self._close_doomed() + 1
            self.pgconn.send_prepare(entry.name, sql, oids)
            entry.ready = True  # for the rest of this flight, unless the answer says no
        self.pgconn.send_query_prepared(entry.name, wire, formats, entry.result_format)
        return before

    def _close_doomed(self) -> int:
        doomed, self._doomed = self._doomed, []
        for name in doomed:
            if psycopg.capabilities.has_send_close_prepared():
                self.pgconn.send_close_prepared(name)
            else:
                self.pgconn.send_query_params(b"deallocate " + name, None)
        return len(doomed)

    def alive(self) -> bool:
        """Look whether the server has hung up; costs no round trip."""
        if self.broken or self.pid != os.getpid():
            return False
        try:
            self.pgconn.consume_input()
        except psycopg.Error:
            return False
        return bool(self.pgconn.status == pq.ConnStatus.OK)

    def hang_up(self) -> None:
        """End the conversation while another thread or task waits for its answer."""
        self.broken = True
        with (
            suppress(OSError, psycopg.Error),
            socket.socket(fileno=os.dup(self.pgconn.socket)) as line,
        ):
            line.shutdown(socket.SHUT_RDWR)

    def __del__(self) -> None:
        """Close what an exception between two lines of ours took out of everybody's hands."""
        with suppress(Exception):
            self.close()

    def close(self) -> None:
        """Close the connection; does not wait."""
        self.broken = True
        if self.pid == os.getpid():
            self.pgconn.finish()
