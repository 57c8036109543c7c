"""plan, doctor and explain from the command line, on a database with rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection

from todo_sql.cli.app import main
from todo_sql.errors import ExitCode
from todo_sql.migrations import migrate
from todo_sql.review.plan_tree import slow_spots, tree

pytestmark = pytest.mark.database

Connect = Callable[..., Connection[Any]]

BASE = """
create table notes (id bigint primary key, body text, old text);
create index idx_notes_body on notes (body);
"""
CHANGE = """
alter table notes add column label text;
alter table notes alter column body set not null;
create index idx_notes_label on notes (label);
alter table notes drop column old;
drop index idx_notes_body;
"""
QUERIES = """
-- name: by_body :many
-- Notes of a text.
select id from notes where body = :body;

-- name: old_ones :many
-- What the column still holds.
select id, old from notes;
"""


@pytest.fixture
def project(tmp_path: Path, empty_database: str, connect: Connect) -> Path:
    """A project whose first migration is applied to a table of 20,000 rows."""
    (tmp_path / "pyproject.toml").write_text("[tool.todo-sql]\n", encoding="utf-8")
    for folder in ("migrations", "queries"):
        (tmp_path / folder).mkdir()
    base = tmp_path / "migrations" / "20260101090000_base.sql"
    base.write_text(BASE, encoding="utf-8")
    base.with_suffix(".rollback.sql").write_text("drop table notes;", encoding="utf-8")
    migrate(empty_database, tmp_path / "migrations")
    connection = connect(empty_database, autocommit=True)
    connection.execute("insert into notes select i, 'note ' || i from generate_series(1, 20000) i")
    connection.execute("analyze notes")
    (tmp_path / "queries" / "notes.sql").write_text(QUERIES, encoding="utf-8")
    return tmp_path


def test_what_is_pending_is_planned(
    project: Path, empty_database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Locks, scans, builds, losses and broken queries, weighed by the live rows."""
    change = project / "migrations" / "20260201090000_change.sql"
    change.write_text(f"-- irreversible: the column is gone\n{CHANGE}", encoding="utf-8")
    arguments = ["--project", str(project), "--database", empty_database, "plan"]
    assert main([*arguments, "--json"]) == ExitCode.FINDINGS
    plan = json.loads(capsys.readouterr().out)
    (planned,) = plan["migrations"]
    assert planned["rollback"] == "the column is gone"
    first, not_null, index, dropped, _ = planned["statements"]
    assert first["locks"][0] == {
        "relation": "public.notes",
        "mode": "AccessExclusiveLock",
        "blocks": ["reads", "writes", "schema changes"],
    }
    assert not_null["scanned"] == ["public.notes"]
    assert not_null["under"] == ["public.notes"]
    assert index["built"] == ["public.idx_notes_label"]
    assert dropped["rewritten"] == []
    hazards = {(f["code"], f["severity"]) for f in plan["findings"]}
    assert {
        ("P104", "error"),
        ("P105", "error"),
        ("P107", "warning"),
        ("P108", "warning"),
    } <= hazards
    broken = {one["query"]: one["reason"] for one in planned["broken"]}
    assert broken == {
        "by_body": "its plan used index idx_notes_body, which is dropped",
        "old_ones": 'column "old" does not exist',
    }
    assert main([*arguments, "--markdown", "--fail-on", "never"]) == ExitCode.OK
    shown = capsys.readouterr().out
    assert "### 20260201090000_change" in shown
    assert "ACCESS EXCLUSIVE on notes: blocks reads, writes and schema changes" in shown
    assert "about 20,000 rows" in shown


