"""Empty databases on a scratch server, for the time of one proof."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

PREFIX = "todo_sql_scratch_"


@contextmanager
def empty_database(server: str) -> Iterator[str]:
    """Yield the URL of an empty database on the server of a URL; dropped afterwards."""
    import psycopg
    from psycopg import sql

    name = f"{PREFIX}{os.getpid()}_{secrets.token_hex(4)}"
    create = sql.SQL("create database {} template template0").format(sql.Identifier(name))
    drop = sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name))
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(create)
    try:
        # Nothing here has to outlive a crash.
        yield _with(server, name, "-c synchronous_commit=off")
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(drop)


def _with(url: str, database: str, options: str) -> str:
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    query["options"] = f"{query.get('options', '')} {options}".strip()
    return urlunsplit(parts._replace(path=f"/{database}", query=urlencode(query, quote_via=quote)))
