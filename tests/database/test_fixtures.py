"""The suite's own fixtures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from support.database import Owner

pytestmark = pytest.mark.database


def test_empty_database_belongs_to_the_owner(
    empty_database: str, owner: Owner, connect: Callable[..., psycopg.Connection[Any]]
) -> None:
    """An empty database is the owner's, who is a superuser only when asked for."""
    row = connect(empty_database).execute(
        "select datdba::regrole::text, rolsuper, rolbypassrls"
        " from pg_database join pg_roles on rolname = current_user"
        " where datname = current_database()"
    )
    superuser = owner.kind == "superuser"
    assert row.fetchone() == (owner.name, superuser, superuser)


def test_todo_database_is_a_clone_per_test(
    todo_database: str, connect: Callable[..., psycopg.Connection[Any]]
) -> None:
    """A migrated database is the test's own."""
    assert connect(todo_database).execute("select 1").fetchone() == (1,)
