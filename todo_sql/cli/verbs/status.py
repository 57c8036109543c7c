"""`todo-sql status`: the state of every migration."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from todo_sql.cli.context import Context
from todo_sql.cli.migrating import clock, migrator_of
from todo_sql.cli.options import Migrations
from todo_sql.cli.screen import Part
from todo_sql.errors import ExitCode

if TYPE_CHECKING:
    from todo_sql.migrations.pending import Entry
    from todo_sql.migrations.repeating import RepeatableEntry
    from todo_sql.migrations.succession import Succession

_COLOURS = {
    "applied": "green",
    "pending": "bold yellow",
    "modified": "bold red",
    "missing": "bold red",
    "out_of_order": "bold red",
    "failed": "bold red",
    "waiting": "cyan",
}


def command(
    context: Context,
    wait: Annotated[
        float | None,
        Option(metavar="SECONDS", min=0, help="How long to wait for the server."),
    ] = None,
    migrations: Migrations = None,
) -> ExitCode:
    """Show the state of every migration; read-only, takes no lock.

    Exit code 0 if each is applied as its file stands, pending, or waiting for a release, else 1:
    modified, missing, out of order, failed. `migrate --check` exits 1 if anything is pending.
    """
    with migrator_of(context, migrations) as migrator:
        status = migrator.status(wait=wait)
    output = context.output
    states = [entry.state.value for entry in status.entries]
    states += [entry.state.value for entry in status.repeatables]
    clean = all(state in ("applied", "pending", "waiting") for state in states)
    code = ExitCode.OK if clean else ExitCode.FINDINGS
    if output.json:
        former = {one.migration.id: [row.id for row in one.former] for one in status.successions}
        entries = [
            _as_json(entry) | {"recorded_as": former.get(entry.id, [])} for entry in status.entries
        ]
        place = {"database": status.database, "ledger": status.schema}
        repeatables = [_facts(entry) for entry in status.repeatables]
        output.document(place | {"migrations": entries, "repeatables": repeatables})
        return code
    names: tuple[str, ...] = ("state", "migration", "applied at (UTC)", "ms", "rollback", "")
    found = {one.migration.id: one for one in status.successions}
    rows = []
    for entry in status.entries:
        remark = _replacing(found[entry.id]) if entry.id in found else _remark(entry)
        rows.append(_row(entry, _rollback(entry), remark))
    rows += [_repeatable_row(entry) for entry in status.repeatables]
    if not output.out.has_room(names, rows):
        names, rows = (*names[:3], ""), [_short(row) for row in rows]
    styles = {state.replace("_", " "): colour for state, colour in _COLOURS.items()}
    output.out.table(names, rows, styles)
    counts = Counter(states)
    ledger = f"ledger in schema {status.schema}" if status.ledger else "no ledger yet"
    summary: list[Part] = [f"{status.database} ({ledger})"]
    for state, colour in _COLOURS.items():
        if counts[state]:
            summary.append(", " if summary[1:] else ": ")
            summary.append((f"{counts[state]} {state.replace('_', ' ')}", colour))
    output.message(*summary, *([] if summary[1:] else [": no migrations"]))
    return code


def _rollback(entry: Entry) -> str:
    return entry.migration.undoing if entry.migration else "missing"


def _as_json(entry: Entry) -> dict[str, Any]:
    found = _facts(entry)
    if entry.recorded is None and entry.migration:
        found["checksum"] = entry.migration.forward.checksum
    return found | {"rollback": _rollback(entry)} | _batches(entry) | _waiting(entry)


def _facts(entry: Entry | RepeatableEntry) -> dict[str, Any]:
    """Return what the ledger says of a file."""
    recorded = entry.recorded
    when = recorded.applied_at if recorded else None
    return {
        "id": entry.id,
        "state": entry.state.value,
        "applied_at": when.isoformat() + "Z" if when else None,
        "duration_ms": recorded.duration_ms if recorded else None,
        "checksum": recorded.checksum if recorded else None,
    }


def _waiting(entry: Entry) -> dict[str, Any]:
    """Return of which phase a migration is, if it is of the later one, and how long it waits."""
    found: dict[str, Any] = {}
    if entry.migration and entry.migration.forward.directives.contracts:
        found["phase"] = "contract"
    if entry.since is not None:
        found["waiting_since"] = entry.since.isoformat() + "Z"
    return found | ({"waits_with": list(entry.holding)} if entry.holding else {})


def _batches(entry: Entry) -> dict[str, Any]:
    """Return how far a statement has come that runs in batches, where one has begun."""
    progress = entry.recorded.progress if entry.recorded else None
    state = progress.batch if progress else None
    if state is None:
        return {}
    left = state.seconds_left
    words = {
        "rows": state.rows,
        "keys": state.keys,
        "estimate": state.estimate,
        "share": round(state.share, 4),
        "seconds": round(state.seconds, 3),
        "seconds_left": None if left is None else round(left, 3),
    }
    return {"batches": words}


def _row(entry: Entry | RepeatableEntry, rollback: str, remark: str) -> tuple[object, ...]:
    recorded = entry.recorded
    when = recorded.applied_at if recorded else None
    return (
        entry.state.value.replace("_", " "),
        entry.id,
        f"{when:%Y-%m-%d %H:%M}" if when else "",
        recorded.duration_ms if recorded else "",
        rollback,
        remark,
    )


def _repeatable_row(entry: RepeatableEntry) -> tuple[object, ...]:
    recorded, remark = entry.recorded, ""
    if recorded and entry.state == "pending" and entry.script:
        remark = f"its text changed: was {recorded.checksum[:12]}, is {entry.script.checksum[:12]}"
    elif entry.state == "missing":
        remark = "what it made stays; `todo-sql repair` strikes it from the ledger"
    return _row(entry, "former text" if recorded else "", remark)


def _replacing(found: Succession) -> str:
    count, every = len(found.former), len(found.migration.forward.directives.replaces)
    if found.complete:
        return f"recorded as {count}: the next `migrate` records it in their place"
    return f"replaces {every}, of which {count} are recorded: `migrate` says what to do"


def _short(row: tuple[object, ...]) -> tuple[object, ...]:
    """Return a row for a narrow terminal: what is usual is left out."""
    rollback = {"file": "", "nothing": "", "missing": "no rollback"}.get(str(row[4]), str(row[4]))
    return (*row[:3], "; ".join(filter(None, (rollback, str(row[5])))))


def _remark(entry: Entry) -> str:
    recorded = entry.recorded
    if entry.state == "waiting" and entry.since is not None:
        age = datetime.now(UTC) - entry.since.replace(tzinfo=UTC)
        old = f"{age.days} days" if age.days > 1 else clock(age.total_seconds())
        whom = f"with {', '.join(entry.holding)}" if entry.holding else "for `--phase contract`"
        return f"has waited {old} {whom}"
    if recorded is None:
        contracts = entry.migration and entry.migration.forward.directives.contracts
        return "of the contract phase" if contracts else ""
    if entry.state == "modified" and entry.migration:
        script = entry.migration.forward
        changed = datetime.fromtimestamp(script.path.stat().st_mtime, UTC)
        was, now = (recorded.checksum or "")[:12], script.checksum[:12]
        return f"file of {changed:%Y-%m-%d %H:%M:%S} UTC, was {was}, is {now}"
    if entry.state == "missing":
        by = f"by todo-sql {recorded.tool_version}" if recorded.tool_version else "by plain yoyo"
        return f"applied {by}, checksum {(recorded.checksum or 'unknown')[:12]}"
    if entry.state == "failed" and recorded.progress:
        if batch := recorded.progress.batch:
            left = batch.seconds_left
            ends = "" if left is None else f", about {clock(left)} left"
            return f"{recorded.progress.direction} stopped at {batch}{ends}"
        done = sum(step.done for step in recorded.progress.steps)
        return f"{recorded.progress.direction} stopped after statement {done}"
    if entry.state == "applied" and recorded.checksum is None:
        return "unverified: recorded by plain yoyo"
    return ""
