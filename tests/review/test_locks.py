"""What `plan` predicts on an empty copy is what a second session sees on a table in use."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg import Connection

from todo_sql.catalog.read import rows
from todo_sql.catalog.snapshot import take
from todo_sql.compiler.scratch import empty_database as scratch_database
from todo_sql.compiler.scratch_role import ScratchServer
from todo_sql.review.copy import load
from todo_sql.review.locks import MODES, Trace, Tracer
from todo_sql.review.row_writes import named_relations
from todo_sql.sql.grammar import parse

pytestmark = pytest.mark.database

Connect = Callable[..., Connection[Any]]

SCHEMA = """
create table users (id bigint primary key, name text);
create table tasks (
    id bigint primary key,
    user_id bigint,
    title text,
    amount integer not null default 0
);
alter table tasks add constraint tasks_amount_check check (amount >= 0) not valid;
alter table tasks add constraint tasks_user_id_old foreign key (user_id) references users not valid;
create index idx_tasks_title on tasks (title);
create index idx_tasks_amount on tasks (amount);
create unique index idx_tasks_unique on tasks (id, user_id);
create table events (at date not null, entry text) partition by range (at);
create table events_2025 partition of events for values from ('2025-01-01') to ('2026-01-01');
create table events_2026 (at date not null, entry text);
create materialized view totals as select user_id, count(*) as tasks from tasks group by user_id;
create unique index idx_totals on totals (user_id);
create function touch() returns trigger language plpgsql as 'begin return new; end';
"""
ROWS = """
insert into users select i, 'user ' || i from generate_series(1, 1000) as i;
insert into tasks select i, i % 1000 + 1, 'task ' || i from generate_series(1, 20000) as i;
insert into events select date '2025-06-01' + i % 100, 'e' from generate_series(1, 1000) as i;
insert into events_2026 select date '2026-06-01' + i % 100, 'e' from generate_series(1, 1000) as i;
refresh materialized view totals;
"""

IN_TRANSACTION = {
    "add a column": "alter table tasks add column note text",
    "add a column with a constant default": "alter table tasks add column n int not null default 5",
    "add a column with a volatile default": "alter table tasks add column r float default random()",
    "add an identity column": "alter table tasks add column n bigint generated always as identity",
    "drop a column": "alter table tasks drop column title",
    "set a default": "alter table tasks alter column title set default ''",
    "set not null": "alter table tasks alter column title set not null",
    "widen a type": "alter table tasks alter column title type varchar",
    "change a type": "alter table tasks alter column amount type bigint",
    "add a check": "alter table tasks add constraint c check (amount < 9)",
    "add a check not valid": "alter table tasks add constraint c check (amount < 9) not valid",
    "validate a check": "alter table tasks validate constraint tasks_amount_check",
    "add a foreign key": "alter table tasks add foreign key (user_id) references users",
    "add a foreign key not valid": "alter table tasks add foreign key (user_id) references users "
    "not valid",
    "validate a foreign key": "alter table tasks validate constraint tasks_user_id_old",
    "add a unique constraint": "alter table tasks add constraint u unique (id, amount)",
    "add a unique constraint by an index": "alter table tasks add constraint u unique using index "
    "idx_tasks_unique",
    "create an index": "create index on tasks (user_id)",
    "drop an index": "drop index idx_tasks_title",
    "rename a column": "alter table tasks rename column title to name",
    "rename a table": "alter table tasks rename to jobs",
    "create a trigger": "create trigger t before update on tasks for each row "
    "execute function touch()",
    "attach a partition": "alter table events attach partition events_2026 "
    "for values from ('2026-01-01') to ('2027-01-01')",
    "detach a partition": "alter table events detach partition events_2025",
    "create a partition": "create table events_2027 partition of events "
    "for values from ('2027-01-01') to ('2028-01-01')",
    "a table that refers to it": "create table notes (task_id bigint references tasks)",
    "enable row security": "alter table tasks enable row level security",
    "comment": "comment on table tasks is 'x'",
    "grant": "grant select on tasks to public",
    "set unlogged": "alter table tasks set unlogged",
    "set a storage option": "alter table tasks set (fillfactor = 90)",
    "truncate": "truncate tasks",
    "drop a table": "drop table tasks cascade",
    "refresh a materialized view": "refresh materialized view totals",
    "refresh it concurrently": "refresh materialized view concurrently totals",
    "lock a table": "lock table tasks in share mode",
    "update rows": "update tasks set amount = 1 where id = 5",
    "dynamic": "do $$ begin execute 'alter table tasks add column x int'; end $$",
    "reindex": "reindex index idx_tasks_title",
    "cluster": "cluster tasks using idx_tasks_title",
}
ALONE = {
    "create an index concurrently": "create index concurrently on tasks (user_id)",
    "drop an index concurrently": "drop index concurrently idx_tasks_amount",
    "reindex concurrently": "reindex index concurrently idx_tasks_title",
    "detach a partition concurrently": "alter table events "
    "detach partition events_2025 concurrently",
    "vacuum": "vacuum tasks",
    "vacuum full": "vacuum full tasks",
}

# Those that take long enough on 20,000 rows to be seen at work from outside.
LASTING = {"create an index concurrently", "reindex concurrently", "vacuum full"}

Seen = tuple[dict[str, str], set[str]]
"""The strongest lock by relation, and the tables that were rewritten."""


@pytest.fixture
def live(empty_database: str, connect: Connect) -> Iterator[Connection[Any]]:
    """A session on a database with rows."""
    connection = connect(empty_database, autocommit=True)
    connection.execute(SCHEMA.encode())
    connection.execute(ROWS.encode())
    yield connection


@pytest.fixture
def tracer(live: Connection[Any], empty_database: str) -> Iterator[Tracer]:
    """A tracer on an empty copy of that database."""
    with scratch_database(ScratchServer(empty_database)) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            assert load(connection, take(live)) == []
        tracer = Tracer(url)
        yield tracer
        tracer.close()


def test_predicted_is_observed(
    live: Connection[Any], tracer: Tracer, empty_database: str, connect: Connect
) -> None:
    """Locks and rewrites of every kind of DDL: the copy against a table of 20,000 rows."""
    observer = connect(empty_database, autocommit=True)
    differing = {}
    for name, text in IN_TRANSACTION.items():
        tracer.begin()
        predicted = seen(tracer.run(parse(text)[0]))
        tracer.roll_back()
        found = observed(live, observer, text)
        if predicted != found:
            differing[name] = (predicted, found)
    assert differing == {}


def test_predicted_is_observed_outside_a_transaction(
    live: Connection[Any], tracer: Tracer, empty_database: str, connect: Connect
) -> None:
    """What commits by itself is watched at work: it holds what was predicted, never more."""
    observer = connect(empty_database, autocommit=True)
    differing = {}
    for name, text in ALONE.items():
        (statement,) = parse(text)
        predicted = seen(tracer.run_alone(statement, named_relations(statement)))
        found = watched(live, observer, text)
        expected, met = hindering(predicted[0]), hindering(found[0])
        more = {
            relation: mode
            for relation, mode in met.items()
            if MODES.index(mode) > MODES.index(expected.get(relation, MODES[0]))
        }
        if more or predicted[1] != found[1] or (name in LASTING and expected != met):
            differing[name] = (predicted, found)
    assert differing == {}


def test_scans_and_builds_are_seen(tracer: Tracer) -> None:
    """A validation reads its table, an index is built; neither is said of a plain change."""
    found = {}
    for name, text in IN_TRANSACTION.items():
        tracer.begin()
        trace = tracer.run(parse(text)[0])
        tracer.roll_back()
        found[name] = (trace.scanned, tuple(table for _, table in trace.built))
    assert found["validate a check"] == (("public.tasks",), ())
    assert found["set not null"] == (("public.tasks",), ())
    assert found["add a check"] == (("public.tasks",), ())
    assert "public.tasks" in found["add a foreign key"][0]
    assert "public.tasks" in found["validate a foreign key"][0]
    assert found["attach a partition"][0] == ("public.events_2026",)
    assert found["create an index"][1] == ("public.tasks",)
    assert found["add a unique constraint"][1] == ("public.tasks",)
    for name in (
        "add a column",
        "add a check not valid",
        "comment",
        "drop a column",
        "widen a type",
    ):
        assert found[name] == ((), ()), name


def hindering(locks: dict[str, str]) -> dict[str, str]:
    """Return the locks on tables that anyone has to wait for; weaker ones come and go."""
    return {
        relation: mode
        for relation, mode in locks.items()
        if MODES.index(mode) >= 3 and "idx" not in relation and "pkey" not in relation
    }


def seen(trace: Trace) -> Seen:
    """Return what a trace says in the form of an observation."""
    return {lock.relation: lock.mode for lock in trace.locks}, set(trace.rewritten)


def observed(live: Connection[Any], observer: Connection[Any], text: str) -> Seen:
    """Run a statement in a transaction and let another session read the locks."""
    before = {row["oid"]: row for row in rows(observer, "relations")}
    live.execute("begin")
    live.execute(text.encode())
    held = rows(observer, "held_locks", pid=live.info.backend_pid)
    after = {row["oid"]: row for row in rows(live, "relations")}
    live.execute("rollback")
    return strongest(held, before), rewritten(before, after)


def watched(live: Connection[Any], observer: Connection[Any], text: str) -> Seen:
    """Run a statement outside a transaction and let another session read the locks meanwhile."""
    before = {row["oid"]: row for row in rows(observer, "relations")}
    worker = threading.Thread(target=live.execute, args=(text.encode(),))
    worker.start()
    held = []
    while worker.is_alive():
        held += rows(observer, "held_locks", pid=live.info.backend_pid)
        time.sleep(0.001)
    worker.join()
    after = {row["oid"]: row for row in rows(observer, "relations")}
    return strongest(held, before), rewritten(before, after)


def strongest(held: list[dict[str, Any]], known: dict[int, dict[str, Any]]) -> dict[str, str]:
    """Return the strongest lock on each relation that was there before."""
    found: dict[str, str] = {}
    for row in held:
        if row["oid"] in known:
            name = known[row["oid"]]["name"]
            found[name] = max(found.get(name, row["mode"]), row["mode"], key=MODES.index)
    return found


def rewritten(before: dict[int, dict[str, Any]], after: dict[int, dict[str, Any]]) -> set[str]:
    """Return the tables whose file is another one now."""
    return {
        row["name"]
        for oid, row in before.items()
        if row["kind"] in "rm" and oid in after and after[oid]["file"] != row["file"]
    }
