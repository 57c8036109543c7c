"""What stands in a live database runs nowhere as a superuser when a command looks at it.

An owner of the database plants a function in every kind of object: it starts a program where a
superuser calls it. `plan` and `drift` make the objects again on a scratch server.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from support.database import Server

from todo_sql.catalog.snapshot import take
from todo_sql.cli.app import main
from todo_sql.compiler.scratch import PREFIX, empty_database
from todo_sql.compiler.scratch_role import ScratchServer
from todo_sql.review.copy import load

pytestmark = pytest.mark.database

PLANTER = "planter_of_objects"
ODD = "x$$; copy (select 1) to program 'touch {marks}/role'; do $$begin"
# The function that marks, harmless while things are planted, and one that may be called anywhere.
BEFORE = """
create schema evil;
create function evil.v(kind text) returns int language plpgsql as 'begin return 1; end';
create function evil.f(kind text, i int) returns int language plpgsql immutable as
'begin perform evil.v(kind); return i; end';
"""
AFTER = """
create or replace function evil.v(kind text) returns int language plpgsql as $v$ begin
    execute pg_catalog.format('copy (select 1) to program %L', 'touch {marks}/' || kind);
    return 1;
exception when others then return 1;
end $v$;
"""
PLANTS = {
    "default": "create table evil.a (i int default evil.f('default', 1))",
    "generated": "create table evil.b"
    " (i int, g int generated always as (evil.f('generated', 1)) stored)",
    "index": "create table evil.c (i int); create index on evil.c (evil.f('index', i))",
    "predicate": "create table evil.d (i int);"
    " create index on evil.d (i) where evil.f('predicate', 1) = 1",
    "unique": "create table evil.e (i int);"
    " create unique index on evil.e (i) where evil.f('unique', 1) = 1",
    "materialized": "create materialized view evil.g as select evil.f('materialized', 1) as i",
    "view": "create view evil.h as select evil.f('view', 1) as i",
    "check": "create table evil.k (i int check (evil.f('check', 1) = 1))",
    "domain": "create domain evil.l as int default evil.f('domain', 1)"
    " check (evil.f('domain', 1) = 1); create table evil.l1 (i evil.l default 1)",
    "partition": "create table evil.m (i int) partition by range (evil.f('partition', i));"
    " create table evil.m1 partition of evil.m for values from (1) to (5)",
    "bound": "create table evil.n (i int) partition by list (i);"
    " create table evil.n1 partition of evil.n (check (evil.f('bound', 1) = 1)) for values in (1)",
    "policy": "create table evil.o (i int); alter table evil.o enable row level security;"
    " alter table evil.o force row level security;"
    " create policy p on evil.o using (evil.f('policy', 1) = 1)",
    "statistics": "create table evil.p (i int);"
    " create statistics evil.ps on (evil.f('statistics', i)), (i + 1) from evil.p",
    "sql": "create function evil.q(i int default evil.f('sql', 1)) returns int"
    " begin atomic select evil.f('sql', 1); end",
    "inlined": "create function evil.r(i int) returns int language sql immutable as"
    " 'select evil.f(''inlined'', i)'; create table evil.r1 (i int);"
    " create index on evil.r1 (evil.r(i)) where evil.r(1) = 1",
    "aggregate": "create function evil.s(a int, b int) returns int language plpgsql immutable as"
    " 'begin perform evil.v(''aggregate''); return 1; end';"
    " create aggregate evil.sum(int) (sfunc = evil.s, stype = int, initcond = '0');"
    " create materialized view evil.s1 as select evil.sum(n) as i from generate_series(1, 2) as n",
    "cast": "create type evil.u as (i int); create function evil.u1(int) returns evil.u"
    " language plpgsql immutable as 'begin perform evil.v(''cast''); return row(1); end';"
    " create cast (int as evil.u) with function evil.u1(int) as implicit;"
    " create materialized view evil.u2 as select (1)::evil.u as i",
    "operator": "create function evil.w(int, int) returns int language plpgsql immutable as"
    " 'begin perform evil.v(''operator''); return 1; end';"
    " create operator evil.||| (leftarg = int, rightarg = int, function = evil.w);"
    " create materialized view evil.w1 as select 1 operator(evil.|||) 2 as i",
    "range": "create function evil.x(int, int) returns float8 language plpgsql immutable as"
    " 'begin perform evil.v(''range''); return 1; end';"
    " create type evil.xr as range (subtype = int, subtype_diff = evil.x);"
    " create table evil.x1 (i evil.xr default '[1,2)'); create index on evil.x1 using gist (i)",
    "rule": "create table evil.y (i int);"
    " create rule r as on insert to evil.y do also select evil.f('rule', 1)",
    "trigger": "create table evil.z (i int); create function evil.z1() returns trigger"
    " language plpgsql as 'begin perform evil.v(''trigger''); return new; end';"
    " create trigger t before insert or update on evil.z for each row execute function evil.z1()",
    "exclusion": "create table evil.aa (i int,"
    " exclude using btree ((evil.f('exclusion', i)) with =) where (evil.f('exclusion', 1) = 1))",
    "named": 'create table evil.ab (i int, constraint "a owner to b" exclude using btree'
    " (i with =) where (evil.f('named', 1) = 1));"
    ' create domain evil."c owner to d" as int constraint "e owner to f"'
    " check (evil.f('named', value) = 1)",
    "loop": "create table evil.ac (i int); create function evil.ac1(i int default 1) returns int"
    " language sql immutable as 'select evil.f(''loop'', 1)';"
    ' alter table evil.ac add column "j owner to k" int default evil.ac1()',
}
# Made by a superuser of the live database, who need not be ours.
SUPERUSERS = {
    "definer": "create function evil.ba(int) returns int language plpgsql immutable"
    " security definer as 'begin perform evil.v(''definer''); return 1; end';"
    " create table evil.ba1 (i int); alter table evil.ba1 owner to {planter};"
    " create index on evil.ba1 (evil.ba(i)) where evil.ba(1) = 1;"
    " create materialized view evil.ba2 as select evil.ba(1) as i;"
    " alter materialized view evil.ba2 owner to {planter}",
    "table": "create table evil.bb (i int); create index on evil.bb (evil.f('table', i))"
    " where evil.f('table', 1) = 1",
    "filled": "create materialized view evil.bc as select evil.f('filled', 1) as i",
    "event": "create function evil.bd() returns event_trigger language plpgsql as"
    " 'begin perform evil.v(''event''); end';"
    " create event trigger planted on ddl_command_end execute function evil.bd();"
    " alter event trigger planted disable",
}
MIGRATION = """
-- Why.
-- irreversible: x
update evil.a set i = evil.f('default', 2);
insert into evil.c (i) select evil.f('index', 1) from evil.d where evil.f('predicate', 1) = 1;
alter table evil.e add check (evil.f('unique', i) = i), alter column i set not null;
alter table evil.k alter column i type bigint using evil.f('check', i);
create index on evil.o (evil.f('policy', i));
delete from evil.ab where i = evil.f('named', 1);
refresh materialized view evil.g;
"""
QUERY = """-- name: one :many
select i, evil.f('query', 1) as j from evil.h where evil.f('query', 1) = 1;
"""


@pytest.fixture
def marks() -> Iterator[Path]:
    """A folder in which the account of the server leaves a file for each kind that ran."""
    with tempfile.TemporaryDirectory(prefix="todo-sql-marks-") as name:
        Path(name).chmod(0o777)
        yield Path(name)


@pytest.fixture
def planter(server: Server) -> Iterator[str]:
    """A login that owns a database and is no superuser."""
    server.admin.execute(f"create role {PLANTER} login password '{server.password}'".encode())
    yield PLANTER
    server.admin.execute(f"drop role {PLANTER}".encode())


@pytest.fixture
def plant(
    server: Server, superuser_database: str, planter: str, marks: Path
) -> Iterator[Callable[..., str]]:
    """Plant objects in a live database and return its URL."""
    with psycopg.connect(superuser_database, autocommit=True) as admin:
        name = admin.info.dbname

        def plant(*, hostile: bool = False) -> str:
            admin.execute(f'alter database "{name}" owner to {planter}'.encode())
            with psycopg.connect(server.url(name, planter), autocommit=True) as live:
                live.execute(BEFORE)
                for text in PLANTS.values():
                    live.execute(text.encode())
            if hostile:
                for text in SUPERUSERS.values():
                    admin.execute(text.replace("{planter}", planter).encode())
            with psycopg.connect(server.url(name, planter), autocommit=True) as live:
                live.execute(AFTER.replace("{marks}", str(marks)).encode())
            return name

        yield plant
        admin.execute("drop event trigger if exists planted")
        admin.execute("drop schema if exists evil cascade")
        admin.execute(f'alter database "{name}" owner to postgres'.encode())
        admin.execute(f"drop owned by {planter}".encode())


@pytest.fixture
def project(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project with a pending migration that touches what was planted."""
    for folder in ("migrations", "queries"):
        (tmp_path / folder).mkdir()
    (tmp_path / "pyproject.toml").write_text("[tool.todo-sql]\n")
    (tmp_path / "migrations" / "20260101000000_a.sql").write_text(
        "-- Why.\n-- irreversible: x\ncreate table public.mine (i int);\n"
    )
    (tmp_path / "queries" / "q.sql").write_text("-- name: two :one\nselect 1 as a;\n")
    monkeypatch.setenv("TODO_SQL_SCRATCH_URL", server.url())
    yield tmp_path
    for (name,) in server.admin.execute(
        "select datname from pg_database where starts_with(datname, %s)", [PREFIX]
    ).fetchall():
        server.admin.execute(f'drop database "{name}" with (force)'.encode())


