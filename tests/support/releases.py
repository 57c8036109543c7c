"""An application on generated code, at work while a name changes under it, release by release."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from types import ModuleType
from typing import Any

from todo_sql import AsyncDatabase, Database, TodoSqlError

KEYS = 40
"""How many rows each client writes again and again."""

# What there is in each: a table of tenants with row security, its rights, a child and a trigger.
_SCHEMA = """
create schema if not exists "My Shop";
create table {table} (
    id {counted},
    owner text not null,
    key text not null,
    {column} text not null check ({column} <> ''),
    amount integer not null default 0,
    kind text not null default 'a' check (kind in ('a', 'b')),
    written timestamptz not null default now(),
    constraint orders_key primary key ({primary}),
    constraint orders_once unique (owner, key)
){storage};
create index on {table} ({column});
alter table {table} enable row level security;
create policy own on {table} using (owner = current_setting('app.owner', true));
create function touched() returns trigger language plpgsql
    as 'begin new.written := now(); return new; end';
create trigger touched before update on {table} for each row execute function touched();
create table items (
    id bigint generated always as identity primary key,
    owner text not null,
    key text not null,
    what text not null,
    foreign key (owner, key) references {table} (owner, key) on delete cascade
);
grant usage on schema "My Shop" to {role};
grant select, insert, delete on {table} to {role};
grant update (key, {column}, amount, kind) on {table} to {role};
grant select, insert, update, delete on items to {role};
grant usage on all sequences in schema public to {role};
"""
_PARTITIONS = """
 partition by hash (owner);
create table orders_0 partition of {table} for values with (modulus 2, remainder 0);
create table orders_1 partition of {table} for values with (modulus 2, remainder 1)"""

SERVED = """
-- name: put :one
insert into {table} (owner, key, {column}, amount) values (:owner, :key, :who, :amount)
on conflict (owner, key) do update set {column} = excluded.{column}, amount = excluded.amount
returning id, key, {column} as who, amount;

-- name: get :optional
select {column} as who, amount, kind, written from {table} where owner = :owner and key = :key;

-- name: find :many
select key, {column} as who from {table}
where owner = :owner
    and {column} = :who  -- if: who
    and amount >= :least  -- if: least
order by key;

-- name: change :execrows
update {table} set {column} = :who where owner = :owner and key = :key;

-- name: patch :optional
update {table}
set
    {column} = :who,  -- if: who
    kind = :kind,  -- if: kind
    key = key
where owner = :owner and key = :key
returning {column} as who, kind;

-- name: page :page
select key, {column} as who, id from {table} where owner = :owner
order by who, id
limit :limit;

-- name: each :batch
update {table} set {column} = :who where owner = :owner and key = :key;

-- name: stream :stream
select key, {column} as who from {table} where owner = :owner order by id;

-- name: locked :optional
select {column} as who from {table} where owner = :owner and key = :key for update;

-- name: sums :many
select {column} as who, sum(amount) as total, count(*) as n from {table}
where owner = :owner group by {column} order by {column} limit 5;

-- name: with_items :many
select o.{column} as who, o.id as "order.id", i.what from {table} as o
left join items as i on i.owner = o.owner and i.key = o.key
where o.owner = :owner order by o.id limit 5;

-- name: add_item :one
insert into items (owner, key, what) values (:owner, :key, :what) returning id;

-- name: load_once :copyfrom
insert into {table} (owner, key, {column}, amount) values (:owner, :key, :who, :amount)
on conflict (owner, key) do nothing;

-- name: remove :execrows
delete from {table} where owner = :owner and key = :key;

-- name: moved :many
with gone as (
    delete from {table} where owner = :owner and key = :key returning owner, {column}, amount
)
insert into {table} (owner, key, {column}, amount)
select owner, :later_key, {column}, amount from gone
returning key, {column} as who;
"""
TOLD = """
-- name: load :copyfrom
insert into {table} (owner, key, {column}, amount) values (:owner, :key, :who, :amount);

-- name: keep :exec
insert into {table} (owner, key, {column}) values (:owner, :key, :who)
on conflict on constraint orders_once do nothing;

