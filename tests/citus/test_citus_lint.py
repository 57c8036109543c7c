"""What lint says of the profile `citus`, asked of a coordinator: the same, case by case."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from review.test_lint_citus import CASES, TABLES
from support.citus import cluster_database, coordinator, with_options

from todo_sql.sql.grammar import parse

WRITES = ("insert_stmt", "update_stmt", "delete_stmt", "select_stmt")


@pytest.fixture(scope="module")
def asked() -> Iterator[psycopg.Connection]:
    """A connection to a database with the tables of the cases, distributed."""
    options = "-c citus.shard_count=4 -c citus.enable_unsafe_triggers=off"
    with (
        cluster_database(coordinator()) as url,
        psycopg.connect(with_options(url, options), autocommit=True) as connection,
    ):
        for statement in parse(TABLES):
            connection.execute(statement.text.encode())
        yield connection


@pytest.mark.parametrize(("code", "text", "use"), CASES)
def test_citus_says_the_same(asked: psycopg.Connection, code: str, text: str, use: str) -> None:
    """What lint names is refused, and nothing else; calls are those of the application's role."""
    statements = [*parse(text), *parse(use)]
    refused = None
    with asked.transaction(force_rollback=True):
        asked.execute("set local citus.multi_shard_modify_mode = 'sequential'")
        if all(statement.kind in WRITES for statement in statements):
            asked.execute("set local citus.propagate_set_commands = 'local'")
            asked.execute("set local role todo_app")
            asked.execute("set local \"app.current_user_id\" = 'u'")
        try:
            with asked.transaction():
                for statement in statements:
                    asked.execute(statement.text.encode())
        except psycopg.Error as error:
            refused = error
    assert (refused is not None) == bool(code), refused
