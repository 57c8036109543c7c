"""The asynchronous session: the same methods as `Session`, as coroutines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

from todo_sql.database.query import Query

R = TypeVar("R")


class AsyncSession:
    """A cheap handle on a database that holds no connection between calls."""

    async def one(self, query: Query[R], arguments: Mapping[str, object]) -> R:
        """Return exactly one row."""
        raise NotImplementedError

    async def optional(self, query: Query[R], arguments: Mapping[str, object]) -> R | None:
        """Return one row or None."""
        raise NotImplementedError

    async def many(self, query: Query[R], arguments: Mapping[str, object]) -> list[R]:
        """Return every row."""
        raise NotImplementedError

    async def execute(self, query: Query[None], arguments: Mapping[str, object]) -> None:
        """Run a query that returns no row."""
        raise NotImplementedError

    async def execrows(self, query: Query[None], arguments: Mapping[str, object]) -> int:
        """Run a query and return how many rows it affected."""
        raise NotImplementedError

    def transaction(self) -> AbstractAsyncContextManager[AsyncSession]:
        """Run several queries in one transaction."""
        raise NotImplementedError

    async def copyfrom(self, query: Query[None], rows: Iterable[Mapping[str, object]]) -> int:
        """Insert many rows through COPY and return how many."""
        raise NotImplementedError
