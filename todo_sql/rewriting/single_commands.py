"""One statement for each command of an ALTER TABLE, and words of SQL in small letters. Pure."""

from __future__ import annotations

from copy import deepcopy

from todo_sql.review.linting.tree import enum
from todo_sql.sql.grammar import Statement, deparse, parse, scan

# The order in which PostgreSQL itself carries the commands of one statement out.
_PASSES = (
    ("AT_DropColumn", "AT_DropConstraint", "AT_DropNotNull"),
    ("AT_AlterColumnType", "AT_SetExpression"),
    ("AT_AddColumn",),
    ("AT_AddIdentity", "AT_SetIdentity", "AT_SetNotNull"),
    ("AT_AddIndexConstraint",),
)
_KEYS = ("CONSTR_PRIMARY", "CONSTR_UNIQUE", "CONSTR_EXCLUSION")


def split(statement: Statement) -> list[Statement]:
    """Return a statement, or those that do each of its commands, in an order that works."""
    if statement.kind != "alter_table_stmt" or len(statement.node.alter_table_stmt.cmds) < 2:
        return [statement]
    found = []
    for number, command in enumerate(statement.node.alter_table_stmt.cmds):
        node = deepcopy(statement.node)
        del node.alter_table_stmt.cmds[:]
        node.alter_table_stmt.cmds.append(command)
        (one,) = parse(lowered(deparse(node)))
        found.append((_pass(command.alter_table_cmd), number, one))
    return [one for _, _, one in sorted(found, key=lambda part: part[:2])]


def _pass(command: object) -> int:
    subtype = enum(command, "subtype")
    if subtype == "AT_ColumnDefault":  # one is dropped before another type, and set after it
        return len(_PASSES) + 1 if getattr(command, "def").WhichOneof("node") else 0
    first = next((number for number, names in enumerate(_PASSES) if subtype in names), None)
    if first is not None:
        return first
    if subtype == "AT_AddConstraint":
        constraint = getattr(command, "def").constraint
        return len(_PASSES) + (enum(constraint, "contype") not in _KEYS)
    return len(_PASSES) + 2


def unrenamed(statement: Statement) -> str | None:
    """Return what takes another name, or another schema, back; None: it is no such statement."""
    if statement.kind not in ("rename_stmt", "alter_object_schema_stmt"):
        return None
    node = deepcopy(statement.node)
    if statement.kind == "alter_object_schema_stmt":
        moved = node.alter_object_schema_stmt
        if not moved.HasField("relation"):
            return None
        former = moved.relation.schemaname or "public"
        moved.relation.schemaname, moved.newschema = moved.newschema, former
        return lowered(deparse(node))
    renamed = node.rename_stmt
    if not renamed.subname and not renamed.HasField("relation"):
        return None
    named, field = (renamed, "subname") if renamed.subname else (renamed.relation, "relname")
    former = getattr(named, field)
    setattr(named, field, renamed.newname)
    renamed.newname = former
    return lowered(deparse(node))


def lowered(text: str) -> str:
    """Return SQL with its words in small letters, except in quotes."""
    parts, at = [], 0
    for token in scan(text):
        if token.keyword:
            parts += [text[at : token.start], text[token.start : token.end].lower()]
            at = token.end
    return "".join((*parts, text[at:]))
