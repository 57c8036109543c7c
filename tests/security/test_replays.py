"""Migrations, rollbacks, seeds and queries of a checkout reach nothing outside a scratch database.

The scratch server's login is a superuser, as the embedded server's is. That each attack would
work for a superuser is tried as well.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from support.database import Server

from todo_sql.cli.app import main
from todo_sql.compiler.scratch import PREFIX
from todo_sql.compiler.scratch_role import ROLE
from todo_sql.config import load_config
from todo_sql.errors import ConfigError

pytestmark = pytest.mark.database

Run = Callable[..., tuple[int, str]]

# What only a superuser may do, or only one that is as good as one.
ATTACKS = {
    "program": "copy (select 'x') to program 'touch {mark}'",
    "program read": "create table t (x text); copy t from program 'touch {mark}; echo x'",
    "program in a block": "do $$ begin"
    " execute 'copy (select 1) to program ''touch {mark}'''; end $$",
    "file written": "copy (select 'x') to '{mark}'",
    "file read": "create table t (x text); copy t from '/etc/hostname'",
    "pg_read_file": "select pg_read_file('/etc/hostname')",
    "pg_ls_dir": "select pg_ls_dir('/')",
    "lo_import": "select lo_import('/etc/hostname')",
    "lo_export": "select lo_from_bytea(4711, 'x'); select lo_export(4711, '{mark}')",
    "function in C": "create function c() returns int language c"
    " as '$libdir/plpgsql', 'plpgsql_call_handler'",
    "internal function": "create function i(text) returns text language internal"
    " as 'pg_read_file_all'",
    "untrusted extension": "create extension file_fdw",
    "load": "load 'plpgsql'",
    "preloaded library": "set session_preload_libraries = 'plpgsql'",
    "event trigger": "create function e() returns event_trigger language plpgsql as 'begin end';"
    " create event trigger e on ddl_command_start execute function e()",
    "another's session": "set session authorization postgres",
    "another's role": "set role postgres",
    "superuser": f"alter role {ROLE} superuser",
    "replication": f"alter role {ROLE} replication",
    "new superuser": "create role replayed_superuser superuser",
    "member of programs": "grant pg_execute_server_program to current_user",
    "member of a superuser": "grant postgres to current_user",
    "member of files": "create role replayed_member in role pg_read_server_files",
    "superuser's password": "alter role postgres password 'x'",
    "function of a superuser": "create function d() returns int language plpgsql security definer"
    " as 'begin return 1; end'; alter function d() owner to postgres",
    "catalog": "update pg_catalog.pg_authid set rolsuper = true",
    "passwords": "select rolpassword from pg_catalog.pg_authid",
    "foreign data wrapper": "create foreign data wrapper w",
    "subscription": "create subscription s connection 'dbname=x' publication p"
    " with (connect = false)",
    "publication of all": "create publication p for all tables",
    "replicas' triggers": "set local session_replication_role = replica",
    "another's database": "comment on database postgres is 'x'",
}
ALONE = {
    "system": "alter system set archive_command = 'touch {mark}'",
    "new database": "create database replayed",
}
# What `migrate` of a superuser may have left in the cluster.
LEFTOVERS = ("replayed_superuser", "replayed_member")


@pytest.fixture
def mark() -> Iterator[Path]:
    """A file that exists once a program has run."""
    with tempfile.TemporaryDirectory(prefix="todo-sql-mark-") as name:
        Path(name).chmod(0o777)
        yield Path(name) / "ran"


@pytest.fixture
def write(tmp_path: Path, mark: Path) -> Callable[..., Path]:
    """Write a project with one migration."""

    def write(
        forward: str, back: str = "select 1", query: str = "1", *, alone: bool = False
    ) -> Path:
        for folder in ("migrations", "queries", "seeds"):
            (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / "pyproject.toml").write_text('[tool.todo-sql]\ngenerate = "package"\n')
        head, texts = f"-- {tmp_path}\n", {"": forward, ".rollback": back}
        if alone:
            head += "-- transactional: false\n-- irreversible: x\n-- allow: unknown-fate x\n"
            del texts[".rollback"]
        for name, text in texts.items():
            path = tmp_path / "migrations" / f"20260101000000_a{name}.sql"
            path.write_text(f"{head}{text.replace('{mark}', str(mark))};\n")
        (tmp_path / "queries" / "q.sql").write_text(f"-- name: one :one\nselect {query} as a;\n")
        return tmp_path

    return write


@pytest.fixture
def run(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Run]:
    """Run a command on a project with a superuser's scratch server."""
    monkeypatch.setenv("TODO_SQL_SCRATCH_URL", server.url())

    def run(root: Path, *words: str) -> tuple[int, str]:
        capsys.readouterr()
        code = main(["--project", str(root), *words])
        output = capsys.readouterr()
        return code, output.out + output.err

    yield run
    for (name,) in server.admin.execute(
        "select datname from pg_database where starts_with(datname, %s)", [PREFIX]
    ).fetchall():
        server.admin.execute(f'drop database "{name}" with (force)')
    for name in LEFTOVERS:
        server.admin.execute(f"drop role if exists {name}")
    server.admin.execute("alter system reset archive_command")
    server.admin.execute("drop database if exists replayed")
    server.admin.execute("comment on database postgres is null")


