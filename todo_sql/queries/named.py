"""A named query: what its header declares and what its text is made of. Pure.

`todo_sql.queries.loader` makes these from files; `todo_sql.queries.variants` turns one
into the text that is sent.

How lines are kept. A body is a sequence of `Segment`: runs of whole lines that stand
or fall together. A segment without conditions is always kept. One with `needs` (from
``-- if: a, b``, at its end or around it) is kept when those arguments are given; one
with `cases` (from ``-- case sort: due``) when that value was chosen. Names in `needs`
that also stand on a line without ``-- if`` are required and therefore always given.
The other ones, the *optional* parameters, fall into `groups`: two that share an ``--
if`` are given together or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from hashlib import blake2b
from typing import Any, Literal, NamedTuple

from psycopg import postgres

from todo_sql.errors import Place
from todo_sql.sql.source import Source

FINGERPRINT_SIZE = 6
_SIZES = re.compile(r"\s*\([^()]*\)")
# Types that begin with one of these words are the grammar's own, aliases among them.
_WORDS = frozenset(
    (
        *("bigint", "bit", "boolean", "char", "character", "dec", "decimal", "double", "float"),
        *("int", "integer", "interval", "national", "nchar", "numeric", "real", "smallint"),
        *("time", "timestamp", "varchar"),
    )
)


class Cardinality(StrEnum):
    """How many rows a query returns, and how they are handed over."""

    ONE = "one"
    OPTIONAL = "optional"
    MANY = "many"
    EXEC = "exec"
    EXECROWS = "execrows"
    PAGE = "page"
    STREAM = "stream"
    COPYFROM = "copyfrom"
    BATCH = "batch"

    @property
    def returns_rows(self) -> bool:
        """Whether the caller gets rows, so that a model may be named."""
        return self not in (Cardinality.EXEC, Cardinality.EXECROWS, Cardinality.COPYFROM)


@dataclass(frozen=True, slots=True)
class ParameterDirective:
    """``-- param: NAME [TYPE][?] [= DEFAULT]``: what a header says of a parameter.

    Attributes:
        pg_type: PostgreSQL's type as written, or None: inferred.
        nullable: True for ``?`` or ``null``, False for ``not null``, None: inferred.
        default: The default as Python source, such as ``50`` or ``'medium'``, or None.
        literal: The default as written, a constant of SQL, or None.
    """

    name: str
    pg_type: str | None
    nullable: bool | None
    default: str | None
    place: Place
    literal: str | None = None
    default_place: Place | None = None


@dataclass(frozen=True, slots=True)
class ColumnDirective:
    """``-- column: NAME [TYPE] [not null|null]``: what a header says of a result column."""

    name: str
    pg_type: str | None
    nullable: bool | None
    place: Place


@dataclass(frozen=True, slots=True)
class NestedDirective:
    """``-- model: PATH -> MODEL``: the name of the model of columns such as ``"PATH.id"``."""

    model: str
    place: Place


@dataclass(frozen=True, slots=True)
class Case:
    """``-- case PARAMETER: VALUE`` lines: a parameter that picks lines and is not sent.

    Attributes:
        values: Every value, in order of the text.
        default: The value of the uncommented lines.
        place: Where the first of the directives stands.
    """

    parameter: str
    values: tuple[str, ...]
    default: str
    place: Place


class Piece(NamedTuple):
    """A span of the source that goes into the text: verbatim, or as the parameter that it names."""

    start: int
    end: int
    parameter: str | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of lines that stand or fall together.

    Attributes:
        pieces: Text and parameters; line comments are left out.
        needs: Parameters of ``-- if``.
        cases: Pairs of ``-- case`` parameter and value.
    """

    pieces: tuple[Piece, ...]
    needs: frozenset[str] = frozenset()
    cases: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, eq=False)
