"""``:copyfrom``: many rows of one insert through COPY.

Row security refuses COPY FROM, so a tenant's rows are copied into a temporary table and
inserted from there, in one transaction; the tenant's id is not copied but bound once.
The one file that uses psycopg's formatters of COPY data.
"""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter, itemgetter
from typing import Any

import psycopg
from psycopg import abc, pq
from psycopg._copy_base import BinaryFormatter, Formatter, TextFormatter
from psycopg.abc import PQGen
from psycopg.adapt import Transformer
from psycopg.types.json import set_json_dumps
from psycopg.waiting import Wait

from todo_sql.database import results
from todo_sql.database.call import Call, bind_tenant
from todo_sql.database.executor import Engine, broke
from todo_sql.database.query import Query
from todo_sql.database.scope import Scope
from todo_sql.database.transaction import Unit
from todo_sql.queries.copy_target import CopyTarget, copy_target
from todo_sql.queries.variants import variants
from todo_sql.wire.call_errors import BadParameter, ServerError
from todo_sql.wire.connection import Link
from todo_sql.wire.literals import dump_json
from todo_sql.wire.parameters import Encoder, Parameter
from todo_sql.wire.pipeline import ConnectionLost, Failed, flush, losing, next_result
from todo_sql.wire.statement import Step, WireStatement, comment
from todo_sql.wire.waiting import Fly, Pause, Work

_numbers = itertools.count(1)

Row = Mapping[str, object] | object


class CopyPlan:
    """How the rows of a ``:copyfrom`` call get into its table.

    Args:
        call: Its text is the insert; it has no values yet.
        tenant_id: Bound once in place of the tenant's parameter, or None.
    """

    def __init__(self, call: Call, tenant_id: object) -> None:
        self.call = call
        self.target: CopyTarget = copy_target(call.text.variant)
        self.tenant_id = tenant_id
        self.bound = call.bound if tenant_id is not None else None
        pairs = zip(self.target.columns, self.target.parameters, strict=True)
        self.copied = [(column, name) for column, name in pairs if name != self.bound]
        known = {parameter.name: parameter for parameter in call.text.statement.parameters}
        self.parameters: list[Parameter] = [known[name] for _, name in self.copied]
        self.is_direct = call.role is None and not self.target.tail and self.bound is None
        self.temporary = f"pg_temp.todo_sql_copy_{next(_numbers)}"

    @property
    def defaults(self) -> dict[str, Any]:
        """What a row that is a mapping may leave out, and what it has then."""
        copied, query = {name for _, name in self.copied}, self.call.query
        defaults = query.named.defaults() if query.defaults is None else query.defaults
        return {name: value for name, value in defaults.items() if name in copied}

    @property
    def columns(self) -> str:
        """The copied columns, as written."""
        return ", ".join(column for column, _ in self.copied)

    @property
    def is_binary(self) -> bool:
        """Whether every type is known, so that the binary form can be made."""
        return all(parameter.is_binary for parameter in self.parameters)

    def copy_sql(self) -> str:
        """Return the COPY statement."""
        table = self.target.table if self.is_direct else self.temporary
        form = "binary" if self.is_binary else "text"
        return f"copy {table} ({self.columns}) from stdin (format {form})"

    def create(self) -> Call:
        """Return the call that makes the temporary table."""
        sql = (
            f"create temporary table {self.temporary.removeprefix('pg_temp.')} on commit drop "
            f"as select {self.columns} from {self.target.table} with no data"
        )
        return self.call.around(self._statement(sql, ()), [])

    def insert(self, *, counted: bool) -> Call:
        """Return the call that inserts from the temporary table; `counted`: a row for each."""
        given = self.call.text.statement.parameters
        bound = [parameter for parameter in given if parameter.name == self.bound][:1]
        items = [
            "$1" if name == self.bound else column
            for column, name in zip(self.target.columns, self.target.parameters, strict=True)
        ]
        sql = (
            f"insert into {self.target.table} ({', '.join(self.target.columns)}) "
            f"select {', '.join(items)} from {self.temporary} {self.target.tail}"
        )
        sql += " returning 1" if counted else ""
        return self.call.around(self._statement(sql, bound), [self.tenant_id] if bound else [])

    def _statement(self, sql: str, parameters: Iterable[Parameter]) -> WireStatement:
        label = self.call.text.statement.label
        return WireStatement(f"{comment(label)}{sql}", tuple(parameters), label=label, once=True)


