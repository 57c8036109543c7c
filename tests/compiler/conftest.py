"""A database for all tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from support.database import Owner, Server, database


@pytest.fixture(scope="module")
def url(request: pytest.FixtureRequest, server: Server, owner: Owner) -> Iterator[str]:
    """The owner's URL of a database with the module's `SCHEMA`."""
    with database(server, owner) as name:
        url = server.url(name, owner.name)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(request.module.SCHEMA)
        yield url
