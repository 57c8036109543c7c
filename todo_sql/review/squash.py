"""One pair of files in place of a history of migrations, proved on scratch databases.

The history and the pair must make the same catalog and the same rows; the pair's rollback
must leave nothing; and the migrations after it must lead to the same end as before.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg

from todo_sql import writing
from todo_sql.catalog import schema_sql
from todo_sql.catalog.ddl import BY_HAND
from todo_sql.catalog.diff import compare
from todo_sql.catalog.mend import mend
from todo_sql.catalog.read import keep_prepared
from todo_sql.catalog.snapshot import Snapshot, take
from todo_sql.compiler.scratch import empty_database, scratch_server
from todo_sql.config import Config
from todo_sql.errors import Finding, FindingsError, TodoSqlError
from todo_sql.migrations.files.directives import OF_FATE, Replaced
from todo_sql.migrations.files.folder import SQUASHED, load
from todo_sql.migrations.files.migration import Migration, MigrationSet, Script, scripts_of
from todo_sql.migrations.migration_errors import PlanError
from todo_sql.migrations.migrator import Migrator
from todo_sql.migrations.pending import find
from todo_sql.review import reference_rows
from todo_sql.review.drift import ended
from todo_sql.review.reference_rows import Reference

_OF_ROLES = re.compile(r"\b(create|alter|drop)\s+(role|user|group)\b", re.IGNORECASE)
_ROLE_STATEMENT = re.compile(r"(create|alter|grant|drop)_role_stmt|alter_role_set_stmt")


@dataclass(frozen=True)
class Squash:
    """A pair in place of a history; nothing is written yet.

    Attributes:
        id: Of the pair: the version of the last that it replaces.
        folder: Where it is to stand.
        replaced: The migrations.
        rows: How many rows it inserts, by table.
        by_default: The columns of these that are left to their defaults, by table.
    """

    id: str
    folder: Path
    forward: str
    rollback: str
    replaced: tuple[Migration, ...]
    rest: tuple[Migration, ...]
    rows: dict[str, int]
    by_default: dict[str, list[str]]

    def among(self, migrations: MigrationSet, rest: Sequence[Migration] = ()) -> MigrationSet:
        """Return a project that has the pair in place of its first migrations."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / f"{self.id}.sql").write_text(self.forward, encoding="utf-8")
            (folder / f"{self.id}.rollback.sql").write_text(self.rollback, encoding="utf-8")
            made = load(folder, folder).migrations
        return replace(migrations, migrations=(*made, *rest))


def squash(config: Config, migrations: MigrationSet, to: str) -> Squash:
    """Return what replaces the history up to an id, proved.

    Args:
        to: The last one, id or version, included.

    Raises:
        PlanError: There is no history to replace.
        FindingsError: It cannot be replaced; every reason is in it.
    """
    last = find(migrations, to)
    count = migrations.migrations.index(last) + 1
    chosen, rest = migrations.migrations[:count], migrations.migrations[count:]
    if count < 2:
        raise PlanError(
            f"{last.id} is the first migration: there is no history before it",
            code="M250",
            cause="nothing was written",
            fix="name a later one: everything up to it, included, becomes one pair",
        )
    # All of one folder come before the next: what is added to the first stands on the pair.
    folder = _folder_of(min(chosen, key=lambda one: one.rank), config)
    id = _id(last, {one.id for one in chosen})
    bare = replace(migrations, migrations=chosen, repeatables=(), hooks={})
    with ExitStack() as stack:
        first = _Rehearsal(stack, config, bare)
        empty = first.take()
        first.migrator.migrate()
        made, data = first.take(), first.data()
        again = data
        if data.tables:
            second = _Rehearsal(stack, config, bare)
            second.migrator.migrate()
            again = second.data()
        reference = Reference(made, data, again)
        problems = reference.problems
        written = schema_of(empty, made, list(_roles(chosen, made)))
        problems += [
            Finding.error(
                "M252",
                f"no statement is known that would {text.removeprefix(BY_HAND)}",
                fix="squash up to the migration before the one that makes it (`--to`)",
            )
            for text in written
            if text.startswith(BY_HAND)
        ]
        _refuse(problems, id)
        written += [f"{text};" for text in reference.statements()]
        written += forced(empty, made)  # inserts and refreshes would fail for the owner
        back = "\n\n".join(_undoing(made, empty, chosen)) + "\n"
        kept = f"-- Undoes {id}: everything that it made.\n\n{back}"
        forward = "\n\n".join([_head(chosen), *written]) + "\n"
        counts, by_default = reference.counts, reference.by_default
        pair = Squash(id, folder, forward, kept, chosen, rest, counts, by_default)
        trial = _Rehearsal(stack, config, pair.among(bare))
        _try(trial.migrator.migrate, id)
        advances = [f"{text};" for text in reference.advances(trial.data())]
        if advances:
            pair = replace(pair, forward=pair.forward + "\n" + "\n".join(advances) + "\n")
            trial = _Rehearsal(stack, config, pair.among(bare))
            _try(trial.migrator.migrate, id)
        _hides_nothing(bare, pair)
        _prove(id, "makes", made, trial.take(), reference.differs(trial.data()))
        _try(lambda: trial.migrator.rollback(steps=1), id)
        _prove(id, "leaves, rolled back,", empty, trial.take())
        _try(trial.migrator.migrate, id)
        _prove(id, "makes, applied again,", made, trial.take(), reference.differs(trial.data()))
        if rest:
            whole = replace(migrations, hooks={})
            Migrator(first.url, whole).migrate()
            _try(Migrator(trial.url, pair.among(whole, rest)).migrate, id)
            _prove(id, "and the migrations after it make", first.take(), trial.take())
    return pair


