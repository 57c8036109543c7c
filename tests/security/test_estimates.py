"""What EXPLAIN tells of rows that row security hides: the planner's statistics know them all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from psycopg import errors, sql
from support.database import Server
from support.people import Connection, make_logins

from todo_sql.config import Config
from todo_sql.migrations.files.folder import load
from todo_sql.migrations.migrator import Migrator
from todo_sql.testing import TestServer

pytestmark = pytest.mark.database

BEFORE = "20261127092000"

# Whoever runs SQL as todo_app can guess these from estimates: the ids of users and rows, and
# which table a change was in. SECURITY.md and docs/roles.md say so.
TOLD = {
    "lists.public_id",
    "lists.user_id",
    "tags.public_id",
    "tags.user_id",
    "tasks.public_id",
    "tasks.user_id",
    "task_tags.user_id",
    "audit_log.actor_id",
    "audit_log.operation",
    "audit_log.public_id",
    "audit_log.row_id",
    "audit_log.table_name",
    "audit_log.user_id",
}

CROWD = """
select set_config('app.current_user_id', 'grace', false);
insert into users (id, name, email)
values ('ada', 'Ada', 'ada@example.com'), ('grace', 'grace secret', 'grace@example.com');
insert into lists (user_id, name)
select 'grace', 'grace secret ' || n from generate_series(1, 300) as n;
insert into tags (user_id, name)
select 'grace', 'grace secret ' || n from generate_series(1, 300) as n;
insert into tasks (user_id, title, description)
select 'grace', 'grace secret', 'grace secret' from generate_series(1, 300);
insert into task_tags (user_id, task_id, tag_id)
select t.user_id, t.id, g.id
from tasks as t inner join tags as g on t.user_id = g.user_id and g.name = 'grace secret 1';
-- Who asks has rows, too: of a user with none nothing is expected, whatever is asked.
select set_config('app.current_user_id', 'ada', false);
insert into lists (user_id, name) select 'ada', 'mine ' || n from generate_series(1, 300) as n;
insert into tags (user_id, name) select 'ada', 'mine ' || n from generate_series(1, 300) as n;
insert into tasks (user_id, title, description)
select 'ada', 'mine', 'mine' from generate_series(1, 300);
insert into task_tags (user_id, task_id, tag_id)
select t.user_id, t.id, g.id
from tasks as t inner join tags as g on t.user_id = g.user_id and g.name = 'mine 1';
analyze
"""

READABLE = """
select c.relname || '.' || a.attname
from pg_class as c inner join pg_attribute as a on a.attrelid = c.oid
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm')
    and not c.relispartition and a.attnum > 0 and not a.attisdropped
    and a.atttypid in ('text'::regtype, 'varchar'::regtype, 'uuid'::regtype)
    and has_column_privilege('todo_app', c.oid, a.attnum, 'select')
order by 1
"""

# What an attacker compares: what others have, and what nobody has, by the column and by an
# index over it. Where nothing is known of the values, both are expected equally often.
ASKED = [
    ("{c} = 'grace secret'", "{c} = 'nobody secret'"),
    ("{c} = 'grace'", "{c} = 'nobody'"),
    ("{c} <> 'grace secret'", "{c} <> 'nobody secret'"),
    ("{c} in ('grace secret', 'insert')", "{c} in ('nobody secret', 'upsert')"),
    ("{c} like 'grace%'", "{c} like 'nobod%'"),
    ("{c} ^@ 'grace'", "{c} ^@ 'nobod'"),
    ("{c} < 'grace secret~'", "{c} < 'grace'"),
    ("{c} >= 'user 2'", "{c} >= 'user 9999'"),
    ("{c} between 'g' and 'h'", "{c} between 'n' and 'o'"),
    ("lower({c}) = 'grace secret'", "lower({c}) = 'nobody secret'"),
    ("lower({c}) < 'grace secret~'", "lower({c}) < 'grace'"),
    ("{c} = 'tags'", "{c} = 'tugs'"),
    (
        "{c} < '40000000-0000-4000-8000-000000000000'",
        "{c} < '80000000-0000-4000-8000-000000000000'",
    ),
]


def expected(app: Connection, column: str, condition: str) -> int:
    """Return how many rows the planner expects."""
    table, name = column.split(".")
    query = sql.SQL("explain (format json) select from {t} as t where " + condition).format(
        t=sql.Identifier(table), c=sql.SQL("t.") + sql.Identifier(name)
    )
    found: Any = app.execute(query).fetchone()
    return int(found[0][0]["Plan"]["Plan Rows"])


def telling(app: Connection) -> set[str]:
    """Return the columns whose estimates depend on which value is asked for."""
    app.execute("set app.current_user_id = 'ada'")
    found = set()
    for (column,) in app.execute(READABLE).fetchall():
        for present, absent in ASKED:
            with suppress(errors.InvalidTextRepresentation, errors.UndefinedFunction):
                if expected(app, column, present) != expected(app, column, absent):
                    found.add(column)
    return found


@pytest.fixture(scope="module")
def crowded(
    server: Server, todo_sql_server: TestServer, todo_sql_config: Config
) -> Iterator[tuple[Connection, set[str]]]:
    """A database that was crowded before it was migrated; and what told before."""
    migrations = load(todo_sql_config.migrations, todo_sql_config.root)
    with todo_sql_server.database() as name:
        migrator = Migrator(todo_sql_server.url(name), migrations)
        migrator.migrate(to=BEFORE)
        make_logins(server)
        with psycopg.connect(server.url(name), autocommit=True) as admin:
            admin.execute(CROWD)
        with psycopg.connect(server.url(name, "login_app"), autocommit=True) as app:
            before = telling(app)
            migrator.migrate()
            yield app, before


def test_no_text_of_others_shows_in_an_estimate(
    server: Server, crowded: tuple[Connection, set[str]]
) -> None:
    """Not from what was known before the migration, nor after the next analyze."""
    app, _ = crowded
    assert telling(app) <= TOLD
    with psycopg.connect(server.url(app.info.dbname), autocommit=True) as admin:
        admin.execute("analyze")
    assert telling(app) == TOLD


def test_an_estimate_that_tells_would_be_seen(crowded: tuple[Connection, set[str]]) -> None:
    """As the schema was before, every text that a person writes showed."""
    assert crowded[1] >= {"lists.name", "tags.name", "tasks.title", "tasks.description"}
