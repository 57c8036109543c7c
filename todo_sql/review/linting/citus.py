"""Which tables a project distributes by Citus, by which column, and since when. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from todo_sql.review.linting.reviewed import Spot, spot_of
from todo_sql.review.linting.rule import Hit, Project
from todo_sql.review.linting.schema_model import Table, placed, schema_of
from todo_sql.review.linting.tree import function_name, options, qualified, relation
from todo_sql.sql.walking import enum, of_type, strings, walk

_DISTRIBUTES = ("create_distributed_table", "create_distributed_table_concurrently")
_ARGUMENTS = ("table_name", "distribution_column", "distribution_type", "colocate_with")
_OF_PLACES = ("select_stmt", "drop_stmt", "rename_stmt")
_OF_TYPES = {
    *("create_range_stmt", "define_stmt", "create_domain_stmt", "composite_type_stmt"),
    "drop_stmt",
}
_MENTIONED = re.compile(r"\bcreate_(distributed|reference)_table")


class _Said(NamedTuple):
    """What a migration tells Citus of a table; `column` is None for one on every node."""

    column: str | None
    colocated_with: str | None = None


def by_name(project: Project) -> dict[str, str]:
    """Return the tables that are or can be distributed, with partitions, each with its column.

    Those of `create_distributed_table`, and the tenants' tables, by the tenant's column.
    """
    found = {name: _column(project, table) for name, table in project.schema.tables.items()}
    return {name: column for name, column in found.items() if column is not None}


def _column(project: Project, table: Table) -> str | None:
    seen = {table.name}
    while table.partition_of in project.schema.tables and table.partition_of not in seen:
        table = project.schema.tables[table.partition_of]
        seen.add(table.name)
    said = _said(project)
    if table.name in said:
        return said[table.name].column
    if project.tenant is not None and project.has_tenant(table):
        return project.tenant.parameter
    return None


def references(project: Project) -> frozenset[str]:
    """Return the tables that `create_reference_table` puts on every node."""
    return frozenset(name for name, said in _said(project).items() if said.column is None)


def told(project: Project) -> bool:
    """Return whether plain statements say where tables lie, so that others are local."""
    return bool(_said(project))


def on_nodes(project: Project) -> Iterator[Table]:
    """Yield the tables that other nodes hold: distributed ones, partitions, reference tables."""
    for name in (*by_name(project), *(references(project) & project.schema.tables.keys())):
        yield project.schema.tables[name]


def names_on_nodes(project: Project) -> frozenset[str]:
    """Return the names of the tables that other nodes hold."""
    return frozenset(table.name for table in on_nodes(project))


def apart(project: Project, name: str, other: str) -> bool:
    """Return whether rows of two distributed tables certainly lie on nodes of their own."""
    said = _said(project)
    if not {name, other} <= said.keys() & project.schema.tables.keys():
        return False
    return _group(project, name) != _group(project, other)


def _group(project: Project, name: str) -> str:
    """Return what a table shares its places with: another table, or all of a column's type."""
    said, seen = _said(project), {name}
    while name in said and (leader := said[name].colocated_with) not in (None, "default"):
        if leader == "none" or (leader := _full(str(leader))) in seen:
            return name
        seen.add(leader)
        name = leader
    table = project.schema.tables.get(name)
    column = table.columns.get(said[name].column or "") if table and name in said else None
    return f"type {column.type}" if column else name


def is_after(project: Project, spot: Spot) -> bool | None:
    """Return whether a statement of a migration stands behind what hands tables to Citus.

    What does may be a block of PL/pgSQL, too. None: nothing does.
    """
    places = _places(project)
    begun = places.get("")
    return None if begun is None else (places[spot.file.name][0], spot.start) > begun


@lru_cache(maxsize=4)
def _places(project: Project) -> dict[str, tuple[int, int]]:
    """Return the place of each file, and as that of "" the first statement of Citus' own."""
    found: dict[str, tuple[int, int]] = {}
    for number, file in enumerate(project.files):
        found[file.name] = (number, 0)
        for statement in file.statements if file.kind == "migration" else ():
            if "" not in found and _MENTIONED.search(statement.text):
                found[""] = (number, statement.start)
    return found


