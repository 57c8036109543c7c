"""That a sequence does what a migration does, that it can be undone, and holds nobody up."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field, replace

import psycopg

from todo_sql.catalog.ddl import BY_HAND
from todo_sql.catalog.diff import Difference, compare
from todo_sql.catalog.mend import mend
from todo_sql.catalog.snapshot import Snapshot, take
from todo_sql.errors import Finding
from todo_sql.migrations.files.migration import Migration
from todo_sql.migrations.files.rerun import needs_no_transaction
from todo_sql.queries.named import NamedQuery
from todo_sql.review.broken import Broken, Queries
from todo_sql.review.copy import Copy
from todo_sql.review.locks import Trace, Tracer
from todo_sql.rewriting.recipe import StepFile
from todo_sql.rewriting.rehearsal import slow, traced
from todo_sql.rewriting.single_commands import lowered
from todo_sql.sql.grammar import Statement, parse

_SHOWN = 5
_HOLD_ROWS = ("table", "column", "materialized_view")


@dataclass
class Trial:
    """What came of the trials.

    Attributes:
        files: The sequence, each with its rollback or the reason why it has none.
        original: The traces of the migration as it was written.
        traces: Of each file, those of its statements.
        verdict: By what was compared, ``equal``, or what it was instead.
        findings: What failed.
        notes: Named queries that a view cannot serve.
    """

    files: list[StepFile]
    original: list[Trace] = field(default_factory=list)
    traces: list[list[Trace]] = field(default_factory=list)
    verdict: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)


@dataclass(frozen=True)
class Ground:
    """What trials start from.

    Attributes:
        make: Makes a copy of the live catalog.
        preceding: The pending migrations before the one in question.
        settings: The values from outside.
        queries: The named queries of the project.
    """

    make: Callable[[], AbstractContextManager[Copy]]
    preceding: Sequence[Migration]
    settings: Mapping[str, str]
    queries: Mapping[str, NamedQuery] = field(default_factory=dict)

    @contextmanager
    def tracer(self) -> Iterator[Tracer]:
        """Yield a tracer of a copy."""
        with self.make() as copy, closing(Tracer(copy.url, copy.path)) as tracer:
            for name, value in self.settings.items():
                tracer.connection.execute(
                    "select pg_catalog.set_config(%s, %s, false)", (name, value)
                )
            yield tracer

    @contextmanager
    def ready(self) -> Iterator[Tracer]:
        """Yield a tracer that counts what precedes as having been there before."""
        with self.tracer() as tracer:
            for migration in self.preceding:
                together(tracer, *_as_written(migration))
            tracer.adopt()
            yield tracer

    def after(self, files: Iterable[tuple[Sequence[Statement], bool]]) -> Snapshot:
        """Return the catalog after files: the statements of each, and whether they run alone."""
        with self.ready() as tracer:
            for statements, alone in files:
                together(tracer, statements, alone)
            return take(tracer.connection)


def _as_written(migration: Migration) -> tuple[Sequence[Statement], bool]:
    return migration.forward.statements, not migration.forward.directives.transactional


def together(tracer: Tracer, statements: Sequence[Statement], alone: bool) -> None:
    """Run statements in one transaction, or outside of one."""
    with tracer.transaction(alone=alone):
        for statement in statements:
            tracer.execute(statement)


def prove(ground: Ground, migration: Migration, files: Sequence[StepFile]) -> Trial:
    """Run a migration and its sequence, and compare.

    Where a view stands in for a table, what waits for the release comes last, if it can.
    """
    ordered = _by_phase(files)
    serves = any(file.serves for file in files)
    batched = any(file.batch for file in files)  # a view has no key to go by
    if ordered != list(files) and serves and not batched:
        top = "\n".join(file.comments for file in files if file.comments)
        bare = [replace(file, comments="") for file in ordered]
        trial = _prove(ground, migration, [replace(bare[0], comments=top), *bare[1:]])
        if not trial.findings:
            return trial
    return _prove(ground, migration, files)


def _prove(ground: Ground, migration: Migration, files: Sequence[StepFile]) -> Trial:
    trial = Trial(list(files))
    place = migration.forward.source.place(0)
    with ground.ready() as tracer:
        statements, alone = _as_written(migration)
        trial.original = traced(tracer, statements, alone=alone)
        wanted = take(tracer.connection)
    try:
        with ground.ready() as tracer:
            found = _Sequence(tracer, trial, migration, Queries(ground.queries)).run()
        shaky: set[str] = set()  # what the migration makes otherwise when it runs again
        if compare(wanted, found):
            again = ground.after([_as_written(migration)])
            shaky = {change.item.key for change in compare(wanted, again)}
        if shaky:
            trial.verdict["catalog"] = "equal but for what is another each time"
        said = "the sequence makes another"
        _told(trial, "catalog", said, wanted, found, but=lambda change: change.item.key in shaky)
        serves = any(file.serves for file in trial.files)
        reordered = trial.files != _by_phase(trial.files)
        if reordered and (serves or (not trial.findings and _differs(ground, trial, wanted))):
            trial.files = in_order(trial.files)
        trial.verdict.setdefault("phases", "equal")
    except psycopg.Error as error:
        said = error.diag.message_primary or str(error)
        trial.verdict.setdefault("catalog", "failed")
        trial.findings.append(_finding(f"a step of the sequence fails on a copy: {said}"))
    trial.findings = [replace(found, place=found.place or place) for found in trial.findings]
    return trial


class _Sequence:
    """Runs the files forward, and backward as far as that is possible."""

    def __init__(
        self, tracer: Tracer, trial: Trial, migration: Migration, queries: Queries
    ) -> None:
        self.tracer, self.trial, self.migration = tracer, trial, migration
        self.queries = queries
        self.since: list[int] = []  # files applied since one that cannot be undone
        self.shrunk: set[str | None] = set()  # tables that lost a column in these
        self.start = take(tracer.connection)
        self.now = self.start

    def run(self) -> Snapshot:
        for number, file in enumerate(self.trial.files):
            before = self.now
            if file.irreversible is not None:
                self._back_and_forth()
                self.start = before
            statements = parse(file.sql)
            if file.serves:
                self.queries.learn(self.tracer.connection)
            traces = traced(self.tracer, statements, alone=file.alone)
            self.trial.traces.append(traces)
            if file.serves:
                broken = self.queries.broken(self.tracer.connection)
                self.trial.notes += [_unserved(one) for one in broken if one.fails]
            self.now = take(self.tracer.connection)
            place = self.migration.forward.source.place(0)
            held = [] if file.asked else [one for trace in traces for one in slow(place, trace)]
            self.trial.findings += [_finding(f"step {file.slug} {one.message}") for one in held]
            file = self.trial.files[number] = self._undoing(file, before)
            if file.irreversible is None:
                self.since.append(number)
            else:
                self.since = []
                self.start = self.now
        self._back_and_forth(again=False)
        return self.now

    def _is_moved(self, change: Difference) -> bool:
        """Whether a column has another place since one that was dropped comes back as the last."""
        return set(change.changes) == {"position"} and change.item.parent in self.shrunk

    def _undoing(self, file: StepFile, before: Snapshot) -> StepFile:
        """Return a file with a rollback, by what it changed, unless it has one or needs none."""
        if file.irreversible or file.nothing:
            return file
        changes = compare(before, self.now)
        self.shrunk |= {c.item.parent for c in changes if c.kind == "column" and c.after is None}
        reason = self.migration.forward.directives.irreversible
        if file.rollback is not None and file.slug != "rest":
            return file
        loses = any(c.after is None and c.kind in _HOLD_ROWS for c in changes)
        if reason and (loses or not changes):
            return replace(file, irreversible=reason)
        lines = [
            # One that a column owns goes with the column.
            re.sub("^drop sequence (?!if )", "drop sequence if exists ", lowered(f"{text};"))
            for mended in mend(compare(self.now, before), self.now, before)
            for text in mended.statements
        ]
        if any(line.startswith(BY_HAND) for line in lines):
            return replace(file, irreversible=reason or "no statement is known that undoes it")
        lines = [*([file.rollback] if file.rollback else []), *lines]
        if not lines:
            return replace(file, nothing="it changes nothing that would have to be undone")
        rollback = "\n".join(lines)
        alone = any(map(needs_no_transaction, parse(rollback)))
        return replace(file, rollback=rollback, rollback_alone=alone)

    def _back_and_forth(self, *, again: bool = True) -> None:
        """Undo what was applied since the last start, compare, and do it again."""
        if not self.since:
            self.trial.verdict.setdefault("rollback", "equal")
            return
        for number in reversed(self.since):
            file = self.trial.files[number]
            if file.rollback is not None:
                try:
                    together(self.tracer, parse(file.rollback), file.rollback_alone)
                except psycopg.Error as error:
                    said = error.diag.message_primary or str(error)
                    failed = f"the rollback of step {file.slug} fails on a copy: {said}"
                    self.trial.findings.append(_finding(failed))
                    self.trial.verdict["rollback"] = "failed"
                    raise
        back = take(self.tracer.connection)
        if self.shrunk and any(map(self._is_moved, compare(self.start, back))):
            self.trial.verdict.setdefault("rollback", "equal but for the place of a dropped column")
        said = "the rollbacks do not restore"
        _told(self.trial, "rollback", said, self.start, back, but=self._is_moved)
        if again:
            for number in self.since:
                file = self.trial.files[number]
                together(self.tracer, parse(file.sql), file.alone)
            self.tracer.look_again()


def in_order(files: Sequence[StepFile]) -> list[StepFile]:
    """Return files whose phases follow their order: nothing for before a release comes later.

    What would only be better after the release runs before it, as the migration would have.
    """
    found: list[StepFile] = []
    after = False
    for file in files:
        after = after or (file.phase == "contract" and file.always)
        found.append(replace(file, phase="contract" if after else None))
    return found


def _differs(ground: Ground, trial: Trial, wanted: Snapshot) -> bool:
    """Whether running the files for before a release first ends elsewhere, or fails."""
    try:
        files = ((parse(file.sql), file.alone) for file in _by_phase(trial.files))
        return bool(compare(wanted, ground.after(files)))
    except psycopg.Error:
        return True


def _by_phase(files: Sequence[StepFile]) -> list[StepFile]:
    return sorted(files, key=lambda file: file.phase == "contract")


def _unserved(broken: Broken) -> Finding:
    message = f"query {broken.name} fails from this migration on: {broken.reason}"
    cause = "a view has the table's name until the contract step, and does not serve it"
    fix = "change the query first (`on conflict (columns)`, every column in `group by`), or rename "
    fix += "in a window"
    return Finding("P306", "warning", message, broken.place, cause, fix)


def _told(
    trial: Trial,
    what: str,
    said: str,
    wanted: Snapshot,
    found: Snapshot,
    but: Callable[[Difference], bool] = lambda _: False,
) -> None:
    changes = [change for change in compare(wanted, found) if not but(change)]
    if not changes:
        trial.verdict.setdefault(what, "equal")
        return
    trial.verdict[what] = "different"
    trial.findings += [_finding(f"{said} {c.item.key}", str(c)) for c in changes[:_SHOWN]]


def _finding(said: str, cause: str | None = None) -> Finding:
    fix = "write the steps by hand, by the recipe (docs/zero-downtime.md)"
    return Finding("P302", "error", said, cause=cause, fix=fix)
