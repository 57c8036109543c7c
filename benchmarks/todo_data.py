"""A Todo database with tasks, for the benchmarks of calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg

from todo_sql.embedded.temporary import temporary_server
from todo_sql.migrations import migrate

ROOT = Path(__file__).parent.parent
QUERY = (
    "select id, public_id, title, description, completed, priority, created_at, updated_at\n"
    "from tasks where user_id = {user} order by created_at desc, id desc limit {limit}"
)
COLUMNS = (
    "id",
    "public_id",
    "title",
    "description",
    "completed",
    "priority",
    "created_at",
    "updated_at",
)


@contextmanager
def todo_database(sizes: Sequence[int]) -> Iterator[str]:
    """Yield the URL of a database in which user ``u<n>`` has n tasks, for each size."""
    with temporary_server(18) as server:
        url = server.url()
        migrate(url, ROOT / "migrations")
        with psycopg.connect(url, autocommit=True) as connection:
            for size in sizes:
                connection.execute(
                    "insert into users (id, name, email) values (%s, 'x', %s)",
                    [f"u{size}", f"u{size}@example.test"],
                )
                connection.execute(
                    "insert into tasks (user_id, title, description) "
                    "select %s, 'Task ' || n, 'What there is to do, number ' || n "
                    "from generate_series(1, %s) as n",
                    [f"u{size}", size],
                )
            connection.execute("vacuum analyze")
        yield url
