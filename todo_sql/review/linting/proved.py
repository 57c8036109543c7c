"""What squawk cannot know, which reads one file at a time. Pure.

SET NOT NULL scans nothing where a validated CHECK has proved it in an earlier statement: it is
the last step of the way that squawk itself recommends. A partitioned table has no rows of its
own: what is said of ONLY it builds and reads nothing, and no index on it is built concurrently.
Nobody's program knows the name of an index.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from todo_sql.errors import Finding
from todo_sql.review.linting.reviewed import File
from todo_sql.review.linting.schema_model import placed, schema_of
from todo_sql.review.linting.tree import enum, relation, strings
from todo_sql.sql.grammar import Statement

_NOT_NULL = "adding-not-nullable-field"
_INDEX = "require-concurrent-index-creation"
_OF_ROWS = (
    *(_NOT_NULL, _INDEX, "constraint-missing-not-valid", "disallowed-unique-constraint"),
    "adding-serial-primary-key-field",
)
_RENAMED = "renaming-object"
_EACH = (
    "an index on a partitioned table cannot be created concurrently: create it `on only` the "
    "table, one concurrently on each partition, and attach them (alter index … attach partition)"
)


@dataclass(slots=True)
class _TableFacts:
    """A table: by the name of a CHECK its column, and the columns proved to have no nulls."""

    partitioned: bool = False
    claims: dict[str, str] = field(default_factory=dict)
    proved: set[str] = field(default_factory=set)


def unproved(findings: Iterable[Finding], files: Iterable[File]) -> list[Finding]:
    """Return squawk's findings that stand, and what helps, for all that the history says."""
    found = list(findings)
    if not {one.code for one in found} & {*_OF_ROWS, _RENAMED}:
        return found
    untrue = {
        (code, *where)
        for file, statement, codes in _untrue(files)
        for where in _lines_of(file, statement)
        for code in codes
    }
    kept = []
    for one in found:
        where = (one.place.file, one.place.line) if one.place else ("", 0)
        if (one.code, *where) not in untrue:
            other = ("", *where) in untrue and one.code == _INDEX
            kept.append(replace(one, fix=_EACH) if other else one)
    return kept


def _untrue(files: Iterable[File]) -> Iterator[tuple[File, Statement, tuple[str, ...]]]:
    """Yield the statements of which squawk says something untrue, and its codes; "": the fix."""
    tables: dict[str, _TableFacts] = defaultdict(_TableFacts)
    for file in files:
        for statement in file.statements if file.kind == "migration" else ():
            kind = statement.kind
            if kind not in ("create_stmt", "alter_table_stmt", "index_stmt", "rename_stmt"):
                continue
            command = getattr(statement.node, kind)
            known = tables[table := relation(command.relation)]
            if kind == "create_stmt":
                tables[table] = _TableFacts(command.HasField("partspec"))
            elif kind == "rename_stmt":
                if enum(command, "rename_type") == "OBJECT_INDEX":
                    yield file, statement, (_RENAMED,)
                elif enum(command, "rename_type") == "OBJECT_TABLE":
                    tables[placed(schema_of(table), command.newname)] = tables.pop(table)
            elif known.partitioned and not command.relation.inh:
                yield file, statement, _OF_ROWS
            elif kind == "index_stmt" and known.partitioned:
                yield file, statement, ("",)
            elif kind == "alter_table_stmt":
                changes = [node.alter_table_cmd for node in command.cmds]
                if all(
                    enum(change, "subtype") == "AT_SetNotNull" and change.name in known.proved
                    for change in changes
                ):
                    yield file, statement, (_NOT_NULL,)
                for change in changes:
                    _follow(change, known)


def _follow(change: Any, known: _TableFacts) -> None:
    match enum(change, "subtype"):
        case "AT_AddConstraint":
            constraint = getattr(change, "def").constraint
            column = _claimed(constraint)
            if column is not None:
                known.claims[constraint.conname] = column
                if not constraint.skip_validation:
                    known.proved.add(column)
        case "AT_ValidateConstraint" if change.name in known.claims:
            known.proved.add(known.claims[change.name])
        case "AT_DropConstraint" if change.name in known.claims:
            known.proved.discard(known.claims.pop(change.name))
        case "AT_DropColumn":
            known.proved.discard(change.name)
            known.claims = {name: of for name, of in known.claims.items() if of != change.name}


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