class _Rehearsal:
    """A scratch database for some migrations."""

    def __init__(self, stack: ExitStack, config: Config, migrations: MigrationSet) -> None:
        self.url = stack.enter_context(empty_database(scratch_server(config)))
        self._connection = stack.enter_context(psycopg.connect(self.url, autocommit=True))
        keep_prepared(self._connection)
        self.migrator = Migrator(self.url, migrations)

    def take(self) -> Snapshot:
        return take(self._connection)

    def data(self) -> reference_rows.Data:
        snapshot = self.take()
        with self._connection.transaction(force_rollback=True):
            return reference_rows.read(self._connection, snapshot)


def _id(last: Migration, taken: set[str]) -> str:
    number, name = 1, f"{last.version}_squashed"
    id = name
    while id in taken:
        number += 1
        id = f"{name}_{number}"
    return id


def _folder_of(migration: Migration, config: Config) -> Path:
    """Return the project's folder that a migration is in, whatever its sub-folder."""
    folders = [f for f in config.migration_folders if migration.forward.path.is_relative_to(f)]
    return max(folders, key=lambda folder: len(folder.parts))


def _head(chosen: Sequence[Migration]) -> str:
    lines = [
        f"-- What {len(chosen)} migrations made, {chosen[0].id} to {chosen[-1].id}.",
        f"-- Written by `todo-sql squash`; they lie in {SQUASHED}/.",
        "--",
    ]
    for migration in chosen:
        lines.append(f"-- replaces: {Replaced(migration.id, migration.forward.checksum)}")
        lines += [
            f"-- replaces: {one if one.within else replace(one, within=migration.id)}"
            for one in migration.forward.directives.replaces
        ]
    allowed: dict[str, list[str]] = {}
    for migration in chosen:
        for rule, reason in migration.forward.directives.allow.items():
            if rule not in OF_FATE and reason not in allowed.setdefault(rule, []):
                allowed[rule].append(reason)
    lines += [f"-- allow: {rule} {'; '.join(reasons)}" for rule, reasons in allowed.items()]
    return "\n".join(lines)


def schema_of(empty: Snapshot, made: Snapshot, roles: list[str]) -> list[str]:
    """Return the statements that make a catalog out of what a new database has already.

    What holds tables' owners to the policies comes last, by `forced`.
    """
    new = {key: one for key, one in made.items.items() if key not in empty.items}
    for key, one in new.items():
        if one.kind == "table":
            new[key] = replace(one, attributes={**one.attributes, "force_row_security": False})
    other = [one for one in compare(empty, made) if one.before is not None]
    changes = ended(text for mended in mend(other, empty, made) for text in mended.statements)
    return schema_sql.statements(replace(made, items=new), [*roles, *changes])