-- name: grouped :many
select id, {column} as who, count(*) as n from {table}
where owner = :owner group by {primary} order by id limit 5;
"""


@dataclass(frozen=True)
class Naming:
    """What a release calls the table and the column."""

    table: str = "orders"
    column: str = "customer"


@dataclass(frozen=True)
class Renaming:
    """A migration that changes a name.

    Attributes:
        old: What the release before it says.
        new: What the one after it says.
        change: Its statement.
        back: That of its rollback.
        partitioned: Whether the table is.
    """

    old: Naming
    new: Naming
    change: str
    back: str
    partitioned: bool = False

    def queries(self, naming: Naming, texts: str) -> str:
        """Return named queries as a release with these names writes them."""
        return texts.format(table=naming.table, column=naming.column, primary=self._primary)

    def schema(self, role: str) -> str:
        """Return what there is before it."""
        storage = _PARTITIONS.format(table=self.old.table) if self.partitioned else ""
        return _SCHEMA.format(
            table=self.old.table,
            column=self.old.column,
            primary=self._primary,
            # A partitioned table counts by itself from PostgreSQL 17 on only.
            counted="bigserial" if self.partitioned else "bigint generated always as identity",
            storage=storage,
            role=role,
        )

    @property
    def _primary(self) -> str:
        return "owner, id" if self.partitioned else "id"


def _column(table: str, old: str, new: str, *, partitioned: bool = False) -> Renaming:
    change = f"alter table {table} rename column {{}} to {{}};"
    names = Naming(table, old), Naming(table, new)
    return Renaming(*names, change.format(old, new), change.format(new, old), partitioned)


def _table(old: str, new: str, *, schema: str = "", partitioned: bool = False) -> Renaming:
    names = Naming(schema + old), Naming(schema + new)
    change = f"alter table {schema}{{}} rename to {{}};"
    return Renaming(*names, change.format(old, new), change.format(new, old), partitioned)


RENAMINGS = {
    "a column": _column("orders", "customer", "buyer"),
    "a table": _table("orders", "purchases"),
    "a quoted column": _column('"My Shop"."Order s"', '"Cust ""x"""', '"The Buyer"'),
    "a quoted table": _table('"Order s"', '"Buy ""it"""', schema='"My Shop".'),
    "a column of partitions": _column("orders", "customer", "buyer", partitioned=True),
    "a table of partitions": _table("orders", "purchases", partitioned=True),
}


@dataclass
class Journal:
    """What the clients of an application met.

    Attributes:
        failed: How often each function of each release failed, and why.
        calls: How many calls there were, of each release.
        wrong: Rows that were not what had been written.
    """

    failed: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Application:
    """Clients of the releases that are out, each with rows of its own that it keeps account of."""

    def __init__(self, url: str, clients: int, **releases: ModuleType) -> None:
        self.url = url
        self.journal = Journal()
        self._releases = releases
        self._stop = threading.Event()
        self._turns = [0] * clients
        self._threads = [threading.Thread(target=self._run, args=(at,)) for at in range(clients)]

    def out(self, **releases: ModuleType) -> None:
        """Let these releases be out, and no other; return when calls of others have ended."""
        self._releases = releases
        turns = list(self._turns)
        while any(now < then + 2 for now, then in zip(self._turns, turns, strict=True)):
            assert all(thread.is_alive() for thread in self._threads), self.journal.wrong
            time.sleep(0.01)

    def __enter__(self) -> Application:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _choose(self, chance: random.Random) -> tuple[str, ModuleType]:
        releases = self._releases
        return chance.choice(list(releases.items()))

    def _note(self, release: str, name: str, error: Exception | None) -> None:
        with self.journal.lock:
            self.journal.calls[release] += 1
            if error is not None:
                said = getattr(error, "sqlstate", None) or type(error).__name__
                self.journal.failed[release, name, f"{said} {error}".splitlines()[0]] += 1

    def _run(self, at: int) -> None:
        try:
            if at == 0:
                asyncio.run(self._in_a_loop(at))
            else:
                self._client(at)
        except Exception as error:
            self.journal.wrong.append(f"client {at} ended: {error!r}")
            raise

    def _client(self, at: int) -> None:
        chance = random.Random(at)
        with Database.connect(self.url) as db:
            client = _Client(f"c{at}", db.as_user(f"c{at}"), chance, self.journal)
            while not self._stop.is_set():
                self._turns[at] += 1
                release, module = self._choose(chance)
                for name, call in client.calls(module):
                    error = None
                    try:
                        call()
                    except TodoSqlError as found:
                        error = found
                    self._note(release, name, error)

    async def _in_a_loop(self, at: int) -> None:
        chance = random.Random(at)
        async with AsyncDatabase.connect(self.url) as db:
            session = db.as_user(f"c{at}")
            while not self._stop.is_set():
                self._turns[at] += 1
                release, module = self._choose(chance)
                key, who = f"k{chance.randrange(KEYS)}", f"w{chance.randrange(9)}"
                every = [
                    ("put", partial(module.put, session, key=key, who=who, amount=1)),
                    ("change", partial(module.change, session, key=key, who=who)),
                    ("find", partial(module.find, session, who=who)),
                    ("get", partial(module.get, session, key=key)),
                    ("page", partial(module.page, session, limit=3)),
                ]
                for name, call in every:
                    error = None
                    try:
                        await call()
                    except TodoSqlError as found:
                        error = found
                    self._note(release, name, error)


