"""What ad hoc SQL sets for its login's role reaches no later connection's calls."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from support.database import Server

from todo_sql import AsyncDatabase, Database
from todo_sql.catalog.doctor import examine
from todo_sql.config import Config, Tenant
from todo_sql.testing import TestServer

pytestmark = pytest.mark.database

TENANT = Tenant(parameter="user_id", setting="app.current_user_id", role="steady_app")

SCHEMA = """
create table notes (user_id text not null, body text not null);
alter table notes enable row level security;
create policy own on notes to steady_app
using (user_id = nullif(current_setting('app.current_user_id', true), ''));
grant select, insert on notes to steady_app;
insert into notes values ('ada', 'mine'), ('bob', 'theirs');
create schema evil;
grant all on schema evil to public;
create table evil.notes as select 'ada'::text as user_id, 'forged'::text as body;
grant select on evil.notes to public;
"""

SEEN = "select body from notes order by body"
WRITTEN = "insert into notes values ('ada', 'mine') returning body"

ATTACKS = [
    "search_path = evil, public",
    "search_path = evil, pg_catalog, public",
    "default_transaction_read_only = on",
    "row_security = off",
    "transform_null_equals = on",
]


@dataclass(frozen=True)
class Field:
    """A database with a table of tenants, and a login whose role can be changed."""

    name: str
    url: str
    admin: psycopg.Connection[tuple[object, ...]]

    def attack(self, setting: str, *, here: bool) -> None:
        """Set something for the login, as itself, everywhere or in this database."""
        place = (
            sql.SQL("in database {} ").format(sql.Identifier(self.name)) if here else sql.SQL("")
        )
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.SQL("alter role steady_login {}set " + setting).format(place))


@pytest.fixture
def field(server: Server, todo_sql_server: TestServer) -> Iterator[Field]:
    """The database; the roles are dropped behind the test."""
    with (
        todo_sql_server.database() as name,
        psycopg.connect(server.url(name), autocommit=True) as admin,
    ):
        admin.execute("create role steady_app")
        admin.execute(
            sql.SQL("create role steady_login login password {} in role steady_app").format(
                sql.Literal(server.password)
            )
        )
        try:
            admin.execute(SCHEMA)
            yield Field(name, server.url(name, "steady_login"), admin)
        finally:
            admin.execute("drop owned by steady_login, steady_app cascade")
            admin.execute("drop role steady_login, steady_app")


@pytest.mark.parametrize("here", [False, True])
@pytest.mark.parametrize("setting", ATTACKS)
def test_a_login_s_settings_change_no_call(field: Field, setting: str, here: bool) -> None:
    """Not the first call of a connection, nor one behind ad hoc SQL, with and without a tenant."""
    field.attack(setting, here=here)
    with Database.connect(field.url, tenant=TENANT, max_size=1) as db:
        me = db.as_user("ada")
        for _ in range(2):
            assert me.sql(SEEN, str) == ["mine"]
            assert me.sql("select (null = null) is null", bool) == [True]
        assert me.sql(WRITTEN, str) == ["mine"]
        with me.transaction() as tx:
            assert tx.sql(SEEN, str) == ["mine", "mine"]

    async def main() -> list[str]:
        async with AsyncDatabase.connect(field.url, tenant=TENANT) as db:
            return await db.as_user("ada").sql(SEEN, str)

    assert asyncio.run(main()) == ["mine", "mine"]


@pytest.mark.parametrize("here", [False, True])
def test_a_login_cannot_say_whose_rows_are_seen_without_a_tenant(field: Field, here: bool) -> None:
    """PostgreSQL lets superusers alone give a role a setting of ours."""
    for name in ("app.current_user_id", '"App"."Current_User_ID"'):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            field.attack(f"{name} = 'bob'", here=here)
    with Database.connect(field.url, tenant=TENANT) as db:
        assert db.session("steady_app").sql(SEEN, str) == []


def test_database_and_url_still_say_where_names_are_looked_up(field: Field) -> None:
    """They are the operator's: what the login says for itself does not count against them."""
    field.admin.execute(
        sql.SQL("alter database {} set search_path = evil").format(sql.Identifier(field.name))
    )
    field.attack("search_path = public", here=True)
    with Database.connect(field.url, tenant=TENANT) as db:
        assert db.as_user("ada").sql(SEEN, str) == ["forged"]
    url = f"{field.url}?options=-csearch_path%3Dpublic"
    field.attack("search_path = evil", here=False)
    with Database.connect(url, tenant=TENANT) as db:
        assert db.as_user("ada").sql(SEEN, str) == ["mine"]


@pytest.mark.parametrize("here", [False, True])
def test_doctor_tells_what_a_login_has_set(field: Field, here: bool) -> None:
    """Quiet before; told with the values, by login and place."""
    place = Path("/nowhere")
    config = Config(place, place, place, None, place, place, tenant=TENANT)

    def told() -> list[str]:
        found = examine(field.admin, config).findings
        return [f"{one.message} {one.cause}" for one in found if one.code == "K225"]

    assert told() == []
    field.attack("search_path = evil", here=here)
    (finding,) = told()
    assert finding.startswith("steady_login:") and "search_path=evil" in finding
