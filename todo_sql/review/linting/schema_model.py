"""The schema as a history of migrations makes it (see `replay`). Pure.

Every fact keeps the place where it was written, so that a rule can point at it. What
dynamic SQL makes (in DO blocks and functions) is not seen: `plan`, `verify` and `doctor`
look at real databases.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from todo_sql.review.linting.reviewed import Spot


@dataclass(slots=True)
class ModelColumn:
    """A column, its type as the last part of the type's name, and where it was added.

    Attributes:
        typed: Where its type was changed, if it was.
    """

    name: str
    type: str
    not_null: bool
    spot: Spot
    typed: Spot | None = None


@dataclass(slots=True)
class ModelKey:
    """A primary key, unique key or foreign key; of an exclusion the columns compared by `=`.

    Attributes:
        target: Of a foreign key: its table, and `referenced` its columns where they are said.
        actions: Of a foreign key: what it does on a delete and on an update, as one letter each.
    """

    name: str | None
    columns: tuple[str, ...]
    spot: Spot
    target: str | None = None
    referenced: tuple[str, ...] = ()
    actions: tuple[str, str] = ("a", "a")


@dataclass(slots=True)
class ModelIndex:
    """An index; `keys` holds a column's name or the shape of an expression."""

    name: str
    table: str
    keys: tuple[str, ...]
    include: tuple[str, ...]
    unique: bool
    method: str
    where: Any
    spot: Spot
    orders: tuple[str, ...] = ()
    of_constraint: bool = False


@dataclass(slots=True)
class Policy:
    """A policy on a table."""

    name: str
    command: str
    permissive: bool
    roles: tuple[str, ...]
    using: Any
    check: Any
    spot: Spot


@dataclass(slots=True)
class Table:
    """A table and what hangs on it; `grants` has the privileges by role."""

    name: str
    spot: Spot
    columns: dict[str, ModelColumn] = field(default_factory=dict)
    primary: ModelKey | None = None
    uniques: list[ModelKey] = field(default_factory=list)
    foreign_keys: list[ModelKey] = field(default_factory=list)
    exclusions: list[ModelKey] = field(default_factory=list)
    unnamed: list[Spot] = field(default_factory=list)
    checks: list[Any] = field(default_factory=list)
    policies: dict[str, Policy] = field(default_factory=dict)
    triggers: dict[str, Spot] = field(default_factory=dict)
    grants: dict[str, set[str]] = field(default_factory=dict)
    row_security: bool = False
    partition_of: str | None = None
    partitioned: bool = False


@dataclass(slots=True)
class View:
    """A view or materialized view."""

    name: str
    security_invoker: bool
    materialized: bool
    spot: Spot


@dataclass(slots=True)
class ModelFunction:
    """A function or procedure; `search_path` has the schemas of its own path, if it has one."""

    name: str
    security_definer: bool
    search_path: tuple[str, ...] | None
    public: bool
    trigger: bool
    spot: Spot


@dataclass(slots=True)
class SchemaModel:
    """Everything that the statements made and did not drop.

    Attributes:
        creators: The roles that were granted CREATE, by schema, and where.
        on_path: The schemas that some search_path names, of a session, a role or a database.
    """

    tables: dict[str, Table] = field(default_factory=dict)
    indexes: dict[str, ModelIndex] = field(default_factory=dict)
    views: dict[str, View] = field(default_factory=dict)
    functions: dict[str, ModelFunction] = field(default_factory=dict)
    creators: dict[str, dict[str, Spot]] = field(default_factory=dict)
    on_path: set[str] = field(default_factory=lambda: {"public"})
    _indexes: dict[str, dict[str, ModelIndex]] = field(default_factory=dict)  # by table
    _comments: dict[str, set[str]] = field(default_factory=dict)  # by table; "": its own

    def indexes_of(self, table: str) -> list[ModelIndex]:
        """Return the indexes of a table, those of its keys too."""
        return list(self._indexes.get(table, {}).values())

    def add_index(self, index: ModelIndex) -> None:
        """Take up an index; one of the same name goes."""
        self.drop_index(index.name)
        self.indexes[index.name] = index
        self._indexes.setdefault(index.table, {})[index.name] = index

    def drop_index(self, name: str) -> ModelIndex | None:
        """Forget an index and return it, if there is one."""
        index = self.indexes.pop(name, None)
        if index is not None:
            del self._indexes[index.table][name]
        return index

    def rename_table(self, old: str, new: str) -> None:
        """Let everything that hangs on a table follow its name."""
        self.tables[new] = self.tables.pop(old)
        self.tables[new].name = new
        self._indexes[new] = self._indexes.pop(old, {})
        for index in self._indexes[new].values():
            index.table = new
        for table in self.tables.values():
            for key in table.foreign_keys:
                key.target = new if key.target == old else key.target
        self._comments[new] = self._comments.pop(old, set())

    def comment(self, table: str, column: str = "", *, there: bool = True) -> None:
        """Take up or forget the comment on a table or on one of its columns."""
        said = self._comments.setdefault(table, set())
        (said.add if there else said.discard)(column)

    def commented(self, table: str) -> set[str]:
        """Return the columns of a table that have a comment, "" for the table itself."""
        return self._comments.get(table, set())
