"""Statements that run in batches: each row once, whatever comes between."""

from __future__ import annotations

import random
import time
from pathlib import Path

import psycopg
import pytest
from support import migrate_process
from support.backends import backends_settle_at
from support.batches import (
    ADD,
    FILL,
    OUTSIDE,
    TABLE,
    Batches,
    counts,
    kill_in_batches,
    write_counted,
)
from support.migrations import applied, fetch, migrator, write
from support.traffic import once

from todo_sql.errors import FindingsError
from todo_sql.migrations import migrate
from todo_sql.migrations.batch_state import BatchState
from todo_sql.migrations.files import statements
from todo_sql.migrations.files.batched import BatchKey, NotBatched, batched
from todo_sql.migrations.files.directives import BatchBy, read, read_batch
from todo_sql.migrations.files.folder import load
from todo_sql.migrations.migration_errors import MigrationFailed, PlanError
from todo_sql.sql.grammar import parse
from todo_sql.sql.source import Source
from todo_sql.sql.walking import shape

database = pytest.mark.database


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("orders", BatchBy("orders")),
        ("orders by id", BatchBy("orders", None, ("id",))),
        ("Sales.Orders BY A, b", BatchBy("orders", "sales", ("a", "b"))),
        ('"Sales"."Or""ders" by (a, "B c")', BatchBy('Or"ders', "Sales", ("a", "B c"))),
        ("orders by", None),
        ("orders by (id", None),
        ("orders by id,", None),
        ("a.b.c", None),
        ("", None),
    ],
)
def test_the_directive(value: str, expected: BatchBy | None) -> None:
    """Names are folded as PostgreSQL does; what is half said is not read."""
    assert read_batch(value) == expected


@pytest.mark.parametrize(
    "wrong",
    [
        "-- phase: later",
        "-- batch: or ders",
        "-- batch: orders\n-- batch-time: fast",
        "-- batch: orders\n-- batch-time: 0",
        "-- batch: orders\n-- batch-pause: 25",
        "-- batch: orders\n-- max-lag: 16",
        "-- batch-time: 100ms",
        "-- max-lag: 16MB",
        "-- nothing-to-undo:",
        "-- batch: orders\n-- batch: orders",
    ],
)
def test_a_wrong_directive_is_told(wrong: str) -> None:
    """Each value that cannot be read, and what has no meaning alone."""
    (found,) = read(Source("a.sql", f"{wrong}\nselect 1;\n"))[1]
    assert found.code == "M111"
    assert found.place is not None


RANGE = '(o."Id") operator(pg_catalog.<=) ($1) and (o."Id") operator(pg_catalog.>) ($2)'
RANGED = [
    ("update orders o set n = 1", "update orders o set n = 1 where {}"),
    (
        "update only s.orders as o set n = 1 from f -- why\nwhere a or b -- so\nreturning 1",
        "update only s.orders as o set n = 1 from f where (a or b) and {} returning 1",
    ),
    (
        "with w as (select 1 where true) delete from orders o using w "
        "where at < current_date - interval '1 year' and a and o.s in ('x', 'y')",
        "with w as (select 1 where true) delete from orders o using w "
        "where at < current_date - interval '1 year' and a and o.s in ('x', 'y') and {}",
    ),
    (
        "insert into s select o.id from orders as o left join f on f.id = o.id "
        "order by 1 on conflict (id) where a do update set n = 1 where s.n = 2 returning 3",
        "insert into s select o.id from orders as o left join f on f.id = o.id where {} "
        "order by 1 for share of o "
        "on conflict (id) where a do update set n = 1 where s.n = 2 returning 3",
    ),
    (
        "insert into s (select id from orders o where a or b)",
        "insert into s (select id from orders o where (a or b) and {} for share of o)",
    ),
    (
        "insert into s select id from orders o for update",
        "insert into s select id from orders o where {} for update",
    ),
]


