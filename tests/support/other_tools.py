"""Small histories in the formats of other tools, and rows for their ledgers.

Each history makes a table, adds a column and builds an index; the index concurrently where
the tool has a way out of its transaction.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

TABLE = "create table notes (id integer primary key, body text not null);"
COLUMN = "alter table notes add column done boolean not null default false;"
INDEX = "create index notes_body on notes (body);"
CONCURRENTLY = "create index concurrently notes_body on notes (body);"
NO_TABLE, NO_COLUMN = "drop table notes;", "alter table notes drop column done;"
NO_INDEX, NO_CONCURRENTLY = "drop index notes_body;", "drop index concurrently notes_body;"


@dataclass(frozen=True)
class OtherHistory:
    """One tool's.

    Attributes:
        folder: Where its files are.
        files: Their texts, by path.
        keys: What its ledger calls the three, in order.
        rows: The statement that records one as applied, with ``{key}`` and ``{n}`` (from 1).
        failed: The statement that records one as left half done, or None: it cannot be.
        ids: Ours.
        back: How many have a way back.
        asked: Further words of the command line.
        one_row: Whether a row says that all before it are applied, too.
    """

    folder: str
    files: Mapping[str, str]
    keys: tuple[str, str, str]
    rows: str
    ids: tuple[str, str, str]
    failed: str | None = None
    back: int = 3
    asked: tuple[str, ...] = ()
    one_row: bool = False
    checksums: tuple[str, ...] = field(default=())


def _sha384(text: str) -> str:
    return hashlib.sha384(text.encode()).hexdigest()


_ONE, _TWO, _THREE = "00000000000001_notes", "00000000000002_done", "00000000000003_index"
_IDS = (_ONE, _TWO, _THREE)
_PRISMA = {
    "20240102030405_notes": TABLE,
    "20240102030406_done": COLUMN,
    "20240102030407_index": INDEX,
}


def _committed(number: int, message: str, body: str, previous: str) -> tuple[str, str]:
    """Return a committed migration of graphile-migrate's, and its hash."""
    chained = "" if previous == "-" else f"{previous}\n"
    digest = "sha1:" + hashlib.sha1(f"{chained}{body}\n".encode()).hexdigest()
    head = f"--! Previous: {previous}\n--! Hash: {digest}\n--! Message: {message}\n\n"
    return f"{head}{body}\n", digest


_HASHES: tuple[str, ...] = ()
_GRAPHILE = {}
for _number, (_message, _body) in enumerate(
    {
        "notes": TABLE,
        "done": COLUMN.replace("notes", ":NOTES"),
        "index": f"--! no-transaction\n{CONCURRENTLY}",
    }.items(),
    1,
):
    _text, _hash = _committed(_number, _message, _body, _HASHES[-1] if _HASHES else "-")
    _HASHES += (_hash,)
    _GRAPHILE[f"migrations/committed/{_number:06}-{_message}.sql"] = _text

