"""updated_at and identities, kept by triggers."""

from __future__ import annotations

import psycopg
import pytest
from support.people import Connection, tenant

pytestmark = pytest.mark.database

LONG_AGO = "2020-01-01 00:00:00+00"


@pytest.mark.parametrize(
    ("table", "column"), [("tasks", "title"), ("lists", "name"), ("tags", "name")]
)
def test_a_change_sets_updated_at(owned: Connection, table: str, column: str) -> None:
    """Whatever the client says, updated_at is when the change was made."""
    with owned.transaction():
        changed = owned.execute(
            f"update {table} set {column} = {column} || '!', updated_at = '{LONG_AGO}'"
            " where user_id = 'ada' returning updated_at = now()"
        ).fetchall()
    assert changed and all(row == (True,) for row in changed)


@pytest.mark.parametrize(
    ("table", "column"), [("tasks", "title"), ("lists", "name"), ("tags", "name")]
)
def test_an_update_that_changes_nothing_leaves_it(
    owned: Connection, table: str, column: str
) -> None:
    """Neither updated_at nor the history moves when a row stays as it is."""
    before = owned.execute(f"select updated_at from {table} order by id").fetchall()
    recorded = owned.execute("select count(*) from audit_log").fetchone()
    owned.execute(f"update {table} set {column} = {column}")
    assert owned.execute(f"select updated_at from {table} order by id").fetchall() == before
    assert owned.execute("select count(*) from audit_log").fetchone() == recorded


def test_a_client_may_say_when_a_row_was_made(owned: Connection) -> None:
    """An import keeps created_at and updated_at on insert."""
    assert owned.execute(
        f"""
        insert into tasks (user_id, title, created_at, updated_at)
        values ('ada', 'old', '{LONG_AGO}', '{LONG_AGO}')
        returning created_at = '{LONG_AGO}', updated_at = '{LONG_AGO}'
        """
    ).fetchone() == (True, True)


@pytest.mark.parametrize(
    ("table", "column"), [("tasks", "title"), ("lists", "name"), ("tags", "name")]
)
def test_an_import_with_ids_moves_the_sequence(owned: Connection, table: str, column: str) -> None:
    """The next generated id comes after every imported one; a lower one moves nothing."""
    owned.execute(
        f"insert into {table} (user_id, id, {column})"
        " select 'ada', n, 'imported ' || n from generate_series(1000, 1010) as n"
    )
    owned.execute(f"insert into {table} (user_id, id, {column}) values ('ada', 500, 'low')")
    made = owned.execute(
        f"insert into {table} (user_id, {column}) values ('ada', 'next') returning id"
    ).fetchone()
    assert made == (1011,)


def test_the_first_id_of_a_fresh_sequence_may_be_imported(todo_database: str) -> None:
    """Also before anything was generated, the sequence moves."""
    with psycopg.connect(todo_database, autocommit=True) as connection:
        connection.execute("insert into users (id, name, email) values ('x', 'x', 'x')")
        connection.execute("insert into tasks (user_id, id, title) values ('x', 1, 'one')")
        made = connection.execute(
            "insert into tasks (user_id, title) values ('x', 'two') returning id"
        ).fetchone()
    assert made == (2,)


def test_the_application_cannot_choose_ids(owned: Connection) -> None:
    """Otherwise one tenant could use up the numbers of all."""
    with pytest.raises(psycopg.errors.InsufficientPrivilege), tenant(owned, "ada"):
        owned.execute(
            "insert into tasks (user_id, id, title) values ('ada', 9223372036854775807, 'x')"
        )
