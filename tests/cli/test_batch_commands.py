"""Batches at the command line: foretold, shown while they run, stopped, and gone on with."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
from support.batches import TABLE, Batches, counts, write_counted
from support.commands import clean_environment, on_a_terminal, todo_sql
from support.database import Server
from support.migrations import fetch, migrator
from support.standby import primary_and_standby

from todo_sql.migrations.batch_state import BatchState

pytestmark = pytest.mark.database

SLOW = "-- batch-time: 1ms\n-- batch-pause: 2000%\n"


def run(folder: Path, url: str, *words: str, scratch: str = "") -> tuple[int, str, str]:
    """Run a command on a folder of migrations."""
    more = {"TODO_SQL_SCRATCH_URL": scratch} if scratch else {}
    answer = todo_sql(*words, cwd=folder.parent, DATABASE_URL=url, **more)
    return answer.returncode, answer.stdout, answer.stderr


def test_a_dry_run_says_key_and_number(empty_database: str, tmp_path: Path) -> None:
    """Once the table is there; until then the statement alone."""
    folder = tmp_path / "migrations"
    folder.mkdir()
    write_counted(folder, 2500)
    assert "in batches" not in run(folder, empty_database, "migrate", "-n")[1]
    migrator(empty_database, folder).migrate(to=TABLE)
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("analyze orders")
    code, said, _ = run(folder, empty_database, "migrate", "--dry-run")
    assert code == 0
    assert "in batches along id of public.orders: about 2,500 rows, 3 batches of 1,000" in said
    document = json.loads(run(folder, empty_database, "migrate", "-n", "--json")[1])
    assert document["pending"][0]["batches"] == {
        "table": "public.orders",
        "key": ["id"],
        "rows": 2500,
        "batches": 3,
    }
    assert counts(empty_database) == {0: 2500}


@pytest.mark.parametrize(
    ("by", "code", "said"),
    [("", 0, "runs in batches along id of orders"), (" by region", 1, "M342")],
)
def test_a_plan_says_key_and_number(
    empty_database: str, tmp_path: Path, server: Server, by: str, code: int, said: str
) -> None:
    """And that it will be refused, where there is no such key; many rows are no hazard then."""
    folder = tmp_path / "migrations"
    folder.mkdir()
    path = write_counted(folder, 12_000, statement="update orders set n = n + 1 where id > 0;\n")
    path.write_text(path.read_text().replace("orders by id", f"orders{by}"))
    migrator(empty_database, folder).migrate(to=TABLE)
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("analyze orders")
    scratch = server.url()
    found, out, err = run(folder, empty_database, "plan", scratch=scratch)
    assert said in out, out + err
    assert ("P106" in out) is (by != "")
    assert found == code
    document = json.loads(run(folder, empty_database, "plan", "--json", scratch=scratch)[1])
    (statement,) = document["migrations"][0]["statements"]
    assert ("batches" in statement) is (by == "")


def test_a_terminal_shows_how_far_they_are(empty_database: str, tmp_path: Path) -> None:
    """Per cent, rows and what is left, after each batch."""
    folder = tmp_path / "migrations"
    folder.mkdir()
    write_counted(folder, 4000)
    code, shown = on_a_terminal("migrate", cwd=tmp_path, DATABASE_URL=empty_database)
    assert code == 0
    shown = " ".join(shown.split())
    assert re.search(r"\d+%, [\d,]+ of about [\d,]+ rows, .+ left", shown)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_between_batches(
    empty_database: str, tmp_path: Path, sent: signal.Signals
) -> None:
    """Exit code 130, with how far it is; `status` says that too, and the next run goes on."""
    folder = tmp_path / "migrations"
    folder.mkdir()
    write_counted(folder, 4000, SLOW)
    migrator(empty_database, folder).migrate(to=TABLE)
    process = subprocess.Popen(
        [sys.executable, "-m", "todo_sql", "migrate"],
        cwd=tmp_path,
        env=clean_environment(DATABASE_URL=empty_database),
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while 1 not in counts(empty_database) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(sent)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "are done and recorded; the next run goes on from there" in said
    done = counts(empty_database)
    assert done[1] and done[0]
    code, out, _ = run(folder, empty_database, "status")
    assert code == 1
    assert "apply stopped at" in out and "%" in out and "left" in out
    document = json.loads(run(folder, empty_database, "status", "--json")[1])
    entry = document["migrations"][1]
    assert entry["batches"]["rows"] == done[1]
    assert run(folder, empty_database, "migrate")[0] == 0
    assert counts(empty_database) == {1: 4000}


def test_a_role_that_sees_no_standbys_goes_on(empty_database: str, tmp_path: Path) -> None:
    """It is said once, where the role may not see how far they are."""
    write_counted(tmp_path, 2500, "-- max-lag: 16MB\n")
    events = Batches()
    migrator(empty_database, tmp_path, events).migrate()
    assert counts(empty_database) == {1: 2500}
    blind = fetch(empty_database, "select not pg_has_role('pg_read_all_stats', 'usage')")[0]
    assert sum("max-lag" in note for note in events.notes) == int(blind)


class Lag(Batches):
    """Measures after each batch how far the standby is, and how much the batch wrote."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self.behind: list[int] = []
        self.written: list[int] = []
        self._last = self._look()[0]

    def _look(self) -> tuple[int, int]:
        query = (
            "select pg_current_wal_lsn() - '0/0' || ' ' || (pg_current_wal_lsn() - replay_lsn) "
            "from pg_stat_replication"
        )
        at, behind = fetch(self._url, query)[0].split()
        return int(at), int(behind)

    def batched(self, state: BatchState) -> None:
        """Measure."""
        super().batched(state)
        at, behind = self._look()
        self.behind.append(behind)
        self.written.append(at - self._last)
        self._last = at


def test_a_standby_that_is_behind_is_waited_for(tmp_path: Path) -> None:
    """One that is delayed is never farther behind than the limit and a batch."""
    limit = 1 << 20
    with primary_and_standby(18) as pair:
        with psycopg.connect(pair.primary, autocommit=True) as connection:
            write_counted(tmp_path, 15_000, "-- max-lag: 1MB\n-- batch-time: 20ms\n")
            migrator(pair.primary, tmp_path).migrate(to=TABLE)
            delay = "recovery_min_apply_delay = '3s'\n"
            with (pair.cluster.data / "postgresql.auto.conf").open("a") as file:
                file.write(delay)
            fetch(pair.standby, "select pg_reload_conf()")
            wait = "select pg_current_wal_lsn() <= replay_lsn from pg_stat_replication"
            while connection.execute(wait).fetchone() != (True,):
                time.sleep(0.1)
        events = Lag(pair.primary)
        migrator(pair.primary, tmp_path, events).migrate()
        assert counts(pair.primary) == {1: 15_000}
    assert any("more than 1 MB behind" in reason for reason in events.waited)
    assert sum(events.written) > limit
    assert max(events.behind) <= limit + max(events.written)
