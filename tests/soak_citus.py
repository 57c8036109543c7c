"""What a coordinator with Citus and its workers have to hold, at length.

    TODO_SQL_CITUS_URL=postgresql://… python tests/soak_citus.py \\
        [calls] [trips] [kills] [drift] [builds] [speed] [away worker --stop … --start …]

calls   10,000 calls of random tenants from 16 tasks: no row of another; each named query goes
        to one shard, as the coordinator tells of each command that it sends to a node.
trips   Round trips of a scoped read and write under 20 ms of latency, as on one server.
kills   20 kills of `migrate`, at random: afterwards it ends, and every node agrees.
drift   `drift` after distributing: empty.
builds  Kills of `migrate`, and a worker that goes, during a concurrent index build.
away    A worker is stopped while `migrate` distributes, by the two commands that are given.
speed   Calls per second with one worker, with two, and on one server without Citus.
worker  A worker is stopped and started during a load of two minutes, by the two commands:
        what was acknowledged is there once, the rest were typed errors.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
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
from support.proxy import Fault, Message, Proxy, _Link

from todo_sql import AsyncDatabase, Database, TodoSqlError, Unavailable
from todo_sql.config import load_config
from todo_sql.embedded.temporary import temporary_server
from todo_sql.migrations.files.beside import load_project
from todo_sql.migrations.migrator import Migrator
from todo_sql.todo import audit, lists, tags, tasks

USERS = 50
NAMED = ("create", "list", "page", "count", "complete", "history", "tag", "batch")
PROGRAM = [sys.executable, "-m", "todo_sql"]


Pause = Callable[[], AbstractContextManager[None]]  # a worker is stopped for its block


@contextmanager
def stopped(stop: str, start: str) -> Iterator[None]:
    """Stop a worker by one command, and start it by the other at the end."""
    subprocess.run(shlex.split(stop), check=True, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        subprocess.run(shlex.split(start), check=True, stdout=subprocess.DEVNULL)


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
    kind = random.choice((*NAMED, "unconditioned"))
    if kind == "create":
        await tasks.create_task(me, title=f"{user} {uuid4()}")
    elif kind == "list":
        check(user, [task.title for task in await tasks.list_tasks(me, limit=20)])
    elif kind == "page":
        page = await tasks.page_tasks(me, limit=20)
        check(user, [task.title for task in page.items])
    elif kind == "unconditioned":  # row security alone keeps the others' rows away: on all shards
        seen = await me.sql("select user_id from tasks", str)
        check(user, seen)
    elif kind == "count":
        await tasks.count_tasks(me)
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


class Overheard(Proxy):
    """A proxy that hears to which shards the coordinator goes in each transaction.

    With `citus.log_remote_commands` the coordinator tells its client of each command that it
    sends to a node. Tables of one colocation group have one shard each for a range of tenants;
    these count as one place.

    Attributes:
        transactions: How many transactions went to so many places.
    """

    def __init__(self, url: str) -> None:
        super().__init__(with_options(url, "-c citus.log_remote_commands=on"))
        self.transactions: Counter[int] = Counter()
        self.commands = 0
        self._heard: dict[int, set[tuple[str, str]]] = {}
        with psycopg.connect(url, autocommit=True) as admin:
            self._ranges: dict[str, str] = dict(
                admin.execute(
                    "select shardid::text, shardminvalue from pg_dist_shard "
                    "where shardminvalue is not null"  # a reference table is on every node
                ).fetchall()
            )

    def _seen(self, link: _Link, message: Message) -> Fault | None:
        places = self._heard.setdefault(id(link), set())
        if message.type == b"N" and message.side == "server":
            told = message.body.decode()
            node = re.search(r"on server \S+@(\S+) connectionId", told)
            if node:
                self.commands += 1
                for shard in re.findall(r"_(\d{6,})\b", told):
                    if shard in self._ranges:
                        places.add((node[1], self._ranges[shard]))
        elif message.type == b"Z" and message.body == b"I" and message.side == "server":
            self.transactions[len(places)] += 1
            places.clear()
        return super()._seen(link, message)


def calls(url: str, many: int = 10_000) -> None:
    """Make calls of random tenants; count the shards that the coordinator asks for each."""

    async def main(url: str) -> Counter[str]:
        made: Counter[str] = Counter()
        async with AsyncDatabase.connect(url, max_size=16, timeout=120) as db:

            async def work() -> None:
                for _ in range(many // 16):
                    made[await one_call(db, f"u{random.randrange(USERS)}")] += 1

            await asyncio.gather(*(work() for _ in range(16)))
        return made

    with Overheard(url) as proxy:
        begin = time.monotonic()
        made = asyncio.run(main(proxy.url))
        seconds = time.monotonic() - begin
        say(f"calls: {made.total()} in {seconds:.0f} s, 0 foreign rows: {dict(made)}")
        counted = dict(sorted(proxy.transactions.items()))
        say(f"calls: {proxy.commands} commands to nodes; transactions by shards: {counted}")
        several = sum(times for shards, times in counted.items() if shards > 1)
        named = made.total() - made["unconditioned"]
        assert several == made["unconditioned"] > 0 and counted[1] >= named, counted


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


def disturbed(project: Path, url: str, after: float, pause: Pause | None = None) -> str:
    """Begin `migrate` and kill it, or stop a worker under it; then let another run end it.

    No node may be left with a part, neither before the second run nor behind it.

    Args:
        project: Its folder.
        url: Of the coordinator's database.
        after: Seconds to wait first.
        pause: Stops the worker; None kills `migrate`.

    Returns:
        What came of the first run.
    """
    command = [*PROGRAM, "--project", str(project), "--database", with_options(url)]
    with subprocess.Popen(
        [*command, "migrate", "--quiet"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        time.sleep(after)
        if pause is None:
            came = "killed" if process.poll() is None else "had ended"
            process.kill()
        else:
            with pause():
                _, told = process.communicate()
            code = re.search(r"\b[A-Z]\d{3}\b", told)
            came = f"worker away: {process.returncode} {code[0] if code else ''}".strip()
            assert process.returncode not in (70, -9) and "Traceback" not in told, told
    settle(url)
    cluster = workers(url)
    assert not (wrong := nodes_agree(url, cluster)), wrong
    migrations = load_project(load_config(project))
    Migrator(with_options(url), migrations).migrate()
    assert not (wrong := nodes_agree(url, cluster)), wrong
    assert not Migrator(url, migrations).migrate()
    return came


def settle(url: str) -> None:
    """Wait until the backends of a run that is gone have noticed, and rolled back."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with psycopg.connect(url, autocommit=True) as admin:
            busy = admin.execute(
                "select count(*) from pg_stat_activity where datname = current_database() "
                "and application_name like 'todo-sql%'"
            ).fetchone()
            admin.execute("select recover_prepared_transactions()")
        if busy == (0,):
            return
        time.sleep(0.2)
    raise AssertionError("a backend of the run is still there")