@pytest.mark.parametrize(("statement", "expected"), RANGED)
def test_the_range_is_added_through_the_parse_tree(statement: str, expected: str) -> None:
    """Whatever else the statement says stays; what an INSERT reads is locked."""
    made = batched(parse(statement)[0], BatchBy("orders"))
    ranged = made.ranged(BatchKey(("Id",)), lower=True)
    wanted = parse(expected.format(RANGE))[0]
    assert shape(parse(ranged)[0].node) == shape(wanted.node)


@pytest.mark.parametrize(
    ("batch", "statement"),
    [
        ("orders", "select 1"),
        ("orders", "merge into orders using f on true when matched then delete"),
        ("orders", "insert into orders values (1)"),
        ("orders", "insert into orders default values"),
        ("orders", "insert into s select id from orders union all select id from f"),
        ("orders", "insert into s select n from orders group by n"),
        ("orders", "insert into s select distinct n from orders"),
        ("orders", "insert into s select n from orders limit 3"),
        ("orders", "insert into s select n from orders offset 3"),
        ("orders", "insert into s select n from orders group by n having true"),
        ("orders", "insert into s select sum(n) from orders"),
        ("orders", "insert into s select count(*) from orders"),
        ("orders", "insert into s select row_number() over () from orders"),
        ("orders", "insert into s select n from orders for update skip locked"),
        ("orders", "insert into s select f.n from f left join orders using (id)"),
        ("orders", "insert into s select f.n from orders full join f using (id)"),
        ("orders", "insert into s select a.n from orders as a join orders as b using (id)"),
        ("orders", "insert into s select n from f"),
        ("orders", "update f set n = 1 from orders"),
        ("b.orders", "update a.orders set n = 1"),
        ("orders by id", "update orders set id = id + 1"),
        ("orders by a, b", "update orders set (b, c) = (1, 2)"),
        ("orders", "update orders set n = 1 where current of c"),
        ("orders", "with d as (delete from f returning id) update orders set n = 1 from d"),
        ("orders", "with orders as (select 1) update orders set n = 1"),
    ],
)
def test_what_cannot_run_in_batches_is_refused(batch: str, statement: str) -> None:
    """A range of keys would mean another thing than all rows, or cannot be locked."""
    directive = read_batch(batch)
    assert directive is not None
    with pytest.raises(NotBatched):
        batched(parse(statement)[0], directive)


EXCLUDING = [
    ("update t set a = 'x' || b where a is null", True),
    ("update t set a = 'x' where a is null and b > 3", True),
    ("update t set a = 'x' where t.a is null", True),
    ("update t as x set a = 1 where x.a is distinct from 1", True),
    ("update t set a = b + c where a <> b + c", True),
    ("update t set a = 'closed' where a = 'open'", True),
    ("update t set a = 'closed' where a in ('open', 'new')", True),
    ("update t set a = 'closed' where a not in ('closed', 'gone')", True),
    ("update t set done = true where not done", True),
    ("update t set done = false where done", True),
    ("update t set done = true where done is not true", True),
    ("update t set version = 2 where version < 2", True),
    ("update t set version = 2 where 2 > version", True),
    ("update t set a = null where a is not null", True),
    ("update t set a = 1 where a is null or a = 2", True),
    ("delete from t where a = 1", True),
    ("insert into s select id from t where not exists (select from s where s.id = t.id)", True),
    ("update t set a = a + 1", False),
    ("update t set a = a + 1 where b > 3", False),
    ("update t set a = 'x' where b is null", False),
    ("update t set a = b where o.a is null", False),
    ("update t set a = 1 where a is null or b", False),
    ("update t set a = b, n = n + 1 where a is null", False),
    ("update t set a = '1.0' where a = '1'", False),
    ("update t set a = 'X' where a = 'x'", False),
    ("update t set a = b, b = 1 where a <> b", False),
    ("update t set version = 2 where version <= 2", False),
    ("update t set a = 'b' where a < 'b' || c", False),
    ("delete from t where at < now() - interval '1 year'", False),
    ("update t set a = random() where a <> random()", False),
    ("insert into s select id from t", False),
]


