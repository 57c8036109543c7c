"""Typed calls against the same work by hand and by other libraries; COPY likewise.

    python benchmarks/queries.py [--rounds 15] [--gc default|frozen|off] [--copy 100000]

Each contender does what a scoped call does: BEGIN, role and tenant, the query, COMMIT, in
one pipeline where its library has one. They take turns; the figures are medians of rounds,
in microseconds a call, and as a ratio to raw psycopg with tuples. `frozen` is what a web
server sets after its start: gc.freeze() and a threshold of 50,000.

Those of other libraries that are not installed (aiosql, asyncpg, sqlalchemy, sqlmodel) are
left out.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import statistics
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from time import perf_counter
from typing import Any
from uuid import UUID

import psycopg
from psycopg import RawCursor
from pydantic import BaseModel
from todo_data import COLUMNS, QUERY, todo_database

from todo_sql import Database
from todo_sql.config import Tenant
from todo_sql.database.query import QueryFile
from todo_sql.queries.loader import load_text
from todo_sql.sql.source import Source

SIZES = (1, 20, 100, 1000)
SCOPE = "select set_config('role', 'todo_app', true), set_config('app.current_user_id', {}, true)"
Run = Callable[[str, int], Any]


class Task(BaseModel):
    """A row, as each contender with models makes it."""

    id: int
    public_id: UUID
    title: str
    description: str | None
    completed: bool
    priority: str
    created_at: datetime
    updated_at: datetime


@dataclass(slots=True, frozen=True)
class FastTask:
    """A row, without validation."""

    id: int
    public_id: UUID
    title: str
    description: str | None
    completed: bool
    priority: str
    created_at: datetime
    updated_at: datetime


class _File(QueryFile):
    def __init__(self) -> None:
        super().__init__(None, "benchmark.sql", tenant=Tenant())
        text = (
            f"-- name: list_tasks :many\n{QUERY.format(user=':user_id', limit=':limit')};\n"
            "-- name: import_tasks :copyfrom\n"
            "insert into tasks (user_id, public_id, title, description)\n"
            "values (:user_id, :public_id, :title, :description);\n"
        )
        self.__dict__["named"] = {q.name: q for q in load_text(Source("benchmark.sql", text))}


FILE = _File()
LIST = FILE.query(
    "list_tasks",
    row=Task,
    parameters={"user_id": "text", "limit": "bigint"},
    read_only=True,
    tenant=True,
)
IMPORT = FILE.query(
    "import_tasks",
    parameters={"user_id": "text", "public_id": "uuid", "title": "text", "description": "text"},
    tenant=True,
)


def contenders(url: str, stack: ExitStack) -> Iterator[tuple[str, Run]]:
    """Yield each contender that is installed; the first is the measure."""
    raw = stack.enter_context(
        psycopg.connect(url, autocommit=True, cursor_factory=RawCursor)  # type: ignore[arg-type]
    )
    sql = QUERY.format(user="$1", limit="$2")

    def by_hand(user: str, limit: int, binary: bool) -> list[Any]:
        with raw.pipeline():
            raw.execute("begin read only")
            raw.execute(SCOPE.format("$1"), [user])
            cursor = raw.execute(sql, [user, limit], binary=binary)
            raw.execute("commit")
        return cursor.fetchall()

    yield "psycopg, tuples", lambda user, limit: by_hand(user, limit, False)
    yield "psycopg, binary tuples", lambda user, limit: by_hand(user, limit, True)
    db = stack.enter_context(Database.connect(url))
    yield "todo-sql", lambda user, limit: db.as_user(user).many(LIST, {"limit": limit})
    fast = LIST.into(FastTask)
    yield "todo-sql, dataclass", lambda user, limit: db.as_user(user).many(fast, {"limit": limit})
    if find_spec("aiosql"):
        yield "aiosql + pydantic", _aiosql(url, stack)
    if find_spec("asyncpg"):
        yield "asyncpg + pydantic", _asyncpg(url, stack)
    if find_spec("sqlalchemy"):
        yield "SQLAlchemy + pydantic", _sqlalchemy(url, stack)
    if find_spec("sqlmodel"):
        yield "SQLModel", _sqlmodel(url, stack)


def _aiosql(url: str, stack: ExitStack) -> Run:
    import aiosql

    text = QUERY.format(user=":user_id", limit=":limit")
    queries: Any = aiosql.from_str(f"-- name: list_tasks(user_id, limit)\n{text};\n", "psycopg")
    connection = stack.enter_context(psycopg.connect(url, autocommit=True))
    scope = SCOPE.format("%s")

    def run(user: str, limit: int) -> list[Task]:
        with connection.pipeline():
            connection.execute("begin read only")
            connection.execute(scope, [user])
            rows = queries.list_tasks(connection, user_id=user, limit=limit)
            connection.execute("commit")
            return [Task.model_validate(dict(zip(COLUMNS, r, strict=True))) for r in rows]

    return run


def _asyncpg(url: str, stack: ExitStack) -> Run:
    import asyncpg

    loop = stack.enter_context(asyncio.Runner())
    connection = loop.run(asyncpg.connect(url))
    stack.callback(lambda: loop.run(connection.close()))
    sql, scope = QUERY.format(user="$1", limit="$2"), SCOPE.format("$1")

    async def call(user: str, limit: int) -> list[Task]:
        async with connection.transaction(readonly=True):
            await connection.fetch(scope, user)
            rows = await connection.fetch(sql, user, limit)
        return [Task.model_validate(dict(row)) for row in rows]

    return lambda user, limit: loop.run(call(user, limit))


def _sqlalchemy(url: str, stack: ExitStack) -> Run:
    import sqlalchemy

    engine = sqlalchemy.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    stack.callback(engine.dispose)
    connection = stack.enter_context(engine.connect())
    query = sqlalchemy.text(QUERY.format(user=":user_id", limit=":limit"))
    scope = sqlalchemy.text(SCOPE.format(":user_id"))

    def run(user: str, limit: int) -> list[Task]:
        with connection.begin():
            connection.execute(scope, {"user_id": user})
            rows = connection.execute(query, {"user_id": user, "limit": limit}).mappings()
            return [Task.model_validate(dict(row)) for row in rows]

    return run


def _sqlmodel(url: str, stack: ExitStack) -> Run:
    import sqlalchemy
    import sqlmodel

    class TaskTable(sqlmodel.SQLModel, table=True):
        __tablename__ = "tasks"
        user_id: str = sqlmodel.Field(primary_key=True)
        id: int = sqlmodel.Field(primary_key=True)
        public_id: UUID
        title: str
        description: str | None
        completed: bool
        priority: str
        created_at: datetime
        updated_at: datetime

    engine = sqlmodel.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    stack.callback(engine.dispose)
    table: Any = TaskTable
    scope = sqlalchemy.text(SCOPE.format(":user_id"))

    def run(user: str, limit: int) -> Any:
        with sqlmodel.Session(engine, expire_on_commit=False) as session:
            session.connection().execute(scope, {"user_id": user})
            query = sqlmodel.select(table).where(table.user_id == user)
            query = query.order_by(table.created_at.desc(), table.id.desc()).limit(limit)
            rows = session.exec(query).all()
            session.commit()
        return rows

    return run


def calls(url: str, rounds: int) -> None:
    """Print microseconds a call by contender and number of rows."""
    with ExitStack() as stack:
        runs = dict(contenders(url, stack))
        table: dict[str, list[str]] = {name: [] for name in runs}
        for size in SIZES:
            user, repeat = f"u{size}", max(3, 300 // (5 + size))
            for run in runs.values():
                assert len(run(user, size)) == size
                for _ in range(10):
                    run(user, size)
            times: dict[str, list[float]] = {name: [] for name in runs}
            for _ in range(rounds):
                for name, run in runs.items():
                    begin = perf_counter()
                    for _ in range(repeat):
                        run(user, size)
                    times[name].append((perf_counter() - begin) / repeat * 1e6)
            medians = {name: statistics.median(found) for name, found in times.items()}
            measure = medians["psycopg, tuples"]
            for name, value in medians.items():
                table[name].append(f"{value:8.0f} {value / measure:5.2f}")
    print(f"{'µs a call, ratio':26}" + "".join(f"{f'{size} rows':>16}" for size in SIZES))
    for name, cells in table.items():
        print(f"{name:26}" + "".join(f"{cell:>16}" for cell in cells))


def copying(url: str, count: int, rounds: int) -> None:
    """Print seconds for `count` rows through a :copyfrom query, and for the steps by hand."""
    rows = [(uuid.uuid4(), f"Task {number}", "What there is to do") for number in range(count)]
    dicts = [dict(zip(("public_id", "title", "description"), row, strict=True)) for row in rows]

    def by_hand() -> None:
        with psycopg.connect(url) as connection, connection.cursor() as cursor:
            cursor.execute(SCOPE.format("'u1'"))
            cursor.execute(
                "create temporary table copied on commit drop as "
                "select public_id, title, description from tasks with no data"
            )
            sql = "copy copied (public_id, title, description) from stdin (format binary)"
            with cursor.copy(sql) as copy:
                copy.set_types(["uuid", "text", "text"])
                for row in rows:
                    copy.write_row(row)
            cursor.execute(
                "insert into tasks (user_id, public_id, title, description) "
                "select 'u1', public_id, title, description from copied"
            )

    def ours() -> None:
        with Database.connect(url, timeout=300) as db:
            assert db.as_user("u1").copyfrom(IMPORT, dicts) == count

    times: dict[str, list[float]] = {"by hand": [], "todo-sql": []}
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("alter table tasks disable trigger user")  # audit would be the measure
        for _ in range(rounds):
            for name, run in (("by hand", by_hand), ("todo-sql", ours)):
                admin.execute("delete from tasks where user_id = 'u1'")
                admin.execute("vacuum tasks")
                begin = perf_counter()
                run()
                times[name].append(perf_counter() - begin)
        admin.execute("alter table tasks enable trigger user")
    medians = {name: statistics.median(found) for name, found in times.items()}
    print(f"\n{count:,} rows through COPY and a temporary table, under row security")
    for name, value in medians.items():
        print(f"{name:26}{value:8.3f} s {value / medians['by hand']:5.2f}")


def main() -> None:
    """Run both comparisons."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--gc", choices=["default", "frozen", "off"], default="default")
    parser.add_argument("--copy", type=int, default=100_000)
    options = parser.parse_args()
    with todo_database(SIZES) as url:
        if options.gc == "frozen":
            gc.collect()
            gc.freeze()
            gc.set_threshold(50_000)
        elif options.gc == "off":
            gc.disable()
        print(f"Python {sys.version.split()[0]}, psycopg {psycopg.__version__}, gc {options.gc}")
        calls(url, options.rounds)
        if options.copy:
            copying(url, options.copy, max(3, options.rounds // 3))


if __name__ == "__main__":
    main()
