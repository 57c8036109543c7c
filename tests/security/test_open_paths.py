"""lint and doctor agree on which search paths let others put objects in."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from support.commands import clean_environment

from todo_sql.catalog.doctor import examine
from todo_sql.config import load_config
from todo_sql.errors import Finding
from todo_sql.review.linting.reviewed import File
from todo_sql.review.linting.rule import Project, all_rules
from todo_sql.sql.grammar import parse
from todo_sql.sql.source import Source

BODY = "returns text language sql security definer {} as $$ select current_user::text $$;"

CLOSED = (
    "set search_path = pg_catalog, pg_temp",
    "set search_path to pg_catalog, pg_temp",
    "set search_path = 'pg_catalog', 'pg_temp'",
    "set search_path = pg_catalog, app, pg_temp",
    "set search_path = pg_temp",
    'set search_path = "a, b", "Mixed", "with ""quotes""", pg_temp',
)

OPEN = (
    "",
    "set search_path = ''",
    'set search_path = "$user", pg_temp',
    "set search_path = public, pg_temp",
    "set search_path = pg_catalog, public, pg_temp",
    "set search_path = pg_catalog",
    "set search_path = pg_temp, pg_catalog",
    "set search_path = pg_temp, pg_catalog, pg_temp",
    "set search_path = 'pg_catalog, pg_temp'",
    'set search_path = pg_catalog, "PG_TEMP"',
    "set search_path = pg_catalog, opened, pg_temp",
    "set search_path = opened, pg_temp",
    "set lock_timeout = '2s'",
)

SCHEMAS = """
create schema app;
create schema opened;
grant create on schema opened to pg_monitor;
"""

CHANGES = (
    ("alter function f() set search_path = pg_catalog, pg_temp", False),
    ("alter function f() set search_path = ''", True),
    ("alter function f() reset search_path", True),
    ("alter function f() reset all", True),
    ("alter function f() set search_path to default", True),
    ("alter function f() set lock_timeout = '1s'", False),
    ("alter function f() security invoker", False),
    ("create or replace function f() " + BODY.format(""), True),
)


def lint_codes(text: str) -> set[str]:
    """Return the codes of the rules that a migration breaks."""
    file = File(Source("example.sql", text), "migration", tuple(parse(text)))
    return {rule.code for rule in all_rules() for _ in rule.check(Project((file,)))}


def doctors(url: str, code: str) -> list[Finding]:
    """Return the findings of the doctor with a code."""
    with psycopg.connect(url, autocommit=True) as connection:
        found = examine(connection, load_config(environment={})).findings
        return [one for one in found if one.code == code]


@pytest.mark.parametrize(
    ("option", "open_"),
    [*((option, False) for option in CLOSED), *((option, True) for option in OPEN)],
)
def test_lint_judges_a_path(option: str, open_: bool) -> None:
    """pg_temp last in a path of closed schemas; nothing else will do."""
    text = f"{SCHEMAS} create function f() {BODY.format(option)}"
    assert ("R204" in lint_codes(text)) is open_


@pytest.mark.parametrize(("change", "open_"), CHANGES)
def test_lint_follows_what_is_altered(change: str, open_: bool) -> None:
    """What counts is the function after the last migration."""
    made = f"create function f() {BODY.format('set search_path = pg_catalog, pg_temp')}"
    assert ("R204" in lint_codes(f"{made} {change};")) is open_


@pytest.mark.database
def test_doctor_judges_the_same(empty_database: str) -> None:
    """The live functions are judged as their files are, and what mends them does."""
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute(SCHEMAS.encode())
        for number, option in enumerate((*CLOSED, *OPEN)):
            connection.execute(f"create function f{number}() {BODY.format(option)}".encode())
    found = doctors(empty_database, "K207")
    assert {one.message.split(":")[0] for one in found} == {
        f"public.f{number}()" for number in range(len(CLOSED), len(CLOSED) + len(OPEN))
    }
    with psycopg.connect(empty_database, autocommit=True) as connection:
        for one in found:
            connection.execute((one.fix or "").encode())
    assert doctors(empty_database, "K207") == []


OPENED = (
    "grant create on schema public to public",
    "grant all on schema public to pg_monitor",
    "grant create on schema app to public; alter role all set search_path = app, public",
    "create schema other; grant create on schema other to pg_monitor;"
    " alter role pg_monitor set search_path = other",
)

SHUT = (
    "grant usage on schema public to public",
    "grant create on schema app to public",
    "grant create on schema public to public; revoke create on schema public from public",
)


@pytest.mark.parametrize(
    ("text", "open_"), [*((text, True) for text in OPENED), *((text, False) for text in SHUT)]
)
def test_lint_sees_an_open_schema(text: str, open_: bool) -> None:
    """A schema on a search path that somebody may create in, unless it is revoked later."""
    assert ("R207" in lint_codes(text)) is open_


@pytest.mark.database
@pytest.mark.parametrize(
    ("grant", "path"),
    [
        ("grant create on schema public to public", None),
        ("grant all on schema public to pg_monitor", None),
        ("grant create on schema app to public", "alter database {} set search_path = app, public"),
        (
            "grant create on schema app to public",
            "alter database {} set search_path = 'public, app'",
        ),
        (
            'create schema "With ""Quote"; grant create on schema "With ""Quote" to public',
            'alter database {} set search_path = "With ""Quote"',
        ),
    ],
)
def test_doctor_sees_an_open_schema(empty_database: str, grant: str, path: str | None) -> None:
    """As databases are that were upgraded from 14, or that set a path of their own."""
    name = empty_database.rsplit("/", 1)[1]
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("create schema app")
        if path:
            connection.execute(path.format(f'"{name}"').encode())
    assert doctors(empty_database, "K219") == []
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute(grant.encode())
    found = doctors(empty_database, "K219")
    if path and "'" in path:  # one schema of an odd name, which does not exist
        assert found == []
        return
    assert len(found) == 1 and found[0].severity == "error"
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute((found[0].fix or "").encode())
    assert doctors(empty_database, "K219") == []


@pytest.mark.database
@pytest.mark.parametrize(
    ("grant", "warned"),
    [
        ("grant create on schema public to public", True),
        ("grant all on schema public to pg_monitor", True),
        ("grant usage on schema public to public", False),
        ("create schema app; grant create on schema app to public", False),
    ],
)
def test_migrate_warns_of_an_open_schema(
    empty_database: str, tmp_path: Path, grant: str, warned: bool
) -> None:
    """Warned of with a code, in JSON as on stderr, also with --quiet; the run goes on."""
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute(grant.encode())
    folder = tmp_path / "migrations"
    folder.mkdir()
    (tmp_path / "pyproject.toml").write_text("[tool.todo-sql]\n", encoding="utf-8")
    for number in (1, 2):
        migration = folder / f"2026010{number}000000_a{number}.sql"
        migration.write_text(f"create table a{number} (x int);\n", encoding="utf-8")
        rollback = migration.with_suffix(".rollback.sql")
        rollback.write_text(f"drop table a{number};\n", encoding="utf-8")
    arguments = ["--project", str(tmp_path), "--database", empty_database]
    said = []
    for words in (["migrate", "--to", "20260101000000", "--json"], ["migrate", "--quiet"]):
        done = subprocess.run(
            [sys.executable, "-m", "todo_sql", *arguments, *words],
            capture_output=True,
            text=True,
            check=True,
            env=clean_environment(),
        )
        said.append(done)
    codes = [one["code"] for one in json.loads(said[0].stdout).get("warnings", [])]
    assert codes == (["M507"] if warned else [])
    for done in said:
        assert ("others may create in public" in done.stderr) is warned
