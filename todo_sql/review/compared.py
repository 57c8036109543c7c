"""The live catalog beside what the migrations make, both worded by one major version."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import psycopg
from psycopg import Connection

from todo_sql.catalog.item import Item
from todo_sql.catalog.names import quoted
from todo_sql.catalog.schema_sql import roles
from todo_sql.catalog.snapshot import Snapshot, take
from todo_sql.compiler.scratch import empty_database, migrated_database, scratch_server
from todo_sql.compiler.scratch_role import ScratchServer
from todo_sql.config import Config
from todo_sql.embedded.programs import binaries, major_version
from todo_sql.embedded.temporary import temporary_server
from todo_sql.errors import TodoSqlError
from todo_sql.migrations.files.migration import MigrationSet
from todo_sql.migrations.migrator import Migrator
from todo_sql.review.copy import load, roles_dropped


@contextmanager
def both(
    config: Config, live: Connection[Any], chosen: MigrationSet, *, cached: bool = False
) -> Iterator[tuple[Snapshot, Snapshot]]:
    """Yield the live catalog and that of a scratch database with the chosen migrations.

    The scratch server is of the target's major version where its programs are at hand. Where
    they are not, the live catalog is copied to the scratch server and read back from there: what
    only versions word or know differently is the same then.

    Args:
        live: A connection to the target, in autocommit mode.
        cached: Whether the chosen ones are all of the project's: a kept database will do then.
    """
    major = live.info.server_version // 10000
    with _server(config, major) as (server, own):
        with ExitStack() as stack:
            if cached and own:
                url = migrated_database(config)
            else:
                url = stack.enter_context(empty_database(server))
                Migrator(url, chosen).migrate()
            made = take(stack.enter_context(psycopg.connect(url, autocommit=True)))
        found = take(live)
        if made.version // 10000 != major:
            found = _reworded(server, found)
        yield _without_ledgers_own(config.ledger, _without_given(found, made), made), made


def _without_given(live: Snapshot, made: Snapshot) -> Snapshot:
    """Return a live catalog without what others granted the migrating role on what is theirs.

    Nobody can migrate into a schema of somebody else's without; no migration can grant it.
    """

    def is_given(item: Item) -> bool:
        on = live.items.get(item.parent or "")
        own = on is not None and on.attributes.get("owner") == "current_user"
        return item.kind == "grant" and item["grantee"] == "current_user" and not own

    given = {key for key, item in live.items.items() if is_given(item)} - made.items.keys()
    return replace(live, items={k: item for k, item in live.items.items() if k not in given})


def _without_ledgers_own(ledger: str | None, live: Snapshot, made: Snapshot) -> Snapshot:
    """Return a live catalog without the schema that holds the ledger and nothing else."""
    name = quoted(ledger or "")
    key = f"schema {name}"
    if key in made.items or any(one.name.startswith(f"{name}.") for one in live.items.values()):
        return live
    own = {key, *(item.key for item in live.parts(key))}
    return replace(live, items={k: item for k, item in live.items.items() if k not in own})


@contextmanager
def _server(config: Config, major: int) -> Iterator[tuple[ScratchServer, bool]]:
    """Yield a scratch server, and whether it is the project's own."""
    if config.scratch_url is None and config.postgres != major and at_hand(major):
        with temporary_server(major) as server:
            yield ScratchServer(server.url("postgres"), config.replays_as_superuser), False
    else:
        yield scratch_server(config), True


def at_hand(major: int) -> bool:
    """Whether the programs of a major version are there."""
    try:
        return major_version(binaries(major)) == major
    except TodoSqlError:
        return False


def _reworded(server: ScratchServer, live: Snapshot) -> Snapshot:
    """Return a catalog as the scratch server words it; what it cannot make stays as it is."""
    with (
        roles_dropped(server.url, set(roles(live))),
        empty_database(server) as url,
        psycopg.connect(url, autocommit=True) as copy,
    ):
        load(copy, live, server)
        copied = take(copy)
    items = {}
    for key, item in live.items.items():
        items[key] = found = copied.items.get(key, item)
        if "owner" in item.attributes:  # the copy may be somebody else's
            items[key] = replace(found, attributes={**found.attributes, "owner": item["owner"]})
    return replace(live, items=items)
