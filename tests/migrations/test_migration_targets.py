"""The target: poolers, replicas, other products, a server that starts, the lock's holder."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from support.database import Owner, Server
from support.migrations import Recorder, applied, fetch, migrator, tables, three_tables, write
from support.pgbouncer import pgbouncer
from support.proxy import Proxy
from support.standby import primary_and_standby

from todo_sql.cli.app import main
from todo_sql.errors import DatabaseError
from todo_sql.migrations import migrate
from todo_sql.migrations.connecting import open_link
from todo_sql.migrations.engine import watch
from todo_sql.migrations.files.folder import load
from todo_sql.migrations.migration_errors import LedgerError, LockNotHeld, TargetRefused
from todo_sql.migrations.migrator import Migrator
from todo_sql.migrations.progress import Events
from todo_sql.migrations.target import refuse_product, refuse_unwritable

A, B, C = (f"2026010{n}000000_create_{name}" for n, name in enumerate("abc", 1))


@pytest.mark.database
@pytest.mark.parametrize("size", [1, 5])
def test_a_transaction_pooler_is_refused_before_work_begins(
    empty_database: str, tmp_path: Path, size: int
) -> None:
    """A session lock does not hold there."""
    three_tables(tmp_path)
    with (
        pgbouncer(empty_database, pool_size=size) as url,
        pytest.raises(TargetRefused, match="TODO_SQL_DIRECT_URL"),
    ):
        migrate(url, tmp_path)
    assert fetch(empty_database, "select to_regclass('_yoyo_migration')::text") == [None]


@pytest.mark.database
@pytest.mark.parametrize("size", [1, 5])
def test_a_session_pooler_will_do(empty_database: str, tmp_path: Path, size: int) -> None:
    """There a session is a session."""
    three_tables(tmp_path)
    with pgbouncer(empty_database, pool_size=size, mode="session") as url:
        assert migrate(url, tmp_path) == [A, B, C]


@pytest.mark.database
def test_a_transaction_pooler_will_do_for_status(empty_database: str, tmp_path: Path) -> None:
    """Reading needs no lock."""
    three_tables(tmp_path)
    with pgbouncer(empty_database, pool_size=5) as url:
        assert len(migrator(url, tmp_path).pending()[0]) == 3


LEFT_BEHIND = (
    "select name || '=' || setting from pg_settings where source = 'session' "
    "and name not in ('application_name', 'client_encoding') "
    "union all select name from pg_prepared_statements "
    "union all select locktype from pg_locks where pid = pg_backend_pid() and locktype = 'advisory'"
)


@pytest.mark.database
@pytest.mark.parametrize(
    "words",
    [
        ["status"],
        ["migrate"],
        ["migrate", "--check"],
        ["migrate", "--dry-run"],
        ["rollback", "--yes"],
        ["rollback", "--dry-run"],
        ["repair"],
        ["baseline", A],
        ["plan"],
        ["drift"],
        ["doctor"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("done", [False, True], ids=["pending", "applied"])
def test_nothing_is_left_in_the_sessions_of_a_pooler(
    words: list[str],
    done: bool,
    empty_database: str,
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever gets the backend next would be read-only, or without its timeout."""
    monkeypatch.setenv("TODO_SQL_SCRATCH_URL", server.url())
    (tmp_path / "todo-sql.toml").write_text("", encoding="utf-8")
    (tmp_path / "migrations").mkdir()
    three_tables(tmp_path / "migrations")
    if done:
        migrate(empty_database, tmp_path / "migrations")
    name = conninfo_to_dict(empty_database)["dbname"]
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute(f"alter database {name} set statement_timeout = '1min'".encode())
        connection.execute(f"alter database {name} set datestyle = 'German'".encode())
    with pgbouncer(empty_database, pool_size=1) as url:
        for _ in range(2):
            main(["--project", str(tmp_path), "--database", url, *words])
            with psycopg.connect(url, autocommit=True) as connection:
                assert connection.execute(LEFT_BEHIND.encode()).fetchall() == []


@pytest.mark.parametrize(
    ("words", "number"),
    [
        ("CockroachDB CCL v24.1.0 (x86_64-pc-linux-gnu)", 130000),
        ("PostgreSQL 11.2-YB-2.21.0.0-b0 on x86_64", 110002),
        ("PostgreSQL 8.0.2 on i686, compiled by GCC, Redshift 1.0.1", 80002),
        ("PostgreSQL 14.9 (Debian)", 140009),
    ],
)
def test_another_product_or_an_old_server_is_refused(words: str, number: int) -> None:
    """Said by the server's own version()."""
    with pytest.raises(TargetRefused, match=r"not PostgreSQL|older than"):
        refuse_product(words, number)
    refuse_product("PostgreSQL 15.0 on x86_64", 150000)


def test_a_replica_is_refused() -> None:
    """With the primary as the way out."""
    with pytest.raises(TargetRefused, match="replica"):
        refuse_unwritable("shop", True, True)


@pytest.mark.database
def test_a_hot_standby_is_refused(pytestconfig: pytest.Config, tmp_path: Path) -> None:
    """A real one, whether or not anything is pending; `status` reads there."""
    three_tables(tmp_path)
    with primary_and_standby(pytestconfig.getoption("postgres")) as pair:
        migrate(pair.primary, tmp_path)
        with pytest.raises(TargetRefused, match="is a replica") as caught:
            migrate(pair.standby, tmp_path)
        assert caught.value.finding.code == "M503"
        with pytest.raises(TargetRefused, match="is a replica"):
            migrator(pair.standby, tmp_path).rollback()
        assert len(migrator(pair.standby, tmp_path).status().entries) == 3


