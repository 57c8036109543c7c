"""The schema as a history of migrations makes it (see `replay`). Pure.

Every fact keeps the place where it was written, so that a rule can point at it. What
dynamic SQL makes (in DO blocks and functions) is not seen: `plan`, `verify` and `doctor`
look at real databases.
"""

from __future__ import annotations

from collections.abc import Iterable
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
    commented: bool = False


@dataclass(slots=True)
class ModelKey:
    """A constraint.

    Attributes:
        form: As the names end that PostgreSQL gives: pkey, key, fkey, excl, check.
        name: The one that it gives, where it is not `named`.
        columns: Of an exclusion those compared by `=`, of a check those that it reads.
        target: Of a foreign key: its table, and `referenced` its columns where they are said.
        actions: Of a foreign key: what it does on a delete and on an update, as one letter each.
    """

    form: str
    name: str
    named: bool
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
    constraints: list[ModelKey] = field(default_factory=list)
    policies: dict[str, Policy] = field(default_factory=dict)
    triggers: dict[str, Spot] = field(default_factory=dict)
    grants: dict[str, set[str]] = field(default_factory=dict)
    row_security: bool = False
    partition_of: str | None = None
    partitioned: bool = False
    commented: bool = False

    def of(self, form: str) -> list[ModelKey]:
        """Return the constraints of a form."""
        return [key for key in self.constraints if key.form == form]

    @property
    def primary(self) -> ModelKey | None:
        """The primary key."""
        return next(reversed(self.of("pkey")), None)


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

    def add_table(self, table: Table) -> Table:
        """Take up a table and return it; nothing of one that had its name is left."""
        for index in self.indexes_of(table.name):
            self.drop_index(index.name)
        self.tables[table.name] = table
        return table

    def drop_relation(self, name: str) -> None:
        """Forget a table or view with all that goes with it: what refers to it, and its parts."""
        self.views.pop(name, None)
        if self.tables.pop(name, None) is None:
            return
        for index in self.indexes_of(name):
            self.drop_index(index.name)
        for table in list(self.tables.values()):
            table.constraints = [key for key in table.constraints if key.target != name]
            if table.partition_of == name:
                self.drop_relation(table.name)

    def drop_schema(self, schema: str) -> None:
        """Forget a schema with all that is in it."""
        for name in self._within(schema, self.tables, self.views):
            self.drop_relation(name)
        for name in self._within(schema, self.functions):
            del self.functions[name]
        self.creators.pop(schema, None)

    def rename_schema(self, old: str, new: str) -> None:
        """Let all that is in a schema follow its name."""
        for name in self._within(old, self.tables, self.views):
            self.rename_relation(name, placed(new, name))
        for name in self._within(old, self.functions):
            self.rename_function(name, placed(new, name))
        if old in self.creators:
            self.creators[new] = self.creators.pop(old)

    def rename_relation(self, old: str, new: str) -> None:
        """Let everything that hangs on a table or view follow its name."""
        if view := self.views.pop(old, None):
            view.name, self.views[new] = new, view
        if (renamed := self.tables.pop(old, None)) is None:
            return
        renamed.name, self.tables[new] = new, renamed
        for index in self.indexes_of(old):
            self.drop_index(index.name)
            index.table, index.name = new, placed(schema_of(new), index.name)
            self.add_index(index)
        for table in self.tables.values():
            table.partition_of = new if table.partition_of == old else table.partition_of
            for key in table.constraints:
                key.target = new if key.target == old else key.target

    def rename_function(self, old: str, new: str) -> None:
        """Let a function follow its name."""
        if function := self.functions.pop(old, None):
            function.name, self.functions[new] = new, function

    @staticmethod
    def _within(schema: str, *held: Iterable[str]) -> list[str]:
        return [name for names in held for name in names if schema_of(name) == schema]


def schema_of(name: str) -> str:
    """Return the schema of a qualified name."""
    return name.rsplit(".", 1)[0]


def placed(schema: str, name: str) -> str:
    """Return a name, bare or of another schema, as one of a schema."""
    return f"{schema}.{name.rsplit('.', 1)[-1]}"
