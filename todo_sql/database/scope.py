"""Whose rows a call sees, by settings in front of its statement, and how fresh they are. Pure."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cache

from todo_sql.config import Tenant
from todo_sql.errors import UsageError
from todo_sql.wire.call_errors import TenantRequired
from todo_sql.wire.statement import Step, WireStatement, command, texts

Settings = tuple[tuple[str, str | None], ...]

# What concerns the server that we talk to, and not those behind it.
_ONLY_HERE = ("role", "statement_timeout")
# Citus hands SET LOCAL on to the nodes that hold the rows, and no set_config().
_HANDS_ON = ("citus.propagate_set_commands", "local")


@dataclass(frozen=True, slots=True)
class Scope:
    """What a session stands for.

    Attributes:
        tenant_id: The tenant, or None: not scoped to one.
        role: The role that calls without a tenant run as, or None: the login.
        timeout: Seconds that one call may take, or None: the database's.
        tenant: The project's tenant configuration, for queries that bring none of their own.
    """

    tenant_id: object = None
    role: str | None = None
    timeout: float | None = None
    tenant: Tenant | None = None

    def settings(self, tenant: Tenant | None, timeout: float | None) -> Settings:
        """Return what has to be set for a call, as pairs of name and value."""
        pairs: list[tuple[str, str | None]] = []
        if self.tenant_id is not None:
            tenant = tenant or self.tenant
            if tenant is None:
                raise UsageError(
                    "the session has a tenant, but the project configures no tenant",
                    fix="add `tenant` to [tool.todo-sql], or use `db.session()`",
                )
            pairs += [("role", tenant.role), (tenant.setting, str(self.tenant_id))]
        elif self.role is not None:
            pairs.append(("role", self.role))
        if timeout is not None:
            pairs.append(("statement_timeout", f"{max(1, round(timeout * 1000))}ms"))
        return tuple(pairs)


def checked_tenant(tenant_id: object) -> object:
    """Return a tenant's id; `TenantRequired`: it is None or empty."""
    if tenant_id is None or not str(tenant_id).strip():
        raise TenantRequired(
            "the tenant's id is empty",
            cause="an empty id would match rows that belong to nobody",
            fix="pass the id of a signed-in user, or use `db.session()` for work without one",
        )
    return tenant_id


def scope_step(settings: Settings) -> Step:
    """Return the step that makes settings hold until the end of the transaction."""
    names, values = zip(*settings, strict=True)
    return Step(_set_statement(names), values)


def scope_steps(settings: Settings, *, citus: bool) -> list[Step]:
    """Return what makes settings hold until the transaction ends; `citus`: on nodes, too."""
    if not settings:
        return []
    far = [pair for pair in settings if pair[0] not in _ONLY_HERE] if citus else []
    if not far:
        return [scope_step(settings)]
    # A value that no text can hold is refused as a parameter of the first, before it is sent.
    return [scope_step((_HANDS_ON, *settings)), *(_set_local(*pair) for pair in far)]


def _set_local(name: str, value: str | None) -> Step:
    quoted = name.replace('"', '""')
    text = "default"
    if value is not None:
        held = value.encode(errors="replace").decode().replace("\0", "")
        # Read alike whatever a node's standard_conforming_strings says.
        text = "E'" + held.replace("\\", "\\\\").replace("'", "''") + "'"
    return Step(WireStatement(f'set local "{quoted}" to {text}', label="scope", once=True))


@cache
def _set_statement(names: tuple[str, ...]) -> WireStatement:
    quoted = (name.replace("'", "''") for name in names)
    calls = (f"pg_catalog.set_config('{n}', ${at}, true)" for at, n in enumerate(quoted, 1))
    return texts("select " + ", ".join(calls), *names, label="scope")


# How long a read waits for the replica to catch up before it goes to the primary.
PATIENCE = 0.2
FIRST_PAUSE = 0.004


def _position(function: str) -> Step:
    sql = f"select pg_catalog.pg_wal_lsn_diff(pg_catalog.{function}(), '0/0')::bigint as position"
    return Step(WireStatement(sql, label="position"))


# The position after a COMMIT; rides behind it in the same flight.
WRITTEN = _position("pg_current_wal_insert_lsn")
# What a replica has replayed; null where the server is none.
REPLAYED = _position("pg_last_wal_replay_lsn")
# Each statement sees what was replayed when it began, whatever the server's default.
BEGIN_ON_REPLICA = command("begin isolation level read committed read only")


class Freshness:
    """The position in the write-ahead log of a session's last change.

    Args:
        position: Of a change made before, such as another process's.

    Raises:
        UsageError: It is not a position.
    """

    def __init__(self, position: int = 0) -> None:
        if not isinstance(position, int) or position < 0:
            raise UsageError(
                f"`after` must be the position of a session, not {position!r}",
                fix="pass the `position` of another session, a whole number",
            )
        self.position = position
        self._lock = threading.Lock()

    def note(self, position: int) -> None:
        """Record a later change."""
        with self._lock:
            self.position = max(self.position, position)
