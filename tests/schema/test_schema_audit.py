"""The history: what is recorded, where it is kept, who may see it, how it goes."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from support.people import Connection, tenant

pytestmark = pytest.mark.database


def entries(connection: Connection, where: str) -> list[Any]:
    """Return operation and changes of the history, in order."""
    return connection.execute(
        f"select operation, changes from audit_log where {where} order by id"
    ).fetchall()


def test_every_operation_is_recorded(owned: Connection) -> None:
    """Insert and delete as the row, update as before and after of what changed."""
    row = owned.execute(
        "insert into tasks (user_id, title) values ('ada', 'Buy milk') returning id, public_id"
    ).fetchone()
    assert row
    owned.execute("update tasks set title = 'Buy oats', completed = true where id = %s", [row[0]])
    owned.execute("delete from tasks where id = %s", [row[0]])
    (made, changed, deleted) = entries(owned, f"public_id = '{row[1]}'")
    assert made[0] == "insert"
    assert made[1].items() >= {"title": "Buy milk", "completed": False}.items()
    assert "description" not in made[1]
    assert changed == (
        "update",
        {"title": ["Buy milk", "Buy oats"], "completed": [False, True]},
    )
    assert deleted[0] == "delete"
    assert deleted[1]["title"] == "Buy oats"


def test_a_link_is_recorded_by_both_keys(owned: Connection) -> None:
    """The row of task_tags is named by task and tag."""
    found = owned.execute(
        """
        select a.row_id = tt.task_id || '/' || tt.tag_id
        from audit_log as a inner join task_tags as tt on a.user_id = tt.user_id
        where a.table_name = 'task_tags'
        """
    ).fetchall()
    assert found == [(True,), (True,)]


def test_who_did_it(owned: Connection) -> None:
    """The user of the session, the login, the transaction; several changes share the last."""
    with tenant(owned, "ada"):
        owned.execute("update tasks set completed = true")
    found = owned.execute(
        """
        select actor_id, login = session_user, count(*), count(distinct transaction_id)
        from audit_log where operation = 'update' group by actor_id, login
        """
    ).fetchall()
    assert found == [("ada", True, 2, 1)]


def test_secrets_are_not_kept(owned: Connection) -> None:
    """A new password is recorded as a change without either value."""
    owned.execute(
        "insert into accounts (id, user_id, account_id, provider_id, password, scope)"
        " values ('a', 'ada', 'ada', 'credential', 'hash-1', 'all')"
    )
    owned.execute("update accounts set password = 'hash-2', access_token = 'token-1'")
    owned.execute("delete from accounts")
    made, changed, deleted = entries(owned, "table_name = 'accounts'")
    assert made[1]["scope"] == "all"
    assert changed[1] == {
        "password": ["(secret)", "(secret)"],
        "access_token": ["(secret)", "(secret)"],
    }
    assert deleted[1]["provider_id"] == "credential"
    for text in map(str, (made, changed, deleted)):
        assert "hash" not in text and "token-1" not in text


def test_the_application_reads_its_own_and_writes_none(owned: Connection) -> None:
    """Select on one's own rows; no other command at all."""
    with tenant(owned, "ada"):
        seen = owned.execute("select distinct user_id from audit_log").fetchall()
    assert seen == [("ada",)]
    for statement in (
        "insert into audit_log (user_id, table_name, operation, row_id, changes)"
        " values ('ada', 'tasks', 'insert', '1', '{}')",
        "update audit_log set changes = '{}'",
        "delete from audit_log",
        "truncate audit_log",
        "select from audit_log_default",
        "select from audit_log_2026_11",
        "select record_change()",
        "select erase_audit_history('grace')",
        "select create_audit_partition('2030-01-01')",
        "select detach_audit_partitions(1)",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), tenant(owned, "ada"):
            owned.execute(statement)


def test_history_can_be_erased_for_one(owned: Connection) -> None:
    """On request: all of ada's history, nothing of grace's."""
    grace = entries(owned, "user_id = 'grace'")
    before = owned.execute("select count(*) from audit_log where user_id = 'ada'").fetchone()
    assert owned.execute("select erase_audit_history('ada')").fetchone() == before
    assert entries(owned, "user_id = 'ada'") == []
    assert entries(owned, "user_id = 'grace'") == grace