def kills(base: str, pause: Pause | None = None, many: int = 20) -> None:
    """Kill `migrate` at random moments while it distributes, or stop a worker under it."""
    done = Counter[str]()
    whole = load_project(load_config(EXAMPLE.parents[1]))
    for _ in range(many):
        with cluster_database(base) as url:
            Migrator(with_options(url), whole).migrate()
            done[disturbed(EXAMPLE, url, 0.5 + random.random() * 3.5, pause)] += 1
        say(f"{'away' if pause else 'kills'}: {dict(done)} so far, nothing torn on any node")


BUILD = """\
-- transactional: false
create index concurrently idx_tasks_user_id_title on tasks (user_id, title, id);
"""
BUILT = """
select count(*), count(*) filter (where i.indisvalid) from pg_index as i
where i.indexrelid::regclass::text like 'idx_tasks_user_id_title%'
"""


def builds(base: str, pause: Pause | None = None, many: int = 10) -> None:
    """Kill `migrate`, or stop a worker, while it builds an index concurrently on the shards."""
    cluster = workers(base)
    done = Counter[str]()
    with cluster_database(base) as url, tempfile.TemporaryDirectory() as folder:
        distribute(url)
        add_users(url)
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute(
                f"insert into tasks (user_id, title) select 'u' || n % {USERS}, md5(n::text) "
                "from generate_series(1, 60000) as n".encode()
            )
        project = Path(folder)
        more = project / "migrations"
        more.mkdir()
        (more / "20270101000000_create_idx_tasks_title.sql").write_text(BUILD)
        (more / "20270101000000_create_idx_tasks_title.rollback.sql").write_text(
            "-- transactional: false\ndrop index concurrently idx_tasks_user_id_title;\n"
        )
        text = (EXAMPLE / "todo-sql.toml").read_text().replace("../../", f"{EXAMPLE.parents[1]}/")
        given = f'"{EXAMPLE / "migrations"}", "migrations"]'
        (project / "todo-sql.toml").write_text(text.replace('"migrations"]', given))
        migrations = load_project(load_config(project))
        for number in range(many):
            after = 0.4 + random.random() * 1.2
            done[disturbed(project, url, after, pause if number % 2 else None)] += 1
            with psycopg.connect(url, autocommit=True) as admin:
                assert admin.execute(BUILT).fetchone() == (1, 1)
                shards = admin.execute(
                    "select count(*) from citus_shards where table_name = 'tasks'::regclass"
                ).fetchone()
                on_nodes = admin.execute(
                    "select sum(split_part(r.result, '|', 1)::int), "
                    "sum(split_part(r.result, '|', 2)::int) from run_command_on_workers(%s) as r",
                    [BUILT.replace("count(*),", "count(*) || '|' ||")],
                ).fetchone()
            want = (shards[0] if shards else 0) + len(cluster)  # each knows the whole table, too
            assert on_nodes == (want, want), (want, on_nodes)
            Migrator(with_options(url), migrations).rollback(to=[one.id for one in migrations][-2])
            say(f"builds: {dict(done)} so far, whole on every shard")
    say(f"builds: {many} ({dict(done)}), the index valid on every shard, none left over")


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


