"""Random histories of expand and contract migrations, and what their two orders really make."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psycopg

from support.migrations import write
from todo_sql.migrations.files.folder import load
from todo_sql.review.phase_order import differing

Scratch = Callable[[], AbstractContextManager[str]]

_TYPES = ("int", "bigint", "text", "date")
_CATALOG = """
select 'column', c.oid::regclass::text, a.attname::text, format_type(a.atttypid, a.atttypmod),
    a.attnotnull::text, pg_get_expr(d.adbin, d.adrelid),
    rank() over (partition by c.oid order by a.attnum)
from pg_attribute as a join pg_class as c on c.oid = a.attrelid
left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'v') and a.attnum > 0
    and not a.attisdropped and c.relname !~ '^_'
union all
select 'index', indexname::text, indexdef, '', '', '', 0 from pg_indexes
where schemaname = 'public' and tablename !~ '^_'
union all
select 'constraint', conname::text, conrelid::regclass::text, pg_get_constraintdef(oid), '', '', 0
from pg_constraint where connamespace = 'public'::regnamespace and contype in ('c', 'u', 'f', 'p')
    and conrelid::regclass::text !~ '^_'
"""


class _History:
    """Makes statements that the order of their ids can run."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._tables: dict[str, dict[str, str]] = {}
        self._made = 0

    def _name(self, letter: str) -> str:
        # A few names only, so that what was dropped comes back under its name.
        return f"{letter}{self._random.randrange(3)}"

    def next(self) -> tuple[str, str]:
        """Return a phase and a statement."""
        while True:
            phase = self._random.choice(["expand", "expand", "contract"])
            found = self._expanding() if phase == "expand" else self._contracting()
            if found:
                self._made += 1
                return phase, found

    def _expanding(self) -> str | None:
        table = self._name("t")
        columns = self._tables.get(table)
        if columns is None:
            self._tables[table] = {"c0": "int"}
            return f"create table {table} (id int primary key, c0 int)"
        name, kind = self._name("c"), self._random.choice(_TYPES)
        if name not in columns:
            columns[name] = kind
            return f"alter table {table} add column {name} {kind}"
        if self._random.random() < 0.3:
            return f"create index i{self._made} on {table} ({name})"
        if self._random.random() < 0.3:
            return f"alter table {table} alter column {name} drop not null"
        return None

    def _contracting(self) -> str | None:
        if not self._tables:
            return None
        table = self._random.choice(sorted(self._tables))
        columns = self._tables[table]
        if self._random.random() < 0.15:
            del self._tables[table]
            return f"drop table {table}"
        if not columns:
            return None
        name = self._random.choice(sorted(columns))
        match self._random.randrange(4):
            case 0:
                del columns[name]
                return f"alter table {table} drop column {name}"
            case 1:
                return f"alter table {table} alter column {name} set not null"
            case 2:
                return (
                    f"alter table {table} add constraint k{self._made} check ({name} is not null)"
                )
            case _:
                columns[name] = "text"
                return f"alter table {table} alter column {name} type text using {name}::text"


def write_history(folder: Path, seed: int, number: int = 10) -> list[tuple[str, str]]:
    """Write a random history; return the phase and the statement of each file, in order."""
    history, made = _History(seed), []
    for at in range(number):
        phase, statement = history.next()
        made.append((phase, statement))
        head = "-- phase: contract\n" if phase == "contract" else ""
        write(folder, f"202601{at + 1:02}000000_s{at}", f"{head}{statement};\n")
    return made


@contextmanager
def _run(scratch: Scratch, statements: Sequence[str]) -> Iterator[list[str] | None]:
    """Run statements as they are; yield the catalog, or None where one fails."""
    with scratch() as url, psycopg.connect(url, autocommit=True) as connection:
        try:
            for statement in statements:
                connection.execute(statement.encode())
        except psycopg.Error:
            yield None
            return
        yield sorted(map(str, connection.execute(_CATALOG).fetchall()))


def agreed(scratch: Scratch, folder: Path, seed: int) -> str:
    """Assert that what is said of the two orders of a random history is what happens; return it."""
    made = write_history(folder, seed)
    by_id = [statement for _, statement in made]
    phased = [s for p, s in made if p == "expand"] + [s for p, s in made if p == "contract"]
    with _run(scratch, by_id) as wanted, _run(scratch, phased) as found:
        assert wanted is not None, by_id
        same = found == wanted
        happens = "same" if same else "fails" if found is None else "different"
    findings = differing(scratch, load(folder, folder))
    assert (findings is None) == (by_id == phased), (seed, by_id)
    assert bool(findings) == (not same), (seed, happens, findings, made)
    return happens
