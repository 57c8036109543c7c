"""Which tables a project distributes by Citus, and by which column. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from todo_sql.review.linting.rule import Project
from todo_sql.review.linting.schema_model import Table
from todo_sql.review.linting.tree import function_name, of_type


def distributed(project: Project) -> Iterator[tuple[Table, str]]:
    """Yield the tables that are or can be distributed, each with its column.

    Those of `create_distributed_table`, and the tenants' tables, by the tenant's column.
    """
    said = _said(project)
    for table in project.schema.tables.values():
        if table.partition_of is not None:
            continue
        if table.name in said:
            if said[table.name] is not None:
                yield table, str(said[table.name])
        elif project.tenant is not None and project.has_tenant(table):
            yield table, project.tenant.parameter


def by_name(project: Project) -> dict[str, str]:
    """Return the column that each distributed table is distributed by."""
    return {table.name: column for table, column in distributed(project)}


def references(project: Project) -> frozenset[str]:
    """Return the tables that `create_reference_table` puts on every node."""
    return frozenset(name for name, column in _said(project).items() if column is None)


@lru_cache(maxsize=4)
def _said(project: Project) -> dict[str, str | None]:
    """Return the tables that migrations name to Citus: the column, or None: on every node."""
    found: dict[str, str | None] = {}
    for _, _, command in project.commands("select_stmt"):
        for call in of_type(command, "FuncCall"):
            words = [_text(argument) for argument in call.args]
            name = function_name(call)
            if name == "create_distributed_table" and len(words) > 1 and words[0] and words[1]:
                found[_full(words[0])] = words[1]
            elif name == "create_reference_table" and words and words[0]:
                found[_full(words[0])] = None
    return found


def _text(node: Any) -> str:
    return "".join(constant.sval.sval for constant in of_type(node, "A_Const"))


def _full(name: str) -> str:
    return name if "." in name else f"public.{name}"
