"""`todo-sql rewrite` from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection
from support.database import Server

from todo_sql.cli.app import main
from todo_sql.errors import ExitCode
from todo_sql.migrations import migrate

pytestmark = pytest.mark.database

Connect = Callable[..., Connection[Any]]
Run = Callable[..., int]

BASE = "create table notes (id bigint primary key, body text);"
CHANGE = """-- Bodies are looked up.
-- allow: unknown-fate it is harmless
create index notes_body_idx on notes (body);
alter table notes alter column body set not null;
"""


@pytest.fixture
def project(tmp_path: Path, empty_database: str) -> Path:
    """A project with a base that is applied and a change that is not."""
    (tmp_path / "pyproject.toml").write_text("[tool.todo-sql]\n", encoding="utf-8")
    folder = tmp_path / "migrations"
    folder.mkdir()
    _pair(folder, "20260101090000_base", BASE, "drop table notes;")
    migrate(empty_database, folder)
    undo = "drop index notes_body_idx; alter table notes alter column body drop not null;"
    _pair(folder, "20260201090000_change", CHANGE, undo)
    later = "-- depends: 20260201090000_change\ncreate table more (id int);"
    _pair(folder, "20260301090000_later", later, "drop table more;")
    return tmp_path


def _pair(folder: Path, id: str, forward: str, rollback: str) -> None:
    (folder / f"{id}.sql").write_text(forward, encoding="utf-8")
    (folder / f"{id}.rollback.sql").write_text(rollback, encoding="utf-8")


@pytest.fixture
def run(project: Path, empty_database: str, server: Server, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command on the project and its database."""
    monkeypatch.setenv("TODO_SQL_SCRATCH_URL", server.url())

    def run(*arguments: str) -> int:
        return main(["--project", str(project), "--database", empty_database, *arguments])

    return run


