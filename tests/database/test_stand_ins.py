"""Stand-ins for pgcrypto and uuid-ossp, and one answer where a server lacks something."""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from pathlib import Path

import psycopg
import pytest
from support.commands import todo_sql
from support.database import Server
from support.migrations import migrator, write

from todo_sql.embedded.extensions import SINCE, stand_ins
from todo_sql.embedded.programs import binaries, major_version
from todo_sql.embedded.temporary import temporary_server
from todo_sql.migrations.migration_errors import MigrationFailed

pytestmark = pytest.mark.database

ID = "20260101000000_first"
NAMES = ["pgcrypto", "uuid-ossp"]


@pytest.fixture
def database(server: Server, empty_database: str) -> str:
    """The URL of an empty database, as its owner, with both stand-ins in a schema of their own."""
    if server.version < SINCE:
        pytest.skip("extension_control_path came with 18")
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute('create schema "Odd one"')
        for name in NAMES:
            connection.execute(f'create extension if not exists "{name}" schema "Odd one"'.encode())
        user, name = connection.info.user, connection.info.dbname
        connection.execute(
            f'alter role "{user}" in database "{name}" set search_path = "Odd one"'.encode()
        )
    return empty_database


@pytest.mark.parametrize("algorithm", ["md5", "sha224", "SHA256", "sha384", "sha512"])
def test_digests_are_the_real_ones(database: str, algorithm: str) -> None:
    """Of bytes and of texts, keyed by keys of any length, as Python's libraries make them."""
    text = "grün"
    digest = hashlib.new(algorithm.lower(), text.encode()).digest()
    with psycopg.connect(database) as connection:
        for key in (b"k" * length for length in (0, 1, 63, 64, 65, 127, 128, 129, 300)):
            row = connection.execute(
                "select digest(%(text)s::text, %(by)s), digest(%(bytes)s::bytea, %(by)s), "
                "hmac(%(text)s::text, %(key)s::text, %(by)s), "
                "hmac(%(bytes)s::bytea, %(key_bytes)s::bytea, %(by)s)",
                {
                    "text": text,
                    "bytes": text.encode(),
                    "by": algorithm,
                    "key": key.decode(),
                    "key_bytes": key,
                },
            ).fetchone()
            keyed = hmac.new(key, text.encode(), algorithm.lower()).digest()
            assert row == (digest, digest, keyed, keyed)


@pytest.mark.parametrize(
    ("call", "version"),
    [
        ("uuid_generate_v1()", 1),
        ("uuid_generate_v1mc()", 1),
        ("uuid_generate_v4()", 4),
        ("gen_random_uuid()", 4),
    ],
)
def test_uuids_are_new_and_of_their_version(database: str, call: str, version: int) -> None:
    """Also as the default of a column; those of time carry the time."""
    with psycopg.connect(database) as connection:
        connection.execute(f"create temp table t (n int, id uuid default {call})".encode())
        connection.execute("insert into t select generate_series(1, 300)")
        ids = [row[0] for row in connection.execute("select id from t")]
        (now,) = connection.execute(
            "select extract(epoch from clock_timestamp())::float"
        ).fetchone() or (0,)
    assert len(set(ids)) == 300
    assert {one.version for one in ids} == {version}
    assert {one.variant for one in ids} == {uuid.RFC_4122}
    if version == 1:
        assert all(one.node >> 40 & 1 for one in ids)
        assert all(abs(one.time / 1e7 - 12219292800 - now) < 60 for one in ids)


