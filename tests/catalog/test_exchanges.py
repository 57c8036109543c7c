"""An object gives way to another of its name, whatever the kinds, and what stands on it stays."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import permutations, product
from typing import Any

import psycopg
import pytest
from psycopg import Connection
from support.database import Server
from support.exchanges import BASE, GROUPS, SINCE

from todo_sql.catalog.ddl import BY_HAND
from todo_sql.catalog.diff import compare
from todo_sql.catalog.read import keep_prepared
from todo_sql.catalog.snapshot import take
from todo_sql.review.drift import drift

pytestmark = pytest.mark.database

Connect = Callable[..., Connection[Any]]


def _pairs(forms: list[str]) -> list[tuple[str, str]]:
    """Return all pairs, or (without ``TODO_SQL_SOAK``) each with its neighbours and one far off."""
    if os.environ.get("TODO_SQL_SOAK"):
        return list(permutations(forms, 2))
    count = len(forms)
    places = product(range(count), (1, -1, count // 2))
    pairs = [(forms[place], forms[(place + step) % count]) for place, step in places]
    return [pair for pair in dict.fromkeys(pairs) if len(set(pair)) == 2]


@pytest.mark.parametrize("group", GROUPS)
def test_one_takes_the_place_of_another(
    group: str, superuser_database: str, connect: Connect, server: Server
) -> None:
    """The mending of each pair runs from top to bottom, and leaves what is said to need a hand."""
    connection = connect(superuser_database, autocommit=True)
    keep_prepared(connection)
    connection.execute(BASE.encode())
    forms = {}
    for name, form in GROUPS[group].items():
        if SINCE.get(form, 15) > server.version:
            continue
        with connection.transaction(force_rollback=True):
            connection.execute(form.encode())
            forms[form] = name, take(connection)
    wrong: dict[str, object] = {}
    for made, wanted in _pairs(list(forms)):
        name, end = f"{forms[made][0]} to {forms[wanted][0]}", forms[wanted][1]
        with connection.transaction(force_rollback=True):
            connection.execute(made.encode())
            found = drift(take(connection), end)
            statements = [text for one in found for text in one.statements]
            try:
                for text in statements:
                    connection.execute(text.encode())
            except psycopg.Error as error:
                wrong[name] = str(error), statements
                continue
            left = [str(difference) for difference in compare(take(connection), end)]
            by_hand = any(text.startswith(BY_HAND) for text in statements)
            if not found or bool(left) != by_hand:
                wrong[name] = left, statements
    assert wrong == {}
