"""A shadow takes a table's place while three writers write: `tests/soak_shadow.py`, in short."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from support.database import Server
from support.shadowing import CHANGES, Change, schema, under_writers
from support.soak import pick

pytestmark = pytest.mark.database

ROWS = int(pick(1_500, 100_000))


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_every_row_is_as_it_was_written_last(
    change: Change, server: Server, superuser_database: str, tmp_path: Path
) -> None:
    """None is lost, none comes back, none is stale or wrong, and no write fails."""
    with psycopg.connect(superuser_database, autocommit=True) as connection:
        connection.execute(schema(ROWS).encode())
    found = under_writers(
        superuser_database, server.url(), change, tmp_path, rows=ROWS, seconds=pick(0.5, 60)
    )
    assert found.clean, found.examples
    assert found.during
