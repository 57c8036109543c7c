"""Plain yoyo on our ledger, and we on plain yoyo's."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from support.migrations import applied, fetch, migrator, tables, three_tables, write
from support.plain_yoyo import yoyo

from todo_sql.migrations import migrate
from todo_sql.migrations.migration_errors import LedgerError
from todo_sql.migrations.pending import State

A, B, C = (f"2026010{n}000000_create_{name}" for n, name in enumerate("abc", 1))


def listed(url: str, folder: Path) -> dict[str, str]:
    """Return the mark of each migration as `yoyo list` shows it: A or U."""
    rows = (line.split() for line in yoyo(url, folder, "list").splitlines())
    return {row[1]: row[0] for row in rows if len(row) > 1 and row[1][:4].isdigit()}


def test_plain_yoyo_reads_our_ledger(empty_database: str, tmp_path: Path) -> None:
    """`yoyo list` agrees with us."""
    three_tables(tmp_path)
    migrator(empty_database, tmp_path).migrate(to=B)
    assert listed(empty_database, tmp_path) == {A: "A", B: "A", C: "U"}


def test_plain_yoyo_goes_on_from_our_ledger_and_we_from_its(
    empty_database: str, tmp_path: Path
) -> None:
    """Applied and rolled back in turns; the tables stay yoyo's own."""
    three_tables(tmp_path)
    migrator(empty_database, tmp_path).migrate(to=A)
    yoyo(empty_database, tmp_path, "apply")
    assert applied(empty_database) == [A, B, C]
    assert migrate(empty_database, tmp_path) == []
    entries = migrator(empty_database, tmp_path).status().entries
    assert [e.state for e in entries] == [State.APPLIED] * 3
    assert [bool(e.recorded and e.recorded.checksum) for e in entries] == [True, False, False]
    assert [d.id for d in migrator(empty_database, tmp_path).rollback()] == [C]
    yoyo(empty_database, tmp_path, "rollback", "--all")
    assert tables(empty_database) == []
    assert migrate(empty_database, tmp_path) == [A, B, C]


def test_we_take_up_a_ledger_of_plain_yoyo(empty_database: str, tmp_path: Path) -> None:
    """Its rows are applied, unverified, until repair gives them checksums."""
    three_tables(tmp_path)
    yoyo(empty_database, tmp_path, "apply")
    yoyo(empty_database, tmp_path, "rollback", "-r", C)
    (tmp_path / f"{A}.sql").write_text("create table a (other int);")
    assert migrate(empty_database, tmp_path) == [C]
    shown = migrator(empty_database, tmp_path).repair(confirm=lambda _: None)
    assert [change.id for change in shown] == [A, B]
    (tmp_path / f"{A}.sql").write_text("create table a (third int);")
    states = [e.state for e in migrator(empty_database, tmp_path).status().entries]
    assert states == [State.MODIFIED, State.APPLIED, State.APPLIED]


def test_baseline_verifies_what_plain_yoyo_recorded(empty_database: str, tmp_path: Path) -> None:
    """Its rows stay as they are, and get the checksums of the files."""
    three_tables(tmp_path)
    yoyo(empty_database, tmp_path, "apply")
    assert migrator(empty_database, tmp_path).baseline(B) == [A, B]
    entries = migrator(empty_database, tmp_path).status().entries
    assert [bool(e.recorded and e.recorded.checksum) for e in entries] == [True, True, False]
    assert fetch(empty_database, "select count(*) from _yoyo_migration") == [3]
    assert migrator(empty_database, tmp_path).baseline(B) == []


def test_a_migration_that_plain_yoyo_applied_anew_is_unverified(
    empty_database: str, tmp_path: Path
) -> None:
    """Our row about an earlier application does not count for a later one."""
    three_tables(tmp_path)
    migrate(empty_database, tmp_path)
    yoyo(empty_database, tmp_path, "rollback", "-r", C)
    (tmp_path / f"{C}.sql").write_text("create table c (other int);")
    yoyo(empty_database, tmp_path, "apply")
    entry = migrator(empty_database, tmp_path).status().entries[-1]
    assert entry.state is State.APPLIED and entry.recorded and entry.recorded.checksum is None


