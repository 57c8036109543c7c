"""A copy of a live catalog, without its rows, on a cluster that is not the target's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from todo_sql.catalog import schema_sql
from todo_sql.catalog.ddl import BY_HAND
from todo_sql.catalog.snapshot import Snapshot
from todo_sql.compiler.scratch_role import ScratchServer
from todo_sql.errors import ConfigError, TodoSqlError
from todo_sql.sql.trust import SAFE_ALWAYS

if TYPE_CHECKING:
    from psycopg import Connection

    from todo_sql.config import Config


_BY_SUPERUSER = re.compile("create extension |alter .* owner to ")


@contextmanager
def cluster(
    config: Config, live: Connection[Any], *, across_majors: bool
) -> Iterator[ScratchServer]:
    """Yield a server of the target's major version, on a cluster of its own.

    Roles belong to a cluster: what a migration does to them must not reach the target.

    Raises:
        ConfigError: No such server, and `across_majors` is not given; or
            ``TODO_SQL_SCRATCH_URL`` names the target's own cluster.
    """
    import psycopg

    from todo_sql.embedded.temporary import temporary_server
    from todo_sql.wire.url import DatabaseUrl

    major = live.info.server_version // 10000
    if config.scratch_url is not None:
        given = DatabaseUrl.parse(config.scratch_url).text
        with psycopg.connect(given, autocommit=True) as scratch:
            if _identity(scratch) == _identity(live):
                raise ConfigError(
                    "TODO_SQL_SCRATCH_URL names the cluster of the target",
                    code="P201",
                    cause="roles belong to a cluster: a trial there would reach the target",
                    fix="name another server, or unset it to use the embedded PostgreSQL",
                )
            other = scratch.info.server_version // 10000
        _demand_same(major, other, across_majors)
        yield ScratchServer(given, config.replays_as_superuser)
        return
    try:
        server = temporary_server(major)
        url = server.__enter__()
    except TodoSqlError:
        _demand_same(major, config.postgres, across_majors)
        server = temporary_server(config.postgres)
        url = server.__enter__()
    try:
        yield ScratchServer(url.url("postgres"), config.replays_as_superuser)
    finally:
        server.__exit__(None, None, None)


def _demand_same(target: int, scratch: int, across_majors: bool) -> None:
    if target != scratch and not across_majors:
        raise ConfigError(
            f"the target is PostgreSQL {target}, the scratch server would be {scratch}",
            code="P202",
            cause="locks and rewrites differ between major versions",
            fix=f"name a PostgreSQL {target} in TODO_SQL_SCRATCH_URL, or add --across-majors",
        )


def _identity(connection: Connection[Any]) -> object:
    import psycopg

    try:
        row = connection.execute(
            "select system_identifier from pg_catalog.pg_control_system()"
        ).fetchone()
    except psycopg.errors.InsufficientPrivilege:  # then compare where they listen
        return connection.info.host, connection.info.port
    return row[0] if row else None


def load(
    connection: Connection[Any], live: Snapshot, server: ScratchServer | None = None
) -> list[str]:
    """Make the objects of a catalog in an empty database; return what could not be made.

    Args:
        connection: To the database, in autocommit mode.
        live: The catalog.
        server: Where the database is: its superuser does what `connection` may not and what
            runs nothing of others: makes extensions, where nothing but schemas and roles is
            there yet, and gives objects to their owners.
    """
    import psycopg

    from todo_sql.wire.url import DatabaseUrl

    # What it says unqualified is PostgreSQL's own: it was read under the same path.
    connection.execute(SAFE_ALWAYS)
    missing = []
    for statement in schema_sql.statements(live):
        if statement.startswith(BY_HAND):
            missing.append(statement.removeprefix(BY_HAND))
            continue
        if statement.startswith("--"):
            continue
        try:
            connection.execute(statement.encode())
        except psycopg.Error as error:
            if server and error.sqlstate == "42501" and _BY_SUPERUSER.match(statement):
                there = DatabaseUrl.parse(server.url).with_database(connection.info.dbname)
                try:
                    with psycopg.connect(there.text, autocommit=True) as superuser:
                        superuser.execute(SAFE_ALWAYS)
                        superuser.execute(statement.encode())
                    continue
                except psycopg.Error as second:
                    error = second
            head = " ".join(statement.split())[:70]
            missing.append(f"{head}: {error.diag.message_primary or error}")
    return missing
