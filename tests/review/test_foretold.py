"""What `plan` foretells of hazards on a filled table, beside what happens when they run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from support.database import Server
from support.hazards import BASE, FILL, HAZARDS, Hazard

from todo_sql.catalog.item import Item
from todo_sql.catalog.snapshot import take
from todo_sql.cli.app import main
from todo_sql.errors import TodoSqlError
from todo_sql.migrations import migrate
from todo_sql.review.copy import load
from todo_sql.testing import TestServer

pytestmark = pytest.mark.database

Connect = Callable[..., psycopg.Connection[Any]]

ROWS = 300


def write_base(folder: Path) -> Path:
    """Write a project without queries whose one migration makes what the hazards are done to."""
    (folder / "pyproject.toml").write_text("[tool.todo-sql]\n", encoding="utf-8")
    (folder / "migrations").mkdir()
    base = folder / "migrations" / "20260101000000_base.sql"
    base.write_text(f"-- irreversible: the first\n{BASE}", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def filled(todo_sql_server: TestServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of a database with that migration applied, its tables filled."""
    folder = write_base(tmp_path_factory.mktemp("base"))
    with todo_sql_server.database() as name:
        migrate(todo_sql_server.url(name), folder / "migrations")
        with psycopg.connect(todo_sql_server.url(name), autocommit=True) as connection:
            connection.execute(FILL.replace("{rows}", str(ROWS)).encode())
            connection.execute("analyze")
        yield name


@pytest.fixture
def filled_database(todo_sql_server: TestServer, filled: str) -> Iterator[str]:
    """The URL of a filled database of the test's own."""
    with todo_sql_server.database(filled) as name:
        yield todo_sql_server.url(name)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project without queries whose first migration is applied, its tables filled."""
    return write_base(tmp_path)


@pytest.fixture
def plan(
    project: Path,
    filled_database: str,
    server: Server,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., dict[str, Any]]:
    """Plan a migration with a rollback, on a scratch database of the target's own cluster."""
    monkeypatch.setenv("TODO_SQL_SCRATCH_URL", server.url())

    def plan(text: str, rollback: str | None = None, *words: str) -> dict[str, Any]:
        pending = project / "migrations" / "20260201000000_pending.sql"
        way_back = pending.with_suffix(".rollback.sql")
        way_back.unlink(missing_ok=True)
        if rollback is None:
            head, _, rest = text.partition("\n") if text.startswith("-- ") else ("", "", text)
            text = f"{head}\n-- irreversible: as an example\n{rest}".lstrip()
        else:
            way_back.write_text(rollback, encoding="utf-8")
        pending.write_text(text, encoding="utf-8")
        capsys.readouterr()
        main(["--project", str(project), "--database", filled_database, "--json", "plan", *words])
        return dict(json.loads(capsys.readouterr().out))

    return plan


def codes(planned: dict[str, Any]) -> set[str]:
    """Return the codes of what a plan found."""
    return {finding["code"] for finding in planned["findings"]}


@pytest.mark.parametrize("hazard", HAZARDS, ids=lambda hazard: hazard.name)
def test_foretold_is_what_happens(
    hazard: Hazard,
    plan: Callable[..., dict[str, Any]],
    project: Path,
    filled_database: str,
    connect: Connect,
    server: Server,
) -> None:
    """Certain failure is foretold of every statement that fails, and of no other."""
    if server.version < hazard.since:
        pytest.skip(f"is of PostgreSQL {hazard.since}")
    there = "select from pg_extension where extname = %s"
    if (
        hazard.extension
        and not connect(filled_database).execute(there, [hazard.extension]).rowcount
    ):
        pytest.skip(f"{hazard.extension} is not on this server")
    found = plan(hazard.text)
    assert hazard.code in codes(found) | {None}, found
    foretold = bool(codes(found) & {"P101", "P114"})
    try:
        migrate(filled_database, project / "migrations")
        failed = None
    except TodoSqlError as error:
        failed = error
    assert foretold == (failed is not None), (failed, found)
    assert hazard.fails == foretold


UNDOING = {
    "it does": ("create table n (id int);", "drop table n;", True),
    "it does nothing": ("create table n (id int);", "select 1;", False),
    "it forgets a default": (
        "alter table notes alter title set default 'x';",
        "alter table notes alter title set default 'y';",
        False,
    ),
    "it fails": ("create table n (id int);", "drop table m;", False),
    "by itself": (
        "-- transactional: false\ncreate index concurrently n on notes (title);",
        "-- transactional: false\ndrop index concurrently n;",
        True,
    ),
    "by itself, not": (
        "-- transactional: false\ncreate index concurrently n on notes (title);",
        "-- transactional: false\ndrop index concurrently notes_title;",
        False,
    ),
}


