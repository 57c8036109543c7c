"""Named queries that a migration breaks: those that no longer prepare, or lose their index."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from psycopg import Connection

from todo_sql.catalog.read import ours
from todo_sql.errors import Place
from todo_sql.queries.named import NamedQuery
from todo_sql.queries.variants import Variant, variants
from todo_sql.review.index_use import lookups, plans
from todo_sql.review.linting.tree import shown

_MOST_VARIANTS = 16

Conditions = Mapping[str, tuple[str, str]]
"""By index, the table (its alias) and the condition that is looked up in it."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A query, why it is broken, and whether it fails or is only slower."""

    name: str
    place: Place
    reason: str
    fails: bool


class Queries:
    """The named queries, and what is known of them before the next migration."""

    def __init__(self, queries: Mapping[str, NamedQuery]) -> None:
        self._queries = queries
        self._texts = {
            name: list(islice(variants(query), _MOST_VARIANTS)) for name, query in queries.items()
        }
        self._plans: dict[tuple[str, str], Conditions] = {}

    def learn(self, connection: Connection[Any]) -> None:
        """Note which queries work on a database, and by which indexes."""
        list(self._failing(connection))

    def broken(self, connection: Connection[Any]) -> Iterator[Broken]:
        """Yield the queries that worked when last asked and do not now."""
        before = self._plans
        gone: set[str] = set()
        for name, variant, reason in list(self._failing(connection)):
            if (name, variant.sql) in before and name not in gone:
                gone.add(name)
                yield Broken(name, self._queries[name].place(), reason, True)
        with ours(connection):
            there = {
                f"{schema}.{index}"
                for schema, index in connection.execute(
                    "select n.nspname, quote_ident(c.relname) from pg_class as c"
                    " join pg_namespace as n on n.oid = c.relnamespace"
                    " where c.relkind in ('i', 'I')"
                )
            }
        for (name, text), conditions in before.items():
            now = set(self._plans.get((name, text), {}).values())
            lost = sorted(
                index
                for index, condition in conditions.items()
                if index not in there and condition not in now
            )
            if lost and name not in gone:
                gone.add(name)
                reason = f"its plan used index {', '.join(map(shown, lost))}, which is dropped"
                yield Broken(name, self._queries[name].place(), reason, False)

    def _failing(self, connection: Connection[Any]) -> Iterator[tuple[str, Variant, str]]:
        """Plan every query anew; yield those that cannot be."""
        asked = [(name, variant) for name, texts in self._texts.items() for variant in texts]
        self._plans = {}
        found = plans(connection, [variant.sql for _, variant in asked])
        for (name, variant), plan in zip(asked, found, strict=True):
            if isinstance(plan, str):
                yield name, variant, plan
            else:
                self._plans[name, variant.sql] = dict(lookups(plan))
