"""`role = "owner"`: whoever logs in, everything that migrations make belongs to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from support.commands import todo_sql
from support.database import Owner, Server
from support.migrations import fetch, write

pytestmark = pytest.mark.database

ROLES = ("deploy_owner", 'Deploy "Owner"\\ 2')
OWNERS = """
select distinct pg_get_userbyid(o) from (
    select relowner as o from pg_class where relnamespace = any (
        array['public'::regnamespace, 'app'::regnamespace])
    union all select nspowner from pg_namespace where nspname = 'app'
    union all select proowner from pg_proc where pronamespace = 'app'::regnamespace
) as made
"""


@pytest.fixture(params=ROLES)
def role(
    request: pytest.FixtureRequest, server: Server, owner: Owner, empty_database: str
) -> Iterator[str]:
    """A role that owns the database, and that the login may act as."""
    name = sql.Identifier(request.param)
    login, database = sql.Identifier(owner.name), sql.Identifier(_name(empty_database))
    admin = server.admin
    admin.execute(sql.SQL("create role {} nologin").format(name))
    admin.execute(sql.SQL("alter database {} owner to {}").format(database, name))
    if owner.kind == "plain":
        admin.execute(sql.SQL("grant {} to {}").format(name, login))
    yield request.param
    admin.execute(sql.SQL("alter database {} owner to {}").format(database, login))
    with psycopg.connect(server.url(_name(empty_database)), autocommit=True) as there:
        there.execute(sql.SQL("drop owned by {}").format(name))
    admin.execute(sql.SQL("drop role {}").format(name))


def _name(url: str) -> str:
    return str(psycopg.conninfo.conninfo_to_dict(url)["dbname"])


def _project(folder: Path, role: str) -> None:
    quoted = role.replace("\\", "\\\\").replace('"', '\\"')
    (folder / "pyproject.toml").write_text(f'[tool.todo-sql]\nrole = "{quoted}"\n')
    files = folder / "migrations"
    write(
        files,
        "20260101000000_first",
        "create schema app;\ncreate table app.t (id int generated always as identity, n int);\n"
        "reset role;\nreset session authorization;\nset role none;\nreset role;\n"
        "create function app.f() returns int language sql return 1;\n",
        "drop function app.f();\ndrop table app.t;\ndrop schema app;\n",
    )
    write(
        files,
        "20260102000000_index",
        "-- transactional: false\ncreate index concurrently i on app.t (n);\n",
        "-- transactional: false\ndrop index concurrently app.i;\n",
    )
    write(files, "20260103000000_second", "create table u (id int primary key);", "drop table u;")


def test_everything_belongs_to_it(
    tmp_path: Path, server: Server, empty_database: str, role: str
) -> None:
    """Transactional or not, the ledger too; every command acts as it."""
    _project(tmp_path, role)
    url = {"DATABASE_URL": empty_database, "TODO_SQL_SCRATCH_URL": server.url()}
    assert "3 pending" in todo_sql("plan", cwd=tmp_path, **url).stderr
    for command in (["migrate"], ["status"], ["drift"], ["verify"]):
        run = todo_sql(*command, cwd=tmp_path, **url)
        assert run.returncode == 0, (command, run.stdout, run.stderr)
    assert fetch(empty_database, OWNERS) == [role]
    assert todo_sql("doctor", cwd=tmp_path, **url).returncode in (0, 1)
    run = todo_sql("rollback", "--steps", "3", "--yes", cwd=tmp_path, **url)
    assert run.returncode == 0, run.stderr
    left = "select relname from pg_class where relnamespace = 'public'::regnamespace "
    assert fetch(empty_database, f"{left} and relname !~ '^_'") == []


@pytest.mark.parametrize("command", ["migrate", "status", "doctor"])
def test_a_role_that_the_login_cannot_act_as(
    tmp_path: Path, server: Server, empty_database: str, owner: Owner, command: str
) -> None:
    """One that is not there, and one that it is no member of."""
    url = {"DATABASE_URL": empty_database}
    _project(tmp_path, "nobody_here")
    run = todo_sql(command, cwd=tmp_path, **url)
    assert run.returncode == 3
    if command != "doctor":
        assert "D106" in run.stderr and "nobody_here" in run.stderr
    if owner.kind == "superuser":
        return
    server.admin.execute("create role not_mine nologin")
    try:
        _project(tmp_path, "not_mine")
        run = todo_sql(command, cwd=tmp_path, **url)
        assert run.returncode == 3 and "D106" in run.stderr and "not_mine" in run.stderr
    finally:
        server.admin.execute("drop role not_mine")
