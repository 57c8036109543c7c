"""Migrations that go to the server together: what each of them promises is as if it went alone."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import psycopg
import pytest
from support.migrations import Recorder, applied, fetch, migrator, tables, write
from support.proxy import Proxy
from support.traffic import holding

from todo_sql.errors import Finding
from todo_sql.migrations.ledger import Direction
from todo_sql.migrations.migration_errors import MigrationFailed
from todo_sql.sql.grammar import Statement
from todo_sql.wire.flight import Flight

pytestmark = pytest.mark.database

MANY = 130  # more than go in one flight


class Diary(Recorder):
    """Keeps the order of things, and can interrupt at a statement."""

    def __init__(self, interrupt: str | None = None) -> None:
        super().__init__()
        self.done: list[str] = []
        self.said: list[tuple[str, str]] = []
        self._interrupt = interrupt

    def started(self, id: str, direction: Direction, number: int, total: int) -> None:
        """Keep that one is begun."""
        self.done.append(f"{number}/{total} {id[15:]}")

    def finished(self, id: str, direction: Direction, seconds: float) -> None:
        """Keep that one is done."""
        self.done.append(id[15:])

    def notice(self, finding: Finding) -> None:
        """Keep the file and the words."""
        assert finding.place
        self.said.append((Path(finding.place.file).stem[15:], finding.message))

    def at_work(self, statement: Statement | None, flight: Flight) -> None:
        """Interrupt where that is asked for."""
        if statement and self._interrupt and self._interrupt in statement.text:
            raise KeyboardInterrupt


def _chain(folder: Path, number: int = 6) -> list[str]:
    """Write migrations that take a number each, which no ROLLBACK gives back."""
    ids = [f"202601010000{n:02}_t{n}" for n in range(1, number + 1)]
    for n, id in enumerate(ids, 1):
        first = "create sequence taken;\n" if n == 1 else ""
        write(folder, id, f"{first}create table t{n} ();\nselect nextval('taken');\n")
    return ids


def _taken(url: str) -> int:
    return int(fetch(url, "select last_value from taken")[0])


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("create table t4 ();\nselect 1 / (select 0);", 2),
        ("create table t4 (missing);", 1),
        ("select 1;\nselect missing();", 2),
        (
            "create table t4 (id int unique deferrable initially deferred);\n"
            "insert into t4 values (1), (1);",
            2,
        ),
        ("do $$ begin\nraise 'no';\nend $$;", 2),
    ],
    ids=["at work", "parsed", "described", "deferred", "inside DO"],
)
def test_what_stands_behind_a_failure_never_runs(
    empty_database: str, tmp_path: Path, text: str, line: int
) -> None:
    """What stands before is done and told; once it is mended, the next run goes on from there."""
    ids = _chain(tmp_path)
    whole = write(tmp_path, ids[3], text)
    diary = Diary()
    if "missing)" in text:
        whole.write_text("create table t4 (id missing);")
    with pytest.raises(MigrationFailed) as failed:
        migrator(empty_database, tmp_path, diary).migrate()
    place = failed.value.finding.place
    assert place and (place.file, place.line) == (f"{ids[3]}.sql", line)
    assert applied(empty_database) == ids[:3]
    assert tables(empty_database) == ["t1", "t2", "t3"]
    assert _taken(empty_database) == 3
    assert diary.done == ["1/6 t1", "t1", "2/6 t2", "t2", "3/6 t3", "t3", "4/6 t4"]
    whole.write_text("create table t4 ();\nselect nextval('taken');\n")
    done = migrator(empty_database, tmp_path).migrate()
    assert [one.id for one in done] == ids[3:]
    assert _taken(empty_database) == 6


def test_a_busy_table_in_the_middle(empty_database: str, tmp_path: Path) -> None:
    """Its migration gives way and is tried again; those behind it wait, each runs once."""
    ids = _chain(tmp_path)
    write(tmp_path, "20250101000000_busy", "create table busy ();")
    migrator(empty_database, tmp_path).migrate(to="20250101000000")
    text = "-- lock-timeout: 100ms\nalter table busy add v int;\nselect nextval('taken');"
    write(tmp_path, ids[3], text)
    diary = Diary()
    with holding(empty_database, "busy", 1):
        migrator(empty_database, tmp_path, diary).migrate()
    assert any("lock timeout" in reason for reason in diary.waited)
    assert applied(empty_database)[1:] == ids
    assert [one for one in diary.done if "/" not in one] == [id[15:] for id in ids]
    log = "select migration_id from _yoyo_log where operation = 'apply' order by created_at_utc"
    assert fetch(empty_database, log)[1:] == ids
    # Of the tries that came to nothing, none had taken its number.
    assert _taken(empty_database) == 6


def test_ctrl_c_in_the_middle(empty_database: str, tmp_path: Path) -> None:
    """What stands before is done, that at work is undone, what stands behind never ran."""
    ids = _chain(tmp_path)
    write(tmp_path, ids[2], "create table t3 ();\nselect pg_sleep(30);")
    diary = Diary(interrupt="pg_sleep")
    with pytest.raises(KeyboardInterrupt, match=rf"{ids[2]} is not applied: nothing of it remains"):
        migrator(empty_database, tmp_path, diary).migrate()
    assert applied(empty_database) == ids[:2]
    assert tables(empty_database) == ["t1", "t2"]
    assert _taken(empty_database) == 2
    assert diary.done == ["1/6 t1", "t1", "2/6 t2", "t2", "3/6 t3"]


def test_a_terminated_backend_in_the_middle(superuser_database: str, tmp_path: Path) -> None:
    """The state that is told is that of the one at work."""
    ids = _chain(tmp_path)
    write(tmp_path, ids[2], "create table t3 ();\nselect pg_sleep(30);")

    def terminate() -> None:
        with psycopg.connect(superuser_database, autocommit=True) as admin:
            sleeping = "query like '%pg_sleep%' and pid <> pg_backend_pid() and state = 'active'"
            end = f"select count(pg_terminate_backend(pid)) from pg_stat_activity where {sleeping}"
            while admin.execute(end.encode()).fetchone() == (0,):
                pass

    thread = threading.Thread(target=terminate)
    thread.start()
    with pytest.raises(MigrationFailed) as failed:
        migrator(superuser_database, tmp_path).migrate()
    thread.join()
    assert f"the connection was lost at {ids[2]}" in str(failed.value)
    assert f"{ids[2]} is not applied: nothing of it remains" in str(failed.value)
    assert applied(superuser_database) == ids[:2]


def test_what_the_server_says_is_of_its_file(empty_database: str, tmp_path: Path) -> None:
    """Be it said by a statement at work or while one is read, the first of a file too."""
    long = "x" * 70
    ids = _chain(tmp_path, 5)
    for n, id in enumerate(ids[1:], 2):
        write(
            tmp_path,
            id,
            f"select 1 as {long}{n};\ndo $$ begin raise warning 'at {n}'; end $$;\nselect {n};",
        )
    diary = Diary()
    migrator(empty_database, tmp_path, diary).migrate()
    cut = f'identifier "{long}{{0}}" will be truncated to "{long[:63]}"'
    wanted = [(f"t{n}", said.format(n)) for n in range(2, 6) for said in (cut, "at {0}")]
    assert diary.said == wanted


def test_each_has_the_time_at_which_it_was_applied(empty_database: str, tmp_path: Path) -> None:
    """Not that at which it was sent."""
    ids = _chain(tmp_path, 3)
    write(tmp_path, ids[1], "select pg_sleep(0.4);")
    migrator(empty_database, tmp_path).migrate()
    times = fetch(
        empty_database,
        "select extract(epoch from m.applied_at_utc)::float8 from _yoyo_migration as m "
        "join _todo_sql_ledger as l using (migration_id, applied_at_utc) order by 1",
    )
    assert len(times) == 3
    assert times[1] - times[0] >= 0.4
    took = fetch(empty_database, "select duration_ms from _todo_sql_ledger order by position")
    assert took[1] >= 400


def test_round_trips(empty_database: str, tmp_path: Path) -> None:
    """One connection, and no round trip for each migration."""
    _chain(tmp_path, 40)
    with Proxy(empty_database, latency=0.005) as proxy:
        with proxy.counting() as counted:
            migrator(proxy.url, tmp_path).migrate()
        assert (counted.connections, counted.round_trips <= 8) == (1, True), counted


def test_more_than_go_at_once(empty_database: str, tmp_path: Path) -> None:
    """In order there and back, with one that is no transaction and one with rows among them."""
    ids = [f"20260101000{n:03}_t{n}" for n in range(MANY)]
    for n, id in enumerate(ids):
        write(tmp_path, id, f"create table t{n} ();", f"drop table t{n};")
    text = "-- transactional: false\ncreate table if not exists t20 ();"
    write(tmp_path, ids[20], text, "drop table t20;")
    text = "create table t40 (v int);\ncopy t40 (v) from stdin;\n1\n2\n\\.\n"
    write(tmp_path, ids[40], text, "drop table t40;")
    diary = Diary()
    assert [one.id for one in migrator(empty_database, tmp_path, diary).migrate()] == ids
    assert applied(empty_database) == ids
    assert fetch(empty_database, "select v from t40 order by v") == [1, 2]
    back = migrator(empty_database, tmp_path, diary).rollback(steps=MANY)
    assert [one.id for one in back] == ids[::-1]
    assert tables(empty_database) == []
    assert applied(empty_database) == []


@pytest.mark.parametrize(
    "text",
    [
        "prepare mine as select 1;\nexecute mine;\ndeallocate all;",
        "prepare mine as select 1;",
        "do $$ begin execute 'deallocate all'; end $$;",
        "discard plans;\ndiscard sequences;",
        "alter table _todo_sql_ledger add column theirs int;",
        "".join(f"select {n};\n" for n in range(600)),
    ],
    ids=["prepared and gone", "prepared", "gone", "plans", "the ledger's columns", "many"],
)
def test_statements_that_the_server_keeps(empty_database: str, tmp_path: Path, text: str) -> None:
    """A file may make and drop its own, and has none of ours to lose or to leave behind."""
    ids = _chain(tmp_path, 9)
    for id in (ids[3], ids[6]):
        write(tmp_path, id, text.replace("theirs", f"theirs_{id[15:]}"))
    write(
        tmp_path,
        ids[8],
        "select 1 / (count(*) = 0)::int from pg_prepared_statements p where from_sql;",
    )
    assert [one.id for one in migrator(empty_database, tmp_path).migrate()] == ids
    assert applied(empty_database) == ids


def test_nobody_exchanges_a_statement_of_ours(superuser_database: str, tmp_path: Path) -> None:
    """A function of another role, called by a migration, may prepare what it likes."""
    ids = _chain(tmp_path, 9)
    role = f"other_{os.urandom(4).hex()}"
    with psycopg.connect(superuser_database, autocommit=True) as admin:
        admin.execute(_EXCHANGE.replace("other", role).encode())
        try:
            for id in ids[2:7]:
                write(tmp_path, id, "select theirs.exchange();")
            migrator(superuser_database, tmp_path).migrate()
            assert applied(superuser_database) == ids
            assert fetch(superuser_database, "select name from theirs.seen") != []
            assert fetch(superuser_database, "select ran_as from theirs.caught") == []
        finally:
            admin.execute(f"drop owned by {role} cascade; drop role {role}".encode())


# In place of each statement that the session holds, one that tells as whom it ran.
_EXCHANGE = """
create role other;
create schema theirs authorization other;
set role other;
create table theirs.seen (name text);
create table theirs.caught (ran_as text);
create function theirs.exchange() returns void language plpgsql security definer as $$
declare
    one record;
begin
    for one in select * from pg_catalog.pg_prepared_statements loop
        insert into theirs.seen values (one.name);
        execute format('deallocate %I', one.name);
        execute format(
            'prepare %I %s as insert into theirs.caught values (current_user)', one.name,
            '(' || nullif(array_to_string(one.parameter_types, ', '), '') || ')');
    end loop;
end $$;
reset role;
"""
