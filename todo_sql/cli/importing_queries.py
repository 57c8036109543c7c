"""What `todo-sql import` does with the queries of another tool."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from todo_sql.cli.context import Context
from todo_sql.cli.screen import count_of
from todo_sql.errors import ExitCode, UsageError
from todo_sql.paths import real_path
from todo_sql.sql.source import shown_path

if TYPE_CHECKING:
    from todo_sql.adoption.tools import KnownTool

_SHOWN = 20  # notes


def import_queries(
    context: Context, tool: KnownTool, folder: Path, to: Path | None, *, dry_run: bool
) -> ExitCode:
    """Bring a folder of queries over, and say what is left to do."""
    from todo_sql.adoption import query_import
    from todo_sql.adoption.revisions import Asked
    from todo_sql.compiler.project import check_folder

    config, output = context.own_config, context.output
    root = config.root
    target = real_path(root / to) if to else config.queries
    own = folder if folder.is_dir() else folder.parent
    if target == real_path(own):
        raise UsageError(
            f"{target} is {tool.title}'s own folder",
            fix="name another for the new files: `--to DIR`, and the same as `queries` in the "
            "configuration",
        )
    within = root if folder.is_relative_to(root) else own.parent
    found = query_import.bring(config, tool, folder, Asked(within, config=config))
    analysis = None
    if not dry_run:
        query_import.write(found.files, target, root)
        if query_import.has_migrations(config):
            output.message("checking the queries …")
            analysis = check_folder(config, target)
    shown = shown_path(target, root)
    serious = [f for f in (analysis.findings if analysis else ()) if f.severity != "info"]
    if output.json:
        output.document(
            {
                "tool": tool.name,
                "files": [
                    {
                        "from": one.source.file,
                        "to": f"{shown}/{one.to}",
                        "queries": [
                            {
                                "from": query.head.name,
                                "name": query.name if query.head.cardinality else None,
                                "cardinality": query.head.cardinality,
                                "notes": query.notes,
                            }
                            for query in one.queries
                        ],
                    }
                    for one in found.files
                ],
                "refused": found.refused,
                "warnings": [one for one in found.findings if one.severity != "error"],
                "check": analysis
                and {"queries": len(analysis.described), "findings": analysis.findings},
            }
        )
    else:
        if findings := [*found.findings, *serious]:
            output.findings(findings)
        for one in found.files:
            output.data(f"{one.source.file} -> {shown}/{one.to}: {len(one.queries)}")
        notes = [f"{query.name}: {note}" for query in found.queries for note in query.notes]
        output.some(notes, _SHOWN, "notes", output.message)
        would = "would come over" if dry_run else "came over"
        refused = f", {len(found.refused)} did not" if found.refused else ""
        output.message(f"{count_of(len(found.queries), 'query')} {would}{refused}")
        if analysis is not None:
            things = f"{len(findings)} {'thing is' if len(findings) == 1 else 'things are'}"
            output.message(f"check: {len(analysis.described)} sound; {things} left to do by hand")
        elif not dry_run:
            output.message(
                "they are not checked yet: bring the schema first (`todo-sql import TOOL`, or "
                "`todo-sql init DIR --from URL`), then run `todo-sql check`"
            )
    return ExitCode.FINDINGS if found.refused or serious else ExitCode.OK
