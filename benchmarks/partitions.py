"""A table of tasks beside the same in hash partitions by user, on one server.

    python benchmarks/partitions.py [--rows 10000000] [--users 10000]

Both are migrated, one with `examples/partitions` on top, filled alike, and measured in turns:
a page of one user's tasks, a create, a count without a tenant's index, and VACUUM after a tenth
of the rows was changed. Needs some 10 GB of disk for 10,000,000 rows.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from todo_sql import Database
from todo_sql.config import load_config
from todo_sql.embedded.temporary import temporary_server
from todo_sql.migrations.files.beside import load_project
from todo_sql.migrations.migrator import Migrator
from todo_sql.todo import tasks

ROOT = Path(__file__).parents[1]
SETTINGS = {
    "shared_buffers": "2GB",
    "maintenance_work_mem": "512MB",
    "max_wal_size": "8GB",
    "autovacuum": "off",
}
FILL = """
insert into tasks (user_id, title, created_at, completed, due_date)
select 'u' || (n % {users}), 'task ' || n, timestamptz '2026-01-01' + n * interval '1 second',
    n % 3 = 0, timestamptz '2026-02-01' + n * interval '2 seconds'
from generate_series(1, {rows}) as n
"""


def timed(run: Callable[..., object], *arguments: object) -> float:
    """Return how long a call takes."""
    begin = time.perf_counter()
    run(*arguments)
    return time.perf_counter() - begin


def say(*words: object) -> None:
    """Print a line at once."""
    print(*words, flush=True)


def fill(url: str, rows: int, users: int) -> None:
    """Fill a migrated database; its secondary indexes are built behind the rows."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute("set synchronous_commit = off")
        connection.execute(
            f"insert into users (id, name, email) select 'u' || n, 'n', 'e' || n "
            f"from generate_series(0, {users - 1}) as n".encode()
        )
        indexes = connection.execute(
            "select indexrelid::regclass::text, pg_get_indexdef(indexrelid) from pg_index "
            "where indrelid = 'tasks'::regclass and not indisunique"
        ).fetchall()
        for name, _ in indexes:
            connection.execute(f"drop index {name}".encode())
        connection.execute(FILL.format(rows=rows, users=users).encode())
        for _, text in indexes:
            connection.execute(text.encode())


def measure(databases: dict[str, Database], users: int, calls: int) -> None:
    """Compare pages and creates in turns."""
    work: dict[str, Callable[[Database, str], object]] = {
        "page of 50": lambda db, user: tasks.page_tasks(db.as_user(user)),
        "count": lambda db, user: tasks.count_tasks(db.as_user(user)),
        "create": lambda db, user: tasks.create_task(db.as_user(user), title="new"),
    }
    for name, call in work.items():
        taken: dict[str, list[float]] = {one: [] for one in databases}
        for number in range(calls):
            user = f"u{random.randrange(users)}"
            for one in sorted(databases, reverse=bool(number % 2)):
                taken[one].append(timed(call, databases[one], user))
        for one, seconds in taken.items():
            quarter = sorted(seconds)[len(seconds) // 4]
            median = statistics.median(seconds)
            say(f"{name:12} {one:12} median {median * 1e3:.2f} ms, quarter {quarter * 1e3:.2f} ms")


def maintain(url: str, name: str, users: int) -> None:
    """Change a tenth of the rows, and clean up behind it."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("set session_replication_role = replica")
        seconds = timed(
            connection.execute, "update tasks set completed = not completed where id % 10 = 0"
        )
        say(f"update 10 %  {name:12} {seconds:.1f} s")
        leaves = [
            one
            for (one,) in connection.execute(
                "select coalesce(nullif(relid::text, ''), 'tasks') from pg_partition_tree('tasks') "
                "where isleaf"
            )
        ] or ["tasks"]
        each = [timed(connection.execute, f"vacuum {one}".encode()) for one in leaves]
        say(f"vacuum       {name:12} {sum(each):.1f} s in all, {max(each):.1f} s the longest")
        size = connection.execute(
            "select pg_size_pretty(sum(pg_table_size(c.oid))), "
            "pg_size_pretty(sum(pg_indexes_size(c.oid))) from pg_class as c "
            "where c.relkind = 'r' and (c.relname = 'tasks' or c.relname ~ '^tasks_[0-9]+$')"
        ).fetchone()
        say(f"size         {name:12} {size}")


def main() -> None:
    """Fill, convert, measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--calls", type=int, default=600)
    given = parser.parse_args()
    with temporary_server(18, settings=SETTINGS, in_memory=False) as server:
        with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
            admin.execute("create database one")
            migrations = load_project(load_config(ROOT))
            Migrator(server.url("one"), migrations).migrate()
            say(f"fill: {timed(fill, server.url('one'), given.rows, given.users):.0f} s")
            admin.execute("create database parts template one strategy file_copy")
        more = load_project(load_config(ROOT / "examples" / "partitions"))
        seconds = timed(lambda: Migrator(server.url("parts"), more).migrate())
        say(f"migrate examples/partitions over {given.rows} rows: {seconds:.0f} s")
        for name in ("one", "parts"):
            with psycopg.connect(server.url(name), autocommit=True) as connection:
                seconds = timed(connection.execute, "vacuum analyze")
                say(f"vacuum analyze of all {name}: {seconds:.0f} s")
        databases = {
            name: Database.connect(server.url(name), timeout=120) for name in ("one", "parts")
        }
        for database in databases.values():
            database.open()
        measure(databases, given.users, given.calls)
        for database in databases.values():
            database.close()
        for name in ("one", "parts"):
            maintain(server.url(name), name, given.users)


if __name__ == "__main__":
    main()
