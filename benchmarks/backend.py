"""The Todo API on todo-sql beside the same API on SQLModel, under the same load.

    python benchmarks/backend.py                     two minutes a side, 32 connections
    python benchmarks/backend.py --seconds 20        a quick look
    python benchmarks/backend.py --outage            the database stopped and started under load

Each side is one uvicorn process with the same pool size, on a database of its own with the
same rows. The sides take turns in slices of a few seconds, so that whatever else the machine
does meets both. `sqlmodel` is scoped like ours (row security holds); `sqlmodel-unscoped`
leaves the isolation to its where clauses and saves a round trip.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from urllib.request import urlopen

import psycopg
from http_load import Load, Person, Reply, statuses

from todo_sql.embedded.server import EmbeddedServer
from todo_sql.embedded.temporary import temporary_server
from todo_sql.migrations import migrate

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "examples" / "fastapi_backend"
sys.path.insert(0, str(EXAMPLE))

from todo_backend.cookies import cookie_name, signed  # noqa: E402

SECRET = "a secret of the benchmark, 32 letters"
SIDES = {
    "todo-sql": (["--factory", "todo_backend.app:create_app"], {}),
    "sqlmodel": (["sqlmodel_backend:app"], {"SCOPED": "1"}),
    "sqlmodel-unscoped": (["sqlmodel_backend:app"], {"SCOPED": "0"}),
}


@dataclass
class Side:
    """A backend at work and what it answered."""

    name: str
    port: int
    people: list[Person]
    pid: int
    replies: list[Reply] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)


def template(server: EmbeddedServer, people: int, tasks: int) -> list[tuple[str, str]]:
    """Make the database that every side gets a copy of; return each user's id and cookie."""
    with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
        admin.execute("create database bench")
        migrate(server.url("bench"), ROOT / "migrations")
        password = psycopg.conninfo.conninfo_to_dict(server.url())["password"]
        admin.execute(f"create role backend login password '{password}' in role todo_app")
    users = [(f"user{number}", secrets.token_urlsafe(24)) for number in range(people)]
    with psycopg.connect(server.url("bench"), autocommit=True) as owner:
        for user, token in users:
            owner.execute(
                "insert into users (id, name, email) values (%(u)s, %(u)s, %(u)s)", {"u": user}
            )
            owner.execute(
                "insert into sessions (id, user_id, token, expires_at)"
                " values (%(u)s, %(u)s, %(t)s, now() + interval '1 day')",
                {"u": user, "t": token},
            )
        owner.execute(
            "insert into tasks (user_id, title, description, completed, created_at)"
            " select u.id, 'task ' || n, repeat('x', n %% 100), n %% 3 = 0,"
            " now() - n * interval '1 minute'"
            " from users as u cross join generate_series(1, %s) as n",
            (tasks,),
        )
        owner.execute("vacuum analyze")
    return [(user, f"{cookie_name('')}={signed(token, SECRET)}") for user, token in users]


@contextmanager
def backend(
    server: EmbeddedServer, name: str, users: list[tuple[str, str]], pool: int
) -> Iterator[Side]:
    """Run one side on a copy of the template."""
    database = "bench_" + name.replace("-", "_")
    with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
        admin.execute(f"create database {database} template bench")
    with psycopg.connect(server.url(database)) as owner:
        people = [
            Person(
                cookie,
                [
                    row[0]
                    for row in owner.execute(
                        "select public_id from tasks where user_id = %s", (user,)
                    ).fetchall()
                ],
            )
            for user, cookie in users
        ]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments, variables = SIDES[name]
    command = [sys.executable, "-m", "uvicorn", *arguments, "--port", str(port)]
    environment = {
        **os.environ,
        **variables,
        "DATABASE_URL": _login(server.url(database), name),
        "BETTER_AUTH_SECRET": SECRET,
        "POOL_SIZE": str(pool),
        "ADDRESS_RATE": "0",
        "USER_RATE": "0",
        "PYTHONPATH": os.pathsep.join([str(EXAMPLE), str(Path(__file__).parent)]),
    }
    with subprocess.Popen(
        [*command, "--log-level", "critical", "--no-access-log"], env=environment
    ) as process:
        try:
            _wait(port, process)
            yield Side(name, port, people, process.pid)
        finally:
            process.terminate()


def _login(url: str, name: str) -> str:
    """Return the URL for the backend's login; without scope only the owner sees any row."""
    return url if name == "sqlmodel-unscoped" else url.replace("postgres:", "backend:", 1)


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(1200):
        if process.poll() is not None:
            break
        try:
            urlopen(f"http://127.0.0.1:{port}/health").close()
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit("a backend did not start")