def test_a_failing_migration_is_said_before_it_runs(
    project: Path, empty_database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A statement that fails on the copy is a finding at its place in the file."""
    change = project / "migrations" / "20260201090000_change.sql"
    change.write_text("select 1;\nalter table nots add column x int;\n", encoding="utf-8")
    change.with_suffix(".rollback.sql").write_text("select 1;", encoding="utf-8")
    arguments = ["--project", str(project), "--database", empty_database, "--json", "plan"]
    assert main(arguments) == ExitCode.FINDINGS
    (failure,) = (f for f in json.loads(capsys.readouterr().out)["findings"] if f["code"] == "P101")
    assert (failure["line"], failure["message"]) == (
        2,
        'fails on a copy of the live schema: relation "nots" does not exist',
    )


def test_nothing_is_pending(
    project: Path, empty_database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Then there is no copy to make, and nothing to fail on."""
    arguments = ["--project", str(project), "--database", empty_database, "plan"]
    assert main(arguments) == ExitCode.OK
    assert "nothing is pending" in capsys.readouterr().out


def test_doctor_finds_what_is_planted(
    empty_database: str, connect: Connect, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Each hazard of a live database comes with the statement that mends it."""
    connect(empty_database, autocommit=True).execute(
        b"""
        create table lists (user_id text, id int primary key);
        create table tasks (id smallint primary key, list_id int references lists);
        create index one on tasks (list_id) where false;
        create index two on lists (user_id);
        create index three on lists (user_id);
        create view v as select * from tasks;
        create function f() returns int language sql security definer as 'select 1';
        create policy p on tasks using (true);
        grant truncate on tasks to pg_monitor;
        grant select on lists to public;
        alter default privileges in schema public grant select on tables to pg_monitor;
        create sequence s owned by tasks.id;
        select setval('s', 30000);
        create table events (at timestamptz) partition by range (at);
        create table events_2020 partition of events
            for values from ('2020-01-01') to ('2021-01-01');
        """
    )
    (tmp_path / "pyproject.toml").write_text(
        '[tool.todo-sql]\ntenant = { parameter = "user_id", setting = "app.user", role = "app" }\n',
        encoding="utf-8",
    )
    arguments = ["--project", str(tmp_path), "--database", empty_database, "--json", "doctor"]
    assert main(arguments) == ExitCode.FINDINGS
    findings = json.loads(capsys.readouterr().out)["findings"]
    found = {finding["code"] for finding in findings}
    assert found >= {
        *("K201", "K203", "K205", "K206", "K207", "K208", "K209", "K211", "K213", "K214"),
    }
    assert all(finding["fix"] for finding in findings)


def test_doctor_has_nothing_to_say_of_the_todo_database(
    todo_database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Our own schema passes every check."""
    assert main(["--database", todo_database, "--json", "doctor"]) == ExitCode.OK
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert [finding for finding in findings if finding["severity"] != "info"] == []


def test_drift_of_the_todo_database(
    todo_database: str,
    connect: Connect,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    server: Any,
) -> None:
    """None at first, whoever migrated; then what was done by hand, with what mends it."""
    monkeypatch.setenv("TODO_SQL_SCRATCH_URL", server.url())
    assert main(["--database", todo_database, "--quiet", "drift"]) == ExitCode.OK
    connection = connect(todo_database, autocommit=True)
    connection.execute("alter table tasks alter column title drop not null")
    capsys.readouterr()
    assert main(["--database", todo_database, "--quiet", "drift"]) == ExitCode.FINDINGS
    assert "alter table public.tasks alter column title set not null;" in capsys.readouterr().out


def test_a_plan_is_drawn_as_a_tree() -> None:
    """Each step has its index, its condition, and the rows expected and met."""
    plan = {
        "Node Type": "Limit",
        "Plan Rows": 5,
        "Actual Rows": 5,
        "Actual Total Time": 0.5,
        "Actual Loops": 1,
        "Plans": [
            {
                "Node Type": "Index Scan",
                "Index Name": "tasks_pkey",
                "Relation Name": "tasks",
                "Alias": "t",
                "Plan Rows": 20000,
                "Actual Rows": 5,
                "Actual Total Time": 0.25,
                "Actual Loops": 2,
                "Shared Hit Blocks": 7,
                "Index Cond": "(id = 1)",
                "Filter": "open",
                "Rows Removed by Filter": 9000,
            }
        ],
    }
    scan = (
        "Index Scan using tasks_pkey on tasks as t"
        "  5 rows of 20,000 expected, 0.500 ms, 7 blocks, 2 times\n"
        "looked up (id = 1)\n"
        "filtered by open, which drops 9,000 rows"
    )
    assert tree(plan) == ("Limit  5 rows of 5 expected, 0.500 ms, 0 blocks", [(scan, [])])
    assert list(slow_spots(plan)) == [
        "tasks: 9,000 rows are read and dropped for 5 kept",
        "tasks: 20,000 rows were expected, 5 came",
    ]


def test_explain_runs_as_the_tenant(todo_database: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The plan has the index; a write is only planned, unless it is rolled back."""
    base = ["--database", todo_database, "--json", "explain"]
    assert main([*base, "list_tasks", "user_id=u1"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["executed"] is True
    assert main([*base, "create_task", "user_id=u1", "title=x"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["executed"] is False
    assert main([*base, "list_tasks"]) == ExitCode.USAGE
