"""The shadow table under writers: nothing lost, nothing back from the dead, nothing stale.

    python tests/soak_shadow.py [CHANGE …]

For each kind of change a table of 20,000 rows is rewritten by recipe S and migrated while three
writers insert, update, delete and change keys, each its own rows; a child refers to the table
with `on update cascade on delete cascade`. What each writer knows of its rows is compared with
the table at the end.
"""

from __future__ import annotations

import random
import sys
import tempfile
import threading
from pathlib import Path

import psycopg

from todo_sql.config import load_config
from todo_sql.embedded.temporary import temporary_server
from todo_sql.migrations import migrate
from todo_sql.migrations.files.folder import load
from todo_sql.rewriting.pending_rewrites import rewrites
from todo_sql.rewriting.rewrite import write

ROWS = 20_000
WRITERS = 3
BASE = f"""
create table t (id bigint primary key, n integer not null, v text, during int4range);
create index on t (n);
create table c (id bigint primary key, t bigint references t on update cascade on delete cascade);
insert into t select g, g, g::text, int4range(g::int, g::int + 1) from generate_series(1, {ROWS}) g;
insert into c select g, g from generate_series(1, {ROWS}, 10) g;
"""
CHANGES = {
    "integer to bigint": "alter table t alter column n type bigint;",
    "text to jsonb": "alter table t alter column v type jsonb using to_jsonb(v);",
    "the key": "alter table t alter column id type numeric;",
    "a stored column": "alter table t add column g bigint generated always as (n * 2) stored;",
    "an exclusion": "alter table t add constraint x exclude using gist (during with &&);",
}


class Writer(threading.Thread):
    """Writes its own rows and remembers them."""

    def __init__(self, url: str, number: int) -> None:
        super().__init__()
        self.url, self.number = url, number
        self.rows = {i: i for i in range(1, ROWS + 1) if i % WRITERS == number}
        self.done = threading.Event()
        self.next = ROWS + 1 + number
        self.failed: list[str] = []
        self.writes = 0

    def run(self) -> None:
        """Write until told to stop."""
        chance = random.Random(self.number)
        with psycopg.connect(self.url, autocommit=True) as connection:
            while not self.done.is_set():
                try:
                    self._write(connection, chance)
                    self.writes += 1
                except psycopg.Error as error:
                    self.failed.append(f"{error.sqlstate} {error}")

    def _write(self, connection: psycopg.Connection, chance: random.Random) -> None:
        key = chance.choice(list(self.rows))
        kind = chance.random()
        if kind < 0.6:
            n = self.rows[key] + 1
            connection.execute("update t set n = %s where id = %s", [n, key])
            self.rows[key] = n
        elif kind < 0.75:
            connection.execute("delete from t where id = %s", [key])
            del self.rows[key]
        else:
            new = self.next
            if kind < 0.9:
                insert = "insert into t (id, n, during) values (%s, %s, int4range(%s, %s))"
                connection.execute(insert, [new, new, new, new + 1])
                self.rows[new] = new
            else:
                connection.execute("update t set id = %s where id = %s", [new, key])
                self.rows[new] = self.rows.pop(key)
            self.next += WRITERS


def soak(url: str, scratch: str, change: str, root: Path) -> None:
    """Rewrite one change, run it under writers, and compare."""
    (root / "migrations").mkdir()
    (root / "pyproject.toml").write_text("[tool.todo-sql]\n", encoding="utf-8")
    path = root / "migrations" / "20260101090000_change.sql"
    path.write_text(f"-- irreversible: a soak\n{change}", encoding="utf-8")
    environment = {"TODO_SQL_SCRATCH_URL": scratch, "DATABASE_URL": url}
    config = load_config(root, environment=environment)
    migrations = load(root / "migrations", root)
    (found,) = rewrites(config, url, migrations, list(migrations), list(migrations))
    assert found.files, [one.message for one in found.asks]
    write(config, migrations, found)
    writers = [Writer(url, number) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    try:
        migrate(url, root / "migrations")
    finally:
        for writer in writers:
            writer.done.set()
        for writer in writers:
            writer.join()
    wanted = {key: n for writer in writers for key, n in writer.rows.items()}
    with psycopg.connect(url) as connection:
        there = {int(row[0]): int(row[1]) for row in connection.execute("select id, n from t")}
        orphans = connection.execute(
            "select count(*) from c where t is not null and t not in (select id from t)"
        ).fetchone()
    lost, ghosts = wanted.keys() - there.keys(), there.keys() - wanted.keys()
    stale = [key for key in wanted.keys() & there.keys() if wanted[key] != there[key]]
    failed = [text for writer in writers for text in writer.failed]
    print(
        f"  writes {sum(writer.writes for writer in writers)}, failed {len(failed)}, "
        f"lost {len(lost)}, ghosts {len(ghosts)}, stale {len(stale)}, orphans {orphans}",
        *failed[:3],
    )
    assert not (lost or ghosts or stale or failed)


def main() -> None:
    """Run every kind of change."""
    only = sys.argv[1:]
    with temporary_server(18) as server:
        for number, (name, change) in enumerate(CHANGES.items()):
            if only and name not in only:
                continue
            print(name)
            url = server.url(f"soak_{number}")
            with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
                admin.execute(f"create database soak_{number}".encode())
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(BASE.encode())
            with tempfile.TemporaryDirectory() as folder:
                soak(url, server.url("postgres"), change, Path(folder))


if __name__ == "__main__":
    main()
