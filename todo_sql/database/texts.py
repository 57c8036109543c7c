"""The texts that a query is sent as: one statement for each of its variants. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from todo_sql.errors import Place
from todo_sql.queries.named import NamedQuery
from todo_sql.queries.variants import Variant, choose
from todo_sql.wire.call_errors import ServerError
from todo_sql.wire.parameters import Parameter
from todo_sql.wire.residue import RESETS, impossible, refused
from todo_sql.wire.statement import WireStatement, comment

Typed = Callable[[str], Parameter]


class Text:
    """One variant of a query as a statement.

    Attributes:
        statement: What is prepared and sent, with the comment that names the query.
        names: The parameters of ``$1``, ``$2``, …
        timeout: Seconds that the query says it may take, or None.
        resets: What ends what it may leave on its connection; nothing, if that is proved clean.
        variant: Where the text comes from.
    """

    __slots__ = ("_head", "_named", "names", "resets", "statement", "timeout", "variant")

    def __init__(self, named: NamedQuery, variant: Variant, typed: Typed, leaves: bool) -> None:
        if leaves and (found := impossible(variant.sql)) is not None:
            raise refused(*found)
        label = f"{named.source.file}:{named.name}"
        head = comment(label)
        parameters = [typed(name) for name in variant.parameters]
        self.statement = WireStatement(head + variant.sql, parameters, label=label)
        self.names = variant.parameters
        self.timeout = named.timeout
        self.resets = RESETS if leaves else ()
        self.variant = variant
        self._head = len(head)
        self._named = named

    def place(self, error: ServerError, columns: Sequence[str] = ()) -> Place:
        """Return the place of an error in the query's file.

        Without a position from PostgreSQL: of the parameter that is named like a column at
        fault, or of the statement.
        """
        source = self._named.source
        if error.position is not None and error.position > self._head:
            offset = self.variant.source_offset(error.position - 1 - self._head)
            return source.place(offset, offset + 1)
        for column in columns or (error.column,):
            if (place := self._named.place_of(column)) is not None:
                return place
        first = self._named.text.splitlines()[0].rstrip()
        return source.place(self._named.start, self._named.start + len(first))


class Texts:
    """The variants of a query that were called so far; see `todo_sql.database.query.Query`."""

    def __init__(self, named: NamedQuery, typed: Typed, leaves: bool) -> None:
        self.named = named
        self._typed = typed
        self._leaves = leaves
        self._known: dict[int, tuple[Variant, Text]] = {}
        self._only: Text | None = None
        self.names = frozenset(self.named.names)

    def choose(self, arguments: Mapping[str, object]) -> Text:
        """Return the text for a call's arguments; `BadParameter`: they are not those of it."""
        if self._only is not None and arguments.keys() == self.names:
            return self._only
        text = self.of(choose(self.named, arguments))
        if not self.named.groups and not self.named.cases:
            self._only = text
        return text

    def of(self, variant: Variant) -> Text:
        """Return the text of a variant; the same object for the same one."""
        known = self._known.get(id(variant))
        if known is None:
            text = Text(self.named, variant, self._typed, self._leaves)
            known = self._known[id(variant)] = variant, text
        return known[1]
