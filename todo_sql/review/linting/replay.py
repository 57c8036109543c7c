"""A history of migrations replayed, statement by statement, into a `SchemaModel`. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from todo_sql.review.linting.reviewed import File, Spot, spot_of
from todo_sql.review.linting.schema_model import (
    ModelColumn,
    ModelFunction,
    ModelIndex,
    ModelKey,
    Policy,
    SchemaModel,
    Table,
    View,
)
from todo_sql.review.linting.tree import (
    enum,
    option,
    qualified,
    relation,
    roles,
    search_path,
    shape,
    strings,
)
from todo_sql.sql.grammar import Statement


def build(files: Iterable[File]) -> SchemaModel:
    """Follow the statements of the files in order."""
    schema = SchemaModel()
    for file in files:
        for statement in file.statements:
            reader = _READERS.get(statement.kind)
            if reader is not None:
                command = getattr(statement.node, statement.kind)
                reader(_Step(schema, file, statement), command)
    return schema


@dataclass(frozen=True, slots=True)
class _Step:
    schema: SchemaModel
    file: File
    statement: Statement

    def spot(self, message: Any) -> Spot:
        return spot_of(self.file, message, self.statement)

    @property
    def whole(self) -> Spot:
        return Spot(self.file, self.statement.start, self.statement.end)


def _create_table(step: _Step, command: Any) -> None:
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
        for column in source.columns.values():
            table.columns[column.name] = ModelColumn(
                column.name, column.type, column.not_null, spot
            )
        if source.primary:
            table.primary = ModelKey(None, source.primary.columns, spot)


def _add_column(step: _Step, table: Table, definition: Any) -> None:
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


def _add_constraint(step: _Step, table: Table, constraint: Any, column: str | None = None) -> None:
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
        key = ModelKey(name, columns, spot, target, referenced, actions)
        table.foreign_keys.append(key)
        step.schema.add_reference(key)
        return
    if form == "CONSTR_EXCLUSION":
        equal = tuple(_compared_by_equal(constraint))
        table.exclusions.append(ModelKey(name, equal, spot))
    if form not in ("CONSTR_PRIMARY", "CONSTR_UNIQUE"):
        return
    columns = strings(constraint.keys) or ((column,) if column else ())
    unique = form == "CONSTR_UNIQUE"
    if constraint.indexname:
        index = step.schema.indexes.get(_index_name(table.name, constraint.indexname))
        if index is not None:
            columns, index.of_constraint = index.keys, True
    key = ModelKey(name, columns, spot)
    suffix = "_".join((*columns, "key")) if unique else "pkey"
    index_name = _index_name(table.name, name or f"{table.name.split('.')[-1]}_{suffix}")
    if unique:
        table.uniques.append(key)
    else:
        table.primary = key
        for part in columns:
            if part in table.columns:
                table.columns[part].not_null = True
    step.schema.add_index(
        ModelIndex(
            index_name, table.name, columns, (), True, "btree", None, spot, of_constraint=True
        )
    )


def _compared_by_equal(constraint: Any) -> Iterator[str]:
    for node in constraint.exclusions:
        element, operator = node.list.items
        if element.index_elem.name and strings(operator.list.items)[-1:] == ("=",):
            yield element.index_elem.name


def _index_name(table: str, name: str) -> str:
    return f"{table.rsplit('.', 1)[0]}.{name}"


def _create_index(step: _Step, command: Any) -> None:
    table = relation(command.relation)
    elements = [node.index_elem for node in command.index_params]
    keys = tuple(element.name or shape(element.expr) for element in elements)
    parts = [key if key.isidentifier() else "expr" for key in keys]
    name = command.idxname or "_".join([table.split(".")[-1], *parts, "idx"])
    full = _index_name(table, name)
    if command.if_not_exists and full in step.schema.indexes:
        return
    index = ModelIndex(
        full,
        table,
        keys,
        tuple(node.index_elem.name for node in command.index_including_params),
        command.unique,
        command.access_method or "btree",
        command.where_clause if command.HasField("where_clause") else None,
        step.whole,
        tuple(
            f"{element.ordering} {element.nulls_ordering} {shape(element.opclass)}"
            for element in elements
        ),
    )
    step.schema.add_index(index)


def _alter_table(step: _Step, command: Any) -> None:
    table = step.schema.tables.get(relation(command.relation))
    if table is None:
        return
    for node in command.cmds:
        change = node.alter_table_cmd
        match enum(change, "subtype"):
            case "AT_AddColumn":
                _add_column(step, table, getattr(change, "def").column_def)
            case "AT_AddConstraint":
                _add_constraint(step, table, getattr(change, "def").constraint)
            case "AT_DropColumn":
                _drop_column(step.schema, table, change.name)
            case "AT_DropConstraint":
                _drop_constraint(step.schema, table, change.name)
            case "AT_AlterColumnType" if change.name in table.columns:
                names = getattr(change, "def").column_def.type_name.names
                table.columns[change.name].type = strings(names)[-1]
                table.columns[change.name].typed = step.spot(change)
            case "AT_SetNotNull" if change.name in table.columns:
                table.columns[change.name].not_null = True
            case "AT_DropNotNull" if change.name in table.columns:
                table.columns[change.name].not_null = False
            case "AT_EnableRowSecurity":
                table.row_security = True
            case "AT_DisableRowSecurity":
                table.row_security = False
            case "AT_AttachPartition":
                child = relation(getattr(change, "def").partition_cmd.name)
                if child in step.schema.tables:
                    step.schema.tables[child].partition_of = table.name
            case "AT_DetachPartition":
                child = relation(getattr(change, "def").partition_cmd.name)
                if child in step.schema.tables:
                    step.schema.tables[child].partition_of = None


def _drop_column(schema: SchemaModel, table: Table, name: str) -> None:
    table.columns.pop(name, None)
    table.uniques = [key for key in table.uniques if name not in key.columns]
    table.foreign_keys = [key for key in table.foreign_keys if name not in key.columns]
    for index in schema.indexes_of(table.name):
        if name in index.keys:
            schema.drop_index(index.name)


def _drop_constraint(schema: SchemaModel, table: Table, name: str) -> None:
    def named(key: ModelKey, form: str) -> str:
        usual = "_".join([table.name.split(".")[-1], *key.columns, form])
        return key.name or usual

    table.uniques = [key for key in table.uniques if named(key, "key") != name]
    table.foreign_keys = [key for key in table.foreign_keys if named(key, "fkey") != name]
    table.exclusions = [key for key in table.exclusions if named(key, "excl") != name]
    schema.drop_index(_index_name(table.name, name))


def _rename(step: _Step, command: Any) -> None:
    schema = step.schema
    old = relation(command.relation)
    kind = enum(command, "rename_type")
    if kind == "OBJECT_TABLE" and old in schema.tables:
        schema.rename_table(old, _index_name(old, command.newname))
    elif kind == "OBJECT_COLUMN" and old in schema.tables:
        _rename_column(schema, schema.tables[old], command.subname, command.newname)
    elif kind == "OBJECT_INDEX" and old in schema.indexes:
        index = schema.drop_index(old)
        assert index is not None
        index.name = _index_name(old, command.newname)
        schema.add_index(index)


def _rename_column(schema: SchemaModel, table: Table, old: str, new: str) -> None:
    def renamed(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(new if name == old else name for name in names)

    if old not in table.columns:
        return
    table.columns = {new if name == old else name: column for name, column in table.columns.items()}
    table.columns[new].name = new
    for key in (
        *table.uniques,
        *table.foreign_keys,
        *table.exclusions,
        *filter(None, [table.primary]),
    ):
        key.columns = renamed(key.columns)
    for index in schema.indexes_of(table.name):
        index.keys = renamed(index.keys)
    if old in schema.commented(table.name):
        schema.comment(table.name, old, there=False)
        schema.comment(table.name, new)


def _drop(step: _Step, command: Any) -> None:
    schema = step.schema
    kind = enum(command, "remove_type")
    for node in command.objects:
        if kind in ("OBJECT_TABLE", "OBJECT_FOREIGN_TABLE"):
            name = qualified(node.list.items)
            schema.tables.pop(name, None)
            for index in schema.indexes_of(name):
                schema.drop_index(index.name)
        elif kind == "OBJECT_INDEX":
            schema.drop_index(qualified(node.list.items))
        elif kind in ("OBJECT_VIEW", "OBJECT_MATVIEW"):
            schema.views.pop(qualified(node.list.items), None)
        elif kind in ("OBJECT_FUNCTION", "OBJECT_PROCEDURE", "OBJECT_ROUTINE"):
            schema.functions.pop(qualified(node.object_with_args.objname), None)
        elif kind in ("OBJECT_POLICY", "OBJECT_TRIGGER"):
            parts = strings(node.list.items)
            table = schema.tables.get(
                ".".join(parts[:-1]) if len(parts) > 2 else f"public.{parts[0]}"
            )
            if table is not None:
                held: dict[str, Any] = table.policies
                if kind == "OBJECT_TRIGGER":
                    held = table.triggers
                held.pop(parts[-1], None)


def _create_policy(step: _Step, command: Any) -> None:
    table = step.schema.tables.get(relation(command.table))
    if table is not None:
        table.policies[command.policy_name] = Policy(
            command.policy_name,
            command.cmd_name or "all",
            command.permissive,
            roles(command.roles),
            command.qual if command.HasField("qual") else None,
            command.with_check if command.HasField("with_check") else None,
            step.whole,
        )


def _create_trigger(step: _Step, command: Any) -> None:
    table = step.schema.tables.get(relation(command.relation))
    if table is not None:
        table.triggers[command.trigname] = step.whole


def _alter_policy(step: _Step, command: Any) -> None:
    table = step.schema.tables.get(relation(command.table))
    policy = table.policies.get(command.policy_name) if table else None
    if policy is not None:
        policy.using = command.qual if command.HasField("qual") else policy.using
        policy.check = command.with_check if command.HasField("with_check") else policy.check
        policy.roles = roles(command.roles) or policy.roles
        policy.spot = step.whole


ALL = frozenset({"select", "insert", "update", "delete", "truncate", "references", "trigger"})


def _grant(step: _Step, command: Any) -> None:
    kind, scope = enum(command, "objtype"), enum(command, "targtype")
    privileges = {node.access_priv.priv_name for node in command.privileges} or set(ALL)
    who = roles(command.grantees)
    if kind == "OBJECT_TABLE":
        for name in _tables_of_grant(step.schema, command, scope):
            held = step.schema.tables[name].grants
            for role in who:
                before = held.setdefault(role, set())
                held[role] = before | privileges if command.is_grant else before - privileges
    elif kind in ("OBJECT_FUNCTION", "OBJECT_PROCEDURE", "OBJECT_ROUTINE") and "public" in who:
        if scope == "ACL_TARGET_ALL_IN_SCHEMA":
            named = list(step.schema.functions)
        else:
            named = [qualified(node.object_with_args.objname) for node in command.objects]
        for name in named:
            if name in step.schema.functions:
                step.schema.functions[name].public = command.is_grant
    elif kind == "OBJECT_SCHEMA" and (not command.privileges or "create" in privileges):
        for name in strings(command.objects):
            creators = step.schema.creators.setdefault(name, {})
            for role in who:
                creators.pop(role, None)
                if command.is_grant:
                    creators[role] = step.whole


def _tables_of_grant(schema: SchemaModel, command: Any, scope: str) -> list[str]:
    if scope == "ACL_TARGET_ALL_IN_SCHEMA":
        schemas = strings(command.objects)
        return [name for name in schema.tables if name.rsplit(".", 1)[0] in schemas]
    named = (relation(node.range_var) for node in command.objects)
    return [name for name in named if name in schema.tables]


def _create_view(step: _Step, command: Any) -> None:
    name = relation(command.view)
    invoker = option(command.options, "security_invoker") in ("true", "on", "yes", "1")
    step.schema.views[name] = View(name, invoker, False, step.spot(command.view))


def _create_materialized(step: _Step, command: Any) -> None:
    name = relation(command.into.rel)
    if enum(command, "objtype") == "OBJECT_MATVIEW":
        step.schema.views[name] = View(name, False, True, step.spot(command.into.rel))
    else:
        step.schema.tables[name] = Table(name, step.spot(command.into.rel))


def _create_function(step: _Step, command: Any) -> None:
    name = qualified(command.funcname)
    options = [node.def_elem for node in command.options]
    known = step.schema.functions.get(name)
    step.schema.functions[name] = ModelFunction(
        name,
        any(o.defname == "security" and o.arg.boolean.boolval for o in options),
        _own_path(None, options),
        known.public if known and command.replace else True,
        strings(command.return_type.names)[-1:] in (("trigger",), ("event_trigger",)),
        step.whole,
    )


def _alter_function(step: _Step, command: Any) -> None:
    function = step.schema.functions.get(qualified(command.func.objname))
    if function is None:
        return
    options = [node.def_elem for node in command.actions]
    function.search_path = _own_path(function.search_path, options)
    for one in options:
        if one.defname == "security":
            function.security_definer = one.arg.boolean.boolval


def _own_path(path: tuple[str, ...] | None, options: list[Any]) -> tuple[str, ...] | None:
    """Return a function's path after the options of CREATE or ALTER, from what it was before."""
    for one in options:
        if one.defname == "set":
            variable = one.arg.variable_set_stmt
            if variable.name == "search_path" or enum(variable, "kind") == "VAR_RESET_ALL":
                path = search_path(variable)
    return path


