"""Write plain SQL. Ship it safely. Call it typed."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from todo_sql.database.async_session import AsyncSession, AsyncTransaction
    from todo_sql.database.connect import AsyncDatabase, Database
    from todo_sql.database.events import QueryEvent
    from todo_sql.database.listening import AsyncNotifications, Notification, Notifications
    from todo_sql.database.session import Session, Transaction
    from todo_sql.database.streaming import AsyncRowStream, RowStream
    from todo_sql.database.transaction import Isolation
    from todo_sql.errors import DatabaseError, TodoSqlError, UsageError
    from todo_sql.queries.cursor import Page
    from todo_sql.queries.variants import UNSET, Unset, given
    from todo_sql.wire.call_errors import (
        BadCursor,
        BadParameter,
        BadRow,
        Closed,
        Conflict,
        IntegrityError,
        NoRow,
        RoleRefused,
        SchemaChanged,
        TenantRequired,
        Timeout,
        TooManyRows,
        TransactionAborted,
        Unavailable,
    )
    from todo_sql.wire.stats import DatabaseStats, PoolStats

# Imported on first use (PEP 562), so that `import todo_sql` is light.
_HOMES = {
    "todo_sql.database.async_session": ("AsyncSession", "AsyncTransaction"),
    "todo_sql.database.connect": ("AsyncDatabase", "Database"),
    "todo_sql.wire.call_errors": (
        "BadCursor",
        "BadParameter",
        "BadRow",
        "Closed",
        "Conflict",
        "IntegrityError",
        "NoRow",
        "RoleRefused",
        "SchemaChanged",
        "TenantRequired",
        "Timeout",
        "TooManyRows",
        "TransactionAborted",
        "Unavailable",
    ),
    "todo_sql.database.events": ("QueryEvent",),
    "todo_sql.database.listening": ("AsyncNotifications", "Notification", "Notifications"),
    "todo_sql.database.session": ("Session", "Transaction"),
    "todo_sql.database.streaming": ("AsyncRowStream", "RowStream"),
    "todo_sql.database.transaction": ("Isolation",),
    "todo_sql.errors": ("DatabaseError", "TodoSqlError", "UsageError"),
    "todo_sql.queries.cursor": ("Page",),
    "todo_sql.queries.variants": ("UNSET", "Unset", "given"),
    "todo_sql.wire.stats": ("DatabaseStats", "PoolStats"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [  # noqa: RUF022 (by home)
    "AsyncSession",
    "AsyncTransaction",
    "AsyncDatabase",
    "Database",
    "BadCursor",
    "BadParameter",
    "BadRow",
    "Closed",
    "Conflict",
    "IntegrityError",
    "NoRow",
    "RoleRefused",
    "SchemaChanged",
    "TenantRequired",
    "Timeout",
    "TooManyRows",
    "TransactionAborted",
    "Unavailable",
    "QueryEvent",
    "AsyncNotifications",
    "Notification",
    "Notifications",
    "Session",
    "Transaction",
    "AsyncRowStream",
    "RowStream",
    "Isolation",
    "DatabaseError",
    "TodoSqlError",
    "UsageError",
    "Page",
    "UNSET",
    "Unset",
    "given",
    "DatabaseStats",
    "PoolStats",
]


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
