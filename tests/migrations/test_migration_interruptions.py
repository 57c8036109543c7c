"""Signals, restarts, full disks, revoked privileges: the state is said, and true."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from support.commands import clean_environment
from support.database import Owner, Server
from support.migrations import (
    applied,
    fetch,
    invalid_indexes,
    migrator,
    tables,
    three_tables,
    write,
)
from support.proxy import Proxy

from todo_sql.embedded.temporary import temporary_server
from todo_sql.migrations import migrate
from todo_sql.migrations.migration_errors import MigrationFailed

A, B, C = (f"2026010{n}000000_create_{name}" for n, name in enumerate("abc", 1))
SLOW = "20260104000000_slow"


def start_cli(url: str, folder: Path) -> subprocess.Popen[str]:
    """Start `todo-sql migrate` in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "todo_sql", "migrate", "--migrations", str(folder)],
        cwd=folder,
        env=clean_environment(DATABASE_URL=url),
        stderr=subprocess.PIPE,
        text=True,
    )


def await_query(url: str, like: str) -> None:
    """Wait until somebody's query begins so."""
    query = (
        "select count(*) from pg_stat_activity where state = 'active' "
        f"and query like '{like}%' and pid <> pg_backend_pid()"
    )
    for _ in range(600):
        if fetch(url, query) == [1]:
            return
        time.sleep(0.05)
    raise AssertionError(f"nobody runs {like}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_cancels_rolls_back_and_says_so(
    empty_database: str, tmp_path: Path, number: signal.Signals
) -> None:
    """Ctrl-C and SIGTERM alike."""
    three_tables(tmp_path)
    write(tmp_path, SLOW, "create table slow (id int);\nselect pg_sleep(600);")
    process = start_cli(empty_database, tmp_path)
    await_query(empty_database, "select pg_sleep")
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"{SLOW} is not applied: nothing of it remains" in said
    assert applied(empty_database) == [A, B, C]
    assert tables(empty_database) == ["a", "b", "c"]


def test_a_signal_during_an_index_build_leaves_nothing_invalid(
    empty_database: str, tmp_path: Path
) -> None:
    """The leftover is dropped at once."""
    three_tables(tmp_path)
    write(tmp_path, SLOW, "-- transactional: false\ncreate index concurrently i on a (id);")
    migrator(empty_database, tmp_path).migrate(to=C)
    with psycopg.connect(empty_database) as sleeper:
        sleeper.execute("set transaction isolation level repeatable read")
        sleeper.execute("select 1 from a")
        process = start_cli(empty_database, tmp_path)
        await_query(empty_database, "create index concurrently")
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        sleeper.rollback()
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"0 statements of {SLOW} are done" in said or "not applied" in said
    assert invalid_indexes(empty_database) == []
    assert migrate(empty_database, tmp_path) == [SLOW]


