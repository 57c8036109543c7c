"""Where SET NOT NULL scans nothing: a validated CHECK has proved it in an earlier statement. Pure.

squawk reads one file at a time, and so warns of the last step of the way that it recommends.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from todo_sql.errors import Finding
from todo_sql.review.linting.reviewed import File
from todo_sql.review.linting.tree import enum, relation, strings
from todo_sql.sql.grammar import Statement

_SQUAWK = "adding-not-nullable-field"


def unproved(findings: Iterable[Finding], files: Iterable[File]) -> list[Finding]:
    """Return squawk's findings without those on a NOT NULL that a CHECK has proved."""
    lines = _proved_lines(files)
    return [
        finding
        for finding in findings
        if finding.code != _SQUAWK
        or finding.place is None
        or (finding.place.file, finding.place.line) not in lines
    ]


def _proved_lines(files: Iterable[File]) -> set[tuple[str, int]]:
    """Return file and line of every statement that sets nothing but proved columns NOT NULL."""
    claims: dict[tuple[str, str], str] = {}  # the column of a CHECK, by table and name
    proved: set[tuple[str, str]] = set()
    lines: set[tuple[str, int]] = set()
    for file in files:
        if file.kind != "migration":
            continue
        for statement in file.statements:
            if statement.kind != "alter_table_stmt":
                continue
            command = statement.node.alter_table_stmt
            table = relation(command.relation)
            changes = [node.alter_table_cmd for node in command.cmds]
            if all(
                enum(change, "subtype") == "AT_SetNotNull" and (table, change.name) in proved
                for change in changes
            ):
                lines |= _lines_of(file, statement)
            for change in changes:
                _follow(table, change, claims, proved)
    return lines


def _follow(
    table: str, change: Any, claims: dict[tuple[str, str], str], proved: set[tuple[str, str]]
) -> None:
    match enum(change, "subtype"):
        case "AT_AddConstraint":
            constraint = getattr(change, "def").constraint
            column = _claimed(constraint)
            if column is not None:
                claims[table, constraint.conname] = column
                if not constraint.skip_validation:
                    proved.add((table, column))
        case "AT_ValidateConstraint" if (table, change.name) in claims:
            proved.add((table, claims[table, change.name]))
        case "AT_DropConstraint" if (table, change.name) in claims:
            proved.discard((table, claims.pop((table, change.name))))


def _claimed(constraint: Any) -> str | None:
    """Return the column of ``check (column is not null)``, else None."""
    test = constraint.raw_expr.null_test
    if enum(constraint, "contype") != "CONSTR_CHECK" or not test.arg.HasField("column_ref"):
        return None
    names = strings(test.arg.column_ref.fields)
    return names[-1] if names and enum(test, "nulltesttype") == "IS_NOT_NULL" else None


def _lines_of(file: File, statement: Statement) -> set[tuple[str, int]]:
    first = file.source.place(statement.start).line
    last = file.source.place(max(statement.start, statement.end - 1)).line
    return {(file.name, line) for line in range(first, last + 1)}
