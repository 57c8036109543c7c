"""Cut connections, kills and crowds: never applied and unmarked, and the next run finishes.

The long forms are in ``tests/soak_migrations.py``.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psycopg
import pytest
from support import migrate_process
from support.database import Owner, Server, database
from support.migration_faults import (
    check_whole,
    count_messages,
    cut_after,
    kill_within,
    write_folder,
)
from support.migrations import applied, invalid_indexes, write

from todo_sql.migrations import migrate

pytestmark = pytest.mark.database

CUTS, KILLS, CROWD = 4, 1, 3


def test_a_cut_connection_tears_nothing(server: Server, owner: Owner, tmp_path: Path) -> None:
    """After the k-th message, for some k of a run (the soak: for every k)."""
    ids = write_folder(tmp_path, tables="ad")
    with database(server, owner) as name:
        messages = count_messages(server.url(name, owner.name), tmp_path)
    chance = random.Random(messages)
    for message in sorted(chance.sample(range(1, messages), CUTS)):
        with database(server, owner) as name:
            cut_after(server.url(name, owner.name), tmp_path, ids, message)


def test_a_killed_migrator_tears_nothing(server: Server, owner: Owner, tmp_path: Path) -> None:
    """SIGKILL at random moments."""
    ids = write_folder(tmp_path, pause=0.03)
    for _ in range(KILLS):
        with database(server, owner) as name:
            kill_within(server.url(name, owner.name), tmp_path, ids, 1.0)


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
    assert sorted(done) == ids
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