def test_a_server_restart_is_said_with_the_state(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """The ledger is read again once the server is back."""
    three_tables(tmp_path)
    write(tmp_path, SLOW, "create table slow (id int);\nselect pg_sleep(600);")
    with temporary_server(request.config.getoption("postgres")) as embedded:
        url = embedded.url("postgres")

        def restart() -> None:
            await_query(url, "select pg_sleep")
            embedded.stop()
            embedded.start()

        thread = threading.Thread(target=restart)
        thread.start()
        with pytest.raises(MigrationFailed) as caught:
            migrate(url, tmp_path)
        thread.join()
        assert f"{SLOW} is not applied" in str(caught.value)
        assert applied(url) == [A, B, C]


def test_a_terminated_backend_is_said_with_the_state(empty_database: str, tmp_path: Path) -> None:
    """pg_terminate_backend, as Neon does when it scales to zero."""
    three_tables(tmp_path)
    write(tmp_path, SLOW, "select pg_sleep(600);")

    def terminate() -> None:
        await_query(empty_database, "select pg_sleep")
        fetch(
            empty_database,
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where query like 'select pg_sleep(600)%'",
        )

    thread = threading.Thread(target=terminate)
    thread.start()
    with pytest.raises(MigrationFailed, match="administrator command") as caught:
        migrate(empty_database, tmp_path)
    thread.join()
    assert "nothing of it remains" in str(caught.value)


def test_a_lost_answer_to_commit_is_looked_up(empty_database: str, tmp_path: Path) -> None:
    """The migration is applied, and that is what is said."""
    three_tables(tmp_path)
    with Proxy(empty_database) as proxy:
        proxy.fault(
            "cut",
            side="server",
            match=lambda message: message.type == b"C" and message.body.startswith(b"INSERT"),
            after=2,
        )
        fault = proxy.fault("cut", side="client", match=lambda m: b"_create_c" in m.body, after=99)
        with pytest.raises(MigrationFailed) as caught:
            migrate(proxy.url, tmp_path)
        assert not fault.fired.is_set()
    said = str(caught.value)
    last = applied(empty_database)[-1]
    assert f"{last} is applied and recorded" in said or "is not applied" in said
    assert ("is applied and recorded" in said) == (last in said)
    assert len(migrate(empty_database, tmp_path)) == 3 - applied(empty_database).index(last) - 1


def test_a_killed_migrators_backend_dies_with_it(empty_database: str, tmp_path: Path) -> None:
    """It does not go on holding the lock until its statement ends."""
    write(tmp_path, SLOW, "select pg_sleep(600);")
    process = start_cli(empty_database, tmp_path)
    await_query(empty_database, "select pg_sleep")
    process.kill()
    process.communicate()
    write(tmp_path, SLOW, "select 1;")
    began = time.monotonic()
    assert migrate(empty_database, tmp_path) == [SLOW]
    assert time.monotonic() - began < 20


@contextmanager
def small_disk(server: Server) -> Iterator[str]:
    """Make a tablespace of 8 MB; only root can mount one."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    folder = Path(tempfile.mkdtemp(prefix="small-disk-", dir="/tmp"))
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder]).returncode:
        folder.rmdir()
        pytest.skip("mounting is not allowed here")
    try:
        place = folder / "tablespace"
        place.mkdir()
        data = fetch(server.url(), "show data_directory")[0]
        shutil.chown(place, Path(data).stat().st_uid)
        server.admin.execute(f"create tablespace small_disk location '{place}'".encode())
        server.admin.execute("grant create on tablespace small_disk to public")
        yield "small_disk"
        server.admin.execute("drop tablespace small_disk")
    finally:
        subprocess.run(["umount", folder], check=True)
        folder.rmdir()


def test_a_full_disk_is_said_and_nothing_remains(
    server: Server, empty_database: str, tmp_path: Path
) -> None:
    """53100, rolled back; the next run goes on when there is room."""
    three_tables(tmp_path)
    with small_disk(server) as tablespace:
        path = write(
            tmp_path,
            SLOW,
            f"create table big (pad text) tablespace {tablespace};\n"
            "insert into big select repeat(md5(i::text), 60) from generate_series(1, 20000) i;\n",
        )
        with pytest.raises(MigrationFailed) as caught:
            migrate(empty_database, tmp_path)
        assert caught.value.sqlstate == "53100"
        assert "make room" in (caught.value.finding.fix or "")
        assert tables(empty_database) == ["a", "b", "c"]
        write(
            tmp_path,
            "20260103120000_index",
            "-- transactional: false\n"
            f"create index concurrently i on wide (pad) tablespace {tablespace};\n",
        )
        write(
            tmp_path,
            "20260103110000_wide",
            "create table wide as select md5(i::text) || md5((i + 1)::text) as pad "
            "from generate_series(1, 200000) i;\n",
        )
        path.unlink()
        (tmp_path / f"{SLOW}.rollback.sql").unlink()
        with pytest.raises(MigrationFailed) as caught:
            migrate(empty_database, tmp_path)
        assert caught.value.sqlstate == "53100"
        assert invalid_indexes(empty_database) == []


@pytest.mark.database
def test_a_revoked_privilege_is_said(
    server: Server, owner: Owner, empty_database: str, tmp_path: Path
) -> None:
    """What the role lacks, at which place; what came before stays."""
    three_tables(tmp_path)
    path = write(
        tmp_path,
        SLOW,
        "create table p (id int);\nset local role mig_weak;\ncreate table q (id int);",
    )
    server.admin.execute("drop role if exists mig_weak")
    server.admin.execute("create role mig_weak")
    server.admin.execute(f'grant mig_weak to "{owner.name}"'.encode())
    try:
        with pytest.raises(MigrationFailed) as caught:
            migrate(empty_database, tmp_path)
        assert caught.value.sqlstate == "42501"
        assert caught.value.finding.place and caught.value.finding.place.line == 3
        assert "grant" in (caught.value.finding.fix or "")
        assert tables(empty_database) == ["a", "b", "c"]
        path.write_text("select 1;")
        assert migrate(empty_database, tmp_path) == [SLOW]
    finally:
        server.admin.execute("drop role mig_weak")