def plan_copy(scope: Scope, query: Query[Any]) -> CopyPlan:
    """Make a ``:copyfrom`` call ready."""
    bind_tenant(scope, query, {})
    text = query.texts.of(next(variants(query.named)))
    return CopyPlan(Call(scope, query, text, [], repeatable=False), scope.tenant_id)


def copy_rows(engine: Engine, unit: Unit, plan: CopyPlan, rows: Iterable[Row]) -> Work[int]:
    """Copy rows within a transaction; return how many were inserted.

    Raises:
        BadParameter: A value does not fit; the transaction is to be rolled back.
    """
    begin = plan.call.around(WireStatement("select 1 as begun", once=True), [])
    yield from unit.call(begin if plan.is_direct else plan.create(), results.nothing)
    try:
        count: int = yield from _copy(engine, unit.link, plan, rows)
    except Failed as failed:
        told = yield from unit.explain(failed, plan.call)
        raise told.at_index(failed.error.line - 1) if failed.error.line else told from None
    except ConnectionLost as lost:
        unit.abort()
        raise broke(lost, changed=False) from None
    except BaseException:
        unit.abort()
        raise
    if plan.is_direct:
        return count
    if unit.link.citus:  # whose command tag counts the rows that were in the way, too
        return (yield from unit.call(plan.insert(counted=True), results.returned))
    return (yield from unit.call(plan.insert(counted=False), results.affected))


def _copy(engine: Engine, link: Link, plan: CopyPlan, rows: Iterable[Row]) -> Work[int]:
    step = Step(WireStatement(plan.copy_sql(), label=plan.call.statement.label))
    timeout = plan.call.timeout

    def fly(flying: PQGen[Any]) -> Work[Any]:
        return engine.on_link(link, Fly(link, losing(link, flying), engine.deadline(timeout)))

    yield from fly(_start(link, step))
    try:
        # A deadline for each piece: the whole may take its time, a stall may not.
        for number, data in enumerate(_pieces(link, plan, rows)):
            yield from fly(_put(link, data))
            if number % 16 == 0:
                yield Pause(0)
    except Exception as error:
        if not link.broken:
            yield from fly(_finish(link, step, b"given up: " + type(error).__name__.encode()))
        raise
    except BaseException:  # nobody waits for the server to throw the rows away
        link.broken = True
        raise
    count: int = yield from fly(_finish(link, step, None))
    return count


def _pieces(link: Link, plan: CopyPlan, rows: Iterable[Row]) -> Iterator[Any]:
    """Yield the rows in COPY's form, some 32 kB at a time."""
    formatter: Formatter
    if plan.is_binary:
        transformer = _transformer(link, plan.parameters)
        formatter = BinaryFormatter(transformer)
        transformer.set_dumper_types([p.oid for p in plan.parameters], pq.Format.BINARY)
    else:
        formatter = TextFormatter(Transformer(link.connection))
    encoder = Encoder(plan.parameters, Transformer(link.connection), text=not plan.is_binary)
    made_ready = _readier(plan, encoder)
    take = _taker([name for _, name in plan.copied], plan.bound, plan.defaults)
    for index, row in enumerate(rows):
        try:
            values = take(row)
            try:
                data = formatter.write_row(made_ready(values))
            except BadParameter:
                raise
            except Exception:
                encoder.encode(values)  # says which value it is
                raise
        except BadParameter as error:
            error.at_index(index)
            raise
        if data:
            yield data
    if data := formatter.end():
        yield data


