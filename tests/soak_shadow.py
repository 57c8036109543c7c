"""The shadow table under writers: nothing lost, nothing back from the dead, nothing stale or wrong.

    python tests/soak_shadow.py [--seconds 60] [--rows 100000] [--postgres 18] [CHANGE …]

Each change is rewritten by recipe S and migrated while three writers insert, update, upsert,
delete and change keys, each its own rows; a child refers to the table with `on update cascade on
delete cascade`. Each writer keeps a journal of what it wrote, and the table is compared with it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import psycopg
from support.shadowing import CHANGES, WRITERS, schema, under_writers

from todo_sql.embedded.temporary import temporary_server


def main() -> None:
    """Run every kind of change."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("changes", nargs="*", metavar="CHANGE", help="default: all")
    parser.add_argument("--seconds", type=float, default=60, help="that the writers write")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--postgres", type=int, default=18)
    options = parser.parse_args()
    with temporary_server(options.postgres) as server:
        for number, name in enumerate(options.changes or CHANGES):
            url = server.url(f"soak_{number}")
            with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
                admin.execute(f"create database soak_{number}".encode())
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(schema(options.rows).encode())
            began = time.monotonic()
            with tempfile.TemporaryDirectory() as folder:
                found = under_writers(
                    url,
                    server.url("postgres"),
                    CHANGES[name],
                    Path(folder),
                    rows=options.rows,
                    seconds=options.seconds,
                )
            seconds = time.monotonic() - began
            print(f"{name}: {WRITERS} writers, {seconds:.0f} s: {found}", flush=True)
            assert found.clean, found.examples


if __name__ == "__main__":
    main()
