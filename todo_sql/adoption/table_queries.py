"""Named queries for the tables and views of a schema: get, list, create, update, delete. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from todo_sql.adoption import old_ledger
from todo_sql.adoption.queried_table import Naming, QueriedColumn, QueriedTable
from todo_sql.catalog.names import quoted
from todo_sql.catalog.snapshot import Snapshot
from todo_sql.compiler.schema import Schema


@dataclass(frozen=True, slots=True)
class TableQueries:
    """The queries of one table or view.

    Attributes:
        stem: Of the file.
        table: As SQL names it.
        head: The comment above them.
        queries: Their texts, headers included, by name.
    """

    stem: str
    table: str
    head: str
    queries: dict[str, str]

    @property
    def text(self) -> str:
        """The file."""
        return "\n".join([self.head, *self.queries.values()])


def queries_of(
    snapshot: Snapshot, schema: Schema, tenant: str | None = None
) -> Iterator[TableQueries]:
    """Yield the queries of every table and view, but for partitions and the ledgers of tools.

    Args:
        snapshot: The catalog.
        schema: The same catalog, as the compiler has it.
        tenant: The column that tells tenants apart: where a table has it, each query names it.
    """
    relations = {f"{quoted(r.schema)}.{quoted(r.name)}": r for r in schema.relations.values()}
    naming = Naming()
    for kind in ("table", "view", "materialized_view"):
        for item in snapshot.of(kind):
            relation = relations.get(item.name)
            if relation is None or relation.name in old_ledger.TABLES:
                continue
            if item.attributes.get("partition_bound"):
                continue
            stem, one, model = naming.of(relation)
            table = QueriedTable(item, relation, snapshot, schema, tenant)
            made = dict(_queries(table, one, stem, model))
            if made:
                yield TableQueries(stem, table.name, _head(table), made)


def _head(table: QueriedTable) -> str:
    why = ""
    if table.kind == "table" and not table.key:
        why = "\n-- It has no key, so no row can be named: there is no get, update or delete."
    name = " ".join(table.name.split())
    return f"-- {name}. From `todo-sql init --from`; the file is yours.{why}\n"


def _queries(table: QueriedTable, one: str, many: str, model: str) -> Iterator[tuple[str, str]]:
    """Yield each query of a table with its name."""
    if not table.columns:
        return
    what = " ".join(table.name.split())
    shown = [column.shown for column in table.columns.values()]
    row = f"one -> {model}"
    if table.key:
        body = ["select", *_listed(shown), f"from {table.rows}", *_where(table.named_by)]
        yield _query(f"get_{one}", row, f"Return the row of {what} with this key.", body)
    walked = "by its key, a page at a time" if table.is_paged else "in no order"
    kind = f"{'page' if table.is_paged else 'many'} -> {model}"
    body = list(_list(table, shown))
    yield _query(f"list_{many}", kind, f"List the rows of {what}, {walked}.", body)
    if table.kind != "table":
        return
    if body := list(_create(table, shown)):
        head = f"Make a row of {what}. What is left out gets its default."
        yield _query(f"create_{one}", row, head, body)
    if not table.key:
        return
    if body := list(_update(table, shown)):
        head = f"Change a row of {what}. What is left out stays; None is NULL."
        yield _query(f"update_{one}", row, head, body)
    head = f"Delete the row of {what} with this key; 0 if there was none."
    body = [f"delete from {table.rows}", *_where(table.named_by)]
    yield _query(f"delete_{one}", "execrows", head, body)


def _query(name: str, kind: str, head: str, body: Sequence[str]) -> tuple[str, str]:
    return name, "\n".join([f"-- name: {name} :{kind}", f"-- {head}", *body]) + ";\n"


def _listed(entries: Sequence[str]) -> list[str]:
    return [f"    {entry}," for entry in entries[:-1]] + [f"    {entries[-1]}"]


def _where(columns: Sequence[QueriedColumn]) -> list[str]:
    first, *rest = columns
    lines = [f"where {first.sql} = {first.parameter}"]
    return lines + [f"    and {one.sql} = {one.parameter}" for one in rest]


def _list(table: QueriedTable, shown: list[str]) -> Iterator[str]:
    yield "-- param: limit = 50"
    if not table.is_paged:
        yield "-- allow: C115 there is no key to order by"
    yield "select"
    yield from _listed(shown)
    yield f"from {table.rows}"
    if table.tenant:
        yield f"where {table.tenant.sql} = {table.tenant.parameter}"
    elif table.filters:
        yield "where true"
    for one in table.filters:
        yield f"    and {one.sql} = {one.parameter} -- if: {one.field}"
    if table.is_paged:
        yield f"order by {', '.join(quoted(one.field) for one in table.key)}"
    yield "limit :limit"


def _create(table: QueriedTable, shown: list[str]) -> Iterator[str]:
    """Yield an insert: columns with a default may be left out, the last entry never is."""
    settable = [
        one
        for one in table.columns.values()
        if one.is_settable and not (one.counts and one in table.key)
    ]
    optional = [
        one
        for one in settable
        if (one.counts or one.item["default"] is not None) and one is not table.tenant
    ]
    always = [one for one in settable if one not in optional]
    entries = [(one.sql, one.parameter, one.field) for one in optional]
    if always:
        entries += [(one.sql, one.parameter, "") for one in always]
    else:
        others = [one for one in optional if one not in table.key]
        counting = [one for one in table.columns.values() if one.counts]
        ground = next(iter([*counting, *reversed(others), *optional]), None)
        if ground is None:
            return
        entries = [one for one in entries if one[0] != ground.sql]
        entries.append((ground.sql, "default", ""))
    for one in always:
        if not one.column.declared_not_null and one is not table.tenant:
            yield f"-- param: {one.field}? = null"
    yield f"insert into {table.name} ("
    yield from _optional([(sql, field) for sql, _, field in entries])
    yield ")"
    yield "values ("
    yield from _optional([(value, field) for _, value, field in entries])
    yield ")"
    yield "returning"
    yield from _listed(shown)


def _optional(entries: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Yield the lines of a list, the optional ones under their `if`; the last is always there."""
    for number, (text, field) in enumerate(entries, start=1):
        comma = "," if number < len(entries) else ""
        yield f"    {text}{comma}" + (f" -- if: {field}" if field else "")


def _update(table: QueriedTable, shown: list[str]) -> Iterator[str]:
    """Yield an update by PATCH: each column may be left out, the last entry never is."""
    columns = [
        one
        for one in table.columns.values()
        if one.is_settable and one not in table.named_by and one is not table.touched
    ]
    if not columns:
        return
    touched, kept = table.touched, next((c for c in table.named_by if c.is_settable), None)
    if touched is not None:
        last = f"{touched.sql} = now()"
    elif kept is not None:
        last = f"{kept.sql} = {kept.sql}"
    else:
        column = next((c for c in columns if c.column.declared_not_null), columns[-1])
        columns.remove(column)
        last = f"{column.sql} = {column.parameter}"
        if column.column.declared_not_null:
            yield f"-- param: {column.field}? = null"
            last = f"{column.sql} = coalesce({column.parameter}, {column.sql})"
    entries = [(f"{one.sql} = {one.parameter}", one.field) for one in columns]
    yield f"update {table.rows}"
    yield "set"
    yield from _optional([*entries, (last, "")])
    yield from _where(table.named_by)
    yield "returning"
    yield from _listed(shown)
