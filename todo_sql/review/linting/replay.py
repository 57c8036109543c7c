"""A history of migrations replayed, statement by statement, into a `SchemaModel`. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from todo_sql.review.linting import replay_tables
from todo_sql.review.linting.replay_tables import FUNCTIONS, RELATIONS, ReplayStep, part
from todo_sql.review.linting.reviewed import File
from todo_sql.review.linting.schema_model import (
    ModelFunction,
    Policy,
    SchemaModel,
    Table,
    View,
    schema_of,
)
from todo_sql.review.linting.tree import option, qualified, relation, roles, search_path
from todo_sql.sql.walking import enum, strings


def build(files: Iterable[File]) -> SchemaModel:
    """Follow the statements of the files in order."""
    schema = SchemaModel()
    for file in files:
        for statement in file.statements:
            reader = _READERS.get(statement.kind)
            if reader is not None:
                reader(ReplayStep(schema, file, statement), statement.root)
    return schema


def _drop(step: ReplayStep, command: Any) -> None:
    schema = step.schema
    kind = enum(command, "remove_type")
    for node in command.objects:
        if kind in RELATIONS:
            schema.drop_relation(qualified(node.list.items))
        elif kind == "OBJECT_SCHEMA":
            schema.drop_schema(node.string.sval)
        elif kind == "OBJECT_INDEX":
            schema.drop_index(qualified(node.list.items))
        elif kind in FUNCTIONS:
            schema.functions.pop(qualified(node.object_with_args.objname), None)
        elif kind in ("OBJECT_POLICY", "OBJECT_TRIGGER"):
            *_, last = parts = node.list.items
            if table := schema.tables.get(qualified(parts[:-1])):
                trigger = kind == "OBJECT_TRIGGER"
                held: dict[str, Any] = table.triggers if trigger else table.policies
                held.pop(last.string.sval, None)


def _create_policy(step: ReplayStep, command: Any) -> None:
    if table := step.table(command.table):
        table.policies[command.policy_name] = Policy(
            command.policy_name,
            command.cmd_name or "all",
            command.permissive,
            roles(command.roles),
            part(command, "qual"),
            part(command, "with_check"),
            step.whole,
        )


def _create_trigger(step: ReplayStep, command: Any) -> None:
    if table := step.table(command.relation):
        table.triggers[command.trigname] = step.whole


def _alter_policy(step: ReplayStep, command: Any) -> None:
    table = step.table(command.table)
    policy = table.policies.get(command.policy_name) if table else None
    if policy is not None:
        policy.using = part(command, "qual") or policy.using
        policy.check = part(command, "with_check") or policy.check
        policy.roles = roles(command.roles) or policy.roles
        policy.spot = step.whole


_ALL = {"select", "insert", "update", "delete", "truncate", "references", "trigger"}


def _grant(step: ReplayStep, command: Any) -> None:
    kind, schema = enum(command, "objtype"), step.schema
    privileges = {node.access_priv.priv_name for node in command.privileges} or _ALL
    who, named = roles(command.grantees), []
    if enum(command, "targtype") == "ACL_TARGET_ALL_IN_SCHEMA":
        schemas, held = strings(command.objects), (*schema.tables, *schema.functions)
        named = [name for name in held if schema_of(name) in schemas]
    elif kind == "OBJECT_TABLE":
        named = [relation(node.range_var) for node in command.objects]
    elif kind in FUNCTIONS:
        named = [qualified(node.object_with_args.objname) for node in command.objects]
    if kind == "OBJECT_TABLE":
        for table in (schema.tables[name] for name in named if name in schema.tables):
            for role in who:
                before = table.grants.setdefault(role, set())
                granted = before | privileges if command.is_grant else before - privileges
                table.grants[role] = granted
    elif kind in FUNCTIONS and "public" in who:
        for function in (schema.functions[name] for name in named if name in schema.functions):
            function.public = command.is_grant
    elif kind == "OBJECT_SCHEMA" and (not command.privileges or "create" in privileges):
        for name in strings(command.objects):
            creators = schema.creators.setdefault(name, {})
            for role in who:
                creators.pop(role, None)
                if command.is_grant:
                    creators[role] = step.whole


def _create_view(step: ReplayStep, command: Any) -> None:
    name = relation(command.view)
    invoker = option(command.options, "security_invoker") in ("true", "on", "yes", "1")
    step.schema.views[name] = View(name, invoker, False, step.spot(command.view))


def _create_materialized(step: ReplayStep, command: Any) -> None:
    name = relation(command.into.rel)
    if command.if_not_exists and name in step.schema.tables.keys() | step.schema.views.keys():
        return
    if enum(command, "objtype") == "OBJECT_MATVIEW":
        step.schema.views[name] = View(name, False, True, step.spot(command.into.rel))
    else:
        step.schema.add_table(Table(name, step.spot(command.into.rel)))


def _create_function(step: ReplayStep, command: Any) -> None:
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


def _alter_function(step: ReplayStep, command: Any) -> None:
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


def _path_of_session(step: ReplayStep, command: Any) -> None:
    variable = command if hasattr(command, "is_local") else command.setstmt
    if variable.name == "search_path":
        step.schema.on_path.update(search_path(variable) or ())


def _comment(step: ReplayStep, command: Any) -> None:
    kind, names = enum(command, "objtype"), command.object.list.items
    of_table = {"OBJECT_TABLE": names, "OBJECT_COLUMN": names[:-1]}.get(kind)
    table = step.schema.tables.get(qualified(of_table)) if of_table else None
    if table and kind == "OBJECT_TABLE":
        table.commented = bool(command.comment)
    elif table and (column := table.columns.get(names[-1].string.sval)):
        column.commented = bool(command.comment)


_READERS = {
    "create_stmt": replay_tables.create_table,
    "index_stmt": replay_tables.create_index,
    "alter_table_stmt": replay_tables.alter_table,
    "rename_stmt": replay_tables.rename,
    "alter_object_schema_stmt": replay_tables.move,
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
