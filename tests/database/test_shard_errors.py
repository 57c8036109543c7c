"""A constraint that a shard refuses is told as the table's: Citus passes words, and no fields."""

from __future__ import annotations

import pytest

from todo_sql.wire.call_errors import ServerError

WORDS = [
    (
        "23505",
        'duplicate key value violates unique constraint "idx_lists_user_id_lower_name_102623"',
        (None, None, "idx_lists_user_id_lower_name"),
    ),
    (
        "23503",
        'insert or update on table "tasks_102627" violates foreign key constraint '
        '"tasks_user_id_list_id_fkey_102627"',
        ("tasks", None, "tasks_user_id_list_id_fkey"),
    ),
    (
        "23503",
        'update or delete on table "lists_102623" violates foreign key constraint '
        '"tasks_user_id_list_id_fkey_102627" on table "tasks_102627"',
        ("tasks", None, "tasks_user_id_list_id_fkey"),
    ),
    (
        "23514",
        'new row for relation "tasks_102627" violates check constraint "tasks_title_check"',
        ("tasks", None, "tasks_title_check"),
    ),
    (
        "23502",
        'null value in column "title" of relation "tasks_102627" violates not-null constraint',
        ("tasks", "title", None),
    ),
    (
        "23505",
        "doppelter Schlüsselwert verletzt Unique-Constraint »tags_pkey_102631«",
        (None, None, "tags_pkey"),
    ),
    ("23505", "no names at all", (None, None, None)),
    (
        "23503",
        'insert or update on table "plan_2026_102627" violates foreign key constraint "plan_2026"',
        ("plan_2026", None, "plan_2026"),
    ),
]


@pytest.mark.parametrize(("sqlstate", "message", "expected"), WORDS)
def test_what_the_words_name(
    sqlstate: str, message: str, expected: tuple[str | None, str | None, str | None]
) -> None:
    """Table, column and constraint, without the numbers of shards, in any language."""
    found = ServerError(sqlstate, message).of_shard()
    assert (found.table, found.column, found.constraint) == expected
    assert found.far is any(expected)
    assert found.message == message
