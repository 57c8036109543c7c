"""What the fault tests of migrating share: a folder of every kind of work, and what must hold."""

from __future__ import annotations

import random
import time
from pathlib import Path

import psycopg

from support import migrate_process
from support.backends import backends_settle_at, kill_server
from support.migrations import applied, fetch, invalid_indexes, tables, write
from support.proxy import Proxy
from todo_sql.embedded.server import EmbeddedServer
from todo_sql.errors import TodoSqlError
from todo_sql.migrations import migrate

NONTRANSACTIONAL = "20260103000000_index"


def write_folder(folder: Path, pause: float = 0.0, tables: str = "abdefg") -> list[str]:
    """Write transactional and non-transactional migrations; return their ids.

    Beside them lie two repeatable files and a hook that notes each migration.

    Args:
        folder: Where.
        pause: Seconds that each migration sleeps, so that a kill finds it at work.
        tables: Each is made by a migration; `a` stands before the index work, `d` after it.
    """
    sleep = f"select pg_sleep({pause});\n" if pause else ""
    ids = []
    for name in tables:
        id = f"202601{'abcdefg'.index(name) + 1:02}000000_create_{name}"
        more = "create index idx_a_gone on a (id, id);\n" if name == "a" else ""
        text = f"{sleep}create table {name} (id int);\n{more}{sleep}"
        write(folder, id, text, f"drop table {name};")
        ids.append(id)
    write(
        folder,
        NONTRANSACTIONAL,
        """\
        -- transactional: false
        set maintenance_work_mem = '8MB';
        create index concurrently idx_a_id on a (id);
        create unique index concurrently if not exists idx_a_unique on a (id) where id > 0;
        reindex index concurrently idx_a_id;
        drop index concurrently idx_a_gone;
        vacuum a;
        """,
        "-- transactional: false\ndrop index concurrently if exists idx_a_id;\n"
        "drop index concurrently if exists idx_a_unique;\n",
    )
    ids.append(NONTRANSACTIONAL)
    write_beside(folder, "a", sleep)
    return sorted(ids)


def write_beside(folder: Path, table: str, sleep: str = "") -> None:
    """Write two repeatable files on a table, and a hook that notes each migration."""
    for name in ("repeatable", "hooks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    first, second = (folder / "repeatable" / f"{name}.sql" for name in ("z_first", "second"))
    view = f"v_{table}"
    first.write_text(f"{sleep}create or replace view {view} as select id from {table};\n{sleep}")
    second.write_text(
        f"-- depends: z_first\n{sleep}create or replace view {view}_count as "
        f"select count(*) as n from {view};\n{sleep}"
    )
    (folder / "hooks" / "before.sql").write_text(f"{sleep}select 1;\n")
    (folder / "hooks" / "after.sql").write_text(f"{sleep}select 1;\n")
    (folder / "hooks" / "after_each.sql").write_text(
        f"create table if not exists seen_{table} (id text primary key);\n"
        f"insert into seen_{table} values (current_setting('todo_sql.migration'));\n"
    )


def check_beside(url: str, table: str, schema: str = "public", *, whole: bool = False) -> None:
    """Assert that the hook noted what is applied, and that views and their records agree."""
    done = fetch(url, f"select migration_id from {schema}._yoyo_migration order by 1")
    if fetch(url, f"select to_regclass('seen_{table}')::text") != [None]:
        assert fetch(url, f"select id from seen_{table} order by 1") == done
    else:
        assert done == []
    views = f"select count(*) from pg_views where viewname in ('v_{table}', 'v_{table}_count')"
    runs = f"{schema}._todo_sql_repeatable"
    recorded = 0
    if fetch(url, f"select to_regclass('{runs}')::text") != [None]:
        (recorded,) = fetch(url, f"select count(*) from {runs}")
    assert fetch(url, views) == [recorded]
    assert not whole or recorded == 2


def write_service(folder: Path, name: str, number: int = 10) -> list[str]:
    """Write the migrations of a service whose tables bear its name; return their ids."""
    ids = []
    for at in range(number):
        text = f"create table {name}{at} (id int primary key);\n"
        if at == number // 2:
            text = (
                "-- transactional: false\n"
                f"create index concurrently if not exists i_{name} on {name}0 (id);\n"
            )
        ids.append(f"202601{at + 1:02}000000_step")  # the same for every service
        write(folder, ids[-1], text)
    write_beside(folder, f"{name}0")
    return ids


DURABLE = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "wal_level": "replica",
}


def write_chain(folder: Path, number: int) -> list[str]:
    """Write migrations each of which makes a table and changes the one before; return their ids.

    Every tenth runs outside of a transaction.
    """
    ids = []
    for at in range(number):
        text = (
            f"create table t{at} (id int primary key, word text);\n"
            f"insert into t{at} select i, repeat('x', 200) from generate_series(1, 50) as i;\n"
        )
        if at:
            text += f"alter table t{at - 1} add column next_is_t{at} int default {at};\n"
        if at % 10 == 9:
            text = (
                "-- transactional: false\n"
                f"create table if not exists t{at} (id int primary key);\n"
                f"create index concurrently if not exists i{at} on t{at - 1} (word);\n"
            )
        ids.append(f"202601{at // 24 + 1:02}{at % 24:02}0000_t{at}")
        write(folder, ids[-1], text)
    return ids


