"""What a coordinator with Citus and its workers have to hold, at length.

    TODO_SQL_CITUS_URL=postgresql://… python tests/soak_citus.py \\
        [calls] [trips] [kills] [drift] [speed] [worker --stop COMMAND --start COMMAND]

calls   10,000 calls of random tenants from 16 tasks: no row of another; each on one shard.
trips   Round trips of a scoped read and write under 20 ms of latency, as on one server.
kills   20 kills of `migrate`, at random: afterwards it ends, and every node agrees.
drift   `drift` after distributing: empty.
speed   Calls per second with one worker, with two, and on one server without Citus.
worker  A worker is stopped and started during a load of two minutes, by the two commands:
        what was acknowledged is there once, the rest were typed errors.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shlex
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from uuid import UUID, uuid4

import psycopg

sys.path.insert(0, str(Path(__file__).parent))

from support.citus import (
    EXAMPLE,
    at,
    cluster_database,
    coordinator,
    distribute,
    with_options,
    workers,
)
from support.proxy import Proxy

from todo_sql import AsyncDatabase, Database, TodoSqlError
from todo_sql.config import load_config
from todo_sql.embedded.temporary import temporary_server
from todo_sql.migrations.files.beside import load_project
from todo_sql.migrations.migrator import Migrator
from todo_sql.todo import audit, lists, tags, tasks

USERS = 50
PROGRAM = [sys.executable, "-m", "todo_sql"]


def say(*words: object) -> None:
    """Print a line at once."""
    print(*words, flush=True)


def add_users(url: str) -> None:
    """Add users, each with a list."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "insert into users (id, name, email) select 'u' || n, 'n' || n, 'e' || n "
            f"from generate_series(0, {USERS - 1}) as n".encode()
        )


async def one_call(db: AsyncDatabase, user: str) -> str:
    """Make a random call of a user; return what it was. Every title names its user."""
    me = db.as_user(user)
    kind = random.choice(("create", "list", "page", "count", "complete", "history", "tag", "batch"))
    if kind == "create":
        await tasks.create_task(me, title=f"{user} {uuid4()}")
    elif kind == "list":
        check(user, [task.title for task in await tasks.list_tasks(me, limit=20)])
    elif kind == "page":
        page = await tasks.page_tasks(me, limit=20)
        check(user, [task.title for task in page.items])
    elif kind == "count":
        seen = await me.sql("select user_id from tasks", str)  # without a condition of its own
        check(user, seen)
    elif kind == "complete":
        found = await tasks.list_tasks(me, limit=1)
        if found:
            check(user, [(await tasks.complete_task(me, id=found[0].id)).title])
    elif kind == "history":
        for entry in await audit.list_history(me, limit=20):
            title = entry.changes.get("title") if isinstance(entry.changes, dict) else None
            if isinstance(title, str):
                check(user, [title])
    elif kind == "tag":
        check(user, [(await tags.create_tag(me, name=f"{user} {uuid4()}")).name])
    else:
        async with me.batch() as batch:
            first = batch.add(tasks.list_tasks, limit=5)
            second = batch.add(lists.list_lists)
        check(user, [task.title for task in first.result()])
        second.result()
    return kind


def check(user: str, texts: list[str]) -> None:
    """Hold that every text names the user."""
    for text in texts:
        assert text == user or text.startswith(f"{user} "), (user, text)


