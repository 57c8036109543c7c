"""doctor: each check finds what is planted, is quiet without it, and never fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from psycopg import Connection
from psycopg.conninfo import make_conninfo
from support.database import Owner, Server
from support.odd_schemas import ODD_SCHEMAS

from todo_sql.catalog.doctor import CHECKS, Examination, Thresholds, examine
from todo_sql.config import Config
from todo_sql.errors import ConfigError

pytestmark = pytest.mark.database

Connect = Callable[..., Connection[Any]]

NOWHERE = Path("/nowhere")
CONFIG = Config(NOWHERE, NOWHERE, NOWHERE, None, NOWHERE, NOWHERE)
LOW = Thresholds(smallest=0, wasted=100_000, oldest=500_000_000)


@dataclass(frozen=True)
class Case:
    """What is planted, the code and subject that it is told under, and what ends it.

    `mend` None: the finding's own fix is run; the empty string: nothing is, and it stays.
    """

    code: str
    plant: str
    subject: str
    mend: str | None = None


TABLE = """create table "Od d" (id int primary key, "Re f" int, n int);
create table other (id int primary key);
"""

FOUND = [
    Case(
        "K209", 'alter table "Od d" add foreign key ("Re f") references other', '"Od d_Re f_fkey"'
    ),
    Case("K210", "@invalid", '"In v"'),
    Case("K211", 'create index a on "Od d" (n); create index "B b" on "Od d" (n)', '"B b"'),
    Case("K211", 'create index "B b" on "Od d" (id)', '"B b"'),
    Case("K211", 'create index "B b" on "Od d" (n); create unique index a on "Od d" (n)', '"B b"'),
    Case(
        "K212",
        'create index "B b" on "Od d" (n); insert into "Od d" values (1)',
        '"B b"',
        'drop index "B b"',
    ),
    Case("K213", 'create sequence "S s" as smallint; select setval(\'"S s"\', 30000)', '"S s"'),
    Case(
        "K213",
        "create table s (id serial primary key); select setval('s_id_seq', 2000000000)",
        "s_id_seq",
    ),
    Case(
        "K213",
        "create table s (id int generated always as identity primary key); "
        "select setval('s_id_seq', 2000000000)",
        "s_id_seq",
    ),
    Case(
        "K213",
        "create sequence s as int; create table s2 (id bigint primary key "
        "default nextval('s')); alter sequence s owned by s2.id; select setval('s', 2000000000)",
        "public.s",
    ),
    Case(
        "K213",
        "create domain whole as smallint; create table s (id whole primary key); "
        "create sequence q owned by s.id; select setval('q', 30000)",
        "public.q",
        "",
    ),
    Case(
        "K213", "create sequence s as smallint increment -1; select setval('s', -30000)", "public.s"
    ),
    Case(
        "K220",
        'insert into "Od d" values (1, 1, 1); '
        'alter table "Od d" add constraint "C c" check (n > 0) not valid',
        '"C c"',
    ),
    Case(
        "K220",
        'create index i on "Od d" ("Re f"); alter table "Od d" add constraint "C c" '
        'foreign key ("Re f") references other not valid',
        '"C c"',
    ),
    Case(
        "K220",
        'create domain "D d" as int; '
        'alter domain "D d" add constraint "C c" check (value > 0) not valid',
        '"C c"',
    ),
    Case("K221", 'create table "K k" (a int not null, b int)', '"K k"', 'drop table "K k"'),
    Case(
        "K221", 'create table "K k" (a int not null); create unique index u on "K k" (a)', '"K k"'
    ),
    Case(
        "K221",
        "create table k (a int) partition by range (a); "
        "create table k1 partition of k for values from (0) to (9)",
        "public.k",
        "drop table k",
    ),
    Case(
        "K223",
        'insert into "Od d" select n, n, n from generate_series(1, 40000) as n; '
        'delete from "Od d" where id % 20 <> 0; analyze "Od d"',
        '"Od d"',
        'vacuum full "Od d"',
    ),
    Case("K224", 'insert into "Od d" values (1, 1, 1)', '"Od d"'),
    Case(
        "K224",
        "create table p (a int primary key) partition by range (a); "
        "create table p1 partition of p for values from (0) to (9); "
        "insert into p values (1); analyze p1",
        "public.p",
    ),
]

QUIET = [
    ("K209", 'create index i on "Od d" ("Re f"); '
     'alter table "Od d" add foreign key ("Re f") references other'),
    ("K211", 'create index a on "Od d" (n); create index b on "Od d" (n desc)'),
    ("K211", 'create index a on "Od d" (n); create index b on "Od d" (n) where n > 0'),
    ("K211", 'create index a on "Od d" (n); create index b on "Od d" (n) include (id)'),
    ("K211", 'create unique index a on "Od d" (n); '
     'create unique index b on "Od d" (n) nulls not distinct'),
    ("K211", 'create index a on "Od d" (n); create index b on "Od d" using hash (n)'),
    ("K212", 'create index i on "Od d" ("Re f"); insert into "Od d" values (1); '
     'alter table "Od d" add foreign key ("Re f") references other not valid'),
    ("K212", 'create table x (r int4range, exclude using gist (r with &&)); '
     "insert into x values ('[1,2)')"),
    ("K212", 'create unique index u on "Od d" (n); insert into "Od d" values (1, 1, 1)'),
    ("K213", "create sequence s as smallint cycle; select setval('s', 30000)"),
    ("K213", "create sequence s; select setval('s', 30000)"),
    ("K220", 'alter table "Od d" add check (n > 0)'),
    ("K221", "create temporary table t (a int)"),
    ("K223", 'insert into "Od d" select n, n, n from generate_series(1, 40000) as n; '
     'analyze "Od d"'),
    ("K224", 'insert into "Od d" values (1, 1, 1); analyze "Od d"'),
]  # fmt: skip


def told(examination: Examination, code: str) -> dict[str, str]:
    """Return the fix of each finding of a code by its subject."""
    return {
        finding.message.split(": ")[0]: finding.fix or ""
        for finding in examination.findings
        if finding.code == code
    }


def run(connection: Connection[Any], text: str) -> None:
    """Run statements one by one, as vacuum demands."""
    if text == "@invalid":
        connection.execute('insert into "Od d" select n, 1, 1 from generate_series(1, 2) as n')
        with pytest.raises(Exception, match="could not create unique"):
            connection.execute('create unique index concurrently "In v" on "Od d" (n)')
        connection.execute('delete from "Od d" where id = 2')
        return
    for statement in text.split("; "):
        connection.execute(statement.encode())
    # What a session counts is seen by others when it is idle.
    connection.execute("select pg_catalog.pg_stat_force_next_flush()")


@pytest.mark.parametrize("case", FOUND, ids=lambda case: f"{case.code} {case.plant[:50]}")
def test_what_is_planted_is_found_and_mended(
    case: Case, empty_database: str, connect: Connect
) -> None:
    """Quiet before; found under its name; quiet when its own fix was run."""
    connection = connect(empty_database, autocommit=True)
    connection.execute(TABLE.encode())
    assert told(examine(connection, CONFIG, thresholds=LOW), case.code) == {}
    run(connection, case.plant)
    found = told(examine(connection, CONFIG, thresholds=LOW), case.code)
    (subject,) = [one for one in found if case.subject in one]
    if case.mend != "":
        run(connection, case.mend or found[subject])
        assert told(examine(connection, CONFIG, thresholds=LOW), case.code) == {}


@pytest.mark.parametrize(("code", "plant"), QUIET)
def test_what_only_looks_like_it_is_not_told(
    code: str, plant: str, empty_database: str, connect: Connect
) -> None:
    """Constraints, foreign keys, other orders, cycles: none of them is a finding."""
    connection = connect(empty_database, autocommit=True)
    connection.execute(TABLE.encode())
    run(connection, plant)
    assert told(examine(connection, CONFIG, thresholds=LOW), code) == {}


def test_not_enforced_is_not_forgotten(
    server: Server, empty_database: str, connect: Connect
) -> None:
    """What is NOT ENFORCED on purpose (18) is no constraint that waits for its validation."""
    if server.version < 18:
        pytest.skip("NOT ENFORCED is of PostgreSQL 18")
    connection = connect(empty_database, autocommit=True)
    connection.execute("create table t (id int primary key, n int check (n > 0) not enforced)")
    assert told(examine(connection, CONFIG), "K220") == {}


def test_old_transactions(empty_database: str, connect: Connect) -> None:
    """Databases and tables by age; a new one is young."""
    connection = connect(empty_database, autocommit=True)
    connection.execute("create table old (id int primary key)")
    assert told(examine(connection, CONFIG), "K222") == {}
    found = told(examine(connection, CONFIG, thresholds=Thresholds(oldest=-1)), "K222")
    name = connection.info.dbname
    assert f"database {connection.execute('select quote_ident(%s)', [name]).fetchone()[0]}" in found  # type: ignore[index]
    assert all("vacuum (freeze)" in fix for fix in found.values())


@pytest.mark.parametrize(
    ("migrated", "dropped", "words"),
    [
        (["public.made"], "hand", "drop index concurrently public.hand"),
        (["public.hand"], "made", "drop index concurrently public.made"),
        (["public.hand", "public.made"], "made", "a migration makes both"),
        ([], "made", "drop index concurrently public.made"),
    ],
)
def test_the_twin_that_no_migration_makes_goes(
    migrated: list[str], dropped: str, words: str, empty_database: str, connect: Connect
) -> None:
    """What a migration makes is never dropped by hand, whichever was made first."""
    connection = connect(empty_database, autocommit=True)
    connection.execute(
        b"""create table t (id int primary key, n int);
        create index hand on t (n); create index made on t (n)"""
    )
    found = told(examine(connection, CONFIG, lambda: migrated), "K211")
    assert list(found) == [f"public.{dropped}"]
    assert words in found[f"public.{dropped}"]


def test_an_unused_index_of_a_migration_is_not_dropped_by_hand(
    empty_database: str, connect: Connect
) -> None:
    """The advice is a migration."""
    connection = connect(empty_database, autocommit=True)
    connection.execute(b"create table t (id int primary key, n int); create index i on t (n)")
    connection.execute("insert into t values (1, 1)")
    found = told(examine(connection, CONFIG, lambda: ["public.i"], LOW), "K212")
    assert "a migration makes it" in found["public.i"]


def test_without_the_migrated_schema_nothing_is_proposed(
    empty_database: str, connect: Connect
) -> None:
    """What cannot be compared is said, and no index is to be dropped."""

    def missing() -> list[str]:
        raise ConfigError("no scratch server", fix="start one")

    connection = connect(empty_database, autocommit=True)
    connection.execute(b"create table t (n int); create index a on t (n); create index b on t (n)")
    found = examine(connection, CONFIG, missing)
    assert told(found, "K211") == {}
    assert (
        "duplicate_index",
        "the migrated schema cannot be had: no scratch server",
    ) in found.skipped
    assert "duplicate_index" not in found.made


def test_what_a_login_may_not_see_is_said(
    server: Server, owner: Owner, empty_database: str, connect: Connect
) -> None:
    """A check that did not see everything is not counted; with the rights it is."""
    own = connect(empty_database, autocommit=True)
    own.execute(b'create table "S s" (id serial primary key); create table t (id int primary key)')
    role = f"looker_{server.version}_{owner.kind}"
    own.execute(f"create role {role} login password 'x'".encode())
    own.execute(f"grant select on t to {role}".encode())
    try:
        looker = connect(make_conninfo(empty_database, user=role, password="x"), autocommit=True)
        found = examine(looker, CONFIG)
        reasons = dict(found.skipped)
        assert '"S s_id_seq"' in reasons["sequence_running_out"]
        assert '"S s"' in reasons["bloat"]
        assert "public.t" not in reasons["bloat"]
        assert "pg_read_all_stats" in reasons["idle_in_transaction"]
        assert not {"sequence_running_out", "bloat", "idle_in_transaction"} & set(found.made)
        assert "duplicate_index" in found.made
        looker.close()
        assert "sequence_running_out" in examine(own, CONFIG).made
    finally:
        own.execute(f"revoke select on t from {role}".encode())
        own.execute(f"drop role {role}".encode())


def test_odd_schemas_make_no_check_fail(empty_database: str, connect: Connect) -> None:
    """Quoted names, partitions, foreign tables, inheritance: every check answers."""
    connection = connect(empty_database, autocommit=True)
    made = 0
    for number, text in enumerate(ODD_SCHEMAS.values()):
        try:
            with connection.transaction():
                connection.execute(f'create schema "Od d {number}"'.encode())
                connection.execute(f'set local search_path = "Od d {number}"'.encode())
                connection.execute(text.encode())
        except Exception:
            continue  # it needs more than this owner may
        made += 1
    assert made > 10
    found = examine(connection, CONFIG, thresholds=Thresholds(0, -1, -1))
    failed = {name: why for name, why in found.skipped if why.split()[0].islower()}
    assert {*found.made, *dict(found.skipped)} >= CHECKS.keys() - {
        "tenant_table_without_row_security",
        "role_bypasses_policies",
        "login_has_settings",
    }
    assert not [why for why in failed.values() if "error" in why.lower()]
