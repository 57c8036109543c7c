"""A pending migration made into a sequence of safe ones; nothing is written before it is proved."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import psycopg

from todo_sql.catalog.names import split_name
from todo_sql.errors import ConfigError, Finding, UsageError
from todo_sql.migrations.files.directives import UNKNOWN_FATE
from todo_sql.migrations.files.migration import Migration, MigrationSet
from todo_sql.migrations.files.rerun import is_rerunnable
from todo_sql.migrations.migrator import Migrator
from todo_sql.migrations.pending import State, find
from todo_sql.queries.copy_target import copy_target
from todo_sql.queries.loader import read_folder
from todo_sql.queries.named import Cardinality
from todo_sql.queries.variants import variants
from todo_sql.review.copy import copies
from todo_sql.review.foresight import Foresight
from todo_sql.review.locks import MODES, Lock, Trace
from todo_sql.review.plan import distrust
from todo_sql.rewriting.numbering import NoRoom, Numbers, Renumbered
from todo_sql.rewriting.recipe import Recipe, StepFile
from todo_sql.rewriting.rehearsal import rehearse, traced
from todo_sql.rewriting.sequence import Composed, compose
from todo_sql.rewriting.sequence_proof import Ground, Trial, prove
from todo_sql.sql.grammar import deparse, parse

if TYPE_CHECKING:
    from psycopg import Connection

    from todo_sql.config import Config


@dataclass(frozen=True)
class RewrittenFile:
    """One migration of the sequence, as it will be written.

    Attributes:
        id: Of the migration.
        step: What it does.
        text: Of its file.
        rollback: Of the file that undoes it, or None.
        locks: The strongest on each relation that was there before.
        copied: The tables that it copies.
    """

    id: str
    step: StepFile
    text: str
    rollback: str | None
    locks: tuple[Lock, ...]
    copied: tuple[str, ...]


@dataclass(frozen=True)
class Rewrite:
    """What becomes of a migration.

    Attributes:
        original: The migration.
        files: The sequence; empty: there is nothing to rewrite, or it cannot be done.
        proof: By what was compared, what came of it; None: nothing was tried.
        asks: What a person has to decide.
        recipes: Those that were used.
        locks: The strongest that the original takes on each relation.
        copied: The tables that the original copies.
        renumbered: Pending migrations that get a later version, since the sequence needs theirs.
    """

    original: Migration
    files: tuple[RewrittenFile, ...] = ()
    proof: dict[str, str] | None = None
    asks: tuple[Finding, ...] = ()
    recipes: tuple[Recipe, ...] = ()
    locks: tuple[Lock, ...] = ()
    copied: tuple[str, ...] = ()
    renumbered: Renumbered = ()

    def texts(self) -> Iterator[tuple[str, str]]:
        """Yield the name and the text of each file of the sequence."""
        for file in self.files:
            yield f"{file.id}.sql", file.text
            if file.rollback is not None:
                yield f"{file.id}.rollback.sql", file.rollback


def _rewritten(
    ground: Ground,
    numbers: Numbers,
    migration: Migration,
    live: Connection[Any],
    *,
    silent: str | None,
    adopts: bool,
    in_part: bool,
) -> Rewrite:
    """Return the sequence that a migration becomes; `silent`: why no rows are asked, or None."""
    given = migration.forward.directives
    if given.batch is not None or given.replaces:
        return Rewrite(migration)  # it runs in batches already, or on an empty database only
    if migration.forward.rows:
        message = "a migration that carries data behind COPY is not taken apart"
        return _unrewritten(migration, "P301", message, "move the data into a migration of its own")
    try:
        with ground.tracer() as tracer:
            foresight = Foresight(live, tracer, silent=silent)
            for before in ground.preceding:
                alone = not before.forward.directives.transactional
                for statement in before.forward.statements:
                    foresight.look(*traced(tracer, [statement], alone=alone))
            if adopts:
                tracer.adopt()
            pieces = list(rehearse(tracer, migration.forward, foresight))
    except psycopg.Error as error:
        message = f"fails on a copy of the live schema: {error.diag.message_primary or error}"
        fix = error.diag.message_hint or "see what `todo-sql plan` says of it"
        cause = "each of its commands was tried in a transaction of its own"
        cause = f"PostgreSQL {error.sqlstate}; {cause}"
        return _unrewritten(migration, "P101", message, fix, cause)
    composed = compose(migration, pieces, in_part=in_part)
    if composed.refused or _as_it_was(migration, composed):
        return Rewrite(migration, asks=tuple(composed.asks))
    trial = prove(ground, migration, composed.files)
    if trial.findings:
        return Rewrite(migration, proof=trial.verdict, asks=(*composed.asks, *trial.findings))
    try:
        ids, renumbered = numbers.place(migration, [file.slug for file in trial.files])
    except NoRoom as error:
        id, count = migration.id, len(trial.files)
        message = f"{id} becomes {count} migrations, and {error} is in the way"
        fix = f"give {id} a version with room after it first (rename both of its files)"
        cause = "each has a version of its own, and what was applied keeps the one that it has"
        found = _unrewritten(migration, "P304", message, fix, cause)
        return replace(found, asks=(*composed.asks, *found.asks))
    return Rewrite(
        migration,
        tuple(_written(ids, migration, trial)),
        trial.verdict,
        (*composed.asks, *trial.notes, *_copying(ground, trial.files)),
        tuple(composed.recipes),
        _strongest(trial.original),
        _copied(trial.original),
        renumbered,
    )


def _copying(ground: Ground, files: Sequence[StepFile]) -> Iterator[Finding]:
    """Yield the queries that load rows into a table whose name a view has for a while."""
    views = [match[1] for file in files if file.serves for match in _VIEW.finditer(file.sql)]
    names = [split_name(view)[1] for view in views]
    for query in ground.queries.values():
        if query.cardinality is not Cardinality.COPYFROM:
            continue
        if all(copy_target(variant).tail for variant in variants(query)):
            continue  # such rows come by way of a temporary table
        for name in names:
            text = query.text if name.startswith('"') else query.text.lower()
            if re.search(rf'(?<![\w$]){re.escape(name)}(?![\w$"])', text):
                message = f"query {query.name} fails from this migration on: COPY loads no view"
                cause = "a view has the table's name until the contract step"
                fix = "let no release run it between the two steps, or rename in a window"
                yield Finding("P306", "warning", message, query.place(), cause, fix)


_VIEW = re.compile(r"^create view (.+?) with \(security_invoker", re.MULTILINE | re.DOTALL)


def _as_it_was(migration: Migration, composed: Composed) -> bool:
    """Whether a sequence is one file that does the same in the same way."""
    if len(composed.files) != 1:
        return not composed.files
    (file,) = composed.files
    if file.alone is migration.forward.directives.transactional or file.batch is not None:
        return False
    old, new = migration.forward.statements, parse(file.sql)
    if not composed.recipes or [one.kind for one in (*old, *new)] == ["drop_stmt", "drop_stmt"]:
        return True
    return [deparse(one.node) for one in old] == [deparse(one.node) for one in new]


def _unrewritten(
    migration: Migration, code: str, message: str, fix: str, cause: str | None = None
) -> Rewrite:
    """Return that nothing becomes of a migration, and why."""
    place = migration.forward.source.place(0)
    return Rewrite(migration, asks=(Finding(code, "error", message, place, cause, fix),))


def _strongest(traces: Sequence[Trace]) -> tuple[Lock, ...]:
    locks = [lock for trace in traces for lock in trace.locks if lock.kind in "rpmvf"]
    found: dict[str, Lock] = {}
    for lock in sorted(locks, key=lambda lock: MODES.index(lock.mode), reverse=True):
        found.setdefault(lock.relation, lock)
    return tuple(found[name] for name in sorted(found))


def _copied(traces: Sequence[Trace]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for trace in traces for name in trace.rewritten))


# What is pending.


def chosen(migrations: MigrationSet, pending: Sequence[Migration], id: str) -> Migration:
    """Return a pending migration by its id or version.

    Raises:
        PlanError: There is none of that name.
        UsageError: It is applied.
    """
    migration = find(migrations, id)
    if migration not in pending:
        message = f"{migration.id} is not pending: it is applied to this database"
        cause = "what was applied is never rewritten"
        fix = "`todo-sql status` shows what is pending"
        raise UsageError(message, code="P303", cause=cause, fix=fix)
    return migration


def rewrites(
    config: Config,
    url: str,
    migrations: MigrationSet,
    pending: Sequence[Migration],
    wanted: Sequence[Migration],
    *,
    asks: bool = True,
    across_majors: bool = False,
    adopts: bool = True,
    in_part: bool = False,
) -> Iterator[Rewrite]:
    """Yield what becomes of some pending migrations, in order.

    Args:
        config: Of the project.
        url: Of the target.
        migrations: All of the project's.
        pending: Those that are pending, in order.
        wanted: Which of them to rewrite.
        asks: Whether the rows of the target are asked.
        across_majors: Whether to try on another major version than the target's.
        adopts: Whether tables that pending migrations make count as being in use.
        in_part: Whether what no recipe does stays as it is, in a file of its own.
    """
    settings = migrations.outside.resolved().values
    queries = read_folder(config.queries, config.root) if config.queries.is_dir() else {}
    entries = Migrator(url, migrations, ledger=config.ledger).status().entries
    begun = {entry.id for entry in entries if entry.state is State.FAILED}
    with psycopg.connect(url, autocommit=True) as live:
        live.execute("set lock_timeout = '5s'")
        silent = distrust(live) or (None if asks else "--no-data-checks")

        def tried(*, alone: bool) -> Iterator[Rewrite]:
            copying = copies(config, live, pending, across_majors=across_majors, alone=alone)
            numbers = Numbers(migrations, {one.id for one in pending} - begun)
            with copying as make:
                for migration in wanted:
                    if migration.id in begun:
                        message = f"{migration.id} is half done on this database"
                        cause = "the ledger knows how far it came, by its statements"
                        fix = (
                            "finish it (`todo-sql migrate`) or undo it (`todo-sql rollback`) first"
                        )
                        yield _unrewritten(migration, "P303", message, fix, cause)
                        continue
                    preceding = pending[: list(pending).index(migration)]
                    ground = Ground(make, preceding, settings, queries)
                    how = {"adopts": adopts, "in_part": in_part}
                    yield _rewritten(ground, numbers, migration, live, silent=silent, **how)

        try:
            found = list(tried(alone=False))
        except ConfigError as error:
            if error.finding.code != "P201" or config.scratch_url is not None:
                raise
            found = list(tried(alone=True))
    yield from found


# The files.


def _written(ids: Sequence[str], migration: Migration, trial: Trial) -> Iterator[RewrittenFile]:
    for number, (id, file, traces) in enumerate(zip(ids, trial.files, trial.traces, strict=True)):
        head = [line for line in file.comments.splitlines() if line.strip()]
        says = f": {file.says}" if file.says else ""
        if len(ids) > 1:
            head.append(f"-- Step {number + 1} of {len(ids)} of {migration.id}{says}.")
        head += _directives(migration, file, first=number == 0)
        rollback = None
        if file.rollback is not None:
            lines = ["-- transactional: false"] if file.rollback_alone else []
            if file.batch is not None and file.rollback_alone:
                lines.append(f"-- batch: {file.batch}")
            rollback = "\n".join([f"-- Undoes {id}.", *lines, file.rollback]) + "\n"
        text = "\n".join([*head, file.sql]) + "\n"
        yield RewrittenFile(id, file, text, rollback, _strongest(traces), _copied(traces))


def _directives(migration: Migration, file: StepFile, *, first: bool) -> Iterator[str]:
    given = migration.forward.directives
    if first and given.depends:
        yield f"-- depends: {' '.join(given.depends)}"
    if file.alone:
        yield "-- transactional: false"
    if (given.phase or file.phase) == "contract":
        yield "-- phase: contract"
    if file.batch is not None:
        yield f"-- batch: {file.batch}"
    if file.irreversible is not None:
        yield f"-- irreversible: {file.irreversible}"
    elif file.rollback is None:
        yield f"-- nothing-to-undo: {file.nothing}"
    source = migration.forward.source.text
    for name in ("lock-timeout", "max-lock-hold", "statement-timeout"):
        found = re.search(rf"^\s*--\s*{name}\s*:\s*(.+?)\s*$", source, re.M)
        if found and getattr(given, name.replace("-", "_")) is not None:
            yield f"-- {name}: {found[1]}"
        elif name == "lock-timeout" and file.lock_timeout is not None:
            yield f"-- {name}: {file.lock_timeout}"
    allowed = dict(given.allow)
    if not file.alone or file.batch or all(map(is_rerunnable, parse(file.sql))):
        allowed.pop(UNKNOWN_FATE, None)
    for rule, reason in {**file.allow, **allowed}.items():
        yield f"-- allow: {rule} {reason}"
