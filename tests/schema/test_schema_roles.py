"""The roles of a cluster: made once, shared by its databases, dropped when nobody uses them.

They run on a server of their own, since roles belong to a server.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql
from support.people import Connection

from todo_sql.embedded.temporary import temporary_server
from todo_sql.migrations.files.folder import load
from todo_sql.migrations.migrator import Migrator

pytestmark = pytest.mark.database

MIGRATIONS = load(Path(__file__).parents[2] / "migrations")
ROLES = ["todo_app", "todo_auth", "todo_readonly"]


class Cluster:
    """A fresh server with two owners, each with a database of the same name."""

    def __init__(self, admin: Connection, password: str) -> None:
        self.admin = admin
        self._password = password
        for owner in ("one", "two"):
            admin.execute(
                sql.SQL("create role {} login createrole createdb password {}").format(
                    sql.Identifier(owner), sql.Literal(password)
                )
            )
            admin.execute(sql.SQL("create database {0} owner {0}").format(sql.Identifier(owner)))

    def url(self, owner: str, database: str | None = None) -> str:
        """Return the URL of an owner's database."""
        info = self.admin.info
        login = f"{owner}:{quote(self._password, safe='')}"
        return f"postgresql://{login}@{info.host}:{info.port}/{database or owner}"

    def migrator(self, owner: str) -> Migrator:
        """Return the migrator of an owner's database."""
        return Migrator(self.url(owner), MIGRATIONS)

    def roles(self) -> list[str]:
        """Return which of the roles exist."""
        found = self.admin.execute(
            "select rolname from pg_roles where rolname like 'todo\\_%' order by 1"
        ).fetchall()
        return [name for (name,) in found]


@pytest.fixture(scope="module")
def fresh_server(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a server on which nobody has migrated yet."""
    with temporary_server(request.config.getoption("postgres")) as server:
        yield server.url("postgres")


@pytest.fixture
def cluster(fresh_server: str) -> Iterator[Cluster]:
    """Two owners and their databases, gone afterwards with the roles."""
    password = str(psycopg.conninfo.conninfo_to_dict(fresh_server)["password"])
    with psycopg.connect(fresh_server, autocommit=True) as admin:
        yield Cluster(admin, password)
        admin.execute("drop database one with (force)")
        admin.execute("drop database two with (force)")
        admin.execute("drop role if exists todo_app, todo_auth, todo_readonly")
        admin.execute("drop role one, two")


def test_the_owner_may_act_as_the_roles(cluster: Cluster) -> None:
    """Who migrates becomes a member that can act as each role, on 16+ without being it."""
    cluster.migrator("one").migrate()
    assert cluster.roles() == ROLES
    with psycopg.connect(cluster.url("one"), autocommit=True) as connection:
        for role in ROLES:
            connection.execute(sql.SQL("set role {}").format(sql.Identifier(role)))
            connection.execute("reset role")
        if connection.info.server_version >= 160000:
            inherits = connection.execute(
                "select bool_or(pg_has_role(oid, 'usage')) from pg_roles where rolname = any(%s)",
                [ROLES],
            ).fetchone()
            assert inherits == (False,)


def test_a_second_owner_shares_the_roles(cluster: Cluster) -> None:
    """Another database's owner migrates too, and acts as the roles once they are granted."""
    cluster.migrator("one").migrate()
    cluster.migrator("two").migrate()
    with psycopg.connect(cluster.url("two"), autocommit=True) as connection:
        if connection.info.server_version >= 160000:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("set role todo_app")
            with psycopg.connect(cluster.url("one"), autocommit=True) as creator:
                creator.execute("grant todo_app to two with inherit false")
        connection.execute("set role todo_app")
        assert connection.execute("select count(*) from tasks").fetchone() == (0,)


def test_the_last_database_takes_the_roles_along(cluster: Cluster) -> None:
    """Rolling back drops a role only when no other database of the cluster uses it."""
    one, two = cluster.migrator("one"), cluster.migrator("two")
    one.migrate()
    two.migrate()
    one.rollback(steps=len(MIGRATIONS))
    assert cluster.roles() == ROLES
    two.rollback(steps=len(MIGRATIONS))
    one.migrate()
    one.rollback(steps=len(MIGRATIONS))
    assert cluster.roles() == []