@pytest.mark.parametrize(("statement", "excludes"), EXCLUDING)
def test_whether_what_is_done_is_left_out_is_proved(statement: str, excludes: bool) -> None:
    """Nothing is claimed of a WHERE that may hold of a row that is done."""
    assert batched(parse(statement)[0], BatchBy("t")).excludes is excludes


@pytest.mark.parametrize(
    ("took", "size"),
    [(0.1, 1000), (0.05, 1500), (0.08, 1250), (0.125, 800), (0.2, 500), (9.0, 500)],
)
def test_the_size_goes_by_time(took: float, size: int) -> None:
    """Towards the target, by half to one and a half at once; twice the target halves."""
    assert BatchState("t", ("id",), None).resized(took, 0.1) == size


def test_the_size_has_bounds() -> None:
    """Neither a row at a time nor the whole table."""
    assert BatchState("t", ("id",), None, size=120).resized(9, 0.1) == 100
    assert BatchState("t", ("id",), None, size=49_000).resized(0.01, 0.1) == 50_000


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("-- batch: orders\nupdate orders set n = 1;", "M130"),
        (f"{OUTSIDE}-- batch: orders\n{ADD}{ADD}", "M130"),
        (f"{OUTSIDE}-- batch: orders\ncreate index concurrently i on orders (n);", "M130"),
        (f"{OUTSIDE}update orders set n = 1;", "M127"),
    ],
)
def test_a_file_that_is_no_batch_is_refused(tmp_path: Path, text: str, code: str) -> None:
    """At its place, before anything runs."""
    write(tmp_path, FILL, text)
    with pytest.raises(FindingsError) as refused:
        statements.check(load(tmp_path, tmp_path))
    assert [one.code for one in refused.value.findings] == [code]


@pytest.mark.parametrize("where", ["forward", "rollback"])
@database
def test_nothing_to_undo_stands_for_a_rollback(
    empty_database: str, tmp_path: Path, where: str
) -> None:
    """Said in either file; the rollback takes the mark away and does nothing else."""
    write_counted(tmp_path, 10)
    back = tmp_path / f"{FILL}.rollback.sql"
    if where == "forward":
        back.unlink()
        path = tmp_path / f"{FILL}.sql"
        path.write_text("-- nothing-to-undo: the column goes\n" + path.read_text())
    else:
        back.write_text("-- nothing-to-undo: the column goes\n")
    migrations = migrator(empty_database, tmp_path)
    migrations.migrate()
    assert migrations.status().entries[1].migration.undoing == "nothing"  # type: ignore[union-attr]
    migrations.rollback()
    assert applied(empty_database) == [TABLE]
    assert counts(empty_database) == {1: 10}


KEYS = [
    ("id bigint primary key", "id", "i"),
    ("id int generated always as identity primary key", "n", "0"),
    ("id uuid primary key", "id", "md5(i::text)::uuid"),
    ("id text primary key", "id", "'k' || i"),
    ('id text collate "C" primary key', "id", "chr((64 + i % 60)::int) || i"),
    ("id numeric primary key", "id", "i / 7.0"),
    (
        "id timestamptz primary key",
        "id",
        "timestamptz '2026-01-31 00:00+00' + i * interval '1.000001 hour'",
    ),
    ("id date primary key", "id", "date '2026-01-01' + i::int"),
    ("id char(6) primary key", "id", "i"),
    ("id bytea primary key", "id", "decode(lpad(to_hex(i), 8, '0'), 'hex')"),
    ("id inet primary key", "id", "'10.0.0.0'::inet + i"),
    ("id float8 not null unique", "id", "i / 3.0::float8"),
    ('"Id" bigint not null, constraint "U" unique ("Id")', '"Id"', "i"),
    ("a int, b text, primary key (a, b)", "a, b", "i / 60, 'b' || i"),
    ("a int not null, b date not null, unique (b, a)", "b, a", "date '2026-01-01' + i::int % 7, i"),
]