def need(server: Server, extension: str) -> None:
    """Skip where the server's programs lack an extension."""
    found = server.admin.execute(
        "select 1 from pg_available_extensions where name = %s", [extension]
    )
    if found.fetchone() is None:
        pytest.skip(f"{extension} is not on this machine")


@pytest.mark.parametrize("name", [*ATTACKS, *ALONE])
def test_only_a_superuser_may(
    name: str, write: Callable[..., Path], mark: Path, run: Run, server: Server
) -> None:
    """Refused with the statement's place, the cause and what to do."""
    if name == "untrusted extension":
        need(server, "file_fdw")
    root = write(ATTACKS.get(name) or ALONE[name], alone=name in ALONE)
    code, said = run(root, "check")
    assert (code, "error[P203] migrations/20260101000000_a.sql:" in said) == (3, True), said
    assert "TODO_SQL_REPLAY=superuser" in said
    assert not mark.exists()
    found = server.admin.execute("select rolsuper from pg_roles where rolname = %s", [ROLE])
    assert found.fetchone() == (False,)


# These would harm the server of the run, or need more than a right.
NOT_TRIED = (
    *("superuser", "replication", "member of programs", "member of a superuser", "catalog"),
    *("superuser's password", "internal function", "function in C", "another's role"),
    "subscription",  # its database cannot be dropped
)


@pytest.mark.parametrize("name", sorted({*ATTACKS, *ALONE} - {*NOT_TRIED}))
def test_by_consent_a_superuser_does(
    name: str,
    write: Callable[..., Path],
    mark: Path,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    server: Server,
) -> None:
    """The same runs for whoever said so in the environment: the attacks are no straw men."""
    if name == "untrusted extension":
        need(server, "file_fdw")
    monkeypatch.setenv("TODO_SQL_REPLAY", "superuser")
    text = ATTACKS.get(name) or ALONE[name]
    code, said = run(write(text, alone=name in ALONE), "check")
    assert code == 0, said
    assert mark.exists() == ("{mark}" in text and name != "system")


QUIET = """
create table t (id integer primary key, x text);
create function evil() returns integer language plpgsql immutable as $f$
begin
    copy (select 1) to program 'touch {mark}';
    return 1;
exception when others then return 0;
end $f$;
create function definer() returns integer language plpgsql immutable security definer as $f$
begin
    perform set_config('role', 'postgres', false);
    copy (select 1) to program 'touch {mark}';
    return 1;
exception when others then return 0;
end $f$;
do $$ begin grant pg_execute_server_program to current_user; exception when others then end $$;
do $$ begin grant postgres to current_user; exception when others then end $$;
do $$ begin set session authorization postgres; exception when others then end $$;
do $$ begin reset session authorization; perform evil(); end $$;
create function checked() returns trigger language plpgsql as
'begin perform evil(); return new; end';
create trigger t before insert or update on t for each row execute function checked();
create index on t (evil(), definer());
alter table t add check (evil() = definer()), add y integer default evil();
create view v as select evil() as a, definer() as b from t;
create materialized view m as select evil() as a, definer() as b;
select evil(), definer()
"""
BACK = (
    "select evil(); drop view v; drop materialized view m; drop table t;"
    " drop function checked, evil, definer"
)


@pytest.mark.parametrize(
    "words",
    [
        ["check"],
        ["check", "--plans", "10"],
        ["describe"],
        ["generate"],
        ["docs"],
        ["verify"],
        ["query", "one"],
        ["drift"],
        ["baseline", "20260101000000_a", "--force"],
    ],
    ids=" ".join,
)
def test_nothing_runs_at_any_time(
    words: list[str],
    write: Callable[..., Path],
    mark: Path,
    run: Run,
    superuser_database: str,
) -> None:
    """Nor in what the migrations leave: planned, checked, filled, undone, compared."""
    root = write(QUIET, BACK, "evil() + definer()")
    (root / "seeds" / "scale.sql").write_text("insert into t select evil();\nselect definer();\n")
    run(root, "--database", superuser_database, *words)
    assert not mark.exists()