def test_what_has_one_answer_gives_it(database: str) -> None:
    """Names in name spaces, the nil and the name spaces themselves, random bytes, NULL."""
    with psycopg.connect(database) as connection:
        row = connection.execute(
            "select uuid_generate_v3(uuid_ns_dns(), 'grün.de'), uuid_nil(), uuid_ns_dns(), "
            "uuid_ns_url(), uuid_ns_oid(), uuid_ns_x500(), digest(null::text, 'md5')"
        ).fetchone()
        lengths = connection.execute(
            "select n, length(gen_random_bytes(n)) from unnest(array[1, 13, 14, 15, 1024]) as n"
        ).fetchall()
    assert row == (
        uuid.uuid3(uuid.NAMESPACE_DNS, "grün.de"),
        uuid.UUID(int=0),
        uuid.NAMESPACE_DNS,
        uuid.NAMESPACE_URL,
        uuid.NAMESPACE_OID,
        uuid.NAMESPACE_X500,
        None,
    )
    assert all(n == length for n, length in lengths)


@pytest.mark.parametrize(
    ("call", "sqlstate"),
    [
        ("crypt('a', 'b')", "0A000"),
        ("gen_salt('bf')", "0A000"),
        ("gen_salt('bf', 8)", "0A000"),
        ("encrypt('a', 'b', 'aes')", "0A000"),
        ("decrypt_iv('a', 'b', 'c', 'aes')", "0A000"),
        ("pgp_sym_encrypt('a', 'b')", "0A000"),
        ("pgp_pub_decrypt('a'::bytea, 'b'::bytea)", "0A000"),
        ("armor('a')", "0A000"),
        ("pgp_armor_headers('a')", "0A000"),
        ("uuid_generate_v5(uuid_nil(), 'a')", "0A000"),
        ("digest('a', 'sha1')", "0A000"),
        ("hmac('a', 'b', 'sha1')", "0A000"),
        ("digest('a', 'sha257')", "22023"),
        ("gen_random_bytes(0)", "39000"),
        ("gen_random_bytes(1025)", "39000"),
    ],
)
def test_what_cannot_be_done_says_so(
    tmp_path: Path, database: str, call: str, sqlstate: str
) -> None:
    """When it is called, with the advice of whatever else a server lacks."""
    write(tmp_path, ID, f"select {call};")
    with pytest.raises(MigrationFailed) as caught:
        migrator(database, tmp_path).migrate()
    assert caught.value.sqlstate == sqlstate
    assert caught.value.finding.code == ("M333" if sqlstate == "0A000" else "M301")


_FUNCTIONS = """
select
    p.proname, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid), p.provolatile,
    p.proisstrict, p.proparallel, p.prosecdef
from pg_proc as p
join pg_depend as d on d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e'
join pg_extension as e on e.oid = d.refobjid and d.refclassid = 'pg_extension'::regclass
where e.extname in ('pgcrypto', 'uuid-ossp')
"""


def test_every_function_has_the_signature_of_the_real_one(server: Server) -> None:
    """As Debian's PostgreSQL 15 has them; `version`, `update` and `set schema` work, too."""
    if server.version < SINCE or major_version(binaries(15)) != 15:
        pytest.skip("a PostgreSQL 15 with contrib is not here")
    make = "create extension pgcrypto version '1.3'; create extension \"uuid-ossp\" version '1.1'"
    found = []
    with temporary_server(15) as real:
        for url in (real.url(), server.url("template1")):
            with psycopg.connect(url) as connection:
                connection.execute(make.encode())
                found.append(set(connection.execute(_FUNCTIONS.encode()).fetchall()))
                connection.execute("create schema other")
                connection.execute("alter extension pgcrypto set schema other")
                connection.execute("alter extension pgcrypto update")
                connection.execute('drop extension pgcrypto, "uuid-ossp"')
                connection.rollback()
        assert stand_ins(real.url()) == []
    assert found[0] == found[1]
    assert stand_ins(server.url()) == NAMES


