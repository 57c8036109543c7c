"""What each role may not have: another user's row, an address, a secret; tried from the catalog."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress

import psycopg
import pytest
from psycopg import sql
from support.people import Connection, tenant
from support.planting import Field
from support.plants import Mentioned, plant, plants, sprung

from todo_sql import Database, TodoSqlError

pytestmark = pytest.mark.database

SECRETS = (
    "@example.com",
    "ada-at-provider",
    "token-1",
    "scope-1",
    "hash-1",
    "proof-1",
    "alive",
)

# What of all that may each login read? `login_auth` signs people in: everything.
HIDDEN = {
    "login_app": (*SECRETS, "grace"),
    "login_readonly": SECRETS,
    "login_nobody": (*SECRETS, "Ada L.", "ada task", "grace"),
}

ODD_IDS = (
    *("", " ", "ada ", " ada", "ADA", "a%", "%", "_", "*", "ada\n", "ada\t", "ada--", "ada;"),
    *("' or '1'='1", "ada' or 'a'='a", "ada'; set role todo_auth; --", '"ada"', "$1", ":user_id"),
    *("{ada,grace}", "ada,grace", "ada/grace", "(ada)", "\\", "\\000", "null", "ad\u0430"),
    *("ada\u200b", "\uff41\uff44\uff41", "ada\u00a0", "grace\u0301", "a" * 10_000, "ada\x01"),
    *("-1", "0", "true"),
)


def everything_readable(session: Connection, columns: list[tuple[str, str, str]]) -> Iterator[str]:
    """Yield every text that a login can read, column by column."""
    for schema, table, column in columns:
        query = sql.SQL("select distinct {}::text from {}").format(
            sql.Identifier(column), sql.Identifier(schema, table)
        )
        with suppress(psycopg.Error):
            for (value,) in session.execute(query):
                yield f"{schema}.{table}.{column}: {value}"


@pytest.mark.parametrize("role", HIDDEN)
def test_no_column_holds_what_a_role_may_not_know(field: Field, role: str) -> None:
    """Every column of every relation, partitions, statistics and the catalog among them."""
    owner = field.login("owner")
    owner.execute("update users set email = 'new@example.com', name = 'Ada L.' where id = 'ada'")
    owner.execute("update accounts set scope = 'scope-1, more', password = 'hash-1, salted'")
    owner.execute("analyze")
    columns = owner.execute(
        """
        select n.nspname, c.relname, a.attname from pg_class as c
        inner join pg_namespace as n on n.oid = c.relnamespace
        inner join pg_attribute as a on a.attrelid = c.oid and not a.attisdropped
        where c.relkind in ('r', 'p', 'v', 'm', 'S') and n.nspname not like 'pg_toast%%'
            and (n.nspname = 'public' or c.relname in (
                'pg_stats', 'pg_stats_ext', 'pg_stats_ext_exprs', 'pg_statistic',
                'pg_stat_activity', 'pg_prepared_statements', 'pg_cursors', 'pg_largeobject',
                'pg_statistic_ext_data'
            ))
        """
    ).fetchall()
    session = field.login(role)
    session.execute("select set_config('app.current_user_id', 'ada', false)")
    seen = list(everything_readable(session, columns))
    assert [one for one in seen for secret in HIDDEN[role] if secret in one] == []
    if role != "login_nobody":
        assert any("task" in one for one in seen)  # it does read what it may


def test_an_odd_user_id_is_nobody(field: Field) -> None:
    """No id that is not ada's, letter for letter, reads a row of hers or of grace's."""
    owner = field.login("owner")
    for odd in ODD_IDS:
        with tenant(owner, odd):
            for table in ("lists", "tasks", "tags", "task_tags", "audit_log", "users"):
                found = owner.execute(f"select from {table}".encode()).fetchall()
                assert found == [], (odd, table)
    with Database.connect(field.url("login_app")) as database:
        for odd in ODD_IDS:
            with suppress(TodoSqlError, ValueError):
                found = database.as_user(odd).sql("select title from tasks", str)
                assert found == [], odd


def test_the_attack_through_our_own_api(field: Field) -> None:
    """What a session's ad hoc SQL plants in pg_temp is not run by the audit of its writes."""
    what = Mentioned(("jsonb", "text", "uuid", "bigint", "int8"), ())
    objects = plants(field.login("owner"), "pg_temp", what, "domain")
    with psycopg.connect(field.url("login_app")) as connection:
        plant(connection, "pg_temp", objects)  # the words are right: they plant something
    statements = [
        "create function pg_temp.planted(number int4) returns bool language plpgsql as "
        "$$ begin perform pg_catalog.pg_advisory_lock(7302, number); return true; end $$",
        *(one.statement for one in objects),
    ]
    with Database.connect(field.url("login_app"), max_size=1) as database:
        ada = database.as_user("ada")
        with ada.transaction() as transaction:
            for statement in statements:
                with suppress(TodoSqlError), transaction.transaction() as inner:
                    inner.sql(statement, dict)
            transaction.sql("update tasks set title = 'attacked'", dict)
            (pid,) = transaction.sql("select pg_backend_pid()", int)
            locks = field.admin.execute(
                "select from pg_locks where pid = %s and classid in (7301, 7302)", [pid]
            ).fetchall()
        assert locks == []
        assert set(ada.sql("select title from tasks", str)) == {"attacked"}
        assert ada.sql("select count(*) from audit_log where operation = 'update'", int) == [2]


def test_cancelled_calls_hand_no_row_to_another(field: Field) -> None:
    """A pool of three, two users, hundreds of cancels: each sees their own rows only."""
    foreign: list[object] = []
    done = threading.Event()
    calls = {"ada": 0, "grace": 0}
    with Database.connect(field.url("login_app"), max_size=3) as database:

        def work(user: str) -> None:
            session = database.as_user(user)
            for _ in range(150):
                with suppress(TodoSqlError):
                    foreign.extend(
                        owner
                        for owner in session.sql("select user_id from tasks, pg_sleep(0.001)", str)
                        if owner != user
                    )
                    calls[user] += 1

        def cancel() -> None:
            while not done.wait(0.002):
                field.admin.execute(
                    "select pg_cancel_backend(pid) from pg_stat_activity"
                    " where usename = 'login_app' and state = 'active' order by random() limit 1"
                )

        workers = [threading.Thread(target=work, args=(user,)) for user in calls for _ in "12"]
        canceller = threading.Thread(target=cancel)
        for thread in (*workers, canceller):
            thread.start()
        for thread in workers:
            thread.join()
        done.set()
        canceller.join()
    assert foreign == []
    assert all(calls.values())


def test_the_words_of_the_harness_are_right(field: Field) -> None:
    """A spring that is touched on purpose is seen, in whose name it ran, too."""
    session = field.login("login_app")
    what = Mentioned(("jsonb",), ())
    objects = plants(session, "pg_temp", what, "domain")
    assert plant(session, "pg_temp", objects) == objects
    session.execute("select '1'::pg_temp.jsonb")
    assert sprung(field.admin, session, objects) == [("domain jsonb", "as the caller")]
