"""What a migration is once it is read: a file, a pair of files, and all of a project's."""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

from todo_sql.errors import Place
from todo_sql.migrations.files.directives import Directives, is_empty, leading_comments
from todo_sql.migrations.files.from_outside import FromOutside
from todo_sql.migrations.files.reading import CopyData, checksum
from todo_sql.sql.grammar import GrammarError, Statement, cut, parse
from todo_sql.sql.pieces import without_restrictions
from todo_sql.sql.source import Source

ROLLBACK = ".rollback.sql"

Undoing = Literal["file", "irreversible", "missing", "nothing"]


@dataclass(frozen=True)
class Script:
    """One file: its text, its directives, its statements.

    Attributes:
        rows: The data behind its COPY statements, by the offset in the text where it stood.
        included: The files that it names with `\\ir`, whose text stands in its own.
    """

    path: Path
    source: Source
    directives: Directives
    rows: tuple[tuple[int, CopyData], ...] = ()
    included: tuple[tuple[str, Path], ...] = ()

    @property
    def is_rollback(self) -> bool:
        """Whether it undoes a migration."""
        return self.path.name.endswith(ROLLBACK)

    @cached_property
    def checksum(self) -> str:
        """SHA-256 of the text with line endings normalised, data and other files included."""
        if self.rows or self.included:
            return checksum(self.path, self.included)
        text = self.source.text.replace("\r\n", "\n").replace("\r", "\n")
        return hashlib.sha256(text.encode()).hexdigest()

    @cached_property
    def statements(self) -> tuple[Statement, ...]:
        """The statements.

        Raises:
            GrammarError: The text is not PostgreSQL.
        """
        text = self.source.text
        try:
            return tuple(parse(text))
        except GrammarError:
            if (bare := without_restrictions(text)) == text:
                raise
        return tuple(replace(one, text=text[one.start : one.end]) for one in parse(bare))

    @cached_property
    def data(self) -> Mapping[int, CopyData]:
        """The data of its statements, by their number."""
        ends = [one.end for one in self.statements]
        return {bisect_right(ends, offset) - 1: rows for offset, rows in self.rows}

    def cut(self, takes: Callable[[str], bool]) -> bool:
        """Take the statements without parse trees, if the server reads each; return whether."""
        try:
            found = cut(self.source.text)
        except GrammarError:
            return False
        if not all(takes(statement.text) for statement in found):
            return False
        self.__dict__["statements"] = tuple(found)
        return True

    @property
    def empty(self) -> bool:
        """Whether it holds comments at most, and no statement."""
        return is_empty(self.source.text)

    def place_of(self, statement: Statement) -> Place:
        """Return the place of a statement: its first line."""
        return place_of(self.source, statement)

    def place_of_directive(self, name: str) -> Place:
        """Return the place of a directive in the file."""
        for offset, comment in leading_comments(self.source.text):
            if re.match(rf"--\s*{re.escape(name)}\s*:", comment):
                return self.source.place(offset, offset + len(comment))
        return self.source.place(0)


def place_of(source: Source, statement: Statement) -> Place:
    """Return the place of a statement: its first line."""
    line = statement.text.split("\n", 1)[0].rstrip()
    return source.place(statement.start, statement.start + len(line))


@dataclass(frozen=True)
class Migration:
    """One ordered file pair.

    Attributes:
        id: The file's stem, such as ``20260101090000_create_roles``.
        forward: The file that applies it.
        rollback: The file that undoes it, or None where it is irreversible.
        rank: Of its folder among several, which are applied one after another.
    """

    id: str
    forward: Script
    rollback: Script | None
    rank: int = 0

    @property
    def version(self) -> str:
        """The 14 digits."""
        return self.id[:14]

    @property
    def description(self) -> str:
        """The words after the digits."""
        return self.id[15:].replace("_", " ")

    @property
    def undoing(self) -> Undoing:
        """Whether it can be undone; a rollback file without a statement counts for none."""
        if self.rollback is None:
            return "irreversible"
        if self.rollback.directives.nothing_to_undo is not None:
            return "nothing"
        return "missing" if self.rollback.empty else "file"

    @property
    def scripts(self) -> tuple[Script, ...]:
        """The files of the pair that exist."""
        return (self.forward,) if self.rollback is None else (self.forward, self.rollback)


@dataclass(frozen=True)
class MigrationSet:
    """The migrations of a project, in the order in which they are applied.

    Attributes:
        shown: The names of their folders, for messages.
        repeatables: The files that run again when their text changes, in order.
        hooks: What runs around a run, by the name of its file.
        outside: The settings that the configuration has.
    """

    shown: str
    migrations: tuple[Migration, ...]
    repeatables: tuple[Script, ...] = ()
    hooks: Mapping[str, Script] = field(default_factory=dict)
    outside: FromOutside = field(default_factory=FromOutside)

    def __iter__(self) -> Iterator[Migration]:
        return iter(self.migrations)

    def __len__(self) -> int:
        return len(self.migrations)

    @property
    def beside(self) -> tuple[Script, ...]:
        """The repeatable files and the hooks."""
        return (*self.repeatables, *self.hooks.values())

    @cached_property
    def by_id(self) -> Mapping[str, Migration]:
        """The migrations by id."""
        return {migration.id: migration for migration in self.migrations}

    @cached_property
    def replaced(self) -> Mapping[str, Migration]:
        """The squashed migrations by each id that they stand for."""
        return replaced_by(self.migrations)


def scripts_of(migrations: Iterable[Migration]) -> Iterator[Script]:
    """Yield both files of each migration."""
    return (script for migration in migrations for script in migration.scripts)


def replaced_by(migrations: Iterable[Migration]) -> dict[str, Migration]:
    """Return the squashed migrations by each id that they stand for."""
    return {
        one.id: migration
        for migration in migrations
        for one in migration.forward.directives.replaces
    }
