"""Where the ledger stands: as the configuration says, else where it is, else on the path."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from support.commands import todo_sql
from support.database import Server
from support.migrations import fetch, write

from todo_sql.catalog.names import quoted
from todo_sql.migrations.files.folder import load
from todo_sql.migrations.migration_errors import LedgerError
from todo_sql.migrations.migrator import Migrator

pytestmark = pytest.mark.database

FIRST, SECOND = "20260101000000_first", "20260102000000_second"
PLACES = ["billing", "Odd Ledger", 'quo"ted', "select"]
TABLES = ("_todo_sql_ledger", "_yoyo_log", "_yoyo_migration", "_yoyo_version")
WHERE = (
    "select n.nspname::text from pg_class as c join pg_namespace as n on n.oid = c.relnamespace "
    "where c.relname = '_yoyo_migration' order by 1"
)


def service(folder: Path, table: str) -> Path:
    """Write two migrations that make and fill a table; ids are the same for every service."""
    write(folder, FIRST, f"create table {table} (id int);", f"drop table {table};")
    write(folder, SECOND, f"insert into {table} values (1);", f"delete from {table};")
    return folder


def of(url: str, folder: Path, ledger: str | None = None) -> Migrator:
    """Return the migrator of a folder whose configuration says a schema."""
    return Migrator(url, load(folder, folder), ledger=ledger)


def states(migrator: Migrator) -> list[str]:
    """Return the states of all migrations."""
    return [entry.state.value for entry in migrator.status().entries]


@pytest.mark.parametrize("schema", PLACES)
@pytest.mark.parametrize("exists", [True, False])
def test_the_ledger_is_made_where_said(
    tmp_path: Path, empty_database: str, schema: str, exists: bool
) -> None:
    """Also in a schema that is not there yet, whatever its name needs."""
    if exists:
        with psycopg.connect(empty_database, autocommit=True) as connection:
            connection.execute(f"create schema {quoted(schema)}".encode())
    migrator = of(empty_database, service(tmp_path, "things"), schema)
    assert states(migrator) == ["pending", "pending"]
    assert len(migrator.migrate(to=FIRST)) == 1
    assert fetch(empty_database, WHERE) == [schema]
    assert len(migrator.migrate()) == 1
    assert migrator.migrate() == []
    status = migrator.status()
    assert (status.schema, status.ledger) == (schema, True)
    assert len(migrator.rollback(steps=2)) == 2
    assert states(migrator) == ["pending", "pending"]


@pytest.mark.parametrize("directive", ["", "-- transactional: false\n"])
def test_the_first_migration_may_make_the_schema(
    tmp_path: Path, empty_database: str, directive: str
) -> None:
    """The ledger moves into what the first file makes."""
    exists = "if not exists " if directive else ""
    write(tmp_path, FIRST, f"{directive}create schema {exists}billing;", None)
    (tmp_path / f"{FIRST}.sql").write_text(
        f"-- irreversible: the ledger stands in it\n{directive}create schema {exists}billing;"
    )
    migrator = of(empty_database, tmp_path, "billing")
    assert len(migrator.migrate()) == 1
    assert fetch(empty_database, WHERE) == ["billing"]
    assert states(migrator) == ["applied"]


def test_services_do_not_see_each_others_rows(tmp_path: Path, empty_database: str) -> None:
    """Two services with the same ids, one ledger said and one by default; a third is refused."""
    orders = of(empty_database, service(tmp_path / "orders", "orders"))
    billing = of(empty_database, service(tmp_path / "billing", "invoices"), "billing")
    assert len(orders.migrate()) == 2
    assert states(billing) == ["pending", "pending"]
    assert len(billing.migrate()) == 2
    assert len(orders.rollback(steps=1)) == 1
    assert states(orders) == ["applied", "pending"]
    assert states(billing) == ["applied", "applied"]
    assert len(orders.migrate()) == 1
    write(tmp_path / "billing", FIRST, "create table invoices (id int); -- changed")
    changed = of(empty_database, tmp_path / "billing", "billing")
    shown: list[str] = []
    changed.repair(confirm=lambda changes: shown.extend(change.id for change in changes))
    assert shown == [FIRST]
    assert states(orders) == ["applied", "applied"]
    assert fetch(empty_database, WHERE) == ["billing", "public"]
    assert fetch(empty_database, "select migration_id from billing._yoyo_migration") == (
        fetch(empty_database, "select migration_id from public._yoyo_migration")
    )


def test_the_locks_of_two_ledgers_are_two(tmp_path: Path, empty_database: str) -> None:
    """One service migrates while another holds its own lock."""
    orders = of(empty_database, service(tmp_path / "orders", "orders"))
    billing = of(empty_database, service(tmp_path / "billing", "invoices"), "billing")
    with orders.held():
        assert len(orders.migrate(to=FIRST)) == 1
        assert len(billing.migrate(wait=0)) == 2
        assert len(orders.migrate()) == 1


def attempts(migrator: Migrator) -> list[object]:
    """Return what each command that reads the ledger does, as a call."""
    return [
        migrator.status,
        migrator.pending,
        migrator.migrate,
        migrator.to_roll_back,
        migrator.rollback,
        lambda: migrator.baseline(SECOND),
        lambda: migrator.repair(confirm=lambda changes: None),
    ]


@pytest.mark.parametrize("attempt", range(7))
def test_a_ledger_elsewhere_than_said_is_refused(
    tmp_path: Path, empty_database: str, attempt: int
) -> None:
    """Both schemas are named, and nothing is made."""
    folder = service(tmp_path, "things")
    of(empty_database, folder).migrate(to=FIRST)
    call = attempts(of(empty_database, folder, "billing"))[attempt]
    assert callable(call)
    with pytest.raises(LedgerError) as caught:
        call()
    found = caught.value.finding
    assert found.code == "M407"
    assert "public" in found.message and "billing" in found.message
    assert fetch(empty_database, WHERE) == ["public"]


def test_said_where_it_is_serves_under_every_path(tmp_path: Path, empty_database: str) -> None:
    """`ledger = "public"` and a path without it: no note, no second ledger."""
    folder = service(tmp_path, "things")
    of(empty_database, folder).migrate(to=FIRST)
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("create schema app")
        connection.execute("alter table things set schema app")
    url = f"{empty_database}?options=-csearch_path%3Dapp"
    assert len(of(url, folder, "public").migrate()) == 1
    assert fetch(empty_database, WHERE) == ["public"]


def test_several_ledgers_are_told_apart_by_the_configuration(
    tmp_path: Path, empty_database: str
) -> None:
    """Off the path there are two: without a word in the configuration neither is taken."""
    for name in ("orders", "billing"):
        of(empty_database, service(tmp_path / name, f"{name}_t"), name).migrate()
    url = f"{empty_database}?options=-csearch_path%3Dpublic"
    with pytest.raises(LedgerError) as caught:
        of(url, tmp_path / "orders").status()
    assert caught.value.finding.code == "M406"
    assert "billing, orders" in caught.value.finding.message
    assert states(of(url, tmp_path / "orders", "orders")) == ["applied", "applied"]


def test_tables_that_others_put_where_said_are_refused(
    tmp_path: Path, empty_database: str, server: Server
) -> None:
    """Whoever may create in the schema cannot have us use a table of theirs."""
    server.admin.execute("drop role if exists ledger_planter")
    server.admin.execute(f"create role ledger_planter login password '{server.password}'".encode())
    name = str(psycopg.conninfo.conninfo_to_dict(empty_database)["dbname"])
    try:
        with psycopg.connect(server.url(name), autocommit=True) as admin:
            admin.execute("create schema billing")
            admin.execute("grant usage, create on schema billing to public")
        with psycopg.connect(server.url(name, "ledger_planter"), autocommit=True) as planter:
            planter.execute(
                "create table billing._yoyo_log (id varchar(36));"
                "create function billing.trap() returns trigger language plpgsql as "
                "$$ begin raise exception 'trap as %', current_user; end $$;"
                "create trigger t before insert on billing._yoyo_log for each row "
                "execute function billing.trap()"
            )
        with pytest.raises(LedgerError) as caught:
            of(empty_database, service(tmp_path, "things"), "billing").migrate()
        assert caught.value.finding.code == "M405"
        assert "trap as" not in str(caught.value)
    finally:
        with psycopg.connect(server.url(name), autocommit=True) as admin:
            admin.execute("drop owned by ledger_planter cascade")
        server.admin.execute("drop role ledger_planter")


def project(folder: Path, ledger: str | None) -> Path:
    """Write a project of two migrations."""
    folder.mkdir(exist_ok=True)
    service(folder / "migrations", "things")
    said = "" if ledger is None else f"ledger = '{ledger}'\n"
    (folder / "pyproject.toml").write_text(f"[tool.todo-sql]\n{said}")
    return folder


@pytest.mark.parametrize("schema", ["billing", 'Odd "Ledger"'])
def test_moving_the_ledger_is_shown_first(tmp_path: Path, empty_database: str, schema: str) -> None:
    """As a person does it: refused, shown, declined, moved, moved already."""
    run = partial(todo_sql, cwd=tmp_path, DATABASE_URL=empty_database)
    project(tmp_path, None)
    assert run("migrate").returncode == 0
    refused = run("repair", "--move-ledger")
    assert refused.returncode == 2 and "does not say where" in refused.stderr
    project(tmp_path, schema)
    refused = run("migrate")
    assert refused.returncode == 3 and "M407" in refused.stderr
    shown = run("repair", "--move-ledger", "--dry-run")
    assert shown.returncode == 0
    assert f"from schema public to schema {schema}" in shown.stderr
    assert run("repair", "--move-ledger").returncode != 0
    assert fetch(empty_database, WHERE) == ["public"]
    assert run("repair", "--move-ledger", "--yes").returncode == 0
    assert fetch(empty_database, WHERE) == [schema]
    assert fetch(
        empty_database,
        "select c.relname::text from pg_class as c where c.relkind = 'r' and "
        f"c.relnamespace = '{quoted(schema)}'::regnamespace order by 1",
    ) == list(TABLES)
    again = run("repair", "--move-ledger", "--yes")
    assert again.returncode == 0 and "is where the configuration says" in again.stderr
    status = run("status", "--json")
    document = json.loads(status.stdout)
    assert document["ledger"] == schema
    assert [one["state"] for one in document["migrations"]] == ["applied", "applied"]
    assert f"ledger in schema {schema}" in run("status").stderr
    assert run("rollback", "--yes").returncode == 0
    assert run("migrate").returncode == 0


@pytest.mark.parametrize(
    ("before", "stays"),
    [
        ("", False),
        ("create table {}.mine (id int)", True),
        ("create view {}.mine as select 1 as one", True),
        ("create sequence {}.mine", True),
        ("create domain {}.mine as int", True),
        ("create function {}.mine() returns int language sql return 1", True),
        ("grant usage on schema {} to public", True),
        ("comment on schema {} is 'of the team'", True),
        ("alter default privileges in schema {} grant select on tables to public", True),
    ],
)
@pytest.mark.parametrize(("schema", "repeatable"), [("old", False), ('Odd "Ledger"', True)])
def test_the_schema_of_a_moved_ledger_goes(
    tmp_path: Path,
    empty_database: str,
    server: Server,
    schema: str,
    before: str,
    stays: bool,
    repeatable: bool,
) -> None:
    """Where it was made for the ledger and nothing else: else drift would show it."""
    folder = service(tmp_path, "things")
    of(empty_database, folder, schema).migrate()
    if repeatable:
        (folder / "repeatable").mkdir()
        (folder / "repeatable" / "one.sql").write_text(
            "create or replace view one as select 1 as one;"
        )
        of(empty_database, folder, schema).migrate()
    name = str(conninfo_to_dict(empty_database)["dbname"])
    with psycopg.connect(server.url(name), autocommit=True) as connection:
        connection.execute(before.format(quoted(schema)).encode())
    shown: list[str] = []
    moved = of(empty_database, folder, "billing")
    moved.move_ledger(confirm=lambda changes: shown.extend(one.words for one in changes))
    there = fetch(empty_database, "select nspname::text from pg_namespace")
    assert (schema in there) == stays == ("is dropped" not in shown[0])
    assert moved.migrate() == []


def test_a_schema_that_a_file_makes_stays(tmp_path: Path, empty_database: str) -> None:
    """A later file may need it, and drift would miss it."""
    write(tmp_path, FIRST, "create schema if not exists old;", "select 1;")
    of(empty_database, tmp_path, "old").migrate()
    of(empty_database, tmp_path, "billing").move_ledger(confirm=lambda changes: None)
    assert "old" in fetch(empty_database, "select nspname::text from pg_namespace")


def test_every_command_reads_the_ledger_that_is_said(
    tmp_path: Path, empty_database: str, server: Server
) -> None:
    """Drift does not tell the ledger's own schema; plan, baseline and lint take it, too."""
    project(tmp_path, "book keeping")
    run = partial(
        todo_sql, cwd=tmp_path, DATABASE_URL=empty_database, TODO_SQL_SCRATCH_URL=server.url()
    )
    assert todo_sql("plan", cwd=tmp_path, DATABASE_URL=empty_database).returncode == 0
    assert run("migrate").returncode == 0
    drift = run("drift")
    assert drift.returncode == 0, drift.stdout + drift.stderr
    assert json.loads(run("migrate", "--check", "--json").stdout) == {"pending": []}
    assert json.loads(run("rollback", "--dry-run", "--json").stdout)["to_roll_back"]
    baseline = run("baseline", SECOND)
    assert baseline.returncode == 0, baseline.stderr
    assert fetch(empty_database, WHERE) == ["book keeping"]


def test_there_is_nothing_to_move(tmp_path: Path, empty_database: str) -> None:
    """No ledger of these migrations, or two of them, is said."""
    folder = service(tmp_path, "things")
    with pytest.raises(LedgerError) as caught:
        of(empty_database, folder, "billing").move_ledger(confirm=lambda changes: None)
    assert caught.value.finding.code == "M408"
    of(empty_database, folder, "billing").migrate()
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("create schema other")
        for table in TABLES:
            connection.execute(f"create table other.{table} (like billing.{table})".encode())
            connection.execute(f"insert into other.{table} select * from billing.{table}".encode())
        connection.execute("comment on table other._todo_sql_ledger is 'format 1:'")
    with pytest.raises(LedgerError) as caught:
        of(empty_database, folder, "billing").move_ledger(confirm=lambda changes: None)
    assert caught.value.finding.code == "M408" and "other" in caught.value.finding.message
