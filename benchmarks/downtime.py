"""What readers and writers wait for: each hazard as it is, beside its sequence.

    python benchmarks/downtime.py [--rows 1000000] [--postgres 18] [--chart FILE] [RECIPE …]
    python benchmarks/downtime.py --rows 100000 --chart docs/downtime.svg    the chart that is kept

The hazards are the examples of the recipes (`todo_sql/rewriting/recipes`). Their tables are
filled, and while the migration runs somebody reads them and somebody writes to them, a
statement each every millisecond, as the release at work does. Told are the strongest lock, as
traced or as seen meanwhile, the seconds, the longest wait of a read and of a write, and whether
a statement of that release failed; what says `-- phase: contract` comes after it, so that
failures there do not count. The sequence is what `todo-sql rewrite` makes of the example on
the spot. Prints a table for docs/benchmarks.md, and draws a chart of the longest waits.
"""

from __future__ import annotations

import argparse
import math
import random
import re
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from xml.sax.saxutils import escape

import psycopg
from psycopg import sql

from todo_sql.config import load_config
from todo_sql.embedded.server import EmbeddedServer
from todo_sql.embedded.temporary import temporary_server
from todo_sql.migrations.files.folder import load
from todo_sql.migrations.migrator import Migrator
from todo_sql.review.locks import MODES, Lock
from todo_sql.rewriting.recipe import Recipe, all_recipes
from todo_sql.rewriting.rewrite import Rewrite, rewrites
from todo_sql.rewriting.sequence_files import write

TABLES = """
select c.oid::regclass::text as name, c.relkind, c.relispartition or c.relkind = 'p' as within,
       coalesce(pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT', false) as rest
from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'm')
order by c.oid
"""
COLUMNS = """
select quote_ident(a.attname) as name, format_type(a.atttypid, a.atttypmod) as type,
       a.attidentity::text as identity,
       exists (select from pg_constraint k where k.conrelid = a.attrelid and k.contype = 'f'
               and k.conkey = array[a.attnum]) as refers,
       exists (select from pg_index i where i.indrelid = a.attrelid and i.indkey[0] = a.attnum
               and i.indnkeyatts = 1 and i.indisunique) as key
from pg_attribute a where a.attrelid = %s::regclass and a.attnum > 0 and not a.attisdropped
order by a.attnum
"""
HELD = """
select distinct l.mode from pg_locks l join pg_stat_activity a using (pid)
join pg_class c on c.oid = l.relation
where l.locktype = 'relation' and l.granted
  and c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'm', 'v')
  and a.datname = current_database() and a.backend_type = 'client backend'
  and a.application_name <> 'at work' and c.oid <=
"""
FEW = 99
"""How many values the numbers of a partition have."""


@dataclass
class Table:
    """A table of an example, as the release at work knows it."""

    name: str
    read: str
    write: str | None


@dataclass
class Client:
    """One of those who are at work meanwhile, or who looks at the locks of the migration."""

    url: str
    statements: list[str]
    rows: int
    counting: bool = True
    failed: set[str] = field(default_factory=set)
    slowest: float = 0.0
    seen: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Make its thread."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        chance = random.Random(1)
        with psycopg.connect(
            self.url, autocommit=True, prepare_threshold=None, application_name="at work"
        ) as connection:
            while not self._stop.is_set():
                text = chance.choice(self.statements)
                began = time.monotonic()
                try:
                    done = connection.execute(text.replace("?", str(chance.randint(1, self.rows))))
                    if text.startswith(HELD):
                        self.seen |= {mode for (mode,) in done}
                except psycopg.Error as error:
                    if self.counting:
                        self.failed.add(str(error.sqlstate))
                self.slowest = max(self.slowest, time.monotonic() - began)
                self._stop.wait(0.001)

    def __enter__(self) -> Self:
        if self.statements:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self.statements:
            self._thread.join()


@dataclass(frozen=True)
class Measured:
    """What one run was like."""

    lock: str
    seconds: float
    read: float
    write: float | None
    failed: frozenset[str]

    @property
    def waits(self) -> tuple[float, ...]:
        """The longest of a read and of a write, in ms."""
        return tuple(one * 1000 for one in (self.read, self.write) if one is not None)

    def cells(self) -> tuple[str, ...]:
        """Return the run as the cells of a table."""
        wrote = "–" if self.write is None else f"{self.write * 1000:,.0f}"
        return (
            self.lock,
            f"{self.seconds:.1f}",
            f"{self.read * 1000:,.0f}",
            wrote,
            "fails" if self.failed else "",
        )