@pytest.mark.database
def test_a_read_only_database_is_refused(
    empty_database: str, server: Server, tmp_path: Path
) -> None:
    """default_transaction_read_only is somebody's wish."""
    three_tables(tmp_path)
    name = psycopg.conninfo.conninfo_to_dict(empty_database)["dbname"]
    server.admin.execute(f'alter database "{name}" set default_transaction_read_only = on'.encode())
    with pytest.raises(TargetRefused, match="read-only"):
        migrate(empty_database, tmp_path)


@pytest.mark.database
def test_the_packaged_project_keeps_off_a_strangers_database(
    empty_database: str, tmp_path: Path
) -> None:
    """A non-empty database without our ledger is refused; an empty one is not."""
    three_tables(tmp_path)
    packaged = Migrator(empty_database, load(tmp_path), foreign=False)
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("create table invoices (id int)")
        with pytest.raises(TargetRefused, match="not empty"):
            packaged.migrate()
        connection.execute("drop table invoices")
    assert len(packaged.migrate()) == 3
    assert packaged.migrate() == []


@pytest.mark.database
def test_no_place_for_the_ledger_is_said(empty_database: str, tmp_path: Path) -> None:
    """Where the search path names no schema that exists."""
    three_tables(tmp_path)
    with pytest.raises(TargetRefused, match="search path"):
        migrate(empty_database + "?options=-csearch_path%3Dnowhere", tmp_path)


@pytest.mark.database
def test_a_role_that_may_not_create_the_ledger_is_told_so(
    empty_database: str, server: Server, owner: Owner, tmp_path: Path
) -> None:
    """Its tables cannot be made, and those of another owner are not used; nothing is changed."""
    trusted = owner.kind == "superuser"
    three_tables(tmp_path)
    server.admin.execute("drop role if exists mig_nobody")
    server.admin.execute(f"create role mig_nobody login password '{server.password}'".encode())
    name = str(psycopg.conninfo.conninfo_to_dict(empty_database)["dbname"])
    try:
        with pytest.raises(LedgerError, match="cannot be written"):
            migrate(server.url(name, "mig_nobody"), tmp_path)
        migrate(empty_database, tmp_path)
        refused = "cannot be read" if trusted else "not to be trusted"
        with pytest.raises(LedgerError, match=refused):
            migrate(server.url(name, "mig_nobody"), tmp_path)
    finally:
        server.admin.execute("drop role mig_nobody")


@pytest.mark.database
def test_the_holder_of_the_lock_is_named(empty_database: str, tmp_path: Path) -> None:
    """Pid, application and since when; `--wait` bounds the waiting."""
    three_tables(tmp_path)
    recorder = Recorder()
    with open_link(empty_database + "?application_name=deploy-7", writes=True) as other:
        other.take_lock(1, Events())
        with pytest.raises(LockNotHeld) as caught:
            migrator(empty_database, tmp_path, recorder).migrate(wait=1)
        pid = other.target.backend
    assert f"pid {pid} (deploy-7" in str(caught.value) and "since" in str(caught.value)
    assert any("deploy-7" in reason for reason in recorder.waited)
    assert migrate(empty_database, tmp_path) == [A, B, C]


@pytest.mark.database
def test_nothing_to_do_takes_no_lock(empty_database: str, tmp_path: Path) -> None:
    """A replica that starts while another migrates is not held up if it has nothing to do."""
    three_tables(tmp_path)
    migrate(empty_database, tmp_path)
    with open_link(empty_database, writes=True) as other:
        other.take_lock(1, Events())
        assert migrator(empty_database, tmp_path).migrate(wait=0) == []


@pytest.mark.database
def test_wait_waits_for_a_server_that_is_starting(empty_database: str, tmp_path: Path) -> None:
    """The reason is told; without `--wait` the answer comes at once."""
    three_tables(tmp_path)
    recorder = Recorder()
    with Proxy(empty_database) as proxy:
        proxy.refusing = True
        began = time.monotonic()
        with pytest.raises(DatabaseError):
            migrate(proxy.url, tmp_path)
        assert time.monotonic() - began < 20
        threading.Timer(1.5, lambda: setattr(proxy, "refusing", False)).start()
        assert len(migrator(proxy.url, tmp_path, recorder).migrate(wait=30)) == 3
    assert recorder.waited


@pytest.mark.database
def test_costs(empty_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One connection; a round trip a migration plus six; at most four when nothing is pending."""
    monkeypatch.setattr(watch, "_PATIENCE", 60.0)  # on a slow machine it would look around
    number = 6
    for n in range(number):
        write(tmp_path, f"202601{n + 1:02}000000_t{n}", f"create table t{n} (id int);")
    with Proxy(empty_database, latency=0.03) as proxy:
        with proxy.counting() as fresh:
            migrate(proxy.url, tmp_path)
        with proxy.counting() as again:
            migrate(proxy.url, tmp_path)
    assert (fresh.connections, again.connections) == (1, 1)
    signing_in, reading, locking = 3, 1, 1
    assert fresh.round_trips <= signing_in + reading + locking + number
    assert again.round_trips <= signing_in + reading
    assert len(applied(empty_database)) == len(tables(empty_database)) == number
