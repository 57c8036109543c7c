"""What a statement may leave on its connection, for whoever gets it next, and its end. Pure.

A named query was read by the compiler; a text that a caller writes on the spot was not, and
what it does may hide in any function, under EXPLAIN ANALYZE or behind a name. So nothing is
guessed from its words: every ad hoc statement is followed by what makes the session new, in
the same flight, and the server's own answers say whether that was enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

from psycopg import pq

from todo_sql.errors import UsageError
from todo_sql.sql.scanner import COMMENTS, Kind, scan
from todo_sql.wire.statement import command

_LEFT = command(
    "select exists (select from pg_catalog.pg_prepared_statements as p where p.from_sql)"
)
# One by one: DEALLOCATE ALL would take ours, and those of others behind a pooler.
_FORGET = command(
    "do $$ declare s record; begin "
    "for s in select p.name from pg_catalog.pg_prepared_statements as p where p.from_sql loop "
    "execute pg_catalog.format('deallocate %I', s.name); end loop; end $$"
)
# DISCARD ALL keeps the seed: who set it would know what random() says next.
_SHUFFLE = command(
    "select pg_catalog.setseed(pg_catalog.float8div(pg_catalog.float8("
    "pg_catalog.uuid_hash(pg_catalog.gen_random_uuid())), 2147483648))"
)
RESETS = (
    *map(command, ("reset session authorization", "reset role", "reset all", "close all")),
    *map(command, ("unlisten *", "select pg_catalog.pg_advisory_unlock_all()")),
    *(_SHUFFLE, command("discard temp"), command("discard sequences"), _FORGET, _LEFT),
)

# The command tags of what leaves nothing that the resets do not end. Behind any other (DO,
# CALL, LOAD, PREPARE, ...) the connection is closed as well.
_ENDED = frozenset({b"SELECT", b"INSERT", b"UPDATE", b"DELETE", b"MERGE", b"EXPLAIN", b"SHOW"})

_TRANSACTION = frozenset(
    {"begin", "start", "commit", "end", "rollback", "abort", "savepoint", "release"}
)
_OURS = "the connection and its transaction belong to the session"
_SESSION = frozenset({"reset", "discard", "prepare", "deallocate"})
_HARMLESS_SET = frozenset({"local", "transaction", "constraints"})
_IDENTITY = frozenset({"role", '"role"', "session", "session_authorization"})


def outlasts(result: pq.abc.PGresult) -> bool:
    """Tell from a statement's command tag whether the resets may not be enough."""
    return (result.command_status or b"").split(b" ", 1)[0] not in _ENDED


def left_behind(resets: list[pq.abc.PGresult]) -> bool:
    """Tell from the answers to the resets whether something is still there."""
    return resets[-1].get_value(0, 0) not in (b"f", b"\0")


@lru_cache(maxsize=4)  # asked twice in a row
def _words(sql: str) -> tuple[str, ...]:
    """Return the tokens of a text in lower case, but for comments and strings."""
    return tuple(
        sql[token.start : token.end].lower()
        for token in scan(sql)
        if token.kind not in COMMENTS and token.kind is not Kind.STRING
    )


def impossible(sql: str) -> tuple[str, str, str] | None:
    """Return what no call can do: what it is, why, and the fix; None: nothing of the kind.

    A text is one statement and these begin with a word of their own, so that no name, string
    or comment is taken for one.
    """
    words = [word for word in _words(sql) if word not in ("(", ";")]
    first = words[0] if words else ""
    if first in _TRANSACTION or words[:2] == ["prepare", "transaction"]:
        return first, _OURS, "use `with session.transaction()`, nested for a savepoint"
    for way, word in pairwise(words if first == "copy" else ()):
        if word in ("stdin", "stdout") and way in ("from", "to"):
            cause = "its data would travel where the answers of the calls do"
            fix = "load rows with a :copyfrom query, read them with a :stream query"
            return f"copy … {way} {word}", cause, fix
    return None


def kept(sql: str) -> dict[str, str]:
    """Return what a statement of this form leaves on its connection, and what to do instead."""
    words = _words(sql)
    first, second = (*words, "", "")[:2]
    if first == "set" and second not in _HARMLESS_SET:
        return {f"set {second}": "use `set local`, or `options` in the URL"}
    if first == "listen":
        return {"listen": 'use `db.listen("channel")`, which has a connection of its own'}
    if first in ("prepare", "load"):
        return {first: "leave it out: named queries are prepared by themselves"}
    if first == "declare" and "hold" in words:
        return {"declare … with hold": "use a :stream query"}
    temporary = {"temp", "temporary"}
    created = first == "create" and temporary & set(words[1:5])
    if created or any(word == "into" and after in temporary for word, after in pairwise(words)):
        return {"a temporary table": "make it `on commit drop` in a transaction, or use a CTE"}
    return {}


def refuse(sql: str) -> None:
    """Refuse what an ad hoc statement is never meant to do; what this overlooks is undone."""
    if (found := impossible(sql)) is not None:
        raise refused(*found)
    tokens = _words(sql)
    words = [token for token in tokens if token not in ("(", ";")]
    first, second, third = (*words, "", "", "")[:3]
    if first in _SESSION:
        raise refused(first, _OURS, "leave it out: each call resets what it has set")
    of_session = second not in _HARMLESS_SET or (second == "local" and third in _IDENTITY)
    if first == "set" and of_session:
        fix = "use `set local` in a transaction, `session.within(seconds)`, `db.session(role)`, or "
        raise refused(f"{first} {second}", _OURS, fix + "`options` in the URL")
    if _sets_for_the_session(tokens):
        raise refused("set_config(…, false)", _OURS, "pass true: until the end of the transaction")


def _sets_for_the_session(tokens: Sequence[str]) -> bool:
    """Tell whether the last argument of a ``set_config`` is ``false``."""
    for index, token in enumerate(tokens):
        if token not in ("set_config", '"set_config"'):
            continue
        depth = 0
        for place in range(index + 1, len(tokens)):
            depth += {"(": 1, ")": -1}.get(tokens[place], 0)
            if depth == 0:
                if tuple(tokens[place - 2 : place]) == (",", "false"):
                    return True
                break
    return False


def refused(what: str, cause: str, fix: str) -> UsageError:
    """Return the error for what no call can do."""
    return UsageError(f"a call cannot `{what}`", code="D207", cause=cause, fix=fix)
