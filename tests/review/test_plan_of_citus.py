"""A plan of Citus as a tree: how many shards it goes to, and what is done there."""

from __future__ import annotations

from typing import Any

import pytest

from todo_sql.review.plan_tree import tree


def node(kind: str, **more: Any) -> dict[str, Any]:
    """Return a node of a plan."""
    return {"Node Type": kind, "Plan Rows": 1, "Total Cost": 8.0, **more}


@pytest.mark.parametrize(("count", "words"), [(1, "goes to 1 shard"), (4, "goes to 4 shards")])
def test_the_shards_are_told(count: int, words: str) -> None:
    """And the plan of a node stands below."""
    far = node("Index Scan", **{"Relation Name": "tasks_102008", "Index Name": "tasks_pkey_102008"})
    job = {"Task Count": count, "Tasks": [{"Node": "x", "Remote Plan": [[{"Plan": far}]]}]}
    text, below = tree(node("Custom Scan", **{"Distributed Query": {"Job": job}}))
    assert words in text.splitlines()
    assert [title.split("  ")[0] for title, _ in below] == [
        "Index Scan using tasks_pkey_102008 on tasks_102008"
    ]


def test_elsewhere_nothing_is_added() -> None:
    """A plan of one server has no such line."""
    text, below = tree(node("Seq Scan", **{"Relation Name": "tasks"}))
    assert "shard" not in text
    assert below == []
