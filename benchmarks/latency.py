"""Round trips of a scoped read, a write, a transaction of three, a batch of ten, by the clock.

    python benchmarks/latency.py [--latency 20] [--repeat 20]

A proxy adds the latency to every message, each way. The kinds of call take turns with a bare
round trip (`select 1`, by psycopg); the median of a kind is divided by the median of those.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import statistics
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import psycopg
from todo_data import todo_database

from todo_sql import AsyncDatabase, Database
from todo_sql.todo import tasks

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from support.proxy import Proxy

BARE = "a bare round trip"

Times = dict[str, list[float]]


def kinds(connection: Any, me: Any, transaction: Any, batch: Any) -> dict[str, Callable[[], Any]]:
    """Return what is measured; a call of an asynchronous session is to be awaited."""
    return {
        BARE: lambda: connection.execute("select 1"),
        "a scoped read": lambda: tasks.list_tasks(me, limit=20),
        "a scoped write": lambda: tasks.create_task(me, title="x"),
        "a transaction of three": transaction,
        "a batch of ten reads": batch,
    }


def in_turns(times: Times, repeat: int) -> Iterator[str]:
    """Yield the name of what is to be called, and note how long it took until the next."""
    for turn in range(repeat + 1):
        for name, taken in times.items():
            begin = perf_counter()
            yield name
            if turn:  # the first only warms up
                taken.append(perf_counter() - begin)


def with_threads(url: str, repeat: int) -> Times:
    """Return the seconds that each kind of call took, in turns."""
    connection: Any
    with (
        psycopg.connect(url, autocommit=True) as connection,
        Database.connect(url, max_size=1) as db,
    ):
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

        calls = kinds(connection, me, transaction, batch)
        times: Times = {name: [] for name in calls}
        for name in in_turns(times, repeat):
            calls[name]()
        return times


async def with_tasks(url: str, repeat: int) -> Times:
    """The same on an event loop."""
    connection: Any
    async with (
        await psycopg.AsyncConnection.connect(url, autocommit=True) as connection,
        AsyncDatabase.connect(url, max_size=1) as db,
    ):
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

        calls = kinds(connection, me, transaction, batch)
        times: Times = {name: [] for name in calls}
        for name in in_turns(times, repeat):
            await calls[name]()
        return times


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
        threads = with_threads(slow, options.repeat)
        found = asyncio.run(with_tasks(slow, options.repeat))
        here.send("done")
        process.join()
    trips = [statistics.median(times[BARE]) for times in (threads, found)]
    said = " and ".join(f"{trip * 1000:.1f}" for trip in trips)
    print(f"{f'round trips of {said} ms':36}{'threads':>10}{'tasks':>10}")
    for name in threads:
        ratios = [
            statistics.median(times[name]) / trip
            for times, trip in zip((threads, found), trips, strict=True)
        ]
        print(f"{name:36}{ratios[0]:10.2f}{ratios[1]:10.2f}")


if __name__ == "__main__":
    main()