def crash_within(server: EmbeddedServer, folder: Path, ids: list[str], seconds: float) -> int:
    """Kill server and all at a random moment of a run, start it again, look, run again, look.

    Args:
        server: A server that is `DURABLE`, and nobody else's.
        folder: Of the migrations that `write_chain` wrote.
        ids: Theirs.
        seconds: How long a run takes at most.

    Returns:
        How many migrations that had been told as applied were lost.
    """
    name = f"crash_{random.randrange(10**9)}"
    with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
        admin.execute(f"create database {name}".encode())
    process = migrate_process.spawn(server.url(name), folder)
    migrate_process.go(process)
    time.sleep(random.uniform(0, seconds))
    pid = server.status().pid
    assert pid is not None
    kill_server(pid)
    server.start()
    out, err = process.communicate(timeout=90)
    told, url = out.split(), server.url(name)
    found = applied(url) if fetch(url, "select to_regclass('_yoyo_migration')::text")[0] else []
    check_chain(url, ids[: len(found)])
    lost = told[len(found) :]
    assert not lost or lost[0] in err, err
    migrate(url, folder)
    check_chain(url, ids)
    with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
        admin.execute(f"drop database {name}".encode())
    return len(lost)


def check_chain(url: str, ids: list[str]) -> None:
    """Assert that these of `write_chain` are applied, whole and marked, and nothing else is.

    Of one that runs outside of a transaction, and is not done, something may be there.
    """
    if not ids and fetch(url, "select to_regclass('_yoyo_migration')::text") == [None]:
        assert tables(url) == []
        return
    assert applied(url) == ids
    for table in ("_yoyo_log", "_todo_sql_ledger where checksum is not null"):
        assert fetch(url, f"select count(*) from {table}") == [len(ids)], table
    begun = set(fetch(url, "select migration_id from _todo_sql_ledger where checksum is null"))
    made, names = set(tables(url)), [id.rpartition("_")[2] for id in ids]
    assert set(names) <= made <= {*names, *(id.rpartition("_")[2] for id in begun)}
    columns = fetch(
        url,
        "select attname from pg_attribute where attname ~ '^next_is_' and not attisdropped",
    )
    assert sorted(columns) == sorted(
        f"next_is_{name}" for at, name in enumerate(names) if at and at % 10 != 9
    )
    for at, name in enumerate(names):
        rows = [0] if at % 10 == 9 else [50]
        assert fetch(url, f"select count(*) from {name}") == rows, name
    assert invalid_indexes(url) == [] or begun


def check_torn(url: str, ids: list[str]) -> None:
    """Assert that no migration is applied and unmarked, or marked and unapplied."""
    if fetch(url, "select to_regclass('_yoyo_migration')::text") == [None]:
        assert tables(url) == []
        return
    check_beside(url, "a")
    made = {name for name in tables(url) if len(name) == 1}
    marked = {id[-1] for id in applied(url) if id != NONTRANSACTIONAL}
    assert made == marked, f"applied {made}, marked {marked}"
    assert fetch(url, "select count(*) from _yoyo_log") == [len(applied(url))]


def check_whole(url: str, ids: list[str]) -> None:
    """Assert that everything is there, once, and nothing is left over."""
    assert applied(url) == ids
    assert fetch(url, "select count(*) from _yoyo_log") == [len(ids)]
    check_torn(url, ids)
    check_beside(url, "a", whole=True)
    assert invalid_indexes(url) == []
    assert fetch(
        url,
        "select indexrelid::regclass::text from pg_index where indrelid = 'a'::regclass order by 1",
    ) == ["idx_a_id", "idx_a_unique"]
    assert fetch(url, "select count(*) from _todo_sql_ledger where progress is not null") == [0]


def count_messages(url: str, folder: Path) -> int:
    """Return how many messages a whole run exchanges."""
    with Proxy(url) as proxy, proxy.counting() as counted:
        migrate(proxy.url, folder)
    return counted.from_client + counted.from_server


def cut_after(url: str, folder: Path, ids: list[str], message: int) -> str:
    """Cut the connection after a message, look, run again, look; return what the run said."""
    said = "it finished"
    with Proxy(url) as proxy:
        proxy.fault("cut", after=message)
        try:
            migrate(proxy.url, folder)
        except (TodoSqlError, psycopg.Error) as error:
            said = str(error)
    assert backends_settle_at(0, url), "the session of the run that was cut off lives on"
    check_torn(url, ids)
    migrate(url, folder)
    check_whole(url, ids)
    return said


def kill_within(url: str, folder: Path, ids: list[str], seconds: float) -> None:
    """SIGKILL a migrator at a random moment, look, run again, look."""
    process = migrate_process.spawn(url, folder)
    migrate_process.go(process)
    time.sleep(random.uniform(0, seconds))
    process.kill()
    process.communicate(timeout=30)
    assert backends_settle_at(0, url), "the session of the run that was cut off lives on"
    check_torn(url, ids)
    migrate(url, folder)
    check_whole(url, ids)
