"""Which statements may run again when nobody knows whether they ran. Pure."""

from __future__ import annotations

from typing import Any

from todo_sql.sql.grammar import Statement
from todo_sql.sql.walking import enum

_IDEMPOTENT = {
    *("alter_system_stmt", "check_point_stmt", "cluster_stmt", "comment_stmt", "reindex_stmt"),
    *("vacuum_stmt", "variable_set_stmt"),
}
DATA = {"insert_stmt", "update_stmt", "delete_stmt", "merge_stmt", "select_stmt"}
_ALONE = {
    *("alter_system_stmt", "create_table_space_stmt", "createdb_stmt", "drop_table_space_stmt"),
    "dropdb_stmt",
}
_AT_TIMES_ALONE = {
    *("alter_database_stmt", "alter_subscription_stmt", "cluster_stmt"),
    *("create_subscription_stmt", "reindex_stmt", "vacuum_stmt"),
}
_REFRESHING = {f"ALTER_SUBSCRIPTION_{verb}_PUBLICATION" for verb in ("ADD", "DROP", "SET")}


def is_session_setting(statement: Statement) -> bool:
    """Tell whether a statement only sets something in the session: replayed, never skipped."""
    return statement.kind == "variable_set_stmt"


def needs_no_transaction(statement: Statement) -> bool:
    """Tell whether PostgreSQL refuses a statement inside a transaction."""
    if statement.kind in _ALONE or is_concurrent(statement):
        return True
    if statement.kind not in _AT_TIMES_ALONE:  # the tree of many others need not be made
        return False
    node = statement.root
    match statement.kind:
        case "vacuum_stmt":
            return bool(node.is_vacuumcmd)
        case "cluster_stmt":
            return not node.HasField("relation")
        case "reindex_stmt":
            whole = ("REINDEX_OBJECT_SCHEMA", "REINDEX_OBJECT_SYSTEM", "REINDEX_OBJECT_DATABASE")
            return enum(node, "kind") in whole
        case "alter_database_stmt":
            return any(option.def_elem.defname == "tablespace" for option in node.options)
        case "create_subscription_stmt":
            options = _switches(node.options)
            return options.get("create_slot", options.get("connect", True))
        case "alter_subscription_stmt":
            kind = enum(node, "kind")
            refreshed = _switches(node.options).get("refresh", True)
            return kind == "ALTER_SUBSCRIPTION_REFRESH" or (kind in _REFRESHING and refreshed)
    return False


def _switches(options: Any) -> dict[str, bool]:
    """Return the options of a list that say yes or no."""
    found = {}
    for option in options:
        element = option.def_elem
        value = element.arg.boolean.boolval or element.arg.string.sval.lower() in ("true", "on")
        found[element.defname] = value or not element.HasField("arg")
    return found


def is_concurrent(statement: Statement) -> bool:
    """Tell whether a statement is concurrent index or partition work."""
    if statement.kind in ("index_stmt", "drop_stmt"):
        return bool(statement.root.concurrent)
    if statement.kind == "reindex_stmt":
        return any(one.def_elem.defname == "concurrently" for one in statement.root.params)
    return detached_partition(statement) is not None


def detached_partition(statement: Statement) -> tuple[Any, Any] | None:
    """Return parent and child of ``alter table … detach partition … concurrently|finalize``."""
    if statement.kind != "alter_table_stmt":
        return None
    node = statement.node.alter_table_stmt
    for item in node.cmds:
        command = item.alter_table_cmd
        kind, partition = enum(command, "subtype"), getattr(command, "def").partition_cmd
        begun = kind == "AT_DetachPartition" and partition.concurrent
        if begun or kind == "AT_DetachPartitionFinalize":
            return node.relation, partition.name
    return None


def is_rerunnable(statement: Statement) -> bool:
    """Tell whether running a statement a second time is harmless, or found out to be needless."""
    if statement.kind in _IDEMPOTENT:
        return True
    if statement.kind in DATA:
        return False
    node = statement.root
    if statement.kind == "alter_database_stmt":
        return needs_no_transaction(statement)
    if statement.kind == "index_stmt":
        return bool(node.idxname) and (node.concurrent or node.if_not_exists)
    if statement.kind == "drop_stmt" and node.concurrent:
        return True
    if statement.kind.startswith("drop"):
        return bool(getattr(node, "missing_ok", False))
    if statement.kind == "refresh_mat_view_stmt":
        return bool(node.concurrent)
    if statement.kind == "alter_enum_stmt":
        return bool(node.skip_if_new_val_exists)
    if statement.kind == "alter_table_stmt":
        index = enum(node, "objtype") == "OBJECT_INDEX"
        return all(_is_rerunnable_command(item.alter_table_cmd, index) for item in node.cmds)
    return bool(getattr(node, "if_not_exists", False) or getattr(node, "replace", False))


def _is_rerunnable_command(command: Any, index: bool) -> bool:
    kind = enum(command, "subtype")
    if kind == "AT_AttachPartition":  # of an index that is attached already it does nothing
        return index
    if kind in ("AT_ValidateConstraint", "AT_DetachPartitionFinalize"):
        return True
    if kind == "AT_DetachPartition":
        return bool(getattr(command, "def").partition_cmd.concurrent)
    lenient = kind in ("AT_AddColumn", "AT_DropColumn", "AT_DropConstraint")
    return lenient and bool(command.missing_ok)
