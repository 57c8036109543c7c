"""Hazards of migrations on filled tables: what is foretold of each, and whether it fails."""

from __future__ import annotations

from dataclasses import dataclass

BASE = """
do $$ begin
    if exists (select from pg_available_extensions where name = 'btree_gist') then
        create extension if not exists btree_gist;
    end if;
end $$;
create domain score as integer;
create table owners (id bigint primary key, name text);
create table notes (
    id bigint primary key,
    owner_id bigint,
    title text,
    body text,
    amount integer not null,
    code varchar(20),
    score score,
    old text,
    during tsrange,
    room integer
);
create index notes_title on notes (title);
create table parts (id integer, at date not null) partition by range (at);
create table parts_2026 partition of parts for values from ('2026-01-01') to ('2027-01-01');
create table parts_default partition of parts default;
create table parts_2025 (id integer, at date not null);
create table "Odd Names" ("The Id" integer, "select" text);
"""

FILL = """
insert into owners select i, 'owner ' || i from generate_series(1, 50) as i;
insert into notes
select
    i, case when i = 7 then 999999 when i % 9 = 0 then null else i % 50 + 1 end,
    'title ' || (i / 2), case when i = 3 then null else 'body ' || i end,
    case when i = 11 then -5 else i % 1000 end,
    case when i = 13 then 'a long code, too' else (i % 90)::text end,
    case when i = 17 then -1 when i = 18 then null else i % 10 end,
    'old', tsrange(timestamp '2026-01-01' + i * interval '1 hour',
        timestamp '2026-01-01' + (i + case when i = 21 then 3 else 1 end) * interval '1 hour'), 1
from generate_series(1, {rows}) as i;
insert into parts values (1, '2026-05-05'), (2, '2027-03-03');
insert into parts_2025 values (1, '2025-05-05'), (2, '2024-12-31');
insert into "Odd Names" values (1, 'a'), (1, null);
"""


@dataclass(frozen=True)
class Hazard:
    """One migration.

    Attributes:
        fails: Whether it does on the filled tables.
        code: What `plan` says of it, at least; None: nothing in particular.
        since: The first PostgreSQL that has it.
        extension: One that it needs.
    """

    name: str
    text: str
    fails: bool
    code: str | None = None
    since: int = 15
    extension: str | None = None

    def __post_init__(self) -> None:
        """A failure is P114, where nothing else is said."""
        if self.fails and self.code is None:
            object.__setattr__(self, "code", "P114")


