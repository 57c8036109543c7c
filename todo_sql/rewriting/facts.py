"""What a command of a migration does to tables in use, read from the copy it was tried on. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from todo_sql.rewriting.additions import Additions
from todo_sql.rewriting.alterations import Alterations
from todo_sql.rewriting.moves import Moves
from todo_sql.rewriting.recipe import Hazard
from todo_sql.rewriting.rehearsal import Rehearsed

_REINDEX = re.compile(
    r"(reindex\s*(?:\([^)]*\)\s*)?(?:table|index|schema|database))\s+(?!concurrently\b)(.+)",
    re.IGNORECASE | re.DOTALL,
)


def hazards_of(
    piece: Rehearsed, made: frozenset[str], renamed: Mapping[str, str]
) -> list[Hazard] | None:
    """Return what a command does, part by part; None: it may stay as it is.

    Args:
        piece: The command.
        made: Keys of what the migration itself made before it: columns, tables.
        renamed: By the qualified name of a table now, the one that it had before the migration.
    """
    found = list(_Effects(piece, made, renamed).hazards())
    flags = {f"from{major}" for major in (16, 17, 18) if piece.after.version >= major * 10000}
    return [replace(one, flags=one.flags | flags) for one in found] or None


class _Effects(Additions, Alterations, Moves):
    def hazards(self) -> Iterator[Hazard]:
        piece = self.piece
        words = {"statement": piece.statement.text}
        match piece.statement.kind, piece.subtype:
            case "alter_table_stmt", "AT_AttachPartition" if piece.slow:
                yield from self.attached()
            case "alter_table_stmt", "AT_DropColumn":
                yield from self.dropped_column()
            case "alter_table_stmt", "AT_AlterColumnType" if piece.slow:
                yield from self.type_changed()
            case "alter_table_stmt", "AT_ValidateConstraint":
                yield Hazard("validate", words)
            case ("alter_table_stmt" | "index_stmt", _) if piece.slow:
                yield from self.added()
            case "rename_stmt", _:
                yield from self.renamed_relation()
            case "drop_stmt", _:
                yield from self.dropped()
            case "alter_enum_stmt", _ if piece.node.new_val and not piece.node.old_val:
                yield Hazard("enum_value", words)
            case "reindex_stmt", _:
                found = _REINDEX.fullmatch(piece.statement.text)
                if found:
                    yield Hazard("reindex", {"head": found[1], "target": found[2]})
            case "refresh_mat_view_stmt", _ if not piece.node.concurrent:
                yield from self.refreshed()
            case "cluster_stmt", _:
                yield from self.clustered()
            case "vacuum_stmt", _ if self.is_full_vacuum():
                yield from self.vacuumed()
            case (("update_stmt" | "delete_stmt" | "insert_stmt"), _):
                yield from self.written()
            case _ if piece.slow:
                yield Hazard("other", words)
