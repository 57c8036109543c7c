"""What statements about tables and their parts do to a `SchemaModel`. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from todo_sql.review.linting.reviewed import File, Spot, spot_of
from todo_sql.review.linting.schema_model import (
    ModelColumn,
    ModelIndex,
    ModelKey,
    SchemaModel,
    Table,
    placed,
    schema_of,
)
from todo_sql.review.linting.tree import enum, of_type, qualified, relation, shape, strings
from todo_sql.sql.grammar import Statement


@dataclass(frozen=True, slots=True)
class ReplayStep:
    """One statement of the history, and the model that it changes."""

    schema: SchemaModel
    file: File
    statement: Statement

    def spot(self, message: Any) -> Spot:
        """Return the place of a part of its tree."""
        return spot_of(self.file, message, self.statement)

    @property
    def whole(self) -> Spot:
        """The place of the statement."""
        return self.file.spot(self.statement)

    def table(self, range_var: Any) -> Table | None:
        """Return the table of a name, if there is one by now."""
        return self.schema.tables.get(relation(range_var))


def part(command: Any, name: str) -> Any:
    """Return a part of a parse tree, or None: the statement does not have it."""
    return getattr(command, name) if command.HasField(name) else None


def create_table(step: ReplayStep, command: Any) -> None:
    """Follow `create table`."""
    name = relation(command.relation)
    if command.if_not_exists and name in step.schema.tables:
        return
    made = Table(name, step.spot(command.relation), partitioned=command.HasField("partspec"))
    table = step.schema.add_table(made)
    for node in command.inh_relations:
        parent = relation(node.range_var)
        if command.HasField("partbound"):
            table.partition_of = parent
        _copy(step.schema.tables.get(parent), table)
    for element in command.table_elts:
        if element.HasField("column_def"):
            _add_column(step, table, element.column_def)
        elif element.HasField("constraint"):
            _add_constraint(step, table, element.constraint)
        elif element.HasField("table_like_clause"):
            source = step.table(element.table_like_clause.relation)
            _copy(source, table)
            for column in source.columns.values() if source else ():
                table.columns[column.name].commented = column.commented


def _copy(source: Table | None, table: Table) -> None:
    if source is not None:
        for name, one in source.columns.items():
            table.columns[name] = ModelColumn(name, one.type, one.not_null, table.spot)
        if source.primary:
            columns = source.primary.columns
            name = f"{table.name.split('.')[-1]}_pkey"
            table.constraints.append(ModelKey("pkey", name, True, columns, table.spot))


def _add_column(step: ReplayStep, table: Table, definition: Any) -> None:
    name = definition.colname
    spot = step.spot(definition)
    kind = strings(definition.type_name.names)[-1:] or ("",)
    column = table.columns[name] = ModelColumn(name, kind[0], False, spot)
    for node in definition.constraints:
        form = enum(node.constraint, "contype")
        if form in ("CONSTR_NOTNULL", "CONSTR_PRIMARY", "CONSTR_IDENTITY"):
            column.not_null = True
        _add_constraint(step, table, node.constraint, (name,))


_FORMS = {
    "CONSTR_PRIMARY": "pkey",
    "CONSTR_UNIQUE": "key",
    "CONSTR_FOREIGN": "fkey",
    "CONSTR_EXCLUSION": "excl",
    "CONSTR_CHECK": "check",
}


def _add_constraint(
    step: ReplayStep, table: Table, constraint: Any, column: tuple[str, ...] = ()
) -> None:
    form = _FORMS.get(enum(constraint, "contype"))
    if form is None:
        return
    columns = strings(constraint.keys) or strings(constraint.fk_attrs) or column
    if form == "excl":
        compared = (node.list.items for node in constraint.exclusions)
        columns = tuple(
            one.index_elem.name
            for one, operator in compared
            if one.index_elem.name and strings(operator.list.items)[-1:] == ("=",)
        )
    elif form == "check":
        read = (strings(one.fields)[-1:] for one in of_type(constraint.raw_expr, "ColumnRef"))
        columns = tuple(dict.fromkeys(name for names in read for name in names))
    elif constraint.indexname:
        index = step.schema.indexes.get(placed(schema_of(table.name), constraint.indexname))
        if index is not None:
            columns, index.of_constraint = index.keys, True
    said = () if form == "pkey" or (form == "check" and len(columns) > 1) else columns
    name = constraint.conname or "_".join((table.name.split(".")[-1], *said, form))
    key = ModelKey(form, name, bool(constraint.conname), columns, step.spot(constraint))
    table.constraints.append(key)
    if form == "fkey":
        key.target = relation(constraint.pktable)
        key.actions = (constraint.fk_del_action or "a", constraint.fk_upd_action or "a")
        key.referenced = strings(constraint.pk_attrs)
    elif form in ("pkey", "key"):
        for part in columns if form == "pkey" else ():
            if part in table.columns:
                table.columns[part].not_null = True
        called, how = placed(schema_of(table.name), name), (True, "btree", None, key.spot)
        step.schema.add_index(ModelIndex(called, table.name, columns, (), *how, of_constraint=True))


def create_index(step: ReplayStep, command: Any) -> None:
    """Follow `create index`."""
    table = relation(command.relation)
    elements = [node.index_elem for node in command.index_params]
    keys = tuple(element.name or shape(element.expr) for element in elements)
    parts = [key if key.isidentifier() else "expr" for key in keys]
    name = command.idxname or "_".join([table.split(".")[-1], *parts, "idx"])
    full = placed(schema_of(table), name)
    if command.if_not_exists and full in step.schema.indexes:
        return
    index = ModelIndex(
        full,
        table,
        keys,
        tuple(node.index_elem.name for node in command.index_including_params),
        command.unique,
        command.access_method or "btree",
        part(command, "where_clause"),
        step.whole,
        tuple(
            f"{element.ordering} {element.nulls_ordering} {shape(element.opclass)}"
            for element in elements
        ),
    )
    step.schema.add_index(index)


def alter_table(step: ReplayStep, command: Any) -> None:
    """Follow `alter table`."""
    table = step.table(command.relation)
    if table is None:
        return
    for change in (node.alter_table_cmd for node in command.cmds):
        made, column = getattr(change, "def"), table.columns.get(change.name)
        match enum(change, "subtype"):
            case "AT_AddColumn":
                _add_column(step, table, made.column_def)
            case "AT_AddConstraint":
                _add_constraint(step, table, made.constraint)
            case "AT_DropColumn":
                _drop_column(step.schema, table, change.name)
            case "AT_DropConstraint":
                table.constraints = [key for key in table.constraints if key.name != change.name]
                step.schema.drop_index(placed(schema_of(table.name), change.name))
            case "AT_AlterColumnType" if column is not None:
                column.type = strings(made.column_def.type_name.names)[-1]
                column.typed = step.spot(change)
            case "AT_SetNotNull" | "AT_DropNotNull" as kind if column is not None:
                column.not_null = kind == "AT_SetNotNull"
            case "AT_EnableRowSecurity" | "AT_DisableRowSecurity" as kind:
                table.row_security = kind == "AT_EnableRowSecurity"
            case "AT_AttachPartition" | "AT_DetachPartition" as kind:
                if child := step.table(made.partition_cmd.name):
                    child.partition_of = table.name if kind == "AT_AttachPartition" else None


def _drop_column(schema: SchemaModel, table: Table, name: str) -> None:
    keyed = table.primary.columns if table.primary else ()
    for other in schema.tables.values():
        other.constraints = [
            key
            for key in other.constraints
            if key.target != table.name or name not in (key.referenced or keyed)
        ]
    table.columns.pop(name, None)
    table.constraints = [key for key in table.constraints if name not in key.columns]
    for index in schema.indexes_of(table.name):
        if name in (*index.keys, *index.include):
            schema.drop_index(index.name)


RELATIONS = ("OBJECT_TABLE", "OBJECT_FOREIGN_TABLE", "OBJECT_VIEW", "OBJECT_MATVIEW")
FUNCTIONS = ("OBJECT_FUNCTION", "OBJECT_PROCEDURE", "OBJECT_ROUTINE")


def rename(step: ReplayStep, command: Any) -> None:
    """Follow `alter … rename`."""
    schema, kind, new = step.schema, enum(command, "rename_type"), command.newname
    old, table = relation(command.relation), step.table(command.relation)
    _relocate(schema, kind, command, lambda name: placed(schema_of(name), new))
    match kind:
        case "OBJECT_SCHEMA":
            schema.rename_schema(command.subname, new)
        case "OBJECT_COLUMN" if table:
            _rename_column(schema, table, command.subname, new)
        case "OBJECT_INDEX" | "OBJECT_TABCONSTRAINT":
            called = placed(schema_of(old), command.subname or old)
            index = schema.drop_index(called)
            table = schema.tables.get(index.table) if index else table
            for key in table.constraints if table else ():
                if placed(schema_of(old), key.name) == called:
                    key.name, key.named = new, True
            if index is not None:
                index.name = placed(schema_of(old), new)
                schema.add_index(index)
        case "OBJECT_POLICY" if table and (policy := table.policies.pop(command.subname, None)):
            policy.name, table.policies[new] = new, policy
        case "OBJECT_TRIGGER" if table and (spot := table.triggers.pop(command.subname, None)):
            table.triggers[new] = spot


def move(step: ReplayStep, command: Any) -> None:
    """Follow `alter … set schema`."""
    kind, schema = enum(command, "object_type"), command.newschema
    _relocate(step.schema, kind, command, lambda name: placed(schema, name))


def _relocate(schema: SchemaModel, kind: str, command: Any, place: Callable[[str], str]) -> None:
    if kind in FUNCTIONS:
        name = qualified(command.object.object_with_args.objname)
        schema.rename_function(name, place(name))
    elif kind in RELATIONS:
        name = relation(command.relation)
        schema.rename_relation(name, place(name))


def _rename_column(schema: SchemaModel, table: Table, old: str, new: str) -> None:
    def renamed(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(new if name == old else name for name in names)

    if old not in table.columns:
        return
    table.columns = {new if name == old else name: column for name, column in table.columns.items()}
    table.columns[new].name = new
    for key in table.constraints:
        key.columns = renamed(key.columns)
    for index in schema.indexes_of(table.name):
        index.keys, index.include = renamed(index.keys), renamed(index.include)
    for other in schema.tables.values():
        for key in other.constraints:
            key.referenced = renamed(key.referenced) if key.target == table.name else key.referenced
