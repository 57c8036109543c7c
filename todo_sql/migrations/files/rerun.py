"""Which statements may run again when nobody knows whether they ran. Pure."""

from __future__ import annotations

from typing import Any

from todo_sql.sql.grammar import Statement

_IDEMPOTENT = {"variable_set_stmt", "vacuum_stmt", "check_point_stmt", "comment_stmt"}


def is_session_setting(statement: Statement) -> bool:
    """Tell whether a statement only sets something in the session: replayed, never skipped."""
    return statement.kind == "variable_set_stmt"


def is_concurrent(statement: Statement) -> bool:
    """Tell whether a statement is concurrent index or partition work."""
    node: Any = getattr(statement.node, statement.kind)
    if statement.kind in ("index_stmt", "drop_stmt"):
        return bool(node.concurrent)
    if statement.kind == "reindex_stmt":
        return any(parameter.def_elem.defname == "concurrently" for parameter in node.params)
    if statement.kind == "alter_table_stmt":
        return detached_partition(statement) is not None
    return False


def detached_partition(statement: Statement) -> tuple[Any, Any] | None:
    """Return parent and child of ``alter table … detach partition … concurrently|finalize``."""
    if statement.kind != "alter_table_stmt":
        return None
    node = statement.node.alter_table_stmt
    for item in node.cmds:
        command = item.alter_table_cmd
        kind = enum_name(command, "subtype")
        partition = getattr(command, "def").partition_cmd
        if kind == "AT_DetachPartitionFinalize" or (
            kind == "AT_DetachPartition" and partition.concurrent
        ):
            return node.relation, partition.name
    return None


def is_rerunnable(statement: Statement) -> bool:
    """Tell whether running a statement a second time is harmless, or found out to be needless."""
    node: Any = getattr(statement.node, statement.kind)
    if statement.kind in _IDEMPOTENT:
        return True
    if statement.kind == "index_stmt":
        return bool(node.idxname) and (node.concurrent or node.if_not_exists)
    if statement.kind == "drop_stmt":
        return bool(node.missing_ok or node.concurrent)
    if statement.kind == "refresh_mat_view_stmt":
        return bool(node.concurrent)
    if statement.kind == "alter_enum_stmt":
        return bool(node.skip_if_new_val_exists)
    if statement.kind == "alter_table_stmt":
        return all(_is_rerunnable_command(item.alter_table_cmd) for item in node.cmds)
    if is_concurrent(statement):
        return True
    return bool(getattr(node, "if_not_exists", False))


def _is_rerunnable_command(command: Any) -> bool:
    kind = enum_name(command, "subtype")
    if kind == "AT_ValidateConstraint" or kind == "AT_DetachPartitionFinalize":
        return True
    if kind == "AT_DetachPartition":
        return bool(getattr(command, "def").partition_cmd.concurrent)
    return kind in ("AT_AddColumn", "AT_DropColumn", "AT_DropConstraint") and bool(
        command.missing_ok
    )


def enum_name(node: Any, field: str) -> str:
    """Return the name of an enumerated field's value, such as ``AT_AddColumn``."""
    enum = node.DESCRIPTOR.fields_by_name[field].enum_type
    return str(enum.values_by_number[getattr(node, field)].name)