def calls(url: str, many: int = 10_000) -> None:
    """Make calls of random tenants, and count the shards that each kind of plan goes to."""

    async def main() -> Counter[str]:
        made: Counter[str] = Counter()
        async with AsyncDatabase.connect(url, max_size=16, timeout=120) as db:

            async def work() -> None:
                for _ in range(many // 16):
                    made[await one_call(db, f"u{random.randrange(USERS)}")] += 1

            await asyncio.gather(*(work() for _ in range(16)))
        return made

    begin = time.monotonic()
    made = asyncio.run(main())
    seconds = time.monotonic() - begin
    say(f"calls: {made.total()} in {seconds:.0f} s, 0 foreign rows: {dict(made)}")


def trips(url: str) -> None:
    """Count round trips under latency, on the coordinator and on one server."""
    with temporary_server(18) as plain:
        with psycopg.connect(plain.url("postgres"), autocommit=True) as admin:
            admin.execute("create database one")
        Migrator(plain.url("one"), load_project(load_config(EXAMPLE.parents[1]))).migrate()
        add_users(plain.url("one"))
        for name, there in (("one server", plain.url("one")), ("coordinator", url)):
            with Proxy(there, latency=0.02) as proxy, Database.connect(proxy.url) as db:
                me = db.as_user("u1")
                tasks.count_tasks(me)
                tasks.create_task(me, title="u1 first")
                tasks.list_tasks(me)
                found = []
                for call in (
                    lambda me=me: tasks.list_tasks(me),
                    lambda me=me: tasks.create_task(me, title="u1 x"),
                ):
                    begin = time.monotonic()
                    with proxy.counting() as counted:
                        for _ in range(20):
                            call()
                    each = (time.monotonic() - begin) / 20
                    found.append(f"{counted.round_trips / 20:.2f} round trips, {each * 1e3:.0f} ms")
                say(f"trips: {name}: read {found[0]}; write {found[1]}")


def nodes_agree(url: str, cluster: list[str]) -> list[str]:
    """Return what differs between the tables that the coordinator knows and those of the nodes."""
    wrong = []
    name = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
    for node in cluster:
        with psycopg.connect(at(url, node=node, database=str(name)), autocommit=True) as worker:
            worker.execute("set citus.override_table_visibility = off")
            left = worker.execute(
                "select gid from pg_prepared_xacts where database = current_database()"
            )
            wrong += [f"{node} holds a prepared transaction {gid}" for (gid,) in left]
            have = {
                one
                for (one,) in worker.execute(
                    "select relname from pg_class where relkind in ('r', 'p') "
                    "and relnamespace = 'public'::regnamespace and relname ~ '_[0-9]{6,}$'"
                )
            }
        with psycopg.connect(url, autocommit=True) as admin:
            want = {
                one.rpartition(".")[2]
                for (one,) in admin.execute(
                    "select shard_name from citus_shards where nodename || ':' || nodeport = %s",
                    [node],
                )
            }
        if have != want:
            wrong.append(f"{node}: {sorted(have ^ want)[:5]} ({len(have ^ want)})")
    return wrong


def kills(base: str, many: int = 20) -> None:
    """Kill `migrate` at random moments, then let it end; no node may be left with a part."""
    cluster = workers(base)
    done = Counter[str]()
    for _ in range(many):
        with cluster_database(base) as url:
            project = load_project(load_config(EXAMPLE))
            last = [m.id for m in project][-8]
            Migrator(with_options(url), project).migrate(to=last)
            process = subprocess.Popen(
                [
                    *PROGRAM,
                    "--project",
                    EXAMPLE,
                    "--database",
                    with_options(url),
                    "migrate",
                    "--quiet",
                ],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            time.sleep(0.5 + random.random() * 3.5)
            killed = process.poll() is None
            process.send_signal(signal.SIGKILL)
            process.wait()
            done["killed" if killed else "had ended"] += 1
            deadline = time.monotonic() + 60
            while True:  # the backend notices within half a second, and rolls back
                with psycopg.connect(url, autocommit=True) as admin:
                    busy = admin.execute(
                        "select count(*) from pg_stat_activity where datname = current_database() "
                        "and application_name like 'todo-sql%%'"
                    ).fetchone()
                    admin.execute("select recover_prepared_transactions()")
                if busy == (0,) or time.monotonic() > deadline:
                    break
                time.sleep(0.2)
            wrong = nodes_agree(url, cluster)
            assert not wrong, wrong
            Migrator(with_options(url), project).migrate()
            wrong = nodes_agree(url, cluster)
            assert not wrong, wrong
            assert not Migrator(url, project).migrate()
    say(f"kills: {many} ({dict(done)}), nothing torn on {len(cluster)} workers")


def drift(url: str) -> None:
    """Compare the distributed database with what its migrations make."""
    answer = subprocess.run(
        [*PROGRAM, "--project", EXAMPLE, "--database", url, "drift"],
        capture_output=True,
        text=True,
        check=False,
    )
    say("drift:", answer.returncode, answer.stdout.strip(), answer.stderr.strip())
    assert answer.returncode == 0


def per_second(url: str, seconds: float = 8.0) -> str:
    """Return how many reads and writes a second 16 tasks get."""

    async def main() -> list[float]:
        found = []
        async with AsyncDatabase.connect(url, max_size=16, timeout=60) as db:
            for write in (False, True):
                made = 0
                until = time.monotonic() + seconds

                async def work(write: bool = write, until: float = until) -> None:
                    nonlocal made
                    while time.monotonic() < until:
                        user = f"u{random.randrange(USERS)}"
                        if write:
                            await tasks.create_task(db.as_user(user), title=f"{user} x")
                        else:
                            await tasks.list_tasks(db.as_user(user), limit=20)
                        made += 1

                await asyncio.gather(*(work() for _ in range(16)))
                found.append(made / seconds)
        return found

    reads, writes = asyncio.run(main())
    return f"{reads:.0f} reads, {writes:.0f} writes"


def speed(base: str) -> None:
    """Compare one worker, two, and a server without Citus: all on this machine."""
    cluster = workers(base)
    with ExitStack() as stack:
        plain = stack.enter_context(temporary_server(15))
        with psycopg.connect(plain.url("postgres"), autocommit=True) as admin:
            admin.execute("create database one")
        Migrator(plain.url("one"), load_project(load_config(EXAMPLE.parents[1]))).migrate()
        urls = {"one server": plain.url("one")}
        for count in range(1, len(cluster) + 1):
            url = stack.enter_context(cluster_database(base, nodes=cluster[:count]))
            distribute(url)
            urls[f"{count} worker{'s' if count > 1 else ''}"] = url
        for url in urls.values():
            add_users(url)
        for turn in (1, 2):
            for name, url in urls.items():
                say(f"speed: {name}, turn {turn}: {per_second(url)} a second")


def worker(url: str, stop: str, start: str, seconds: float = 120.0) -> None:
    """Stop and start a worker under load: acknowledged creates are there once."""
    kept: list[tuple[str, UUID]] = []
    errors: Counter[str] = Counter()

    async def main() -> None:
        async with AsyncDatabase.connect(url, max_size=16, timeout=10) as db:
            until = time.monotonic() + seconds

            async def work() -> None:
                while time.monotonic() < until:
                    user, id = f"u{random.randrange(USERS)}", uuid4()
                    try:
                        await tasks.create_task(db.as_user(user), public_id=id, title=f"{user} x")
                        kept.append((user, id))
                    except TodoSqlError as error:
                        errors[type(error).__name__] += 1
                        await asyncio.sleep(0.05)

            async def disturb() -> None:
                await asyncio.sleep(seconds / 4)
                for command in (stop, start):
                    process = await asyncio.create_subprocess_exec(*shlex.split(command))
                    await process.wait()
                    await asyncio.sleep(seconds / 6)

            await asyncio.gather(disturb(), *(work() for _ in range(16)))

    asyncio.run(main())
    with psycopg.connect(url, autocommit=True) as connection:
        there = Counter(connection.execute("select user_id, public_id from tasks").fetchall())
        made = Counter(
            connection.execute(
                "select user_id, public_id from audit_log "
                "where table_name = 'tasks' and operation = 'insert'"
            ).fetchall()
        )
    lost = [one for one in kept if there[one] != 1 or made[one] != 1]
    say(f"worker: {len(kept)} acknowledged, {len(lost)} lost or twice, errors {dict(errors)}")
    assert not lost


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("parts", nargs="*", default=[])
    parser.add_argument("--stop")
    parser.add_argument("--start")
    given = parser.parse_args()
    base = coordinator()
    parts = given.parts or ["calls", "trips", "drift", "kills", "speed"]
    if {"calls", "trips", "drift", "worker"} & set(parts):
        with cluster_database(base) as url:
            distribute(url)
            if "drift" in parts:
                drift(url)
            add_users(url)
            if "calls" in parts:
                calls(url)
            if "trips" in parts:
                trips(url)
            if "worker" in parts:
                worker(url, given.stop, given.start)
    if "kills" in parts:
        kills(base)
    if "speed" in parts:
        speed(base)


if __name__ == "__main__":
    main()