def _path_of_session(step: _Step, command: Any) -> None:
    variable = command if hasattr(command, "is_local") else command.setstmt
    if variable.name == "search_path":
        step.schema.on_path.update(search_path(variable) or ())


def _comment(step: _Step, command: Any) -> None:
    kind = enum(command, "objtype")
    parts = strings(command.object.list.items)
    there = bool(command.comment)
    if kind == "OBJECT_TABLE":
        step.schema.comment(qualified(command.object.list.items), there=there)
    elif kind == "OBJECT_COLUMN":
        table = parts[:-1] if len(parts) > 2 else ("public", *parts[:-1])
        step.schema.comment(".".join(table), parts[-1], there=there)


_READERS = {
    "create_stmt": _create_table,
    "index_stmt": _create_index,
    "alter_table_stmt": _alter_table,
    "rename_stmt": _rename,
    "drop_stmt": _drop,
    "create_policy_stmt": _create_policy,
    "alter_policy_stmt": _alter_policy,
    "create_trig_stmt": _create_trigger,
    "grant_stmt": _grant,
    "view_stmt": _create_view,
    "create_table_as_stmt": _create_materialized,
    "create_function_stmt": _create_function,
    "alter_function_stmt": _alter_function,
    "comment_stmt": _comment,
    "variable_set_stmt": _path_of_session,
    "alter_role_set_stmt": _path_of_session,
    "alter_database_set_stmt": _path_of_session,
}
