"""What statements about tables and their parts do to a `SchemaModel`. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from todo_sql.review.linting.reviewed import File, Spot, spot_of
from todo_sql.review.linting.schema_model import (
    ModelColumn,
    ModelIndex,
    ModelKey,
    SchemaModel,
    Table,
)
from todo_sql.review.linting.tree import enum, relation, shape, strings
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
    table = step.schema.tables[name] = Table(
        name, step.spot(command.relation), partitioned=command.HasField("partspec")
    )
    for node in command.inh_relations:
        parent = relation(node.range_var)
        if command.HasField("partbound"):
            table.partition_of = parent
        _copy(step.schema.tables.get(parent), table, step.spot(command.relation))
    for element in command.table_elts:
        if element.HasField("column_def"):
            _add_column(step, table, element.column_def)
        elif element.HasField("constraint"):
            _add_constraint(step, table, element.constraint)
        elif element.HasField("table_like_clause"):
            source = relation(element.table_like_clause.relation)
            _copy(step.schema.tables.get(source), table, step.spot(command.relation))
            for column in step.schema.commented(source) - {""}:
                step.schema.comment(name, column)


def _copy(source: Table | None, table: Table, spot: Spot) -> None:
    if source is not None:
        for name, one in source.columns.items():
            table.columns[name] = ModelColumn(name, one.type, one.not_null, spot)
        if source.primary:
            table.primary = ModelKey(None, source.primary.columns, spot)


def _add_column(step: ReplayStep, table: Table, definition: Any) -> None:
    name = definition.colname
    spot = step.spot(definition)
    kind = strings(definition.type_name.names)[-1:] or ("",)
    column = table.columns[name] = ModelColumn(name, kind[0], False, spot)
    for node in definition.constraints:
        form = enum(node.constraint, "contype")
        if form in ("CONSTR_NOTNULL", "CONSTR_PRIMARY", "CONSTR_IDENTITY"):
            column.not_null = True
        _add_constraint(step, table, node.constraint, name)


_NAMED = ("CONSTR_PRIMARY", "CONSTR_UNIQUE", "CONSTR_CHECK", "CONSTR_FOREIGN", "CONSTR_EXCLUSION")


def _add_constraint(
    step: ReplayStep, table: Table, constraint: Any, column: str | None = None
) -> None:
    form = enum(constraint, "contype")
    name = constraint.conname or None
    spot = step.spot(constraint)
    if name is None and form in _NAMED:
        table.unnamed.append(spot)
    if form == "CONSTR_CHECK":
        table.checks.append(constraint)
    if form == "CONSTR_FOREIGN":
        columns = strings(constraint.fk_attrs) or ((column,) if column else ())
        target = relation(constraint.pktable)
        actions = (constraint.fk_del_action or "a", constraint.fk_upd_action or "a")
        referenced = strings(constraint.pk_attrs)
        table.foreign_keys.append(ModelKey(name, columns, spot, target, referenced, actions))
        return
    if form == "CONSTR_EXCLUSION":
        compared = (node.list.items for node in constraint.exclusions)
        equal = tuple(
            one.index_elem.name
            for one, operator in compared
            if one.index_elem.name and strings(operator.list.items)[-1:] == ("=",)
        )
        table.exclusions.append(ModelKey(name, equal, spot))
    if form not in ("CONSTR_PRIMARY", "CONSTR_UNIQUE"):
        return
    columns = strings(constraint.keys) or ((column,) if column else ())
    unique = form == "CONSTR_UNIQUE"
    if constraint.indexname:
        index = step.schema.indexes.get(index_name(table.name, constraint.indexname))
        if index is not None:
            columns, index.of_constraint = index.keys, True
    key = ModelKey(name, columns, spot)
    suffix = "_".join((*columns, "key")) if unique else "pkey"
    called = index_name(table.name, name or f"{table.name.split('.')[-1]}_{suffix}")
    if unique:
        table.uniques.append(key)
    else:
        table.primary = key
        for part in columns:
            if part in table.columns:
                table.columns[part].not_null = True
    step.schema.add_index(
        ModelIndex(called, table.name, columns, (), True, "btree", None, spot, of_constraint=True)
    )


def index_name(table: str, name: str) -> str:
    """Return the name of what stands in the schema of a table."""
    return f"{table.rsplit('.', 1)[0]}.{name}"


def create_index(step: ReplayStep, command: Any) -> None:
    """Follow `create index`."""
    table = relation(command.relation)
    elements = [node.index_elem for node in command.index_params]
    keys = tuple(element.name or shape(element.expr) for element in elements)
    parts = [key if key.isidentifier() else "expr" for key in keys]
    name = command.idxname or "_".join([table.split(".")[-1], *parts, "idx"])
    full = index_name(table, name)
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
                _drop_constraint(step.schema, table, change.name)
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
    table.columns.pop(name, None)
    table.uniques = [key for key in table.uniques if name not in key.columns]
    table.foreign_keys = [key for key in table.foreign_keys if name not in key.columns]
    for index in schema.indexes_of(table.name):
        if name in index.keys:
            schema.drop_index(index.name)


def _drop_constraint(schema: SchemaModel, table: Table, name: str) -> None:
    def others(keys: list[ModelKey], form: str) -> list[ModelKey]:
        bare = table.name.split(".")[-1]
        return [key for key in keys if (key.name or "_".join([bare, *key.columns, form])) != name]

    table.uniques = others(table.uniques, "key")
    table.foreign_keys = others(table.foreign_keys, "fkey")
    table.exclusions = others(table.exclusions, "excl")
    schema.drop_index(index_name(table.name, name))


def rename(step: ReplayStep, command: Any) -> None:
    """Follow `alter … rename`."""
    schema = step.schema
    old = relation(command.relation)
    kind = enum(command, "rename_type")
    if kind == "OBJECT_TABLE" and old in schema.tables:
        schema.rename_table(old, index_name(old, command.newname))
    elif kind == "OBJECT_COLUMN" and old in schema.tables:
        _rename_column(schema, schema.tables[old], command.subname, command.newname)
    elif kind == "OBJECT_INDEX" and old in schema.indexes:
        index = schema.drop_index(old)
        assert index is not None
        index.name = index_name(old, command.newname)
        schema.add_index(index)


def _rename_column(schema: SchemaModel, table: Table, old: str, new: str) -> None:
    def renamed(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(new if name == old else name for name in names)

    if old not in table.columns:
        return
    table.columns = {new if name == old else name: column for name, column in table.columns.items()}
    table.columns[new].name = new
    primary = [table.primary] if table.primary else []
    for key in (*table.uniques, *table.foreign_keys, *table.exclusions, *primary):
        key.columns = renamed(key.columns)
    for index in schema.indexes_of(table.name):
        index.keys = renamed(index.keys)
    if old in schema.commented(table.name):
        schema.comment(table.name, old, there=False)
        schema.comment(table.name, new)
