"""Examines a live database: each check is one query of doctor.sql."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from todo_sql.catalog.read import many, reading
from todo_sql.errors import Finding, Severity
from todo_sql.queries.own import named_queries

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
    "constraint_not_valid": ("K220", "warning"),
    "table_without_key": ("K221", "warning"),
    "wraparound": ("K222", "error"),
    "bloat": ("K223", "info"),
    "never_analysed": ("K224", "info"),
    "login_has_settings": ("K225", "info"),
}
"""Every check, with its code and severity."""

_TENANT = ("tenant_table_without_row_security", "role_bypasses_policies", "login_has_settings")
_DROPPING = ("duplicate_index", "unused_index")


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From where on something is worth mentioning.

    Attributes:
        smallest: Bytes of an unused index, or of a table that was never analysed.
        wasted: Bytes that a table takes beyond what its rows need.
        oldest: The age of a transaction number.
    """

    smallest: int = 1024 * 1024
    wasted: int = 64 * 1024 * 1024
    oldest: int = 500_000_000


@dataclass(frozen=True, slots=True)
class Examination:
    """What the checks found.

    Attributes:
        findings: By check.
        made: The checks that saw all that they look at.
        skipped: The others, and what each did not see.
    """

    findings: tuple[Finding, ...]
    made: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...]


def examine(
    connection: Connection[Any],
    config: Config,
    migrated: Callable[[], Collection[str]] = tuple,
    thresholds: Thresholds | None = None,
) -> Examination:
    """Run every check; read-only.

    Args:
        connection: To the database, in autocommit mode.
        config: The project, which says what a tenant is.
        migrated: Returns the indexes that migrations make, as ``schema.name``; asked for only
            where some index could be dropped. A TodoSqlError of it leaves those checks out.
        thresholds: From where on something counts; default: those of every day.
    """
    from psycopg import Error

    from todo_sql.errors import TodoSqlError

    thresholds = thresholds or Thresholds()
    calls = _calls(config, thresholds)
    skipped: list[tuple[str, str]] = []
    found: dict[str, list[dict[str, Any]]] = {}
    with reading(connection):
        hidden = {"tenant_role": config.tenant.role if config.tenant else None}
        blind = many(connection, {"not_looked_at": hidden})["not_looked_at"]
        skipped += [(row["name"], row["reason"]) for row in blind if row["name"] in calls]
        if not many(connection, {"statistics_installed": {}})["statistics_installed"]:
            del calls["slow_queries"]
        for name, arguments in calls.items():
            try:
                with connection.transaction():  # a savepoint: one check that fails ends no other
                    found |= many(connection, {name: arguments})
            except Error as error:
                skipped.append((name, str(error).strip().splitlines()[0]))
        if any(found.get(name) for name in _DROPPING):
            try:
                made = sorted(migrated())
            except TodoSqlError as error:
                reason = f"the migrated schema cannot be had: {error.finding.message}"
                skipped += [(name, reason) for name in _DROPPING if found.pop(name, None)]
            else:
                for name in _DROPPING:
                    if name in found:
                        found |= many(connection, {name: {**calls[name], "migrated": made}})
    unseen = {name for name, _ in skipped}
    return Examination(
        tuple(_finding(name, row) for name in CHECKS for row in found.get(name, ())),
        tuple(name for name in found if name not in unseen),
        tuple(skipped),
    )


def _calls(config: Config, thresholds: Thresholds) -> dict[str, dict[str, object]]:
    """Return the checks that this project has, with their arguments."""
    tenant = config.tenant
    calls: dict[str, dict[str, object]] = {name: {} for name in CHECKS} | {
        "granted_too_much": {"isolated": tenant is not None},
        "view_reads_as_owner": {"isolated": tenant is not None},
        "duplicate_index": {"migrated": []},
        "unused_index": {"smallest": thresholds.smallest, "migrated": []},
        "never_analysed": {"smallest": thresholds.smallest},
        "wraparound": {"oldest": thresholds.oldest},
        "bloat": {"wasted": thresholds.wasted},
    }
    if tenant is None:
        return {name: arguments for name, arguments in calls.items() if name not in _TENANT}
    calls["tenant_table_without_row_security"] = {
        "tenant_column": tenant.parameter,
        "exempt": list(config.exempt),
    }
    calls["role_bypasses_policies"] = calls["login_has_settings"] = {"tenant_role": tenant.role}
    return calls


def _finding(name: str, row: dict[str, Any]) -> Finding:
    code, severity = CHECKS[name]
    said = " ".join(named_queries(__package__)[name].doc.split()).rstrip(".")
    message = f"{row['subject']}: {said[:1].lower()}{said[1:]}"
    return Finding(code, severity, message, cause=row["detail"], fix=row["mend"])
