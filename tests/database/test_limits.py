"""A limit that ended a statement or a session is named: the same again would end the same way."""

from __future__ import annotations

import psycopg
import pytest

from todo_sql.wire.connect_errors import beyond, explain

pytestmark = pytest.mark.database

THEN = "run the command again"


@pytest.mark.parametrize(
    ("sqlstate", "words", "limit"),
    [
        ("57014", "canceling statement due to statement timeout", "statement_timeout"),
        ("57014", "Abfrage wird wegen Zeitüberschreitung abgebrochen", "statement_timeout"),
        ("57014", "canceling statement due to user request", None),
        ("55P03", "canceling statement due to lock timeout", "lock_timeout"),
        ("25P04", "terminating connection due to transaction timeout", "transaction_timeout"),
        ("57P05", "terminating connection due to idle-session timeout", "idle_session_timeout"),
        ("42704", "no such thing", None),
    ],
)
def test_a_limit_is_named(
    empty_database: str, sqlstate: str, words: str, limit: str | None
) -> None:
    """By the SQLSTATE, whatever language the server speaks."""
    with psycopg.connect(empty_database) as connection, pytest.raises(psycopg.Error) as caught:
        raising = f"do $$ begin raise exception '{words}' using errcode = '{sqlstate}'; end $$"
        connection.execute(raising.encode())
    advice = beyond(caught.value, THEN)
    assert advice == (f"raise {limit} for this role and database, then {THEN}" if limit else THEN)
    if not words.startswith("terminating"):  # those are met as a lost connection
        assert explain(caught.value).finding.fix == (advice if sqlstate != "42704" else None)
