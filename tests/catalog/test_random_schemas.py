"""Random schemas come out of schema.sql as they went in; `tests/random_schemas.py` tries more."""

from __future__ import annotations

import pytest
from random_schemas import build, faults
from support.database import Server

pytestmark = pytest.mark.database


@pytest.mark.parametrize("seed", range(1, 7))
def test_a_random_schema_is_copied(seed: int, superuser_database: str, server: Server) -> None:
    """The copy has the same catalog and the same script, and takes a migration."""
    taken, refused = build(superuser_database, seed)
    assert taken > 9 * refused
    assert list(faults(server.url(), superuser_database)) == []