@pytest.mark.parametrize("name", UNDOING)
def test_undone_is_proved(name: str, plan: Callable[..., dict[str, Any]]) -> None:
    """A rollback file is run on the copy before anything is said of it."""
    text, rollback, undone = UNDOING[name]
    found = plan(text, rollback)
    assert found["migrations"][0]["undone"] is undone
    assert ("P111" in codes(found)) is not undone


def test_a_rename_is_no_loss(plan: Callable[..., dict[str, Any]], project: Path) -> None:
    """It is told as what it is, and a real loss in the same file at its own statement."""
    found = plan(
        "alter table owners rename to people;\nalter table notes rename body to words;\n"
        "alter table notes drop column old;\nalter table notes add column old text;\n"
    )
    told = {(f["code"], f["line"]): f["message"] for f in found["findings"]}
    assert told["P112", 2] == "renames owners to people"
    assert told["P112", 3] == "renames column notes.body to words"
    assert told["P107", 4] == f"drops column notes.old (about {ROWS} rows)"
    assert [code for code, _ in told].count("P107") == 1


def test_what_is_not_asked_is_said(plan: Callable[..., dict[str, Any]]) -> None:
    """Without data checks, and where an earlier write is in the way."""
    text = "alter table notes add constraint c check (amount >= 0);"
    (unknown,) = plan(text, None, "--no-data-checks")["migrations"][0]["unknown"]
    assert "the target is not asked" in unknown
    found = plan(f"delete from notes where amount < 0; {text}")
    assert "an earlier statement may change the rows" in found["migrations"][0]["unknown"][0]


def test_rows_that_are_hidden_are_no_proof(
    plan: Callable[..., dict[str, Any]],
    project: Path,
    filled_database: str,
    connect: Connect,
    server: Server,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A role that row security hides rows from learns that, and not that all is well."""
    connection = connect(filled_database, autocommit=True)
    role = f"seer_{server.version}"
    connection.execute(f"create role {role} login password '{server.password}'".encode())
    try:
        connection.execute(b"alter table notes enable row level security")
        connection.execute(f"grant select on all tables in schema public to {role}".encode())
        plan("alter table notes add constraint c check (amount >= 0);")
        url = server.url(connection.info.dbname, role)
        main(["--project", str(project), "--database", url, "--json", "plan"])
        found = json.loads(capsys.readouterr().out)
        assert "migrations" in found, found
        (unknown,) = found["migrations"][0]["unknown"]
        assert "row level security hides rows" in unknown
    finally:
        revoke = f"revoke all on all tables in schema public from {role}"
        connection.execute(f"{revoke}; drop role {role}".encode())


def test_a_whole_copy_or_no_all_clear(
    plan: Callable[..., dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    connect: Connect,
    superuser_database: str,
    project: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What the scratch server does not let be made is an error of the plan."""
    connect(superuser_database, autocommit=True).execute(
        "create foreign data wrapper w; create server s foreign data wrapper w;"
        "create user mapping for public server s options (secret 'x')"
    )
    (project / "migrations" / "20260201000000_pending.sql").write_text(
        "-- irreversible: as an example\nselect 1;\n", encoding="utf-8"
    )
    main(["--project", str(project), "--database", superuser_database, "--json", "plan"])
    found = json.loads(capsys.readouterr().out)
    assert bool(found["not_copied"]) == ("P113" in codes(found))
    assert found["not_copied"]


@pytest.mark.parametrize(
    ("ignore", "missing"),
    [((), True), (("extension elsewhere*",), False), (("table *", "extension other"), True)],
)
def test_an_ignored_extension_may_be_missing(
    empty_database: str, ignore: tuple[str, ...], missing: bool
) -> None:
    """What the configuration leaves alone is no hole in the copy; what needs it tells itself."""
    with psycopg.connect(empty_database, autocommit=True) as connection:
        live = take(connection)
        absent = Item("extension", "elsewhere", None, {"schema": "public"})
        live = replace(live, items={**live.items, absent.key: absent})
        found = load(connection, live, ignore=ignore)
    assert [one for one in found if "elsewhere" in one] == found
    assert bool(found) is missing


REACHING = [
    "create role reaching;",
    "alter role postgres set work_mem = '5MB';",
    "do $$ begin create role reaching; end $$;",
    "do $$ begin execute 'create ' || 'role reaching'; end $$;",
    "grant pg_monitor to pg_read_all_data;",
    "comment on database postgres is 'x';",
]


@pytest.mark.parametrize("text", REACHING)
def test_nothing_reaches_the_targets_cluster(
    text: str, plan: Callable[..., dict[str, Any]], server: Server
) -> None:
    """What belongs to a cluster is not tried on the target's own; it is as it was."""
    assert plan(text)["error"]["code"] == "P201"
    assert server.admin.execute("select from pg_roles where rolname = 'reaching'").rowcount == 0


def test_check_without_queries(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A project of migrations alone has nothing to check, and hears so."""
    assert main(["--project", str(project), "check"]) == 0
    output = capsys.readouterr()
    assert "there are no queries" in output.out + output.err
