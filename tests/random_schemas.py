"""Copy random schemas and compare: ``python tests/random_schemas.py 300 [--postgres 16]``.

For each: what schema.sql makes in an empty database is the same catalog and the same script,
and a migration can be tried on it. A seed that fails is told; `--first SEED` begins there.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import psycopg
from support.random_schemas import statements

from todo_sql.catalog.diff import compare
from todo_sql.catalog.schema_sql import render
from todo_sql.catalog.snapshot import take
from todo_sql.compiler.scratch import empty_database
from todo_sql.compiler.scratch_role import ScratchServer
from todo_sql.embedded.temporary import temporary_server
from todo_sql.review.copy import load


def build(url: str, seed: int) -> tuple[int, int]:
    """Make a schema; return how many statements PostgreSQL took and refused."""
    taken = refused = 0
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements(seed):
            try:
                connection.execute(statement.encode())
                taken += 1
            except psycopg.Error:
                refused += 1
    return taken, refused


def faults(server: str, source: str) -> Iterator[str]:
    """Yield in what the copy of a database is not as the database."""
    with (
        empty_database(ScratchServer(server, superuser=True)) as url,
        psycopg.connect(source, autocommit=True) as original,
        psycopg.connect(url, autocommit=True) as copy,
    ):
        wanted = take(original)
        yield from load(copy, wanted)
        found = take(copy)
        yield from map(str, compare(wanted, found))
        if render(found) != render(wanted):
            yield "another script"
        tables = [item.name for item in wanted.of("table") if not item["inherits"]]
        with copy.transaction(force_rollback=True):
            for name in tables:
                copy.execute(f'alter table {name} add column "pending" integer'.encode())


def main() -> None:
    """Try as many seeds as asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("count", type=int)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--postgres", type=int, default=18)
    arguments = parser.parse_args()
    wrong = all_taken = all_refused = 0
    with temporary_server(arguments.postgres) as running:
        server = running.url("postgres")
        for seed in range(arguments.first, arguments.first + arguments.count):
            with empty_database(ScratchServer(server, superuser=True)) as url:
                taken, refused = build(url, seed)
                found = list(faults(server, url))
            all_taken, all_refused = all_taken + taken, all_refused + refused
            wrong += bool(found)
            for line in found:
                print(f"seed {seed}: {line}", flush=True)
    print(
        f"{arguments.count} schemas on {arguments.postgres}, {all_taken} statements "
        f"({all_refused} refused): {wrong} differ"
    )


if __name__ == "__main__":
    main()