def test_nothing_runs_in_a_plan(
    write: Callable[..., Path],
    mark: Path,
    run: Run,
    superuser_database: str,
    monkeypatch: pytest.MonkeyPatch,
    server: Server,
) -> None:
    """On the copy of a live schema that holds such functions, an extension is made nonetheless."""
    need(server, "file_fdw")
    root = write(QUIET, BACK, "evil()")
    with psycopg.connect(superuser_database, autocommit=True) as live:
        live.execute("create extension file_fdw")
        live.execute(QUIET.replace("{mark}", "/dev/null/nowhere"))
    monkeypatch.delenv("TODO_SQL_SCRATCH_URL")
    later = root / "migrations" / "20260102000000_b.sql"
    later.write_text(f"-- irreversible: x\n{QUIET.replace('{mark}', str(mark))};\n")
    code, said = run(root, "--database", superuser_database, "plan")
    assert "error[P101]" in said and "already exists" in said, said
    assert "could not be copied" not in said
    (root / "migrations" / "20260101000000_a.sql").write_text(
        f"copy (select 1) to program 'touch {mark}';\n"
    )
    code, said = run(root, "--database", superuser_database, "plan")
    assert (code, "error[P203] migrations/20260101000000_a.sql:1" in said) == (1, True), said
    assert not mark.exists()


@pytest.mark.parametrize("where", ["rollback", "seed"])
def test_rollbacks_and_seeds(where: str, write: Callable[..., Path], mark: Path, run: Run) -> None:
    """They are refused alike."""
    attack = f"copy (select 1) to program 'touch {mark}'"
    root = write("create table t (x int)", attack if where == "rollback" else "drop table t")
    (root / "seeds" / "scale.sql").write_text(f"{attack};\n")
    words = ["verify"] if where == "rollback" else ["check", "--plans", "10"]
    code, said = run(root, *words)
    assert code in (1, 3)
    assert "error[P203]" in said, said
    assert not mark.exists()


HARMLESS = {
    "roles": "create role replayed_member; create table t (x int);"
    " grant select on t to replayed_member;"
    " grant create on schema public to replayed_member; alter table t owner to replayed_member;"
    " set role replayed_member; insert into t values (1); reset role; drop role if exists nobody",
    "trusted extension": "create extension citext; create table t (x citext)",
    "policies": "create table t (x int); alter table t enable row level security;"
    " alter table t force row level security; create policy p on t using (false);"
    " insert into t values (1)",
    "database": "do $$ begin execute format('alter database %I set work_mem = ''8MB''',"
    " current_database()); end $$",
}


@pytest.mark.parametrize("name", HARMLESS)
def test_what_an_owner_may_do(
    name: str, write: Callable[..., Path], run: Run, server: Server
) -> None:
    """What stays in the database, and roles, need no consent."""
    if name == "roles" and server.version < 16:
        pytest.skip("before 16 whoever makes a role is no member of it")
    if name == "trusted extension":
        need(server, "citext")
    code, said = run(write(HARMLESS[name]), "check")
    assert code == 0, said


def test_roles_that_migrate_made(write: Callable[..., Path], run: Run, server: Server) -> None:
    """A role that a superuser made on the same cluster is the replay's too, unless it leads out."""
    server.admin.execute("create role replayed_member")
    server.admin.execute("create role replayed_superuser")
    server.admin.execute("grant pg_read_server_files to replayed_superuser")
    try:
        text = (
            "create table t (x int); grant create on schema public to replayed_member;"
            " alter table t owner to replayed_member"
        )
        assert run(write(text), "check")[0] == 0
        code, said = run(write(text.replace("member", "superuser")), "check")
        assert (code, "P203" in said) == (3, True), said
        code, said = run(write("grant replayed_superuser to current_user"), "check")
        assert (code, "P203" in said) == (3, True), said
        server.admin.execute("grant pg_read_server_files to replayed_member")
        code, said = run(write(f"{text}; select 1"), "check")
        assert (code, "error[P204]" in said) == (2, True), said
    finally:
        server.admin.execute(f"revoke replayed_member from {ROLE}")


def test_what_it_did_to_itself_is_mended(
    write: Callable[..., Path], run: Run, server: Server
) -> None:
    """A migration that changes the role's password or settings harms no later command."""
    root = write(
        "do $$ begin execute 'alter role current_user password ''x'''; end $$;"
        " alter role current_user set search_path = nowhere;"
        " alter role current_user set default_transaction_read_only = on"
    )
    run(root, "check")
    code, said = run(write("create table t (x int)"), "check")
    assert code == 0, said


def test_dotenv_neither_consents_nor_names_the_server(tmp_path: Path) -> None:
    """Both are for the real environment to say, in two words."""
    (tmp_path / "pyproject.toml").write_text("[tool.todo-sql]\n")
    (tmp_path / ".env").write_text(
        "TODO_SQL_REPLAY=superuser\nTODO_SQL_SCRATCH_URL=postgresql://h/d\n"
    )
    config = load_config(tmp_path, environment={})
    assert (config.replays_as_superuser, config.scratch_url) == (False, None)
    said = load_config(tmp_path, environment={"TODO_SQL_REPLAY": "superuser"})
    assert said.replays_as_superuser
    with pytest.raises(ConfigError, match="U206"):
        assert load_config(tmp_path, environment={"TODO_SQL_REPLAY": "yes"}).replays_as_superuser
