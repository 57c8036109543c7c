"""`todo-sql drift`: compare the live schema with the migrations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from todo_sql.cli.context import Context
from todo_sql.cli.options import Format
from todo_sql.cli.screen import count_of, in_a_line
from todo_sql.errors import ExitCode, indented

if TYPE_CHECKING:
    from todo_sql.catalog.snapshot import Snapshot


def command(context: Context, format: Format = "text") -> ExitCode:
    """Show what the live schema has that the applied migrations do not make, and the reverse."""
    from todo_sql.review.drift import drift

    config, output = context.config, context.output
    output.annotating = format == "github"
    live, made, applied = live_and_migrated(context)
    found = drift(live, made, config.ignore)
    if output.json:
        output.document({"drift": found, "findings": [one.finding for one in found]})
    elif output.annotating:
        output.findings([one.finding for one in found], format)
    else:
        for one in found:
            key = in_a_line(one.difference.item.key)
            output.data(f"{one.mark} {key}  ", (f"[{one.finding.code}]", "dim"))
            for side in one.sides():
                output.data(f"    -- {in_a_line(side)}")
            for statement in one.statements:
                text = f"{statement};"
                if statement.startswith("--"):
                    text = in_a_line(statement)
                elif not statement.lower().startswith("create or replace "):
                    text = indented(text)  # a body stays itself
                output.data(f"    {text}")
    those = f"the {count_of(applied, 'applied migration')}"
    differ, make = ("s" if number == 1 else "" for number in (len(found), applied))
    output.message(
        f"{count_of(len(found), 'object')} differ{differ} from {those}"
        if found
        else f"no drift: the schema is what {those} make{make}"
    )
    return ExitCode.FINDINGS if found else ExitCode.OK


def live_and_migrated(context: Context) -> tuple[Snapshot, Snapshot, int]:
    """Return the live catalog, what the applied migrations make, and how many they are."""
    from dataclasses import replace

    import psycopg

    from todo_sql.migrations.files.beside import load_project
    from todo_sql.migrations.migrator import Migrator
    from todo_sql.migrations.pending import State
    from todo_sql.migrations.repeating import in_order
    from todo_sql.review.compared import both

    config = context.config
    migrations, url = load_project(config), context.direct_url()
    migrator = Migrator(url, migrations, ledger=config.ledger)
    status = migrator.status()
    done = (State.APPLIED, State.MODIFIED)
    there = [entry for entry in status.entries if entry.state in done]
    applied = tuple(entry.migration for entry in there if entry.migration)
    current = all(entry.state is State.APPLIED for entry in status.repeatables)
    ran = migrations.repeatables if current else in_order(migrator.texts().values())
    chosen = replace(migrations, migrations=applied, repeatables=ran)
    with (
        psycopg.connect(url, autocommit=True) as connection,
        both(config, connection, chosen, cached=current and len(chosen) == len(migrations)) as (
            live,
            made,
        ),
    ):
        pass
    for entry in status.entries:
        if entry.state not in done:
            context.output.message(f"{entry.state.value}: {entry.id} is left out of the comparison")
    for one in status.repeatables:
        if one.state is not State.APPLIED:
            before = "the text that ran last" if one.recorded else "nothing"
            context.output.message(f"{one.state.value}: {one.id} is compared with {before}")
    return live, made, len(applied)
