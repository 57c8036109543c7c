"""C110: a table of tenants is used without naming the tenant."""

from __future__ import annotations

import re

from todo_sql.compiler.checks.equalities import Equalities, Level
from todo_sql.compiler.effects import is_tenant_table, needs_tenant, tables
from todo_sql.compiler.nodes import Node
from todo_sql.compiler.schema import Relation, Schema
from todo_sql.config import Config
from todo_sql.errors import Finding, Place
from todo_sql.queries.named import NamedQuery
from todo_sql.queries.variants import Variant


def find(
    query: NamedQuery, variant: Variant, equalities: Equalities, schema: Schema, config: Config
) -> list[Finding]:
    """Return a finding for each table of tenants that isn't held to one tenant."""
    tenant = config.tenant
    if tenant is None or query.tenant == "none":
        return []
    touched = tables([equalities.tree], schema)
    if not needs_tenant(touched, tenant.parameter, config.exempt):
        return []
    number = 0
    if tenant.parameter in variant.parameters:
        number = variant.parameters.index(tenant.parameter) + 1
    found = []
    for level, index, relation in equalities.tables():
        if not is_tenant_table(relation, tenant.parameter, config.exempt):
            continue
        if not _held(equalities, level, index, relation, tenant.parameter, number):
            found.append(
                Finding(
                    "C110",
                    "error",
                    f"`{query.name}` uses `{relation.name}` without its tenant",
                    table_place(query, relation),
                    cause="row security would filter the rows, but no index can: "
                    "every tenant's rows are read",
                    fix=f"add `{tenant.parameter} = :{tenant.parameter}` for this table, "
                    "or say `-- tenant: none`",
                )
            )
    return found


def _held(
    equalities: Equalities,
    level: Level,
    index: int,
    relation: Relation,
    column: str,
    parameter: int,
) -> bool:
    numbers = [key for key, one in relation.columns.items() if one.name == column]
    query = level.query
    if query["commandType"] == "3" and int(query["resultRelation"]) == index:
        return True  # an insert: row security checks the value, and NOT NULL demands one
    written = int(query["resultRelation"]) == index
    if not written and not _mentions(query["jointree"], index):
        return True  # not read from: a view's own entry, or `excluded`
    term = (id(level), index, numbers[0])
    return parameter > 0 and equalities.same(term, ("parameter", parameter))


def _mentions(item: Node | None, index: int) -> bool:
    if item is None:
        return False
    if item["node"] == "RANGETBLREF":
        return int(item["rtindex"]) == index
    if item["node"] == "FROMEXPR":
        return any(_mentions(part, index) for part in item["fromlist"] or ())
    return _mentions(item["larg"], index) or _mentions(item["rarg"], index)


def table_place(query: NamedQuery, relation: Relation) -> Place:
    """Return where a query first names a table, or the query itself."""
    pattern = re.compile(rf"\b{re.escape(relation.name)}\b")
    match = pattern.search(query.source.text, query.start, query.end)
    return query.source.place(match.start(), match.end()) if match else query.place()