HAZARDS = [
    Hazard("column not null", "alter table notes add column x integer not null;", True),
    Hazard("with default", "alter table notes add column x integer not null default 1;", False),
    Hazard("serial", "alter table notes add column x bigserial not null;", False, "P102"),
    Hazard("identity", "alter table notes add x int generated always as identity;", False, "P102"),
    Hazard("nullable", "alter table notes add column x integer;", False),
    Hazard(
        "column, then not null",
        "alter table notes add column x integer; alter table notes alter x set not null;",
        True,
    ),
    Hazard(
        "column, filled, then not null",
        "alter table notes add column x integer; update notes set x = 1;"
        "alter table notes alter x set not null;",
        False,
        "P105",
    ),
    Hazard(
        "generated", "alter table notes add x int generated always as (amount / 0) stored;", True
    ),
    Hazard(
        "check on generated",
        "alter table notes add x int generated always as (amount * 2) stored check (x >= 0);",
        True,
    ),
    Hazard("set not null", "alter table notes alter body set not null;", True),
    Hazard("set not null, none", "alter table notes alter title set not null;", False, "P104"),
    Hazard("check", "alter table notes add constraint c check (amount >= 0);", True),
    Hazard(
        "check that holds", "alter table notes add constraint c check (amount > -9);", False, "P104"
    ),
    Hazard(
        "check not valid",
        "alter table notes add constraint c check (amount >= 0) not valid;",
        False,
    ),
    Hazard(
        "validate check",
        "alter table notes add constraint c check (amount >= 0) not valid;"
        "alter table notes validate constraint c;",
        True,
    ),
    Hazard(
        "check after a rename",
        'alter table notes rename amount to "Sum Of"; alter table notes rename to jottings;'
        'alter table jottings add constraint c check ("Sum Of" >= 0);',
        True,
        "P112",
    ),
    Hazard(
        "check by a block",
        "do $$ begin alter table notes add constraint c check (amount >= 0); end $$;",
        True,
    ),
    Hazard(
        "foreign key",
        "alter table notes add constraint f foreign key (owner_id) references owners;",
        True,
    ),
    Hazard(
        "foreign key not valid",
        "alter table notes add constraint f foreign key (owner_id) references owners not valid;",
        False,
    ),
    Hazard(
        "validate foreign key",
        "alter table notes add constraint f foreign key (owner_id) references owners not valid;"
        "alter table notes validate constraint f;",
        True,
    ),
    Hazard(
        "foreign key to a new table",
        "create table houses (id bigint primary key);"
        "alter table notes add constraint f foreign key (owner_id) references houses;",
        True,
    ),
    Hazard(
        "rows mended first",
        "update notes set amount = 0 where amount < 0;"
        "alter table notes add constraint c check (amount >= 0);",
        False,
    ),
    Hazard(
        "key mended first",
        "insert into owners values (999999, 'x');"
        "alter table notes add constraint f foreign key (owner_id) references owners;",
        False,
    ),
    Hazard("unique index", "create unique index u on notes (title);", True),
    Hazard("unique constraint", "alter table notes add constraint u unique (title);", True),
    Hazard("unique expression", "create unique index u on notes (lower(title));", True),
    Hazard(
        "unique where", "create unique index u on notes (title) where amount = 4;", False, "P103"
    ),
    Hazard("unique that holds", "create unique index u on notes (title, id);", False, "P103"),
    Hazard(
        "unique nulls",
        "create unique index u on notes (body) where title in ('title 1', 'title 4');",
        False,
    ),
    Hazard(
        "nulls not distinct", 'create unique index u on "Odd Names" ((1)) nulls not distinct;', True
    ),
    Hazard("primary key over doubles", 'alter table "Odd Names" add primary key ("The Id");', True),
    Hazard("quoted names", 'alter table "Odd Names" alter "select" set not null;', True),
    Hazard(
        "concurrently",
        "-- transactional: false\ncreate unique index concurrently u on notes (title);",
        True,
    ),
    Hazard("shorter text", "alter table notes alter code type varchar(9);", True),
    Hazard("longer text", "alter table notes alter code type varchar(90);", False),
    Hazard(
        "text to integer",
        "alter table notes alter code type integer using code::integer;",
        True,
        "P102",
    ),
    Hazard(
        "text to text",
        "alter table notes alter code type text using substr(code, 1, 3);",
        False,
        "P102",
    ),
    Hazard("integer to small", "alter table notes alter owner_id type smallint;", True),
    Hazard(
        "type, then not null",
        "alter table notes alter code type text using nullif(code, '5'), alter code set not null;",
        True,
    ),
    Hazard(
        "exclusion of ranges", "alter table notes add exclude using gist (during with &&);", True
    ),
    Hazard(
        "exclusion by room",
        "alter table notes add exclude using gist (room with =, during with &&);",
        True,
        extension="btree_gist",
    ),
    Hazard(
        "exclusion that holds",
        "alter table notes add exclude using gist (during with &&) where (id <> 21);",
        False,
        "P103",
    ),
    Hazard("exclusion of values", "alter table notes add exclude (title with =);", True),
    Hazard(
        "attach",
        "alter table parts attach partition parts_2025"
        " for values from ('2025-01-01') to ('2026-01-01');",
        True,
    ),
    Hazard(
        "attach that fits",
        "alter table parts attach partition parts_2025"
        " for values from ('2024-01-01') to ('2026-01-01');",
        False,
        "P104",
    ),
    Hazard(
        "partition of what is in the default",
        "create table parts_2027 partition of parts"
        " for values from ('2027-01-01') to ('2028-01-01');",
        True,
    ),
    Hazard("domain", "alter domain score add constraint s check (value >= 0);", True),
    Hazard("domain that holds", "alter domain score add constraint s check (value > -2);", False),
    Hazard(
        "domain not valid",
        "alter domain score add constraint s check (value >= 0) not valid;",
        False,
    ),
    Hazard(
        "domain validated",
        "alter domain score add constraint s check (value >= 0) not valid;"
        "alter domain score validate constraint s;",
        True,
    ),
    Hazard("domain not null", "alter domain score set not null;", True),
    Hazard(
        "column of a domain",
        "create domain must as text not null; alter table notes add column m must;",
        True,
        "P114",
    ),
    Hazard(
        "not null not valid",
        "alter table notes add constraint n not null body not valid;",
        False,
        since=18,
    ),
    Hazard(
        "not null validated",
        "alter table notes add constraint n not null body not valid;"
        "alter table notes validate constraint n;",
        True,
        since=18,
    ),
    Hazard(
        "not enforced",
        "alter table notes add constraint c check (amount >= 0) not enforced;",
        False,
        since=18,
    ),
    Hazard("drop column", "alter table notes drop column old;", False, "P107"),
    Hazard("drop table", "drop table owners;", False, "P107"),
    Hazard("truncate", "truncate owners;", False, "P107"),
    Hazard("rename", "alter table notes rename old to older;", False, "P112"),
    Hazard("rewrite", "alter table notes alter amount type bigint;", False, "P102"),
    Hazard("index", "create index i on notes (body);", False, "P103"),
    Hazard("no such column", "alter table notes drop column nothing;", True, "P101"),
]