def worker(url: str, pause: Pause, seconds: float = 120.0) -> None:
    """Stop and start a worker under load: acknowledged creates are there once."""
    kept: list[tuple[str, UUID]] = []
    refused: list[tuple[str, UUID]] = []
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
                        if isinstance(error, Unavailable) and not error.outcome_unknown:
                            refused.append((user, id))
                        errors[f"{type(error).__name__} {getattr(error, 'sqlstate', None)}"] += 1
                        await asyncio.sleep(0.05)

            def disturb() -> None:
                time.sleep(seconds / 4)
                with pause():
                    time.sleep(seconds / 6)

            await asyncio.gather(asyncio.to_thread(disturb), *(work() for _ in range(16)))

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
    wrong = [one for one in refused if there[one]]
    say(f"worker: {len(kept)} acknowledged, {len(lost)} lost or twice, errors {dict(errors)}")
    say(f"worker: {len(refused)} said that nothing was changed, {len(wrong)} of them wrongly")
    assert not lost
    assert not wrong


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("parts", nargs="*", default=[])
    parser.add_argument("--stop")
    parser.add_argument("--start")
    parser.add_argument("--many", type=int, help="of calls or rounds, instead of the usual number")
    given = parser.parse_args()
    many = {} if given.many is None else {"many": given.many}
    pause = partial(stopped, given.stop, given.start) if given.stop and given.start else None
    base = coordinator()
    parts = given.parts or ["calls", "trips", "drift", "kills", "builds", "speed"]
    if pause is None and {"away", "worker"} & set(parts):
        parser.error("away and worker need --stop and --start")
    if {"calls", "trips", "drift", "worker"} & set(parts):
        with cluster_database(base) as url:
            distribute(url)
            if "drift" in parts:
                drift(url)
            add_users(url)
            if "calls" in parts:
                calls(url, **many)
            if "trips" in parts:
                trips(url)
            if "worker" in parts and pause:
                worker(url, pause)
    if "kills" in parts:
        kills(base, **many)
    if "away" in parts:
        kills(base, pause, **({"many": 8} | many))
    if "builds" in parts:
        builds(base, pause, **many)
    if "speed" in parts:
        speed(base)


if __name__ == "__main__":
    main()
