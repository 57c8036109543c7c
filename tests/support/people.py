"""Whom the tests of isolation act as: logins, and users of the Todo database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from support.database import Server

Connection = psycopg.Connection[Any]
Login = Callable[[str], Connection]
LoginUrl = Callable[[str], str]

PEOPLE = """
insert into users (id, name, email)
values ('ada', 'Ada', 'ada@example.com'), ('grace', 'Grace', 'grace@example.com');

insert into lists (user_id, name) select id, 'Home' from users order by id;

insert into tags (user_id, name) select id, 'urgent' from users order by id;

insert into tasks (user_id, list_id, title)
select l.user_id, l.id, l.user_id || ' task ' || n
from lists as l cross join generate_series(1, 2) as n
order by l.user_id, n;

insert into task_tags (user_id, task_id, tag_id)
select t.user_id, min(t.id), min(g.id)
from tasks as t inner join tags as g on t.user_id = g.user_id
group by t.user_id
"""

LOGINS = {
    "login_app": "in role todo_app",
    "login_readonly": "in role todo_readonly",
    "login_auth": "in role todo_auth",
    "login_nobody": "",
    "login_bypass": "bypassrls in role todo_app",
    "login_owner": "createrole createdb bypassrls in role todo_app, todo_readonly, todo_auth",
}


@contextmanager
def tenant(connection: Connection, user_id: str | None) -> Iterator[Connection]:
    """Act as todo_app for one user inside a transaction, as a session does."""
    with connection.transaction():
        connection.execute("select set_config('role', 'todo_app', true)")
        if user_id is not None:
            connection.execute("select set_config('app.current_user_id', %s, true)", [user_id])
            # Where Citus is, as a statement too, which it hands on.
            connection.execute("select set_config('citus.propagate_set_commands', 'local', true)")
            literal = sql.Literal(user_id)
            connection.execute(sql.SQL('set local "app.current_user_id" to {}').format(literal))
        yield connection


def make_logins(server: Server) -> None:
    """Make `LOGINS`, unless the server has them; their roles must exist."""
    with psycopg.connect(server.url(), autocommit=True) as admin:
        for role, options in LOGINS.items():
            if not admin.execute("select 1 from pg_roles where rolname = %s", [role]).fetchone():
                admin.execute(
                    sql.SQL("create role {} login password {} " + options).format(
                        sql.Identifier(role), sql.Literal(server.password)
                    )
                )
