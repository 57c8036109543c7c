"""Why a server refused, in words that help: psycopg's errors as ours."""

from __future__ import annotations

from todo_sql.errors import DatabaseError
from todo_sql.wire.call_errors import BEHIND, is_behind
from todo_sql.wire.url import DatabaseUrl, redact

# libpq reports a failed connection by a message alone, so its words have to be recognised:
# some of them, the code, what to say, what to do.
_REFUSALS = (
    (
        ("password authentication failed", "no password supplied"),
        "D102",
        "the database server rejects the user or the password",
        "correct them in DATABASE_URL or --database; percent-encode special characters",
    ),
    (
        ("server does not support SSL",),
        "D104",
        "the database server offers no encryption",
        "add sslmode=disable to the URL to allow plain text, on a network that you trust",
    ),
    (
        ("certificate verify failed", "root certificate file", "SSL error"),
        "D104",
        "the encrypted connection could not be made",
        "check sslmode and sslrootcert in the URL",
    ),
    (
        ("no pg_hba.conf entry", "pg_hba.conf rejects"),
        "D102",
        "the database server does not allow this connection",
        "allow this user and host in its pg_hba.conf, or use another URL",
    ),
    (
        ("too many clients", "remaining connection slots", "too many connections"),
        "D105",
        "the database server has no free connection",
        "try again later, close idle connections, or go through a pooler",
    ),
    (
        ('" does not exist',),
        "D103",
        "the database or the user does not exist",
        "correct the name in the URL, or create it",
    ),
    (
        ("the database system is", "terminating connection"),
        "D101",
        "the database server is starting, stopping or recovering",
        "try again in a moment",
    ),
    (
        (
            *("Connection refused", "No such file or directory", "could not translate host name"),
            *("failed to resolve host", "Name or service not known", "timeout expired"),
            *("timed out", "Network is unreachable", "No route to host"),
        ),
        "D101",
        "no database server answers there",
        "start it, or correct host and port in DATABASE_URL or --database",
    ),
)


def explain(error: Exception, url: DatabaseUrl | None = None) -> DatabaseError:
    """Return what a ``psycopg.Error`` means and what to do about it; the URL may be unknown."""
    said = redact(str(error)).strip()
    where = f" ({url.shown})" if url else ""
    sqlstate = getattr(error, "sqlstate", None)
    role = url.role if url else None
    diagnosis = getattr(error, "diag", None)
    message = getattr(diagnosis, "message_primary", None) or said.split("\n", 1)[0]
    detail = getattr(diagnosis, "message_detail", None)
    if is_behind(sqlstate, getattr(diagnosis, "severity_nonlocalized", None), message):
        return DatabaseError(
            f"the database server asked another one, which does not answer{where}",
            code="D107",
            sqlstate=sqlstate,
            cause=redact("\n".join(filter(None, [message, detail]))),
            fix=f"{BEHIND}, then run it again",
        )
    if _NOT_MEMBER in said or (role and f'role "{role}" does not exist' in said):
        role = role or said.partition(f'{_NOT_MEMBER} "')[2].partition('"')[0]
        return DatabaseError(
            f"the login cannot act as role {role}{where}",
            code="D106",
            sqlstate=sqlstate,
            cause=said,
            fix=f'create it if it is not there, `grant "{role}" to LOGIN` (from PostgreSQL 16 on '
            "`with set true`), or correct `role` in [tool.todo-sql] or `options` in the URL",
        )
    for signs, code, words, fix in _REFUSALS:
        if any(sign in said for sign in signs) and (sqlstate or "28")[:2] in _CONNECTING:
            return DatabaseError(words + where, code=code, sqlstate=sqlstate, cause=said, fix=fix)
    causes = [f"PostgreSQL {sqlstate}" if sqlstate else None, detail]
    return DatabaseError(
        f"{redact(message)}{where}",
        sqlstate=sqlstate,
        cause=". ".join(filter(None, causes)) or None,
        fix=getattr(diagnosis, "message_hint", None)
        or (beyond(error, "run the command again") if sqlstate in _LIMITS else None),
    )


def beyond(error: BaseException, then: str) -> str:
    """Return what to do after an error: before `then`, raise the limit that was too low."""
    asked = "user request" in str(error)  # to stop: by pg_cancel_backend
    limit = None if asked else _LIMITS.get(getattr(error, "sqlstate", None) or "")
    return f"raise {limit} for this role and database, then {then}" if limit else then


_NOT_MEMBER = "permission denied to set role"
_CONNECTING = ("28", "08", "3D", "53", "57")
# What ends a statement or a session that takes too long, by SQLSTATE.
_LIMITS = {
    "25P03": "idle_in_transaction_session_timeout",
    "25P04": "transaction_timeout",
    "55P03": "lock_timeout",
    "57014": "statement_timeout",
    "57P05": "idle_session_timeout",
}
