"""A table that a shadow replaces while others write to it, and a journal of what they wrote."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from todo_sql.config import load_config
from todo_sql.migrations import migrate
from todo_sql.migrations.files.folder import load
from todo_sql.rewriting.rewrite import rewrites
from todo_sql.rewriting.sequence_files import write

WRITERS = 3


@dataclass(frozen=True)
class Change:
    """What is made of the table `t`.

    Attributes:
        statement: The migration.
        value: What the column `v` is afterwards, as text; it was a text.
        holds: What is true of each row afterwards.
    """

    statement: str
    value: str = "v"
    holds: str = "true"


CHANGES = {
    "integer to bigint": Change("alter table t alter column n type bigint;"),
    "text to jsonb": Change(
        "alter table t alter column v type jsonb using to_jsonb(v);", "v #>> '{}'"
    ),
    "the key": Change("alter table t alter column id type numeric;"),
    "a stored column": Change(
        "alter table t add column g bigint generated always as (n * 2) stored;", "v", "g = n * 2"
    ),
    "an exclusion": Change("alter table t add constraint x exclude using gist (during with &&);"),
}


def schema(rows: int) -> str:
    """Return a filled table, and a child of it."""
    return f"""
create table t (id bigint primary key, n integer not null, v text, during int4range);
create index on t (n);
create table c (id bigint primary key, t bigint references t on update cascade on delete cascade);
insert into t select g, g, g::text, int4range(g::int, g::int + 1)
from generate_series(1, {rows}) as g;
insert into c select g, g from generate_series(1, {rows}, 10) as g;
analyze t, c;
"""


@dataclass
class Compared:
    """What the table was like beside the journals."""

    writes: Counter[str]
    failed: list[str]
    lost: int = 0
    ghosts: int = 0
    stale: int = 0
    wrong: int = 0
    orphans: int = 0
    during: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether every row is there, as it was written last, and no write failed."""
        return not (
            self.failed or self.lost or self.ghosts or self.stale or self.wrong or self.orphans
        )

    def __str__(self) -> str:
        kinds = ", ".join(f"{count} {name}" for name, count in sorted(self.writes.items()))
        return (
            f"{self.writes.total()} writes ({kinds}), {self.during} of them while it ran; "
            f"failed {len(self.failed)}, lost {self.lost}, ghosts {self.ghosts}, "
            f"stale {self.stale}, wrong {self.wrong}, orphans {self.orphans}"
        )


class _Writer(threading.Thread):
    """Writes its own rows, and remembers them."""

    def __init__(self, url: str, number: int, rows: int) -> None:
        super().__init__()
        self.url, self.number = url, number
        own = range(number + 1, rows + 1, WRITERS)
        self.rows = {key: (key, str(key)) for key in own}
        self.keys = list(self.rows)
        self.done = threading.Event()
        self.next = rows + 1 + number + (-rows % WRITERS)
        self.failed: list[str] = []
        self.writes: Counter[str] = Counter()

    def run(self) -> None:
        """Write until told to stop."""
        chance = random.Random(self.number)
        # Prepared, a parameter would stay a text when the column is one no more.
        with psycopg.connect(self.url, autocommit=True, prepare_threshold=None) as connection:
            while not self.done.is_set():
                kind = chance.choices(list(_WRITES), [6, 2, 3, 2, 2])[0]
                at = chance.randrange(len(self.keys))
                try:
                    _WRITES[kind](self, connection, at)
                    self.writes[kind] += 1
                except psycopg.Error as error:
                    self.failed.append(f"{kind}: {error.sqlstate} {error}")

    def write_update(self, connection: psycopg.Connection, at: int) -> None:
        """Update a row."""
        key = self.keys[at]
        n = self.rows[key][0] + 1
        value = self._said(n)
        connection.execute("update t set n = %s, v = %s where id = %s", [n, value, key])
        self.rows[key] = n, value

    def write_delete(self, connection: psycopg.Connection, at: int) -> None:
        """Delete a row."""
        key = self.keys[at]
        connection.execute("delete from t where id = %s", [key])
        del self.rows[key]
        self._forget(at)

    def write_insert(self, connection: psycopg.Connection, at: int) -> None:
        """Insert a row."""
        key, value = self._new(), self._said(at)
        sql = "insert into t (id, n, v, during) values (%s, %s, %s, int4range(%s, %s))"
        connection.execute(sql, [key, key, value, key, key + 1])
        self.rows[key] = key, value
        self.keys.append(key)

    def write_upsert(self, connection: psycopg.Connection, at: int) -> None:
        """Insert a row that is there, or update it."""
        key = self.keys[at]
        n, value = self.rows[key][0] + 1, self._said(at)
        sql = """insert into t (id, n, v) values (%s, %s, %s)
            on conflict (id) do update set n = excluded.n, v = excluded.v"""
        connection.execute(sql, [key, n, value])
        self.rows[key] = n, value

    def write_key(self, connection: psycopg.Connection, at: int) -> None:
        """Give a row another key."""
        key, new = self.keys[at], self._new()
        connection.execute("update t set id = %s where id = %s", [new, key])
        self.rows[new] = self.rows.pop(key)
        self.keys[at] = new

    def _said(self, n: int) -> str:
        return str(n * 10 + self.number)  # a text as well as json

    def _new(self) -> int:
        self.next += WRITERS
        return self.next

    def _forget(self, at: int) -> None:
        self.keys[at] = self.keys[-1]
        self.keys.pop()


