"""SQL that a caller writes on the spot, as a query like any other. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar, cast

from todo_sql.database.query import Query, QueryFile
from todo_sql.wire.residue import refuse
from todo_sql.wire.rows import checked

if TYPE_CHECKING:
    from todo_sql.queries.named import NamedQuery

R = TypeVar("R")


class _Text(QueryFile):
    """A file of one query that never lay on a disk."""

    is_adhoc = True

    def __init__(self, text: str) -> None:
        super().__init__(None, "session.sql")
        self._text = text

    @property
    def named(self) -> Mapping[str, NamedQuery]:
        from todo_sql.queries.loader import load_text
        from todo_sql.sql.source import Source

        source = Source(self.file, f"-- name: sql :many\n{self._text}")
        return {query.name: query for query in load_text(source)}


def adhoc(text: str, row: type[R] | None) -> Query[R]:
    """Return the query for a text; the same object for the same text, so that it is prepared."""
    return _known(text, cast(Hashable, row))


@lru_cache(maxsize=256)
def _known(text: str, row: Hashable) -> Query[Any]:
    refuse(text)
    return _Text(text).query("sql", row=checked(row))