class NamedQuery:
    """One annotated statement of a query file.

    Attributes:
        name: A Python identifier, unique within its folder.
        cardinality: How many rows.
        model: The name of the result model after ``->``, or None.
        doc: The comment below the header without its directives, lines joined by newlines.
        start: Where the SQL begins, as a character offset into ``source.text``.
        end: Past its last character, without the semicolon.
        name_start: Where the name stands in the header.
        models: ``-- model:`` directives by the dotted name that columns begin with.
        params_model: The pydantic model of ``-- params:``, or None.
        params_fields: The parameters that it holds; empty: all of them.
        timeout: Seconds of ``-- timeout:``, or None.
        tenant: What ``-- tenant:`` says, or None: inferred.
        allow: Check codes waived by ``-- allow: CODE REASON``, with their reasons.
        names: Every SQL parameter, in order of first use.
        required: Those that every call must give; one with a default counts, too, since the
            caller fills the default in.
        groups: The optional parameters, in sets that are given together or not at all.
        entries: Those of the groups whose lines are entries of a SET list or of an INSERT.
        within: Optional parameters whose lines all stand in the brackets of others: which ones.
        choices: Of ``-- one of:``: optional parameters of which exactly one is given.
        cases: ``-- case`` parameters by name.
        segments: The text.
        made: The texts made of it so far, each by a key of its maker.
    """

    name: str
    cardinality: Cardinality
    model: str | None
    doc: str
    source: Source
    start: int
    end: int
    name_start: int
    names: tuple[str, ...]
    required: frozenset[str]
    segments: tuple[Segment, ...]
    groups: tuple[frozenset[str], ...] = ()
    entries: frozenset[frozenset[str]] = frozenset()
    within: Mapping[str, frozenset[str]] = field(default_factory=dict)
    choices: tuple[tuple[str, ...], ...] = ()
    cases: Mapping[str, Case] = field(default_factory=dict)
    parameters: Mapping[str, ParameterDirective] = field(default_factory=dict)
    columns: Mapping[str, ColumnDirective] = field(default_factory=dict)
    models: Mapping[str, NestedDirective] = field(default_factory=dict)
    params_model: str | None = None
    params_fields: tuple[str, ...] = ()
    timeout: float | None = None
    tenant: Literal["required", "none"] | None = None
    allow: Mapping[str, str] = field(default_factory=dict)
    made: dict[tuple[object, ...], Any] = field(default_factory=dict, repr=False)

    @property
    def text(self) -> str:
        """The SQL as written."""
        return self.source.text[self.start : self.end]

    @property
    def optional(self) -> frozenset[str]:
        """The parameters whose lines are left out when they are not given."""
        return frozenset().union(*self.groups)

    @cached_property
    def casts(self) -> dict[str, str]:
        """The types that the header gives parameters and only the server knows by number.

        They are sent as text, with each use, so that what is checked with a type runs with it.
        COPY needs none: it reads values as its columns' types.
        """
        if self.cardinality is Cardinality.COPYFROM:
            return {}
        return {
            name: _bare(directive.pg_type)
            for name, directive in self.parameters.items()
            if directive.pg_type and not _is_builtin(directive.pg_type)
        }

    @cached_property
    def alternatives(self) -> tuple[tuple[frozenset[str], ...], ...]:
        """The groups of each choice, of which exactly one is given."""
        group = {name: group for group in self.groups for name in group}
        return tuple(tuple(group[name] for name in choice) for choice in self.choices)

    @cached_property
    def free(self) -> tuple[frozenset[str], ...]:
        """The groups that may be given or not, whatever else is."""
        bound = {group for choice in self.alternatives for group in choice}
        return tuple(group for group in self.groups if group not in bound)

    def is_whole(self, given: frozenset[str]) -> bool:
        """Whether everything is given that can be, together with a choice."""
        return all(group <= given for group in self.free)

    def is_bare(self, given: frozenset[str], but: int = 0) -> bool:
        """Whether nothing is given that can be left out, or no more groups than a number."""
        outer = frozenset().union(*(self.within.get(name, frozenset()) for name in given))
        return sum(group <= given and not group <= outer for group in self.free) <= but

    @cached_property
    def fingerprint(self) -> bytes:
        """A hash of the name and the text, for telling the cursors of this query."""
        digest = blake2b(self.name.encode(), digest_size=FINGERPRINT_SIZE)
        for segment in self.segments:
            for piece in segment.pieces:
                digest.update(self.source.text[piece.start : piece.end].encode())
        return digest.digest()

    def place(self) -> Place:
        """Return the place of the name in the header."""
        return self.source.place(self.name_start, self.name_start + len(self.name))

    def place_of(self, parameter: str | None) -> Place | None:
        """Return the place where a parameter is first used, or None."""
        used = (piece for segment in self.segments for piece in segment.pieces if piece.parameter)
        found = next((piece for piece in used if piece.parameter == parameter), None)
        return self.source.place(found.start, found.end) if found else None

    def defaults(self) -> dict[str, Any]:
        """Return the values of ``-- param: NAME = DEFAULT`` by name."""
        import ast

        return {
            name: ast.literal_eval(directive.default)
            for name, directive in self.parameters.items()
            if directive.default is not None
        }


def _bare(pg_type: str) -> str:
    """Return a type without its modifiers, which a parameter does not have."""
    return pg_type if '"' in pg_type else _SIZES.sub("", pg_type).strip()


def _is_builtin(pg_type: str) -> bool:
    """Whether a type is one of PostgreSQL's own whose number psycopg knows."""
    name = _bare(pg_type)
    while name.endswith("]"):
        name = name[: name.rfind("[")].rstrip()
    known = name if name.startswith('"') else name.lower()
    return known.partition(" ")[0] in _WORDS or postgres.types.get(known) is not None