_WRITES: dict[str, Callable[[_Writer, psycopg.Connection, int], None]] = {
    "updates": _Writer.write_update,
    "deletes": _Writer.write_delete,
    "inserts": _Writer.write_insert,
    "upserts": _Writer.write_upsert,
    "changed keys": _Writer.write_key,
}


def under_writers(
    url: str, scratch: str, change: Change, root: Path, *, rows: int, seconds: float
) -> Compared:
    """Rewrite one change, run it under writers for so long, and compare."""
    (root / "migrations").mkdir()
    (root / "pyproject.toml").write_text("[tool.todo-sql]\n", encoding="utf-8")
    path = root / "migrations" / "20260101090000_change.sql"
    path.write_text(f"-- irreversible: a soak\n{change.statement}", encoding="utf-8")
    environment = {"TODO_SQL_SCRATCH_URL": scratch, "DATABASE_URL": url}
    config = load_config(root, environment=environment)
    migrations = load(root / "migrations", root)
    (found,) = rewrites(config, url, migrations, list(migrations), list(migrations))
    assert [recipe.number for recipe in found.recipes] == ["S"], [a.message for a in found.asks]
    write(config, migrations, [found])
    writers = [_Writer(url, number, rows) for number in range(WRITERS)]
    began = time.monotonic()
    for writer in writers:
        writer.start()
    try:
        time.sleep(seconds / 10)
        before = sum(writer.writes.total() for writer in writers)
        migrate(url, root / "migrations")
        during = sum(writer.writes.total() for writer in writers) - before
        time.sleep(max(seconds / 10, began + seconds - time.monotonic()))
    finally:
        for writer in writers:
            writer.done.set()
        for writer in writers:
            writer.join()
    return _compared(url, change, writers, during)


def _compared(url: str, change: Change, writers: list[_Writer], during: int) -> Compared:
    wanted = {key: row for writer in writers for key, row in writer.rows.items()}
    with psycopg.connect(url) as connection:
        sql = f"select id, n, {change.value}, {change.holds} from t"
        there = {int(id): (int(n), v, ok) for id, n, v, ok in connection.execute(sql.encode())}
        row = connection.execute(
            "select count(*) from c where t is not null and t not in (select id from t)"
        ).fetchone()
    both = wanted.keys() & there.keys()
    stale = [key for key in both if wanted[key] != there[key][:2]]
    wrong = [key for key in both if not there[key][2]]
    lost, ghosts = wanted.keys() - there.keys(), there.keys() - wanted.keys()
    failed = [text for writer in writers for text in writer.failed]
    return Compared(
        sum((writer.writes for writer in writers), Counter()),
        failed,
        len(lost),
        len(ghosts),
        len(stale),
        len(wrong),
        row[0] if row else -1,
        during,
        [
            f"{name} {list(keys)[:3]}"
            for name, keys in (
                ("lost", lost),
                ("ghosts", ghosts),
                ("stale", stale),
                ("wrong", wrong),
                ("failed", failed),
            )
            if keys
        ],
    )
