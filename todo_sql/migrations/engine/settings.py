"""What a statement of a migration runs under, and how its traces in the session are wiped."""

from __future__ import annotations

from collections.abc import Sequence

from todo_sql.catalog.names import literal
from todo_sql.migrations.connecting import MigrationLink
from todo_sql.migrations.files.migration import Script
from todo_sql.migrations.surroundings import steady
from todo_sql.migrations.target import CHECK_INTERVAL, Target
from todo_sql.sql.trust import SAFE_LOCALLY, SAFE_PATH, THEIR_PATH
from todo_sql.wire.flight import FlightCommand

# Before statements of ours: until the end of the transaction.
OURS = FlightCommand(SAFE_LOCALLY)
# And before those of a file, where they are not set with the rest: see `settings`.
THEIRS = FlightCommand(f"select {THEIR_PATH}")

LOCK_TIMEOUT = 2.0
MAX_LOCK_HOLD = 5.0

# What DISCARD ALL does, but for the advisory locks that it would release, and in a
# transaction. RESET ALL keeps the role, so that comes first; older releases keep it too
# when the session's user is reset.
_RESET = (
    "reset session authorization",
    "reset role",
    "reset all",
    "discard temp",
    "unlisten *",
    "close all",
    "deallocate all",
)
_RESET_AT_ONCE = f"do $$ begin execute '{'; '.join(_RESET)}'; end $$"


def reset(target: Target) -> list[FlightCommand]:
    """Return the commands that make the session as it was: one where PL/pgSQL may be used."""
    texts = (_RESET_AT_ONCE,) if target.plpgsql else _RESET
    return [FlightCommand(text) for text in (*texts, *steady(target.overridden))]


def settings(
    script: Script,
    link: MigrationLink,
    *,
    local: bool = True,
    unbounded: bool = False,
    then: Sequence[str] = (),
) -> FlightCommand:
    """Return the command that sets what a file, or one statement of it, runs under.

    Args:
        script: The file, whose directives count.
        link: Knows whether the server notices that its client died, and the values from outside.
        local: For this transaction only, rather than for the session; and under our own
            search path, until `THEIR_PATH`.
        unbounded: Without timeouts: for concurrent index work, which would be left INVALID.
        then: Expressions to evaluate afterwards, every name in them qualified.
    """
    directives = script.directives
    values = _values(link, directives.lock_timeout or LOCK_TIMEOUT)
    values["client_min_messages"] = "notice"
    if directives.statement_timeout is not None:
        values["statement_timeout"] = _milliseconds(directives.statement_timeout)
    if unbounded:
        values |= {"lock_timeout": "0", "statement_timeout": "0"}
    if local:
        values["search_path"] = SAFE_PATH
    scope = "true" if local else "false"
    calls = (f"pg_catalog.set_config('{name}', '{v}', {scope})" for name, v in values.items())
    given = link.settings.values
    names = (
        f"pg_catalog.set_config({literal(name)}, ${number}::pg_catalog.text, {scope})"
        for number, name in enumerate(given, 1)
    )
    return FlightCommand("select " + ", ".join((*calls, *names, *then)), tuple(given.values()))


def _values(link: MigrationLink, lock_timeout: float) -> dict[str, str]:
    values = {"lock_timeout": _milliseconds(lock_timeout), "row_security": "off"}
    return values | ({CHECK_INTERVAL: "500ms"} if link.target.notices_death else {})


def ending(link: MigrationLink, proof: str, *, waits: bool) -> FlightCommand:
    """Return the command that sets what our own statements at a transaction's end run under.

    Args:
        waits: Whether the commit waits for the disk.
    """
    values = _values(link, LOCK_TIMEOUT) | {"search_path": SAFE_PATH}
    calls = [f"pg_catalog.set_config('{name}', '{v}', true)" for name, v in values.items()]
    if not waits:
        # Citus' other nodes do what this one has committed, so it must not be forgotten here.
        calls.append(
            "pg_catalog.set_config('synchronous_commit', case when pg_catalog.current_setting("
            "'citus.version', true) is null then 'off' else pg_catalog.current_setting("
            "'synchronous_commit') end, true)"
        )
    return FlightCommand("select " + ", ".join((*calls, proof)))


def quiet(link: MigrationLink, *, local: bool = True) -> list[FlightCommand]:
    """Return what keeps secrets out of the server's log, where the role may say so."""
    if not link.settings.secrets:
        return []
    names = "log_parameter_max_length,log_parameter_max_length_on_error"
    scope = "true" if local else "false"
    return [
        FlightCommand(
            f"select pg_catalog.set_config(w.name, '0', {scope}) from pg_catalog.unnest("
            f"'{{{names}}}'::pg_catalog.text[]) as w (name) where "
            "pg_catalog.has_parameter_privilege(current_user, w.name, 'set')"
        )
    ]


def hold_of(script: Script) -> float:
    """Return how long a file may keep others waiting, in seconds."""
    return script.directives.max_lock_hold or MAX_LOCK_HOLD


def _milliseconds(seconds: float) -> str:
    return f"{max(1, round(seconds * 1000))}ms"
