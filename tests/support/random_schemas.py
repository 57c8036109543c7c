"""Random schemas: statements that make one, each standing on what came before.

Quoted and reserved names, several schemas, and whatever objects can stand on each other. A
statement that PostgreSQL refuses is left out by whoever runs them; most are not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from todo_sql.catalog.names import literal

_WORDS = re.findall(
    r"\S+",
    """
    order user select table group a b task item Name "x" end check grant int_ limit from both desc
    When für 日本 a.b it's with_many_words primary using public_ natural
    """,
)
_TYPES = ("integer", "text", "numeric(10,2)", "timestamptz", "boolean", "jsonb", "uuid", "text[]")
_SERIALS = ("serial", "bigserial", "smallserial")


@dataclass
class _Table:
    name: str
    columns: list[tuple[str, str]]
    key: str | None = None
    parted: bool = False
    returned: bool = False  # by a function, whose body another column would break


@dataclass
class _Maker:
    chance: Random
    schemas: list[str] = field(default_factory=lambda: ["public"])
    tables: list[_Table] = field(default_factory=list)
    types: list[str] = field(default_factory=list)
    views: list[tuple[str, list[tuple[str, str]]]] = field(default_factory=list)
    functions: list[str] = field(default_factory=list)
    sequences: list[str] = field(default_factory=list)
    count: int = 0

    def bare(self) -> str:
        self.count += 1
        word = self.chance.choice(_WORDS).replace('"', '""')
        return f'"{word}{self.count if self.chance.random() < 0.8 else f" {self.count}"}"'

    def name(self) -> str:
        return f"{self.chance.choice(self.schemas)}.{self.bare()}"

    def type(self) -> str:
        if self.types and self.chance.random() < 0.4:
            kind = self.chance.choice(self.types)
            return f"{kind}[]" if self.chance.random() < 0.2 else kind
        return self.chance.choice(_TYPES)

    def column(self) -> tuple[str, str]:
        return self.bare(), self.type()

    def integer_of(self, table: _Table) -> str | None:
        found = [name for name, kind in table.columns if kind == "integer"]
        return self.chance.choice(found) if found else None


def statements(seed: int, size: int = 40) -> Iterator[str]:
    """Yield the statements of one schema."""
    maker = _Maker(Random(seed))
    for _ in range(maker.chance.randrange(1, 4)):
        name = maker.bare()
        yield f"create schema {name}"
        maker.schemas.append(name)
    yield from _table(maker)
    for _ in range(size):
        yield from maker.chance.choice(_KINDS)(maker)


def _table(maker: _Maker) -> Iterator[str]:
    chance, name = maker.chance, maker.name()
    columns = [(maker.bare(), "integer"), *(maker.column() for _ in range(chance.randrange(1, 6)))]
    key = columns[0][0]
    lines = []
    for number, (column, kind) in enumerate(columns):
        text = f"{column} {kind}"
        if number == 0 and chance.random() < 0.5:
            text = (
                f"{column} integer generated {chance.choice(['always', 'by default'])} as identity"
            )
        elif kind == "integer" and chance.random() < 0.3 and maker.sequences:
            text += f" default nextval({literal(chance.choice(maker.sequences))})"
        elif kind == "integer" and chance.random() < 0.3 and maker.functions:
            text += f" default {chance.choice(maker.functions)}(1)"
        elif kind == "text" and chance.random() < 0.3:
            text += " default 'it''s' collate \"C\""
        if chance.random() < 0.3:
            text += " not null"
        lines.append(text)
    if chance.random() < 0.4:
        lines.append(f"{maker.bare()} {chance.choice(_SERIALS)}")
    if chance.random() < 0.2:
        lines.append(f"{maker.bare()} integer generated always as ({key} * 2) stored")
    if chance.random() < 0.8:
        lines.append(f"constraint {maker.bare()} primary key ({key})")
    if chance.random() < 0.4:
        lines.append(f"constraint {maker.bare()} check ({key} > {chance.randrange(9)})")
    if maker.functions and chance.random() < 0.3:
        lines.append(f"check ({chance.choice(maker.functions)}({key}) > 0)")
    yield f"create table {name} ({', '.join(lines)})"
    has_key = any("primary key" in line for line in lines)
    maker.tables.append(_Table(name, columns, key if has_key else None))
    if chance.random() < 0.4:
        yield f"alter table {name} enable row level security"
    if chance.random() < 0.3:
        yield f"comment on column {name}.{key} is 'It''s \\ a key'"
    if chance.random() < 0.2:
        yield f"alter table {name} add column {maker.bare()} {maker.type()}"


def _parted(maker: _Maker) -> Iterator[str]:
    chance, name = maker.chance, maker.name()
    columns = [(maker.bare(), "integer"), maker.column()]
    key = columns[0][0]
    yield (
        f"create table {name} ({', '.join(f'{c} {t}' for c, t in columns)}, primary key ({key})) "
        f"partition by range ({key})"
    )
    for number in range(chance.randrange(3)):
        yield (
            f"create table {maker.name()} partition of {name} for values from ({number * 10}) "
            f"to ({number * 10 + 10})"
        )
    lone = maker.name()
    other = ", ".join(f"{c} {t}{' not null' if c == key else ''}" for c, t in reversed(columns))
    yield f"create table {lone} ({other}); alter table {name} attach partition {lone} default"
    yield f"create index {maker.bare()} on {name} ({key} desc)"
    if chance.random() < 0.3:
        yield f"create index {maker.bare()} on only {name} (({key} + 1))"
    maker.tables.append(_Table(name, columns, key, True))


def _child(maker: _Maker) -> Iterator[str]:
    plain = [table for table in maker.tables if not table.parted]
    parent, name = maker.chance.choice(plain), maker.name()
    yield f"create table {name} ({maker.bare()} text) inherits ({parent.name})"
    column = maker.integer_of(parent)
    if column and maker.chance.random() < 0.5:
        yield f"alter table {name} alter column {column} set default 7"
    if maker.chance.random() < 0.3 and not parent.returned:
        yield f"alter table {parent.name} add column {maker.bare()} integer default 1"


def _type(maker: _Maker) -> Iterator[str]:
    name, kind = maker.name(), maker.chance.randrange(3)
    if kind == 0:
        yield f"create type {name} as enum ('a', 'it''s', 'C')"
    elif kind == 1:
        column, of = maker.column()
        yield f"create type {name} as ({column} {of}, {maker.bare()} integer)"
    else:
        yield f"create domain {name} as {maker.type()} check (value is not null or true)"
    maker.types.append(name)


def _function(maker: _Maker) -> Iterator[str]:
    name, chance = maker.name(), maker.chance
    table = chance.choice(maker.tables)
    kind = chance.randrange(4)
    if kind == 0:
        yield (
            f"create function {name}(n integer) returns integer language sql immutable return n + 1"
        )
        maker.functions.append(name)
    elif kind == 1:
        column = maker.integer_of(table) or "null"
        yield (
            f"create function {name}(n integer) returns integer language sql stable "
            f"begin atomic select max({column}) from {table.name}; end"
        )
        maker.functions.append(name)
    elif kind == 2:
        yield (
            f"create function {name}(r {table.name}) returns boolean language sql immutable "
            "as 'select true'"
        )
        check = f"check ({name}({_row(table)}))"
        yield f"alter table {table.name} add constraint {maker.bare()} {check}"
    else:
        yield (
            f"create function {name}() returns setof {table.name} language sql "
            f"begin atomic select * from {table.name}; end"
        )
        table.returned = True
        maker.views.append((f"{name}()", table.columns))


def _row(table: _Table) -> str:
    return table.name.split(".", 1)[1] + ".*" if "." in table.name else table.name


def _default(maker: _Maker) -> Iterator[str]:
    table = maker.chance.choice(maker.tables)
    column = maker.integer_of(table)
    if column and maker.functions and column != table.key:
        call = f"{maker.chance.choice(maker.functions)}(2)"
        yield f"alter table {table.name} alter column {column} set default {call}"


def _sequence(maker: _Maker) -> Iterator[str]:
    name, chance = maker.name(), maker.chance
    yield f"create sequence {name} start {chance.randrange(1, 9)} increment {chance.choice([1, 5])}"
    maker.sequences.append(name)
    if chance.random() < 0.5:
        table = chance.choice(maker.tables)
        yield f"alter sequence {name} owned by {table.name}.{table.columns[-1][0]}"


def _view(maker: _Maker) -> Iterator[str]:
    chance, name = maker.chance, maker.name()
    sources = [(table.name, table.columns) for table in maker.tables] + maker.views
    source, columns = chance.choice(sources)
    chosen = columns[: chance.randrange(1, len(columns) + 1)]
    key = next((table.key for table in maker.tables if table.name == source and table.key), None)
    group = f" group by x.{key}" if key and chance.random() < 0.3 else ""
    word = chance.choice(["view", "view", "materialized view"])
    yield (
        f"create {word} {name} as select {', '.join(f'x.{c}' for c, _ in chosen)} "
        f"from {source} as x{group}"
    )
    maker.views.append((name, chosen))
    if word == "materialized view":
        yield f"create index {maker.bare()} on {name} ({chosen[0][0]})"
    elif chance.random() < 0.3:
        yield f"alter view {name} set (security_barrier)"


def _key(maker: _Maker) -> Iterator[str]:
    table = maker.chance.choice(maker.tables)
    keyed = [other for other in maker.tables if other.key]
    column = maker.integer_of(table)
    if keyed and column:
        other = maker.chance.choice(keyed)
        how = maker.chance.choice(["", " on delete cascade", " deferrable initially deferred"])
        if not table.parted:
            how += maker.chance.choice(["", " not valid"])
        yield (
            f"alter table {table.name} add constraint {maker.bare()} foreign key ({column}) "
            f"references {other.name} ({other.key}){how}"
        )


def _index(maker: _Maker) -> Iterator[str]:
    table = maker.chance.choice(maker.tables)
    column, kind = maker.chance.choice(table.columns)
    text = f"(({column})::text) desc" if kind == "text" else column
    where = f" where {column} is not null" if maker.chance.random() < 0.4 else ""
    name = maker.bare()
    yield f"create index {name} on {table.name} ({text}){where}"
    if maker.chance.random() < 0.2 and table.key and len(table.columns) > 1:
        yield f"create statistics {maker.name()} on {table.key}, {column} from {table.name}"


def _trigger(maker: _Maker) -> Iterator[str]:
    table, name = maker.chance.choice(maker.tables), maker.name()
    yield (f"create function {name}() returns trigger language plpgsql as 'begin return new; end'")
    trigger = maker.bare()
    yield (
        f"create trigger {trigger} before update of {table.columns[0][0]} on {table.name} "
        f"for each row when (new.{table.columns[0][0]} > 0) execute function {name}()"
    )
    if maker.chance.random() < 0.3:
        yield f"alter table {table.name} disable trigger {trigger}"


def _policy(maker: _Maker) -> Iterator[str]:
    table, chance = maker.chance.choice(maker.tables), maker.chance
    other = chance.choice(maker.tables)
    call = f" and {chance.choice(maker.functions)}(1) > 0" if maker.functions else ""
    yield (
        f"create policy {maker.bare()} on {table.name} as "
        f"{chance.choice(['permissive', 'restrictive'])} for select to public, pg_monitor "
        f"using (exists (select from {other.name}){call})"
    )


def _publication(maker: _Maker) -> Iterator[str]:
    table = maker.chance.choice(maker.tables)
    columns = f" ({table.key})" if table.key and maker.chance.random() < 0.5 else ""
    where = f" where ({table.key} > 0)" if table.key and maker.chance.random() < 0.5 else ""
    root = " with (publish_via_partition_root)" if table.parted else ""
    yield f"create publication {maker.bare()} for table {table.name}{columns}{where}{root}"


def _grant(maker: _Maker) -> Iterator[str]:
    table, chance = maker.chance.choice(maker.tables), maker.chance
    what = chance.choice(["select", "insert, update", "all"])
    yield f"grant {what} on {table.name} to pg_monitor"
    yield f"grant select ({table.columns[0][0]}) on {table.name} to pg_monitor with grant option"
    if chance.random() < 0.3:
        yield (
            f"alter default privileges in schema {chance.choice(maker.schemas)} grant select on "
            "tables to pg_monitor with grant option"
        )
    if maker.functions and chance.random() < 0.3:
        yield f"revoke execute on function {chance.choice(maker.functions)}(integer) from public"


_KINDS = (
    *(_table, _table, _parted, _child, _type, _type, _function, _function, _default, _sequence),
    *(_view, _view, _key, _key, _index, _trigger, _policy, _publication, _grant),
)