def touching(project: Path) -> None:
    """Let the project have a migration and a query about what was planted."""
    (project / "migrations" / "20260102000000_b.sql").write_text(MIGRATION.lstrip())
    (project / "queries" / "q.sql").write_text(QUERY)


VERBS = [
    ["plan"],
    ["drift"],
    ["docs"],
    ["verify"],
    ["check"],
    ["status"],
    ["doctor"],
    ["baseline", "20260101000000_a", "--force"],
]


@pytest.mark.parametrize("login", ["planter", "superuser"])
@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb[0])
def test_nothing_planted_runs(
    verb: list[str],
    login: str,
    plant: Callable[..., str],
    project: Path,
    marks: Path,
    server: Server,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No program starts, neither on the scratch server nor where the login is a superuser."""
    url = server.url(plant(), PLANTER if login == "planter" else None)
    if verb[0] == "plan":
        touching(project)
    code = main(["--project", str(project), "--database", url, *verb])
    said = "".join(capsys.readouterr())
    assert code in (0, 1, 3), said
    assert "P203" not in said, said
    assert sorted(path.name for path in marks.iterdir()) == [], said


def test_a_wholly_hostile_server_runs_nothing_here(
    plant: Callable[..., str],
    project: Path,
    marks: Path,
    server: Server,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What belongs to a superuser there does not become one's on the scratch server."""
    url = server.url(plant(hostile=True), PLANTER)
    touching(project)
    code = main(["--project", str(project), "--database", url, "plan"])
    said = "".join(capsys.readouterr())
    assert code == 1, said
    assert "evil.ba" not in said or "could not" not in said
    assert sorted(path.name for path in marks.iterdir()) == [], said


@pytest.mark.parametrize("superuser", [False, True])
def test_the_copy_is_made_by_no_superuser(
    plant: Callable[..., str], marks: Path, server: Server, *, superuser: bool
) -> None:
    """By consent most kinds do run while they are made again: the attacks are no straw men."""
    name = plant(hostile=True)
    odd = ODD.replace("{marks}", str(marks))[:63]
    server.admin.execute(f'create role "{odd}"'.encode())
    try:
        with psycopg.connect(server.url(name, PLANTER), autocommit=True) as live:
            live.execute(f'grant usage on schema evil to "{odd}"'.encode())
            found = take(live)
        place = ScratchServer(server.url(), superuser)
        with empty_database(place) as url, psycopg.connect(url, autocommit=True) as copy:
            missing = load(copy, found, place)
        assert not [text for text in missing if "evil.ba1" in text], missing
        ran = {path.name for path in marks.iterdir()}
        if superuser:
            assert {"predicate", "unique", "materialized", "exclusion", "named"} <= ran
            assert {"inlined", "aggregate", "cast", "operator", "definer", "filled"} <= ran
        else:
            assert ran == set()
    finally:
        with psycopg.connect(server.url(name), autocommit=True) as admin:
            admin.execute(f'drop owned by "{odd}"'.encode())
        server.admin.execute(f'drop role "{odd}"'.encode())
