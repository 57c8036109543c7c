"""The rows that a history of migrations leaves in an empty database, as statements.

The history ran on two databases. What is the same in both is data; a column that is not has
its value from a clock or by chance, and is left to its default.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import Connection

from todo_sql.catalog.ddl import fire
from todo_sql.catalog.names import literal, quoted
from todo_sql.catalog.snapshot import Snapshot
from todo_sql.errors import Finding
from todo_sql.review.sample_rows import parents_first

MOST = 10_000  # rows that a squashed migration holds at most

_STEADY = """
select
    pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', false),
    pg_catalog.set_config('timezone', 'UTC', false),
    pg_catalog.set_config('datestyle', 'ISO, YMD', false),
    pg_catalog.set_config('intervalstyle', 'postgres', false),
    pg_catalog.set_config('extra_float_digits', '1', false),
    pg_catalog.set_config('bytea_output', 'hex', false),
    pg_catalog.set_config('row_security', 'off', false)
"""


@dataclass(frozen=True, slots=True)
class TableRows:
    """The rows of one table.

    Attributes:
        columns: Those that can be written.
        rows: Each value as text, in the order in which they were inserted.
    """

    table: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]

    def only(self, columns: Sequence[str]) -> list[tuple[str | None, ...]]:
        """Return some columns of the rows."""
        places = [self.columns.index(name) for name in columns]
        return [tuple(row[place] for place in places) for row in self.rows]


@dataclass(frozen=True, slots=True)
class Data:
    """What a database holds beside its catalog.

    Attributes:
        tables: Those that have rows, and materialized views, by name.
        sequences: The position of each, by name.
    """

    tables: dict[str, TableRows]
    sequences: dict[str, str]


def read(connection: Connection[Any], snapshot: Snapshot) -> Data:
    """Read the rows of every table, and where the sequences are."""
    connection.execute(_STEADY)
    tables = {}
    for table in (*snapshot.of("table"), *snapshot.of("materialized_view")):
        if table.attributes.get("form") == "foreign" or (
            table.kind == "materialized_view" and not table["populated"]
        ):
            continue
        columns = tuple(
            column["name"]
            for column in snapshot.of("column", table.key)
            if not column.attributes.get("generated")
        )
        values = ", ".join(f"{quoted(name)}::pg_catalog.text" for name in columns)
        only = "only " if table.kind == "table" else ""
        found = connection.execute(
            f"select {values} from {only}{table.name} limit {MOST + 1}".encode()
        ).fetchall()
        if found:
            tables[table.name] = TableRows(table.name, columns, tuple(map(tuple, found)))
    sequences = {}
    for sequence in snapshot.of("sequence"):
        asked = f"select last_value, is_called from {sequence.name}"
        ((last, called),) = connection.execute(asked.encode())
        sequences[sequence.name] = f"{last}, {str(called).lower()}"
    return Data(tables, sequences)


class Reference:
    """The rows of a history that a squashed migration is to hold.

    It ran on two databases: `data` is what the one holds, `again` what the other does.
    """

    def __init__(self, snapshot: Snapshot, data: Data, again: Data) -> None:
        self._snapshot = snapshot
        self._data = data
        self.problems: list[Finding] = []
        self.steady = {
            name: tuple(column for column in rows.columns if self._alike(name, [column], again))
            for name, rows in data.tables.items()
        }
        self.tables = [name for name in data.tables if f"table {name}" in snapshot.items]
        if sum(len(data.tables[name].rows) for name in self.tables) > MOST:
            self._refuse(f"the history leaves more than {MOST} rows", "that is no reference data")
        for name in {*data.tables, *again.tables}:
            self._check(name, again)

    @property
    def counts(self) -> dict[str, int]:
        """How many rows each table gets."""
        return {name: len(self._data.tables[name].rows) for name in sorted(self.tables)}

    @property
    def by_default(self) -> dict[str, list[str]]:
        """The columns that are left to their defaults, by table."""
        columns = {
            name: [c for c in self._data.tables[name].columns if c not in self.steady[name]]
            for name in sorted(self.tables)
        }
        return {name: left for name, left in columns.items() if left}

    def _alike(self, name: str, columns: Sequence[str], other: Data) -> bool:
        """Whether some columns of a table hold the same in another database."""
        mine, theirs = self._data.tables.get(name), other.tables.get(name)
        if mine is None or theirs is None:
            return False
        return Counter(mine.only(columns)) == Counter(theirs.only(columns))

    def _check(self, name: str, again: Data) -> None:
        steady = self.steady.get(name, ())
        if not self._alike(name, steady, again):
            self._refuse(
                f"the history leaves other rows in {name} each time that it runs",
                "they come from a clock or from chance",
            )
            return
        for column in self._data.tables[name].columns if name in self.tables else ():
            item = self._snapshot.items.get(f"column {name}.{quoted(column)}")
            if column in steady or (item and (item["default"] is not None or item["identity"])):
                continue
            self._refuse(
                f"the history leaves other values in {name}.{column} each time that it runs",
                "they come from a clock or from chance, and the column has no default that would "
                "make them anew",
            )

    def _refuse(self, message: str, cause: str) -> None:
        fix = "squash up to the migration before the one that inserts them (`--to`)"
        self.problems.append(Finding.error("M251", message, cause=cause, fix=fix))

    def statements(self) -> Iterator[str]:
        """Yield the statements that insert the rows, past triggers, and set the sequences."""
        ordered = parents_first(self._snapshot, self.tables)
        for name in ordered:
            table = self._snapshot.items[f"table {name}"]
            triggers = list(self._snapshot.of("trigger", table.key))
            if triggers:
                yield f"alter table {name} disable trigger user"
            yield self._insert(name)
            if triggers:
                yield f"alter table {name} enable trigger user"
                for trigger in triggers:
                    if trigger["enabled"] != "enabled":
                        yield fire(trigger, self._snapshot)
        for view in self._snapshot.of("materialized_view") if ordered else ():
            if view["populated"]:
                yield f"refresh materialized view {view.name}"

    def advances(self, now: Data) -> Iterator[str]:
        """Yield what brings the sequences to where the history left them."""
        for name, position in self._elsewhere(now):
            yield f"select pg_catalog.setval({literal(name)}, {position})"

    def _insert(self, name: str) -> str:
        rows, columns = self._data.tables[name], self.steady[name]
        always = any(
            column["identity"] == "always"
            for column in self._snapshot.of("column", f"table {name}")
            if column["name"] in columns
        )
        lines = [
            "(" + ", ".join("null" if v is None else literal(v) for v in row) + ")"
            for row in rows.only(columns)
        ]
        if not columns:
            return ";\n".join([f"insert into {name} default values"] * len(lines))
        listed = ", ".join(quoted(column) for column in columns)
        overriding = "\noverriding system value" if always else ""
        values = ",\n    ".join(lines)
        return f"insert into {name} ({listed}){overriding}\nvalues\n    {values}"

    def differs(self, found: Data) -> list[str]:
        """Return what is not as the history left it."""
        return [
            f"the rows of {name}"
            for name in sorted({*self._data.tables, *found.tables})
            if not self._alike(name, self.steady.get(name, ()), found)
        ] + [f"the position of sequence {name}" for name, _ in self._elsewhere(found)]

    def _elsewhere(self, now: Data) -> Iterator[tuple[str, str]]:
        """Yield the sequences that are not where the history left them, and where that is."""
        for name, position in sorted(self._data.sequences.items()):
            if now.sequences.get(name) != position:
                yield name, position
