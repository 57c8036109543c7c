"""What the fault tests of migrating share: a folder of every kind of work, and what must hold."""

from __future__ import annotations

import random
import time
from pathlib import Path

import psycopg

from support import migrate_process
from support.backends import backends_settle_at
from support.migrations import applied, fetch, invalid_indexes, tables, write
from support.proxy import Proxy
from todo_sql.errors import TodoSqlError
from todo_sql.migrations import migrate

NONTRANSACTIONAL = "20260103000000_index"


def write_folder(folder: Path, pause: float = 0.0, tables: str = "abdefg") -> list[str]:
    """Write transactional and non-transactional migrations; return their ids.

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
    return sorted(ids)


def check_torn(url: str, ids: list[str]) -> None:
    """Assert that no migration is applied and unmarked, or marked and unapplied."""
    if fetch(url, "select to_regclass('_yoyo_migration')::text") == [None]:
        assert tables(url) == []
        return
    made = {name for name in tables(url) if len(name) == 1}
    marked = {id[-1] for id in applied(url) if id != NONTRANSACTIONAL}
    assert made == marked, f"applied {made}, marked {marked}"
    assert fetch(url, "select count(*) from _yoyo_log") == [len(applied(url))]


def check_whole(url: str, ids: list[str]) -> None:
    """Assert that everything is there, once, and nothing is left over."""
    assert applied(url) == ids
    assert fetch(url, "select count(*) from _yoyo_log") == [len(ids)]
    check_torn(url, ids)
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
