"""A run of a migration on a copy, command by command, each with the catalog before and after."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from todo_sql.catalog.names import dotted
from todo_sql.catalog.read import ours, rows
from todo_sql.catalog.snapshot import Snapshot, take
from todo_sql.errors import Finding, Place
from todo_sql.migrations.files.migration import Script
from todo_sql.review.foresight import Foresight
from todo_sql.review.hazards import PlanStep, hazards
from todo_sql.review.linting.tree import enum, of_type, relation
from todo_sql.review.locks import Trace, Tracer
from todo_sql.review.row_writes import named_relations
from todo_sql.rewriting.single_commands import split
from todo_sql.sql.grammar import Statement

if TYPE_CHECKING:
    from psycopg import Connection

_SLOW = ("P102", "P103", "P104")


def slow(place: Place, trace: Trace) -> list[Finding]:
    """Return what holds up reads or writes for as long as a table is large."""
    return [one for one in hazards(PlanStep(place, trace), {}) if one.code in _SLOW]


@dataclass(frozen=True)
class Rehearsed:
    """One command of a migration.

    Attributes:
        statement: It, alone.
        number: Of the statement in the file that it is of.
        whole: Whether it is the whole of that statement.
        place: Where that one stands.
        findings: What the live rows say to it.
        rules: By qualified name, what the rows of a partition must satisfy.
    """

    statement: Statement
    number: int
    whole: bool
    place: Place
    trace: Trace
    before: Snapshot
    after: Snapshot
    findings: tuple[Finding, ...] = ()
    rules: Mapping[str, str] = field(default_factory=dict)

    @property
    def node(self) -> Any:
        """The root of the parse tree, such as an ``IndexStmt``."""
        return getattr(self.statement.node, self.statement.kind)

    @property
    def command(self) -> Any:
        """The one command of an ALTER TABLE."""
        return self.node.cmds[0].alter_table_cmd

    @property
    def subtype(self) -> str:
        """What that command is, such as ``AT_AddColumn``; empty for other statements."""
        return enum(self.command, "subtype") if self.statement.kind == "alter_table_stmt" else ""

    @property
    def slow(self) -> bool:
        """Whether it holds up reads or writes for as long as a table is large."""
        return bool(slow(self.place, self.trace))

    @property
    def exclusive(self) -> frozenset[str]:
        """The tables and views on which it took ACCESS EXCLUSIVE."""
        return frozenset(
            lock.relation
            for lock in self.trace.locks
            if lock.mode == "AccessExclusiveLock" and lock.kind in "rpmvf"
        )


def traced(
    tracer: Tracer,
    statements: Sequence[Statement],
    *,
    alone: bool,
    settings: Sequence[Statement] = (),
) -> list[Trace]:
    """Run statements as a file does, and trace them.

    Args:
        tracer: Of the copy.
        statements: In one transaction.
        alone: Whether they run outside of one.
        settings: What is set before them in their transaction.
    """
    if alone:
        return [tracer.run_alone(one, named_relations(one)) for one in statements]
    with tracer.transaction():
        for setting in settings:
            tracer.execute(setting)
        return [tracer.run(one) for one in statements]


def rehearse(tracer: Tracer, script: Script, foresight: Foresight) -> Iterator[Rehearsed]:
    """Run a migration and yield each command; each is a transaction of its own.

    Raises:
        psycopg.Error: A command fails.
    """
    before = take(tracer.connection)
    settings: list[Statement] = []
    for number, statement in enumerate(script.statements):
        place = script.source.place(statement.start)
        parts = split(statement)
        for part in parts:
            alone = not script.directives.transactional
            if part.kind == "variable_set_stmt":  # also for those after it
                settings.append(part)
                alone = True
            (trace,) = traced(tracer, [part], alone=alone, settings=settings)
            after = take(tracer.connection)
            step = PlanStep(place, trace, answers=tuple(foresight.look(trace)))
            said = tuple(found for found in hazards(step, {}) if found.code == "P114")
            rules = _rules(tracer.connection, part)
            yield Rehearsed(part, number, len(parts) == 1, place, trace, before, after, said, rules)
            before = after


def _rules(connection: Connection[Any], statement: Statement) -> dict[str, str]:
    """Return, of a partition that was just attached and of the default one, what binds them."""
    if statement.kind != "alter_table_stmt" or "ATTACH" not in statement.text.upper():
        return {}
    found = {}
    with ours(connection):
        for node in of_type(statement.node, "RangeVar"):
            name = dotted(*relation(node).split(".", 1))
            for row in rows(connection, "bound_partitions", partition=name):
                found[str(row["name"])] = str(row["rule"])
    return found
