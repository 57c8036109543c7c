"""A copy of a live catalog, without its rows, where a trial reaches nobody."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import psycopg
from psycopg import Connection, sql

from todo_sql.catalog import schema_sql
from todo_sql.catalog.ddl import BY_HAND, create, give
from todo_sql.catalog.read import rows
from todo_sql.catalog.snapshot import Snapshot, take
from todo_sql.compiler.scratch import empty_database
from todo_sql.compiler.scratch_role import ScratchServer, may_be_given
from todo_sql.config import Config
from todo_sql.embedded.server import server_for
from todo_sql.embedded.temporary import temporary_server
from todo_sql.errors import ConfigError, Place, TodoSqlError
from todo_sql.migrations.files.migration import Migration, Script
from todo_sql.review.drift import is_ignored
from todo_sql.sql.trust import SAFE_ALWAYS
from todo_sql.wire.url import DatabaseUrl


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of a live catalog.

    Attributes:
        url: Of its database.
        path: The search path of the target.
        state: Of the cluster, if what a migration changes of it would stay; else None.
        missing: What could not be copied.
    """

    url: str
    path: str
    state: str | None
    missing: tuple[str, ...]

    def demand_untouched(self, connection: Connection[Any], script: Script) -> None:
        """Demand that the open transaction changed nothing of the cluster.

        Raises:
            ConfigError: It did; it is rolled back.
        """
        if self.state is not None and _state(connection) != self.state:
            connection.execute("rollback")
            raise _reaching(script.source.place(0))


@contextmanager
def copies(
    config: Config,
    live: Connection[Any],
    pending: Sequence[Migration],
    *,
    across_majors: bool,
    alone: bool = False,
) -> Iterator[Callable[[], AbstractContextManager[Copy]]]:
    """Yield what makes copies of the live catalog on a server of the target's major version.

    Roles belong to a cluster: what a migration does to them must reach neither the target nor
    the next plan. So a migration that may touch them is only tried on a cluster of its own.

    Args:
        live: A connection to the target, in autocommit mode.
        pending: What will be tried.
        across_majors: Whether a server of another major version will do.
        alone: Whether it must be a server for this trial alone, if there is a choice.

    Raises:
        ConfigError: No such server, and `across_majors` is not given; or
            ``TODO_SQL_SCRATCH_URL`` names the target's own cluster, which a migration changes.
    """
    serving = _server(config, live, pending, across_majors=across_majors, alone=alone)
    with serving as (url, kind):
        place = ScratchServer(url, config.replays_as_superuser)
        snapshot = take(live)
        # The search path of the target, with the name of whoever asks.
        ((path,),) = live.execute(
            "select pg_catalog.replace(pg_catalog.current_setting('search_path'), '\"$user\"',"
            " pg_catalog.quote_ident(current_user))"
        )
        told = [one for each in pending for one in each.forward.statements]
        roles = (str(s.node.create_role_stmt.role) for s in told if s.kind == "create_role_stmt")
        made = {*schema_sql.roles(snapshot), *roles} if kind == "kept" else set()

        @contextmanager
        def make() -> Iterator[Copy]:
            with empty_database(place) as scratch:
                with psycopg.connect(scratch, autocommit=True) as connection:
                    missing = load(connection, snapshot, place, config.ignore)
                    state = None if kind == "kept" else _state(connection)
                yield Copy(scratch, path, state, tuple(missing))

        with roles_dropped(url, made):
            yield make


# The cluster: the target's own and the project's must be left as they are.
Kind = Literal["target's", "project's", "kept"]


@contextmanager
def _server(
    config: Config,
    live: Connection[Any],
    pending: Sequence[Migration],
    *,
    across_majors: bool,
    alone: bool,
) -> Iterator[tuple[str, Kind]]:
    major = live.info.server_version // 10000
    reaching = next(_reaches(pending), None)
    if config.scratch_url is not None:
        given = DatabaseUrl.parse(config.scratch_url).text
        with psycopg.connect(given, autocommit=True) as scratch:
            same = _identity(scratch) == _identity(live)
            if same and reaching is not None:
                raise _reaching(reaching)
            other = scratch.info.server_version // 10000
        _demand_same(major, other, across_majors)
        yield given, "target's" if same else "kept"
        return
    if reaching is None and not alone and major == config.postgres:
        own = server_for(config)
        if own.status().running:
            yield own.url("postgres"), "project's"
            return
    with ExitStack() as stack:
        try:
            server = stack.enter_context(temporary_server(major))
        except TodoSqlError:
            _demand_same(major, config.postgres, across_majors)
            server = stack.enter_context(temporary_server(config.postgres))
        yield server.url("postgres"), "kept"


