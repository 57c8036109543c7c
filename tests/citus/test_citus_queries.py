"""Every named query, in every variant, on a coordinator: unchanged, and on one shard."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from support.citus import task_counts
from support.people import tenant

from todo_sql.database.query import Query
from todo_sql.queries.keyset import page_variants
from todo_sql.queries.named import Cardinality
from todo_sql.queries.variants import variants

MODULES = ("audit", "lists", "sessions", "tags", "task_tags", "tasks", "users")
UUID = "'7f1b5c9e-0000-4000-8000-000000000001'"
VALUES = {
    "user_id": "'ada'",
    "priority": "'high'",
    "list_id": "null",
    "list_public_id": "null",
    "text": "'x'",
    "uuid": UUID,
    "bigint": "1",
    "boolean": "true",
    "timestamp with time zone": "now()",
    "text[]": "array['a', 'b']",
}


def queries() -> Iterator[Query[Any]]:
    """Yield the handles of the generated package."""
    for module in MODULES:
        for value in vars(importlib.import_module(f"todo_sql.todo.{module}")).values():
            if isinstance(value, Query):
                yield value


@pytest.mark.parametrize("query", list(queries()), ids=lambda query: query.name)
def test_a_query_runs_unchanged_on_one_shard(people: str, query: Query[Any]) -> None:
    """Each part of its plan has one task, and every part is on the tenant's node."""
    named = query.named
    found: list[Any] = list(variants(named))
    if named.cardinality is Cardinality.PAGE:
        found = list(page_variants(named, query.not_null))
    with psycopg.connect(people, autocommit=True, prepare_threshold=None) as connection:
        for variant in found:
            types = [query.parameters.get(name) for name in variant.parameters]
            given = [
                VALUES.get(name) or VALUES.get(kind or "", "null")
                for name, kind in zip(variant.parameters, types, strict=True)
            ]
            declared = f"({', '.join(map(str, types))})" if types and all(types) else ""
            call = "execute planned" + (f" ({', '.join(given)})" if given else "")
            try:
                with connection.transaction(force_rollback=True), tenant(connection, "ada"):
                    connection.execute(f"prepare planned{declared} as {variant.sql}".encode())
                    row = connection.execute(f"explain (format json) {call}".encode()).fetchone()
                    counts = task_counts(row[0] if row else [])
                    assert set(counts) <= {1}, (variant.sql, counts)
                    assert counts or not query.tenant
                    connection.execute(call.encode())
            finally:
                connection.execute("deallocate all")
