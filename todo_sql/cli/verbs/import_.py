"""`todo-sql import`: bring a project over from another tool."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from todo_sql.cli.context import Context
from todo_sql.cli.options import WaitForMigrator, Yes
from todo_sql.cli.screen import count_of
from todo_sql.config import FILE
from todo_sql.errors import ExitCode, UsageError
from todo_sql.paths import real_path
from todo_sql.sql.source import lies_in, shown_path

if TYPE_CHECKING:
    from todo_sql.adoption.carry import CarryPlan
    from todo_sql.adoption.files import Conversion
    from todo_sql.adoption.revisions import Asked
    from todo_sql.adoption.tools import KnownTool, Tool
    from todo_sql.catalog.diff import Difference
    from todo_sql.cli.output import Output

_SHOWN = 20  # notes on files


def command(
    context: Context,
    tool: Annotated[
        str | None,
        Argument(metavar="TOOL", help="Such as alembic, flyway, sqlc; without it: what is here."),
    ] = None,
    folder: Annotated[
        Path | None, Argument(metavar="FOLDER", help="Its migrations; default: where they are.")
    ] = None,
    to: Annotated[
        Path | None, Option(metavar="DIR", help="Where the new files go; default: migrations.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        Option("--set", metavar="NAME=VALUE", help="The value of a placeholder."),
    ] = None,
    which: Annotated[
        list[str] | None,
        Option("--context", metavar="NAME", help="A context or label that is meant."),
    ] = None,
    leave: Annotated[
        list[str] | None,
        Option(metavar="KEY", help="Make a placeholder of what cannot come over."),
    ] = None,
    ledger: Annotated[
        bool, Option("--ledger", help="Carry over what the database says is applied.")
    ] = False,
    table: Annotated[
        str | None, Option(metavar="NAME", help="The other tool's own table, with --ledger.")
    ] = None,
    ignore_missing: Annotated[
        bool, Option("--ignore-missing", help="Pass over what is applied and has no file.")
    ] = False,
    prove: Annotated[
        bool, Option("--prove", help="Make both databases and compare their catalogs.")
    ] = False,
    dry_run: Annotated[bool, Option("--dry-run", "-n", help="Write and record nothing.")] = False,
    yes: Yes = False,
    wait: WaitForMigrator = None,
) -> ExitCode:
    """Bring a project over from another tool: its files, then each database's ledger.

    sqlc, aiosql and PugSQL have queries: these are written as ours, and checked.

    Without TOOL it says what it recognises here, and why. With it, the files are converted;
    no database is needed, and nothing is written if one of them cannot come over. Then, for
    each database, --ledger carries over what was applied there. The old files and the old
    table stay as they are.
    """
    from todo_sql.adoption.revisions import Asked
    from todo_sql.adoption.tools import QUERY_TOOLS, tool_of
    from todo_sql.cli.importing_queries import import_queries

    if tool is None:
        return _recognised(context)
    root = context.own_config.root
    if tool in QUERY_TOOLS:
        if ledger or table or ignore_missing or prove or set_ or which or leave:
            raise UsageError(
                f"{tool} has queries, and no migrations",
                fix="leave out all options but --to and --dry-run",
            )
        kind = QUERY_TOOLS[tool]
        return import_queries(context, kind, _folder(root, kind, folder), to, dry_run=dry_run)
    found = tool_of(tool)
    target = real_path(root / to if to else context.config.migrations)
    if ledger:
        return _carry_over(
            context,
            found,
            target,
            table=table,
            ignore_missing=ignore_missing,
            dry_run=dry_run,
            yes=yes,
            wait=wait,
        )
    source = _folder(root, found, folder)
    if source == target:
        raise UsageError(
            f"{source} is {found.title}'s own folder",
            fix="name another for the new files: `--to DIR`, and the same as `migrations` in the "
            "configuration",
        )
    within = root if source.is_relative_to(root) else source.parent
    asked = Asked(within, _values(set_ or []), tuple(which or ()), context.config)
    left = frozenset(leave or ())
    return _convert(context, found, source, target, asked, left=left, prove=prove, dry_run=dry_run)


def _recognised(context: Context) -> ExitCode:
    from todo_sql.adoption.tools import NAMES, recognise

    root, output = context.config.root, context.output
    found = recognise(root)
    folders = [one.folder.relative_to(root).as_posix() for one in found]
    if output.json:
        listed = [asdict(one) | {"folder": at} for one, at in zip(found, folders, strict=True)]
        output.document({"recognised": listed})
        return ExitCode.OK if found else ExitCode.FINDINGS
    for one, folder in zip(found, folders, strict=True):
        perhaps = "" if one.sure else " (perhaps)"
        output.data(f"{one.tool}{perhaps}: {folder} holds {one.why}")
        output.message(f"  todo-sql import {one.tool} {folder}")
    if not found:
        output.message(f"nothing of another tool is recognised here; one of {', '.join(NAMES)}")
    return ExitCode.OK if found else ExitCode.FINDINGS


def _folder(root: Path, tool: KnownTool, given: Path | None) -> Path:
    """Return the folder of another tool: the one given, else the one that is recognised."""
    from todo_sql.adoption.tools import recognise

    if given is not None:
        if not given.exists():
            raise UsageError(f"there is no {given}", code="A101", fix="name its folder")
        if given.absolute().is_relative_to(root) and not lies_in(given, root):
            raise UsageError(
                f"{given} leads out of the project",
                code="S103",
                cause="another tool's files are read where they lie, and not through a link",
                fix="name the folder itself, if its files are to come over",
            )
        return real_path(given)
    here = [one.folder for one in recognise(root) if one.tool == tool.name]
    if len(here) == 1:
        return here[0]
    several = ", ".join(path.relative_to(root).as_posix() for path in here)
    raise UsageError(
        f"there are several folders of {tool.title}: {several}"
        if here
        else f"no folder of {tool.title} is recognised here",
        code="A101",
        fix=f"name it: `todo-sql import {tool.name} FOLDER`",
    )


def _values(given: list[str]) -> dict[str, str]:
    values = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not name or not equals:
            raise UsageError(f"`--set {one}` is no NAME=VALUE", fix="write `--set name=value`")
        values[name] = value
    return values


def _convert(
    context: Context,
    tool: Tool,
    source: Path,
    target: Path,
    asked: Asked,
    *,
    left: frozenset[str],
    prove: bool,
    dry_run: bool,
) -> ExitCode:
    from todo_sql import writing
    from todo_sql.adoption import files
    from todo_sql.adoption.proof import differences as differing

    output, root = context.output, context.own_config.root
    history = tool.history(source, asked)
    if not history.revisions and not history.findings:
        raise UsageError(
            f"there is no migration of {tool.title} in {source}", code="A101", fix="name its folder"
        )
    if unknown := sorted(left - {one.key for one in history.revisions}):
        raise UsageError(
            f"`--leave {unknown[0]}` is no migration of this folder",
            fix="name it as the other tool's ledger does; the notes and findings show the keys",
        )
    found = files.convert(tool, history, before=files.adopted(target, tool.name), left=left)
    write = not found.refused and not dry_run
    configuration = root / FILE
    if write:
        files.write(found.files, target, root)
        if context.is_new and not configuration.exists():  # the next command finds the files
            name = target.relative_to(root).as_posix()
            writing.write(configuration, f'migrations = "{name}"\n', root)
            output.message(f"wrote {FILE}: migrations = {name}")
    proof = "not run"
    differences: list[Difference] = []
    if prove and write:
        output.message("making both databases …")
        differences = differing(context.config, tool, history, target, source, asked)
        proof = "different" if differences else "equal"
    shown = shown_path(target, root)
    if output.json:
        output.document(
            {
                "tool": tool.name,
                "files": [
                    {
                        "from": one.revision.file,
                        "key": one.revision.key,
                        "to": f"{shown}/{one.path}",
                        "rollback": one.rollback and f"{shown}/{one.rollback_name}",
                        "notes": one.notes,
                    }
                    for one in found.files
                ],
                "kept": found.kept,
                "refused": found.refused,
                "warnings": [one for one in found.findings if one.severity != "error"],
                "ledger": None,
                "proof": proof,
                "differences": [one.item.key for one in differences],
                "table": history.table,
            }
        )
    else:
        _show(output, found, shown, dry_run=dry_run)
        for one in differences[:_SHOWN]:
            mark = "+" if one.before is None else "-" if one.after is None else "~"
            output.data(f"{mark} {one.item.key}")
        if proof == "equal":
            output.message("proof: both ways make the same catalog")
        elif differences:
            output.message(f"proof: the two ways differ in {count_of(len(differences), 'object')}")
        if write:
            named = f" --table {history.table}" if history.table else ""
            words = f"`todo-sql import {tool.name} --ledger{named} --dry-run`"
            output.message(f"next, for each database: {words}")
    return ExitCode.FINDINGS if found.refused or differences else ExitCode.OK


def _show(output: Output, found: Conversion, shown: str, *, dry_run: bool) -> None:
    if found.findings:
        output.findings(found.findings)
    if found.refused:
        output.message(
            f"{count_of(len(found.refused), 'thing')} cannot come over; nothing was written. "
            "Correct them, or make placeholders of their files with `--leave KEY`"
        )
        return
    for one in found.files:
        output.data(f"{one.revision.file} -> {shown}/{one.path}")
    notes = [f"{one.revision.file}: {note}" for one in found.files for note in one.notes]
    output.some(notes, _SHOWN, "notes", output.message)
    kept = f"; {found.kept} came over before" if found.kept else ""
    backs = sum(one.rollback is not None for one in found.files)
    would = "would come over" if dry_run else "came over"
    output.message(f"{count_of(len(found.files))} {would}, {backs} with a way back{kept}")


def _carry_over(
    context: Context,
    tool: Tool,
    target: Path,
    *,
    table: str | None,
    ignore_missing: bool,
    dry_run: bool,
    yes: bool,
    wait: float | None,
) -> ExitCode:
    from todo_sql.adoption.carry import carry_over
    from todo_sql.adoption.files import adopted
    from todo_sql.cli.migrating import OnlyShown, migrator_of

    output = context.output
    files = [one for one in adopted(target, tool.name) if one.id[:14].isdigit()]
    if not files:
        raise UsageError(
            f"no file in {target} came over from {tool.title}",
            code="A125",
            fix=f"first `todo-sql import {tool.name} FOLDER`, which writes them",
        )
    shown: list[CarryPlan] = []

    def confirm(plan: CarryPlan) -> None:
        shown.append(plan)
        if not output.json:
            for word, ids in (("applied", plan.recorded), ("pending", plan.pending)):
                for id in ids:
                    output.data(f"{word}  {id}")
            for finding in plan.findings:
                output.warn_of(finding)
            output.message(
                f"{plan.table}: {len(plan.recorded)} applied, {len(plan.pending)} pending, "
                f"{len(plan.known)} recorded here before"
            )
        if dry_run:
            raise OnlyShown
        if plan.recorded:
            output.confirm("Record these in the ledger?", yes=yes)

    with migrator_of(context, str(target)) as migrator, suppress(OnlyShown):
        carry_over(
            migrator,
            tool.name,
            tool.ledger,
            files,
            table=table,
            ignore_missing=ignore_missing,
            confirm=confirm,
            wait=wait,
        )
    plan = shown[0]
    if output.json:
        output.document(
            {
                "tool": tool.name,
                "files": [],
                "refused": [],
                "warnings": plan.findings,
                "ledger": {"table": plan.table, **plan.as_dict()},
                "dry_run": dry_run,
                "proof": "not run",
            }
        )
    elif not dry_run:
        output.message(f"{count_of(len(plan.recorded))} recorded as applied")
        output.message(
            f"{plan.table} stays; once every database came over, put "
            f"`drop table {plan.table};` into a migration, and until then "
            f'`ignore = ["table {plan.table}"]` into the configuration, for `drift`'
        )
    return ExitCode.OK
