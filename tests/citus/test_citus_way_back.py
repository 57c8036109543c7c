"""Distributing a database with rows, and the way back: what is there before is there behind."""

from __future__ import annotations

import psycopg
import pytest
from support.citus import EXAMPLE, cluster_database, coordinator, handed_over, with_options

from todo_sql import Database
from todo_sql.config import load_config
from todo_sql.migrations.files.beside import load_project
from todo_sql.migrations.migrator import Migrator
from todo_sql.todo import tasks

ROWS = """
select (select count(*) from tasks), (select count(*) from audit_log),
    (select count(*) from pg_description as d join pg_class as c on c.oid = d.objoid
        where c.relnamespace = 'public'::regnamespace),
    (select count(*) from pg_policies where schemaname = 'public'),
    (select count(*) from pg_trigger as t join pg_class as c on c.oid = t.tgrelid
        where not t.tgisinternal and c.relnamespace = 'public'::regnamespace
            and not c.relispartition)
"""


@pytest.mark.parametrize("owner", ["superuser", "plain"])
def test_there_and_back(owner: str) -> None:
    """Rows, history, comments, policies and triggers; ids go on behind the last."""
    with cluster_database(coordinator()) as url:
        if owner == "plain":
            url = handed_over(url)
        whole = load_project(load_config(EXAMPLE.parents[1]))
        last = [migration.id for migration in whole][-1]
        Migrator(with_options(url), whole).migrate()
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("insert into users (id, name, email) values ('u', 'u', 'u')")
            connection.execute(
                "insert into tasks (user_id, title) select 'u', 't' || n "
                "from generate_series(1, 50) as n"
            )
            before = connection.execute(ROWS).fetchone()
            migrator = Migrator(with_options(url), load_project(load_config(EXAMPLE)))
            migrator.migrate()
            spread = connection.execute(
                "select count(*) from citus_tables where citus_table_type = 'distributed' "
                "and table_name::text !~ '^audit_log_'"
            ).fetchone()
            assert spread == (5,)
            assert connection.execute("select count(*) from tasks").fetchone() == (50,)
            with Database.connect(url) as db:
                assert tasks.count_tasks(db.as_user("u")) == 50
                assert tasks.count_tasks(db.as_user("v")) == 0
            migrator.rollback(to=last)
            assert connection.execute("select count(*) from citus_tables").fetchone() == (0,)
            assert connection.execute(ROWS).fetchone() == before
            found = connection.execute(
                "insert into tasks (user_id, title) values ('u', 'more') returning id"
            ).fetchone()
            assert found == (51,)
