"""Whose rows a call sees: the settings that ride in front of its statement. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from todo_sql.config import Tenant
from todo_sql.errors import UsageError
from todo_sql.wire.call_errors import TenantRequired
from todo_sql.wire.statement import Step, WireStatement, texts

Settings = tuple[tuple[str, str | None], ...]


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
        """Return what has to be set for a call, as pairs of name and value.

        Args:
            tenant: The tenant configuration of the query.
            timeout: Seconds after which the server is to give up on the statement.
        """
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
    """Return a tenant's id.

    Raises:
        TenantRequired: It is None or empty.
    """
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


@cache
def _set_statement(names: tuple[str, ...]) -> WireStatement:
    calls = [
        f"pg_catalog.set_config('{name.replace(chr(39), chr(39) * 2)}', ${number}, true)"
        for number, name in enumerate(names, 1)
    ]
    return texts("select " + ", ".join(calls), *names, label="scope")
