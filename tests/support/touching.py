"""Statements that fire everything a schema keeps: its functions, triggers, policies, cascades.

They are made from the catalog and name everything with its schema, so that whatever is looked
up by the search_path is looked up by the code that they fire.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import sql

from support.people import Connection
from support.plants import quoted

SAMPLES = {
    "text": "alive",
    "varchar": "alive",
    "date": "2031-02-17",
    "timestamptz": "2031-02-17 00:00:00+00",
    "bool": "true",
    "uuid": "7f1b5c9e-0000-4000-8000-000000000009",
    "jsonb": "{}",
    "json": "{}",
    "int2": "25",
    "int4": "25",
    "int8": "25",
    "numeric": "25",
}
"""An argument for a function, by type; null for others."""

SIGNED_IN = """
insert into public.sessions (id, user_id, token, expires_at)
values ('s1', 'ada', 'alive', pg_catalog.now() + interval '1 hour');
insert into public.accounts (id, user_id, account_id, provider_id, access_token, scope, password)
values ('a1', 'ada', 'ada-at-provider', 'credential', 'token-1', 'scope-1', 'hash-1');
insert into public.verifications (id, identifier, value, expires_at)
values ('v1', 'ada@example.com', 'proof-1', pg_catalog.now() + interval '1 hour')
"""
"""Rows for the tables of Better Auth, beside `PEOPLE`."""


def touches(owner: Connection) -> list[str]:
    """Return statements that call every function and write every table."""
    return [*_calls(owner), *_writes(owner)]


def _calls(owner: Connection) -> Iterator[str]:
    for name, types in owner.execute(
        """
        select p.proname, array(
            select t.typname::text from unnest(p.proargtypes) with ordinality as a (oid, n)
            inner join pg_type as t on t.oid = a.oid order by a.n
        )
        from pg_proc as p
        where p.pronamespace = 'public'::regnamespace and p.prokind = 'f'
            and p.prorettype <> all(array['trigger', 'event_trigger']::regtype[])
        order by p.proname
        """
    ).fetchall():
        yield f"select * from public.{quoted(name)}({', '.join(map(_sample, types))})"


def _sample(type_name: str) -> str:
    value = SAMPLES.get(type_name)
    return "null" if value is None else _literal(value, f"pg_catalog.{type_name}")


def _literal(value: str | None, type_name: str) -> str:
    if value is None:
        return "null"
    return f"{sql.Literal(value).as_string(None)}::{type_name}"


def _writes(owner: Connection) -> Iterator[str]:
    """Update each column of a row, delete the row and insert it again, for every table."""
    tables: dict[str, list[tuple[str, str, str]]] = {}
    for table, column, type_name, category in owner.execute(
        """
        select c.relname, a.attname, format('%I.%I', n.nspname, t.typname), t.typcategory
        from pg_class as c
        inner join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0
        inner join pg_type as t on t.oid = a.atttypid
        inner join pg_namespace as n on n.oid = t.typnamespace
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
            and not c.relispartition and not a.attisdropped and c.relname !~ '^_'
        order by c.relname, a.attnum
        """
    ):
        tables.setdefault(table, []).append((column, type_name, category))
    for table, columns in tables.items():
        name = f"public.{quoted(table)}"
        listed = ", ".join(f"t.{quoted(column)}::text" for column, *_ in columns)
        row = owner.execute(f"select t.ctid::text, {listed} from {name} as t limit 1").fetchone()
        if row is None:
            continue
        here = f"where ctid operator(pg_catalog.=) {_literal(row[0], 'pg_catalog.tid')}"
        yield f"select * from {name}"
        for (column, type_name, category), value in zip(columns, row[1:], strict=True):
            changed = _literal(_changed(category, value), type_name)
            yield f"update {name} set {quoted(column)} = {changed} {here}"
        yield f"delete from {name} {here}"
        yield from _again(name, columns, row[1:], here)


def _again(
    name: str, columns: list[tuple[str, str, str]], row: tuple[Any, ...], here: str
) -> Iterator[str]:
    """Insert a row anew: with all of its columns, as an import; with few, as an application."""
    for left_out in ((), ("id", "deleted_at")):
        chosen = [
            (quoted(column), _literal(value, type_name))
            for (column, type_name, _), value in zip(columns, row, strict=True)
            if column not in left_out
        ]
        listed = ", ".join(column for column, _ in chosen)
        values = ", ".join(value for _, value in chosen)
        yield f"delete from {name} {here}; insert into {name} ({listed}) values ({values})"


def _changed(category: str, value: str | None) -> str | None:
    """Return another value of a type, null for null."""
    if category == "S":
        return (value or "") + "~"
    if category == "B":
        return "false" if value == "true" else "true"
    if category == "D":
        return "2031-02-17 00:00:00+00"
    return None if value is None else value


Outcome = tuple[str, ...]


def run(session: Connection, statements: list[str]) -> list[Outcome]:
    """Run statements, each undone afterwards; return how each ended, and with which rows."""
    outcomes: list[Outcome] = []
    for statement in statements:
        try:
            with session.transaction(force_rollback=True):
                cursor = session.execute(statement.encode())
                rows = sorted(map(str, cursor)) if cursor.description else []
                while cursor.nextset():
                    pass
                outcomes.append(("done", cursor.statusmessage or "", *rows))
        except psycopg.Error as error:
            outcomes.append(("failed", error.sqlstate or ""))
    return outcomes