@contextmanager
def roles_dropped(server: str, names: Set[str]) -> Iterator[None]:
    """Drop the roles of these names that are made within the block: the server is kept."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(SAFE_ALWAYS)
        there = {row[0] for row in connection.execute("select rolname from pg_catalog.pg_roles")}
        try:
            yield
        finally:
            for name in names - there:
                with suppress(psycopg.Error):  # somebody uses it by now
                    drop = sql.SQL("drop role if exists {}").format(sql.Identifier(name))
                    connection.execute(drop)


# Statements about what belongs to the whole cluster.
_OF_CLUSTER = re.compile(
    r"(grant|create|alter|drop)_(role|role_set|database\w*|system|owned|subscription"
    r"|table_space\w*)_stmt|(createdb|dropdb|reassign_owned|alter_table_space_options)_stmt"
)
_IN_TEXT = re.compile(
    r"\b(create|alter|drop|comment\s+on)\s+(role|user(?!\s+mapping)|group|database|tablespace|"
    r"subscription|system)\b|\b(reassign|drop)\s+owned\b|\bon\s+(database|tablespace|parameter)\b"
    r"|\bdblink|_replication_slot\b|\bpg_replication_origin_",
    re.IGNORECASE,
)


def _reaches(pending: Sequence[Migration]) -> Iterator[Place]:
    """Yield where a migration, or its rollback, may reach beyond its database."""
    for migration in pending:
        for script in migration.scripts:
            for statement in script.statements:
                if _OF_CLUSTER.fullmatch(statement.kind) or _IN_TEXT.search(statement.text):
                    yield script.source.place(statement.start)


def _reaching(place: Place) -> ConfigError:
    return ConfigError(
        "this migration reaches beyond its database, and TODO_SQL_SCRATCH_URL names the cluster "
        "of the target",
        code="P201",
        place=place,
        cause="roles, databases and settings belong to a cluster: a trial would reach the target",
        fix="name another server, or unset it to use the embedded PostgreSQL",
    )


def _state(connection: Connection[Any]) -> str:
    return str(rows(connection, "cluster_state")[0]["state"])


def _demand_same(target: int, scratch: int, across_majors: bool) -> None:
    if target != scratch and not across_majors:
        raise ConfigError(
            f"the target is PostgreSQL {target}, the scratch server would be {scratch}",
            code="P202",
            cause="locks and rewrites differ between major versions",
            fix=f"name a PostgreSQL {target} in TODO_SQL_SCRATCH_URL, or add --across-majors",
        )


def _identity(connection: Connection[Any]) -> object:
    text = "select system_identifier from pg_catalog.pg_control_system()"
    try:
        return connection.execute(text).fetchone()
    except psycopg.errors.InsufficientPrivilege:  # then compare where they listen
        return connection.info.host, connection.info.port


def load(
    connection: Connection[Any],
    live: Snapshot,
    server: ScratchServer | None = None,
    ignore: Sequence[str] = (),
) -> list[str]:
    """Make the objects of a catalog in an empty database; return what could not be made.

    Args:
        connection: To the database, in autocommit mode.
        server: Where the database is: its superuser does what `connection` may not and what
            runs nothing of others: makes extensions, where nothing but schemas and roles is
            there yet, and gives objects to their owners. What belongs to a superuser, or to
            whoever is as good as one, stays with `connection`: it would run as its owner.
        ignore: Patterns of keys: of an extension that is one of these it is not said that it
            could not be made. What needs it is told by itself.
    """
    # What it says unqualified is PostgreSQL's own: it was read under the same path.
    connection.execute(SAFE_ALWAYS)
    missing = []
    # By the whole text: a name or an expression in any other statement may look like these.
    by_superuser = {
        f"{text};": item
        for item in live.items.values()
        for text in (create(item, live) if item.kind == "extension" else give(item))
    }
    with ExitStack() as stack:

        @cache
        def superuser() -> Connection[Any]:
            assert server is not None
            url = DatabaseUrl.parse(server.url).with_database(connection.info.dbname)
            there = stack.enter_context(psycopg.connect(url.text, autocommit=True))
            there.execute(SAFE_ALWAYS)
            return there

        for statement in schema_sql.statements(live):
            if statement.startswith(BY_HAND):
                missing.append(statement.removeprefix(BY_HAND))
                continue
            if statement.startswith("--"):
                continue
            try:
                connection.execute(statement.encode())
            except psycopg.Error as error:
                item = by_superuser.get(statement)
                if server and error.sqlstate == "42501" and item:
                    owner = item.attributes.get("owner")
                    try:
                        if owner is None or may_be_given(superuser(), owner):
                            superuser().execute(statement.encode())
                        continue
                    except psycopg.Error as second:
                        error = second
                if item and item.kind == "extension" and is_ignored(item, ignore):
                    continue
                head = " ".join(statement.split())[:70]
                missing.append(f"{head}: {error.diag.message_primary or error}")
    return missing
