"""What the compiler knows of a database: relations, types, functions, operators.

One `Schema` is read per connection in six statements; everything that follows from it
is pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from psycopg import Connection

from todo_sql.catalog.read import ours
from todo_sql.queries.own import named_queries
from todo_sql.queries.variants import choose


@dataclass(frozen=True, slots=True)
class Column:
    """A column as the catalog has it.

    Attributes:
        not_null: No row of the relation, or of one that inherits from it, can hold NULL
            here: a validated NOT NULL on a table of PostgreSQL's own, on every child, too.
        declared_not_null: Whether the column says NOT NULL, trustworthy or not.
        dimensions: Of an array, as declared; PostgreSQL holds no value against it.
    """

    name: str
    type: int
    typmod: int
    not_null: bool
    declared_not_null: bool
    comment: str | None
    dimensions: int = 0


@dataclass(frozen=True, slots=True)
class Relation:
    """A table, view, materialised view or foreign table.

    Attributes:
        kind: ``r``, ``p``, ``v``, ``m``, ``f`` as in `pg_class`.
        unique: The column numbers of each unique, complete, valid index on plain columns.
        partly_unique: Likewise of each that holds for some rows only.
        checks: Every enforced CHECK constraint as its name and expression.
    """

    oid: int
    schema: str
    name: str
    kind: str
    row_security: bool
    comment: str | None
    columns: dict[int, Column]
    unique: list[frozenset[int]] = field(default_factory=list)
    partly_unique: list[frozenset[int]] = field(default_factory=list)
    indexes: list[tuple[int, ...]] = field(default_factory=list)
    checks: list[tuple[str, str]] = field(default_factory=list)

    @property
    def shown(self) -> str:
        """Its name, with the schema unless that is `public`."""
        return self.name if self.schema == "public" else f"{self.schema}.{self.name}"

    @property
    def is_table(self) -> bool:
        """Whether PostgreSQL itself stores and guards the rows."""
        return self.kind in ("r", "p")

    @property
    def column_names(self) -> frozenset[str]:
        """The names of all columns."""
        return frozenset(column.name for column in self.columns.values())


@dataclass(frozen=True, slots=True)
class Type:
    """A type as the catalog has it.

    Attributes:
        kind: ``b`` base, ``c`` composite, ``d`` domain, ``e`` enum, ``p`` pseudo,
            ``r`` range, ``m`` multirange.
        shown: The name as `format_type` gives it on the search path of the queries.
        element: The element type of an array, else 0.
        base: The base type of a domain, the subtype of a (multi)range, else 0.
        relation: The relation of a composite, else 0.
        labels: The labels of an enum, in order.
        not_null: Whether a domain refuses NULL.
        delimiter: What stands between elements of an array of it.
        dimensions: Of a domain over an array, as declared.
    """

    oid: int
    schema: str
    name: str
    kind: str
    shown: str
    element: int
    base: int
    relation: int
    labels: tuple[str, ...]
    not_null: bool = False
    delimiter: str = ","
    dimensions: int = 0


@dataclass(frozen=True, slots=True)
class Function:
    """A function, aggregate or window function."""

    oid: int
    schema: str
    name: str
    strict: bool
    volatility: str
    arguments: tuple[str, ...]
    returns_set: bool

    @property
    def builtin(self) -> bool:
        """Whether it comes with PostgreSQL."""
        return self.schema == "pg_catalog"


# Of each node that calls a function, the field that holds the function's number.
CALLS = {
    "FUNCEXPR": "funcid",
    "OPEXPR": "opfuncid",
    "DISTINCTEXPR": "opfuncid",
    "NULLIFEXPR": "opfuncid",
    "SCALARARRAYOPEXPR": "opfuncid",
    "AGGREF": "aggfnoid",
    "WINDOWFUNC": "winfnoid",
}


@dataclass(eq=False)
class Schema:
    """The relations, types, functions and operators of one database."""

    relations: dict[int, Relation]
    types: dict[int, Type]
    functions: dict[int, Function]
    operators: dict[int, str]
    version: int

    def called(self, node: Mapping[str, Any]) -> Function | None:
        """Return the function that a node of a tree calls; None: it is none that is known."""
        field = CALLS.get(node["node"])
        return self.functions.get(int(node[field])) if field else None

    def column(self, relation: int, number: int) -> Column | None:
        """Return a column, or None for a relation or number that isn't known."""
        found = self.relations.get(relation)
        return found.columns.get(number) if found else None

    def refuses_null(self, oid: int) -> bool:
        """Whether a type is a domain that refuses NULL, or one over such a domain."""
        found = self.types.get(oid)
        if found is None or found.kind != "d":
            return False
        return found.not_null or self.refuses_null(found.base)

    def depth(self, oid: int, declared: int = 0) -> int:
        """Return how deep arrays of a type are nested: by its column or by a domain; else one.

        Args:
            declared: The dimensions that its column declares.
        """
        found = self.types.get(oid)
        while found is not None and found.kind == "d":
            declared = max(declared, found.dimensions)
            found = self.types.get(found.base)
        return max(declared, 1)

    def is_array(self, oid: int) -> bool:
        """Whether a type is an array, or a domain over one."""
        found = self.types.get(oid)
        if found is not None and found.kind == "d":
            return self.is_array(found.base)
        return found is not None and found.element != 0

    def type_named(self, name: str) -> Type | None:
        """Return a type by its name without schema, one of PostgreSQL's own before others."""
        found = (one for one in self.types.values() if one.name == name)
        return min(found, key=lambda one: one.schema != "pg_catalog", default=None)


