"""The plan of one statement as a tree that a person reads. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_CONDITIONS = (
    ("Index Cond", "looked up"),
    ("Recheck Cond", "rechecked"),
    ("Hash Cond", "joined on"),
    ("Merge Cond", "joined on"),
    ("Join Filter", "joined where"),
    ("Filter", "filtered by"),
    ("One-Time Filter", "only if"),
    ("Sort Key", "sorted by"),
    ("Group Key", "grouped by"),
)


Branch = tuple[str, list["Branch"]]


def tree(plan: Mapping[str, Any]) -> Branch:
    """Return a plan as a tree: of each node its title, its conditions, and the nodes below."""
    conditions = []
    for key, words in _CONDITIONS:
        if key in plan:
            value = plan[key]
            said = ", ".join(value) if isinstance(value, list) else str(value)
            removed = plan.get("Rows Removed by Filter", 0) if key == "Filter" else 0
            drops = f", which drops {removed:,g} rows" if removed else ""
            conditions.append(f"{words} {said}".replace("\n", " ") + drops)
    below = list(plan.get("Plans", ()))
    distributed = plan.get("Distributed Query", {})
    job = distributed.get("Job", {})
    if job:  # of Citus
        shards = job["Task Count"]
        conditions.append(f"goes to {shards} shard{'' if shards == 1 else 's'}")
        below += [
            found["Plan"]
            for task in job.get("Tasks", ())
            for part in task.get("Remote Plan", ())
            for found in part
        ]
    below += [
        found["Plan"]
        for one in distributed.get("Subplans", ())
        for part in one.get("PlannedStmt", ())
        for found in (part if isinstance(part, list) else [part])
        if "Plan" in found
    ]
    return "\n".join([_title(plan) + _numbers(plan), *conditions]), [tree(node) for node in below]


def _title(node: Mapping[str, Any]) -> str:
    title = str(node.get("Operation") or node["Node Type"])
    if "Index Name" in node:
        title += f" using {node['Index Name']}"
    if "Relation Name" in node:
        title += f" on {node['Relation Name']}"
        if node.get("Alias") not in (None, node["Relation Name"]):
            title += f" as {node['Alias']}"
    if "Subplan Name" in node:
        title = f"{node['Subplan Name']}: {title}"
    return title


def _numbers(node: Mapping[str, Any]) -> str:
    expected = node.get("Plan Rows")
    if "Actual Rows" not in node:
        return f"  {expected:,} rows expected, cost {node.get('Total Cost', 0):,.2f}"
    if node.get("Actual Loops") == 0:
        return "  never run"
    loops = node.get("Actual Loops", 1)
    parts = [
        f"{node['Actual Rows']:,g} rows of {expected:,} expected",
        f"{node['Actual Total Time'] * loops:,.3f} ms",
        f"{node.get('Shared Hit Blocks', 0) + node.get('Shared Read Blocks', 0):,} blocks",
    ]
    if node.get("Shared Read Blocks"):
        parts.append(f"{node['Shared Read Blocks']:,} from disk")
    if loops > 1:
        parts.append(f"{loops:,} times")
    return "  " + ", ".join(parts)


def slow_spots(plan: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is remarkable: rows thrown away, estimates far off, whole tables read."""
    rows, removed = plan.get("Actual Rows", 0), plan.get("Rows Removed by Filter", 0)
    name = plan.get("Relation Name") or plan["Node Type"]
    if removed > 100 and removed > 10 * max(rows, 1):
        yield f"{name}: {removed:,g} rows are read and dropped for {rows:,g} kept"
    expected = plan.get("Plan Rows", 0)
    if "Actual Rows" in plan and max(rows, expected) > 1000:
        off = max(rows, 1) / max(expected, 1)
        if off > 10 or off < 0.1:
            yield f"{name}: {expected:,} rows were expected, {rows:,g} came"
    for child in plan.get("Plans", ()):
        yield from slow_spots(child)