def fill(connection: psycopg.Connection[Any], recipe: Recipe, rows: int) -> list[Table]:
    """Fill the tables of an example, and return them."""
    empty = set(re.findall(r"(\w+) is null", recipe.bad))
    attached = re.findall(r"attach partition (\w+)", recipe.bad)
    found = []
    for name, kind, within, rest in connection.execute(TABLES).fetchall():
        if kind == "m":
            connection.execute(f"refresh materialized view {name}".encode())
            found.append(Table(name, f"select * from {name} limit 1", None))
            continue
        columns = connection.execute(COLUMNS, (name,)).fetchall()
        if not rest and (kind == "p" if within else True) and not (kind == "p" and attached):
            few = (within and not recipe.name.startswith("key")) or name in attached
            limit = FEW if few else rows
            values = {
                column: "null"
                if column in empty
                else _value(kind_of, limit if not refers else rows)
                for column, kind_of, identity, refers, _ in columns
                if not identity
            }
            listed, said = ", ".join(values), ", ".join(values.values())
            connection.execute(
                f"insert into {name} ({listed}) select {said} "
                f"from generate_series(1, {rows}) as g".encode()
            )
        listed = ", ".join(column for column, *_ in columns)
        keys = [column for column, *_, key in columns if key]
        where = f"{keys[0]} = ?" if keys else "false"
        last = columns[-1][0]
        found.append(
            Table(
                name,
                f"select {listed} from {name} where {where}",
                f"update {name} set {last} = {last} where {where}"
                if len(columns) > 1
                else f"delete from {name} where {where} and false",
            )
        )
    return found


def _value(kind: str, limit: int) -> str:
    number = f"(1 + (g - 1) % {limit})"
    if kind.startswith("timestamp"):
        return "timestamp '2026-01-01' + g * interval '1 second'"
    if kind == "date":
        return "date '2026-01-01' + g % 300"
    return f"'c' || {number}" if kind.startswith(("text", "character")) else number


def measure(
    url: str, folder: Path, tables: list[Table], rows: int, locks: list[Lock], *, phased: bool
) -> Measured:
    """Run what is pending while others read and write."""
    reads = [table.read for table in tables]
    writes = [table.write for table in tables if table.write]
    migrator = Migrator(url, load(folder))
    with psycopg.connect(url) as connection:
        last = connection.execute("select max(oid)::bigint from pg_class").fetchone()
    assert last is not None
    watcher = Client(url, [f"{HELD} {last[0]}"], rows, counting=False)
    with Client(url, reads, rows) as reader, Client(url, writes, rows) as writer, watcher:
        time.sleep(0.2)
        reader.slowest = writer.slowest = 0.0
        began = time.monotonic()
        if phased:
            migrator.migrate(phase="expand")
            reader.counting = writer.counting = False
        migrator.migrate()
        seconds = time.monotonic() - began
        reader.counting = writer.counting = False
    held = {lock.mode for lock in locks} | watcher.seen & set(MODES)
    strongest = _mode(max(held, key=MODES.index)) if held else "none"
    failed = frozenset(reader.failed | writer.failed)
    return Measured(strongest, seconds, reader.slowest, writer.slowest if writes else None, failed)


def _mode(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.removesuffix("Lock")).upper()


def example(server: EmbeddedServer, recipe: Recipe, rows: int) -> tuple[Measured, Measured]:
    """Return what an example was like, as it is and as a sequence."""
    found: list[Measured] = []
    rewritten: Rewrite | None = None
    for kind in ("sequence", "original"):
        database = f"{recipe.name}_{kind}"
        with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
            admin.execute(sql.SQL("create database {}").format(sql.Identifier(database)))
        url = server.url(database)
        with tempfile.TemporaryDirectory() as name:
            root, folder = Path(name), Path(name) / "migrations"
            folder.mkdir()
            (root / "pyproject.toml").write_text("[tool.todo-sql]\n", encoding="utf-8")
            forward = f"-- irreversible: it is measured\n{recipe.bad}"
            (folder / "20260101000000_change.sql").write_text(forward, encoding="utf-8")
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(recipe.schema.encode())
                tables = fill(connection, recipe, rows)
                connection.execute("vacuum analyze")
                connection.execute("checkpoint")
            if rewritten is None:
                environment = {"TODO_SQL_SCRATCH_URL": server.url("postgres")}
                config = load_config(root, environment=environment)
                migrations = load(folder, root)
                pending = list(migrations)
                (rewritten,) = rewrites(config, url, migrations, pending, pending)
                if not rewritten.files:
                    raise SystemExit(f"{recipe.name}: {rewritten.asks}")
                write(config, migrations, [rewritten])
                locks = [lock for file in rewritten.files for lock in file.locks]
                found.append(measure(url, folder, tables, rows, locks, phased=True))
            else:
                locks = list(rewritten.locks)
                found.append(measure(url, folder, tables, rows, locks, phased=False))
        with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
            admin.execute(sql.SQL("drop database {}").format(sql.Identifier(database)))
    sequence, original = found
    return original, sequence


