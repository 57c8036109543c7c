"""Examines a live database: each check is one query of doctor.sql."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from todo_sql.catalog.read import Reader, named_queries
from todo_sql.errors import Finding, Severity

if TYPE_CHECKING:
    from psycopg import Connection

    from todo_sql.config import Config

CHECKS: dict[str, tuple[str, Severity]] = {
    "tenant_table_without_row_security": ("K201", "error"),
    "row_security_without_policy": ("K202", "warning"),
    "policy_without_row_security": ("K203", "error"),
    "role_bypasses_policies": ("K204", "error"),
    "granted_too_much": ("K205", "error"),
    "default_privileges_open_tables": ("K206", "error"),
    "definer_on_open_path": ("K207", "error"),
    "view_reads_as_owner": ("K208", "error"),
    "foreign_key_without_index": ("K209", "warning"),
    "invalid_index": ("K210", "error"),
    "duplicate_index": ("K211", "warning"),
    "unused_index": ("K212", "info"),
    "sequence_running_out": ("K213", "error"),
    "partitions_running_out": ("K214", "error"),
    "connections_running_out": ("K215", "warning"),
    "idle_in_transaction": ("K216", "warning"),
    "dead_rows": ("K217", "warning"),
    "slow_queries": ("K218", "warning"),
    "open_schema_on_path": ("K219", "error"),
}
"""Every check, with its code and severity."""

_TENANT = ("tenant_table_without_row_security", "role_bypasses_policies")
_SMALLEST = 1024 * 1024  # an unused index below this is not worth mentioning


def examine(connection: Connection[Any], config: Config) -> list[Finding]:
    """Run every check; read-only."""
    calls: dict[str, dict[str, object]] = {name: {} for name in CHECKS}
    calls["unused_index"] = {"smallest": _SMALLEST}
    if config.tenant is None:
        for name in _TENANT:
            del calls[name]
    else:
        calls["role_bypasses_policies"] = {"tenant_role": config.tenant.role}
        calls["tenant_table_without_row_security"] = {
            "tenant_column": config.tenant.parameter,
            "exempt": list(config.exempt),
        }
    with Reader(connection) as reader:
        installed = reader.many({"statistics_installed": {}})["statistics_installed"]
        if not installed or installed[0]["view"] is None:
            del calls["slow_queries"]
        found = reader.many(calls)
    return [_finding(name, row) for name, rows in found.items() for row in rows]


def _finding(name: str, row: dict[str, Any]) -> Finding:
    code, severity = CHECKS[name]
    said = " ".join(named_queries()[name].doc.split()).rstrip(".")
    said = said[:1].lower() + said[1:]
    return Finding(
        code, severity, f"{row['subject']}: {said}", cause=row["detail"], fix=row["mend"]
    )
