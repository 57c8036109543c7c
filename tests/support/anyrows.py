"""Random rows for any schema, foreign keys and triggers aside; what doesn't fit is left out."""

from __future__ import annotations

import random
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import psycopg
from psycopg import sql

ROWS = 6

_TABLES = """
select n.nspname, c.relname, array_agg(a.attname::text order by a.attnum),
    array_agg(format_type(coalesce(nullif(t.typbasetype, 0), t.oid), null) order by a.attnum),
    array_agg(a.attnotnull or t.typnotnull order by a.attnum)
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
join pg_attribute as a on a.attrelid = c.oid
join pg_type as t on t.oid = a.atttypid
where n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
    and c.relkind in ('r', 'p') and not c.relispartition
    and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' and a.attidentity <> 'a'
group by c.oid, n.nspname, c.relname
order by c.oid
"""
_LABELS = "select format_type(enumtypid, null), array_agg(enumlabel::text) from pg_enum group by 1"
_VALUES = {
    **dict.fromkeys(("smallint", "integer", "bigint", "numeric"), "0 1 1 2"),
    **dict.fromkeys(("real", "double precision"), "0 1 NaN"),
    **dict.fromkeys(("text", "character varying", "character", "citext", "bytea"), "a b 1"),
    **dict.fromkeys(("timestamp with time zone", "date"), "infinity 2024-02-29"),
    "timestamp without time zone": "2024-02-29",
    "interval": "1day",
    "boolean": "t f",
    "uuid": " ".join(f"00000000-0000-0000-0000-00000000000{one}" for one in "1123"),
    "inet": "10.0.0.1",
    **dict.fromkeys(("json", "jsonb"), 'null {} [1] {"a":null}'),
}


def tables(connection: psycopg.Connection[Any]) -> list[str]:
    """Return the names of the tables that `fill` fills."""
    return [row[1] for row in connection.execute(_TABLES)]


def labels(connection: psycopg.Connection[Any]) -> dict[str, list[str]]:
    """Return the labels of every enum."""
    return dict(connection.execute(_LABELS).fetchall())


def argument(
    pg_type: str,
    number: int,
    known: Mapping[str, Sequence[str]] = {},
    *,
    nullable: bool = False,
    nulls: bool = False,
) -> bytes | None:
    """Return one of a few values of a type as text.

    Args:
        pg_type: As `format_type` names it, perhaps with a modifier.
        number: Which of them.
        known: The labels of enums.
        nullable: Whether NULL is one of them.
        nulls: Whether arrays may hold NULL.
    """
    if nullable and number % 3 == 2:
        return None
    bare = re.sub(r"\(.*\)", "", pg_type)
    if bare.endswith("[]"):
        values = _values(bare.removesuffix("[]"), known)
        return _array(values[: number % 3], nulls=nulls).encode()
    values = _values(bare, known)
    return values[number % len(values)].encode()


def _values(kind: str, known: Mapping[str, Sequence[str]]) -> list[str]:
    return list(known.get(kind) or _VALUES.get(kind, "1").split())


def _array(values: Sequence[str], *, nulls: bool) -> str:
    shown = ['"' + re.sub(r'([\\"])', r"\\\1", value) + '"' for value in values]
    return "{" + ",".join([*shown, "NULL"] if nulls else shown) + "}"


def fill(
    connection: psycopg.Connection[Any], chance: random.Random, empty: Collection[str] = ()
) -> None:
    """Replace the rows of every table by random ones; tables in `empty` get none."""
    known = labels(connection)
    found = connection.execute(_TABLES).fetchall()
    connection.execute("set session_replication_role = replica")
    for schema, table, *_ in found:
        name = sql.Identifier(schema, table)
        connection.execute(sql.SQL("truncate {} cascade").format(name))
    for schema, table, names, types, required in found:
        for number in range(0 if table in empty else ROWS):
            row: list[str | None] = []
            for column, kind, needed in zip(names, types, required, strict=True):
                if not needed and chance.random() < 0.5:
                    row.append(None)
                elif column == "id" and kind in ("smallint", "integer", "bigint"):
                    row.append(str(number))
                elif kind.endswith("[]"):
                    count = chance.randrange(3)
                    values = chance.choices(_values(kind.removesuffix("[]"), known), k=count)
                    row.append(_array(values, nulls=chance.random() < 0.5))
                else:
                    row.append(chance.choice(_values(kind, known)))
            statement = sql.SQL("insert into {} ({}) values ({})").format(
                sql.Identifier(schema, table),
                sql.SQL(", ").join(map(sql.Identifier, names)),
                sql.SQL(", ").join(map(sql.Literal, row)),
            )
            try:
                connection.execute(statement)
            except psycopg.Error:  # this row isn't to be
                continue
    connection.execute("set session_replication_role = origin")
