"""Two worlds that differ only in what another tenant has.

In both, ada has the same rows. In the first, grace has rows too; the second has no grace.
Whatever ada does must look the same to her in both: then she can infer nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg

from support.people import Connection

ADA, GRACE = "ada", "grace"

# Ids of lists, tasks and tags alike: ada's, grace's, nobody's.
ADAS, GRACES, NOBODYS = (1, 2, 3), (11, 12, 13), (99,)
FIRST_GENERATED = 1000

OWNED = ("lists", "tasks", "tags", "task_tags", "audit_log")


def public_id(id: int) -> UUID:
    """Return the public_id of the list, task and tag with an id."""
    return UUID(int=id)


def _fill(connection: Connection, user: str, ids: tuple[int, ...]) -> None:
    """Give a user three lists, tasks (one in the bin) and tags; tag two of the tasks."""
    connection.execute(
        "insert into users (id, name, email) values (%s, %s, %s) on conflict do nothing",
        [user, user.title(), f"{user}@example.com"],
    )
    for table, column in (("lists", "name"), ("tags", "name"), ("tasks", "title")):
        connection.execute(
            f"""
            insert into {table} (user_id, id, public_id, {column}, created_at, updated_at)
            select %s, n, lpad(to_hex(n), 32, '0')::uuid, %s || ' secret ' || n,
                timestamptz '2026-01-01 00:00:00+00' + n * interval '1 hour',
                timestamptz '2026-01-01 00:00:00+00'
            from unnest(%s::integer[]) as n
            """,
            [user, user, list(ids)],
        )
    connection.execute(
        "update tasks set list_id = id, due_date = '2026-06-01 00:00:00+00'"
        " where user_id = %s and id < %s",
        [user, ids[2]],
    )
    connection.execute(
        "update tasks set deleted_at = '2026-02-01 00:00:00+00' where user_id = %s and id = %s",
        [user, ids[2]],
    )
    connection.execute(
        "insert into task_tags (user_id, task_id, tag_id)"
        " select %s, n, n from unnest(%s::integer[]) as n",
        [user, list(ids[:2])],
    )


def _clear(connection: Connection, user: str) -> None:
    connection.execute("delete from users where id = %s", [user])
    connection.execute("delete from audit_log where user_id = %s", [user])
    for table in ("lists", "tags", "tasks"):
        connection.execute(
            f"select setval(pg_get_serial_sequence('{table}', 'id'), {FIRST_GENERATED})"
        )


@dataclass(frozen=True)
class World:
    """A database as its owner sees it, and the URL that the application uses."""

    owner: Connection
    url: str

    def reset(self) -> None:
        """Give ada the rows that she has at the start, without a past."""
        with self.owner.transaction():
            _clear(self.owner, ADA)
            _fill(self.owner, ADA, ADAS)
            self.owner.execute("delete from audit_log where user_id = %s", [ADA])

    def others(self) -> list[Any]:
        """Return every row that is not ada's, of every table."""
        return [
            (table, *row)
            for table, tenant in (("users", "id"), *((table, "user_id") for table in OWNED))
            for row in self.owner.execute(
                f"select t::text from {table} as t where t.{tenant} <> %s order by 1", [ADA]
            )
        ]

    def own(self) -> list[Any]:
        """Return ada's rows, less what depends on the moment."""
        return [
            (table, *row)
            for table in OWNED[:-1]
            for row in self.owner.execute(
                f"""
                select (to_jsonb(t) - %s::text[])::text
                from {table} as t where t.user_id = %s order by 1
                """,
                [["created_at", "updated_at", "deleted_at", "public_id"], ADA],
            )
        ]


@contextmanager
def worlds(first: tuple[str, str], second: tuple[str, str]) -> Iterator[tuple[World, World]]:
    """Make two migrated databases into the two worlds.

    Args:
        first: URL of the owner and URL of the application for the one with grace.
        second: Likewise for the one without.
    """
    with (
        psycopg.connect(first[0], autocommit=True) as with_grace,
        psycopg.connect(second[0], autocommit=True) as without,
    ):
        _fill(with_grace, GRACE, GRACES)
        yield World(with_grace, first[1]), World(without, second[1])
