"""A lint rule names `todo-sql rewrite` in its fix just where a recipe does what it found."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from todo_sql.review.linting.lint import finding
from todo_sql.review.linting.reviewed import File
from todo_sql.review.linting.rule import Project, all_rules
from todo_sql.rewriting.rewrite import Rewrite
from todo_sql.sql.grammar import parse
from todo_sql.sql.source import Source

pytestmark = pytest.mark.database

Rewritten = Callable[..., Rewrite]

TASKS = "create table tasks (id bigint primary key, title text, n int, during int4range);"
BAD = {rule.code: rule.bad for rule in all_rules()}
EVENTS = (
    "create table events (at timestamptz) partition by range (at);"
    "create table events_2026 (at timestamptz);"
)
BOOKINGS = "create table bookings (id bigint primary key, during tstzrange);"
TOTALS = "create table t (a int); create materialized view totals as select a from t;"

FOUND: dict[str, tuple[str, str, str]] = {
    "a partition": ("R308", EVENTS, BAD["R308"]),
    "an exclusion": ("R309", BOOKINGS, BAD["R309"]),
    "every row": ("R401", TASKS, "update tasks set n = 1;"),
    "every row goes": ("R401", TASKS, "delete from tasks;"),
    "rows and schema": ("R402", TASKS, BAD["R402"]),
    "vacuum full": ("R403", TASKS, "-- transactional: false\nvacuum full tasks;"),
    "vacuum (full)": ("R403", TASKS, "-- transactional: false\nvacuum (full, analyze) tasks;"),
    "cluster": ("R404", TASKS, BAD["R404"]),
    "cluster again": (
        "R404",
        f"{TASKS} alter table tasks cluster on tasks_pkey;",
        "cluster tasks;",
    ),
    "a lock": ("R405", TASKS, BAD["R405"]),
    "refresh": ("R406", f"{TOTALS} create unique index on totals (a);", BAD["R406"]),
    "refresh, no index": ("R406", TOTALS, BAD["R406"]),
    "truncate": ("R407", TASKS, BAD["R407"]),
    "unlogged": ("R408", TASKS, BAD["R408"]),
    "logged": (
        "R408",
        TASKS.replace("table", "unlogged table"),
        "alter table tasks set logged;",
    ),
    "a stored column": (
        "R408",
        TASKS,
        "alter table tasks add column twice int generated always as (n * 2) stored;",
    ),
    "an identity column": (
        "R408",
        TASKS,
        "alter table tasks add column number bigint generated always as identity;",
    ),
    "a trigger": ("R410", TASKS, BAD["R410"]),
}


@pytest.mark.parametrize(("code", "schema", "forward"), FOUND.values(), ids=FOUND)
def test_the_fix_names_what_can_be_done(
    code: str, schema: str, forward: str, rewritten: Rewritten
) -> None:
    """The command makes a sequence of it, or it is not named; a rollback is never rewritten."""
    rule = next(rule for rule in all_rules() if rule.code == code)
    fixes = {}
    for kind in ("migration", "rollback"):
        source = Source("migrations/20260101090000_change.sql", forward)
        file = File(source, kind, tuple(parse(forward)))
        fixes[kind] = [finding(rule, hit).fix for hit in rule.check(Project((file,)))]
    (fix,) = fixes["migration"]
    named = "`todo-sql rewrite 20260101090000_change` makes safe steps of it" in str(fix)
    assert named is bool(rewritten(schema, forward).files)
    assert not any("todo-sql rewrite" in str(one) for one in fixes["rollback"])