def test_our_tables_are_those_of_yoyo(empty_database: str, tmp_path: Path) -> None:
    """Column by column, as the installed yoyo would have made them."""
    query = (
        "select table_name || '.' || column_name || ' ' || data_type || ' ' || "
        "coalesce(character_maximum_length::text, '') || is_nullable "
        "from information_schema.columns where table_name like '\\_yoyo%' order by 1"
    )
    three_tables(tmp_path)
    yoyo(empty_database, tmp_path, "list")
    theirs = fetch(empty_database, query)
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("drop table _yoyo_migration, _yoyo_log, _yoyo_version")
    migrate(empty_database, tmp_path)
    assert fetch(empty_database, query) == theirs
    assert fetch(empty_database, "select operation from _yoyo_log") == ["apply"] * 3


def test_a_ledger_of_a_newer_tool_is_refused(empty_database: str, tmp_path: Path) -> None:
    """Nothing is changed, and the message says to upgrade."""
    three_tables(tmp_path)
    migrator(empty_database, tmp_path).migrate(to=A)
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("comment on table _todo_sql_ledger is 'todo-sql ledger, format 2: x'")
    with pytest.raises(LedgerError, match="upgrade todo-sql"):
        migrate(empty_database, tmp_path)
    assert tables(empty_database) == ["a"]


@pytest.mark.parametrize(
    "progress",
    [
        '{"direction": "apply", "statements": [], "pace": 1}',
        '{"direction": "apply", "statements": [{"hash": "x", "sql": "x", "done": true, "n": 1}]}',
        '{"direction": "apply", "statements": [{"hash": "x", "sql": "x", "done": false, "batch": '
        '{"table": "a", "key": ["id"], "last": null, "position": null, "workers": 4}}]}',
        '{"direction": "apply", "steps": []}',
        "[]",
        "half",
    ],
)
def test_what_a_newer_tool_left_half_done_is_refused(
    empty_database: str, tmp_path: Path, progress: str
) -> None:
    """In either direction, and by what only looks: it is not known how to go on."""
    three_tables(tmp_path)
    migrator(empty_database, tmp_path).migrate(to=A)
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute(
            "insert into _todo_sql_ledger (migration_id, progress, tool_version) "
            "values (%s, %s, '9')",
            [B, progress],
        )
    run = migrator(empty_database, tmp_path)
    for call in (run.migrate, run.rollback, run.status):
        with pytest.raises(LedgerError, match="upgrade todo-sql") as caught:
            call()
        assert caught.value.finding.code == "M401"
    assert tables(empty_database) == ["a"]


def test_a_newer_column_in_the_ledger_does_no_harm(empty_database: str, tmp_path: Path) -> None:
    """A newer tool may add columns without a new format."""
    three_tables(tmp_path)
    migrator(empty_database, tmp_path).migrate(to=A)
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("alter table _todo_sql_ledger add column more text default 'x'")
    assert migrate(empty_database, tmp_path) == [B, C]


def test_tables_of_another_yoyo_are_refused(empty_database: str, tmp_path: Path) -> None:
    """Of before 6, or of one that is yet to come."""
    three_tables(tmp_path)
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("create table _yoyo_migration (id varchar(191) primary key, ctime date)")
    with pytest.raises(LedgerError, match="yoyo list"):
        migrate(empty_database, tmp_path)
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("drop table _yoyo_migration")
    migrator(empty_database, tmp_path).migrate(to=A)
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("insert into _yoyo_version values (3, now())")
    with pytest.raises(LedgerError, match="upgrade todo-sql"):
        migrate(empty_database, tmp_path)


def test_two_folders_with_the_same_ids_do_not_meet(empty_database: str, tmp_path: Path) -> None:
    """yoyo's registry is of the process; ours is none."""
    from todo_sql.migrations.files.folder import load

    three_tables(tmp_path / "one")
    write(tmp_path / "two", A, "create table z (id int);")
    one, two = load(tmp_path / "one"), load(tmp_path / "two")
    assert "table a" in one.by_id[A].forward.source.text
    assert "table z" in two.by_id[A].forward.source.text