@pytest.mark.parametrize(("columns", "key", "value"), KEYS, ids=[key[0] for key in KEYS])
@database
def test_every_type_of_key(
    empty_database: str, tmp_path: Path, columns: str, key: str, value: str
) -> None:
    """Each row once, whatever the key is and however the session writes its values."""
    write(
        tmp_path,
        TABLE,
        f"create table t (n int not null default 0, {columns});\n"
        f"insert into t ({key}) select {value} from generate_series(1::bigint, 450) as i;\n",
        "drop table t;",
    )
    by = "" if "primary" in columns else f" by {key}"
    write(
        tmp_path,
        FILL,
        f"{OUTSIDE}-- batch: t{by}\n-- batch-time: 1ms\n-- batch-pause: 0%\n"
        "set datestyle = 'SQL, DMY';\nset timezone = 'Asia/Kolkata';\nset extra_float_digits = 0;\n"
        "update t set n = n + 1;\n",
    )
    events = Batches()
    migrator(empty_database, tmp_path, events).migrate()
    assert fetch(empty_database, "select n || ':' || count(*) from t group by n") == ["1:450"]
    assert events.states[-1].rows == 450


SHAPES = [
    (
        "create table s.t (id int primary key, n int not null) partition by range (id);"
        "create table s.t1 partition of s.t for values from (0) to (300);"
        "create table s.t2 partition of s.t for values from (300) to (9000)",
        "batch: s.t",
        "update s.t set n = n + 1",
    ),
    (
        "create table s.t (id int primary key, n int not null); create table s.c () inherits (s.t);"
        "alter table s.c add primary key (id)",
        "batch: s.t",
        "update s.t set n = n + 1",
    ),
    (
        "create table s.t (id int primary key, n int not null)",
        "batch: t",
        "set search_path = s;\nupdate t as x set n = x.n + 1 from (values (1)) as f (a)",
    ),
    (
        "create domain s.d as int check (value > -5); "
        "create table s.t (id s.d primary key, n int not null)",
        "batch: s.t by id",
        "with one as (select 1 as a) update s.t set n = n + (select a from one)",
    ),
]


@pytest.mark.parametrize(("table", "directive", "statement"), SHAPES)
@database
def test_every_shape_of_table(
    empty_database: str, tmp_path: Path, table: str, directive: str, statement: str
) -> None:
    """Partitions, children, another schema, a domain; by whatever path the table is found."""
    rows = "insert into s.t select i, 0 from generate_series(1, 700) as i"
    write(tmp_path, TABLE, f"create schema s; {table}; {rows};\n")
    pace = "-- batch-time: 1ms\n-- batch-pause: 0%\n"
    write(tmp_path, FILL, f"{OUTSIDE}-- {directive}\n{pace}{statement};\n")
    migrate(empty_database, tmp_path)
    assert fetch(empty_database, "select n || ':' || count(*) from s.t group by n") == ["1:700"]


@pytest.mark.parametrize(
    ("table", "by"),
    [
        ("create table t (n int)", ""),
        ("create table t (id int unique, n int)", ""),
        ("create table t (id int unique, n int)", " by id"),
        ("create table t (id int not null, n int); create index on t (id)", " by id"),
        (
            "create table t (id int not null, n int); create unique index on t (id) where n > 0",
            " by id",
        ),
        ("create table t (id int not null, n int); create unique index on t (abs(id))", " by id"),
        ("create table t (a int, b int, n int, primary key (a, b))", " by b, a"),
        ("create table t (a int, b int, n int, primary key (a, b))", " by a"),
        (
            "create table t (id text not null); create unique index on t (id text_pattern_ops)",
            " by id",
        ),
        ("create table u (id int primary key, n int); create view t as select * from u", " by id"),
        ("select 1", ""),
    ],
)
@database
def test_a_table_without_such_a_key_is_refused(
    empty_database: str, tmp_path: Path, table: str, by: str
) -> None:
    """A key that no row lacks and no two rows share, in the usual order; nothing is changed."""
    write(tmp_path, TABLE, f"{table};\n")
    write(tmp_path, FILL, f"{OUTSIDE}-- batch: t{by}\nupdate t set n = 1;\n")
    with pytest.raises(MigrationFailed) as refused:
        migrate(empty_database, tmp_path)
    assert refused.value.finding.code == "M342"
    assert refused.value.finding.place is not None
    assert applied(empty_database) == [TABLE]