def read(connection: Connection[Any]) -> Schema:
    """Read a database's catalog; read-only, takes no lock beyond those of reading."""

    path = connection.execute("select pg_catalog.current_schemas(true)").fetchall()[0][0]
    with ours(connection):
        return _read(connection, path)


def _read(connection: Connection[Any], path: list[str]) -> Schema:
    queries = named_queries(__package__)

    def rows(name: str) -> list[tuple[Any, ...]]:
        return connection.execute(choose(queries[name], {}).sql.encode()).fetchall()

    found = rows("types")
    known = {(schema, name) for _, schema, name, *_ in found}
    types = {row[0]: _type(row, path, known) for row in found}
    comments = {(oid, number): text for oid, number, text in rows("comments")}
    not_validated = set(rows("not_validated"))
    columns: dict[int, dict[int, Column]] = defaultdict(dict)
    for oid, number, name, type_oid, typmod, not_null, dimensions in rows("columns"):
        proven = not_null and (oid, number) not in not_validated
        comment = comments.get((oid, number))
        columns[oid][number] = Column(name, type_oid, typmod, proven, not_null, comment, dimensions)
    children: dict[int, list[int]] = defaultdict(list)
    for parent, child in rows("inherits"):
        children[parent].append(child)
    headers = rows("relations")
    kinds = {header[0]: header[3] for header in headers}
    relations = {}
    for oid, schema, name, kind, row_security in headers:
        comment = comments.get((oid, 0))
        proven_columns = _proven(oid, kinds, columns, children)
        relations[oid] = Relation(oid, schema, name, kind, row_security, comment, proven_columns)
    for oid, key, unique, partial in rows("indexes"):
        if of := relations.get(oid):
            of.indexes.append(tuple(key))
            if unique:
                (of.partly_unique if partial else of.unique).append(frozenset(key))
    for oid, name, expression in rows("checks"):
        if oid in relations:
            relations[oid].checks.append((name, expression))
    functions = {}
    for oid, schema, name, strict, volatility, arguments, returns_set in rows("functions"):
        names = tuple(types[int(argument)].name for argument in arguments.split())
        functions[oid] = Function(oid, schema, name, strict, volatility, names, returns_set)
    operators = dict(rows("operators"))
    return Schema(relations, types, functions, operators, connection.info.server_version)


def _type(row: tuple[Any, ...], path: list[str], known: set[tuple[str, str]]) -> Type:
    oid, schema, name, kind, (shown, prefix), element, base, relation, labels, *rest = row
    if next((one for one in path if (one, name) in known), None) == schema:
        shown = shown.removeprefix(prefix)  # as the text of a query may call it
    labels = tuple(labels or ())
    return Type(oid, schema, name, kind, shown, element, base, relation, labels, *rest)


def _proven(
    oid: int,
    kinds: dict[int, str],
    columns: dict[int, dict[int, Column]],
    children: dict[int, list[int]],
) -> dict[int, Column]:
    """Take NOT NULL off columns that a child leaves nullable, or that PostgreSQL doesn't guard."""
    if kinds[oid] in ("r", "p") and not children[oid]:
        return columns[oid]
    nullable = set()
    pending = [oid]
    while pending:
        relation = pending.pop()
        guarded = kinds.get(relation) in ("r", "p")
        own = columns[relation].values()
        nullable |= {one.name for one in own if not (guarded and one.not_null)}
        pending += children[relation]
    return {
        number: replace(column, not_null=column.name not in nullable)
        for number, column in columns[oid].items()
    }
