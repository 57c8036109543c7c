"""What the tables refuse, and which constraint says so."""

from __future__ import annotations

import psycopg
import pytest
from support.people import Connection

pytestmark = pytest.mark.database


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("insert into users (id, name, email) values ('', 'x', 'x')", "users_id_check"),
        ("insert into users (id, name, email) values ('ada', 'x', 'x')", "users_pkey"),
        (
            "insert into users (id, name, email) values ('x', 'x', 'ada@example.com')",
            "users_email_key",
        ),
        ("insert into tasks (user_id, title) values ('ada', '')", "tasks_title_check"),
        (
            "insert into tasks (user_id, title) values ('ada', repeat('é', 201))",
            "tasks_title_check",
        ),
        (
            "insert into tasks (user_id, title, description)"
            " values ('ada', 'x', repeat('x', 1001))",
            "tasks_description_check",
        ),
        (
            "insert into tasks (user_id, title, priority) values ('ada', 'x', 'urgent')",
            "tasks_priority_check",
        ),
        ("insert into tasks (user_id, title) values ('nobody', 'x')", "tasks_user_id_fkey"),
        (
            "insert into tasks (user_id, title, list_id) values ('ada', 'x', -1)",
            "tasks_user_id_list_id_fkey",
        ),
        (
            "insert into tasks (user_id, title, list_id)"
            " select 'ada', 'x', id from lists where user_id = 'grace'",
            "tasks_user_id_list_id_fkey",
        ),
        (
            "insert into tasks (user_id, title, public_id)"
            " select 'ada', 'x', public_id from tasks where user_id = 'ada'",
            "tasks_user_id_public_id_key",
        ),
        ("insert into lists (user_id, name) values ('ada', '')", "lists_name_check"),
        (
            "insert into lists (user_id, name) values ('ada', repeat('x', 101))",
            "lists_name_check",
        ),
        (
            "insert into lists (user_id, name) values ('ada', 'hOME')",
            "idx_lists_user_id_lower_name",
        ),
        ("insert into tags (user_id, name) values ('ada', repeat('x', 51))", "tags_name_check"),
        (
            "insert into tags (user_id, name) values ('ada', 'URGENT')",
            "idx_tags_user_id_lower_name",
        ),
        (
            "insert into task_tags (user_id, task_id, tag_id)"
            " select 'ada', t.id, g.id from tasks as t cross join tags as g"
            " where t.user_id = 'ada' and g.user_id = 'grace'",
            "task_tags_user_id_tag_id_fkey",
        ),
        (
            "insert into task_tags (user_id, task_id, tag_id)"
            " select 'ada', t.id, g.id from tasks as t cross join tags as g"
            " where t.user_id = 'grace' and g.user_id = 'ada'",
            "task_tags_user_id_task_id_fkey",
        ),
    ],
)
def test_refused(unchanged: Connection, statement: str, constraint: str) -> None:
    """Each wrong row is refused by the constraint that is named after its columns."""
    with pytest.raises(psycopg.errors.IntegrityError) as caught:
        unchanged.execute(statement)
    assert caught.value.diag.constraint_name == constraint


@pytest.mark.parametrize(
    ("table", "column"),
    [("tasks", "title"), ("tasks", "user_id"), ("lists", "name"), ("tags", "name")],
)
def test_required(unchanged: Connection, table: str, column: str) -> None:
    """A column that must be given is NOT NULL."""
    with pytest.raises(psycopg.errors.NotNullViolation) as caught:
        unchanged.execute(f"update {table} set {column} = null")
    assert caught.value.diag.column_name == column


def test_limits_are_inclusive(owned: Connection) -> None:
    """200 and 1000 characters fit, counted as characters and not as bytes."""
    owned.execute(
        "insert into tasks (user_id, title, description)"
        " values ('ada', repeat('é', 200), repeat('ß', 1000))"
    )


def test_defaults(owned: Connection) -> None:
    """A task needs an owner and a title; the rest has a sensible default."""
    row = owned.execute(
        """
        insert into tasks (user_id, title) values ('ada', 'x')
        returning public_id is not null, list_id, description, completed, priority, due_date,
            created_at = updated_at, deleted_at
        """
    ).fetchone()
    assert row == (True, None, None, False, "medium", None, True, None)


def test_same_names_for_different_users(owned: Connection) -> None:
    """Unique means unique for one user: both have a list Home and a tag urgent."""
    count = owned.execute("select count(*), count(distinct user_id) from lists").fetchone()
    assert count == (2, 2)


def test_deleting_a_list_keeps_its_tasks(owned: Connection) -> None:
    """Only list_id becomes null, although the key holds user_id too."""
    owned.execute("delete from lists where user_id = 'ada'")
    assert owned.execute("select user_id, list_id is null from tasks order by id").fetchall() == [
        ("ada", True),
        ("ada", True),
        ("grace", False),
        ("grace", False),
    ]


def test_deleting_a_task_or_tag_takes_the_link(owned: Connection) -> None:
    """task_tags follows both."""
    owned.execute("delete from tags where user_id = 'ada'")
    owned.execute("delete from tasks where user_id = 'grace'")
    assert owned.execute("select count(*) from task_tags").fetchone() == (0,)


def test_deleting_a_user_takes_everything_but_the_history(owned: Connection) -> None:
    """Nothing of ada is left, except what audit_log says of her; grace keeps all."""
    owned.execute("delete from users where id = 'ada'")
    for table in ("lists", "tasks", "tags", "task_tags"):
        assert owned.execute(f"select array_agg(distinct user_id) from {table}").fetchone() == (
            ["grace"],
        )
    assert owned.execute("select count(*) > 0 from audit_log where user_id = 'ada'").fetchone() == (
        True,
    )


def test_a_create_may_be_repeated(owned: Connection) -> None:
    """The same public_id gives the same row, changes nothing and is recorded once."""
    create = """
        insert into tasks (user_id, public_id, title)
        values ('ada', '7f1b5c9e-0000-4000-8000-000000000001', %s)
        on conflict (user_id, public_id) do update set public_id = excluded.public_id
        returning id, title, xmin::text
    """
    first = owned.execute(create, ["once"]).fetchone()
    second = owned.execute(create, ["twice"]).fetchone()
    assert first and second
    assert second[:2] == (first[0], "once")
    recorded = owned.execute(
        "select operation from audit_log where public_id = '7f1b5c9e-0000-4000-8000-000000000001'"
    ).fetchall()
    assert recorded == [("insert",)]