HISTORIES: Mapping[str, OtherHistory] = {
    "dbmate": OtherHistory(
        "db/migrations",
        {
            "db/migrations/20240102030405_notes.sql": f"-- migrate:up\n{TABLE}\n\n"
            f"-- migrate:down\n{NO_TABLE}\n",
            "db/migrations/20240102030406_done.sql": f"-- migrate:up\n{COLUMN}\n"
            f"-- migrate:down\n{NO_COLUMN}\n",
            "db/migrations/20240102030407_index.sql": "-- migrate:up transaction:false\n"
            f"{CONCURRENTLY}\n-- migrate:down transaction:false\n{NO_CONCURRENTLY}\n",
        },
        ("20240102030405", "20240102030406", "20240102030407"),
        "insert into schema_migrations values ('{key}')",
        ("20240102030405_notes", "20240102030406_done", "20240102030407_index"),
    ),
    "golang-migrate": OtherHistory(
        "migrations",
        {
            "migrations/0001_notes.up.sql": f"BEGIN;\n{TABLE}\nCOMMIT;\n",
            "migrations/0001_notes.down.sql": f"BEGIN;\n{NO_TABLE}\nCOMMIT;\n",
            "migrations/0002_done.up.sql": COLUMN,
            "migrations/0002_done.down.sql": NO_COLUMN,
            "migrations/0003_index.up.sql": CONCURRENTLY,
            "migrations/0003_index.down.sql": NO_CONCURRENTLY,
        },
        ("1", "2", "3"),
        "delete from schema_migrations; insert into schema_migrations values ({key}, false)",
        _IDS,
        failed="delete from schema_migrations; insert into schema_migrations values ({key}, true)",
        one_row=True,
        asked=("--to", "ours"),
    ),
    "goose": OtherHistory(
        "migrations",
        {
            "migrations/00001_notes.sql": "-- +goose Up\n-- +goose StatementBegin\n"
            f"{TABLE}\n-- +goose StatementEnd\n-- +goose Down\n{NO_TABLE}\n",
            "migrations/00002_done.sql": "-- +goose Up\n-- +goose ENVSUB ON\n"
            "alter table notes add column ${COLUMN} boolean not null default false;\n"
            f"-- +goose ENVSUB OFF\n-- +goose Down\n{NO_COLUMN}\n",
            "migrations/00003_index.sql": "-- +goose NO TRANSACTION\n-- +goose Up\n"
            f"{CONCURRENTLY}\n-- +goose Down\n{NO_CONCURRENTLY}\n",
        },
        ("1", "2", "3"),
        "insert into goose_db_version (version_id, is_applied) values ({key}, true)",
        _IDS,
        asked=("--to", "ours", "--set", "COLUMN=done"),
    ),
    "flyway": OtherHistory(
        "sql",
        {
            "sql/V1__notes.sql": TABLE,
            "sql/V1_1__done.sql": "alter table ${table} add column done boolean not null "
            "default false;",
            "sql/V2.0__index.sql": CONCURRENTLY,
            "sql/U1_1__done.sql": NO_COLUMN,
            "flyway.toml": '[flyway.placeholders]\ntable = "notes"\n',
        },
        ("1", "1.1", "2"),
        "insert into flyway_schema_history (installed_rank, version, description, type, script, "
        "installed_by, execution_time, success) select coalesce(max(installed_rank), 0) + 1, "
        "'{key}', 'x', 'SQL', 'x', 'me', 1, true from flyway_schema_history",
        ("00000000000001_notes", "00000000000002_done", "00000000000003_index"),
        failed="insert into flyway_schema_history (installed_rank, version, description, type, "
        "script, installed_by, execution_time, success) select coalesce(max(installed_rank), 0) "
        "+ 1, '{key}', 'x', 'SQL', 'x', 'me', 1, false from flyway_schema_history",
        back=1,
    ),
    "liquibase": OtherHistory(
        "changelog",
        {
            "changelog/notes.sql": "--liquibase formatted sql\n\n--changeset ada:notes\n"
            f"{TABLE}\n--rollback {NO_TABLE}\n\n--changeset ada:done dbms:postgresql\n"
            f"{COLUMN}\n--rollback {NO_COLUMN}\n\n--changeset ada:index runInTransaction:false\n"
            f"{CONCURRENTLY}\n--rollback {NO_CONCURRENTLY}\n\n--changeset ada:other dbms:mysql\n"
            "create table x (y int) engine=innodb;\n",
        },
        ("ada:notes:notes.sql", "ada:done:notes.sql", "ada:index:notes.sql"),
        "insert into databasechangelog select split_part('{key}', ':', 2), 'ada', "
        "'changelog/notes.sql', now(), {n}, 'EXECUTED'",
        ("00000000000001_notes_notes", "00000000000002_notes_done", "00000000000003_notes_index"),
        failed="insert into databasechangelog select split_part('{key}', ':', 2), 'ada', "
        "'changelog/notes.sql', now(), {n}, 'FAILED'",
    ),
    "sqlx": OtherHistory(
        "migrations",
        {
            "migrations/20240102030405_notes.up.sql": TABLE,
            "migrations/20240102030405_notes.down.sql": NO_TABLE,
            "migrations/20240102030406_done.up.sql": COLUMN,
            "migrations/20240102030406_done.down.sql": NO_COLUMN,
            "migrations/20240102030407_index.up.sql": f"-- no-transaction\n{CONCURRENTLY}",
            "migrations/20240102030407_index.down.sql": f"-- no-transaction\n{NO_CONCURRENTLY}",
        },
        ("20240102030405", "20240102030406", "20240102030407"),
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time) "
        "values ({key}, 'x', true, decode('{checksum}', 'hex'), 1)",
        ("20240102030405_notes", "20240102030406_done", "20240102030407_index"),
        failed="insert into _sqlx_migrations (version, description, success, checksum, "
        "execution_time) values ({key}, 'x', false, '', 1)",
        asked=("--to", "ours"),
        checksums=(_sha384(TABLE), _sha384(COLUMN), _sha384(f"-- no-transaction\n{CONCURRENTLY}")),
    ),
    "refinery": OtherHistory(
        "migrations",
        {
            "migrations/V1__notes.sql": TABLE,
            "migrations/V2__done.sql": COLUMN,
            "migrations/deeper/V3__index.sql": INDEX,
        },
        ("1", "2", "3"),
        "insert into refinery_schema_history values ({key}, 'x', '2024-01-02T03:04:05Z', '1')",
        _IDS,
        back=0,
        asked=("--to", "ours"),
    ),
    "diesel": OtherHistory(
        "migrations",
        {
            "migrations/2024-01-02-030405_notes/up.sql": TABLE,
            "migrations/2024-01-02-030405_notes/down.sql": NO_TABLE,
            "migrations/2024-01-02-030406_done/up.sql": COLUMN,
            "migrations/2024-01-02-030406_done/down.sql": NO_COLUMN,
            "migrations/2024-01-02-030407_index/up.sql": CONCURRENTLY,
            "migrations/2024-01-02-030407_index/down.sql": NO_CONCURRENTLY,
            "migrations/2024-01-02-030407_index/metadata.toml": "run_in_transaction = false\n",
        },
        ("20240102030405", "20240102030406", "20240102030407"),
        "insert into __diesel_schema_migrations values ('{key}')",
        ("20240102030405_notes", "20240102030406_done", "20240102030407_index"),
        asked=("--to", "ours"),
    ),
    "tern": OtherHistory(
        "migrations",
        {
            "migrations/tern.conf": "[data]\ntable = notes\n",
            "migrations/001_notes.sql": f"{TABLE}\n---- create above / drop below ----\n{NO_TABLE}",
            "migrations/002_done.sql": "alter table {{.table}} add column done boolean not null "
            f"default false;\n---- create above / drop below ----\n{NO_COLUMN}",
            "migrations/003_index.sql": f"---- tern: disable-tx ----\n{CONCURRENTLY}\n"
            f"---- create above / drop below ----\n---- tern: disable-tx ----\n{NO_CONCURRENTLY}",
        },
        ("1", "2", "3"),
        "delete from schema_version; insert into schema_version values ({key})",
        _IDS,
        one_row=True,
        asked=("--to", "ours"),
    ),
    "node-pg-migrate": OtherHistory(
        "migrations",
        {
            "migrations/1704164645000_notes.sql": f"-- Up Migration\n{TABLE}\n\n"
            f"-- Down Migration\n{NO_TABLE}\n",
            "migrations/1704164646000_done.sql": f"-- Up Migration\n{COLUMN}\n"
            f"-- Down Migration\n{NO_COLUMN}\n",
            "migrations/1704164647000_index.sql": INDEX,
        },
        ("1704164645000_notes", "1704164646000_done", "1704164647000_index"),
        "insert into pgmigrations (name, run_on) values ('{key}', now())",
        ("20240102030405_notes", "20240102030406_done", "20240102030407_index"),
        back=2,
        asked=("--to", "ours"),
    ),
    "graphile-migrate": OtherHistory(
        "migrations",
        {
            **_GRAPHILE,
            "migrations/current.sql": "-- nothing yet\n",
            ".gmrc": '{\n  // placeholders of ours\n  "placeholders": {":NOTES": "notes"}\n}\n',
        },
        ("000001.sql", "000002.sql", "000003.sql"),
        "insert into graphile_migrate.migrations (hash, filename) values ('{checksum}', '{key}')",
        _IDS,
        back=0,
        asked=("--to", "ours"),
        checksums=_HASHES,
    ),
    "prisma": OtherHistory(
        "prisma/migrations",
        {
            "prisma/migrations/migration_lock.toml": 'provider = "postgresql"\n',
            **{f"prisma/migrations/{name}/migration.sql": sql for name, sql in _PRISMA.items()},
            "prisma/migrations/20240102030406_done/down.sql": NO_COLUMN,
        },
        ("20240102030405_notes", "20240102030406_done", "20240102030407_index"),
        "insert into _prisma_migrations (id, checksum, finished_at, migration_name) values "
        "('{n}', '{checksum}', now(), '{key}')",
        ("20240102030405_notes", "20240102030406_done", "20240102030407_index"),
        failed="insert into _prisma_migrations (id, checksum, migration_name) values ('f', 'x', "
        "'{key}')",
        back=1,
        checksums=tuple(hashlib.sha256(sql.encode()).hexdigest() for sql in _PRISMA.values()),
    ),
    "supabase": OtherHistory(
        "supabase/migrations",
        {
            "supabase/config.toml": 'project_id = "notes"\n',
            "supabase/migrations/20240102030405_notes.sql": TABLE,
            "supabase/migrations/20240102030406_done.sql": COLUMN,
            "supabase/migrations/20240102030407_index.sql": INDEX,
        },
        ("20240102030405", "20240102030406", "20240102030407"),
        "insert into supabase_migrations.schema_migrations values ('{key}')",
        ("20240102030405_notes", "20240102030406_done", "20240102030407_index"),
        back=0,
    ),
    "atlas": OtherHistory(
        "migrations",
        {
            "migrations/atlas.sum": "h1:x\n",
            "migrations/20240102030405_notes.sql": TABLE,
            "migrations/20240102030406_done.sql": COLUMN,
            "migrations/20240102030407_index.sql": f"-- atlas:txmode none\n\n{CONCURRENTLY}\n",
        },
        ("20240102030405", "20240102030406", "20240102030407"),
        "insert into atlas_schema_revisions values ('{key}', 'x', 2, 1, 1, now(), 1, null, null, "
        "'h', null, 'v')",
        ("20240102030405_notes", "20240102030406_done", "20240102030407_index"),
        failed="insert into atlas_schema_revisions values ('{key}', 'x', 2, 1, 3, now(), 1, "
        "'syntax error', 'x', 'h', null, 'v')",
        back=0,
        asked=("--to", "ours"),
    ),
    "yoyo": OtherHistory(
        "migrations",
        {
            "migrations/0001.notes.sql": TABLE,
            "migrations/0001.notes.rollback.sql": NO_TABLE,
            "migrations/0002.done.py": 'from yoyo import step\n\n__depends__ = {"0001.notes"}\n\n'
            f'steps = [step("{COLUMN}", "{NO_COLUMN}")]\n',
            "migrations/0003.index.sql": f"-- depends: 0002.done\n-- transactional: false\n"
            f"{CONCURRENTLY}\n",
            "migrations/0003.index.rollback.sql": f"-- transactional: false\n{NO_CONCURRENTLY}\n",
        },
        ("0001.notes", "0002.done", "0003.index"),
        "insert into _yoyo_migration values ('{n}', '{key}', now())",
        _IDS,
        asked=("--to", "ours"),
    ),
    "sqitch": OtherHistory(
        ".",
        {
            "sqitch.plan": "%syntax-version=1.0.0\n%project=notes\n\n"
            "notes 2024-01-02T03:04:05Z Ada <ada@example.org> # the table\n"
            "done [notes] 2024-01-02T03:04:06Z Ada <ada@example.org> # a column\n@v1 "
            "2024-01-02T03:04:06Z Ada <ada@example.org>\n"
            "index [done] 2024-01-02T03:04:07Z Ada <ada@example.org> # an index\n",
            "deploy/notes.sql": f"-- Deploy notes:notes to pg\nBEGIN;\n{TABLE}\nCOMMIT;\n",
            "revert/notes.sql": f"-- Revert notes:notes from pg\nBEGIN;\n{NO_TABLE}\nCOMMIT;\n",
            "deploy/done.sql": "\\set column done\n\\ir ../shared/column.sql\n",
            "shared/column.sql": "BEGIN;\nalter table notes add column :column boolean not null "
            "default false;\nCOMMIT;\n",
            "revert/done.sql": f"BEGIN;\n{NO_COLUMN}\nCOMMIT;\n",
            "deploy/index.sql": f"{CONCURRENTLY}\n",
            "revert/index.sql": f"{NO_CONCURRENTLY}\n",
        },
        ("notes", "done", "index"),
        "insert into sqitch.changes (change_id, script_hash, change, project, committer_name, "
        "committer_email, planned_at, planner_name, planner_email) values ('{n}', '{n}', '{key}', "
        "'notes', 'a', 'a', now(), 'a', 'a')",
        ("20240102030405_notes", "20240102030406_done", "20240102030407_index"),
    ),
}
