"""What the compiler found out about one named query. Pure."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from todo_sql.compiler.constraints import UNCONSTRAINED, Constraint
from todo_sql.compiler.python_types import PythonType, quoted
from todo_sql.queries.named import Cardinality, NamedQuery
from todo_sql.wire.loaders import Form


@dataclass(frozen=True, slots=True)
class Origin:
    """The table column that a result column comes from, or a parameter is stored in.

    Attributes:
        table: Its name, without schema in `public`.
        constraint: What CHECK constraints say of its values.
    """

    table: str
    column: str
    table_comment: str | None = None
    comment: str | None = None
    constraint: Constraint = UNCONSTRAINED


@dataclass(frozen=True, slots=True)
class TypedName:
    """A parameter or a column: its name, its type here and there, and whether it takes NULL."""

    name: str
    pg_type: str | None
    python: PythonType
    nullable: bool

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "name": self.name,
            "pg_type": self.pg_type,
            "python_type": self.annotation.text,
            "nullable": self.nullable,
        }

    @property
    def annotation(self) -> PythonType:
        """The Python type with None, if that is accepted, or comes."""
        return self.python.optional() if self.nullable else self.python


@dataclass(frozen=True, slots=True)
class DescribedParameter(TypedName):
    """A parameter as a caller sees it; `pg_type` is None for one of `-- case`, which isn't sent.

    Attributes:
        default: Python source, or None.
        default_imports: What that needs, as pairs of module and name.
        optional: Whether its lines are left out when it isn't given.
        target: The table and column that it is stored in as it is, where there is just one.
        form: How it is written if its type is not PostgreSQL's own, else None.
        null_elements: Whether elements of an array may be None.
    """

    default: str | None = None
    optional: bool = False
    target: Origin | None = None
    form: Form | None = None
    null_elements: bool = True
    default_imports: frozenset[tuple[str, str]] = frozenset()

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {**TypedName.as_dict(self), "default": self.default}

    @property
    def may_be_left_out(self) -> bool:
        """Whether a call can do without it."""
        return self.optional or self.default is not None

    @property
    def default_value(self) -> PythonType:
        """The default as a formatter would write it, with the imports that it needs."""
        text = self.default or "None"
        if text[0] in "'\"":
            text = quoted(ast.literal_eval(text))
        return PythonType(text, self.default_imports)


@dataclass(frozen=True, slots=True)
class DescribedColumn(TypedName):
    """A column of the result.

    Attributes:
        origin: The table and column that it comes from, or None for an expression.
        form: How it is loaded if psycopg does not know its type, else None.
        inside: Of a column in a nested model: whether it can be NULL where that is there.
    """

    pg_type: str
    origin: Origin | None = None
    form: Form | None = None
    inside: bool = False


@dataclass(frozen=True, slots=True)
class NestedModel:
    """A field that holds a model of its own: columns whose names begin with it and a dot.

    Attributes:
        path: The field, or the dotted names of it and those around it.
        model: The name of the class.
        optional: Whether it may be missing, because a join found nothing.
        witness: Then, the column that is NULL just where it is missing.
    """

    path: str
    model: str
    optional: bool = False
    witness: str | None = None


@dataclass(frozen=True, slots=True)
class RowModel:
    """A class of rows, or of what lies nested in them.

    Attributes:
        path: The field that it is the class of; empty: of the row.
    """

    name: str
    path: str
    fields: tuple[DescribedColumn, ...]


@dataclass(frozen=True)
class Described:
    """A named query with the types of its parameters and columns.

    Attributes:
        parameters: In order of first use; `-- case` parameters last.
        columns: Of the result; none for a query that returns no rows.
        variants: How many texts it can become.
        read_only: Whether it provably changes nothing.
        tenant: Whether it needs a tenant.
        tenant_parameter: The parameter that the session binds to the tenant, or None.
        not_null: The columns proven never to be NULL in this query, whatever its model says.
        leaves: Whether it may leave something on its connection.
        repeat: The parameters that make a write safe to send twice where all are given.
        nested: The nested models, an outer one before those in it.
    """

    query: NamedQuery
    parameters: tuple[DescribedParameter, ...]
    columns: tuple[DescribedColumn, ...]
    variants: int
    read_only: bool
    tenant: bool
    tenant_parameter: str | None = None
    not_null: frozenset[str] = frozenset()
    leaves: bool = False
    repeat: frozenset[str] = frozenset()
    nested: tuple[NestedModel, ...] = ()

    @property
    def model(self) -> str | None:
        """The name of the result's model, or None for a bare value or no rows."""
        if not self.query.cardinality.returns_rows or not self.columns:
            return None
        if self.query.model:
            return self.query.model
        bare = len(self.columns) == 1 and not self.nested
        return None if bare else pascal(self.query.name) + "Row"

    @property
    def row_models(self) -> list[RowModel]:
        """The classes of a row: those that lie in another before it."""
        if self.model is None:
            return []
        models = [RowModel(one.model, one.path, self._fields(one.path)) for one in self.nested]
        return [*reversed(models), RowModel(self.model, "", self._fields(""))]

    def _fields(self, path: str) -> tuple[DescribedColumn, ...]:
        inner = {one.path: one for one in self.nested}
        fields: dict[str, DescribedColumn] = {}
        for number, column in enumerate(self.columns):
            outer, _, name = column.name.rpartition(".") if inner else ("", "", column.name)
            if outer == path:
                nullable = column.inside if path else column.nullable
                key = name if name not in fields else f"{number}"
                fields[key] = replace(column, name=name, nullable=nullable)
            elif not path or outer.startswith(f"{path}."):
                name = outer[len(path) + 1 if path else 0 :].partition(".")[0]
                one = inner[f"{path}.{name}" if path else name]
                python = PythonType(one.model, frozenset({(".models", one.model)}))
                fields.setdefault(name, DescribedColumn(name, "", python, one.optional))
        return tuple(fields.values())

    @property
    def own_parameters(self) -> list[DescribedParameter]:
        """The parameters that a caller gives: not the one that the session binds."""
        bound = self.tenant_parameter if self.tenant else None
        return [parameter for parameter in self.parameters if parameter.name != bound]

    @property
    def takes_model(self) -> bool:
        """Whether a call takes the parameters as one pydantic model.

        A model of some of them is for those who call: the body of a request, say.
        """
        return self.query.params_model is not None and not self.query.params_fields

    @property
    def model_parameters(self) -> list[DescribedParameter]:
        """The parameters in the model of ``-- params:``."""
        if not self.query.params_fields:
            return self.own_parameters
        by_name = {parameter.name: parameter for parameter in self.own_parameters}
        return [by_name[name] for name in self.query.params_fields if name in by_name]

    def choices(self, parameters: list[DescribedParameter]) -> list[list[DescribedParameter]]:
        """Return the parameters of each way to call it by ``-- one of:``, if it has that."""
        alternatives = self.query.alternatives
        if not alternatives:
            return []
        bound = frozenset().union(*(group for choice in alternatives for group in choice))
        others = [one for one in parameters if one.name not in bound]
        required = [one for one in others if not one.may_be_left_out]
        free = [one for one in others if one.may_be_left_out]
        ways = []
        for groups in product(*alternatives):
            chosen = frozenset().union(*groups)
            needed = [replace(one, optional=False) for one in parameters if one.name in chosen]
            ways.append([*required, *needed, *free])
        return ways

    @property
    def is_bulk(self) -> bool:
        """Whether a call takes many sets of parameters."""
        return self.query.cardinality in (Cardinality.COPYFROM, Cardinality.BATCH)

    @property
    def parameters_type(self) -> str | None:
        """The name of the class that a call takes the parameters in, or None: plain arguments."""
        if self.takes_model:
            return self.query.params_model
        return pascal(self.query.name) + "Params" if self.is_bulk else None

    @property
    def forms(self) -> dict[str, Form]:
        """How columns are loaded whose types psycopg does not know."""
        return {column.name: column.form for column in self.columns if column.form is not None}

    @property
    def written(self) -> dict[str, Form]:
        """How parameters are written whose types are not PostgreSQL's own."""
        return {one.name: one.form for one in self.parameters if one.form is not None}

    @property
    def enums(self) -> frozenset[tuple[str, str, tuple[str, ...]]]:
        """The classes of PostgreSQL's enums that it needs, each with the type and its labels."""
        columns = self.columns if self.query.cardinality.returns_rows else ()
        types = [one.python for one in columns] + [one.python for one in self.parameters]
        return frozenset().union(*(python.enums for python in types))

    @property
    def row(self) -> PythonType:
        """The Python type of a row."""
        if not self.query.cardinality.returns_rows or not self.columns:
            return PythonType("None")
        if self.model:
            return PythonType(self.model, frozenset({(".models", self.model)}))
        return self.columns[0].annotation

    def returns(self, row: str, local: Callable[[str], str] = str) -> str:
        """Return what a call returns, as an annotation.

        Args:
            row: The annotation of a row.
            local: What the module calls ``list``, ``Page`` and ``int``.
        """
        cardinality = self.query.cardinality
        if cardinality is Cardinality.OPTIONAL:
            return row if row == "None" or row.endswith("| None") else f"{row} | None"
        if cardinality in (Cardinality.EXECROWS, Cardinality.COPYFROM):
            return local("int")
        if cardinality is Cardinality.BATCH and not self.columns:
            return local("int")
        lists = {Cardinality.MANY: "list", Cardinality.BATCH: "list", Cardinality.PAGE: "Page"}
        return f"{local(lists[cardinality])}[{row}]" if cardinality in lists else row

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form of design §3."""
        place = self.query.place()
        return {
            "name": self.query.name,
            "file": place.file,
            "line": place.line,
            "cardinality": self.query.cardinality.value,
            "parameters": [parameter.as_dict() for parameter in self.parameters],
            "columns": [column.as_dict() for column in self.columns],
            "variants": self.variants,
            "read_only": self.read_only,
        }


def pascal(name: str) -> str:
    """Return ``list_tasks`` as ``ListTasks``; capitals inside stay."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))
