"""A table or view as its queries need it: names for its columns, its rows, its file. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from todo_sql.adoption.versions import unlike
from todo_sql.catalog.item import Item
from todo_sql.catalog.names import names, quoted
from todo_sql.catalog.snapshot import Snapshot
from todo_sql.compiler.models import is_field
from todo_sql.compiler.python_types import Choices, python_type
from todo_sql.compiler.schema import Column, Relation, Schema
from todo_sql.queries.mistakes import not_a_name

_FILTERS = 4  # of a list: each doubles the texts that are checked
_RESULT, _SENT = Choices({}), Choices({}, tuples=True)
_KEY = re.compile(r"(?:PRIMARY KEY|FOREIGN KEY) \((?P<columns>(?:\"(?:[^\"]|\"\")*\"|[^\")])*)\)")
# Types whose values can be asked for by `=`, and that people would name in a filter.
_COMPARED = frozenset(
    (
        *("bool", "int2", "int4", "int8", "oid", "numeric", "text", "varchar", "bpchar"),
        *("uuid", "date", "timestamp", "timestamptz", "inet", "citext"),
    )
)
_TOUCHED = ("updated_at", "modified_at")  # what an update sets by itself


class Naming:
    """Gives each table names of its own: of a file, of one row and of a model."""

    def __init__(self) -> None:
        self._taken: dict[str, set[str]] = {"file": {"models"}, "row": set(), "model": set()}

    def of(self, relation: Relation) -> tuple[str, str, str]:
        """Return the stem of the file, the word for one row, the name of the model."""
        name = relation.name if relation.schema == "public" else relation.shown
        words = snake(name)
        stem = self._own("file", words if not not_a_name(words) else f"{words}_")
        one = self._own("row", singular(words))
        model = "".join(word[:1].upper() + word[1:] for word in one.split("_"))
        return stem, one, self._own("model", model if not not_a_name(model) else f"{model}Row")

    def _own(self, kind: str, name: str) -> str:
        taken, number, found = self._taken[kind], 1, name
        while found.lower() in taken:
            number += 1
            found = f"{name}_{number}" if kind != "model" else f"{name}{number}"
        taken.add(found.lower())
        return found


def snake(name: str) -> str:
    """Return a name in small letters of ASCII, its words joined by underscores."""
    plain = unicodedata.normalize("NFKD", name)
    plain = "".join(sign for sign in plain if not unicodedata.combining(sign))
    plain = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", plain)
    plain = re.sub(r"[^A-Za-z0-9]+", "_", plain).strip("_").lower()
    return plain if plain[:1].isalpha() else f"t_{plain}".rstrip("_")


def singular(words: str) -> str:
    """Return a name for one of what a table of this name holds; an unknown plural stays."""
    for plural, one in (("ies", "y"), ("sses", "ss"), ("xes", "x"), ("ches", "ch"), ("shes", "sh")):
        if words.endswith(plural) and len(words) > len(plural) + 1:
            return words.removesuffix(plural) + one
    if words.endswith("s") and not words.endswith(("ss", "us", "is", "_s")) and len(words) > 2:
        return words[:-1]
    return words


def field_name(name: str) -> str:
    """Return what a column is called in Python: by its own name where it can be."""
    word = name
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", word):
        word = re.sub(r"\W+", "_", unicodedata.normalize("NFKD", name), flags=re.ASCII)
    word = word.strip("_") if word.startswith("_") else word
    word = word if word[:1].isalpha() else f"c_{word}".rstrip("_")
    return f"{word}_" if not_a_name(word) or not is_field(word) else word


def _field(name: str, taken: set[str]) -> str:
    """Return a name for a column that no other column of its table has, nor an argument."""
    word = field_name(name)
    word = f"{word}_" if word in ("limit", "cursor") else word
    found = unlike(word, taken)
    taken.add(found)
    return found


@dataclass(frozen=True, slots=True)
class QueriedColumn:
    """A column of a table as queries use it.

    Attributes:
        sql: Its quoted name.
        field: What it is called in Python.
        result: How it stands in a select list; None: as it is.
        sent: What its parameter is cast to, with dots for it; empty: nothing.
        column: As the compiler has it.
        item: As the catalog has it.
    """

    sql: str
    field: str
    result: str | None
    sent: str
    column: Column
    item: Item

    @property
    def shown(self) -> str:
        """Its entry in a select list."""
        if self.result is None and self.field == self.column.name:
            return self.sql
        return f"{self.result or self.sql} as {quoted(self.field)}"

    @property
    def parameter(self) -> str:
        """The parameter for a value of it."""
        return f":{self.field}{self.sent}"

    @property
    def is_settable(self) -> bool:
        """Whether a statement may give it any value."""
        return not self.item["generated"] and self.item["identity"] != "always"

    @property
    def counts(self) -> bool:
        """Whether it numbers rows by itself."""
        default = self.item["default"] or ""
        return bool(self.item["identity"]) or default.startswith("nextval(")


class QueriedTable:
    """A table or view with what its queries are made of."""

    def __init__(
        self,
        item: Item,
        relation: Relation,
        snapshot: Snapshot,
        schema: Schema,
        tenant: str | None,
    ) -> None:
        self.kind = item.kind
        self.name = quoted(relation.name)
        if relation.schema != "public" or relation.name.startswith("pg_"):
            self.name = f"{quoted(relation.schema)}.{self.name}"
        heirs = not item.attributes.get("partition_by") and item.name in snapshot.parents
        self.rows = f"only {self.name}" if heirs else self.name  # a key is no child's
        self._relation = relation
        self._schema = schema
        self._constraints = list(snapshot.of("constraint", item.key))
        items = {one["name"]: one for one in snapshot.of("column", item.key)}
        taken: set[str] = set()
        self.columns = {
            number: self._column(column, items[column.name], taken)
            for number, column in relation.columns.items()
            if column.name in items
        }
        self.tenant = next((c for c in self.columns.values() if c.column.name == tenant), None)

    def _column(self, column: Column, item: Item, taken: set[str]) -> QueriedColumn:
        schema = self._schema
        kind = schema.types.get(column.type)
        result, sent = None, ""
        name = quoted(column.name)
        if python_type(column.type, schema, _RESULT) is None:
            composite = python_type(column.type, schema, _SENT) is not None
            result = f"to_jsonb({name})" if composite else f"{name}::text"
        if python_type(column.type, schema, _SENT) is None and kind is not None:
            sent = f"::text::{kind.shown}"
        return QueriedColumn(name, _field(column.name, taken), result, sent, column, item)

    @cached_property
    def key(self) -> list[QueriedColumn]:
        """The columns of the primary key, else of the smallest key without NULLs."""
        numbers: Sequence[int] = ()
        for one in self._constraints:
            if one["form"] == "primary key":
                numbers = self._numbers(one["definition"])
        if not numbers and self.kind == "table":
            not_null = {n for n, column in self._relation.columns.items() if column.not_null}
            keys = [
                index
                for index in self._relation.indexes
                if frozenset(index) in self._relation.unique and not_null.issuperset(index)
            ]
            numbers = min(keys, key=len, default=())
        found = [self.columns[number] for number in numbers]
        return [] if any(one.sent for one in found) else found

    def _numbers(self, definition: str) -> list[int]:
        found = _KEY.match(definition)
        by_name = {one.sql: number for number, one in self.columns.items()}
        return [by_name[name] for name in names(found["columns"])] if found else []

    @cached_property
    def named_by(self) -> list[QueriedColumn]:
        """What names a row: the tenant's column and the key."""
        return [*([self.tenant] if self.tenant and self.tenant not in self.key else ()), *self.key]

    @cached_property
    def filters(self) -> list[QueriedColumn]:
        """The columns by which a list can be narrowed: of foreign keys, and first in an index."""
        numbers: dict[int, None] = {}
        for one in self._constraints:
            if one["form"] == "foreign key":
                numbers |= dict.fromkeys(self._numbers(one["definition"])[-1:])
        tenant = {n for n, one in self.columns.items() if one is self.tenant}
        for index in self._relation.indexes:
            numbers |= dict.fromkeys([n for n in index if n not in tenant][:1])
        found = [self.columns[n] for n in numbers if n in self.columns and n not in tenant]
        own = [one for one in self.key if one is not self.tenant]
        alone = own if len(own) == 1 else []
        return [one for one in found if one not in alone and self._is_compared(one)][:_FILTERS]

    def _is_compared(self, column: QueriedColumn) -> bool:
        kind = self._schema.types.get(column.column.type)
        while kind is not None and kind.kind == "d":
            kind = self._schema.types.get(kind.base)
        return kind is not None and (kind.kind == "e" or kind.name in _COMPARED)

    @cached_property
    def is_paged(self) -> bool:
        """Whether a list has an order to walk along."""
        return bool(self.key) and not any(one.result for one in self.key)

    @cached_property
    def touched(self) -> QueriedColumn | None:
        """The column that tells when a row was changed last."""
        for one in self.columns.values():
            kind = self._schema.types.get(one.column.type)
            if one.column.name in _TOUCHED and kind is not None and kind.name == "timestamptz":
                return one if one.is_settable else None
        return None