def side_by_side(options: argparse.Namespace) -> int:
    """Load every side in turns and print a table; return 1 if a request was not answered well."""
    with temporary_server(18) as server, ExitStack() as stack:
        users = template(server, options.connections, options.tasks)
        sides = [
            stack.enter_context(backend(server, name, users, options.pool))
            for name in options.sides
        ]
        for side in sides:  # warm up
            asyncio.run(Load(side.port, side.people, options.connections).run(2, 0))
        turns = max(1, round(options.seconds / options.slice))
        for turn in range(turns):
            for side in sides if turn % 2 == 0 else sides[::-1]:
                load = Load(side.port, side.people, options.connections)
                started = perf_counter()
                replies = asyncio.run(load.run(options.slice, turn + 1))
                side.rates.append(len(replies) / (perf_counter() - started))
                side.replies += replies
    first = statistics.median(sides[0].rates)
    print(
        f"{options.connections} connections, pools of {options.pool}, {turns} turns of "
        f"{options.slice:g} s a side, {options.tasks} tasks a user"
    )
    print(f"{'side':20}{'requests/s':>11}{'p50 ms':>9}{'p99 ms':>9}{'errors':>8}{'ratio':>8}")
    for side in sides:
        times = sorted(reply.seconds for reply in side.replies)
        errors = sum(map(_is_error, side.replies))
        rate = statistics.median(side.rates)
        print(
            f"{side.name:20}{rate:11.0f}{_at(times, 0.5):9.1f}{_at(times, 0.99):9.1f}"
            f"{errors:8}{first / rate:8.2f}"
        )
    print("\nmedian ms by kind of request")
    kinds = sorted({reply.kind for reply in sides[0].replies})
    print(f"{'side':20}" + "".join(f"{kind:>10}" for kind in kinds))
    for side in sides:
        medians = [
            statistics.median(r.seconds for r in side.replies if r.kind == kind) for kind in kinds
        ]
        print(f"{side.name:20}" + "".join(f"{median * 1e3:10.1f}" for median in medians))
    wrong = [(side.name, reply) for side in sides for reply in side.replies if _is_error(reply)]
    for name, reply in wrong[:20]:
        print(f"{name}: {reply}")
    return int(bool(wrong))


def _at(times: list[float], part: float) -> float:
    return times[min(len(times) - 1, int(len(times) * part))] * 1e3


@dataclass
class Outage:
    """When the database was away."""

    begin: float
    end: float = 0.0


def outage(options: argparse.Namespace) -> int:
    """Stop and start the database under load; return 1 if it cost more than 503s."""
    outages: list[Outage] = []

    async def stop_and_start(server: EmbeddedServer) -> None:
        for _ in range(options.outages):
            await asyncio.sleep(options.seconds / (options.outages + 1) - options.away / 2)
            outages.append(Outage(perf_counter()))
            await asyncio.to_thread(server.stop)
            await asyncio.sleep(options.away)
            await asyncio.to_thread(server.start)
            outages[-1].end = perf_counter()

    with temporary_server(18) as server:
        users = template(server, options.connections, options.tasks)
        with backend(server, "todo-sql", users, options.pool) as side:
            load = Load(side.port, side.people, options.connections, insist=True)

            async def both() -> list[Reply]:
                replies, _ = await asyncio.gather(
                    load.run(options.seconds, 1), stop_and_start(server)
                )
                return replies

            replies = asyncio.run(both())
            with psycopg.connect(server.url("bench_todo_sql")) as owner:
                made = owner.execute(
                    "select count(*), count(distinct (user_id, public_id)) from tasks"
                    " where title like 'task %-%-%' or title like 'changed %'"
                ).fetchone()
                copies = owner.execute(
                    "select count(*) from (select title from tasks where title like 'task %-%-%'"
                    " group by title having count(*) > 1) as t"
                ).fetchone()
                there = {
                    str(row[0]) for row in owner.execute("select public_id from tasks").fetchall()
                }
    import json

    acknowledged = {json.loads(body)["public_id"] for body in load.created}
    lost = acknowledged - there
    assert made is not None and copies is not None
    after = [r for r in replies if _is_error(r) and not _while_away(r, outages)]
    wrong = [r for r in replies if _is_error(r) and r.status != 503]
    slowest = max(reply.seconds for reply in replies)
    print(f"{len(replies)} requests, {options.outages} outages of {options.away:g} s and a restart")
    print(f"answers: {dict(sorted(statuses(replies).items()))}; slowest {slowest:.1f} s")
    print(f"creates acknowledged: {len(acknowledged)}, lost: {len(lost)}, doubled: {copies[0]}")
    print(f"errors that are no 503: {len(wrong)}, errors without an outage: {len(after)}")
    for reply in [*wrong, *after][:10]:
        print(" ", reply)
    return int(bool(lost or wrong or after or copies[0]))


def _is_error(reply: Reply) -> bool:
    return reply.status == 0 or reply.status >= 400


def _while_away(reply: Reply, outages: list[Outage]) -> bool:
    """Whether any part of the request's time met an outage."""
    return any(
        reply.started <= outage.end and reply.started + reply.seconds >= outage.begin
        for outage in outages
    )


def main() -> int:
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=120, help="of load, for each side")
    parser.add_argument("--slice", type=float, default=5, help="seconds of a turn")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--pool", type=int, default=10, help="connections to the database")
    parser.add_argument("--tasks", type=int, default=1000, help="for each of the users")
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument("--outage", action="store_true", help="stop the database under load")
    parser.add_argument("--outages", type=int, default=3)
    parser.add_argument("--away", type=float, default=8, help="seconds that an outage lasts")
    options = parser.parse_args()
    return outage(options) if options.outage else side_by_side(options)


if __name__ == "__main__":
    sys.exit(main())