@database
def test_a_primary_key_that_is_set_is_refused(empty_database: str, tmp_path: Path) -> None:
    """Also where the directive does not name it."""
    write(tmp_path, TABLE, "create table t (id int primary key);\n")
    write(tmp_path, FILL, f"{OUTSIDE}-- batch: t\nupdate t set id = id + 1;\n")
    with pytest.raises(MigrationFailed) as refused:
        migrate(empty_database, tmp_path)
    assert refused.value.finding.code == "M130"


@pytest.mark.parametrize("rows", [0, 1, 99, 2500])
@database
def test_there_and_back(empty_database: str, tmp_path: Path, rows: int) -> None:
    """An empty table, less than a batch, several: each row once, and once undone."""
    write_counted(tmp_path, rows)
    migrations = migrator(empty_database, tmp_path)
    migrations.migrate()
    assert counts(empty_database) == ({1: rows} if rows else {})
    migrations.rollback()
    assert counts(empty_database) == ({0: rows} if rows else {})
    assert applied(empty_database) == [TABLE]
    migrations.migrate()
    assert counts(empty_database) == ({1: rows} if rows else {})


@pytest.mark.parametrize("statement", ["delete from orders where id % 2 = 0;\n"])
@database
def test_a_delete_in_batches(empty_database: str, tmp_path: Path, statement: str) -> None:
    """The rows that are looked for, and no others."""
    path = write_counted(tmp_path, 2500, statement=statement)
    path.write_text(path.read_text() + "")
    events = Batches()
    migrator(empty_database, tmp_path, events).migrate()
    assert counts(empty_database) == {0: 1250}
    assert events.states[-1].rows == 1250


@database
def test_an_insert_of_a_select_in_batches(empty_database: str, tmp_path: Path) -> None:
    """Into another table, from each row once."""
    statement = "insert into copy select o.id, o.n from orders as o on conflict do nothing;\n"
    path = write_counted(tmp_path, 2500, statement=statement, back="delete from copy;\n")
    first = tmp_path / f"{TABLE}.sql"
    first.write_text(first.read_text() + "create table copy (id bigint primary key, n int);\n")
    back = tmp_path / f"{FILL}.rollback.sql"
    back.write_text(back.read_text().replace("batch: orders", "batch: copy"))
    migrations = migrator(empty_database, tmp_path)
    migrations.migrate()
    assert fetch(empty_database, "select count(*) from copy join orders using (id)") == [2500]
    migrations.rollback()
    assert fetch(empty_database, "select count(*) from copy") == [0]
    assert path.exists()


def stopped(url: str, folder: Path, stop: int = 2) -> BatchState:
    """Stop a run after some batches and return how far it came."""
    events = Batches(stop)
    with pytest.raises(KeyboardInterrupt) as told:
        migrator(url, folder, events).migrate()
    done = events.states[-1]
    assert f"{done} of {FILL} are done and recorded" in str(told.value)
    return done


@database
def test_a_stopped_run_goes_on(empty_database: str, tmp_path: Path) -> None:
    """From the position in the ledger, with the size of then; the status shows how far it is."""
    write_counted(tmp_path, 3000)
    done = stopped(empty_database, tmp_path)
    assert counts(empty_database) == {0: 3000 - done.rows, 1: done.rows}
    entry = migrator(empty_database, tmp_path).status().entries[1]
    assert entry.state == "failed"
    assert entry.recorded is not None and entry.recorded.progress is not None
    kept = entry.recorded.progress.batch
    assert kept is not None and kept.rows == done.rows
    events = Batches()
    migrator(empty_database, tmp_path, events).migrate()
    assert counts(empty_database) == {1: 3000}
    assert events.states[0].rows > done.rows
    assert events.states[-1].rows == 3000