def writes(project: Project, *kinds: str) -> Iterator[tuple[Hit, Any]]:
    """Yield the statements of some kinds that Citus would plan: of queries, and of migrations.

    Each with a hit without words at its table; migrations that run before the tables are handed
    to Citus are left out.
    """
    for file in project.files:
        if file.kind == "rollback":
            continue
        for statement in file.statements:
            behind = file.kind == "query" or is_after(project, file.spot(statement)) is not False
            for node in walk(statement.node) if behind else ():
                if type(node).__name__ in kinds:
                    yield Hit(spot_of(file, node.relation, statement)), node


def types_missing(project: Project) -> frozenset[str]:
    """Return the types that no other node has: ranges, base types, and what is made of them."""
    found: set[str] = set()
    if told(project):  # a row of a table that only the coordinator has
        local = project.schema.tables.keys() - names_on_nodes(project)
        found |= {name.rsplit(".", 1)[1] for name in local}
    for _, statement in project.statements():
        command: Any = statement.root if statement.kind in _OF_TYPES else None
        match statement.kind:
            case "create_range_stmt":
                name = strings(command.type_name)[-1]
                usual = name.replace("range", "multirange")
                many = options(command.params).get("multirange_type_name")
                usual = usual if "range" in name else f"{name}_multirange"
                found |= {name, strings(many.type_name.names)[-1] if many else usual}
            case "define_stmt" if enum(command, "kind") == "OBJECT_TYPE":
                found.add(strings(command.defnames)[-1])
            case "create_domain_stmt" if strings(command.type_name.names)[-1] in found:
                found.add(strings(command.domainname)[-1])
            case "composite_type_stmt":
                parts = {strings(one.column_def.type_name.names)[-1] for one in command.coldeflist}
                found |= {command.typevar.relname} if parts & found else set()
            case "drop_stmt" if enum(command, "remove_type") in ("OBJECT_TYPE", "OBJECT_DOMAIN"):
                found -= {strings(one.type_name.names)[-1] for one in command.objects}
    return frozenset(found)


@lru_cache(maxsize=4)
def _said(project: Project) -> dict[str, _Said]:
    """Return what migrations tell Citus of tables, in plain statements."""
    found: dict[str, _Said] = {}
    for _, statement in project.statements():
        command: Any = statement.root if statement.kind in _OF_PLACES else None
        match statement.kind:
            case "select_stmt":
                for call in of_type(command, "FuncCall"):
                    _hear(call, found)
            case "drop_stmt" if enum(command, "remove_type") == "OBJECT_TABLE":
                for one in command.objects:
                    found.pop(qualified(one.list.items), None)
            case "rename_stmt" if enum(command, "rename_type") == "OBJECT_TABLE":
                if said := found.pop(old := relation(command.relation), None):
                    found[placed(schema_of(old), command.newname)] = said
    return found


def _hear(call: Any, found: dict[str, _Said]) -> None:
    name, given = function_name(call), _arguments(call)
    if not given.get("table_name"):
        return
    table = _full(given["table_name"])
    if name in _DISTRIBUTES and given.get("distribution_column"):
        found[table] = _Said(_name(given["distribution_column"]), given.get("colocate_with"))
    elif name == "create_reference_table":
        found[table] = _Said(None)
    elif name == "undistribute_table":
        found.pop(table, None)


def _arguments(call: Any) -> dict[str, str]:
    given = {}
    for place, argument in enumerate(call.args):
        text = "".join(constant.sval.sval for constant in of_type(argument, "A_Const"))
        if name := argument.named_arg_expr.name:
            given[name] = text
        elif place < len(_ARGUMENTS):
            given[_ARGUMENTS[place]] = text
    return given


def _name(text: str) -> str:
    """Return a name as SQL reads it: in quotes as it is, without them in small letters."""
    quoted = len(text) > 1 and text[0] == text[-1] == '"'
    return text[1:-1].replace('""', '"') if quoted else text.lower()


def _full(name: str) -> str:
    parts = re.findall(r'"(?:[^"]|"")*"|[^.]+', name)
    return ".".join(map(_name, parts if len(parts) > 1 else ("public", *parts)))