def partitions(connection: Connection) -> list[str]:
    """Return the names of the attached partitions."""
    return [
        name
        for (name,) in connection.execute(
            "select inhrelid::regclass::text from pg_inherits"
            " where inhparent = 'audit_log'::regclass order by 1"
        )
    ]


def test_a_year_of_months_and_a_default(owned: Connection) -> None:
    """The migrations make fixed months, whenever they run."""
    assert partitions(owned) == [
        *(f"audit_log_2026_{month:02}" for month in range(5, 13)),
        *(f"audit_log_2027_{month:02}" for month in range(1, 6)),
        "audit_log_default",
    ]


def test_next_months_are_made_once(owned: Connection) -> None:
    """The maintenance function makes what is missing, closed to everybody, and nothing twice."""
    owned.execute("alter default privileges grant select on tables to todo_app")
    try:
        assert owned.execute("select create_audit_partition('2031-02-17')").fetchone() == (
            "audit_log_2031_02",
        )
    finally:
        owned.execute("alter default privileges revoke select on tables from todo_app")
    assert owned.execute("select create_audit_partition('2031-02-28')").fetchone() == (None,)
    assert owned.execute(
        """
        select relrowsecurity, has_table_privilege('todo_app', oid, 'select'),
            pg_get_expr(relpartbound, oid)
        from pg_class where relname = 'audit_log_2031_02'
        """
    ).fetchone()[:2] == (True, False)  # type: ignore[index]
    made = owned.execute("select create_audit_partitions(100)").fetchall()
    assert owned.execute("select create_audit_partitions(100)").fetchall() == []
    assert all(name in partitions(owned) for (name,) in made)


def test_a_month_takes_over_what_the_default_held(owned: Connection) -> None:
    """Changes from before their month existed move into it and stay readable."""
    owned.execute(
        """
        insert into audit_log (user_id, occurred_at, table_name, operation, row_id, changes)
        select 'ada', timestamptz '2031-03-01 00:00:00+00' + n * interval '1 day',
            'tasks', 'insert', n::text, '{}'
        from generate_series(-1, 31) as n
        """
    )
    owned.execute("select create_audit_partition('2031-03-01')")
    assert owned.execute("select count(*) from audit_log_2031_03").fetchone() == (31,)
    assert owned.execute("select count(*) from audit_log_default").fetchone() == (2,)
    assert owned.execute(
        "select count(*) from audit_log where occurred_at > '2031-01-01'"
    ).fetchone() == (33,)


def test_a_write_never_fails_for_want_of_a_month(owned: Connection) -> None:
    """Without this month's partition the default one takes it."""
    owned.execute("drop table audit_log_2026_11, audit_log_2026_12")
    for name in partitions(owned):
        if name != "audit_log_default":
            owned.execute(f"drop table {name}")
    owned.execute("update tasks set completed = true where user_id = 'ada'")
    assert owned.execute("select count(*) from audit_log_default").fetchone() == (2,)


def test_old_months_are_detached(owned: Connection) -> None:
    """Retention detaches whole months, oldest first, and deletes nothing."""
    owned.execute(
        "select create_audit_partition(d::date) from unnest("
        "array['2019-01-01', '2019-03-01', '2030-01-01']) as d"
    )
    assert owned.execute("select detach_audit_partitions(36)").fetchall() == [
        ("audit_log_2019_01",),
        ("audit_log_2019_03",),
    ]
    assert owned.execute("select count(*) from audit_log_2019_01").fetchone() == (0,)
    assert "audit_log_2030_01" in partitions(owned)
    assert owned.execute("select detach_audit_partitions(36)").fetchall() == []
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        owned.execute("select detach_audit_partitions(0)")


def test_detaching_gives_way(owned: Connection, people: str) -> None:
    """It does not queue behind a long reader, stopping everybody behind itself."""
    owned.execute("select create_audit_partition('2019-01-01')")
    with psycopg.connect(people) as reader:
        reader.execute("select count(*) from audit_log")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            owned.execute("select detach_audit_partitions(36)")
