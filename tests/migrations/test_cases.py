"""Small inputs from the lives of other people's projects: what each command says of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from support.commands import called
from support.database import Server

pytestmark = pytest.mark.database

FIRST, SECOND = "20260101000000_first", "20260102000000_second"
NO_DRIFT = "no drift: "


@dataclass(frozen=True)
class Step:
    """A command or a statement, and what comes of it.

    Attributes:
        words: After ``todo-sql``; or ``sql:`` and a statement, with ``{name}`` for the database.
        exit: The exit code.
        says: Patterns of what the outputs hold.
        not_says: Patterns of what they do not.
        file: Where a file is looked into instead, its path.
    """

    words: str
    exit: int = 0
    says: tuple[str, ...] = ()
    not_says: tuple[str, ...] = ()
    file: str | None = None


@dataclass(frozen=True)
class Case:
    """A project and what is done with it.

    Attributes:
        files: By path below the project, or by the id of a migration.
        steps: One after the other.
        since: The first major version that has what it is about.
        trusted: Whether a superuser may run it on the scratch server, too.
    """

    files: dict[str, str]
    steps: tuple[Step, ...]
    since: int = 15
    trusted: bool = False


APPLIED = Step("migrate")
DEEP = " || ".join(["'line'"] * 60)

CASES = {
    "a serial column: plan copies it, and schema.sql loads": Case(
        {
            FIRST: "create table t (id bigserial primary key);",
            SECOND: "alter table t add column n integer;",
        },
        (
            Step("migrate --to 20260101000000"),
            Step(
                "plan",
                0,
                (r"alter table t add column n integer", r"ACCESS EXCLUSIVE on t"),
                ("P101", "not copied", "P113"),
            ),
            Step("docs"),
            Step("load specs/database/schema.sql"),
        ),
    ),
    "a publication's columns: one more is drift, and mended": Case(
        {
            FIRST: "create table t (id integer primary key, secret text);"
            "create publication p for table t (id);"
        },
        (
            APPLIED,
            Step("docs"),
            Step(
                "",
                says=(r"create publication p for table only public\.t \(id\)",),
                file="specs/database/schema.sql",
            ),
            Step("sql:alter publication p set table t"),
            Step("drift", 1, (r"~ publication p", r"alter publication p set table .*t \(id\)")),
            Step("mend"),
            Step("drift", 0, (NO_DRIFT,)),
        ),
    ),
    "options and grants of what is foreign: a change is drift, and mended": Case(
        {
            FIRST: "create foreign data wrapper w; create server s foreign data wrapper w;"
            "create foreign table f (a integer options (column_name 'b')) server s;"
            "create user mapping for public server s options (\"user\" 'u');"
            "create conversion c for 'LATIN1' to 'UTF8' from iso8859_1_to_utf8;"
        },
        (
            APPLIED,
            Step("sql:alter foreign table f alter a options (set column_name 'c')"),
            Step("sql:grant usage on foreign data wrapper w to public"),
            Step("sql:drop user mapping for public server s; drop conversion c"),
            Step("drift", 1, (r"column public\.f\.a", "foreign data wrapper w", r"conversion .*c")),
            Step("mend"),
            Step("drift", 0, (NO_DRIFT,)),
        ),
        trusted=True,
    ),
    "a grant option among default privileges, a child's own default": Case(
        {
            FIRST: "create schema s; alter default privileges in schema s grant select on tables "
            "to pg_monitor with grant option; create table parent (id integer, kind text);"
            "create table child (x integer) inherits (parent);"
            "alter table child alter column kind set default 'k';"
        },
        (
            APPLIED,
            Step("drift", 0, (NO_DRIFT,)),
            Step("docs"),
            Step(
                "",
                says=(
                    r"grant select on tables to pg_monitor with grant option;",
                    r"alter table public\.child alter column kind set default 'k'",
                ),
                file="specs/database/schema.sql",
            ),
            Step("load specs/database/schema.sql"),
        ),
    ),
    "a string that goes on after a comment": Case(
        {FIRST: "select 'a' -- first part\n    'b';", SECOND: "select 'a' -- c\n -- d\n\n 'b' ;"},
        (Step("migrate", 0, (r"2 migrations applied",)), Step("lint migrations")),
    ),
    "migrations in sub-folders": Case(
        {
            f"migrations/2026/{FIRST}.sql": "create table a (id integer);",
            f"migrations/2026/{FIRST}.rollback.sql": "drop table a;",
            f"migrations/2026/02/{SECOND}.sql": "create table b (id integer);",
            f"migrations/2026/02/{SECOND}.rollback.sql": "drop table b;",
        },
        (
            Step("status", 0, (rf"pending .*{FIRST}", rf"pending .*{SECOND}")),
            Step("migrate --check", 1),
            Step("migrate", 0, (r"2 migrations applied",)),
            Step("migrate --check", 0, (r"nothing to apply",)),
        ),
    ),
    "a timeout of the database does not end the run": Case(
        {FIRST: "select pg_sleep(0.6);"},
        (
            Step("sql:alter database {name} set transaction_timeout = '200ms'"),
            Step("migrate", 0, (r"transaction_timeout is 0 for this run", r"1 migration applied")),
        ),
        since=17,
    ),
    "a timeout of idle sessions does not end the run": Case(
        {FIRST: "do $$ begin perform pg_sleep(0.6); end $$;"},
        (
            Step("sql:alter database {name} set idle_in_transaction_session_timeout = '200ms'"),
            Step("sql:alter database {name} set statement_timeout = '200ms'"),
            Step("migrate", 0, (r"statement_timeout is .* for this run", r"1 migration applied")),
        ),
    ),
    "pg_dump's lines for psql": Case(
        {
            FIRST: "\\restrict 9zYgjQFnIpXQmK46PGxtdL49\n"
            "SELECT pg_catalog.set_config('search_path', '', false);\n"
            "CREATE TABLE public.t (id integer);\n\\unrestrict 9zYgjQFnIpXQmK46PGxtdL49\n"
        },
        (
            Step("sql:create table t (id integer)"),
            Step("baseline 20260101000000", 0, (r"1 migration recorded",), ("M122",)),
            Step("drift", 0, (NO_DRIFT,)),
        ),
    ),
    "an index on a partitioned table, by the manual's recipe": Case(
        {
            FIRST: "-- transactional: false\n"
            "create table if not exists t (id integer, v integer) partition by range (id);\n"
            "create table if not exists t1 partition of t for values from (0) to (10);\n"
            "create index if not exists t_v on only t (v);\n"
            "create index concurrently t1_v on t1 (v);\n"
            "alter index t_v attach partition t1_v;\n"
        },
        (Step("migrate", 0, (r"1 migration applied",), ("M127",)), Step("drift", 0, (NO_DRIFT,))),
    ),
    **{
        f"what no transaction takes: {statement}": Case(
            {FIRST: f"-- transactional: false\n{statement};"},
            (
                Step(
                    "migrate",
                    2,
                    (r"M127", r"-- allow: unknown-fate"),
                    (r"move it to a transactional migration", r"IF \[NOT\] EXISTS"),
                ),
            ),
        )
        for statement in (
            "create database reports",
            "create tablespace fast location '/fast'",
            "drop database reports",
            "create subscription s connection 'host=far' publication p",
        )
    },
    **{
        f"what no transaction takes, in one: {statement}": Case(
            {FIRST: f"{statement};"},
            (Step("migrate", 2, (r"M128", r"-- transactional: false")),),
        )
        for statement in (
            "create database reports",
            "reindex database reports",
            "alter database reports set tablespace fast",
            "alter system set work_mem = '8MB'",
        )
    },
    "a changed search path: one ledger, nothing runs twice": Case(
        {
            FIRST: "create table if not exists public.payments (amount integer);\n"
            "insert into public.payments values (100);"
        },
        (
            APPLIED,
            Step("sql:create schema app"),
            Step("sql:alter database {name} set search_path = app"),
            Step("status", 0, (rf"applied .*{FIRST}",), ("pending",)),
            Step("migrate", 0, (r"nothing to apply",)),
            Step("sql:do $$ begin assert (select count(*) from public.payments) = 1; end $$"),
            Step("sql:do $$ begin assert to_regclass('app._yoyo_migration') is null; end $$"),
        ),
    ),
    "a block and a procedure that commit are told to run in no transaction": Case(
        {
            FIRST: "create procedure p() language plpgsql as 'begin commit; end';",
            SECOND: "call p();",
            "20260103000000_third": "do 'begin commit; end';",
        },
        (
            Step("migrate", 3, (r"20260102000000.*invalid.*termination", r"transactional: false")),
            Step("sql:call p()"),
        ),
    ),
    "deep nesting is applied, reviewed and planned": Case(
        {
            FIRST: f"create table t (v text);\ninsert into t values ({DEEP});",
            SECOND: f"update t set v = {DEEP} where v is null;",
        },
        (
            Step("migrate --to 20260101000000", 0, (r"1 migration applied",)),
            Step("lint", 1, (r"M129",), ("T999",)),
            Step("plan", 0, (r"1 pending",), ("T999",)),
            Step("verify", 0, (r"2 irreversible",), ("T999",)),
        ),
    ),
    "whether a materialized view is filled is data": Case(
        {
            FIRST: "create table t (id integer primary key);\n"
            "create materialized view mv as select count(*) as n from t with no data;"
        },
        (
            Step("sql:create table t (id integer primary key)"),
            Step("sql:create materialized view mv as select count(*) as n from t"),
            Step("baseline 20260101000000", 0, (r"1 migration recorded",)),
            Step("drift", 0, (NO_DRIFT,), ("refresh",)),
        ),
    ),
    "what the server says": Case(
        {
            FIRST: "do $$ begin raise notice 'moved % rows', 5; raise warning 'check me'; end $$;",
            SECOND: "drop table if exists nothing_such;",
        },
        (
            Step(
                "migrate --to 20260101000000",
                0,
                (rf"warning: migrations/{FIRST}\.sql:2:1: check me",),
                ("moved 5 rows",),
            ),
            Step("migrate --verbose", 0, (r"notice: .*does not exist, skipping",)),
        ),
    ),
    "what the server says, as JSON": Case(
        {FIRST: "do $$ begin raise notice 'moved % rows', 5; raise warning 'check me'; end $$;"},
        (Step("migrate --json", 0, (r'"message": "moved 5 rows"', r'"message": "check me"')),),
    ),
    "a project without queries": Case(
        {FIRST: "create table a (id integer);"},
        (
            Step("plan", 0, (r"create table a",), ("Q120",)),
            Step("check", 0, (), ("Q120",)),
            Step("migrate"),
        ),
    ),
    "contrib: every command works on what a target has": Case(
        {
            FIRST: "create extension if not exists pgcrypto;"
            "create extension if not exists citext; create table t "
            "(id uuid primary key default gen_random_uuid(), email citext not null unique);",
        },
        (
            APPLIED,
            Step("verify", 0, ("1 irreversible",), ("M333", "correct the migration")),
            Step("drift", 0, (NO_DRIFT,)),
            Step("docs"),
            Step("plan", 0, (r"nothing is pending",)),
            Step("load specs/database/schema.sql"),
        ),
        since=18,
    ),
    "wording and identities that majors differ in": Case(
        {
            FIRST: "create table p (id integer generated by default as identity, at date not null) "
            "partition by range (at); create table p_default partition of p default;"
            "create view w as with recursive q (n) as (values (1) union all "
            "select n + 1 from q where n < 5) select n, rank() over (partition by n "
            "order by n desc nulls last) from q group by n having count(*) > 0;"
        },
        (APPLIED, Step("drift", 0, (NO_DRIFT,))),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_case(tmp_path: Path, server: Server, superuser_database: str, name: str) -> None:
    """As a person runs it, on the server of this run."""
    case = CASES[name]
    if server.version < case.since:
        pytest.skip(f"{case.since} has it first")
    (tmp_path / "pyproject.toml").write_text('[tool.todo-sql]\nmigrations = "migrations"\n')
    for place, text in case.files.items():
        path = tmp_path / (place if "/" in place else f"migrations/{place}.sql")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        if "/" not in place:
            path.write_text(f"-- irreversible: it is a case\n{text.rstrip()}\n", encoding="utf-8")
    project = _Project(tmp_path, server, superuser_database, trusted=case.trusted)
    for step in case.steps:
        exit, output = project.run(step)
        assert exit == step.exit, f"{step.words}: {output}"
        for pattern in step.says:
            assert re.search(pattern, output), f"{step.words} does not say {pattern}: {output}"
        for pattern in step.not_says:
            assert not re.search(pattern, output), f"{step.words} says {pattern}: {output}"


class _Project:
    def __init__(self, root: Path, server: Server, url: str, *, trusted: bool) -> None:
        self._root, self._url = root, url
        self._scratch = server.url("postgres")
        self._replay = "superuser" if trusted else "owner"
        self._verbs: dict[str, Callable[[str], Any]] = {"mend": self._mend, "load": self._load}

    def run(self, step: Step) -> tuple[int, str]:
        """Return the exit code and what was said, or what a file holds."""
        verb, _, rest = step.words.partition(" ")
        if step.file is not None:
            return 0, (self._root / step.file).read_text(encoding="utf-8")
        if step.words.startswith("sql:"):
            self._execute(step.words.removeprefix("sql:"))
            return 0, ""
        if verb in self._verbs:
            self._verbs[verb](rest)
            return 0, ""
        exit, out, err = self._command(*step.words.split())
        return exit, out + err

    def _command(self, *words: str) -> tuple[int, str, str]:
        environment = {
            "DATABASE_URL": self._url,
            "TODO_SQL_SCRATCH_URL": self._scratch,
            "TODO_SQL_REPLAY": self._replay,
        }
        return called(words, self._root, environment)

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            statement = statement.replace("{name}", connection.info.dbname)
            connection.execute(statement.encode())

    def _mend(self, _: str) -> None:
        """Run what `drift` proposes."""
        for one in json.loads(self._command("drift", "--json")[1])["drift"]:
            for statement in one["mend"]:
                self._execute(statement)

    def _load(self, place: str) -> None:
        """Run a file on an empty database, in one transaction that is taken back."""
        with psycopg.connect(self._scratch, autocommit=True) as admin:
            name = psycopg.conninfo.conninfo_to_dict(self._url)["dbname"]
            admin.execute(f"create database {name}_copy template template0".encode())
            try:
                copy = psycopg.conninfo.make_conninfo(self._scratch, dbname=f"{name}_copy")
                with psycopg.connect(copy) as connection:
                    connection.execute((self._root / place).read_bytes())
            finally:
                admin.execute(f"drop database {name}_copy".encode())
