"""Round trips of a scoped read, a write, a transaction of three, a batch of ten, by the clock.

    python benchmarks/latency.py [--latency 20] [--repeat 20]

A proxy adds the latency to every message, each way. What a call takes is divided by what a
bare round trip takes.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import statistics
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import psycopg
from todo_data import todo_database

from todo_sql import AsyncDatabase, Database
from todo_sql.todo import tasks

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from support.proxy import Proxy


def timed(repeat: int, call: Callable[[], object]) -> float:
    """Return the median time of a call."""
    call()
    taken = []
    for _ in range(repeat):
        begin = perf_counter()
        call()
        taken.append(perf_counter() - begin)
    return statistics.median(taken)


async def timed_async(repeat: int, call: Callable[[], Awaitable[object]]) -> float:
    """The same for a coroutine."""
    await call()
    taken = []
    for _ in range(repeat):
        begin = perf_counter()
        await call()
        taken.append(perf_counter() - begin)
    return statistics.median(taken)


def with_threads(url: str, repeat: int) -> dict[str, float]:
    """Return seconds by kind of call."""
    with Database.connect(url, max_size=1) as db:
        me = db.as_user("u20")

        def transaction() -> None:
            with me.transaction() as tx:
                tasks.count_tasks(tx)
                task = tasks.create_task(tx, title="x")
                tasks.complete_task(tx, id=task.id)

        def batch() -> None:
            with me.batch() as batch:
                for _ in range(10):
                    batch.add(tasks.list_tasks, limit=5)

        return {
            "a scoped read": timed(repeat, lambda: tasks.list_tasks(me, limit=20)),
            "a scoped write": timed(repeat, lambda: tasks.create_task(me, title="x")),
            "a transaction of three": timed(repeat, transaction),
            "a batch of ten reads": timed(repeat, batch),
        }


async def with_tasks(url: str, repeat: int) -> dict[str, float]:
    """The same on an event loop."""
    async with AsyncDatabase.connect(url, max_size=1) as db:
        me = db.as_user("u20")

        async def transaction() -> None:
            async with me.transaction() as tx:
                await tasks.count_tasks(tx)
                task = await tasks.create_task(tx, title="x")
                await tasks.complete_task(tx, id=task.id)

        async def batch() -> None:
            async with me.batch() as batch:
                for _ in range(10):
                    batch.add(tasks.list_tasks, limit=5)

        return {
            "a scoped read": await timed_async(repeat, lambda: tasks.list_tasks(me, limit=20)),
            "a scoped write": await timed_async(repeat, lambda: tasks.create_task(me, title="x")),
            "a transaction of three": await timed_async(repeat, transaction),
            "a batch of ten reads": await timed_async(repeat, batch),
        }


def bare(url: str, repeat: int) -> float:
    """Return what the smallest round trip takes."""
    connection: Any
    with psycopg.connect(url, autocommit=True) as connection:
        return timed(repeat, lambda: connection.execute("select 1"))


def serve(url: str, seconds: float, pipe: Any) -> None:
    """Run the proxy in a process of its own, which does not take turns with what is measured."""
    with Proxy(url, latency=seconds) as proxy:
        pipe.send(proxy.url)
        pipe.recv()


def main() -> None:
    """Print round trips, blocking and asynchronous."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, default=20.0, help="milliseconds each way")
    parser.add_argument("--repeat", type=int, default=20)
    options = parser.parse_args()
    with todo_database([20]) as url:
        here, there = multiprocessing.Pipe()
        process = multiprocessing.get_context("spawn").Process(
            target=serve, args=(url, options.latency / 1000, there)
        )
        process.start()
        slow = here.recv()
        trip = bare(slow, options.repeat)
        threads = with_threads(slow, options.repeat)
        found = asyncio.run(with_tasks(slow, options.repeat))
        here.send("done")
        process.join()
    print(f"round trips of {trip * 1000:.1f} ms{'threads':>20}{'tasks':>10}")
    for name, seconds in threads.items():
        print(f"{name:26}{seconds / trip:14.2f}{found[name] / trip:10.2f}")


if __name__ == "__main__":
    main()