@pytest.mark.parametrize(
    ("old", "new", "refused"),
    [
        ("n = n + 1", "n = n + 2", True),
        ("by id", "by id_too", True),
        ("orders by id", "public.orders by id", False),
        ("by id\n", "by id\n-- batch-time: 5ms\n-- batch-pause: 1%\n-- max-lag: 1GB\n", False),
        ("-- transactional: false\n", "-- transactional: false\n-- lock-timeout: 1s\n", False),
    ],
)
@database
def test_an_edit_in_the_middle(
    empty_database: str, tmp_path: Path, old: str, new: str, refused: bool
) -> None:
    """Another statement or key is refused, the pace may change."""
    path = write_counted(tmp_path, 3000)
    first = tmp_path / f"{TABLE}.sql"
    more = "alter table orders add column id_too bigint generated always as identity unique;\n"
    first.write_text(first.read_text() + more)
    done = stopped(empty_database, tmp_path)
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    if not refused:
        migrate(empty_database, tmp_path)
        assert counts(empty_database) == {1: 3000}
        return
    with pytest.raises(PlanError) as told:
        migrate(empty_database, tmp_path)
    assert told.value.finding.code == "M233"
    assert counts(empty_database) == {0: 3000 - done.rows, 1: done.rows}


@database
def test_a_half_done_one_undoes_what_it_did(empty_database: str, tmp_path: Path) -> None:
    """The rollback goes over the keys that are done, also when it is itself stopped."""
    write_counted(tmp_path, 3000)
    stopped(empty_database, tmp_path)
    with pytest.raises(KeyboardInterrupt):
        migrator(empty_database, tmp_path, Batches(1)).rollback()
    with pytest.raises(PlanError):
        migrate(empty_database, tmp_path)
    migrator(empty_database, tmp_path).rollback()
    assert counts(empty_database) == {0: 3000}
    assert migrator(empty_database, tmp_path).status().entries[1].state == "pending"
    migrate(empty_database, tmp_path)
    assert counts(empty_database) == {1: 3000}


@pytest.mark.parametrize(
    ("back", "refused"),
    [
        ("update orders set n = n - 1;", True),
        ("update orders set region = n;", True),
        ("insert into orders (id) select id + 10000 from orders;", True),
        ("update orders set n = 0;", False),
        ("update orders set n = 0, region = null where id > 0;", False),
        ("select 1;", False),
    ],
)
@database
def test_a_rollback_at_once_of_a_half(
    empty_database: str, tmp_path: Path, back: str, refused: bool
) -> None:
    """What would write rows that were never done is refused."""
    write_counted(tmp_path, 3000)
    (tmp_path / f"{FILL}.rollback.sql").write_text(back)
    stopped(empty_database, tmp_path)
    if not refused:
        migrator(empty_database, tmp_path).rollback()
        assert applied(empty_database) == [TABLE]
        return
    with pytest.raises(PlanError) as told:
        migrator(empty_database, tmp_path).rollback()
    assert told.value.finding.code == "M216"
    migrate(empty_database, tmp_path)
    migrator(empty_database, tmp_path).rollback()


@database
def test_an_error_tells_range_and_position(empty_database: str, tmp_path: Path) -> None:
    """The batch is rolled back, those before it stay, and a mended row lets it go on."""
    write_counted(
        tmp_path, 3000, statement="update orders set n = n + 6 / abs(id - 2000)::int + 1;\n"
    )
    with pytest.raises(MigrationFailed) as told:
        migrate(empty_database, tmp_path)
    finding = told.value.finding
    assert (finding.code, told.value.sqlstate) == ("M301", "22012")
    assert finding.place is not None and finding.place.line == 3
    assert "in the batch (id) > (" in str(finding.cause) and "rolled back" in str(finding.cause)
    assert "are done and recorded" in str(finding.cause)
    done = counts(empty_database)
    assert 0 < done[1] < 2000
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("delete from orders where id = 2000")
    migrate(empty_database, tmp_path)
    assert set(counts(empty_database)) <= {1, 2, 3, 4, 7}
    assert 0 not in counts(empty_database)


