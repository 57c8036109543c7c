"""Empty databases on a scratch server, for the time of one proof."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from todo_sql.wire.url import DatabaseUrl

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
        yield DatabaseUrl.parse(server).with_database(name, "-c synchronous_commit=off").text
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(drop)
