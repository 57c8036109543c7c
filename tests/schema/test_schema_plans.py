"""Each index is used by the query that its comment names, on real rows, as todo_app.

Plans are generic, as a prepared statement's are after a few calls, and made under row
security.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from support.people import Connection, tenant

from todo_sql.migrations.seeds import seed
from todo_sql.queries.loader import load_folder
from todo_sql.queries.variants import choose
from todo_sql.testing import TestServer

pytestmark = pytest.mark.database

ROOT = Path(__file__).parents[2]
TASKS = 20_000
USER = "load-7"
QUERIES = load_folder(ROOT / "queries")


@pytest.fixture(scope="module")
def loaded(todo_sql_server: TestServer, todo_sql_template: str) -> Iterator[Connection]:
    """A database with load-test data: 20 users with 1,000 tasks each."""
    with todo_sql_server.database(todo_sql_template) as name:
        url = todo_sql_server.url(name)
        seed(url, ROOT / "seeds", scale=TASKS)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("vacuum analyze tasks, lists, tags, task_tags, audit_log")
            connection.execute("set plan_cache_mode = force_generic_plan")
            yield connection


def plan(connection: Connection, name: str, **arguments: Any) -> list[dict[str, Any]]:
    """Return the nodes of a query's generic plan, outermost first."""
    query = QUERIES[name]
    values = {**query.defaults(), "user_id": USER, **arguments}
    variant = choose(query, values)
    # A parameter has no value that the planner could look at: so the plan is generic.
    with tenant(connection, USER):
        connection.execute(f"prepare planned as {variant.sql}".encode())
        call = sql.SQL("explain (format json) execute planned ({})").format(
            sql.SQL(", ").join(sql.Literal(values[parameter]) for parameter in variant.parameters)
        )
        found: Any = connection.execute(call).fetchone()
        connection.execute("deallocate planned")
    nodes: list[dict[str, Any]] = []

    def walk(node: dict[str, Any]) -> None:
        nodes.append(node)
        for child in node.get("Plans", []):
            walk(child)

    answer = found[0]
    walk((json.loads(answer) if isinstance(answer, str) else answer)[0]["Plan"])
    return nodes


UUID = "7f1b5c9e-0000-4000-8000-000000000001"

SERVED = [
    ("list_tasks", {}, "idx_tasks_user_id_created_at_id_live"),
    ("list_tasks", {"sort": "oldest"}, "idx_tasks_user_id_created_at_id_live"),
    ("list_tasks", {"completed": False}, "idx_tasks_user_id_completed_created_at_id_live"),
    ("list_tasks", {"list_id": 1}, "idx_tasks_user_id_list_id_created_at_id"),
    ("list_tasks", {"list_public_id": UUID}, "idx_tasks_user_id_list_id_created_at_id"),
    ("list_tasks", {"sort": "due"}, "idx_tasks_user_id_due_date_id_live"),
    (
        "list_tasks",
        {"sort": "due", "completed": False},
        "idx_tasks_user_id_completed_due_date_id_live",
    ),
    (
        "list_tasks",
        {"sort": "due", "completed": False, "due_before": "2026-06-01"},
        "idx_tasks_user_id_completed_due_date_id_live",
    ),
    ("list_deleted_tasks", {}, "idx_tasks_user_id_deleted_at_id_deleted"),
    ("search_tasks", {"query": "17"}, "idx_tasks_user_id_created_at_id_live"),
    ("get_task", {"id": 1}, "tasks_pkey"),
    ("get_task", {"public_id": UUID}, "tasks_user_id_public_id_key"),
    ("update_task", {"public_id": UUID, "title": "x"}, "tasks_user_id_public_id_key"),
    ("complete_task", {"id": 1, "completed": True}, "tasks_pkey"),
    ("delete_task", {"public_id": UUID}, "tasks_user_id_public_id_key"),
    ("restore_task", {"public_id": UUID}, "tasks_user_id_public_id_key"),
    ("purge_tasks", {}, "idx_tasks_user_id_deleted_at_id_deleted"),
    ("list_lists", {}, "idx_lists_user_id_lower_name"),
    ("list_tags", {}, "idx_tags_user_id_lower_name"),
    ("list_history", {}, "audit_log_2026"),
    ("list_row_history", {"public_id": UUID}, "audit_log_2026"),
]


@pytest.mark.parametrize(("name", "arguments", "index"), SERVED)
def test_the_query_uses_its_index(
    loaded: Connection, name: str, arguments: dict[str, Any], index: str
) -> None:
    """The expected index is in the plan, with an index condition; nothing scans tasks."""
    nodes = plan(loaded, name, **arguments)
    used = [node for node in nodes if str(node.get("Index Name", "")).startswith(index)]
    assert used, json.dumps(nodes[0], indent=1)
    assert all("user_id" in node["Index Cond"] for node in used)
    scanned = [node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"]
    assert "tasks" not in scanned


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        (name, arguments)
        for name, arguments, _ in SERVED
        if name.startswith("list_") and "history" not in name
    ],
)
def test_a_page_is_not_sorted(loaded: Connection, name: str, arguments: dict[str, Any]) -> None:
    """The index gives the order, so a page of a large table costs what it shows."""
    assert not [node for node in plan(loaded, name, **arguments) if "Sort" in node["Node Type"]]
