"""Busy tables: a migration gives way to traffic, and lands when the table is free."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import psycopg
import pytest
from support.database import Server
from support.migrations import Recorder, fetch, migrator, write
from support.traffic import Traffic, holding

from todo_sql.migrations import migrate
from todo_sql.migrations.migration_errors import MigrationFailed

pytestmark = pytest.mark.database

SETUP = "20260101000000_setup"
CHANGE = "20260102000000_change"


def waited(recorder: Recorder, times: int) -> bool:
    """Tell whether the migrator has given way so often."""
    return len(recorder.waited) >= times


def change(folder: Path, text: str) -> None:
    """Write two tables and a migration that changes them."""
    write(
        folder, SETUP, "create table t (id int); create table u (id int); insert into t values (1);"
    )
    write(folder, CHANGE, text)


def test_a_lock_that_is_not_to_be_had_gives_way_to_traffic(
    empty_database: str, tmp_path: Path
) -> None:
    """Traffic never queues for longer than the lock timeout; the migration lands."""
    change(tmp_path, "-- lock-timeout: 300ms\nalter table t add column note text;")
    migrator(empty_database, tmp_path).migrate(to=SETUP)
    recorder = Recorder()
    until = partial(waited, recorder, 3)
    with Traffic(empty_database) as traffic, holding(empty_database, "t", until):
        done = migrator(empty_database, tmp_path, recorder).migrate()
    assert [entry.id for entry in done] == [CHANGE]
    assert traffic.longest < 1.5
    assert traffic.count > 10


def test_timeouts_are_set_again_on_every_try(empty_database: str, tmp_path: Path) -> None:
    """Whatever the file, the role or a failed try has set."""
    change(
        tmp_path,
        "-- lock-timeout: 200ms\nset lock_timeout = 0;\nreset lock_timeout;\n"
        "set local lock_timeout = '100ms';\nalter table t add column note text;",
    )
    migrator(empty_database, tmp_path).migrate(to=SETUP)
    recorder = Recorder()
    with holding(empty_database, "t", partial(waited, recorder, 2)):
        migrator(empty_database, tmp_path, recorder).migrate()
    assert len(recorder.waited) >= 2


def test_a_second_lock_is_not_waited_for_longer_than_max_lock_hold(
    empty_database: str, tmp_path: Path
) -> None:
    """lock_timeout is per acquisition; max-lock-hold bounds the whole."""
    change(
        tmp_path,
        "-- lock-timeout: 30s\n-- max-lock-hold: 800ms\n"
        "alter table t add column note text;\nalter table u add column note text;",
    )
    migrator(empty_database, tmp_path).migrate(to=SETUP)
    recorder = Recorder()
    until = partial(waited, recorder, 1)
    with Traffic(empty_database) as traffic, holding(empty_database, "u", until):
        migrator(empty_database, tmp_path, recorder).migrate()
    assert traffic.longest < 3
    assert any("exclusive lock was held" in reason for reason in recorder.waited)
    assert fetch(empty_database, "select count(*) from pg_attribute where attname = 'note'") == [2]


def test_work_under_an_exclusive_lock_is_bounded(empty_database: str, tmp_path: Path) -> None:
    """A rewrite that takes too long is cancelled, with what to do; it is not tried again."""
    change(
        tmp_path,
        "-- max-lock-hold: 500ms\nalter table t add column note text;\nselect pg_sleep(30);\n",
    )
    migrator(empty_database, tmp_path).migrate(to=SETUP)
    began = time.monotonic()
    with pytest.raises(MigrationFailed) as caught:
        migrate(empty_database, tmp_path)
    assert time.monotonic() - began < 15
    assert caught.value.finding.code == "M305"
    assert caught.value.finding.place and caught.value.finding.place.line == 3
    assert "max-lock-hold" in (caught.value.finding.fix or "")


def test_a_statement_outside_a_transaction_is_bounded_too(
    empty_database: str, tmp_path: Path
) -> None:
    """What was done before it is told."""
    change(
        tmp_path,
        """\
        -- transactional: false
        -- max-lock-hold: 300ms
        -- allow: unknown-fate a test
        analyze t;
        do $$ begin lock table t; perform pg_sleep(30); end $$;
        """,
    )
    with pytest.raises(MigrationFailed) as caught:
        migrate(empty_database, tmp_path)
    assert caught.value.finding.code == "M305"
    assert caught.value.finding.place and caught.value.finding.place.line == 5
    assert "1 of 2 statements are done and recorded" in (caught.value.finding.cause or "")


def test_it_is_said_that_nobody_looks(empty_database: str, server: Server, tmp_path: Path) -> None:
    """Without a second connection nothing is bounded: said once, with the reason."""
    change(tmp_path, "select pg_sleep(0.8);")
    write(tmp_path, "20260103000000_slow", "select pg_sleep(0.8);")
    name = str(psycopg.conninfo.conninfo_to_dict(empty_database)["dbname"])
    server.admin.execute(
        f"create role mig_single login connection limit 1 password '{server.password}'".encode()
    )
    recorder = Recorder()
    try:
        with psycopg.connect(server.url(name), autocommit=True) as superuser:
            superuser.execute("create schema mig_single authorization mig_single")
        migrator(server.url(name, "mig_single"), tmp_path, recorder).migrate()
        (note,) = recorder.notes
        assert "`max-lock-hold` is not enforced" in note
        assert "no free connection" in note
    finally:
        with psycopg.connect(server.url(name), autocommit=True) as superuser:
            superuser.execute("drop schema mig_single cascade")
        server.admin.execute("drop role mig_single")


def test_work_on_new_tables_is_not_bounded(empty_database: str, tmp_path: Path) -> None:
    """Nobody waits for a table that nobody can see."""
    change(
        tmp_path,
        "-- max-lock-hold: 300ms\ncreate table v (id int);\nalter table v add column x int;\n"
        "select pg_sleep(1.5);\n",
    )
    assert migrate(empty_database, tmp_path) == [SETUP, CHANGE]


def test_statement_timeout_is_the_files(empty_database: str, tmp_path: Path) -> None:
    """And its error says how to raise it."""
    change(tmp_path, "-- statement-timeout: 100ms\nselect pg_sleep(30);")
    with pytest.raises(MigrationFailed) as caught:
        migrate(empty_database, tmp_path)
    assert caught.value.sqlstate == "57014"
    assert "statement-timeout" in (caught.value.finding.fix or "")
    assert caught.value.finding.place and caught.value.finding.place.line == 2


def test_who_is_in_the_way_is_told(empty_database: str, tmp_path: Path) -> None:
    """With pid and application, while a lock is waited for."""
    change(tmp_path, "-- lock-timeout: 30s\nalter table t add column note text;")
    migrator(empty_database, tmp_path).migrate(to=SETUP)
    recorder = Recorder()
    url = empty_database + "?application_name=report"
    with holding(url, "t", lambda: bool(recorder.blockers)):
        migrator(empty_database, tmp_path, recorder).migrate()
    assert any("report" in by for by in recorder.blockers)
