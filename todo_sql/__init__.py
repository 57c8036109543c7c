"""Write plain SQL. Ship it safely. Call it typed."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from todo_sql.database.async_session import AsyncSession as AsyncSession
    from todo_sql.database.async_session import AsyncTransaction as AsyncTransaction
    from todo_sql.database.connect import AsyncDatabase as AsyncDatabase
    from todo_sql.database.connect import Database as Database
    from todo_sql.database.events import QueryEvent as QueryEvent
    from todo_sql.database.listening import AsyncNotifications as AsyncNotifications
    from todo_sql.database.listening import Notification as Notification
    from todo_sql.database.listening import Notifications as Notifications
    from todo_sql.database.session import Session as Session
    from todo_sql.database.session import Transaction as Transaction
    from todo_sql.database.streaming import AsyncRowStream as AsyncRowStream
    from todo_sql.database.streaming import RowStream as RowStream
    from todo_sql.database.transaction import Isolation as Isolation
    from todo_sql.errors import DatabaseError as DatabaseError
    from todo_sql.errors import TodoSqlError as TodoSqlError
    from todo_sql.errors import UsageError as UsageError
    from todo_sql.queries.cursor import Page as Page
    from todo_sql.queries.variants import UNSET as UNSET
    from todo_sql.queries.variants import Unset as Unset
    from todo_sql.queries.variants import given as given
    from todo_sql.wire.call_errors import BadCursor as BadCursor
    from todo_sql.wire.call_errors import BadParameter as BadParameter
    from todo_sql.wire.call_errors import BadRow as BadRow
    from todo_sql.wire.call_errors import Closed as Closed
    from todo_sql.wire.call_errors import Conflict as Conflict
    from todo_sql.wire.call_errors import IntegrityError as IntegrityError
    from todo_sql.wire.call_errors import NoRow as NoRow
    from todo_sql.wire.call_errors import RoleRefused as RoleRefused
    from todo_sql.wire.call_errors import SchemaChanged as SchemaChanged
    from todo_sql.wire.call_errors import TenantRequired as TenantRequired
    from todo_sql.wire.call_errors import Timeout as Timeout
    from todo_sql.wire.call_errors import TooManyRows as TooManyRows
    from todo_sql.wire.call_errors import TransactionAborted as TransactionAborted
    from todo_sql.wire.call_errors import Unavailable as Unavailable
    from todo_sql.wire.limits import DatabaseStats as DatabaseStats
    from todo_sql.wire.limits import PoolStats as PoolStats

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
    "todo_sql.wire.limits": ("DatabaseStats", "PoolStats"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [*_HOME]  # what type checkers read stands above, each name `as` itself


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
