"""Random rows for any schema without foreign keys: nullable columns are often NULL."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from typing import Any

import psycopg

ROWS = 6

_TABLES = """
select c.relname,
    array_agg(a.attname::text order by a.attnum),
    array_agg(format_type(coalesce(nullif(t.typbasetype, 0), t.oid), null) order by a.attnum),
    array_agg(a.attnotnull or t.typnotnull order by a.attnum)
from pg_class as c
join pg_attribute as a on a.attrelid = c.oid
join pg_type as t on t.oid = a.atttypid
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
    and not c.relispartition and a.attnum > 0 and not a.attisdropped
group by c.oid, c.relname
order by c.oid
"""


def tables(connection: psycopg.Connection[Any]) -> list[str]:
    """Return the tables that `fill` fills."""
    return [row[0] for row in connection.execute(_TABLES)]


def fill(
    connection: psycopg.Connection[Any], chance: random.Random, empty: Collection[str] = ()
) -> None:
    """Replace the rows of every table by random ones; tables in `empty` get none.

    Keys count up from 0, other numbers are small, or 7: so joins both meet and miss.
    """
    values: dict[str, Callable[[], Any]] = {
        "integer": lambda: chance.choice([0, 1, 1, 2, 3, 7]),
        "numeric": lambda: chance.randint(0, 4),
        "text": lambda: chance.choice(["a", "b", "ab", ""]),
        "boolean": lambda: chance.random() < 0.5,
        "timestamp with time zone": lambda: chance.choice(["infinity", "2024-02-29"]),
        "date": lambda: chance.choice(["infinity", "2024-02-29"]),
        "jsonb": lambda: chance.choice(["null", '{"a": null}', '{"a": 1}', "{}", "[1]", "[null]"]),
        "text[]": lambda: chance.choice(["{}", "{a,NULL}"]),
        "integer[]": lambda: chance.choice(["{}", "{1,NULL}", "{NULL,2}"]),
        "mood": lambda: chance.choice(["sad", "ok"]),
    }
    found = connection.execute(_TABLES).fetchall()
    for table, *_ in found:
        connection.execute(f"truncate {table} cascade")
    for table, names, types, required in found:
        for number in range(0 if table in empty else ROWS):
            row = [
                number
                if name == "id"
                else None
                if not needed and chance.random() < 0.45
                else values[kind]()
                for name, kind, needed in zip(names, types, required, strict=True)
            ]
            places = ", ".join(["%s"] * len(row))
            statement = f"insert into {table} values ({places}) on conflict do nothing"
            try:
                connection.execute(statement, row)
            except psycopg.errors.CheckViolation:  # this row isn't to be
                continue
