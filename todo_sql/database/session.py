"""The session on which queries run, scoped to a tenant or not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from typing import TypeVar

from todo_sql.database.query import Query

R = TypeVar("R")


class Session:
    """A cheap handle on a database that holds no connection between calls."""

    def one(self, query: Query[R], arguments: Mapping[str, object]) -> R:
        """Return exactly one row."""
        raise NotImplementedError

    def optional(self, query: Query[R], arguments: Mapping[str, object]) -> R | None:
        """Return one row or None."""
        raise NotImplementedError

    def many(self, query: Query[R], arguments: Mapping[str, object]) -> list[R]:
        """Return every row."""
        raise NotImplementedError

    def execute(self, query: Query[None], arguments: Mapping[str, object]) -> None:
        """Run a query that returns no row."""
        raise NotImplementedError

    def execrows(self, query: Query[None], arguments: Mapping[str, object]) -> int:
        """Run a query and return how many rows it affected."""
        raise NotImplementedError

    def transaction(self) -> AbstractContextManager[Session]:
        """Run several queries in one transaction."""
        raise NotImplementedError

    def copyfrom(self, query: Query[None], rows: Iterable[Mapping[str, object]]) -> int:
        """Insert many rows through COPY and return how many."""
        raise NotImplementedError
