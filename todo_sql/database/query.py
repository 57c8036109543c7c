"""What generated code is written against: a typed handle on one named query of a .sql file.

The .sql file lies beside the generated module and is read and parsed on the first call.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from todo_sql.config import Tenant
from todo_sql.errors import UsageError

if TYPE_CHECKING:
    from todo_sql.database.texts import Texts
    from todo_sql.queries.named import NamedQuery
    from todo_sql.sql.source import Source
    from todo_sql.wire.loaders import Form
    from todo_sql.wire.parameters import Parameter

R = TypeVar("R")
S = TypeVar("S")


class QueryFile:
    """A .sql file beside a generated module.

    Args:
        package: The package that holds the file as a resource.
        file: Its name in that package, such as ``tasks.sql``.
        tenant: How rows are isolated, or None in a project without tenants.

    Attributes:
        is_adhoc: Whether a caller wrote it on the spot and no compiler has read it.
    """

    is_adhoc = False

    def __init__(self, package: str | None, file: str, *, tenant: Tenant | None = None) -> None:
        self.package = package or ""
        self.file = file
        self.tenant = tenant

    def __repr__(self) -> str:
        return f"QueryFile({self.package!r}, {self.file!r})"

    def query(
        self,
        name: str,
        *,
        row: Any = None,
        parameters: Mapping[str, str] | None = None,
        written: Mapping[str, Form] | None = None,
        nullable: Collection[str] | None = None,
        not_null: Collection[str] = (),
        forms: Mapping[str, Form] | None = None,
        validated: bool = False,
        read_only: bool = False,
        tenant: bool = False,
        leaves: bool = False,
        repeat: Collection[str] = (),
        nested: Mapping[str, str | None] | None = None,
        defaults: Mapping[str, Any] | None = None,
    ) -> Query[Any]:
        """Return the handle of one query; nothing is read yet.

        Args:
            name: The name in its header.
            row: A pydantic model or a dataclass (one object a row), the type of a single
                column (its bare value), or None where no row comes back.
            parameters: PostgreSQL's type by parameter, as ``format_type`` names it.
            written: How parameters are written whose types are not PostgreSQL's own.
            nullable: The parameters that accept None, and with `[]` those whose elements
                may be None; default: every one does.
            not_null: The keys of a ``:page`` query that the compiler proved NOT NULL.
            forms: How columns are loaded whose types psycopg does not know, by name.
            validated: Whether `row` is the type of a single column that the configuration
                named, so that each value has yet to become one.
            read_only: Whether the compiler proved that the query changes nothing.
            tenant: Whether the query needs a tenant.
            leaves: Whether it may leave something on its connection: the session is made
                new behind it.
            repeat: Of a write that the compiler proved safe to send twice: the parameters that
                make it so where none of them is None.
            nested: The fields that hold a model of their own, by dotted names, each with the
                column that is NULL just where there is none.
            defaults: Of a ``:copyfrom``: what a row may leave out; default: what the header says.
        """
        return Query(
            self,
            name,
            row,
            dict(parameters or {}),
            dict(written or {}),
            None if nullable is None else frozenset(nullable),
            frozenset(not_null),
            dict(forms or {}),
            validated,
            read_only,
            tenant,
            leaves or self.is_adhoc,
            frozenset(repeat),
            dict(nested or {}),
            defaults,
        )

    @cached_property
    def named(self) -> Mapping[str, NamedQuery]:
        """Every query of the file by name; read on first use."""
        from todo_sql.queries.loader import load_text

        return {query.name: query for query in load_text(self._source())}

    def _source(self) -> Source:
        from todo_sql.sql.source import Source

        data = files(self.package).joinpath(self.file).read_bytes()
        return Source.from_bytes(f"queries/{self.file}", data)


@dataclass(frozen=True, eq=False)
class Query(Generic[R]):
    """One named query with the types that the compiler found; `R` is a row of its result."""

    file: QueryFile
    name: str
    row: Any
    parameters: Mapping[str, str]
    written: Mapping[str, Form]
    nullable: frozenset[str] | None
    not_null: frozenset[str]
    forms: Mapping[str, Form]
    validated: bool
    read_only: bool
    tenant: bool
    leaves: bool
    repeat: frozenset[str]
    nested: Mapping[str, str | None]
    defaults: Mapping[str, Any] | None

    @cached_property
    def named(self) -> NamedQuery:
        """The query as written.

        Raises:
            UsageError: The file holds no query of this name.
        """
        try:
            return self.file.named[self.name]
        except KeyError:
            message = f"{self.file.file} holds no query `{self.name}`"
            raise UsageError(message, fix="run `todo-sql generate` again") from None

    @cached_property
    def made(self) -> Any:
        """What `todo_sql.wire.rows` makes of each row."""
        from todo_sql.wire.rows import CheckedType, NestedRow

        if self.nested:
            return NestedRow(self.row, self.nested)
        return CheckedType(self.row, single=True) if self.validated else self.row

    @cached_property
    def texts(self) -> Texts:
        """The statements that the query is sent as."""
        from todo_sql.database.texts import Texts

        return Texts(self.named, self._typed, self.leaves)

    def _typed(self, name: str) -> Parameter:
        """Return a parameter with what is known of it."""
        from todo_sql.wire.parameters import Parameter

        named, nullable = self.named, self.nullable
        return Parameter(
            name,
            self.parameters.get(name),
            nullable is None or name in nullable,
            form=self.written.get(name),
            nulls=nullable is None or f"{name}[]" in nullable,
            optional=name in named.optional and name not in named.required,
        )

    def into(self, row: type[S]) -> Query[S]:
        """Return the same query with another type of row, such as a slots dataclass."""
        return replace(self, row=row, validated=False)  # type: ignore[return-value]


class _Text(QueryFile):
    """A file of one query that never lay on a disk."""

    is_adhoc = True

    def __init__(self, text: str) -> None:
        super().__init__(None, "session.sql")
        self._text = text

    def _source(self) -> Source:
        from todo_sql.sql.source import Source

        return Source(self.file, f"-- name: sql :many\n{self._text}")


def adhoc(text: str, row: type[R] | None) -> Query[R]:
    """Return the query for a text; the same object for the same text, so that it is prepared."""
    return _known(text, cast(Hashable, row))


@lru_cache(maxsize=256)
def _known(text: str, row: Hashable) -> Query[Any]:
    from todo_sql.wire.residue import refuse
    from todo_sql.wire.rows import checked

    refuse(text)
    return _Text(text).query("sql", row=checked(row))
