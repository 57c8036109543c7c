"""Of which phase each statement of a history is: before the release, after it, or either. Pure.

Counts from the first file that says `-- phase:`; a project that never says it has no phases,
and what it ran before cannot be changed. Tables and columns that came since the last contract
file are not known to the release at work, so it cannot break with them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from todo_sql.review.linting.reviewed import File
from todo_sql.review.linting.rule import Project
from todo_sql.review.linting.schema_model import placed, schema_of
from todo_sql.review.linting.tree import enum, of_type, qualified, relation, shown, strings
from todo_sql.sql.grammar import Statement

_BESIDE = ("/repeatable/", "/hooks/")
_EXPANDING = {
    *("create_stmt", "create_table_as_stmt", "create_seq_stmt", "create_enum_stmt"),
    *("create_domain_stmt", "composite_type_stmt", "create_schema_stmt", "create_extension_stmt"),
    *("view_stmt", "create_function_stmt", "create_trig_stmt", "alter_enum_stmt"),
}
_DROPPED = {
    *("table", "view", "materialized view", "sequence", "function", "procedure", "trigger"),
    *("type", "domain", "schema"),
}
_CONSTRAINTS = {
    "CONSTR_CHECK": "a check",
    "CONSTR_UNIQUE": "a unique constraint",
    "CONSTR_PRIMARY": "a primary key",
    "CONSTR_FOREIGN": "a foreign key",
    "CONSTR_EXCLUSION": "an exclusion constraint",
    "CONSTR_NOTNULL": "not null",
}
_GIVEN = {"CONSTR_DEFAULT", "CONSTR_IDENTITY", "CONSTR_GENERATED"}
_SERIAL = {"serial", "bigserial", "smallserial", "serial2", "serial4", "serial8"}
_WHOLE = ["int2", "int4", "int8"]
_TEXTS = ("varchar", "text", "bpchar")

Column = tuple[str, str]
Type = tuple[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Phased:
    """A statement, and what it does that belongs into a phase.

    Attributes:
        contracts: What it does that the release at work may break with.
        expands: Whether it does something that a release needs before it.
    """

    file: File
    statement: Statement
    contracts: str | None
    expands: bool


@dataclass(slots=True)
class _Known:
    """What is known of the tables so far."""

    types: dict[Column, Type] = field(default_factory=dict)
    given: set[Column] = field(default_factory=set)
    tables: set[str] = field(default_factory=set)
    columns: set[Column] = field(default_factory=set)


def phased(project: Project) -> Iterator[tuple[File, bool, list[Phased]]]:
    """Yield each migration of the time of phases, whether it says contract, and its statements."""
    known = _Known()
    begun = False
    for file in project.files:
        if file.kind != "migration" or any(part in f"/{file.name}" for part in _BESIDE):
            continue
        phase = file.directives.phase
        begun = begun or phase is not None
        views = {relation(s.node.view_stmt.view) for s in file.statements if s.kind == "view_stmt"}
        found = [_judged(file, statement, known, views) for statement in file.statements]
        if begun:
            yield file, phase == "contract", found
        if not begun or phase == "contract":
            known.tables.clear()
            known.columns.clear()


def _judged(file: File, statement: Statement, known: _Known, views: set[str]) -> Phased:
    contracts: list[str] = []
    expands = statement.kind in _EXPANDING
    node: Any = statement.root
    match statement.kind:
        case "create_stmt":
            table = relation(node.relation)
            known.tables.add(table)
            for element in node.table_elts:
                if element.HasField("column_def"):
                    _learn_column(table, element.column_def, known)
        case "alter_table_stmt":
            for command in (one.alter_table_cmd for one in node.cmds):
                if enum(node, "objtype") == "OBJECT_TABLE":
                    what, more = _command(relation(node.relation), command, node.cmds, known)
                    contracts += [what] if what else []
                    expands = expands or more
        case "index_stmt":
            table = relation(node.relation)
            names = {one.index_elem.name for one in node.index_params if one.index_elem.name}
            if node.unique and not _are_new(table, names, known):
                contracts.append(f"makes a unique index on {shown(table)}")
            expands = not contracts
        case "drop_stmt":
            kind = enum(node, "remove_type").removeprefix("OBJECT_").lower()
            kind = kind.replace("matview", "materialized view")
            names = {qualified(one.list.items) for one in node.objects if one.HasField("list")}
            if kind in _DROPPED and not (names and names <= known.tables):
                said = ", ".join(shown(name) for name in sorted(names))
                contracts.append(f"drops {kind} {said}".rstrip())
        case "rename_stmt":
            kind = enum(node, "rename_type")
            table = relation(node.relation)
            if kind in ("OBJECT_TABLE", "OBJECT_VIEW", "OBJECT_COLUMN") and table not in (
                views | known.tables
            ):
                name = f"{shown(table)}.{node.subname}" if kind == "OBJECT_COLUMN" else shown(table)
                contracts.append(f"renames {name}")
            expands = table in views
            if kind == "OBJECT_TABLE" and table in known.tables:
                known.tables.add(placed(schema_of(table), node.newname))
    return Phased(file, statement, contracts[0] if contracts else None, expands)


def _learn_column(table: str, column: Any, known: _Known) -> set[str]:
    """Take in a column; return the kinds of its constraints."""
    key = table, column.colname
    known.types[key] = _type(column.type_name)
    known.columns.add(key)
    kinds = {enum(one.constraint, "contype") for one in column.constraints}
    given = known.types[key][0] in _SERIAL or kinds & _GIVEN
    (known.given.add if given else known.given.discard)(key)
    return kinds


def _type(named: Any) -> Type:
    name = strings(named.names)[-1] if named.names else ""
    return name, tuple(one.a_const.ival.ival for one in named.typmods)


def _command(table: str, command: Any, beside: Any, known: _Known) -> tuple[str | None, bool]:
    """Return what a command of ALTER TABLE breaks, and whether it expands."""
    key, name = (table, command.name), shown(table)
    defined = getattr(command, "def")
    match enum(command, "subtype"):
        case "AT_AddColumn":
            column = defined.column_def
            strict = _learn_column(table, column, known) & {"CONSTR_NOTNULL", "CONSTR_PRIMARY"}
            lacks = strict and (table, column.colname) not in known.given
            if lacks and table not in known.tables:
                return f"adds {name}.{column.colname}, not null and without a default", False
            return None, True
        case "AT_DropColumn":
            new = table in known.tables or key in known.columns
            return (None if new else f"drops column {name}.{command.name}"), False
        case "AT_SetNotNull":
            if key in known.given or table in known.tables:
                return None, True
            return f"sets {name}.{command.name} not null", False
        case "AT_AddConstraint":
            return _constraint(table, defined.constraint, known)
        case "AT_AlterColumnType":
            old = known.types.get(key)
            known.types[key] = made = _type(defined.column_def.type_name)
            if old is None or table in known.tables:
                return None, False
            if _is_wider(old, made):
                return None, True
            return f"changes the type of {name}.{command.name}", False
        case "AT_ColumnDefault" if not command.HasField("def"):
            known.given.discard(key)
            again = any(enum(o.alter_table_cmd, "subtype") == "AT_AddIdentity" for o in beside)
            if again or table in known.tables:
                return None, False
            return f"drops the default of {name}.{command.name}", False
        case "AT_ColumnDefault" | "AT_AddIdentity":
            known.given.add(key)
            return None, True
        case "AT_DropNotNull" | "AT_DropConstraint":
            return None, True
    return None, False


def _constraint(table: str, constraint: Any, known: _Known) -> tuple[str | None, bool]:
    kind = enum(constraint, "contype")
    if kind not in _CONSTRAINTS or constraint.indexname:
        return None, False
    names = {*strings(constraint.keys), *strings(constraint.fk_attrs)}
    names |= {strings(one.fields)[-1] for one in of_type(constraint, "ColumnRef") if one.fields}
    test = constraint.raw_expr
    not_null = kind == "CONSTR_NOTNULL" or (
        test.HasField("null_test") and enum(test.null_test, "nulltesttype") == "IS_NOT_NULL"
    )
    if _are_new(table, names, known) or (
        not_null and all((table, name) in known.given for name in names)
    ):
        return None, True
    return f"demands {_CONSTRAINTS[kind]} of {shown(table)}", False


def _are_new(table: str, names: set[str], known: _Known) -> bool:
    """Tell whether the release at work knows none of some columns."""
    new = bool(names) and all((table, name) in known.columns for name in names)
    return new or table in known.tables


def _is_wider(old: Type, new: Type) -> bool:
    (was, size), (now, more) = old, new
    if was in _WHOLE and now in _WHOLE:
        return _WHOLE.index(was) <= _WHOLE.index(now)
    if was in _TEXTS and now in ("varchar", "text"):
        return not more or (bool(size) and size[0] <= more[0])
    if was == now == "numeric":
        return not more or (
            len(size) == len(more) and size[:1] <= more[:1] and size[1:] == more[1:]
        )
    return old == new
