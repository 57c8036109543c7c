"""The fixtures of the tests of sessions; they name this module in `pytest_plugins`."""

from __future__ import annotations

import pytest

from support.sessions import add_users


@pytest.fixture
def two_users(todo_database: str) -> str:
    """The URL of a Todo database that knows ann and bob."""
    add_users(todo_database, "ann", "bob")
    return todo_database
