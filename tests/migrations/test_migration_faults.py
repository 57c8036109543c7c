"""Cut connections, kills and crowds: never applied and unmarked, and the next run finishes.

The long forms are in ``tests/soak_migrations.py``.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import psycopg
import pytest
from support import migrate_process
from support.backends import backends_settle_at, kill_server
from support.database import Owner, Server, database
from support.migration_faults import (
    DURABLE,
    check_whole,
    count_messages,
    crash_within,
    cut_after,
    kill_within,
    write_chain,
    write_folder,
)
from support.migrations import applied, fetch, invalid_indexes, migrator, tables, write
from support.proxy import Proxy
from support.standby import primary_and_standby

from todo_sql.embedded.server import EmbeddedServer
from todo_sql.embedded.temporary import temporary_server
from todo_sql.migrations import migrate
from todo_sql.migrations.migration_errors import MigrationFailed

# No process but a backend whose commit waits hands the log to the disk.
NOTHING_BY_ITSELF = {"wal_writer_delay": "10s", "wal_writer_flush_after": "1GB"}


CUTS, KILLS, CROWD, CRASHES = 4, 1, 3, 2


def test_a_cut_connection_tears_nothing(server: Server, owner: Owner, tmp_path: Path) -> None:
    """After the k-th message, for some k of a run (the soak: for every k)."""
    ids = write_folder(tmp_path, tables="ad")
    with database(server, owner) as name:
        messages = count_messages(server.url(name, owner.name), tmp_path)
    chance = random.Random(messages)
    for message in sorted(chance.sample(range(1, messages), CUTS)):
        with database(server, owner) as name:
            cut_after(server.url(name, owner.name), tmp_path, ids, message)


def test_a_connection_cut_at_the_end_is_said(server: Server, owner: Owner, tmp_path: Path) -> None:
    """After each of the last messages: also where every commit was told, and no more came."""
    ids = [f"2026010{number}000000_t{number}" for number in (1, 2, 3)]
    for id in ids:
        write(tmp_path, id, f"create table {id[-2:]} ();")
    with database(server, owner) as name:
        messages = count_messages(server.url(name, owner.name), tmp_path)
    said = []
    for message in range(messages - 5, messages):
        with database(server, owner) as name, Proxy(server.url(name, owner.name)) as proxy:
            proxy.fault("cut", after=message)
            try:
                migrate(proxy.url, tmp_path)
            except MigrationFailed as error:
                said.append(error.finding.cause)
    assert f"{ids[-1]} is applied and recorded" in said


def test_a_killed_migrator_tears_nothing(server: Server, owner: Owner, tmp_path: Path) -> None:
    """SIGKILL at random moments."""
    ids = write_folder(tmp_path, pause=0.03)
    for _ in range(KILLS):
        with database(server, owner) as name:
            kill_within(server.url(name, owner.name), tmp_path, ids, 1.0)


def test_a_crash_of_the_server_tears_nothing(server: Server, tmp_path: Path) -> None:
    """SIGKILL of all its processes at random moments: the newest are lost whole, if any are."""
    ids = write_chain(tmp_path, 21)
    with temporary_server(server.version, settings=DURABLE) as embedded:
        for _ in range(CRASHES):
            crash_within(embedded, tmp_path, ids, 1.0)


@pytest.mark.parametrize("server_says", ["on", "off", "local", "remote_write", "remote_apply"])
def test_when_a_run_ends_the_disk_holds_it(
    server: Server, tmp_path: Path, server_says: str
) -> None:
    """Whatever the database says of commits, and whether the run ends well or not.

    The server hands nothing to the disk by itself, so what no commit waited for is lost.
    """
    for number in (1, 2, 3):
        write(tmp_path, f"2026010{number}000000_t{number}", f"create table t{number} ();")
    with temporary_server(server.version, settings=DURABLE | NOTHING_BY_ITSELF) as embedded:
        with psycopg.connect(embedded.url("postgres"), autocommit=True) as admin:
            admin.execute("create database d")
            admin.execute(f"alter database d set synchronous_commit = {server_says}".encode())
        migrate(embedded.url("d"), tmp_path)
        _crash(embedded)
        assert tables(embedded.url("d")) == ["t1", "t2", "t3"]
        write(tmp_path, "20260104000000_t4", "create table t4 ();")
        write(tmp_path, "20260105000000_wrong", "create table t1 ();")
        with pytest.raises(MigrationFailed, match="already exists"):
            migrate(embedded.url("d"), tmp_path)
        _crash(embedded)
        assert tables(embedded.url("d")) == ["t1", "t2", "t3", "t4"]
        assert [id[:14] for id in applied(embedded.url("d"))] == [
            f"2026010{number}000000" for number in (1, 2, 3, 4)
        ]


@pytest.mark.parametrize("undone", [False, True])
def test_what_a_crash_in_a_run_undoes_is_told(server: Server, tmp_path: Path, undone: bool) -> None:
    """The newest, in either direction, whole; and the next run does them."""
    for number in (1, 2, 3):
        rest = "select pg_sleep(60);" if number == 3 else f"insert into t{number} values (1);"
        forward = f"create table t{number} (id int);\n{rest if not undone else ''}"
        back = "select 1;" if number > 1 else "select pg_sleep(60);"
        write(tmp_path, f"2026010{number}000000_t{number}", forward, back)
    with temporary_server(server.version, settings=DURABLE | NOTHING_BY_ITSELF) as embedded:
        url = embedded.url("todo")
        if undone:
            migrate(url, tmp_path)
        run = migrator(url, tmp_path)
        call = partial(run.rollback, steps=3) if undone else run.migrate
        with ThreadPoolExecutor(1) as thread:
            future = thread.submit(call)
            assert backends_settle_at(1, url, where="wait_event = 'PgSleep'")
            _crash(embedded)
            with pytest.raises(MigrationFailed) as caught:
                future.result(60)
        said = caught.value.finding.cause or ""
        assert "crash of the server" in said and "20260102000000_t2" in said
        if undone:
            assert "2 migrations, 20260103000000_t3 to 20260102000000_t2, are still" in said
        # On some servers the first has come to the disk by itself.
        there = fetch(url, "select to_regclass('_yoyo_migration')::text") != [None]
        found = applied(url) if there else []
        assert len(found) == 3 if undone else len(found) < 2
        assert tables(url) == [id[-2:] for id in found]


def test_the_last_commit_waits_for_a_synchronous_standby(server: Server, tmp_path: Path) -> None:
    """The ones before do not: the standby has them in their order, or the newest not at all."""
    ids = [f"2026010{number}000000_t{number}" for number in (1, 2, 3)]
    for id in ids:
        write(tmp_path, id, f"create table {id[-2:]} ();")
    with primary_and_standby(server.version) as pair:
        url, standby = pair.primary, pair.standby
        pair.wait_for_standby()
        pair.kill()
        with ThreadPoolExecutor(1) as thread:
            future = thread.submit(migrate, url, tmp_path)
            assert backends_settle_at(1, url, where="wait_event = 'SyncRep'")
            assert applied(url) == ids[:2]  # the third is seen when the standby has it
            pair.start()
            assert future.result(60) == ids
        pair.catch_up()
        assert applied(standby) == ids


def _crash(server: EmbeddedServer) -> None:
    pid = server.status().pid
    assert pid is not None
    kill_server(pid)
    server.start()


def test_many_migrators_at_once(empty_database: str, tmp_path: Path) -> None:
    """Each migration is applied once, and every process succeeds."""
    ids = write_folder(tmp_path)
    processes = [migrate_process.spawn(empty_database, tmp_path) for _ in range(CROWD)]
    for process in processes:
        migrate_process.go(process)
    done: list[str] = []
    for process in processes:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        done += out.split()
    assert sorted(done) == [*ids, "repeatable/second", "repeatable/z_first"]
    check_whole(empty_database, ids)


def test_two_databases_of_a_cluster_at_once(server: Server, owner: Owner, tmp_path: Path) -> None:
    """Roles are the cluster's, the lock is the database's; both runs succeed."""
    for number in range(1, 4):
        write(
            tmp_path,
            f"2026010{number}000000_role_{number}",
            f"""\
            do $$
            begin
                create role race_{number} nologin;
            exception when duplicate_object or unique_violation then null;
            end
            $$;
            grant race_{number} to current_user;
            """,
        )
    for _ in range(2):
        with database(server, owner) as one, database(server, owner) as two:
            urls = [server.url(name, owner.name) for name in (one, two)]
            assert _at_once([partial(migrate, url, tmp_path) for url in urls]) == []
        with psycopg.connect(server.url(), autocommit=True) as admin:
            for number in range(1, 4):
                admin.execute(f"drop role race_{number}".encode())


def _at_once(calls: list[Callable[[], object]]) -> list[BaseException]:
    failures: list[BaseException] = []

    def run(call: Callable[[], object]) -> None:
        try:
            call()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


def test_two_migrators_with_an_index_build_between_them(
    empty_database: str, tmp_path: Path
) -> None:
    """The one that waits holds no snapshot, so the build does not wait for it."""
    write(
        tmp_path,
        "20260101000000_fill",
        "create table t as select generate_series(1, 200000) as id;",
    )
    migrate(empty_database, tmp_path)
    write(
        tmp_path,
        "20260102000000_index",
        "-- transactional: false\ncreate index concurrently i on t (id);",
    )
    assert _at_once([lambda: migrate(empty_database, tmp_path)] * 4) == []
    assert len(applied(empty_database)) == 2
    assert invalid_indexes(empty_database) == []
