"""What a call can raise, and how an answer of PostgreSQL becomes one of these errors. Pure.

No message of ours holds a parameter's value. PostgreSQL's own may quote one (22P02 does), and
DETAIL often does, so that stays in an attribute.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from psycopg import pq
from psycopg.errors import Diagnostic

from todo_sql.errors import DatabaseError as DatabaseError
from todo_sql.errors import Place, UsageError
from todo_sql.queries.query_errors import BadCursor as BadCursor
from todo_sql.queries.query_errors import BadParameter as BadParameter


class NoRow(DatabaseError):
    """A ``:one`` query found no row."""

    code = "D201"


class TooManyRows(DatabaseError):
    """A ``:one`` or ``:optional`` query found more than one row."""

    code = "D202"


class TenantRequired(UsageError):
    """The query needs a tenant and the session has none; nothing was sent."""

    code = "D203"


class BadRow(DatabaseError):
    """A row of the result does not fit the model that the caller named."""

    code = "D206"


class IntegrityError(DatabaseError):
    """A constraint refused the change.

    Attributes:
        constraint: Its name, such as ``tasks_title_check``; None for NOT NULL before 18.
        table: The table that it belongs to.
        columns: The columns that it covers.
        field: The column to point a person at: the first that is not the tenant's.
        kind: ``unique``, ``foreign_key``, ``check``, ``not_null`` or ``exclusion``.
        detail: PostgreSQL's DETAIL; may hold values.
    """

    code = "D210"

    def __init__(
        self,
        message: str,
        *,
        constraint: str | None,
        table: str | None,
        columns: tuple[str, ...],
        field: str | None,
        kind: str,
        detail: str | None = None,
        **details: Any,
    ) -> None:
        super().__init__(message, **details)
        self.constraint = constraint
        self.table = table
        self.columns = columns
        self.field = field
        self.kind = kind
        self.detail = detail

    def facts(self) -> dict[str, Any]:
        """Return what was violated; DETAIL, which may hold values, is not among it."""
        told = ("kind", "constraint", "table", "columns", "field")
        found = {name: getattr(self, name) for name in told}
        return {**super().facts(), **found, "columns": list(self.columns)}


class Conflict(DatabaseError):
    """Two transactions were in conflict (40001, 40P01); this one was rolled back."""

    code = "D211"


class SchemaChanged(Conflict):
    """What a query returns was changed beside the transaction; this one was rolled back."""

    code = "D213"


class TransactionAborted(DatabaseError):
    """The transaction was rolled back because a statement in it had failed."""

    code = "D212"


class Timeout(DatabaseError):
    """No answer in time; the server was told to cancel."""

    code = "D220"


class Unavailable(DatabaseError):
    """The database cannot be reached, or the connection broke.

    Attributes:
        outcome_unknown: Whether a change had been sent and may have been made.
    """

    code = "D221"

    def __init__(self, message: str, *, outcome_unknown: bool = False, **details: Any) -> None:
        super().__init__(message, **details)
        self.outcome_unknown = outcome_unknown


class RoleRefused(DatabaseError):
    """The role that tenant calls would run as is missing, or is not held by row security."""

    code = "D230"


def needs_with(what: str) -> UsageError:
    """Return the error for a handle that is used outside a ``with`` block."""
    return UsageError(
        f"{what} is not open",
        code="D232",
        cause="what it holds is given back at the end of a `with` block, and there is none",
        fix="use it in `with` (`async with` for the asynchronous one)",
    )


class Closed(UsageError):
    """The database was not opened, or is closed."""

    code = "D231"


@dataclass(frozen=True, slots=True)
class ServerError:
    """An ErrorResponse of PostgreSQL.

    Attributes:
        line: Which row of a COPY it is about, from 1.
        far: Whether another node said it, of a shard: Citus passes its words on, and no fields.
    """

    sqlstate: str
    message: str
    detail: str | None = None
    hint: str | None = None
    position: int | None = None
    schema: str | None = None
    table: str | None = None
    column: str | None = None
    constraint: str | None = None
    routine: str | None = None
    severity: str | None = None
    line: int | None = None
    far: bool = False

    @property
    def is_stale_plan(self) -> bool:
        """Whether a prepared statement is out of date: sent anew, it may well succeed.

        The message may be translated; the source file's routine is not.
        """
        replanned = self.sqlstate == "0A000" and self.routine == "RevalidateCachedQuery"
        return replanned or self.sqlstate == "26000"

    @classmethod
    def from_result(cls, result: pq.abc.PGresult) -> ServerError:
        """Read the fields of a failed result."""
        said = Diagnostic(result)
        row = _ROW.match(said.context or "")
        found = cls(
            said.sqlstate or "",
            said.message_primary or result.get_error_message().strip(),
            said.message_detail,
            said.message_hint,
            int(said.statement_position) if said.statement_position else None,
            said.schema_name,
            said.table_name,
            said.column_name,
            said.constraint_name,
            said.source_function,
            said.severity_nonlocalized,
            int(row[1]) if row else None,
        )
        known = found.table or found.column or found.constraint
        return found if known or found.sqlstate not in _NAMED else found.of_shard()

    def of_shard(self) -> ServerError:
        """Return it with the names that its words quote, without the numbers of shards."""
        kinds = _NAMED[self.sqlstate]
        names = [_SHARD.sub("", name) for name in _QUOTED.findall(self.message)]
        named: dict[str, Any] = dict(zip(kinds, names, strict=False))
        return replace(self, far=bool(names), **named)


# What the words of an error name, in order: of a foreign key on a delete, its table comes last.
_NAMED = {
    "23502": ("column", "table"),
    "23503": ("table", "constraint", "table"),
    "23505": ("constraint",),
    "23514": ("table", "constraint"),
    "23P01": ("constraint",),
}
_QUOTED = re.compile(r'["«»„“]([^"«»„“”]+)["»«“”]')
# The text of a COPY may be translated; a name is not quoted in it.
_ROW = re.compile(r"COPY .*?, \w+ (\d+)(?=[,:]|$)")
_SHARD = re.compile(r"_\d{5,}$")

BEHIND = "start the other server, or let this one in there, as the server's words say"


# What Citus says of a node that goes away in the middle: its own words, or libpq's, which has no
# SQLSTATE for them.
_GONE = re.compile(
    r"SSL SYSCALL error|SSL error: |SSL connection has been closed|server closed the connection"
    r"|no connection to the server|could not (?:receive data from|send data to) server"
    r"|failure on connection marked as essential|could not connect to any active placement"
    r"|could not commit transaction for shard|failed to complete COPY on "
)


def is_behind(sqlstate: str | None, severity: str | None, message: str | None) -> bool:
    """Tell whether what a server answers is that another, which it asked, is away.

    That is a node of Citus, a server of foreign tables, or one behind a pooler. The server of
    the connection itself says that it goes as its last words: FATAL, not ERROR.
    """
    state = sqlstate or ""
    if state.startswith("08"):
        return state != "08P01"  # PostgreSQL's own word for a message that it cannot read
    if state in ("XX000", "58030"):
        return _GONE.match(message or "") is not None
    return severity == "ERROR" and state.startswith("57P")


# What PostgreSQL says of a text that is no value of the type wanted: representation,
# range, time, time zone, encoding.
UNREADABLE = frozenset({"22P02", "22003", "22007", "22008", "22023", "22021"})

# What each constraint's violation is called, and what to do with the columns.
_KINDS = {
    "23502": ("not_null", "give {} a value"),
    "23503": (
        "foreign_key",
        "set {} to a row that exists; before deleting a row, delete those that refer to it",
    ),
    "23505": ("unique", "give {} another value, or change the row that has it"),
    "23514": ("check", "give {} a value that the constraint allows"),
    "23P01": ("exclusion", "give {} a value that conflicts with no other row"),
}


def _violated(error: ServerError, columns: tuple[str, ...]) -> str:
    """Say which constraint of which table covers which columns."""
    what = f"constraint {error.constraint}" if error.constraint else "a constraint"
    where = f" of table {error.table}" if error.table else ""
    noun = "column" if len(columns) == 1 else "columns"
    return what + where + (f", {noun} {', '.join(columns)}" if columns else "")


def translate(
    error: ServerError,
    *,
    place: Place | None = None,
    columns: tuple[str, ...] = (),
    tenant_parameter: str | None = None,
    unknown: bool = False,
) -> DatabaseError:
    """Return the exception for an error that a statement got.

    Args:
        place: Where in the query's file, when the server gave a position.
        columns: The columns of the violated constraint, when known.
        tenant_parameter: The tenant's column, which is not what a person got wrong.
        unknown: Whether a change may have been made, where another node is away.
    """
    cause = f"PostgreSQL {error.sqlstate}; nothing was changed"
    if error.sqlstate in _KINDS:
        columns = columns or ((error.column,) if error.column else ())
        own = [column for column in columns if column != tenant_parameter]
        kind, remedy = _KINDS[error.sqlstate]
        named = " and ".join(f"`{name}`" for name in own or columns) or "the row"
        return IntegrityError(
            error.message,
            sqlstate=error.sqlstate,
            constraint=error.constraint,
            table=error.table,
            columns=columns,
            field=own[0] if own else None,
            kind=kind,
            detail=error.detail,
            place=place,
            cause=f"{_violated(error, columns)}; {cause}",
            fix=remedy.format(named),
        )
    if is_behind(error.sqlstate, error.severity, error.message):
        done = "the change may have been made" if unknown else "nothing was changed"
        return Unavailable(
            error.message,
            outcome_unknown=unknown,
            sqlstate=error.sqlstate,
            place=place,
            cause=f"PostgreSQL {error.sqlstate}: a server behind the server is away; {done}",
            fix="read before you repeat it" if unknown else f"try again; if it stays so, {BEHIND}",
        )
    kind_of: type[DatabaseError] = DatabaseError
    fix = error.hint
    if error.sqlstate in ("40001", "40P01"):
        kind_of, fix = Conflict, _REDO
    elif error.is_stale_plan:
        kind_of, fix = SchemaChanged, _REDO
        cause = f"the schema changed while the connection had the statement prepared; {cause}"
    elif error.sqlstate == "57014":
        kind_of, fix = Timeout, None
    return kind_of(error.message, sqlstate=error.sqlstate, place=place, cause=cause, fix=fix)


_REDO = "run the unit of work again, as `session.run(function)` does"