@database
def test_a_row_that_is_locked_is_waited_for_with_smaller_batches(
    empty_database: str, tmp_path: Path
) -> None:
    """The batch is rolled back and a half of it tried again; in the end each row is done once."""
    write_counted(tmp_path, 2000, "-- lock-timeout: 50ms\n")
    migrator(empty_database, tmp_path).migrate(to=TABLE)
    events = Batches()
    holder = psycopg.connect(empty_database)
    holder.execute("update orders set region = 'held' where id = 700")
    with once(lambda: len(events.waited) > 2, holder.rollback):
        migrator(empty_database, tmp_path, events).migrate()
    holder.close()
    assert counts(empty_database) == {1: 2000}
    assert events.states[0].keys < 1000
    assert any("giving way" in reason for reason in events.waited)


LATE = (
    "create function late() returns trigger language plpgsql as $$ begin\n"
    "  if new.id = {at} and new.region is not null then\n"
    "    insert into orders (id) values ({new}) on conflict do nothing;\n"
    "  end if; return new; end $$;\n"
    "create trigger late after update on orders for each row execute function late();\n"
)
WHERE = "update orders set region = 'eu', n = n + 1 where region is null;\n"


@pytest.mark.parametrize("new", [-5, 99_999], ids=["behind the position", "beyond the end"])
@database
def test_rows_that_still_match_get_another_round(
    empty_database: str, tmp_path: Path, new: int
) -> None:
    """What came in meanwhile is found at the end, and done once."""
    write_counted(tmp_path, 1500, statement=WHERE)
    first = tmp_path / f"{TABLE}.sql"
    first.write_text(first.read_text() + LATE.format(at=1400, new=new))
    events = Batches()
    migrator(empty_database, tmp_path, events).migrate()
    assert counts(empty_database) == {1: 1501}
    assert events.states[-1].round == 2
    assert any("another round" in note for note in events.notes)


@database
def test_rows_that_match_to_the_end_are_an_error(empty_database: str, tmp_path: Path) -> None:
    """After the second round; what is done stays, and the next run tries again."""
    value = "nullif('eu', case when id = 7 then 'eu' end)"
    stays = f"update orders set region = {value} where region is null;\n"
    path = write_counted(tmp_path, 1500, statement=stays)
    with pytest.raises(MigrationFailed) as told:
        migrate(empty_database, tmp_path)
    assert told.value.finding.code == "M343"
    assert fetch(empty_database, "select id from orders where region is null") == [7]
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("delete from orders where id = 7")
    migrate(empty_database, tmp_path)
    assert applied(empty_database) == [TABLE, FILL]
    assert path.exists()


@database
def test_the_plain_file_does_the_same_at_once(empty_database: str, tmp_path: Path) -> None:
    """Run by anything that runs SQL."""
    path = write_counted(tmp_path, 500)
    migrator(empty_database, tmp_path).migrate(to=TABLE)
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute(path.read_bytes())
    assert counts(empty_database) == {1: 500}


@database
def test_the_migrator_and_its_backend_are_killed(empty_database: str, tmp_path: Path) -> None:
    """At random moments, again and again: in the end each row is done once."""
    write_counted(tmp_path, 6000, "-- batch-time: 2ms\n-- batch-pause: 100%\n")
    migrator(empty_database, tmp_path).migrate(to=TABLE)
    for _ in range(3):
        kill_in_batches(empty_database, tmp_path, "migrator")
        process = migrate_process.spawn(empty_database, tmp_path)
        migrate_process.go(process)
        time.sleep(random.uniform(0.02, 0.3))
        fetch(
            empty_database,
            "select count(pg_terminate_backend(pid)) from pg_stat_activity "
            "where application_name = 'todo-sql migrate' and datname = current_database()",
        )
        process.communicate(timeout=60)
        assert backends_settle_at(0, empty_database)
        assert set(counts(empty_database)) <= {0, 1}
    migrate(empty_database, tmp_path)
    assert counts(empty_database) == {1: 6000}