def _readier(plan: CopyPlan, encoder: Encoder) -> Callable[[tuple[Any, ...]], Sequence[Any]]:
    """Return the function that makes a row's values those that the formatter takes."""
    fitting: set[tuple[type, ...]] = set()
    is_tried = any(parameter.is_tried for parameter in plan.parameters)

    def for_binary(values: tuple[Any, ...]) -> Sequence[Any]:
        kinds = tuple(map(type, values))
        if not is_tried and kinds in fitting:
            return values
        encoder.encode(values)
        adapted = tuple(
            None if value is None else parameter.adapt(value)
            for parameter, value in zip(plan.parameters, values, strict=True)
        )
        if all(map(operator.is_, adapted, values)):
            fitting.add(kinds)
        return adapted

    def for_text(values: tuple[Any, ...]) -> Sequence[Any]:
        return [None if one is None else bytes(one).decode() for one in encoder.encode(values)]

    return for_binary if plan.is_binary else for_text


def _transformer(link: Link, parameters: list[Parameter]) -> abc.Transformer:
    """Return what dumps the rows: models in JSON, too."""
    if not any(parameter.is_json for parameter in parameters):
        return Transformer(link.connection)
    context = link.connection.cursor()  # adapters of its own
    set_json_dumps(dump_json, context)
    return Transformer(context)


def _taker(
    names: list[str], bound: str | None, defaults: dict[str, Any]
) -> Callable[[Any], tuple[Any, ...]]:
    """Return the function that takes a row's values: of a mapping, or of an object."""
    key, attribute = itemgetter(*names), attrgetter(*names)
    expected = set(names)

    def take(row: Any) -> tuple[Any, ...]:
        try:
            if isinstance(row, Mapping):
                if len(row) != len(expected):
                    row = {**defaults, **row}
                if len(row) != len(expected):
                    raise _misfit(row, expected, bound)
                found = key(row)
            else:
                found = attribute(row)
        except KeyError:
            raise _misfit({**defaults, **row}, expected, bound) from None
        except AttributeError:
            raise _misfit(row, expected, bound) from None
        return found if len(names) > 1 else (found,)

    return take


def _misfit(row: Any, expected: set[str], bound: str | None) -> BadParameter:
    held = (name for name in expected if hasattr(row, name))
    given = set(row if isinstance(row, Mapping) else held)
    missing, surplus = sorted(expected - given), sorted(given - expected)
    name = (missing or surplus or ["?"])[0]
    what = "lacks" if missing else "has an unexpected"
    fix = f"give {', '.join(sorted(expected))}"
    if name == bound:
        fix += f"; `{bound}` comes from the session"
    return BadParameter(f"a row {what} `{name}`", name, fix=fix)


def _start(link: Link, step: Step) -> PQGen[None]:
    link.pgconn.send_query(step.statement.sql)
    yield from flush(link.pgconn)
    result = yield from _answer(link, step)
    if result.status != pq.ExecStatus.COPY_IN:
        raise ConnectionLost("COPY did not start")


def _put(link: Link, data: Any) -> PQGen[None]:
    while link.pgconn.put_copy_data(data) == 0:
        yield Wait.W
    yield from flush(link.pgconn)


def _finish(link: Link, step: Step, error: bytes | None) -> PQGen[int]:
    """End the COPY; with an error message the server throws the rows away."""
    while link.pgconn.put_copy_end(error) == 0:
        yield Wait.W
    yield from flush(link.pgconn)
    try:
        return (yield from _answer(link, step)).command_tuples or 0
    except Failed:
        if error is None:
            raise
        return 0


def _answer(link: Link, step: Step) -> PQGen[pq.abc.PGresult]:
    """Return the last result of a command outside pipeline mode."""
    pgconn = link.pgconn
    last: pq.abc.PGresult | None = None
    while (result := (yield from next_result(pgconn))) is not None:
        last = result
        if result.status == pq.ExecStatus.COPY_IN:
            return result
    if last is None:
        raise psycopg.OperationalError("the connection was closed")
    if last.status == pq.ExecStatus.FATAL_ERROR:
        error = ServerError.from_result(last)
        if not error.sqlstate:
            raise psycopg.OperationalError(error.message)
        raise Failed(step, error)
    return last
