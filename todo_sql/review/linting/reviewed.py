"""The files under review: migrations, rollbacks and queries as parsed statements, and waivers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from todo_sql.errors import Place
from todo_sql.migrations.files.directives import Directives, leading_comments, read
from todo_sql.queries.named import NamedQuery
from todo_sql.queries.variants import variants
from todo_sql.sql.grammar import Statement, parse
from todo_sql.sql.source import Source

Kind = Literal["migration", "rollback", "query"]

_WAIVER = re.compile(r"--[ \t]*allow[ \t]*:[ \t]*([A-Za-z][\w.-]*)[ \t]+(\S.*)")


@dataclass(frozen=True, slots=True)
class Waiver:
    """One ``-- allow: RULE reason`` of a file."""

    rule: str
    start: int
    end: int


@dataclass(frozen=True)
class File:
    """One file under review.

    Attributes:
        source: Its text.
        kind: What it is for.
        transactional: Whether it runs as one transaction.
    """

    source: Source
    kind: Kind
    statements: tuple[Statement, ...]
    transactional: bool = True
    locate: Callable[[int], int] | None = field(default=None, compare=False)

    @property
    def name(self) -> str:
        """The path as shown to people."""
        return self.source.file

    @cached_property
    def directives(self) -> Directives:
        """What its leading comments tell the migrator; of a query nothing."""
        return read(self.source)[0] if self.kind != "query" else Directives()

    def spot(self, statement: Statement) -> Spot:
        """Return where a statement of it stands."""
        return Spot(self, statement.start, statement.end)

    @cached_property
    def waivers(self) -> tuple[Waiver, ...]:
        """The waivers in the leading comments."""
        return tuple(
            Waiver(match[1], offset, offset + len(comment))
            for offset, comment in leading_comments(self.source.text)
            if (match := _WAIVER.match(comment))
        )


def query_file(query: NamedQuery) -> File:
    """Return a query as a file under review: with all its lines.

    Raises:
        GrammarError: PostgreSQL's grammar rejects it.
    """
    variant = next(variants(query))
    moved = tuple(
        replace(
            statement,
            start=variant.source_offset(statement.start),
            end=variant.source_offset(max(0, statement.end - 1)) + 1,
        )
        for statement in parse(variant.sql)
    )
    return File(query.source, "query", moved, locate=variant.source_offset)


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in a file under review."""

    file: File
    start: int
    end: int | None = None

    @property
    def place(self) -> Place:
        """The place with line, column and excerpt."""
        return self.file.source.place(self.start, self.end)


def spot_of(file: File, message: Any, otherwise: Statement) -> Spot:
    """Return where a node of the parse tree stands; a node without a place: its statement."""
    location = getattr(message, "location", 0)
    if location <= 0:
        return Spot(file, otherwise.start)
    at = otherwise.offset(location)
    return Spot(file, at if file.locate is None else file.locate(at))


def by_rewrite(id: str, by_hand: str | None) -> str:
    """Return a fix that names the command for a migration, and then what to do by hand, if any."""
    said = f"`todo-sql rewrite {id}` makes safe steps of it"
    return f"{said}; by hand: {by_hand}" if by_hand else said