def forced(empty: Snapshot, made: Snapshot) -> list[str]:
    """Return the statements that hold tables' owners to the policies."""
    return [
        f"alter table {table.name} force row level security;"
        for table in made.of("table")
        if table["force_row_security"] and table.key not in empty.items
    ]


def _roles(chosen: Sequence[Migration], made: Snapshot) -> Iterator[str]:
    """Yield what makes the roles: as the migrations do it, else plainly."""
    texts = [text for migration in chosen for text in _role_statements(migration.forward)]
    whole = "\n".join(texts)
    yield from texts
    for name in schema_sql.roles(made):
        if not re.search(rf"(?<![\w$]){re.escape(name)}(?![\w$])", whole):
            yield schema_sql.create_role(name)


def _role_statements(script: Script) -> Iterator[str]:
    for statement in script.statements:
        in_block = statement.kind == "do_stmt" and _OF_ROLES.search(statement.text)
        if in_block or _ROLE_STATEMENT.fullmatch(statement.kind):
            yield f"{statement.text};"


def _undoing(made: Snapshot, empty: Snapshot, chosen: Sequence[Migration]) -> Iterator[str]:
    for mended in mend(compare(made, empty), made, empty):
        yield from ended(mended.statements)
    for migration in reversed(chosen):
        if migration.rollback is not None:
            yield from _role_statements(migration.rollback)


def _try(run: Any, id: str) -> None:
    try:
        run()
    except TodoSqlError as error:
        found, said = error.finding, f"the pair does not run: {error.finding.message}"
        fix = "squash up to an earlier migration: what makes roles runs first, without the schema"
        _refuse([replace(found, code="M253", message=said, fix=fix)], id)


def _prove(
    id: str, what: str, wanted: Snapshot, found: Snapshot, others: Sequence[str] = ()
) -> None:
    problems = [
        Finding.error("M253", f"the pair {what} another {one.item.key}", cause=str(one))
        for one in compare(wanted, found)
    ]
    problems += [Finding.error("M253", f"the pair {what} other data: {one}") for one in others]
    _refuse(problems, id)


def _hides_nothing(migrations: MigrationSet, pair: Squash) -> None:
    text, said = pair.forward + pair.rollback, [one.source.text for one in scripts_of(migrations)]
    secrets = migrations.outside.resolved().secrets
    if any(one in text and one not in "\n".join(said) for one in secrets):
        problem = Finding.error(
            "M251",
            "the history writes a value from outside into the database",
            cause="the squashed file would hold it in plain text",
            fix="squash up to the migration before the one that does (`--to`)",
        )
        _refuse([problem], pair.id)


def _refuse(problems: list[Finding], id: str) -> None:
    if problems:
        raise FindingsError(
            f"the history up to {id[:14]} cannot be squashed",
            problems,
            code="M250",
            cause="nothing was written or moved",
        )


def moves(config: Config, found: Squash) -> Iterator[tuple[Path, Path]]:
    """Yield each file that is moved aside, and where to; a file that others include is copied."""
    for migration in found.replaced:
        folder = _folder_of(migration, config)
        for script in migration.scripts:
            for path in (script.path, *(path for _, path in script.included)):
                yield path, folder / SQUASHED / found.id / path.relative_to(folder)


def write(config: Config, found: Squash) -> None:
    """Write the pair, and move what it replaces aside.

    The copies come first and the old files go last, so that nothing is lost half-way.
    """
    root = config.root
    pairs = dict(moves(config, found))
    for path, aside in pairs.items():
        writing.write(aside, path.read_bytes(), root)
    with writing.folder(found.folder, root) as place:
        place.write(f"{found.id}.sql", found.forward)
        place.write(f"{found.id}.rollback.sql", found.rollback)
    used = {path for one in found.rest for script in one.scripts for _, path in script.included}
    for path in pairs:
        if path not in used:
            with writing.folder(path.parent, root) as place:
                place.delete(path.name)
