"""What role, database, URL and environment set, and a run sets aside. Pure.

A migration must come out the same wherever it runs: such settings change how its text is
read, where its objects go, or when its session dies. What the server's own configuration
says is left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# By name: the value of a run. None: PostgreSQL's own default.
_SETTINGS: dict[str, str | None] = {
    **dict.fromkeys(
        (
            *("array_nulls", "backslash_quote", "bytea_output", "check_function_bodies"),
            *("DateStyle", "default_table_access_method", "default_tablespace"),
            *("default_toast_compression", "default_transaction_deferrable"),
            *("default_transaction_isolation", "extra_float_digits", "IntervalStyle"),
            *("lc_monetary", "lc_numeric", "lc_time", "quote_all_identifiers"),
            *("session_replication_role", "standard_conforming_strings", "synchronous_commit"),
            *("temp_tablespaces", "transform_null_equals", "xmlbinary", "xmloption"),
        )
    ),
    "TimeZone": "UTC",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    "lock_timeout": "0",
    "statement_timeout": "0",
    "tcp_user_timeout": "0",
    "transaction_timeout": "0",
    "plpgsql.check_asserts": "on",
    "plpgsql.extra_errors": "none",
    "plpgsql.extra_warnings": "none",
    "plpgsql.print_strict_params": "off",
    "plpgsql.variable_conflict": "error",
}
_UTC = ("UTC", "GMT", "Etc/UTC", "Etc/GMT", "Zulu", "Universal")

_VALUES = ", ".join(
    f"('{name}', {'null' if ours is None else repr(ours)})" for name, ours in _SETTINGS.items()
)

# Each name, its value now, and ours, where somebody between server and run set it. What
# PL/pgSQL reads is known to the server only when PL/pgSQL is loaded. A commit that waits for
# more than ours would is none that loses anything.
FIND = f"""
select
    w.name,
    pg_catalog.current_setting(w.name),
    coalesce(w.ours, s.boot_val),
    s.name is null or s.context = 'user'
        or pg_catalog.has_parameter_privilege(current_user, w.name, 'set')
from (values {_VALUES}) as w (name, ours)
left join pg_catalog.pg_settings as s on s.name = w.name
where case when s.name is null
    then w.name like 'plpgsql.%' and pg_catalog.current_setting(w.name, true) <> w.ours
    else s.source in ('global', 'database', 'user', 'database user', 'client')
        and s.setting is distinct from coalesce(w.ours, s.boot_val)
    end
    and not (w.name = 'TimeZone' and s.setting in {_UTC})
    and not (w.name = 'synchronous_commit' and s.setting = 'remote_apply')
"""


@dataclass(frozen=True, slots=True)
class Overridden:
    """A setting that is set aside.

    Attributes:
        theirs: What role, database, URL or environment set.
        ours: What it is for the run.
    """

    name: str
    theirs: str
    ours: str
    settable: bool

    def __str__(self) -> str:
        ours = self.ours or "empty"
        return (
            f"{self.name} is {ours} for this run: role, database, URL or environment set it to "
            f"{self.theirs or 'empty'}"
        )


def read(rows: Sequence[tuple[str | None, ...]]) -> tuple[Overridden, ...]:
    """Return what is set aside from the rows of `FIND`."""
    return tuple(
        Overridden(str(name), str(now), str(ours), settable == "t")
        for name, now, ours, settable in rows
    )


def steady(overridden: Sequence[Overridden]) -> tuple[str, ...]:
    """Return the statement that sets it aside for the session, if there is anything."""
    calls = [
        f"pg_catalog.set_config('{one.name}', '{one.ours}', false)"
        for one in overridden
        if one.settable
    ]
    return ("select " + ", ".join(calls),) if calls else ()