Pair = tuple[Measured, Measured]


def chart(found: Sequence[tuple[Recipe, Pair]]) -> str:
    """Return the longest waits, the original's over the sequence's, as SVG, on a log scale."""
    left, wide, line, top = 300, 430, 30, 62
    ticks = [10**power for power in range(1, 6)]
    most = max(wait for _, pair in found for one in pair for wait in one.waits)
    ticks = [tick for tick in ticks if tick <= most * 10]

    def at(wait: float) -> float:
        share = math.log10(max(wait, 1.0)) / math.log10(ticks[-1])
        return left + wide * min(share, 1.0)

    body = [
        f'<text x="{left}" y="22" font-weight="bold">Longest wait of a reader or a writer, '
        "ms (logarithmic)</text>"
        f'<rect x="{left}" y="32" width="12" height="10" fill="{_ORIGINAL}"/>'
        f'<text x="{left + 18}" y="41" font-size="11">as it is</text>'
        f'<rect x="{left + 90}" y="32" width="12" height="10" fill="{_SEQUENCE}"/>'
        f'<text x="{left + 108}" y="41" font-size="11">as a sequence</text>'
    ]
    bottom = top + line * len(found)
    body += [
        f'<line x1="{at(tick):.0f}" y1="{top - 8}" x2="{at(tick):.0f}" y2="{bottom}" '
        f'stroke="#e5e7eb"/><text x="{at(tick):.0f}" y="{bottom + 14}" text-anchor="middle" '
        f'font-size="11">{tick:,}</text>'
        for tick in ticks
    ]
    for number, (recipe, pair) in enumerate(found):
        y = top + line * number
        title = recipe.title.partition(":")[0]
        title = title if len(title) < 46 else title[:44].rstrip() + " …"
        said = escape(f"{recipe.number} {title}")
        body.append(
            f'<text x="{left - 8}" y="{y + 15}" text-anchor="end" font-size="11">{said}</text>'
        )
        for place, (one, colour) in enumerate(zip(pair, (_ORIGINAL, _SEQUENCE), strict=True)):
            wait = max(one.waits)
            fails = ", statements fail" if one.failed else ""
            body.append(
                f'<rect x="{left}" y="{y + 11 * place}" width="{at(wait) - left:.0f}" height="10" '
                f'fill="{colour}"/><text x="{at(wait) + 5:.0f}" y="{y + 11 * place + 9}" '
                f'font-size="10">{wait:,.0f}{fails}</text>'
            )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 860 {bottom + 24}" '
        'font-family="system-ui, sans-serif" font-size="13">'
        '<rect width="100%" height="100%" fill="white"/>' + "".join(body) + "</svg>\n"
    )


_ORIGINAL, _SEQUENCE = "#d97706", "#2563eb"


def main() -> None:
    """Measure the recipes that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipes", nargs="*", metavar="RECIPE", help="by name; default: all")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--postgres", type=int, default=18)
    parser.add_argument("--chart", type=Path, help="where to draw the waits, as SVG")
    arguments = parser.parse_args()
    found: list[tuple[Recipe, Pair]] = []
    old = arguments.postgres < 18
    print(
        "| recipe | strongest lock | seconds | slowest read, ms | slowest write, ms | old release |"
    )
    print("|---|---|---|---|---|---|")
    with temporary_server(arguments.postgres, in_memory=False) as server:
        for recipe in all_recipes():
            fits = recipe.needs != ("from 18" if old else "before 18")
            wanted = not arguments.recipes or recipe.name in arguments.recipes
            if recipe.asks is not None or not fits or not wanted:
                continue
            measured = example(server, recipe, arguments.rows)
            found.append((recipe, measured))
            pairs = zip(*(one.cells() for one in measured), strict=True)
            cells = (" → ".join(pair) if any(pair) else "" for pair in pairs)
            print(f"| {recipe.number} {recipe.title} | {' | '.join(cells)} |", flush=True)
    if arguments.chart is not None and found:
        arguments.chart.write_text(chart(found), encoding="utf-8")


if __name__ == "__main__":
    main()
