"""C110: a table of tenants is used without naming the tenant."""

from __future__ import annotations

from todo_sql.compiler.checks.equalities import Equalities, joined
from todo_sql.compiler.effects import is_tenant_table
from todo_sql.compiler.proof.levels import Level
from todo_sql.compiler.proof.nodes import Node, name_of
from todo_sql.compiler.schema import Relation, Schema
from todo_sql.config import Config
from todo_sql.errors import Finding, Place
from todo_sql.queries.clauses import Words
from todo_sql.queries.named import NamedQuery
from todo_sql.queries.variants import Variant
from todo_sql.sql.scanner import Kind


def find(
    query: NamedQuery, variant: Variant, equalities: Equalities, schema: Schema, config: Config
) -> list[Finding]:
    """Return a finding for each table of tenants that isn't held to one tenant."""
    tenant = config.tenant
    if tenant is None or query.tenant == "none":
        return []
    number = 0
    if tenant.parameter in variant.parameters:
        number = variant.parameters.index(tenant.parameter) + 1
    found = []
    for level, index, relation in equalities.tables():
        if not is_tenant_table(relation, tenant.parameter, config.exempt):
            continue
        column = next(key for key, one in relation.columns.items() if one.name == tenant.parameter)
        if not _held(equalities, level, index, column, number):
            message = f"`{query.name}` uses `{relation.name}` without its tenant"
            place = _place(query, variant, equalities, level.entry(index), relation)
            cause = "row security would filter the rows, but no index can: "
            cause += "every tenant's rows are read"
            if equalities.by_key(level, index, relation):
                cause = "its key finds the rows, and row security alone decides whose they are"
            condition = f"{tenant.parameter} = :{tenant.parameter}"
            fix = f"add `{condition}` for this table, or say `-- tenant: none`"
            found.append(Finding("C110", "error", message, place, cause, fix))
    return found


def _held(equalities: Equalities, level: Level, index: int, column: int, parameter: int) -> bool:
    query = level.query
    written = int(query["resultRelation"]) == index
    if query["commandType"] == "3" and written:
        return True  # an insert: row security checks the value, and NOT NULL demands one
    if not written and index not in joined(query["jointree"]):
        return True  # not read from: a view's own entry, or `excluded`
    term = equalities.find((id(level), index, column))
    return parameter > 0 and equalities.find(("parameter", parameter)) == term


def _place(
    query: NamedQuery, variant: Variant, equalities: Equalities, entry: Node, relation: Relation
) -> Place:
    """Return where a query names a table for this use of it, or the query itself."""
    own = _alias(entry)
    others = {
        _alias(level.entry(index))
        for level, index, one in equalities.tables()
        if one is relation and _alias(level.entry(index)) != own
    }
    words = Words.of(variant.sql)
    spots = []
    for index, token in enumerate(words.tokens):
        following = [word.strip('"') for word in words.texts[index + 1 : index + 3]]
        if token.kind not in (Kind.WORD, Kind.QUOTED) or following[:1] == ["."]:
            continue
        if words.texts[index].strip('"') == relation.name:
            alias = following[1:] if following[:1] == ["as"] else following[:1]
            spots.append((alias != [own], alias[0] in others if alias else False, index))
    if not spots:
        return query.place()
    token = words.tokens[min(spots)[2]]
    start = variant.source_offset(token.start)
    return query.source.place(start, start + token.end - token.start)


def _alias(entry: Node) -> str | None:
    return name_of(entry["alias"]["aliasname"]) if entry["alias"] else None
