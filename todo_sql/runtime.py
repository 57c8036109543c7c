"""The one face that generated code imports: handles on queries, sessions, what calls return.

Everything behind it may move; a name here never changes its meaning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import todo_sql
from todo_sql.config import Tenant
from todo_sql.database.query import Query, QueryFile
from todo_sql.queries.variants import UNSET, Unset, exactly_one
from todo_sql.wire.in_json import AsText, Float

if TYPE_CHECKING:
    from todo_sql.database.async_session import AsyncSession
    from todo_sql.database.session import Session
    from todo_sql.database.streaming import AsyncRowStream, RowStream
    from todo_sql.queries.cursor import Page

__all__ = [
    "UNSET",
    "AsText",
    "AsyncRowStream",
    "AsyncSession",
    "Float",
    "Page",
    "Query",
    "QueryFile",
    "RowStream",
    "Session",
    "Tenant",
    "Unset",
    "exactly_one",
]


def __getattr__(name: str) -> object:
    """Import the others on first use: they bring psycopg, which importing a model does not need."""
    if name in __all__:
        return getattr(todo_sql, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
