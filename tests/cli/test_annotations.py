"""`--format github`: what commands find, and what ends them, as annotations at their lines."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from support.commands import todo_sql
from support.database import Server
from support.migrations import write

pytestmark = pytest.mark.database

ID = "20260101000000_first"
FILE = f"migrations/{ID}.sql"


def _annotations(folder: Path, server: Server, url: str, *words: str) -> tuple[int, str]:
    urls = {"DATABASE_URL": url, "TODO_SQL_SCRATCH_URL": server.url()}
    run = todo_sql(*words, "--format", "github", cwd=folder, **urls)
    assert all(line.startswith("::") for line in run.stdout.splitlines()), run.stdout
    return run.returncode, run.stdout


@pytest.mark.parametrize(
    ("words", "forward", "rollback", "exit_code", "wanted"),
    [
        (["migrate"], "select 1;\nselect 1/0;", "select 1;", 3, f"::error file={FILE},line=2"),
        (["migrate"], "select 1;\nselec 2;", "select 1;", 2, f"::error file={FILE},line=2"),
        (
            ["migrate"],
            "do $$ begin raise warning 'look here'; end $$;",
            "select 1;",
            0,
            f"::warning file={FILE},line=1",
        ),
        (["verify"], "create table t ();", "select 1;", 1, "::error file=migrations/"),
        (["plan"], "select 1;\nselect 1/0;", "select 1;", 1, f"::error file={FILE},line=2"),
    ],
)
def test_where_something_is_wrong(
    tmp_path: Path,
    server: Server,
    empty_database: str,
    words: list[str],
    forward: str,
    rollback: str,
    exit_code: int,
    wanted: str,
) -> None:
    """At file and line, and nothing else on stdout."""
    (tmp_path / "pyproject.toml").write_text("[tool.todo-sql]\n")
    write(tmp_path / "migrations", ID, forward, rollback)
    code, said = _annotations(tmp_path, server, empty_database, *words)
    assert code == exit_code and wanted in said, said


def test_a_drift_has_no_line(tmp_path: Path, server: Server, empty_database: str) -> None:
    """It is told all the same; without one there is nothing on stdout."""
    (tmp_path / "pyproject.toml").write_text("[tool.todo-sql]\n")
    write(tmp_path / "migrations", ID, "create table t ();", "drop table t;")
    assert _annotations(tmp_path, server, empty_database, "migrate") == (0, "")
    assert _annotations(tmp_path, server, empty_database, "drift") == (0, "")
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("create table stray ()")
    code, said = _annotations(tmp_path, server, empty_database, "drift")
    assert code == 1 and "stray" in said
