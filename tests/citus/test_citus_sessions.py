"""Sessions on a coordinator: what holds on one server holds on the shards."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import psycopg
import pytest
from database.test_session_citus import HOSTILE
from support import sessions as q
from support.citus import at, workers

from todo_sql import Database, IntegrityError, Session, Transaction, Unavailable
from todo_sql.todo import tasks


@pytest.fixture
def db(people: str) -> Iterator[Database]:
    """One connection to a coordinator with ada and grace, each with tasks."""
    with Database.connect(people, max_size=1) as db:
        tasks.create_task(db.as_user("grace"), title="of grace")
        yield db


def titles(session: Session | Transaction) -> list[str]:
    """Return what row security alone lets be seen."""
    return sorted(session.sql("select user_id || ': ' || title from tasks", str))


def test_a_tenant_that_is_set_in_between_ends_with_its_statement(db: Database) -> None:
    """Neither form reaches the next call of the transaction."""
    ada = db.as_user("ada")
    before = titles(ada)
    assert all(title.startswith("ada: ") for title in before)
    with ada.transaction() as tx:
        for text in (
            "set local \"app.current_user_id\" to 'grace'",
            "select set_config('app.current_user_id', 'grace', true)",
        ):
            tx.sql(text)
            assert titles(tx) == before


def test_savepoints(db: Database) -> None:
    """What one takes back is gone from the shard, and the tenant stays."""
    ada = db.as_user("ada")
    before = titles(ada)
    with ada.transaction() as tx:
        tasks.create_task(tx, title="outer")
        with pytest.raises(IntegrityError) as caught, tx.transaction() as first:
            tasks.create_task(first, title="first")
            with first.transaction() as second:
                tasks.create_task(second, title="second")
                tasks.create_task(second, title="")
        assert caught.value.constraint == "tasks_title_check"
        with tx.transaction() as first:
            tasks.create_task(first, title="kept")
            with pytest.raises(ZeroDivisionError), first.transaction() as second:
                tasks.create_task(second, title="second")
                raise ZeroDivisionError
        assert titles(tx) == sorted([*before, "ada: outer", "ada: kept"])
    assert titles(ada) == sorted([*before, "ada: outer", "ada: kept"])


def test_a_stream_that_is_left(db: Database) -> None:
    """Half way, or by an error: the connection serves the next tenant."""
    ada, grace = db.as_user("ada"), db.as_user("grace")
    made = [tasks.create_task(ada, title=str(number)).title for number in range(5)]
    for stop in (StopIteration, KeyError):
        with pytest.raises(stop), ada.stream(q.STREAM, {}) as rows:
            next(iter(rows))
            raise stop
        assert all(title.startswith("grace: ") for title in titles(grace))
    with ada.stream(q.STREAM, {}) as rows:
        assert list(rows)[-5:] == made


def test_a_batch_and_a_copy(db: Database) -> None:
    """Each call has its own end; rows that are there are passed over."""
    ada = db.as_user("ada")
    before = tasks.count_tasks(ada)
    with ada.batch() as batch:
        kept = batch.add(tasks.create_task, title="x")
        refused = batch.add(tasks.create_task, title="")
        counted = batch.add(tasks.count_tasks)
    assert kept.result().title == "x"
    with pytest.raises(IntegrityError):
        refused.result()
    assert counted.result() == before + 1
    rows = [
        {"public_id": uuid.UUID(int=n), "title": str(n), "description": None, "completed": False}
        for n in range(1, 301)
    ]
    assert ada.copyfrom(q.IMPORT, rows) == 300
    assert ada.copyfrom(q.IMPORT, rows) == 0
    with pytest.raises(IntegrityError):
        ada.copyfrom(q.IMPORT, [{**rows[0], "public_id": uuid.uuid4(), "title": ""}])
    assert tasks.count_tasks(ada) == before + 301
    assert len(titles(ada)) == before + 301


@pytest.mark.parametrize("tenant", HOSTILE, ids=lambda tenant: ascii(tenant)[:20])
def test_any_tenant_reaches_the_shard_as_it_is(people: str, db: Database, tenant: str) -> None:
    """Its own row, and no other."""
    q.add_users(people, tenant)
    me = db.as_user(tenant)
    tasks.create_task(me, title="mine")
    assert me.sql("select user_id from tasks", str) == [tenant]


def end_backends(url: str) -> None:
    """End what the coordinator has open on the nodes, and wait until it is gone."""
    name = urlsplit(url).path.lstrip("/")
    for node in workers(url):
        with psycopg.connect(at(url, node=node, database=name), autocommit=True) as admin:
            admin.execute(
                "select pg_terminate_backend(pid, 10000) from pg_stat_activity "
                "where datname = current_database() and application_name like 'citus_internal%'"
            )


def _batch(me: Session) -> None:
    with me.batch() as batch:
        batch.add(tasks.count_tasks)


def _stream(me: Session) -> None:
    with me.stream(q.STREAM, {}) as rows:
        list(rows)


CALLS: dict[str, Callable[[Session], object]] = {
    "read": tasks.count_tasks,
    "write": lambda me: tasks.create_task(me, title="written"),
    "batch": _batch,
    "stream": _stream,
    "run": lambda me: me.run(lambda tx: tasks.create_task(tx, title="run")),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=list(CALLS))
def test_idle_backends_of_nodes_that_died(
    people: str, db: Database, call: Callable[[Session], object]
) -> None:
    """They cost no error."""
    call(db.as_user("ada"))
    end_backends(people)
    call(db.as_user("ada"))


def test_backends_of_nodes_that_die_in_a_transaction(people: str, db: Database) -> None:
    """It is rolled back and said so; `run` does it again, whole."""
    ada = db.as_user("ada")
    before = titles(ada)
    with pytest.raises(Unavailable) as caught, ada.transaction() as tx:
        tasks.create_task(tx, title="lost")
        end_backends(people)
        tasks.count_tasks(tx)
    assert not caught.value.outcome_unknown
    assert titles(ada) == before
    tries = []

    def unit(tx: Transaction) -> None:
        tasks.create_task(tx, title="again")
        tries.append(tx)
        if len(tries) == 1:
            end_backends(people)
        tasks.count_tasks(tx)

    ada.run(unit)
    assert len(tries) == 2
    assert titles(ada) == sorted([*before, "ada: again"])
