"""The Python types of PostgreSQL's values, by type, by column and by what headers say. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from todo_sql.compiler import constraints, feeds, python_types
from todo_sql.compiler.described import Origin
from todo_sql.compiler.schema import Column, Relation, Schema
from todo_sql.config import Config
from todo_sql.queries.named import ColumnDirective, NamedQuery, ParameterDirective


@dataclass(eq=False)
class ValueTypes:
    """What the types and columns of one schema are in Python, as a project has it."""

    schema: Schema
    config: Config
    _origins: dict[tuple[int, str], Origin] = field(default_factory=dict)

    def depth(
        self,
        directive: ParameterDirective | ColumnDirective | None,
        oid: int,
        columns: list[Column | None],
    ) -> int:
        """Return how deep an array is nested: as header, columns or a domain declare it."""
        if directive is not None and directive.pg_type is not None:
            return self.schema.depth(oid, directive.pg_type.count("[]"))
        depth = self.schema.depth
        declared = {depth(one.type, one.dimensions) for one in columns if one is not None}
        return declared.pop() if len(declared) == 1 else depth(oid)

    @cached_property
    def listed(self) -> dict[tuple[int, int], tuple[str, ...]]:
        """The texts that CHECK constraints allow, by table and number of the column."""
        return {
            (relation.oid, number): values
            for relation in self.schema.relations.values()
            if relation.checks
            for number, column in relation.columns.items()
            if (values := self.origin(relation, column).constraint.values)
        }

    def allowed(self, fed: list[feeds.Feed], target: Origin | None) -> tuple[str, ...]:
        """Return the only values that are of use for a parameter, or none: any."""
        if target is not None:
            return target.constraint.values
        if any(feed.uses > len(feed.compared) for feed in fed):
            return ()
        lists = {self.listed[key] for feed in fed for key in feed.compared}
        return lists.pop() if len(lists) == 1 else ()

    def origin(self, relation: Relation, column: Column) -> Origin:
        """Return what a table says of one of its columns."""
        key = (relation.oid, column.name)
        if key not in self._origins:
            self._origins[key] = Origin(
                relation.shown,
                column.name,
                relation.comment,
                column.comment,
                constraints.of_column(column.name, [text for _, text in relation.checks]),
            )
        return self._origins[key]

    def python(
        self,
        oid: int,
        origin: Origin | None,
        query: NamedQuery,
        name: str,
        shape: python_types.Shape,
        inner: str | None = None,
        *,
        tuples: bool = False,
    ) -> python_types.PythonType | None:
        """Return the Python type: of this query's or model's name, of the column, of the type."""
        keys = [f"{owner}.{name}" for owner in (query.name, query.model) if owner]
        keys += [inner] if inner else []
        keys += [f"{origin.table}.{origin.column}"] if origin is not None else []
        for key in keys:
            if key in self.config.types:
                return python_types.named(self.config.types[key])
        is_enum = self.config.enums == "enum"
        choices = python_types.Choices(self.config.types, is_enum, tuples)
        return python_types.python_type(oid, self.schema, choices, shape)

    def is_domain(self, oid: int) -> bool:
        """Say whether a type is a domain."""
        found = self.schema.types.get(oid)
        return found is not None and found.kind == "d"

    def shown(self, oid: int, typmod: int = -1) -> str:
        """Return the name of a type, as PostgreSQL writes it."""
        found = self.schema.types.get(oid)
        name = found.shown if found else f"type {oid}"
        return name + python_types.modifier(found, typmod) if found else name