@pytest.mark.parametrize(
    ("extension", "trusted"),
    [
        ("pg_stat_statements", True),
        ("pgstattuple", True),
        ("moddatetime", True),
        ("earthdistance", True),
        ("vector", True),
        ("hstore", True),
        ("file_fdw", False),
        ("dblink", False),
        ("postgres_fdw", False),
        ("pg_surgery", False),
    ],
)
def test_an_owner_makes_what_leads_out_of_no_database(
    server: Server, superuser_database: str, extension: str, trusted: bool
) -> None:
    """Scratch databases are migrated by one; what reaches files or servers stays a superuser's."""
    if server.version < SINCE:
        pytest.skip("extension_control_path came with 18")
    with psycopg.connect(superuser_database) as connection:
        name = connection.info.dbname
        connection.execute(
            f"create role just_owner; alter database {name} owner to just_owner".encode()
        )
        connection.execute("set local role just_owner")
        if trusted:
            connection.execute(f"create extension {extension} cascade".encode())
            connection.execute(f"drop extension {extension}".encode())
        else:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"create extension {extension} cascade".encode())
        connection.rollback()


LACKING = {
    "an extension": "create extension postgis;",
    "a language": "create function f() returns int language plpython3u as 'return 1';",
    "ICU": "create collation german (provider = icu, locale = 'de');",
    "a collation of ICU": 'create table t (a text collate "de-x-icu");',
    "XML": "select xmlelement(name a);",
    "a locale": "create collation odd (locale = 'xx_XX.utf8');",
    "a library": "load 'no_such_library';",
    "a dictionary": (
        "create text search dictionary d (template = ispell, dictfile = none, afffile = none);"
    ),
}


@pytest.mark.parametrize("kind", LACKING)
def test_what_a_server_lacks_has_one_code(
    tmp_path: Path, server: Server, superuser_database: str, kind: str
) -> None:
    """And the advice never is to correct the migration."""
    if server.version < SINCE:
        pytest.skip("other builds have it")
    write(tmp_path, ID, LACKING[kind])
    with pytest.raises(MigrationFailed) as caught:
        migrator(superuser_database, tmp_path).migrate()
    assert caught.value.finding.code == "M333"
    assert "TODO_SQL_SCRATCH_URL" in str(caught.value.finding.fix)


@pytest.mark.parametrize(
    "command",
    [
        "migrate",
        "plan",
        "verify",
        "check",
        "describe",
        "generate",
        "docs",
        "drift",
        f"baseline {ID}",
        "new later --from-drift",
        "new later --from-drift --schema live.sql",
        "seed",
    ],
)
def test_every_command_says_the_same(
    tmp_path: Path, server: Server, empty_database: str, command: str
) -> None:
    """Whether it is the target that lacks something, or the scratch server."""
    if server.version < SINCE:
        pytest.skip("other builds have it")
    (tmp_path / "pyproject.toml").write_text('[tool.todo-sql]\ngenerate = "made"\n')
    folder = tmp_path / "migrations"
    folder.mkdir()
    lacking = "create extension if not exists postgis;\n"
    write(folder, ID, "select 1;")
    if command in ("drift", "new later --from-drift"):  # they leave out what is pending
        migrator(empty_database, folder).migrate()
    if command != "seed" and "--schema" not in command:
        write(folder, ID, lacking)
        migrator(empty_database, folder).repair(confirm=lambda _: None)
    for place in ("queries/q.sql", "seeds/s.sql", "live.sql"):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).write_text("-- name: one :one\nselect 1 as n;\n")
    (tmp_path / ("seeds/s.sql" if command == "seed" else "live.sql")).write_text(lacking)
    ran = todo_sql(
        *command.split(),
        "--json",
        cwd=tmp_path,
        DATABASE_URL=empty_database,
        TODO_SQL_SCRATCH_URL=server.url("postgres"),
    )
    assert ran.returncode in (1, 2, 3), ran.stdout + ran.stderr
    told = _findings(json.loads(ran.stdout))
    assert "M333" in {one["code"] for one in told}, told
    assert all("TODO_SQL_SCRATCH_URL" in one["fix"] for one in told if one["code"] == "M333")


def _findings(document: object) -> list[dict[str, str]]:
    """Return every finding that a document holds, however deep."""
    if isinstance(document, list):
        return [one for each in document for one in _findings(each)]
    if not isinstance(document, dict):
        return []
    own = [document] if "code" in document and "fix" in document else []
    return own + [one for each in document.values() for one in _findings(each)]
