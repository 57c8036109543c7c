"""Calls per second and latency under 1, 8 and 32 workers, against other pools.

    python benchmarks/sessions.py [--seconds 3] [--rounds 3] [--latency MS]

The work is one scoped read of 20 tasks: by todo-sql as validated models, by psycopg_pool in
one pipeline as tuples, by SQLAlchemy's pool with psycopg as tuples, by asyncio tasks on both
of ours. Contenders take turns in slices; each pool may have 10 connections.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import threading
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, nullcontext
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Any

import psycopg
from psycopg import RawCursor
from psycopg_pool import ConnectionPool
from todo_data import QUERY, todo_database

from queries import LIST, SCOPE
from todo_sql import AsyncDatabase, Database

WORKERS = (1, 8, 32)
ROWS = 20
Measured = tuple[int, list[float]]


def threads_at_work(call: Callable[[], Any], workers: int, seconds: float) -> list[float]:
    """Return how long each call took of those that `workers` threads made in that time."""
    taken: list[float] = []
    end = perf_counter() + seconds

    def work() -> None:
        own = []
        while (begin := perf_counter()) < end:
            call()
            own.append(perf_counter() - begin)
        taken.extend(own)

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return taken


async def tasks_at_work(
    call: Callable[[], Awaitable[Any]], workers: int, seconds: float
) -> list[float]:
    """The same with tasks."""
    taken: list[float] = []
    end = perf_counter() + seconds

    async def work() -> None:
        while (begin := perf_counter()) < end:
            await call()
            taken.append(perf_counter() - begin)

    await asyncio.gather(*(work() for _ in range(workers)))
    return taken


def contenders(url: str, stack: ExitStack) -> dict[str, Callable[[int, float], list[float]]]:
    """Return what measures each contender, given workers and seconds."""
    user = f"u{ROWS}"
    db = stack.enter_context(Database.connect(url, max_size=10))
    pool = stack.enter_context(
        ConnectionPool(
            url,
            min_size=0,
            max_size=10,
            kwargs={"autocommit": True, "cursor_factory": RawCursor},
            open=True,
        )
    )
    sql, scope = QUERY.format(user="$1", limit="$2"), SCOPE.format("$1")

    def by_psycopg_pool() -> Any:
        with pool.connection() as connection:
            with connection.pipeline():
                connection.execute("begin read only")
                connection.execute(scope, [user])
                cursor = connection.execute(sql, [user, ROWS])
                connection.execute("commit")
            return cursor.fetchall()

    def by_tasks(workers: int, seconds: float) -> list[float]:
        async def main() -> list[float]:
            async with AsyncDatabase.connect(url, max_size=10) as adb:
                me = adb.as_user(user)
                await tasks_at_work(lambda: me.many(LIST, {"limit": ROWS}), workers, 0.2)
                return await tasks_at_work(lambda: me.many(LIST, {"limit": ROWS}), workers, seconds)

        return asyncio.run(main())

    me = db.as_user(user)
    found: dict[str, Callable[[int, float], list[float]]] = {
        "todo-sql": lambda w, s: threads_at_work(lambda: me.many(LIST, {"limit": ROWS}), w, s),
        "todo-sql, tasks": by_tasks,
        "psycopg_pool, tuples": lambda w, s: threads_at_work(by_psycopg_pool, w, s),
    }
    if find_spec("sqlalchemy"):
        call = _sqlalchemy(url, stack, user)
        found["SQLAlchemy pool, tuples"] = lambda w, s: threads_at_work(call, w, s)
    return found


def _sqlalchemy(url: str, stack: ExitStack, user: str) -> Callable[[], Any]:
    import sqlalchemy

    engine = sqlalchemy.create_engine(
        url.replace("postgresql:", "postgresql+psycopg:"), pool_size=10, max_overflow=0
    )
    stack.callback(engine.dispose)
    query = sqlalchemy.text(QUERY.format(user=":user_id", limit=":limit"))
    scope = sqlalchemy.text(SCOPE.format(":user_id"))

    def call() -> Any:
        with engine.begin() as connection:
            connection.execute(scope, {"user_id": user})
            return connection.execute(query, {"user_id": user, "limit": ROWS}).all()

    return call


def main() -> None:
    """Let the contenders take turns and print the medians of their slices."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--latency", type=float, default=0.0, help="milliseconds each way")
    options = parser.parse_args()
    with (
        todo_database([ROWS]) as url,
        _network(url, options.latency) as there,
        ExitStack() as stack,
    ):
        measures = contenders(there, stack)
        print(f"psycopg {psycopg.__version__}; calls a second, p50 and p99 in ms; {ROWS} rows")
        print(f"{'workers':26}" + "".join(f"{workers:>26}" for workers in WORKERS))
        table: dict[str, list[str]] = {name: [] for name in measures}
        for workers in WORKERS:
            slices: dict[str, list[list[float]]] = {name: [] for name in measures}
            for measure in measures.values():
                measure(workers, 0.3)
            for _ in range(options.rounds):
                for name, measure in measures.items():
                    slices[name].append(measure(workers, options.seconds))
            for name, found in slices.items():
                rate = statistics.median(len(taken) / options.seconds for taken in found)
                p50 = statistics.median(statistics.median(taken) for taken in found) * 1e3
                p99 = statistics.median(sorted(t)[int(len(t) * 0.99)] for t in found) * 1e3
                table[name].append(f"{rate:8.0f} {p50:7.2f} {p99:8.2f}")
        for name, cells in table.items():
            print(f"{name:26}" + "".join(f"{cell:>26}" for cell in cells))


def _network(url: str, milliseconds: float) -> Any:
    if not milliseconds:
        return nullcontext(url)
    import sys

    sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
    from contextlib import contextmanager

    from support.proxy import Proxy

    @contextmanager
    def slow() -> Any:
        with Proxy(url, latency=milliseconds / 1000) as proxy:
            yield proxy.url

    return slow()


if __name__ == "__main__":
    main()