class _Client:
    """One client: what it has written, and a turn of calls."""

    def __init__(self, name: str, session: Any, chance: random.Random, journal: Journal) -> None:
        self.name, self.session, self.chance, self.journal = name, session, chance, journal
        self.rows: dict[str, tuple[str, int]] = {}
        self.made = 0

    def calls(self, module: ModuleType) -> Iterator[tuple[str, Callable[[], object]]]:
        """Yield the calls of a turn, by name; each looks at what came of it."""
        session, chance = self.session, self.chance
        key, who, amount = (
            f"k{chance.randrange(KEYS)}",
            f"w{chance.randrange(9)}",
            chance.randrange(99),
        )
        self.made += 1

        def put() -> None:
            row = module.put(session, key=key, who=who, amount=amount)
            self.rows[key] = who, amount
            self._same(key, (row.who, row.amount))

        def change() -> None:
            if module.change(session, key=key, who="x" + who):
                self.rows[key] = "x" + who, self.rows[key][1]

        def patch() -> None:
            row = module.patch(session, key=key, who="p" + who, kind="b")
            if row is not None:
                self.rows[key] = "p" + who, self.rows[key][1]
                self._same(key, (row.who, self.rows[key][1]))

        def get() -> None:
            row = module.get(session, key=key)
            self._same(key, None if row is None else (row.who, row.amount))

        def together() -> None:
            with session.transaction() as work:
                module.locked(work, key=key)
                module.add_item(work, key=key, what="x")
                module.change(work, key=key, who="t" + who)
            self.rows[key] = "t" + who, self.rows[key][1]

        def each() -> None:
            module.each(session, [{"key": key, "who": "e" + who}])
            if key in self.rows:
                self.rows[key] = "e" + who, self.rows[key][1]

        def moved() -> None:
            later = f"m{self.made}"
            for row in module.moved(session, key=key, later_key=later):
                assert row.key == later
                self.rows[later] = self.rows.pop(key)

        def remove() -> None:
            for gone in (key, f"m{self.made - 1}"):
                module.remove(session, key=gone)
                self.rows.pop(gone, None)

        def stream() -> None:
            with module.stream(session) as rows:
                found = {row.key: row.who for row in rows}
            # Those of the calls that may fail are not kept account of.
            found = {k: w for k, w in found.items() if not k.startswith(("keep", "load"))}
            wanted = {key: who for key, (who, _) in self.rows.items()}
            if found != wanted:
                self.journal.wrong.append(f"{self.name}: {found} instead of {wanted}")

        yield "put", put
        yield "change", change
        yield "patch", patch
        yield "get", get
        yield "together", together
        yield "each", each
        yield "find", lambda: module.find(session, who=who, least=0)
        yield "page", lambda: module.page(session, limit=5)
        yield "sums", lambda: module.sums(session)
        yield "with_items", lambda: module.with_items(session)
        yield "stream", stream
        yield "moved", moved
        load = [{"key": f"load{self.made}", "who": "l", "amount": 1}]
        yield "load_once", lambda: module.load_once(session, load)
        if hasattr(module, "load"):
            yield "grouped", lambda: module.grouped(session)
            yield "keep", lambda: module.keep(session, key=f"keep{self.made}", who="k")
            more = [{"key": f"load_{self.made}", "who": "l", "amount": 1}]
            yield "load", lambda: module.load(session, more)
        yield "remove", remove

    def _same(self, key: str, found: tuple[str, int] | None) -> None:
        if found != self.rows.get(key):
            self.journal.wrong.append(f"{self.name} {key}: {found}, not {self.rows.get(key)}")