def test_a_migration_is_replaced(
    project: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """The files are there, run, can be undone, and what depended on the original still does."""
    assert run("rewrite", "20260201090000", "--yes") == ExitCode.OK
    folder = project / "migrations"
    ids = [path.name for path in sorted(folder.glob("202602*.sql")) if "rollback" not in path.name]
    assert ids[0] == "20260201090000_change_1_index.sql"
    assert "20260201090000_change.sql" not in ids
    first = (folder / ids[0]).read_text(encoding="utf-8")
    assert first.startswith("-- Bodies are looked up.\n")
    last = ids[-1].removesuffix(".sql")
    assert f"-- depends: {last}\n" in (folder / "20260301090000_later.sql").read_text()
    assert run("migrate") == ExitCode.OK
    capsys.readouterr()
    assert run("rewrite", last) == ExitCode.USAGE
    assert "P303" in capsys.readouterr().err
    assert run("rollback", "--to", "20260101090000", "--yes") == ExitCode.OK
    assert run("migrate") == ExitCode.OK


def test_a_trial_writes_nothing(
    project: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """The document has files, proof and asks; the project stays as it is."""
    before = sorted(path.name for path in (project / "migrations").iterdir())
    assert run("--json", "rewrite", "20260201090000", "--dry-run") == ExitCode.OK
    found = json.loads(capsys.readouterr().out)
    assert found["id"] == "20260201090000_change"
    assert found["proof"] == {"catalog": "equal", "rollback": "equal", "phases": "equal"}
    assert found["asks"] == []
    first = found["files"][0]
    assert set(first) == {
        *("id", "phase", "transactional", "sql", "rollback", "locks", "rewritten"),
    }
    assert (first["transactional"], first["rewritten"]) == (False, [])
    assert "concurrently" in first["sql"] and "concurrently" in first["rollback"]
    assert first["locks"][0]["mode"] == "ShareUpdateExclusiveLock"
    assert sorted(path.name for path in (project / "migrations").iterdir()) == before


def test_all_that_is_pending(project: Path, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """For a pull request: each that is hazardous; what makes a table of its own is left alone."""
    assert run("--json", "rewrite", "--all-pending", "--dry-run") == ExitCode.OK
    found = json.loads(capsys.readouterr().out)["migrations"]
    assert [(one["id"][15:], len(one["files"]) > 1) for one in found] == [
        ("change", True),
        ("later", False),
    ]


def test_what_cannot_be_done_is_told(
    project: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is written, and the exit code says so."""
    forward = "alter table notes add column owner bigint not null;"
    _pair(project / "migrations", "20260401090000_x", forward, "alter table notes drop owner;")
    path = project / "migrations" / "20260401090000_x.sql"
    assert run("rewrite", "20260401090000", "--yes") == ExitCode.FINDINGS
    assert "P301" in capsys.readouterr().out
    assert path.exists()


def test_the_rest_is_written_if_that_is_asked_for(
    project: Path,
    run: Run,
    empty_database: str,
    connect: Connect,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`--in-part`: one document, the statement in a file of its own, and all of it runs."""
    forward = f"{CHANGE}alter table notes add column owner bigint not null;\n"
    path = project / "migrations" / "20260201090000_change.sql"
    path.write_text(forward, encoding="utf-8")
    undo = (
        "alter table notes drop owner; drop index notes_body_idx;"
        " alter table notes alter column body drop not null;"
    )
    path.with_suffix(".rollback.sql").write_text(undo, encoding="utf-8")
    assert run("--json", "rewrite", "20260201090000", "--yes") == ExitCode.FINDINGS
    found = json.loads(capsys.readouterr().out)
    assert (found["files"], found["proof"]) == ([], None)
    assert run("--json", "rewrite", "20260201090000", "--yes", "--in-part") == ExitCode.OK
    found = json.loads(capsys.readouterr().out)
    assert [(one["code"], one["severity"]) for one in found["asks"]] == [("P301", "warning")]
    (asked,) = [one for one in found["files"] if "_asked" in one["id"]]
    assert "add column owner bigint not null" in asked["sql"].lower()
    assert not path.exists()
    assert run("migrate") == ExitCode.OK
    assert run("rollback", "--to", "20260101090000", "--yes") == ExitCode.OK


def test_plan_names_the_command(
    project: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """The fix of a hazard is the command that makes it."""
    run("--json", "plan")
    findings = json.loads(capsys.readouterr().out)["findings"]
    fixes = [one["fix"] for one in findings if one["code"] in ("P103", "P104")]
    assert len(fixes) == 2
    assert all("`todo-sql rewrite 20260201090000_change`" in fix for fix in fixes)


def test_plan_shows_both_side_by_side(
    project: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a pull request the original stands beside its sequence."""
    run("plan", "--markdown")
    page = capsys.readouterr().out
    assert "`todo-sql rewrite 20260201090000_change` would make of it" in page
    assert "create index notes_body_idx on notes (body);" in page
    assert "create index concurrently notes_body_idx" in page
    assert "| as it is | ACCESS EXCLUSIVE | nothing |" in page


SERVED = """
-- name: by_body :many
-- Served.
select id, body from notes where body = :body;

-- name: write_note :exec
-- Served.
insert into notes (id, body) values (:id, :body) on conflict (id) do update set body = :body;
"""
UNSERVED = """
-- name: grouped :many
-- The key alone does not do.
select id, body, count(*) as n from notes group by id;

-- name: keep_note :exec
-- A constraint of the table.
insert into notes (id, body) values (:id, :body) on conflict on constraint notes_pkey do nothing;

-- name: load_notes :copyfrom
-- COPY.
insert into notes (id, body) values (:id, :body);
"""


def test_queries_that_a_view_cannot_serve_are_told(
    project: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """Between the steps of a rename a view has the name: which queries fail is said before."""
    (project / "queries").mkdir()
    (project / "queries" / "notes.sql").write_text(SERVED + UNSERVED, encoding="utf-8")
    _pair(
        project / "migrations",
        "20260401090000_rename",
        "alter table notes rename column body to text;",
        "alter table notes rename column text to body;",
    )
    assert run("--json", "rewrite", "20260401090000", "--dry-run") == ExitCode.OK
    found = json.loads(capsys.readouterr().out)
    assert [file["phase"] for file in found["files"]] == ["expand", "contract"]
    told = {one["message"].split()[1] for one in found["asks"] if one["code"] == "P306"}
    assert told == {"grouped", "keep_note", "load_notes"}


def test_waivers_stay_where_they_waive(
    project: Path, run: Run, empty_database: str, connect: Connect
) -> None:
    """A column is filled in batches, and lint and verify take what was written."""
    with connect(empty_database) as connection:
        connection.execute("insert into notes select i, 'x' from generate_series(1, 3000) as i")
        connection.commit()
    path = project / "migrations" / "20260201090000_change.sql"
    path.write_text(
        "-- allow: R502 said elsewhere\n"
        "alter table notes add column token uuid not null default gen_random_uuid();",
        encoding="utf-8",
    )
    undo = "alter table notes drop column token;"
    path.with_suffix(".rollback.sql").write_text(undo, encoding="utf-8")
    assert run("rewrite", "20260201090000", "--yes") == ExitCode.OK
    assert run("migrate") == ExitCode.OK
    with connect(empty_database) as connection:
        row = connection.execute("select count(distinct token) from notes").fetchone()
    assert row == (3000,)
    assert run("verify") == ExitCode.OK
    assert run("rollback", "--to", "20260101090000", "--yes") == ExitCode.OK


ALONE = {
    "a column": "alter table notes add column more text;",
    "a table and its rows": "create table kinds (k int); insert into kinds values (1), (2);",
    "rows by key": "update notes set body = 'x' where id = 1;",
    "a block": "do $$ begin perform 1; end $$;",
    "a rename": "alter table notes rename constraint notes_pkey to notes_key;",
    "a type": "create type mood as enum ('a'); comment on type mood is 'x';",
}


@pytest.mark.parametrize("without", ALONE.values(), ids=ALONE)
@pytest.mark.parametrize("in_part", [False, True], ids=["whole", "in part"])
def test_what_no_crash_may_meet_keeps_its_waiver(
    without: str, in_part: bool, project: Path, run: Run
) -> None:
    """Outside a transaction `migrate` asks for it where it is needed, and lint for no other."""
    folder = project / "migrations"
    path = folder / "20260201090000_change.sql"
    asked = "alter table notes add column owner bigint not null;" if in_part else ""
    path.write_text(
        "-- transactional: false\n-- allow: unknown-fate it is small\n"
        f"create index notes_body_idx on notes (body);\n{without}\n{asked}\n"
        "alter table notes alter column body set not null;\n",
        encoding="utf-8",
    )
    back = path.with_suffix(".rollback.sql")
    back.write_text("drop table if exists notes cascade;", encoding="utf-8")
    words = ["--in-part"] if in_part else []
    assert run("rewrite", "20260201090000", "--yes", *words) == ExitCode.OK
    files = [one for one in folder.glob("202602*.sql") if "rollback" not in one.name]
    kept = {
        one.name.split("_change_")[1][2:-4] for one in files if "unknown-fate" in one.read_text()
    }
    assert kept <= {"rest", "asked"}
    assert run("migrate") == ExitCode.OK
    assert run("rollback", "--to", "20260101090000", "--yes") == ExitCode.OK
    assert run("migrate") == ExitCode.OK


def test_those_after_it_move_on(
    project: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where versions are one apart, what is pending gets later ones, if that is what is wanted."""
    folder = project / "migrations"
    for path in sorted(folder.glob("2026*")):
        at = {"20260101": 0, "20260201": 1, "20260301": 2}[path.name[:8]]
        path.rename(path.with_name(f"{20260101090000 + at:014d}{path.name[14:]}"))
    later = folder / "20260101090002_later.sql"
    text = "\ufeff-- depends: 20260101090001_change\r\ncreate table more (id int);\r\n"
    later.write_bytes(text.encode())
    last = "-- depends: 20260101090000_base 20260101090002_later\nselect 1;"
    _pair(folder, "20260101090003_last", last, "select 1;")
    before = sorted(path.name for path in folder.iterdir())
    assert run("rewrite", "20260101090001") == ExitCode.USAGE  # nobody is there to ask
    assert "give 2 migrations after it later versions" in capsys.readouterr().err
    assert run("--json", "rewrite", "20260101090001", "--dry-run") == ExitCode.OK
    found = json.loads(capsys.readouterr().out)
    assert [one["from"] for one in found["renumbered"]] == [
        "20260101090002_later",
        "20260101090003_last",
    ]
    assert sorted(path.name for path in folder.iterdir()) == before
    assert run("rewrite", "20260101090001", "--yes") == ExitCode.OK
    moved = {one["from"]: one["to"] for one in found["renumbered"]}
    first, second = (folder / f"{id}.sql" for id in moved.values())
    wanted = text.replace("20260101090001_change", found["files"][-1]["id"])
    assert first.read_bytes().decode() == wanted
    depends = f"-- depends: 20260101090000_base {moved['20260101090002_later']}\n"
    assert second.read_text().startswith(depends)
    assert run("migrate") == ExitCode.OK
    assert run("rollback", "--to", "20260101090000", "--yes") == ExitCode.OK


def test_several_at_once_that_depend_on_each_other(project: Path, run: Run) -> None:
    """Each sequence depends on the last of the one before, and versions are found for all."""
    folder = project / "migrations"
    for at in range(1, 4):
        text = (
            f"-- depends: 2026020109000{at - 1}_change\n"
            f"create index on notes (body, id) where id > {at};\n"
            f"alter table notes add check (id > -{at});\n"
        )
        undo = f"alter table notes drop constraint notes_id_check{at - 1 or ''}; drop index "
        undo += f"notes_body_id_idx{at - 1 or ''};"
        _pair(folder, f"2026020109000{at}_change", text, undo)
    assert run("rewrite", "--all-pending", "--yes") == ExitCode.OK
    assert len(list(folder.glob("202602*"))) > 16
    assert run("migrate") == ExitCode.OK
    assert run("status") == ExitCode.OK
    assert run("rollback", "--to", "20260101090000", "--yes") == ExitCode.OK


def test_what_is_half_done_stays(
    project: Path,
    run: Run,
    empty_database: str,
    connect: Connect,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The ledger knows it by its statements: it is finished or undone first."""
    path = project / "migrations" / "20260201090000_change.sql"
    path.write_text(
        "-- transactional: false\ncreate index concurrently notes_body_idx on notes (body);\n"
        "create unique index concurrently twice on notes ((id > 0));\n",
        encoding="utf-8",
    )
    undo = "drop index if exists notes_body_idx; drop index if exists twice;"
    path.with_suffix(".rollback.sql").write_text(undo, encoding="utf-8")
    with connect(empty_database) as connection:
        connection.execute("insert into notes values (1, 'a'), (2, 'b')")
        connection.commit()
    assert run("migrate") == ExitCode.DATABASE
    capsys.readouterr()
    for words in (["20260201090000"], ["--all-pending"]):
        assert run("rewrite", *words, "--yes") == ExitCode.FINDINGS
        assert "P303" in capsys.readouterr().out
    assert path.exists()


def test_one_that_had_nothing_to_undo(project: Path, run: Run) -> None:
    """Its directive stands for a rollback file, which is not there to be deleted."""
    path = project / "migrations" / "20260201090000_change.sql"
    path.with_suffix(".rollback.sql").unlink()
    text = "-- nothing-to-undo: so\ncreate index on notes (body);\nupdate notes set body = 'x';\n"
    path.write_text(text, encoding="utf-8")
    assert run("rewrite", "20260201090000", "--yes") == ExitCode.OK
    assert not path.exists()
    assert run("migrate") == ExitCode.OK
