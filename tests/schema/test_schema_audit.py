"""The history: what is recorded, where it is kept, who may see it, how it goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from support.people import Connection, Login, tenant

from todo_sql.config import Config
from todo_sql.migrations.files.folder import load
from todo_sql.migrations.migrator import Migrator

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


def sign_up(connection: Connection) -> None:
    """Write a user and an account in every way, each value with `secret` in it."""
    connection.execute(
        """
        insert into users (id, name, email, image)
        values ('alan', 'Alan', 'secret-1@example.com', 'https://secret/1');
        update users set name = 'Alan T.', email = 'secret-2@example.com', email_verified = true
        where id = 'alan';
        insert into accounts (
            id, user_id, provider_id, account_id, access_token, refresh_token, id_token, scope,
            password
        )
        values ('a', 'alan', 'google', 'secret-3', 'secret-4', 'secret-5', 'secret-6', 'secret-7',
            'secret-8');
        update accounts set account_id = 'secret-9', access_token = 'secret-10',
            scope = 'secret-11', password = null;
        delete from accounts;
        delete from users where id = 'alan'
        """
    )


def test_addresses_and_secrets_are_not_kept(owned: Connection) -> None:
    """Of users the name and sign-up time, of accounts the provider; else only that it changed."""
    sign_up(owned)
    assert "secret-" not in str(entries(owned, "user_id = 'alan'"))
    made, changed, deleted = entries(owned, "table_name = 'users' and user_id = 'alan'")
    assert made[1].keys() == deleted[1].keys() == {"name", "created_at"}
    hidden = ["(secret)", "(secret)"]
    assert changed[1] == {"name": ["Alan", "Alan T."], "email": hidden, "email_verified": hidden}
    made, changed, deleted = entries(owned, "table_name = 'accounts' and user_id = 'alan'")
    assert made[1].keys() == deleted[1].keys() == {"provider_id", "created_at"}
    assert changed[1] == {
        "account_id": hidden,
        "access_token": hidden,
        "scope": hidden,
        "password": hidden,
    }


def test_a_new_column_of_users_is_not_kept(owned: Connection) -> None:
    """Columns are withheld unless the trigger names them."""
    owned.execute("alter table users add column phone text default 'secret-1'")
    sign_up(owned)
    owned.execute("update users set phone = 'secret-2'")
    assert "secret-" not in str(entries(owned, "true"))
    assert entries(owned, "user_id = 'ada' and table_name = 'users'")[-1][1] == {
        "phone": ["(secret)", "(secret)"]
    }


def test_what_was_kept_before_is_scrubbed(
    empty_database: str, todo_sql_config: Config, connect: Callable[..., Connection]
) -> None:
    """History written before the migration holds no more than history written after it."""
    migrations = load(todo_sql_config.migrations, todo_sql_config.root)
    migrator = Migrator(empty_database, migrations)
    migrator.migrate(to="20260615090000")
    connection = connect(empty_database, autocommit=True)
    sign_up(connection)
    connection.execute("insert into users (id, name, email) values ('ada', 'Ada', 'a@example.com')")
    connection.execute("insert into tasks (user_id, title) values ('ada', 'Not secret-1')")
    before = entries(connection, "table_name = 'tasks'")
    assert "secret-11" in str(entries(connection, "table_name = 'accounts'"))
    migrator.migrate()
    old = entries(connection, "user_id = 'alan'")
    assert entries(connection, "table_name = 'tasks'") == before
    assert "secret-" not in str(old)
    connection.execute("delete from audit_log")
    sign_up(connection)

    def shape(found: list[Any]) -> list[Any]:
        return [(operation, {**changes, "created_at": 0}) for operation, changes in found]

    assert shape(old) == shape(entries(connection, "user_id = 'alan'"))


def test_reports_read_the_history_of_what_they_may_read(owned: Connection, login: Login) -> None:
    """todo_readonly sees no history of accounts, nor of tables that nobody opened to it."""
    sign_up(owned)
    reports = login("login_readonly")
    found = reports.execute("select distinct table_name from audit_log order by 1").fetchall()
    assert found == [("lists",), ("tags",), ("task_tags",), ("tasks",), ("users",)]
    assert "@" not in str(reports.execute("select * from audit_log").fetchall())


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
