"""new --from-drift: what was changed by hand becomes a migration that leads there and back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection
from support.database import Owner, Server

from todo_sql.cli.app import main
from todo_sql.errors import ExitCode

pytestmark = pytest.mark.database

Connect = Callable[..., Connection[Any]]

FIRST = "20260101090000_create_notes"
TABLE = "create table notes (id bigint constraint notes_pkey primary key);\n"
BY_HAND = [
    "alter table notes add column body text",
    "create view a_few as select id from notes",
    'create table "Od d" ("I d" serial primary key, note bigint references notes)',
    "create function one() returns int language sql as $$select 1; -- two\n$$",
    "alter table notes drop constraint notes_pkey",
    "create index by_hand on notes (id) where id > 5",
]


@pytest.fixture
def project(
    tmp_path: Path,
    empty_database: str,
    server: Server,
    owner: Owner,
    monkeypatch: pytest.MonkeyPatch,
) -> list[str]:
    """The arguments for a project with one migration, applied."""
    monkeypatch.setenv("TODO_SQL_SCRATCH_URL", server.url(user=owner.name))
    (tmp_path / "pyproject.toml").write_text("[tool.todo-sql]\n", encoding="utf-8")
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / f"{FIRST}.sql").write_text(TABLE, encoding="utf-8")
    (tmp_path / "migrations" / f"{FIRST}.rollback.sql").write_text("drop table notes;\n")
    arguments = ["--project", str(tmp_path), "--database", empty_database, "--json"]
    assert main([*arguments, "migrate"]) == ExitCode.OK
    return arguments


@pytest.mark.parametrize("change", BY_HAND)
def test_a_change_by_hand_becomes_a_migration(
    change: str,
    project: list[str],
    empty_database: str,
    connect: Connect,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """Once recorded there is no drift; its rollback and `migrate` lead back and forth."""
    connection = connect(empty_database, autocommit=True)
    connection.execute(change.encode())
    assert main([*project, "drift"]) == ExitCode.FINDINGS
    capsys.readouterr()
    assert main([*project, "new", "from live", "--from-drift"]) == ExitCode.OK
    document = json.loads(capsys.readouterr().out)
    assert document["id"].endswith("_from_live")
    assert all((tmp_path / path).is_file() for path in document["files"])
    assert main([*project, "baseline", document["id"]]) == ExitCode.OK
    assert main([*project, "drift"]) == ExitCode.OK
    assert main([*project, "verify"]) == ExitCode.OK


def test_hazards_are_named(
    project: list[str], empty_database: str, connect: Connect, capsys: pytest.CaptureFixture[str]
) -> None:
    """What lint finds in the draft is told with it; style is not."""
    connect(empty_database, autocommit=True).execute("create index CONCURRENTLY i on notes (id)")
    capsys.readouterr()
    assert main([*project, "new", "index", "--from-drift"]) == ExitCode.OK
    codes = {finding["code"] for finding in json.loads(capsys.readouterr().out)["findings"]}
    assert "require-concurrent-index-creation" in codes
    assert not any(code.startswith("CP") for code in codes)


def test_nothing_differs(
    project: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Then no file is written."""
    capsys.readouterr()
    assert main([*project, "new", "nothing", "--from-drift"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out) == {"id": None, "files": [], "findings": []}
    assert len(list((tmp_path / "migrations").iterdir())) == 2


def test_a_schema_file(
    project: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A desired schema, as pg_dump writes it, becomes the migration that makes it."""
    capsys.readouterr()
    wanted = tmp_path / "wanted.sql"
    wanted.write_text(
        "\\restrict abc\nselect pg_catalog.set_config('search_path', '', false);\n"
        "create table public.notes (id bigint constraint notes_pkey primary key, body text);\n",
        encoding="utf-8",
    )
    arguments = [*project, "new", "body", "--from-drift", "--schema", str(wanted)]
    assert main(arguments) == ExitCode.OK
    document = json.loads(capsys.readouterr().out)
    text = (tmp_path / document["files"][0]).read_text(encoding="utf-8")
    assert "alter table public.notes add column body text;" in text
    assert main([*project, "migrate"]) == ExitCode.OK
    capsys.readouterr()
    assert main(arguments) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["files"] == []


def test_a_schema_file_that_fails(
    project: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """It is told at its place, and no file is written."""
    wanted = tmp_path / "wanted.sql"
    wanted.write_text("create table a (id int);\ncreate table b (id nothing);\n", encoding="utf-8")
    capsys.readouterr()
    assert main([*project, "new", "b", "--from-drift", "--schema", str(wanted)]) == ExitCode.USAGE
    error = json.loads(capsys.readouterr().out)["error"]
    assert (error["code"], error["line"]) == ("K104", 2)
    assert len(list((tmp_path / "migrations").iterdir())) == 2
