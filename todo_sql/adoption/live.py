"""A live database's schema as the first migration of a project, with queries for its tables."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from todo_sql import writing
from todo_sql.adoption.table_queries import TableQueries, queries_of
from todo_sql.catalog.ddl import BY_HAND
from todo_sql.catalog.names import block, literal, names, plain, quoted, role
from todo_sql.catalog.schema_sql import create_role, roles
from todo_sql.catalog.snapshot import Snapshot, take
from todo_sql.compiler.project import analyse_folder, check_folder
from todo_sql.compiler.schema import read as read_schema
from todo_sql.compiler.scratch import connect_migrated
from todo_sql.errors import Finding, Place, UsageError
from todo_sql.migrations.files.migration import MigrationSet
from todo_sql.review.compared import both
from todo_sql.review.squash import forced, schema_of
from todo_sql.sql.source import shown_path

if TYPE_CHECKING:
    from psycopg import Connection

    from todo_sql.compiler.describe import Analysis
    from todo_sql.config import Config
    from todo_sql.queries.loader import QuerySet

NAME = "begin_with_what_was_there"
_HEAD = """\
-- Why: this is what database {database} held when the project began; rows are none of it.
-- Written by `todo-sql init --from`. It is recorded there, and runs where there is nothing yet.
-- irreversible: it was there before the project: undoing it would drop everything
"""
_SETTING = re.compile(r"current_setting\('(?P<name>[^']+)'")
# Of a qualified name, with what kind of thing it is of before it or without.
_SCHEMA = re.compile(r'(?:[a-z ]+ )?("(?:[^"]|"")*"|[^".( ]+)\.')
_IN_NO_SCHEMA = ("schema", "extension", "default_privilege", "publication", "event_trigger")
_SESSION = re.compile(r"\A[A-Za-z_]\w*(\.[A-Za-z_]\w*)+\Z")


@dataclass(frozen=True, slots=True)
class Live:
    """What a live database holds.

    Attributes:
        text: The migration that makes its schema.
        snapshot: Its catalog.
        tenant: How it tells tenants apart, as far as its policies say so.
        by_hand: What no statement is known for.
    """

    text: str
    snapshot: Snapshot
    tenant: Tenancy | None
    by_hand: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tenancy:
    """What row security tells of tenants: the keys of ``tenant`` in the configuration."""

    parameter: str
    setting: str
    role: str


def read(config: Config, connection: Connection[Any]) -> Live:
    """Return the schema of a live database as a migration; read-only.

    Args:
        config: Of the project to be, for its scratch server.
        connection: To the database, in autocommit mode.

    Raises:
        UsageError: The database has a ledger of ours already.
    """
    database = connection.info.dbname
    ours = connection.execute(
        "select n.nspname::pg_catalog.text from pg_catalog.pg_class as c"
        " join pg_catalog.pg_namespace as n on n.oid operator(pg_catalog.=) c.relnamespace"
        " where c.relname operator(pg_catalog.=) '_todo_sql_ledger' limit 1"
    ).fetchone()
    if ours is not None:
        raise UsageError(
            f"database {database} has a ledger of todo-sql already, in schema {ours[0]}",
            code="A140",
            cause="a project of its own makes this schema; nothing was written",
            fix="work in that project, or name another database",
        )
    with both(config, connection, MigrationSet("migrations", ())) as (live, empty):
        statements = schema_of(empty, live, list(_roles(live))) + forced(empty, live)
        statements = _letting_owners_create(statements, live)
    by_hand = tuple(text.removeprefix(BY_HAND) for text in statements if text.startswith(BY_HAND))
    head = _HEAD.format(database=" ".join(database.split()))
    return Live("\n\n".join([head, *statements]) + "\n", live, tenancy(live), by_hand)


def _roles(live: Snapshot) -> Iterator[str]:
    """Yield what makes each role, and lets whoever migrates give objects to it."""
    owners = {item.attributes.get("owner") for item in live.items.values()}
    for name in roles(live):
        yield create_role(name)
        if name in owners:
            text = block(
                f"if not pg_has_role(current_user, {literal(name)}, 'member') then"
                f" execute format('grant %I to current_user', {literal(name)}); end if;"
            )
            yield f"{text};"


def _letting_owners_create(statements: list[str], live: Snapshot) -> list[str]:
    """Let each owner create in its schemas while objects are given to it, as PostgreSQL asks.

    A superuser needs no such thing; whoever runs the migration elsewhere may be none.
    """
    places = {
        (found[1], owner)
        for item in live.items.values()
        if (owner := item.attributes.get("owner")) not in (None, "current_user")
        and item.kind not in _IN_NO_SCHEMA
        and (found := _SCHEMA.match(item.name))
    }
    pairs = sorted((schema, str(owner)) for schema, owner in places)
    if not pairs:
        return statements
    kept = {
        (schema, str(owner))
        for schema, owner in pairs
        for item in live.of("grant", f"schema {schema}")
        if item["grantee"] == owner and "create" in (item["granted"] or "").lower()
    }
    kept |= {(one.name, str(one["owner"])) for one in live.of("schema")}
    at = next(
        number
        for number, text in enumerate(statements)
        if text.startswith("-- ") and text != "-- schema" and not text.startswith(BY_HAND)
    )
    given = [f"grant create on schema {schema} to {role(owner)};" for schema, owner in pairs]
    taken = [
        f"revoke create on schema {schema} from {role(owner)};"
        for schema, owner in pairs
        if (schema, owner) not in kept
    ]
    why = "-- for as long as objects are given to their owners"
    end = ["-- the owners have their objects"] if taken else []
    return [*statements[:at], why, *given, *statements[at:], *end, *taken]


def tenancy(live: Snapshot) -> Tenancy | None:
    """Return what the policies of a catalog say of tenants, if they all say the same of most.

    A policy compares a column with `current_setting('app.…')`, for a role; so does one that calls
    a function of the schema which does nothing else.
    """
    functions = {
        item.name.partition("(")[0]: found["name"]
        for item in live.of("function")
        if (found := _SETTING.search(item["definition"] or "")) is not None
    }
    seen: Counter[tuple[str, str, str]] = Counter()
    for policy in live.of("policy"):
        text = f"{policy['using'] or ''} {policy['check'] or ''}"
        said = [found["name"]] if (found := _SETTING.search(text)) else []
        said += [
            through
            for name, through in functions.items()
            if re.search(rf"(?<![\w.]){re.escape(name)}\(", text)
        ]
        if not said or not _SESSION.match(said[0]):
            continue
        columns = [
            column["name"]
            for column in live.of("column", policy.parent)
            if re.search(rf"(?<![\w.\"]){re.escape(quoted(column['name']))}(?![\w\"(])", text)
        ]
        named = [plain(name) for name in names(policy["roles"]) if name != "public"]
        if len(columns) == 1 and named and columns[0].isidentifier():
            seen[(columns[0], said[0], named[0])] += 1
    return next((Tenancy(*most) for most, _ in seen.most_common(1)), None)


@dataclass(frozen=True, slots=True)
class Offered:
    """Query files, written and checked.

    Attributes:
        files: Of the tables.
        queries: As they were read again.
        analysis: Of what is in them.
        left_out: Why a query is not in them.
    """

    files: tuple[TableQueries, ...]
    queries: QuerySet
    analysis: Analysis
    left_out: tuple[Finding, ...]


def offer(config: Config, tenant: str | None) -> Offered:
    """Write a query file for each table that the migrations make, and check them.

    A query that `check` has something against is left out, and said so.

    Raises:
        TodoSqlError: The migrations do not run on the scratch server.
    """
    with connect_migrated(config) as connection:
        files = list(queries_of(take(connection), read_schema(connection), tenant))
    _write(config, files)
    wrong: dict[tuple[str, str | None], Finding] = {}
    for finding in check_folder(config).findings:
        place = finding.place
        if finding.severity != "info" and place is not None:
            wrong.setdefault((place.file, _query_at(files, place)), finding)
    kept = []
    for one in files:
        file = shown_path(config.queries / f"{one.stem}.sql", config.root)
        good = {name: text for name, text in one.queries.items() if (file, name) not in wrong}
        kept.append(one if len(good) == len(one.queries) else replace(one, queries=good))
    _write(config, [one for one in kept if one not in files])
    queries, analysis = analyse_folder(config)
    left_out = tuple(
        Finding(
            "A141",
            "warning",
            f"there is no query {name or file}: {one.message}",
            cause=one.cause,
            fix="write it by hand if it is wanted",
        )
        for (file, name), one in wrong.items()
    )
    return Offered(tuple(kept), queries, analysis, left_out)


def _write(config: Config, files: Sequence[TableQueries]) -> None:
    with writing.folder(config.queries, config.root) as place:
        for one in files:
            place.write(f"{one.stem}.sql", one.text)


def _query_at(files: Sequence[TableQueries], place: Place) -> str | None:
    """Return the name of the query that a place is in."""
    stem = PurePosixPath(place.file).stem
    text = next((one.text for one in files if one.stem == stem), "")
    above = "\n".join(text.split("\n")[: place.line])
    return next(iter(re.findall(r"^-- name: (\S+) :", above, re.MULTILINE)[::-1]), None)
