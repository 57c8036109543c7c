"""The live rows of a table as pending migrations would have them: a query for each table. Pure.

A statement that adds, renames, drops or retypes columns wraps the query of its table; what
cannot be known beforehand, such as a sequence's next value, is left out of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from todo_sql.catalog.names import quoted
from todo_sql.review.table_shape import ShapeChange

Row = Mapping[str, Any]
Fit = Callable[[str, Row], str]
"""Makes the expression that fits a value to the type of a column, as an assignment would."""

Typed = Callable[[Row], str]
"""Returns the type of a column as the target knows it: a domain that is new is its base."""


class Image:
    """The rows of one live table; its columns come by number."""

    def __init__(self, table: Row, columns: Mapping[int, Row], fit: Fit, typed: Typed) -> None:
        self._fit, self._typed = fit, typed
        self.name = f"{quoted(table['schema'])}.{quoted(table['table'])}"
        self.unsure = False  # an earlier statement writes to it
        names = "".join(f", {quoted(row['name'])}" for row in columns.values())
        place = "tableoid as todo_sql_table, ctid as todo_sql_row"
        self._from = f"select {place}{names} from {{only}}{self.name}"
        self._known = set(columns)
        self._layers: list[str] = []

    def rows(self, alias: str, *, only: bool = False) -> str:
        """Return the rows as an item of FROM; `only` without those of children."""
        text = self._from.replace("{only}", "only " if only else "")
        for layer in self._layers:
            text = layer.replace("{rows}", text)
        return f"({text}) as {quoted(alias)}"

    def follow(
        self, alias: str, change: ShapeChange, oid: int, using: Mapping[str, str]
    ) -> list[Row]:
        """Take in what a statement did to the columns; return those whose values are new."""
        before, after = change.before.get(oid, {}), change.after.get(oid, {})
        if before == after:
            return []
        parts = ["todo_sql_table, todo_sql_row"]
        outer = ["*"]
        known: set[int] = set()
        new: list[Row] = []
        for number, row in after.items():
            old, name = before.get(number), quoted(row["name"])
            if old is None:
                made = _made(row, self._typed)
            elif number not in self._known:
                continue
            elif (old["type_oid"], old["modifier"]) != (row["type_oid"], row["modifier"]):
                made = self._fit(using.get(old["name"], quoted(old["name"])), row)
            else:
                parts.append(f"{quoted(old['name'])} as {name}")
                known.add(number)
                continue
            if made is not None:
                generated = old is None and row["generated"]
                (outer if generated else parts).append(f"{made} as {name}")
                new.append(row)
                known.add(number)
        for layer in (parts, outer) if len(outer) > 1 else (parts,):
            self._layers.append(f"select {', '.join(layer)} from ({{rows}}) as {quoted(alias)}")
        self._known = known
        return new


def _made(row: Row, typed: Typed) -> str | None:
    """Return what rows that were there get in a new column; None: it cannot be known."""
    if row["identity"]:
        return None
    if row["default"] is None:
        return f"null::{typed(row)}"
    if row["generated"] or row["settled"]:
        return f"({row['default']})::{typed(row)}"
    return None  # volatile: each row gets a value of its own when it runs
