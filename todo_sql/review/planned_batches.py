"""What a plan says of a statement that runs in batches: along which key, and how many."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psycopg import Connection, RawCursor

from todo_sql.catalog.read import ours
from todo_sql.errors import Finding
from todo_sql.migrations.batch_state import FIRST_SIZE
from todo_sql.migrations.engine.walk import key_among
from todo_sql.migrations.files.batched import batched_of
from todo_sql.migrations.files.migration import Script
from todo_sql.queries.own import bound


@dataclass(frozen=True, slots=True)
class Size:
    """How large a live table is; `rows` is None where it was never analyzed."""

    rows: int | None
    bytes: int


@dataclass(frozen=True, slots=True)
class PlannedBatches:
    """The batches of a statement.

    Attributes:
        table: The table that is walked through.
        key: The columns that it is walked along.
        keys: How many the live table has, as far as is known.
    """

    table: str
    key: tuple[str, ...]
    keys: int | None

    @property
    def batches(self) -> int | None:
        """How many there are at the size of the first."""
        return None if self.keys is None else -(-self.keys // FIRST_SIZE)

    def __str__(self) -> str:
        along = f"runs in batches along {', '.join(self.key)} of {self.table}"
        if self.keys is None:
            return f"{along}: an unknown number of rows"
        batches = f"{self.batches:,} batches of {FIRST_SIZE:,} at first"
        return f"{along}: about {self.keys:,} rows, {batches}"


def planned_batches(
    copy: Connection[Any], script: Script, sizes: Mapping[str, Size]
) -> tuple[PlannedBatches | None, Finding | None]:
    """Return how a file runs in batches, and what would refuse it; None: it does not.

    The table is on the copy as it will be; the sizes are of the live ones.
    """
    batch = script.directives.batch
    made = None if batch is None else batched_of(script)
    if batch is None or made is None:
        return None, None
    ((oid,),) = copy.execute("select pg_catalog.to_regclass(%s)::pg_catalog.oid", (made.table,))
    if oid is None:
        return None, None  # its statement fails, and is told
    with ours(copy), RawCursor(copy) as cursor:
        (name,) = cursor.execute(*_bound("batch_table", oid)).fetchone() or ("",)
        rows = cursor.execute(*_bound("batch_keys", oid)).fetchall()
    chosen, wrong = key_among(rows if name else (), script, batch, made)
    key = tuple(str(column["name"]) for column in chosen)
    size = sizes.get(str(name))
    found = PlannedBatches(batch.named, key, size.rows if size else 0)
    return found if key else None, wrong


def _bound(name: str, oid: int) -> tuple[bytes, tuple[str | None, ...]]:
    """Return a query of the engine on a table."""
    text, values = bound("todo_sql.migrations.engine", name, table=str(oid))
    return text.encode(), values
